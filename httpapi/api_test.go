package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// *balsa.Node is what the API is made for.
var _ Node = (*balsa.Node)(nil)

// fakeNode is a node of one whose leadership, errors and pace a test sets. Where it does not lead it behaves
// as if forwarding always succeeded.
type fakeNode struct {
	Sessions   // none: sessions are tried with real nodes
	Tools      // none either
	Membership // none: members_test.go has one
	store      *kv.Store
	ended      chan struct{}

	mu     sync.Mutex
	status balsa.Status
	err    error         // of Propose and Read
	answer []byte        // of Propose, in place of the map's
	calls  []string      // of Propose, ProposeLocal and Read, in short
	stuck  chan struct{} // Status waits for it to be closed
	asked  int           // how often Status was
	slow   bool          // Propose waits out its context
	now    raft.Time     // of what is proposed
	saved  raft.Index    // in the latest snapshot
	keys   map[string][]byte
}

func (n *fakeNode) Propose(ctx context.Context, command []byte) ([]byte, error) {
	return n.propose(ctx, command, "propose", false)
}

func (n *fakeNode) ProposeLocal(ctx context.Context, command []byte) ([]byte, error) {
	return n.propose(ctx, command, "propose locally", true)
}

// ProposeOnce remembers what each key was answered.
func (n *fakeNode) ProposeOnce(ctx context.Context, key string, ttl time.Duration,
	command []byte) (balsa.Applied, error) {
	return n.proposeOnce(ctx, key, command, fmt.Sprintf("propose once for %v", ttl), false)
}

func (n *fakeNode) ProposeOnceLocal(ctx context.Context, key string, ttl time.Duration,
	command []byte) (balsa.Applied, error) {
	return n.proposeOnce(ctx, key, command, fmt.Sprintf("propose once for %v locally", ttl), true)
}

func (n *fakeNode) proposeOnce(ctx context.Context, key string, command []byte, call string,
	local bool) (balsa.Applied, error) {
	if first, known := n.keys[key]; known {
		return balsa.Applied{Result: first, Replayed: true}, nil
	}
	result, err := n.propose(ctx, command, call, local)
	if err == nil {
		n.keys[key] = result
	}
	return balsa.Applied{Result: result}, err
}

// Snapshot includes everything, and so is of use once.
func (n *fakeNode) Snapshot(context.Context) (raft.Index, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.status.Applied == n.saved {
		return 0, &balsa.Error{Kind: balsa.ErrNothingNew, Outcome: balsa.NotApplied, Node: 2}
	}
	n.saved = n.status.Applied
	return n.saved, n.err
}

func (n *fakeNode) propose(ctx context.Context, command []byte, call string, local bool) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.slow {
		<-ctx.Done()
	}
	n.calls = append(n.calls, call)
	switch refusal := n.refusal(local); {
	case ctx.Err() != nil:
		return nil, &balsa.Error{Kind: balsa.ErrTimeout, Outcome: balsa.Unknown, Node: 2, Cause: ctx.Err()}
	case refusal != nil:
		return nil, refusal
	case n.answer != nil:
		return n.answer, nil
	}
	n.status.Last.Index++
	n.status.Applied, n.status.Commit = n.status.Last.Index, n.status.Last.Index
	e := raft.Entry{Term: n.status.Term, Index: n.status.Last.Index, Kind: raft.Normal, Command: command,
		Time: n.now}
	return n.store.Apply(e), nil
}

// refusal is what a node answers that does not lead and may not, or cannot, forward.
func (n *fakeNode) refusal(local bool) error {
	s := n.status
	e := &balsa.Error{
		Outcome: balsa.NotApplied,
		Node:    s.ID,
		Leader:  s.Leader,
		API:     s.APIOf(s.Leader),
		Term:    s.Term,
	}
	switch {
	case n.err != nil:
		return n.err
	case s.Leader == raft.None:
		e.Kind, e.Retry = balsa.ErrNoLeader, 250*time.Millisecond
	case s.Role != raft.Leader && local:
		e.Kind = balsa.ErrNotLeader
	default:
		return nil
	}
	return e
}

func (n *fakeNode) Read(ctx context.Context, mode balsa.ReadMode) (balsa.ReadState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, fmt.Sprintf("read %v max %v min %d local %v", mode.Consistency, mode.MaxStale,
		mode.MinIndex, mode.Local))
	state := balsa.ReadState{
		Applied:     n.status.Applied,
		Consistency: mode.Consistency,
		Leader:      n.status.Leader,
		Term:        n.status.Term,
		Contact:     n.status.Contact,
	}
	if mode.Consistency == balsa.Stale {
		return state, n.err
	}
	return state, n.refusal(mode.Local)
}

