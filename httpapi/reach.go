package httpapi

import (
	"errors"
	"net/http"
	"time"

	"balsa"
	"balsa/raft"
)

// reach says what a node does with a request that another one must take part in.
type reach uint8

const (
	anywhere  reach = iota // ask the leader, wherever it is
	redirect               // send the client there
	onlyLocal              // neither: refuse
)

// checkReach reads what the request says of it. A request that is to be sent on, and that this node knows it
// cannot serve, is sent on at once: before its body is read, which would come here in vain.
func (c *call) checkReach() (reach, *problem) {
	asked := anywhere
	for _, flag := range []struct {
		name string
		asks reach
	}{{"redirect", redirect}, {"local", onlyLocal}} {
		if !c.query.Has(flag.name) {
			continue
		}
		if c.query.Get(flag.name) != "" {
			return asked, badRequest("the parameter %q takes no value", flag.name)
		}
		if asked != anywhere {
			return asked, badRequest("the parameters \"redirect\" and \"local\" ask for different things")
		}
		asked = flag.asks
	}
	if asked == redirect && c.status.Role != raft.Leader && c.status.Leader != raft.None {
		return asked, c.sendOn(nodeProblem(c.notLeader()), redirect)
	}
	return asked, nil
}

// notLeader is the error that the node would give now, if it had been asked.
func (c *call) notLeader() *balsa.Error {
	s := c.status
	return &balsa.Error{Kind: balsa.ErrNotLeader, Outcome: balsa.NotApplied, Node: s.ID, Leader: s.Leader,
		API: s.APIOf(s.Leader), Term: s.Term}
}

// sendOn turns the refusal of a node that does not lead into a redirect to the one that does, if that was
// asked for and it is known where clients reach it. The status is 307, with which method and body stay as
// they are: browsers turn a POST into a GET at 302, and remember 301 for ever.
func (c *call) sendOn(p *problem, asked reach) *problem {
	if asked != redirect || !errors.Is(p.kind, balsa.ErrNotLeader) || p.unknown {
		return p
	}
	if p.api == "" {
		p.message += "; where clients reach it is not known"
		p.retry = electionRetry
		return p
	}
	p.status = http.StatusTemporaryRedirect
	c.w.Header().Set("Location", p.api+c.r.URL.RequestURI())
	return p
}

// electionRetry is when it is worth asking again where something about the leader was not known: about half
// an election.
const electionRetry = 250 * time.Millisecond

// forwards reads ?forward of the small API, which does not forward unless it is asked to: its clients follow
// the hint.
func (c *call) forwards() (reach, *problem) {
	switch c.query.Get("forward") {
	case "true":
		return anywhere, nil
	case "false":
		return onlyLocal, nil
	}
	if !c.query.Has("forward") {
		return onlyLocal, nil
	}
	return onlyLocal, badRequest("forward is true or false")
}
