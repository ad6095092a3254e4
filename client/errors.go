package client

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Outcome says what became of a request that failed.
type Outcome string

// The outcomes. A read changes nothing, so a failed one is always NotApplied.
const (
	NotApplied     Outcome = "not_applied" // it had no effect and never will have: it is safe to ask again
	OutcomeUnknown Outcome = "unknown"     // it may have had its effect, or may still
)

// Code names the reason of a failure. Codes are part of the API; messages are not.
type Code string

// The codes that a node answers with, by their HTTP status. Some are reserved for requests that this
// version lacks.
const (
	CodeBadRequest         Code = "bad_request"            // 400
	CodeUnauthorized       Code = "unauthorized"           // 401, reserved
	CodeForbidden          Code = "forbidden"              // 403: not from a page, or a name, like this one
	CodeKeyNotFound        Code = "key_not_found"          // 404
	CodeNotFound           Code = "not_found"              // 404: the path is not part of the API
	CodeSessionGone        Code = "session_gone"           // 404: so nobody knows what became of the write
	CodeMethodNotAllowed   Code = "method_not_allowed"     // 405
	CodeConflict           Code = "conflict"               // 409: what is there stands against it
	CodeNothingNew         Code = "nothing_new"            // 409: the latest snapshot has it all
	CodeCompacted          Code = "compacted"              // 410, reserved
	CodePreconditionFailed Code = "precondition_failed"    // 412, reserved
	CodeTooLarge           Code = "too_large"              // 413
	CodeKeyReused          Code = "idempotency_key_reused" // 422: an earlier write has it
	CodeOverloaded         Code = "overloaded"             // 429
	CodeInternal           Code = "internal"               // 500: a bug; the node has stopped or will
	CodeMismatch           Code = "state_mismatch"         // 500: the states of the members differ
	CodeNoLeader           Code = "no_leader"              // 503: an election is on
	CodeTooManyKeys        Code = "too_many_keys"          // 503: no new Idempotency-Key is remembered now
	CodeLeaderChanged      Code = "leader_changed"         // 503: not the node that was asked leads
	CodeStaleRead          Code = "stale_read"             // 503: the state is older than max_stale allows
	CodeNotReady           Code = "not_ready"              // 503: the node is behind, or has stopped
	CodeShuttingDown       Code = "shutting_down"          // 503
	CodeTimeout            Code = "timeout"                // 504: no answer in time, of the leader or at all
	CodeNoSpace            Code = "no_space"               // 507
)

// The codes of refused changes of the membership and transfers. Nothing has changed, but for
// CodeTransferTimeout, after which the old leader leads on and the one that was named may yet win.
const (
	CodeMemberNotFound     Code = "member_not_found"          // 404: no member has that id
	CodeChangeInProgress   Code = "config_change_in_progress" // 409: one at a time; it passes by itself
	CodeLeaderNotSettled   Code = "leader_not_settled"        // 409: it was just elected; it passes by itself
	CodeMemberExists       Code = "member_exists"             // 409: another data directory has that id
	CodeNotAVoter          Code = "not_a_voter"               // 409: who is to be demoted has no vote
	CodeNotALearner        Code = "not_a_learner"             // 409: who is to be promoted is no learner
	CodeWouldLoseQuorum    Code = "would_lose_quorum"         // 409: no majority of the voters answers
	CodeLearnerBehind      Code = "learner_behind"            // 409: it has not caught up
	CodeWouldBePromoted    Code = "would_be_promoted"         // 409: learners are promoted by themselves
	CodeIncarnationChanged Code = "incarnation_changed"       // 409: remove the voter, and then add it
	CodeVersionUnsupported Code = "version_unsupported"       // 409: a program that is too old
	CodeVersionTooLow      Code = "version_too_low"           // 409: a member is too old, or not heard yet
	CodeNoTarget           Code = "no_target"                 // 409: nobody can take over
	CodeNoVoterLeft        Code = "no_voter_left"             // 422: nobody would have a vote
	CodeNamedTwice         Code = "named_twice"               // 422: a node is named for two things
	CodeBadMember          Code = "bad_member"                // 422: no member can be like that
	CodeDriftTooLarge      Code = "drift_too_large"           // 422: with such clocks there are no leases
	CodeVersionLowered     Code = "version_lowered"           // 422: the cluster version never goes back
	CodeTransferTimeout    Code = "transfer_timeout"          // 504: nobody took over in time
)