func (n *fakeNode) Status() balsa.Status {
	n.mu.Lock()
	stuck, status := n.stuck, n.status
	n.asked++
	n.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	return status
}

func (n *fakeNode) Done() <-chan struct{} { return n.ended }

func (n *fakeNode) set(change func(*fakeNode)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *fakeNode) follow(leader raft.NodeID) {
	n.set(func(n *fakeNode) { n.status.Role, n.status.Leader = raft.Follower, leader })
}

// newNode returns a node 2 that leads term 7 and has applied everything up to entry 4, and its API.
func newNode(t *testing.T) (*fakeNode, http.Handler) {
	t.Helper()
	n := &fakeNode{store: kv.New(), keys: map[string][]byte{}, ended: make(chan struct{})}
	n.status = balsa.Status{
		ID: 2, Cluster: raft.ClusterID{0xab, 15: 0xcd}, Role: raft.Leader, Term: 7, Leader: 2,
		Commit: 4, Applied: 4, Durable: 4, Last: raft.EntryID{Term: 7, Index: 4},
		LogExtent: balsa.LogExtent{LogLength: 4},
		API:       "http://two:8002",
		Membership: balsa.Membership{
			Standing: balsa.Voter, Peers: []balsa.Peer{{ID: 3, API: "http://three:8003"}, {ID: 1}},
		},
	}
	return n, New(Config{Node: n, Store: n.store})
}

// ask sends one request; what is the method and the target, headers are pairs "Name: value".
func ask(h http.Handler, what, body string, headers ...string) *httptest.ResponseRecorder {
	method, target, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8002"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// expect asks and holds status, body and headers against what is wanted.
func expect(t *testing.T, h http.Handler, what, send string, status int, body string, headers ...string) {
	t.Helper()
	w := ask(h, what, send)
	if w.Code != status {
		t.Errorf("%s: status %d, want %d: %s", what, w.Code, status, w.Body)
	}
	if diff := cmp.Diff(body, strings.TrimSuffix(w.Body.String(), "\n")); diff != "" {
		t.Errorf("%s: body\n%s", what, diff)
	}
	holdHeaders(t, what, w.Header(), headers)
}

// holdHeaders: "Name: value" must be there, "Name:" must not.
func holdHeaders(t *testing.T, what string, h http.Header, headers []string) {
	t.Helper()
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ":")
		if got := h.Get(name); got != strings.TrimSpace(value) {
			t.Errorf("%s: header %s: %q, want %q", what, name, got, strings.TrimSpace(value))
		}
	}
}

