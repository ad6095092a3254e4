package balsa

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
)

// The kinds of errors, for errors.Is. Every error of a Node's methods wraps one of them and is an *Error,
// which says what became of the command.
var (
	// ErrNotLeader says that another node leads; Error.Leader names it.
	ErrNotLeader = errors.New("not the leader")
	// ErrNoLeader says that no leader is known at the moment: an election is on, or a majority is out of
	// reach.
	ErrNoLeader = errors.New("no leader")
	// ErrLeadershipLost says that the node stopped leading while the caller waited.
	ErrLeadershipLost = errors.New("leadership lost")
	// ErrNoAnswer says that the command was forwarded to the leader, whose answer did not come.
	ErrNoAnswer = errors.New("the leader did not answer")
	// ErrStale says that the state of this node is older than the read allows.
	ErrStale = errors.New("too old a state")
	// ErrTimeout says that the caller's context ended first.
	ErrTimeout = errors.New("gave up waiting")
	// ErrOverloaded says that the node took no more work at that moment.
	ErrOverloaded = errors.New("overloaded")
	// ErrTooLarge says that the command exceeds Config.MaxCommand.
	ErrTooLarge = errors.New("command too large")
	// ErrSessionGone says that the session has ended, or has forgotten the number: whether an earlier attempt
	// was applied is not known any more. This one was not.
	ErrSessionGone = errors.New("the session is gone")
	// ErrKeyReused says that the number of the session, or the key, stands for another command, which was
	// applied before. This one was not: give it a number or a key of its own.
	ErrKeyReused = errors.New("an earlier command was applied under this number or key; this is another one")
	// ErrTooManyKeys says that the cluster remembers as many keys as it can, so a command under a new one was
	// not applied. Keys are forgotten when they were not used for their time, so the same key may succeed
	// later. Sessions have no such limit.
	ErrTooManyKeys = errors.New("too many keys are remembered")
	// ErrNothingNew says that a snapshot would include nothing that the newest one does not.
	ErrNothingNew = errors.New("nothing was applied since the newest snapshot")
	// ErrNotSaved says that a snapshot could not be written; the disk may be full. It will be tried again.
	ErrNotSaved = errors.New("the snapshot could not be written, and will be tried again")
	// ErrPassed says that the state after an entry was asked for, and that the node has applied more.
	ErrPassed = errors.New("the state machine has gone past that index")
	// ErrHandingOver says that the leader hands over and takes nothing meanwhile: another one leads in a
	// moment.
	ErrHandingOver = errors.New("leadership is being handed over")
	// ErrConfigChangeInProgress says that a change of the membership, somebody's or the leader's own, is not
	// complete: one at a time.
	ErrConfigChangeInProgress = errors.New("a change of the membership is in progress")
	// ErrChangeRefused says that the leader does not make this change of the membership; Error.Refusal and
	// Error.Cause say why.
	ErrChangeRefused = errors.New("the change of the membership is refused")
	// ErrNoTarget says that no other voter could take over, or not the one named: it must answer, and have a
	// vote.
	ErrNoTarget = errors.New("nobody can take over")
	// ErrTransferTimeout says that nobody took over in time; the leader goes on.
	ErrTransferTimeout = errors.New("nobody took over in time")
	// ErrInvalid says that there is no such session, number or key: it is a mistake of the caller.
	ErrInvalid = errors.New("invalid request")
	// ErrClosed says that the node was closed.
	ErrClosed = errors.New("node closed")
	// ErrStopped says that the node stopped by itself; the error that stopped it is wrapped beside it.
	ErrStopped = errors.New("node stopped")
	// ErrBug says that an invariant of the algorithm did not hold. The node wrote and sent nothing more.
	ErrBug = errors.New("internal invariant violated")
	// ErrApply says that the state machine panicked on a committed command. Every node will meet the same
	// command.
	ErrApply = replica.ErrStateMachine
	// ErrNoSpace says that the disk is full. Nothing that was acknowledged is lost.
	ErrNoSpace = disk.ErrNoSpace
)

// Outcome says what became of a command whose call failed.
type Outcome uint8

const (
	// Unknown: the command may have been applied, or may still be.
	Unknown Outcome = iota
	// NotApplied: the command was not applied and never will be. It is safe to send it again.
	NotApplied
)

// String is "unknown" or "not_applied", as the HTTP API prints it.
func (o Outcome) String() string {
	if o == NotApplied {
		return "not_applied"
	}
	return "unknown"
}

// Error is what a failed call returns. It unwraps to its kind and, where there is one, to the cause.
type Error struct {
	Kind    error         // one of this package's errors
	Outcome Outcome       // what became of the command
	Node    raft.NodeID   // the node that says so
	Leader  raft.NodeID   // who leads, as far as that node knows; raft.None if it knows of nobody
	Address string        // where peers reach that leader; empty if unknown
	API     string        // where clients reach it, see Config.API; empty if unknown
	Term    raft.Term     // the node's term
	Retry   time.Duration // how long to wait before another try is worth it; 0 when waiting changes nothing
	Cause   error         // what lies behind Kind; may be nil
	Refusal raft.Refusal  // why a change of the membership, or a transfer, is refused; 0 of other errors

	about subject
}

// subject is what an error is about, and so what its outcome says.
type subject uint8

const (
	aCommand subject = iota
	theNode          // what ended it: no command is concerned
	aChange          // of the membership
	aTransfer
)

// Error says in one line what happened, whether the command was applied, and what to do.
func (e *Error) Error() string {
	text := e.Reason()
	switch {
	case e.about == theNode, e.about == aTransfer, e.Kind == ErrNothingNew, e.Kind == ErrNotSaved,
		e.Kind == ErrPassed: // no command is concerned
		return text
	case e.Kind == ErrKeyReused: // two commands are
		text += ", which was not applied"
	case e.about == aChange && e.Outcome == NotApplied:
		text += "; nothing was changed"
	case e.about == aChange:
		text += "; whether the change comes about is unknown: the members of the cluster will show it"
	case e.Outcome == NotApplied:
		text += "; the command was not applied"
	default:
		text += "; whether the command was applied is unknown"
	}
	if e.Leader != raft.None && e.Leader != e.Node && !e.settled() {
		text += fmt.Sprintf("; node %d leads", e.Leader)
	}
	return text
}

// settled reports whether it was the log that refused: the leader would say the same, so whoever it is does
// not matter.
func (e *Error) settled() bool {
	return e.Kind == ErrSessionGone || e.Kind == ErrKeyReused || e.Kind == ErrTooManyKeys
}

// Reason is Error without what became of the command, for those who say that in their own way.
func (e *Error) Reason() string {
	text := fmt.Sprintf("node %d: %s", e.Node, e.what())
	if e.Kind == ErrNoSpace {
		text += "; make room and start it again: nothing acknowledged is lost"
	}
	return text
}

// what joins the kind and its cause, and says nothing twice. That a context ended is Go's way to say what the
// kind says already.
func (e *Error) what() string {
	kind := fmt.Sprint(e.Kind)
	switch {
	case e.Cause == nil, errors.Is(e.Cause, context.DeadlineExceeded), errors.Is(e.Cause, context.Canceled):
		return kind
	case strings.Contains(e.Cause.Error(), kind):
		return e.Cause.Error()
	}
	return kind + ": " + e.Cause.Error()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
