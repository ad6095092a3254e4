package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// getKey answers GET and HEAD below PathKV with the leader's applied state.
func getKey(c *call) *problem {
	if p := c.checkRead(); p != nil {
		return p
	}
	if p := c.awaitLead(); p != nil {
		return p
	}
	item, at, found := c.api.store.Read(c.key)
	c.setRevision(at)
	c.w.Header().Set(client.HeaderConsistency, client.ConsistencyLeader)
	if !found {
		return notFound()
	}
	h := c.w.Header()
	h.Set("Cache-Control", "no-cache") // may be kept, to be asked about with If-None-Match each time
	h.Set("ETag", etag(item.Modified))
	h.Set(client.HeaderCreateRevision, strconv.FormatUint(uint64(item.Created), 10))
	h.Set(client.HeaderVersion, strconv.FormatUint(item.Version, 10))
	switch {
	case matches(c.r.Header.Values("If-None-Match"), etag(item.Modified)):
		c.w.WriteHeader(http.StatusNotModified)
	case c.query.Get("format") == "json":
		c.json(http.StatusOK, itemBody(c.key, item))
	default:
		c.bytes(http.StatusOK, "application/octet-stream", item.Value)
	}
	return nil
}

func notFound() *problem {
	return &problem{status: http.StatusNotFound, code: client.CodeKeyNotFound,
		message: kv.ErrNotFound.Error()}
}

// checkRead refuses consistencies and formats that this version does not have. Nothing weaker than asked
// for may be given in silence.
func (c *call) checkRead() *problem {
	if err := kv.CheckKey(c.key); err != nil {
		return refusalProblem(err)
	}
	consistency, level := c.query.Get("consistency"), c.query.Get("level")
	if c.query.Has("consistency") && consistency != client.ConsistencyLeader {
		return badRequest("this version does not offer consistency=%q, only consistency=leader", consistency)
	}
	if c.query.Has("level") && level != "weak" {
		return badRequest("this version does not offer level=%q, only level=weak", level)
	}
	format := c.query.Get("format")
	if c.query.Has("format") && format != "json" && format != "raw" {
		return badRequest("format is raw or json")
	}
	return nil
}

// applyPoll is the pause between two looks at whether a new leader has applied what it found.
const applyPoll = 5 * time.Millisecond

// awaitLead returns nil once this node may answer reads as the leader.
func (c *call) awaitLead() *problem {
	ticker := time.NewTicker(applyPoll)
	defer ticker.Stop()
	for {
		if p := c.notLeading(); p != nil {
			return p
		}
		if c.api.gate.admits(c.status) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
		}
		if c.introduce() != nil {
			return &problem{status: http.StatusServiceUnavailable, code: client.CodeNotReady,
				message: "this node leads but has not yet applied what it found in its log",
				retry:   time.Second}
		}
	}
}

// notLeading says why this node must not answer as the leader, in the words and codes that a write would
// get.
func (c *call) notLeading() *problem {
	s := c.status
	e := &balsa.Error{Outcome: balsa.NotApplied, Node: s.ID, Leader: s.Leader, Term: s.Term}
	select {
	case <-c.api.node.Done(): // the status of a node that has ended is its last one: it may have led
		e.Kind, e.Cause = balsa.ErrClosed, s.Err
		if e.Cause != nil {
			e.Kind = balsa.ErrStopped
		}
		return readProblem(e)
	default:
	}
	switch {
	case s.Role == raft.Leader:
		return nil
	case s.Leader == raft.None:
		e.Kind, e.Retry = balsa.ErrNoLeader, electionRetry
	default:
		e.Kind = balsa.ErrNotLeader
	}
	return readProblem(e)
}

// electionRetry is when it is worth asking again where no leader was known: about half an election.
const electionRetry = 250 * time.Millisecond

// readProblem words an error for a read: there is no command that could have been applied.
func readProblem(e *balsa.Error) *problem {
	p := proposalProblem(e)
	p.message = fmt.Sprintf("node %v: %v", e.Node, e.Kind)
	switch {
	case e.Cause != nil:
		p.message += ": " + firstLine(e.Cause.Error())
	case e.Kind == balsa.ErrNotLeader:
		p.message += fmt.Sprintf("; node %v leads", e.Leader)
	}
	return p
}

// putKey stores the request's body.
func putKey(c *call) *problem {
	if p := c.noReadParameters(); p != nil {
		return p
	}
	if err := kv.CheckKey(c.key); err != nil {
		return refusalProblem(err)
	}
	value, p := c.body(kv.MaxValue)
	if p != nil {
		return p
	}
	result, p := c.propose(kv.Put(c.key, value))
	if p != nil {
		return p
	}
	c.w.Header().Set("ETag", etag(result.Revision))
	status := http.StatusOK
	if result.Created {
		status = http.StatusCreated
	}
	c.json(status, client.PutBody{Created: result.Created, Revision: uint64(result.Revision)})
	return nil
}

// deleteKey removes a key. That it is not there is no error: what was asked for holds.
func deleteKey(c *call) *problem {
	if p := c.noReadParameters(); p != nil {
		return p
	}
	if err := kv.CheckKey(c.key); err != nil {
		return refusalProblem(err)
	}
	result, p := c.propose(kv.Delete(c.key))
	if p != nil {
		return p
	}
	c.json(http.StatusOK, client.DeleteBody{Deleted: result.Deleted, Revision: uint64(result.Revision)})
	return nil
}

// noReadParameters refuses what only a read understands.
func (c *call) noReadParameters() *problem {
	for _, name := range []string{"consistency", "level", "format"} {
		if c.query.Has(name) {
			return badRequest("the parameter %q belongs to reads", name)
		}
	}
	return nil
}

// propose replicates a command and reads what the map made of it.
func (c *call) propose(command []byte) (kv.Result, *problem) {
	answer, err := c.api.node.Propose(c.ctx, command)
	if err != nil {
		return kv.Result{}, proposalProblem(err)
	}
	result, err := kv.DecodeResult(answer)
	if err != nil {
		return kv.Result{}, proposalProblem(err)
	}
	c.setRevision(result.Revision)
	if result.Refusal != 0 {
		return kv.Result{}, refusalProblem(result.Refusal)
	}
	return result, nil
}

func (c *call) setRevision(r kv.Revision) {
	c.w.Header().Set(client.HeaderRevision, strconv.FormatUint(uint64(r), 10))
}

func etag(r kv.Revision) string { return `"` + strconv.FormatUint(uint64(r), 10) + `"` }

// matches reports whether a condition names the tag, or any. Weak tags compare as strong ones:
// If-None-Match asks for that (RFC 9110 §13.1.2).
func matches(conditions []string, tag string) bool {
	for _, condition := range conditions {
		for one := range strings.SplitSeq(condition, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

func itemBody(key string, item kv.Item) client.ItemBody {
	b := client.ItemBody{
		CreateRevision: uint64(item.Created),
		ModRevision:    uint64(item.Modified),
		Version:        item.Version,
	}
	b.Key, b.KeyBase64 = textOrBytes([]byte(key))
	b.Value, b.ValueBase64 = textOrBytes(item.Value)
	return b
}

// textOrBytes returns one of two: JSON would turn what is no UTF-8 into something else.
func textOrBytes(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		text := string(b)
		return &text, nil
	}
	return nil, b
}
