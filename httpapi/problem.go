package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// problem is why a request is refused or has failed. Its outcome is NotApplied unless something says
// otherwise.
type problem struct {
	status  int
	code    client.Code
	message string
	whole   string // the message with the outcome, for the small API; empty: the same
	unknown bool   // the outcome is
	kind    error  // of the node's error; nil when it is not the node that refuses
	leader  raft.NodeID
	api     string    // where clients reach the leader; empty if unknown
	term    raft.Term // 0: what the node's status said, the leader too
	retry   time.Duration
}

func badRequest(format string, values ...any) *problem {
	message := fmt.Sprintf(format, values...)
	return &problem{status: http.StatusBadRequest, code: client.CodeBadRequest, message: message}
}

// cause is one row of the table that maps the errors of a node to HTTP.
type cause struct {
	kind   error
	status int
	code   client.Code
}

// causes is that table. The codes are few: leader_changed stands both for a node that does not lead, and
// names who does, and for one that no longer does; they differ in the outcome.
func causes() []cause {
	return []cause{
		{balsa.ErrNotLeader, http.StatusServiceUnavailable, client.CodeLeaderChanged},
		{balsa.ErrHandingOver, http.StatusServiceUnavailable, client.CodeNoLeader},
		{balsa.ErrNoLeader, http.StatusServiceUnavailable, client.CodeNoLeader},
		{balsa.ErrLeadershipLost, http.StatusServiceUnavailable, client.CodeLeaderChanged},
		{balsa.ErrNoAnswer, http.StatusGatewayTimeout, client.CodeTimeout},
		{balsa.ErrStale, http.StatusServiceUnavailable, client.CodeStaleRead},
		{balsa.ErrTimeout, http.StatusGatewayTimeout, client.CodeTimeout},
		{balsa.ErrOverloaded, http.StatusTooManyRequests, client.CodeOverloaded},
		{balsa.ErrTooLarge, http.StatusRequestEntityTooLarge, client.CodeTooLarge},
		{balsa.ErrInvalid, http.StatusBadRequest, client.CodeBadRequest},
		{balsa.ErrSessionGone, http.StatusNotFound, client.CodeSessionGone},
		{balsa.ErrKeyReused, http.StatusUnprocessableEntity, client.CodeKeyReused},
		{balsa.ErrTooManyKeys, http.StatusServiceUnavailable, client.CodeTooManyKeys},
		{balsa.ErrConfigChangeInProgress, http.StatusConflict, client.CodeChangeInProgress},
		{balsa.ErrNoTarget, http.StatusConflict, client.CodeNoTarget},
		{balsa.ErrTransferTimeout, http.StatusGatewayTimeout, client.CodeTransferTimeout},
		{balsa.ErrNothingNew, http.StatusConflict, client.CodeNothingNew},
		{balsa.ErrNotSaved, http.StatusInsufficientStorage, client.CodeNoSpace},
		{balsa.ErrClosed, http.StatusServiceUnavailable, client.CodeShuttingDown},
		{balsa.ErrStopped, http.StatusServiceUnavailable, client.CodeNotReady},
		{balsa.ErrNoSpace, http.StatusInsufficientStorage, client.CodeNoSpace},
		{balsa.ErrBug, http.StatusInternalServerError, client.CodeInternal},
		{balsa.ErrApply, http.StatusInternalServerError, client.CodeInternal},
	}
}

// nodeProblem maps what a node returned. What is not in the table is a bug, and its outcome unknown.
func nodeProblem(err error) *problem {
	var e *balsa.Error
	if !errors.As(err, &e) {
		return &problem{status: http.StatusInternalServerError, code: client.CodeInternal,
			message: firstLine(err.Error()), unknown: true}
	}
	p := &problem{status: http.StatusInternalServerError, code: client.CodeInternal,
		message: firstLine(e.Error()), unknown: e.Outcome != balsa.NotApplied,
		kind: e.Kind, leader: e.Leader, api: e.API, term: e.Term, retry: e.Retry}
	if p.unknown { // the answer says so beside the message
		p.whole, p.message = p.message, reason(e)
	}
	for _, row := range causes() {
		if e.Kind == row.kind {
			p.status, p.code = row.status, row.code
			break
		}
	}
	for _, row := range refusals() {
		if e.Kind == balsa.ErrChangeRefused && e.Refusal == row.why {
			p.status, p.code = row.status, row.code
		}
	}
	return p
}

// reason is why a call failed, and who leads, without what became of it. Of a session that is gone the leader
// would say the same.
func reason(e *balsa.Error) string {
	message := firstLine(e.Reason())
	if e.Leader != raft.None && e.Leader != e.Node && e.Kind != balsa.ErrSessionGone {
		message += fmt.Sprintf("; node %v leads", e.Leader)
	}
	return message
}

// firstLine leaves out a stack that an internal error carries: it belongs into the log.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// refusalProblem maps why the map would refuse, or has refused, a command.
func refusalProblem(err error) *problem {
	p := badRequest("%v", err)
	if errors.Is(err, kv.KeyTooLong) || errors.Is(err, kv.ValueTooLong) {
		p.status, p.code = http.StatusRequestEntityTooLarge, client.CodeTooLarge
	}
	if errors.Is(err, kv.NotANumber) || errors.Is(err, kv.Overflow) { // the map's fault, not the request's
		p.status, p.code = http.StatusConflict, client.CodeConflict
	}
	return p
}

// fail answers with a problem, in the form that belongs to the path.
func (c *call) fail(p *problem) {
	if p.term == 0 {
		p.term, p.leader = c.status.Term, c.status.Leader
	} else {
		c.showTerm(p.term, p.leader)
	}
	c.explainHalt(p)
	if p.api == "" {
		p.api = c.status.APIOf(p.leader)
	}
	if p.code == client.CodeInternal {
		c.api.logger.Error("A request failed", "method", c.r.Method, "error", p.message)
	}
	if p.retry > 0 {
		seconds := (p.retry + time.Second - 1) / time.Second // the header has no fractions; 0 would be a lie
		c.w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	if strings.HasPrefix(c.r.URL.Path, "/client/") {
		message := cmp.Or(p.whole, p.message)
		c.json(p.smallStatus(), client.SubmitError{Error: message, LeaderHint: hint(p.leader)})
		return
	}
	c.json(p.status, client.ErrorBody{Error: p.detail(c.status.ID)})
}

// smallStatus is the status below /client/, which knows only 503 for what may pass and 400 for bad
// commands, besides what HTTP itself needs.
func (p *problem) smallStatus() int {
	switch p.status {
	case http.StatusTooManyRequests, http.StatusGatewayTimeout, http.StatusInsufficientStorage:
		return http.StatusServiceUnavailable
	case http.StatusUnprocessableEntity:
		return http.StatusBadRequest
	}
	return p.status
}

func (p *problem) detail(node raft.NodeID) client.ErrorDetail {
	d := client.ErrorDetail{
		Code:         p.code,
		Message:      p.message,
		Outcome:      client.NotApplied,
		Node:         uint64(node),
		Term:         uint64(p.term),
		RetryAfterMS: p.retry.Milliseconds(),
	}
	if p.unknown {
		d.Outcome = client.OutcomeUnknown
	}
	if p.leader != raft.None {
		d.Leader = &client.Leader{ID: uint64(p.leader), URL: p.api}
	}
	return d
}

// hint is a leader's id in the JSON of the small API: null when there is none.
func hint(leader raft.NodeID) *uint64 {
	if leader == raft.None {
		return nil
	}
	id := uint64(leader)
	return &id
}
