package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"balsa/client"
	"balsa/raft"
)

const (
	// sessionTTL is how long a session lasts unused when whoever opens it does not say.
	sessionTTL = time.Hour
	// maxSession bounds the body that asks for a session, in bytes.
	maxSession = 1024
)

// openSession opens a session, in which writes have numbers.
func openSession(c *call) *problem {
	reach, p := c.checkReach()
	if p != nil {
		return p
	}
	ttl, p := c.sessionTTL()
	if p != nil {
		return p
	}
	open := c.api.node.NewSession
	if reach != anywhere {
		open = c.api.node.NewSessionLocal
	}
	session, err := open(c.ctx, ttl)
	if err != nil {
		return c.sendOn(nodeProblem(err), reach)
	}
	id := uint64(session.ID())
	c.w.Header().Set("Location", client.PathSession+strconv.FormatUint(id, 10))
	c.json(http.StatusCreated, client.SessionBody{ID: id})
	return nil
}

func (c *call) sessionTTL() (time.Duration, *problem) {
	body, p := c.body(maxSession)
	if p != nil || len(body) == 0 {
		return sessionTTL, p
	}
	var request client.SessionRequest
	if err := decodeJSON(body, &request, `{"ttl":"1h"}`); err != nil {
		return 0, badRequest("%v", err)
	}
	ttl, err := time.ParseDuration(request.TTL)
	if err != nil || ttl <= 0 {
		return 0, badRequest(`the body's "ttl" is a duration above zero and up to %s, such as "1h"`,
			longestTTL)
	}
	return ttl, nil
}

// closeSession ends a session, so that nobody need remember it any longer.
func closeSession(c *call) *problem {
	reach, p := c.checkReach()
	if p != nil {
		return p
	}
	id, err := strconv.ParseUint(c.key, 10, 64)
	if err != nil || id == 0 {
		return badRequest("the id of a session is a decimal, as in %s17", client.PathSession)
	}
	session := c.api.node.Resume(raft.Index(id), 1)
	if reach != anywhere {
		session = session.Local()
	}
	if err := session.Close(c.ctx); err != nil {
		return c.sendOn(nodeProblem(err), reach)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// noBody refuses a body where it would say something that nobody heeds.
func (c *call) noBody() *problem {
	body, p := c.body(maxSession)
	if p == nil && len(body) > 0 {
		return badRequest("%s %s takes no body", c.r.Method, c.r.URL.Path)
	}
	return p
}

// takeSnapshot has this node write a snapshot of its own state.
func takeSnapshot(c *call) *problem {
	if p := c.noBody(); p != nil {
		return p
	}
	last, err := c.api.node.Snapshot(c.ctx)
	if err != nil {
		return nodeProblem(err)
	}
	c.json(http.StatusAccepted, client.SnapshotBody{Index: uint64(last)})
	return nil
}