// failure is the v1 error body of node 2.
func failure(code client.Code, message, outcome, leader string, term int, more string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q,"outcome":%q,"node":2,"leader":%s,"term":%d%s}}`,
		code, message, outcome, leader, term, more)
}

// bad is such a body of a request that is refused by the node 2 of newNode.
func bad(code client.Code, message string) string {
	return failure(code, message, "not_applied", two, 7, "")
}

// The leaders of error bodies. Where clients reach node 1 is not known.
const (
	one   = `{"id":1}`
	two   = `{"id":2,"url":"http://two:8002"}`
	three = `{"id":3,"url":"http://three:8003"}`
)

func TestLifeOfAKey(t *testing.T) {
	_, h := newNode(t)
	const asBytes, asJSON = "Content-Type: application/octet-stream", "Content-Type: application/json"
	expect(t, h, "GET /v1/kv/k", "", 404, bad("key_not_found", "key not found"),
		"Balsa-Revision: 0", "Balsa-Consistency: linearizable", asJSON)
	expect(t, h, "PUT /v1/kv/k", "one", 201, `{"created":true,"revision":5}`, `ETag: "5"`,
		"Balsa-Revision: 5", "Balsa-Term: 7", "Balsa-Leader: 2", "Balsa-Served-By: 2",
		"Balsa-Cluster: ab0000000000000000000000000000cd", "Balsa-Consistency: linearizable",
		"X-Content-Type-Options: nosniff", asJSON)
	expect(t, h, "PUT /v1/kv/k", "<b>two</b>", 200, `{"created":false,"revision":6}`, `ETag: "6"`)
	expect(t, h, "GET /v1/kv/k", "", 200, "<b>two</b>", asBytes, `ETag: "6"`, "Balsa-Revision: 6",
		"Balsa-Create-Revision: 5", "Balsa-Version: 2", "Balsa-Consistency: linearizable",
		"Content-Length: 10", "Balsa-Served-By: 2", "Balsa-Term: 7", "Balsa-Leader: 2", "Balsa-Last-Contact:",
		"Balsa-Cluster: ab0000000000000000000000000000cd", "X-Content-Type-Options: nosniff",
		"Cache-Control: no-cache")
	expect(t, h, "GET /v1/kv/k?format=json&consistency=leader&level=weak&timeout=3s", "", 200,
		`{"key":"k","value":"<b>two</b>","create_revision":5,"mod_revision":6,"version":2}`, asJSON)
	expect(t, h, "GET /v1/kv/k?format=raw", "", 200, "<b>two</b>", asBytes)
	expect(t, h, "DELETE /v1/kv/k", "", 200, `{"deleted":1,"revision":7}`, "Balsa-Revision: 7")
	expect(t, h, "DELETE /v1/kv/k", "", 200, `{"deleted":0,"revision":7}`, "Balsa-Revision: 7")
	expect(t, h, "GET /v1/kv/k", "", 404, bad("key_not_found", "key not found"),
		"Balsa-Revision: 7", "ETag:")
}

func TestValuesThatAreNoText(t *testing.T) {
	_, h := newNode(t)
	ask(h, "PUT /v1/kv/%FF", "\x00\xff")
	ask(h, "PUT /v1/kv/empty", "")
	expect(t, h, "GET /v1/kv/%ff", "", 200, "\x00\xff")
	expect(t, h, "GET /v1/kv/%ff?format=json", "", 200,
		`{"key_base64":"/w==","value_base64":"AP8=","create_revision":5,"mod_revision":5,"version":1}`)
	expect(t, h, "GET /v1/kv/empty", "", 200, "", "Content-Length: 0")
	expect(t, h, "GET /v1/kv/empty?format=json", "", 200,
		`{"key":"empty","value":"","create_revision":6,"mod_revision":6,"version":1}`)
}

func TestIfNoneMatch(t *testing.T) {
	_, h := newNode(t)
	ask(h, "PUT /v1/kv/k", "v") // revision 5
	for condition, status := range map[string]int{
		`"5"`: 304, `W/"5"`: 304, `"4", "5"`: 304, `*`: 304, `"4"`: 200, `"55"`: 200, `5`: 200, ``: 200,
	} {
		w := ask(h, "GET /v1/kv/k", "", "If-None-Match: "+condition)
		if w.Code != status || (w.Body.Len() == 0) != (status == 304) {
			t.Errorf("If-None-Match: %s: %d %q, want %d", condition, w.Code, w.Body, status)
		}
		holdHeaders(t, condition, w.Header(), []string{`ETag: "5"`, "Balsa-Revision: 5"})
	}
	if w := ask(h, "GET /v1/kv/missing", "", "If-None-Match: *"); w.Code != 404 {
		t.Errorf("a missing key: %d", w.Code)
	}
}

// TestKeysAreAnyBytes goes through a real server: nothing on the way may tidy a key up.
func TestKeysAreAnyBytes(t *testing.T) {
	n, h := newNode(t)
	s := httptest.NewServer(h)
	defer s.Close()
	longest := strings.Repeat("\xfe", kv.MaxKey)
	for path, key := range map[string]string{
		"k": "k", "a/b": "a/b", "a//b": "a//b", "//": "//", "a/": "a/", ".": ".", "..": "..",
		"../..": "../..", "a/../b": "a/../b", "%2F": "/", "a%2fb": "a/b",
		"%00": "\x00", "%2e%2e": "..", "ü": "ü",
		"%C3%BC": "ü", "%FF%fe": "\xff\xfe", "a+b": "a+b", "%20": " ", "%25": "%", "%3F": "?", "a;b": "a;b",
		"a:b@c":                          "a:b@c",
		strings.Repeat("%FE", kv.MaxKey): longest,
	} {
		r, err := http.NewRequest("PUT", "http://localhost/", strings.NewReader(path))
		if err != nil {
			t.Fatal(err)
		}
		r.URL = &url.URL{Scheme: "http", Host: s.Listener.Addr().String(), Opaque: "/v1/kv/" + path}
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		item, found := n.store.Get(key)
		if answer.StatusCode >= 300 || !found || string(item.Value) != path {
			t.Errorf("%.20q: %d; under the key lies %.20q", path, answer.StatusCode, item.Value)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	_, h := newNode(t)
	long := strings.Repeat("k", kv.MaxKey+1)
	tooLong := bad("too_large", "the key is too long: at most 4096 bytes")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		expect(t, h, method+" /v1/kv/", "", 400, bad("bad_request", "the key is empty"))
		expect(t, h, method+" /v1/kv/"+long, "", 413, tooLong)
		expect(t, h, method+" /v1/kv/"+long[1:]+"%2F", "", 413, tooLong)
	}
	expect(t, h, "GET /client/get/", "", 400, `{"error":"the key is empty","leader_hint":2}`)
	expect(t, h, "GET /client/get/"+long, "", 413,
		`{"error":"the key is too long: at most 4096 bytes","leader_hint":2}`)
}

// A client refuses by itself what a node would refuse.
func TestTheLongestKeyIsTheSameForAClient(t *testing.T) {
	if client.MaxKey != kv.MaxKey {
		t.Errorf("%d bytes for a client, %d for the map", client.MaxKey, kv.MaxKey)
	}
}

// A key that is far too long is refused in the API's own words all the same.
func TestAKeyFarTooLong(t *testing.T) {
	_, h := newNode(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(h)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) })
	defer served.Wait()
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	answer, err := http.Get("http://" + listener.Addr().String() + "/v1/kv/" + strings.Repeat("k", 90_000))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body client.ErrorBody
	err = json.NewDecoder(answer.Body).Decode(&body)
	if answer.StatusCode != http.StatusRequestEntityTooLarge || body.Error.Code != client.CodeTooLarge {
		t.Errorf("%d, %+v, %v", answer.StatusCode, body, err)
	}
}

// TestEveryErrorOfANode is the table from errors to HTTP, on both surfaces.
func TestEveryErrorOfANode(t *testing.T) {
	cause := errors.New("why")
	for _, test := range []struct {
		kind          error
		status, small int
		code          client.Code
	}{
		{balsa.ErrNotLeader, 503, 503, "leader_changed"},
		{balsa.ErrNoLeader, 503, 503, "no_leader"},
		{balsa.ErrLeadershipLost, 503, 503, "leader_changed"},
		{balsa.ErrTimeout, 504, 503, "timeout"},
		{balsa.ErrNoAnswer, 504, 503, "timeout"},
		{balsa.ErrStale, 503, 503, "stale_read"},
		{balsa.ErrOverloaded, 429, 503, "overloaded"},
		{balsa.ErrTooLarge, 413, 413, "too_large"},
		{balsa.ErrClosed, 503, 503, "shutting_down"},
		{balsa.ErrStopped, 503, 503, "not_ready"},
		{balsa.ErrNoSpace, 507, 503, "no_space"},
		{balsa.ErrBug, 500, 500, "internal"},
		{balsa.ErrApply, 500, 500, "internal"},
		{errors.New("another"), 500, 500, "internal"},
	} {
		for _, outcome := range []balsa.Outcome{balsa.NotApplied, balsa.Unknown} {
			n, h := newNode(t)
			err := &balsa.Error{
				Kind:    test.kind,
				Outcome: outcome,
				Node:    2,
				Leader:  3,
				API:     "http://here:1",
				Term:    8,
				Cause:   cause,
				Retry:   1250 * time.Millisecond,
			}
			n.set(func(n *fakeNode) { n.err = err })
			// The outcome has a field of its own, and is said once; the small API has none.
			message := strings.Replace(err.Error(), "; whether the command was applied is unknown", "", 1)
			body := failure(test.code, message, outcome.String(), `{"id":3,"url":"http://here:1"}`, 8,
				`,"retry_after_ms":1250`)
			for _, method := range []string{"PUT", "DELETE"} {
				expect(t, h, method+" /v1/kv/k", "", test.status, body,
					"Retry-After: 2", "Balsa-Leader: 3", "Balsa-Term: 8", "Content-Type: application/json")
			}
			expect(t, h, "POST /client/submit", `{"command":"SET k v"}`, test.small,
				fmt.Sprintf(`{"error":%q,"leader_hint":3}`, err.Error()), "Retry-After: 2")
		}
	}
}

func TestErrorsThatNameNobody(t *testing.T) {
	n, h := newNode(t) // still leads when the request comes, and no longer when it is proposed
	n.set(func(n *fakeNode) {
		n.err = &balsa.Error{Kind: balsa.ErrNoLeader, Outcome: balsa.NotApplied, Node: 2, Term: 9}
	})
	const said = "node 2: no leader; the command was not applied"
	expect(t, h, "PUT /v1/kv/k", "", 503, failure("no_leader", said, "not_applied", "null", 9, ""),
		"Balsa-Leader:", "Retry-After:")
	expect(t, h, "POST /client/submit", `{"command":"SET k v"}`, 503,
		`{"error":"`+said+`","leader_hint":null}`)

	n.follow(raft.None)
	n.set(func(n *fakeNode) { n.err = errors.New("plain\nand a stack") })
	expect(t, h, "PUT /v1/kv/k", "", 500, failure("internal", "plain", "unknown", "null", 7, ""))
	n.set(func(n *fakeNode) { n.err, n.answer, n.status.Leader = nil, []byte("no result"), 2 })
	w := ask(h, "PUT /v1/kv/k", "")
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"outcome":"unknown"`) {
		t.Errorf("an answer that is no result: %d %s", w.Code, w.Body)
	}
}
