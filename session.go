package balsa

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// Applied is what became of a command that was applied.
type Applied struct {
	Result []byte     // of this node's state machine
	Index  raft.Index // of the log's entry that carried this attempt
	// Replayed says that the command had been applied before, by an earlier attempt: Result is the one that
	// it had then, and this attempt has changed nothing.
	Replayed bool
}

// Session makes retries safe (thesis §6.3): each of its commands has a number, and one whose number was
// applied already is answered with its first result. So a command whose outcome is unknown can be proposed
// again, here or at another node, and is applied once.
//
// A session is part of the replicated state. It ends when it is closed, when it was not used for its time to
// live, by the time of the log's entries, or when there are more than 16,384 and it was not used for the
// longest time. The results of its 256 highest numbers are kept. Its methods may be called concurrently.
//
// The time of the log's entries follows the leader's wall clock, as it was when its process started, and
// never goes back. So a new leader whose clock is an hour ahead ends at once every session and every key that
// has less than an hour left: keep the clocks of the nodes together.
type Session struct {
	node  *Node
	id    raft.Index
	used  atomic.Uint64 // the highest number that Propose has taken
	local bool
	turn  chan struct{} // held by whoever takes the next number
	// slots holds a token for each of the newest numbers that Propose is at work on. The cluster remembers
	// the results of so many, so a number must be done with before the one that pushes it out is taken. Nil,
	// and each of them, until it is needed.
	slots []chan struct{}
}

// window is how many of a session's newest numbers the cluster remembers.
const window = 256

func (n *Node) sessionOf(id raft.Index, used uint64, local bool) *Session {
	s := &Session{node: n, id: id, local: local, turn: make(chan struct{}, 1)}
	s.used.Store(used)
	return s
}

// NewSession opens a session that ends when it was not used for ttl, by the time of the log's entries (see
// Session for what clocks can do to it); it must be positive. The errors are those of Propose, and
// ErrInvalid; if the outcome is unknown, a session that nobody uses ends by itself.
func (n *Node) NewSession(ctx context.Context, ttl time.Duration) (*Session, error) {
	return n.newSession(ctx, ttl, false)
}

// NewSessionLocal is NewSession without forwarding, and so is whatever is proposed in that session: a node
// that does not lead refuses.
func (n *Node) NewSessionLocal(ctx context.Context, ttl time.Duration) (*Session, error) {
	return n.newSession(ctx, ttl, true)
}

func (n *Node) newSession(ctx context.Context, ttl time.Duration, local bool) (*Session, error) {
	a, err := n.proposeOnce(ctx, nil, replica.Once{What: replica.OpenSession, TTL: raft.Time(ttl)}, local)
	if err != nil {
		return nil, err
	}
	return n.sessionOf(a.Index, 0, local), nil
}

// Resume returns a session that was opened before, at any node. Propose numbers its commands from next on,
// which must exceed all numbers used so far; with ProposeAs it is of no matter. Nothing is asked of the
// cluster: a session that is gone is noticed when it is used.
func (n *Node) Resume(id raft.Index, next uint64) *Session {
	return n.sessionOf(id, max(next, 1)-1, false)
}

// Local returns the same session without forwarding: what is proposed in it is refused at a node that does
// not lead. The two do not know of each other's numbers.
func (s *Session) Local() *Session {
	return s.node.sessionOf(s.id, s.used.Load(), true)
}

// ID names the session, in the whole cluster and for ever.
func (s *Session) ID() raft.Index { return s.id }

// Propose has a command applied exactly once, and returns its result. It takes the next number, and tries
// again under it, as long as that may help, until the context ends. A call waits while the number 256 before
// its own is still being proposed, for it would have that one forgotten.
//
// Every error is an *Error, as of Node.Propose; its Outcome is Unknown if that of any attempt is. With
// ErrSessionGone it is always Unknown, and no attempt in this session can tell any more.
func (s *Session) Propose(ctx context.Context, command []byte) ([]byte, error) {
	number, err := s.number(ctx)
	if err != nil {
		return nil, err
	}
	defer s.done(number)
	outcome := NotApplied
	for {
		a, err := s.ProposeAs(ctx, number, command)
		var e *Error
		if !errors.As(err, &e) {
			return a.Result, err
		}
		if e.Outcome == Unknown {
			outcome = Unknown
		}
		e.Outcome = outcome
		if !s.mayPass(e) {
			return nil, e
		}
		select {
		case <-ctx.Done():
			return nil, &Error{Kind: ErrTimeout, Outcome: outcome, Node: e.Node, Cause: e.Kind}
		case <-time.After(max(e.Retry, minRetry)):
		}
	}
}