// The codes that a Client gives to failures without an answer of a node.
const (
	CodeUnreachable Code = "unreachable"   // no connection could be had: nothing was sent
	CodeBroken      Code = "broken"        // the connection broke, or no answer came in time
	CodeForeign     Code = "not_an_answer" // what answered is no balsa node, or made no sense
)

// The classes of errors, for errors.Is. ErrOutcomeUnknown goes with another class as often as not, and is
// to be looked at first when a write has failed.
var (
	ErrOutcomeUnknown     = errors.New("outcome unknown")
	ErrNotFound           = errors.New("not found")
	ErrPreconditionFailed = errors.New("precondition failed")
	ErrConflict           = errors.New("conflict")
	ErrSessionGone        = errors.New("session gone")
	ErrKeyReused          = errors.New("key of another write")
	ErrUnavailable        = errors.New("unavailable")
	ErrBadRequest         = errors.New("bad request")
)

// Error is what every failed call of a Client returns.
type Error struct {
	Code       Code
	Message    string
	Outcome    Outcome
	Status     int           // the HTTP status; 0 when no answer came
	Endpoint   string        // who was asked
	Node       uint64        // who answered; 0 if unknown
	Leader     uint64        // who leads, as far as that node knows; 0 if unknown
	LeaderURL  string        // where clients reach that leader; empty if unknown
	Term       uint64        // that node's term
	RetryAfter time.Duration // how long that node suggests to wait; 0 if it does not
	Cause      error         // what lies behind it; may be nil
	Check      *CheckBody    // with CodeMismatch: what the members said; nil otherwise
}

// Error says in one line what happened and whether the request had its effect.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Endpoint != "" {
		fmt.Fprintf(&b, "%s: ", e.Endpoint)
	}
	fmt.Fprintf(&b, "%s: %q", e.Code, e.Message)
	if e.Outcome == OutcomeUnknown {
		b.WriteString("; whether the write was applied is unknown")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is one of the error's classes.
func (e *Error) Is(target error) bool {
	return target == ErrOutcomeUnknown && e.Outcome == OutcomeUnknown || target == e.Code.class()
}

// passes reports whether the leader itself has refused what it will take after a while: to ask the others in
// the meantime is of no use.
func (c Code) passes() bool {
	return c == CodeTooManyKeys || c == CodeChangeInProgress || c == CodeLeaderNotSettled
}

// class returns the class of a code, or nil: what is nobody's mistake and will not pass by itself has none.
func (c Code) class() error {
	switch c {
	case CodeKeyNotFound, CodeMemberNotFound:
		return ErrNotFound
	case CodePreconditionFailed:
		return ErrPreconditionFailed
	case CodeConflict, CodeNothingNew, CodeMemberExists, CodeNotAVoter, CodeNotALearner, CodeWouldLoseQuorum,
		CodeLearnerBehind, CodeWouldBePromoted, CodeIncarnationChanged, CodeVersionUnsupported,
		CodeVersionTooLow, CodeNoTarget:
		return ErrConflict
	case CodeSessionGone:
		return ErrSessionGone
	case CodeKeyReused:
		return ErrKeyReused
	case CodeBadRequest, CodeNotFound, CodeMethodNotAllowed, CodeTooLarge, CodeNoVoterLeft,
		CodeNamedTwice, CodeBadMember, CodeVersionLowered, CodeDriftTooLarge:
		return ErrBadRequest
	case CodeNoLeader, CodeLeaderChanged, CodeStaleRead, CodeNotReady, CodeShuttingDown, CodeOverloaded,
		CodeTimeout, CodeUnreachable, CodeBroken, CodeTooManyKeys, CodeChangeInProgress, CodeLeaderNotSettled:
		return ErrUnavailable
	}
	return nil
}
