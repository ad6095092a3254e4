package balsa

import (
	"errors"
	"fmt"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// How what the loop refuses, and its end, become errors.

// situation returns an error that says only who leads, as far as this node knows.
func (l *loop) situation() *Error {
	e := &Error{Node: l.identity.Node}
	e.Leader, e.Term = l.replica.Leader()
	if e.Leader != raft.None {
		e.API = l.replica.API(e.Leader)
	}
	for _, m := range l.routes {
		if m.ID == e.Leader {
			e.Address = m.Address
		}
	}
	return e
}

// refusal is the one place that turns what became of a question to the replica into an error.
func (l *loop) refusal(fate replica.Fate) *Error {
	e := l.situation()
	if _, known := fate.Applied(); known {
		e.Outcome = NotApplied
	}
	switch fate {
	case replica.HandingOver:
		e.Kind, e.Retry = ErrHandingOver, 20*time.Millisecond
	case replica.NotLeader:
		e.Kind = ErrNotLeader
		if e.Leader == raft.None {
			e.Kind, e.Retry = ErrNoLeader, 250*time.Millisecond
		}
	case replica.Overloaded:
		e.Kind, e.Retry = ErrOverloaded, 100*time.Millisecond
		if wait, err := l.snapshotFailure(); err != nil && l.replica.Outgrown() {
			e.Cause, e.Retry = fmt.Errorf("snapshots fail: %w", err), max(e.Retry, wait)
		}
	case replica.SessionGone:
		e.Kind = ErrSessionGone
	case replica.KeyReused:
		e.Kind = ErrKeyReused
	case replica.TooManyKeys:
		e.Kind, e.Retry = ErrTooManyKeys, time.Second
	case replica.NothingNew:
		e.Kind = ErrNothingNew
	case replica.NotSaved:
		e.Kind, e.Retry = ErrNotSaved, time.Second
	case replica.Passed:
		e.Kind = ErrPassed
	case replica.Unanswered:
		e.Kind, e.Retry = ErrNoAnswer, 250*time.Millisecond
	case replica.LeadershipLost, replica.Replaced:
		e.Kind, e.Retry = ErrLeadershipLost, 250*time.Millisecond
	default:
		e.Kind, e.Cause = stopKind(l.replica.Failure()), l.replica.Failure()
	}
	return e
}

// endError says why the node takes no more. It may be called once the loop has been asked to end.
func (l *loop) endError(outcome Outcome) *Error {
	e := &Error{Kind: ErrClosed, Outcome: outcome, Node: l.identity.Node}
	if l.failure == nil {
		return e
	}
	e.Kind, e.Cause = stopKind(l.failure), l.failure
	return e
}

// stopKind is the one place that sorts what makes a node stop: whoever waits while it stops and whoever comes
// afterwards must be told the same.
func stopKind(failure error) error {
	for _, kind := range []error{ErrBug, ErrNoSpace, ErrApply} {
		if errors.Is(failure, kind) {
			return kind
		}
	}
	return ErrStopped
}