// number takes the next number, in order, as soon as there is room for it.
func (s *Session) number(ctx context.Context) (uint64, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, s.notBegun(ctx)
	}
	defer func() { <-s.turn }()
	if s.slots == nil {
		s.slots = make([]chan struct{}, window)
	}
	next := s.used.Load() + 1
	slot := &s.slots[next%window]
	if *slot == nil {
		*slot = make(chan struct{}, 1)
	}
	select {
	case *slot <- struct{}{}:
		s.used.Store(next)
		return next, nil
	case <-ctx.Done():
		return 0, s.notBegun(ctx)
	}
}

func (s *Session) done(number uint64) { <-s.slots[number%window] }

// notBegun is a call whose context ended before anything was proposed.
func (s *Session) notBegun(ctx context.Context) *Error {
	return &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: s.node.config.ID, Cause: ctx.Err()}
}

// minRetry lies between two attempts when the error does not say how long to wait.
const minRetry = 50 * time.Millisecond

// mayPass reports whether another attempt may succeed where this one failed.
func (s *Session) mayPass(e *Error) bool {
	return e.Retry > 0 || e.Kind == ErrNotLeader && !s.local
}

// ProposeAs is one attempt to have a command applied under a number, from 1 on, which must be its own in this
// session: a number that was applied already answers with the result that it had. The bytes of the command
// must be the same at each attempt. Errors: those of Node.Propose; ErrInvalid; ErrSessionGone when the
// session has ended, or when so many higher numbers were used since that this one is forgotten; and
// ErrKeyReused when another command was applied under the number. Commands are compared by CRC-32C: of 4
// billion others one passes for the same.
func (s *Session) ProposeAs(ctx context.Context, number uint64, command []byte) (Applied, error) {
	once := replica.Once{What: replica.InSession, Session: s.id, Number: number}
	return s.node.proposeOnce(ctx, command, once, s.local)
}

// Close ends the session, with everything that it remembers: whatever is still retried in it is refused. The
// errors are those of Node.Propose, and ErrSessionGone when there is no such session any more.
func (s *Session) Close(ctx context.Context) error {
	_, err := s.node.proposeOnce(ctx, nil, replica.Once{What: replica.CloseSession, Session: s.id}, s.local)
	return err
}

// ProposeOnce is one attempt to have a command applied under a key of the caller's choice, of 1 to 128 bytes.
// A key under which a command was applied already answers with the result that it had, until it was not used
// for ttl, by the time of the log's entries; after that it is new, and a command under it is applied again
// (see Session for what clocks can do to it). The ttl must be positive; that of the first attempt counts. The
// bytes of the command must be the same at each attempt.
//
// A key is forgotten by that time alone. The cluster remembers 131,072 keys, and takes no new one either
// while they and their results have 64 MiB: with a ttl of ten minutes that is 218 new keys a second for as
// long as one likes. Whoever needs more uses sessions, which have no such limit.
//
// Errors: those of Propose, and ErrInvalid; ErrTooManyKeys, and the command was not applied; ErrKeyReused
// when another command was applied under the key, as for ProposeAs.
func (n *Node) ProposeOnce(ctx context.Context, key string, ttl time.Duration,
	command []byte) (Applied, error) {
	return n.proposeOnce(ctx, command,
		replica.Once{What: replica.UnderKey, Key: key, TTL: raft.Time(ttl)}, false)
}

// ProposeOnceLocal is ProposeOnce without forwarding: a node that does not lead refuses.
func (n *Node) ProposeOnceLocal(ctx context.Context, key string, ttl time.Duration,
	command []byte) (Applied, error) {
	return n.proposeOnce(ctx, command,
		replica.Once{What: replica.UnderKey, Key: key, TTL: raft.Time(ttl)}, true)
}

// proposeOnce checks what the caller has said before it proposes.
func (n *Node) proposeOnce(ctx context.Context, command []byte, once replica.Once,
	local bool) (Applied, error) {
	if err := once.Check(); err != nil {
		return Applied{}, &Error{Kind: ErrInvalid, Outcome: NotApplied, Node: n.config.ID, Cause: err}
	}
	return n.propose(ctx, command, once, local)
}
