package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Item is a key's value and what is known about it.
type Item struct {
	Value          []byte
	CreateRevision uint64 // the write that created the key
	ModRevision    uint64 // the write that gave it this value
	Version        uint64 // how many writes since it was created: 1 for a new key
	Revision       uint64 // of the state from which the answer was made
	Consistency    string // what the answer promises, see the Consistency constants
	ServedBy       uint64 // the node that answered
	// Expires is when the key goes away by itself, by the cluster's time; zero if it does not.
	Expires time.Time
}

// Get returns what is stored under a key: as of now (linearizable), unless an option says that less is
// enough. A missing key is an error of class ErrNotFound; every error is an *Error.
func (c *Client) Get(ctx context.Context, key string, options ...ReadOption) (Item, error) {
	if err := checkKey(key); err != nil {
		return Item{}, err
	}
	call := call{method: http.MethodGet, path: KeyPath(PathKV, key) + c.query(options)}
	a, err := c.do(ctx, call)
	if err != nil {
		return Item{}, err
	}
	f := fields{header: a.header}
	item := Item{
		Value:          a.body,
		CreateRevision: f.number(HeaderCreateRevision),
		ModRevision:    f.number("ETag"),
		Version:        f.number(HeaderVersion),
		Revision:       f.number(HeaderRevision),
		Consistency:    a.header.Get(HeaderConsistency),
		ServedBy:       a.servedBy,
		Expires:        f.time(HeaderExpires),
	}
	if f.missing != "" {
		return Item{}, foreign(call, a.endpoint, http.StatusOK, "the answer has no "+f.missing)
	}
	return item, nil
}

// MaxKey is the size of the longest key, in bytes.
const MaxKey = 4096

// checkKey refuses a key that is too long before it is sent: it travels in the path, and what is long enough
// there is refused by HTTP itself, in words that are nobody's.
func checkKey(key string) error {
	if len(key) <= MaxKey {
		return nil
	}
	message := fmt.Sprintf("the key is too long: %d bytes, at most %d", len(key), MaxKey)
	return &Error{Code: CodeTooLarge, Message: message, Outcome: NotApplied}
}

// Status asks one node, named by its endpoint, for its status. It is sent once. Every error is an *Error.
func (c *Client) Status(ctx context.Context, endpoint string) (Status, error) {
	normal, err := normalize(endpoint)
	if err != nil {
		return Status{}, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	call := call{method: http.MethodGet, path: PathStatus}
	a, failure := c.try(ctx, normal, call)
	if failure != nil {
		return Status{}, failure
	}
	var s Status
	if err := json.Unmarshal(a.body, &s); err != nil {
		return Status{}, foreign(call, normal, http.StatusOK, "the answer is no JSON")
	}
	return s, nil
}

// Snapshot asks one node, named by its endpoint, to take a snapshot of its own state now, and returns the
// last entry of the log that it includes. Other nodes take theirs by themselves. It is sent once, and waits
// for as long as the context allows, a minute at most; a snapshot that takes longer comes all the same. Every
// error is an *Error; one of class ErrConflict says that the node's latest snapshot includes everything.
func (c *Client) Snapshot(ctx context.Context, endpoint string) (last uint64, err error) {
	normal, err := normalize(endpoint)
	if err != nil {
		return 0, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	call := call{method: http.MethodPost, path: PathSnapshot + "?timeout=60s", write: true, long: true}
	a, failure := c.try(ctx, normal, call)
	if failure != nil {
		return 0, failure
	}
	var body SnapshotBody
	if err := json.Unmarshal(a.body, &body); err != nil {
		return 0, foreign(call, normal, http.StatusOK, "the answer is no JSON")
	}
	return body.Index, nil
}

// fields reads numbers from headers and remembers the first that is none.
type fields struct {
	header  http.Header
	missing string
}

func (f *fields) number(name string) uint64 {
	n, err := strconv.ParseUint(strings.Trim(f.header.Get(name), `"`), 10, 64)
	if err != nil && f.missing == "" {
		f.missing = name
	}
	return n
}

// time is the zero time where there is none.
func (f *fields) time(name string) time.Time {
	text := f.header.Get(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil && f.missing == "" {
		f.missing = name
	}
	return t
}
