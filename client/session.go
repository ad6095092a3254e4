package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Session is a line of writes, each of which the cluster carries out once, however often it had to be sent
// (thesis §6.3). It numbers them by itself, and may be used concurrently. A call goes on trying, at all
// nodes, until its context ends, or the client's patience where the context has no deadline.
//
// A session that is not used for as long as it was opened for ends, and when there are more than 16,384 in
// the cluster, the one that was used least recently. A write then fails with ErrSessionGone; what became of
// it is unknown, and every later one fails like it. For what clocks can do to its time, see TTL.
type Session struct {
	c    *Client
	id   uint64
	turn chan uint64 // holds the next number; whoever has it numbers
	// slots holds a token for each of the newest numbers that is under way. The cluster remembers the results
	// of so many, so a number must be done with before the one that pushes it out is given away.
	slots [window]chan struct{}
}

// window is how many of a session's newest numbers the cluster remembers.
const window = 256

// NewSession opens a session that lasts for ttl after its latest use, by the cluster's time. Every error is
// an *Error. One that says ErrOutcomeUnknown may have left a session that nobody uses, which ends by itself.
func (c *Client) NewSession(ctx context.Context, ttl time.Duration) (*Session, error) {
	request, err := json.Marshal(SessionRequest{TTL: ttl.String()})
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	call := call{method: http.MethodPost, path: PathSessions, body: request, write: true, harmless: true}
	a, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	var body SessionBody
	if err := json.Unmarshal(a.body, &body); err != nil || body.ID == 0 {
		return nil, foreign(call, a.endpoint, http.StatusOK, "the answer names no session")
	}
	s := &Session{c: c, id: body.ID, turn: make(chan uint64, 1)}
	s.turn <- 1
	for i := range s.slots {
		s.slots[i] = make(chan struct{}, 1)
	}
	return s, nil
}

// ID returns the session's name in the cluster.
func (s *Session) ID() uint64 { return s.id }

// SessionKeyPrefix begins the keys of sessions: other keys may look like two numbers too.
const SessionKeyPrefix = "session-"

// SessionKey returns the key under which a session's write of a number, from 1 on, is carried out once.
func SessionKey(session, number uint64) string {
	return SessionKeyPrefix + strconv.FormatUint(session, 10) + "-" + strconv.FormatUint(number, 10)
}

// ofSession says whether a node takes a key for that of a session's write.
func ofSession(key string) bool {
	rest, named := strings.CutPrefix(key, SessionKeyPrefix)
	id, number, cut := strings.Cut(rest, "-")
	return named && cut && strings.Trim(id+number, "0123456789") == ""
}

// Put is Client.Put, carried out once. Of its options Once has no effect.
func (s *Session) Put(
	ctx context.Context, key string, value []byte, options ...WriteOption,
) (PutResult, error) {
	number, err := s.number(ctx)
	if err != nil {
		return PutResult{}, err
	}
	defer s.done(number)
	return s.c.Put(ctx, key, value, append(slices.Clip(options), Once(SessionKey(s.id, number)))...)
}

// Delete is Client.Delete, carried out once.
func (s *Session) Delete(ctx context.Context, key string) (DeleteResult, error) {
	number, err := s.number(ctx)
	if err != nil {
		return DeleteResult{}, err
	}
	defer s.done(number)
	return s.c.Delete(ctx, key, Once(SessionKey(s.id, number)))
}

// Increment is Client.Increment, carried out once.
func (s *Session) Increment(ctx context.Context, key string, by int64) (IncrementResult, error) {
	number, err := s.number(ctx)
	if err != nil {
		return IncrementResult{}, err
	}
	defer s.done(number)
	return s.c.Increment(ctx, key, by, Once(SessionKey(s.id, number)))
}

// Close ends the session, so that the cluster need not remember it. That it is gone already is no error.
// Every error is an *Error.
func (s *Session) Close(ctx context.Context) error {
	path := PathSession + strconv.FormatUint(s.id, 10)
	_, err := s.c.do(ctx, call{method: http.MethodDelete, path: path, write: true, harmless: true})
	var e *Error
	if errors.As(err, &e) && e.Code == CodeSessionGone {
		return nil
	}
	return err
}

// number gives away the next number, in order, as soon as there is room for it.
func (s *Session) number(ctx context.Context) (uint64, error) {
	var next uint64
	select {
	case next = <-s.turn:
	case <-ctx.Done():
		return 0, notBegun(ctx)
	}
	select {
	case s.slots[next%window] <- struct{}{}:
		s.turn <- next + 1
		return next, nil
	case <-ctx.Done():
		s.turn <- next
		return 0, notBegun(ctx)
	}
}

func (s *Session) done(number uint64) { <-s.slots[number%window] }

// notBegun is a call whose context ended before anything was sent.
func notBegun(ctx context.Context) *Error {
	return &Error{Code: CodeUnreachable, Message: plain(ctx.Err()), Outcome: NotApplied, Cause: ctx.Err()}
}
