package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// PutResult says what a Put did.
type PutResult struct {
	Revision uint64 // of this write: its index in the log
	Created  bool   // the key was not there before
}

// DeleteResult says what a Delete did.
type DeleteResult struct {
	Revision uint64 // of the map afterwards; this write's own if it deleted anything
	Deleted  uint32 // 0 when the key was not there
}

// IncrementResult says what an Increment did.
type IncrementResult struct {
	Revision uint64 // of this write: its index in the log
	Created  bool   // the key was not there before, and counted as 0
	Value    int64  // the number that the key now holds
}

// WriteOption changes what a write does.
type WriteOption func(*writing)

// writing is what the options of a write come to.
type writing struct {
	ttl  *time.Duration
	once bool
	key  string
}

// TTL lets the key that a Put writes go away by itself when so much time has passed in the cluster, which
// must be above zero. A later Put without it makes the key stay; an Increment changes nothing about it.
// Delete and Increment refuse this option. Time in the cluster follows the wall clock of its leader, and
// never goes back: a new leader whose clock is an hour ahead ends at once all that has less than an hour
// left.
func TTL(d time.Duration) WriteOption { return func(w *writing) { w.ttl = &d } }

// Once has the cluster carry out a write once, however often it is sent with this key: 1 to 128 visible
// characters of ASCII, remembered for KeyLife after its latest use, and best drawn at random; "" has the
// client draw one. So the client sends it again after any failure that another try could mend, until its
// context or its patience ends, or until half of KeyLife has passed since a try of which nobody knows what
// became: after KeyLife the write would be carried out again. An error of class ErrOutcomeUnknown remains
// possible, and the caller may then ask again with the same key, in as much time as is left of KeyLife since
// the first call began.
//
// A key stands for one write, down to its bytes: another one is refused (ErrKeyReused). Keys are not many:
// 218 new ones a second, of all clients together, fill what a cluster remembers, and then new ones are
// refused (CodeTooManyKeys, class ErrUnavailable) until old ones have ended; the client tries again as often
// as the nodes suggest while it has patience. Sessions have no such limit. A key that begins with
// SessionKeyPrefix belongs to a session (SessionKey).
func Once(key string) WriteOption {
	return func(w *writing) { w.once, w.key = true, key }
}

// maxOnce is the length of the longest key of Once.
const maxOnce = 128

// idempotencyKey checks the key, or draws one of 130 random bits.
func (w writing) idempotencyKey() (string, error) {
	visible := func(r rune) bool { return r > ' ' && r <= '~' }
	switch {
	case !w.once:
		return "", nil
	case w.key == "":
		return rand.Text(), nil
	case len(w.key) > maxOnce || strings.ContainsFunc(w.key, func(r rune) bool { return !visible(r) }):
		return "", &Error{Code: CodeBadRequest, Outcome: NotApplied,
			Message: "the key of Once is 1 to 128 visible characters of ASCII"}
	}
	return w.key, nil
}

// Put stores a value, any bytes, under a key, and returns when a majority holds it. Every error is an
// *Error; only those of class ErrOutcomeUnknown leave it open whether the value was stored.
func (c *Client) Put(
	ctx context.Context, key string, value []byte, options ...WriteOption,
) (PutResult, error) {
	if value == nil {
		value = []byte{}
	}
	call := call{method: http.MethodPut, path: KeyPath(PathKV, key), body: value}
	var body PutBody
	if err := c.write(ctx, key, call, options, &body); err != nil {
		return PutResult{}, err
	}
	c.noteWrite(body.Revision)
	return PutResult{Revision: body.Revision, Created: body.Created}, nil
}

// Delete removes a key. That it was not there is no error. Every error is an *Error, with the outcomes of
// Put's.
func (c *Client) Delete(ctx context.Context, key string, options ...WriteOption) (DeleteResult, error) {
	call := call{method: http.MethodDelete, path: KeyPath(PathKV, key)}
	var body DeleteBody
	if err := c.write(ctx, key, call, options, &body); err != nil {
		return DeleteResult{}, err
	}
	c.noteWrite(body.Revision)
	return DeleteResult{Revision: body.Revision, Deleted: body.Deleted}, nil
}

// Increment adds to the number under a key, whose value must be the decimal digits of an int64, and returns
// the sum. A key that is not there counts as 0. Every error is an *Error, with the outcomes of Put's; one of
// class ErrConflict says that the value is no such number, or that the sum would be none.
func (c *Client) Increment(
	ctx context.Context, key string, by int64, options ...WriteOption,
) (IncrementResult, error) {
	request, err := json.Marshal(IncrementRequest{By: &by})
	if err != nil {
		return IncrementResult{}, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	call := call{method: http.MethodPost, path: KeyPath(PathKV, key) + PathIncrement, body: request}
	var body IncrementBody
	if err := c.write(ctx, key, call, options, &body); err != nil {
		return IncrementResult{}, err
	}
	c.noteWrite(body.Revision)
	return IncrementResult{Revision: body.Revision, Created: body.Created, Value: body.Value}, nil
}

// write carries out a call that changes a key, and reads the answer's body.
func (c *Client) write(ctx context.Context, key string, call call, options []WriteOption, body any) error {
	if err := checkKey(key); err != nil {
		return err
	}
	var w writing
	for _, option := range options {
		option(&w)
	}
	if w.ttl != nil && call.method != http.MethodPut {
		return &Error{Code: CodeBadRequest, Message: "a time to live belongs to Put", Outcome: NotApplied}
	}
	if w.ttl != nil {
		call.path += "?" + url.Values{"ttl": {w.ttl.String()}}.Encode()
	}
	var err error
	if call.key, err = w.idempotencyKey(); err != nil {
		return err
	}
	call.write = true
	a, err := c.do(ctx, call)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, body); err != nil {
		return foreign(call, a.endpoint, http.StatusOK, "the answer is no JSON")
	}
	return nil
}
