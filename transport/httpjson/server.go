package httpjson

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"balsa/raft"
	"balsa/wire"
)

// The limits of what strangers can hold on to.
const (
	maxRequests   = 256 // requests at a time; beyond that: 503
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	bodyTimeout   = 15 * time.Second // from the head of the request to the end of its body
	writeTimeout  = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

// posted are the messages that have a path, as the 404 lists them.
const posted = "request_vote append_entries pre_vote install_snapshot timeout_now " +
	"repair_floor forward_proposal forward_read append_entries_response install_snapshot_response " +
	"identity_refused"

const prefix = "/raft/"

func (t *Transport) newServer() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(t.serve),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(t.config.Log.Handler(), slog.LevelWarn),
	}
}

// serve takes one request: it is decoded, given to the handler, and answered with what the handler sends
// back.
func (t *Transport) serve(w http.ResponseWriter, r *http.Request) {
	if !t.enter() {
		closing().write(w)
		return
	}
	defer t.leave()
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	default:
		problem(http.StatusServiceUnavailable, "too many requests wait here: try again later").write(w)
		return
	}
	e, out := t.receive(w, r)
	if out == nil {
		out = t.deliver(r, e)
	}
	out.write(w)
}

// receive reads and decodes the message of a request; what is wrong with it is an outcome.
func (t *Transport) receive(w http.ResponseWriter, r *http.Request) (e raft.Envelope, bad *outcome) {
	name, bad := route(w, r)
	if bad != nil {
		return e, bad
	}
	guest := &guest{body: http.MaxBytesReader(w, r.Body, t.config.MaxBody), room: &t.bodies}
	defer guest.leave()
	body, err := io.ReadAll(guest)
	if errors.Is(err, errNoRoom) {
		return e, problem(http.StatusServiceUnavailable, "too much is being received here: try again later")
	}
	if err != nil {
		return e, bodyProblem(err)
	}
	if e, err = wire.DecodeJSON(name, body); err != nil {
		return e, problem(http.StatusBadRequest, err.Error())
	}
	if e.From.Node == raft.None {
		return e, problem(http.StatusBadRequest, name+`: "node" is missing: a report names its sender`)
	}
	return e, nil
}

// route returns the name of the message that a path stands for.
func route(w http.ResponseWriter, r *http.Request) (name string, bad *outcome) {
	name, found := strings.CutPrefix(r.URL.Path, prefix)
	if !found || !slices.Contains(strings.Fields(posted), name) {
		paths := prefix + strings.ReplaceAll(posted, " ", ", "+prefix)
		return "", problem(http.StatusNotFound, "no such path: POST to one of "+paths)
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", problem(http.StatusMethodNotAllowed, "only POST is understood here, with JSON as its body")
	}
	// A page that a person looks at could otherwise speak to a node on the same machine. Every browser names
	// the page's origin in a POST; no peer does.
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return "", problem(http.StatusForbidden, "web pages may not speak to a node")
	}
	return name, nil
}

func bodyProblem(err error) *outcome {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		sentence := fmt.Sprintf("the body is too large: one message has at most %d bytes", tooLarge.Limit)
		return problem(http.StatusRequestEntityTooLarge, sentence)
	}
	return problem(http.StatusBadRequest, "the body could not be read to its end")
}

// deliver gives a message to the handler and waits for the response, if there is to be one.
func (t *Transport) deliver(r *http.Request, e raft.Envelope) *outcome {
	if e.From.Cluster == (raft.ClusterID{}) {
		if !t.config.ByHand {
			return t.refuseStranger()
		}
		e = t.byHand(e)
		if _, transfer := e.Message.(raft.TimeoutNow); transfer { // a person would be told "accepted"
			return problem(http.StatusNotImplemented, "this version does not act on such a message")
		}
	}
	if t.running.Err() != nil {
		return closing()
	}
	if unanswered(e.Message) {
		e.Sequence = 0 // it answers no request here, whatever number it bears
		t.handler.Receive(e)
		return &outcome{status: http.StatusAccepted}
	}
	return t.await(r, e)
}

// unanswered reports whether a message gets no response: TimeoutNow, and what is itself the form of one.
func unanswered(m raft.Message) bool {
	_, silent := m.(raft.TimeoutNow)
	return silent || raft.IsResponse(m)
}

// byHand completes a message that a person wrote: all that is believed of its sender is the id. Its sequence
// is nobody's: the response goes to this very request.
func (t *Transport) byHand(e raft.Envelope) raft.Envelope {
	e.From, e.Sequence = raft.Identity{Node: e.From.Node}, 0
	if e.To == raft.None {
		e.To = t.config.Self.Node
	}
	return e
}

func (t *Transport) refuseStranger() *outcome {
	return answered(raft.Envelope{ // a stranger learns the id, and nothing that it could pass itself off with
		From: raft.Identity{Node: t.config.Self.Node}, Message: raft.IdentityRefused{Why: raft.NoIdentity},
	})
}

// await gives a request to the handler and waits for its response.
func (t *Transport) await(r *http.Request, e raft.Envelope) *outcome {
	number, opened := t.exchanges.begin(e)
	defer t.exchanges.end(number)
	timer := time.NewTimer(t.config.Timeout)
	defer timer.Stop()
	e.Sequence = number
	t.handler.Receive(e)
	select {
	case response := <-opened.response:
		return answered(response)
	case <-timer.C:
		return problem(http.StatusGatewayTimeout, "this node has not answered in time; it may have acted")
	case <-t.running.Done():
		return closing()
	case <-r.Context().Done():
		return problem(http.StatusRequestTimeout, "the requester hung up") // nobody reads this
	}
}
