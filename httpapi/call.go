package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// How long a request may take, body included: by default, at most (?timeout), and for health, whose askers
// are impatient.
const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = time.Minute
	healthTimeout  = time.Second
)

// call is one request on its way through the API.
type call struct {
	api    *api
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context // ends with the request's time
	key    string
	query  url.Values
	status balsa.Status // when the request came
}

// serve checks what all requests have in common and hands over to the route's handler.
func (c *call) serve() *problem {
	route, escapedKey := c.api.find(c.r.URL.EscapedPath())
	timeout, wrong := c.readQuery(route)
	c.limitBody(timeout)
	ctx, cancel := context.WithTimeout(c.r.Context(), timeout)
	defer cancel()
	c.ctx = ctx
	stuck := c.introduce() // before anything is refused, so that every answer says whose it is
	if wrong == nil {
		wrong = c.admit(route, escapedKey)
	}
	switch {
	case wrong != nil:
		return wrong
	case stuck != nil && !route.health:
		return stuck
	}
	return route.methods[c.r.Method](c)
}

// limitBody bounds the time in which a body must have come, whoever reads it: what a handler leaves unread,
// net/http reads before it answers, and would wait for ever. Once the body has come it takes the deadline
// away again. A request without a body must not get one: net/http is waiting for the client's leaving by
// then, and would take the deadline for that.
func (c *call) limitBody(timeout time.Duration) {
	if c.r.ContentLength != 0 {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(timeout)) // a recorder has none
	}
}

// admit refuses what there is no handler for, and what would be misunderstood or misused.
func (c *call) admit(route *route, escapedKey string) *problem {
	if route.methods[c.r.Method] == nil {
		return c.notAllowed(route.allow)
	}
	for _, name := range strings.Fields(route.conditions[c.r.Method]) {
		if len(c.r.Header.Values(name)) > 0 {
			return badRequest("this version does not do what the header %s asks for", name)
		}
	}
	if !knownHost(c.r.Host, c.status.API) {
		return &problem{
			status: http.StatusForbidden,
			code:   client.CodeForbidden,
			message: "requests are taken for an IP address, for localhost, " +
				"and for the host of this node's advertised address, not for this name",
		}
	}
	// A page from elsewhere that a person has open could otherwise post commands: no preflight protects a
	// plain POST.
	if err := c.api.crossOrigin.Check(c.r); err != nil {
		return &problem{status: http.StatusForbidden, code: client.CodeForbidden,
			message: "requests that change something are not taken from another site's pages"}
	}
	key, err := url.PathUnescape(escapedKey)
	if err != nil {
		return badRequest("the key in the path is not escaped as a URL has it")
	}
	c.key = key
	return nil
}

// notAllowed refuses a method that the path does not take.
func (c *call) notAllowed(allow string) *problem {
	c.w.Header().Set("Allow", allow)
	return &problem{status: http.StatusMethodNotAllowed, code: client.CodeMethodNotAllowed,
		message: "this path takes " + allow}
}

// knownHost reports whether a request was meant for this node by whoever typed its address. A page from
// elsewhere can have its own name point at this machine, and then counts as the same origin; that it cannot
// do with an IP address, with localhost, or with the name that the node itself advertises.
func knownHost(host, api string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if advertised, err := url.Parse(api); err == nil && api != "" &&
		strings.EqualFold(name, advertised.Hostname()) {
		return true
	}
	return host == "" || strings.EqualFold(name, "localhost") || net.ParseIP(name) != nil
}

// notYet are parameters of the API that belong to later versions or to other paths.
const notYet = "freshness cas lease prev index wait recurse keys separator raw prefix start end limit " +
	"after reverse count pretty forward confirm verbose exclude " + readParameters + " " + reachParameters

// readQuery returns the request's timeout, and refuses paths without a route and parameters that the route
// does not know. With a problem the timeout is the one that was asked for if it can be had, else the
// default.
func (c *call) readQuery(route *route) (time.Duration, *problem) {
	if route == nil {
		return defaultTimeout, &problem{status: http.StatusNotFound, code: client.CodeNotFound,
			message: "there is nothing at this path"}
	}
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return route.patience, badRequest("the query of the URL is not escaped as it should be")
	}
	c.query = query
	timeout, wrong := timeoutOf(query, route.patience)
	if wrong == nil {
		wrong = checkNames(query, strings.Fields(route.parameters+" timeout"))
	}
	return timeout, wrong
}

// checkNames complains of the first parameter, by name, that is not known or comes twice.
func checkNames(query url.Values, known []string) *problem {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case len(query[name]) > 1:
			return badRequest("the parameter %q is given more than once", name)
		case slices.Contains(known, name):
		case slices.Contains(strings.Fields(notYet), name):
			return badRequest("the parameter %q is not offered here by this version", name)
		default:
			return badRequest("unknown parameter %q", name)
		}
	}
	return nil
}

func timeoutOf(query url.Values, otherwise time.Duration) (time.Duration, *problem) {
	if !query.Has("timeout") {
		return otherwise, nil
	}
	timeout, err := time.ParseDuration(query.Get("timeout"))
	if err != nil || timeout < time.Millisecond || timeout > maxTimeout {
		return otherwise, badRequest("timeout is a duration from 1ms to %v, such as timeout=3s", maxTimeout)
	}
	return timeout, nil
}

// introduce asks the node for its status and says in the headers who answers.
func (c *call) introduce() *problem {
	status, answered := c.api.probe.ask(c.ctx)
	c.status = status
	h := c.w.Header()
	if status.ID != raft.None {
		h.Set(client.HeaderServedBy, status.ID.String())
		h.Set(client.HeaderCluster, status.Cluster.String())
	}
	if !answered {
		return &problem{status: http.StatusServiceUnavailable, code: client.CodeNotReady,
			message: "the node's loop does not answer", retry: time.Second}
	}
	c.showTerm(status.Term, status.Leader)
	return nil
}

func (c *call) showTerm(term raft.Term, leader raft.NodeID) {
	h := c.w.Header()
	h.Set(client.HeaderTerm, strconv.FormatUint(uint64(term), 10))
	h.Del(client.HeaderLeader)
	if leader != raft.None {
		h.Set(client.HeaderLeader, leader.String())
	}
}

// body reads the request's body, up to a number of bytes, within the request's time.
func (c *call) body(limit int64) ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &problem{status: http.StatusRequestEntityTooLarge, code: client.CodeTooLarge,
			message: fmt.Sprintf("the body is too large: at most %d bytes", limit)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &problem{status: http.StatusRequestTimeout, code: client.CodeTimeout,
			message: "the body did not come in time"}
	case err != nil:
		return nil, badRequest("the body could not be read to its end")
	}
	return body, nil
}

// json answers with a JSON body.
func (c *call) json(status int, body any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil { // a type that has no JSON form: a bug
		c.api.logger.Error("An answer could not be encoded", "error", err)
		status, b = http.StatusInternalServerError, *bytes.NewBufferString("{}\n")
	}
	c.bytes(status, "application/json", b.Bytes())
}

// bytes answers with a body. That writing it fails means that the client has gone.
func (c *call) bytes(status int, contentType string, body []byte) {
	c.w.Header().Set("Content-Type", contentType)
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}
