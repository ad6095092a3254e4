package httpapi

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// TestReadsSayWhatTheyPromise: each way to ask reaches the node as one mode, and the answer says what it is
// worth.
func TestReadsSayWhatTheyPromise(t *testing.T) {
	for query, want := range map[string]struct{ call, consistency, contact string }{
		"":                               {"linearizable max 0s min 0 local false", "linearizable", ""},
		"?consistency=linearizable":      {"linearizable max 0s min 0 local false", "linearizable", ""},
		"?consistent":                    {"linearizable max 0s min 0 local false", "linearizable", ""},
		"?level=strong":                  {"linearizable max 0s min 0 local false", "linearizable", ""},
		"?consistency=leader":            {"leader max 0s min 0 local false", "leader", ""},
		"?level=weak&consistency=leader": {"leader max 0s min 0 local false", "leader", ""},
		"?consistency=stale":             {"stale max 0s min 0 local false", "stale", "1250"},
		"?stale&max_stale=2s":            {"stale max 2s min 0 local false", "stale", "1250"},
		"?level=none&min_revision=17":    {"stale max 0s min 17 local false", "stale", "1250"},
		"?local":                         {"linearizable max 0s min 0 local true", "linearizable", ""},
		"?redirect&min_revision=0":       {"linearizable max 0s min 0 local true", "linearizable", ""},
	} {
		n, h := newNode(t)
		ask(h, "PUT /v1/kv/k", "v")
		n.set(func(n *fakeNode) { n.calls, n.status.Contact = nil, 1250*time.Millisecond })
		headers := []string{"Balsa-Consistency: " + want.consistency, "Balsa-Last-Contact: " + want.contact,
			"Balsa-Revision: 5", "Balsa-Term: 7", "Balsa-Leader: 2", "Balsa-Served-By: 2",
			"Balsa-Cluster: ab0000000000000000000000000000cd"}
		expect(t, h, "GET /v1/kv/k"+query, "", 200, "v", headers...)
		expect(t, h, "HEAD /v1/kv/k"+query, "", 200, "v", headers...) // it is net/http that drops the body
		call := "read " + want.call
		if diff := cmp.Diff([]string{call, call}, n.calls); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		headers[2] = "Balsa-Revision: 5"
		expect(t, h, "GET /v1/kv/missing"+query, "", 404, bad("key_not_found", "key not found"), headers...)
	}
}

// TestAStaleReadOfANodeThatKnowsNobody has no time of contact to show.
func TestAStaleReadOfANodeThatKnowsNobody(t *testing.T) {
	n, h := newNode(t)
	ask(h, "PUT /v1/kv/k", "v")
	n.follow(raft.None)
	n.set(func(n *fakeNode) { n.status.Contact = -1 })
	expect(t, h, "GET /v1/kv/k?stale", "", 200, "v", "Balsa-Last-Contact:", "Balsa-Leader:",
		"Balsa-Consistency: stale")
}

// TestWhatAFollowerDoes: it asks the leader, or sends the client there, or refuses.
func TestWhatAFollowerDoes(t *testing.T) {
	n, h := newNode(t)
	n.follow(3)
	const sentOn = "node 2: not the leader; node 3 leads"
	const notApplied = "node 2: not the leader; the command was not applied; node 3 leads"
	expect(t, h, "PUT /v1/kv/k", "v", 201, `{"created":true,"revision":5}`, "Balsa-Leader: 3",
		"Balsa-Served-By: 2", "Balsa-Consistency: linearizable", "Location:")
	expect(t, h, "GET /v1/kv/k", "", 200, "v", "Balsa-Leader: 3", "Balsa-Served-By: 2")
	expect(t, h, "DELETE /v1/kv/k", "", 200, `{"deleted":1,"revision":6}`)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		message := notApplied
		if method == "GET" {
			message = sentOn
		}
		expect(t, h, method+" /v1/kv/a//b%2F?local", "", 503,
			failure("leader_changed", message, "not_applied", three, 7, ""), "Location:", "Balsa-Leader: 3",
			"Balsa-Revision:", "Balsa-Consistency:", "ETag:")
		expect(t, h, method+" /v1/kv/a//b%2F?redirect", "", 307,
			failure("leader_changed", notApplied, "not_applied", three, 7, ""),
			"Location: http://three:8003/v1/kv/a//b%2F?redirect", "Cache-Control: no-store")
	}
	expect(t, h, "GET /v1/kv/k?stale&redirect", "", 404,
		failure("key_not_found", "key not found", "not_applied", three, 7, "")) // it needs nobody else
	if n.store.Revision() != 6 {
		t.Error("what was refused or sent on was written")
	}
}

// TestARedirectNeedsAnAddress, and a leader.
func TestARedirectNeedsAnAddress(t *testing.T) {
	n, h := newNode(t)
	n.follow(1)
	const unreachable = "node 2: not the leader; the command was not applied; node 1 leads; " +
		"where clients reach it is not known"
	expect(t, h, "PUT /v1/kv/k?redirect", "v", 503,
		failure("leader_changed", unreachable, "not_applied", one, 7, `,"retry_after_ms":250`), "Location:")
	n.follow(raft.None)
	const nobody = "node 2: no leader; the command was not applied"
	expect(t, h, "PUT /v1/kv/k?redirect", "v", 503,
		failure("no_leader", nobody, "not_applied", "null", 7, `,"retry_after_ms":250`), "Location:")
	expect(t, h, "GET /v1/kv/k", "", 503,
		failure("no_leader", "node 2: no leader", "not_applied", "null", 7, `,"retry_after_ms":250`),
		"Balsa-Leader:", "Retry-After: 1", "Balsa-Consistency:")
}

// TestARedirectAfterALateRefusal: the status said that this node leads, the node says that it no longer does.
// A write whose outcome is unknown is never sent on: sent twice, it could be applied twice.
func TestARedirectAfterALateRefusal(t *testing.T) {
	n, h := newNode(t)
	e := &balsa.Error{
		Kind:    balsa.ErrNotLeader,
		Outcome: balsa.NotApplied,
		Node:    2,
		Leader:  3,
		API:     "http://x:1",
		Term:    8,
	}
	n.set(func(n *fakeNode) { n.err = e })
	w := ask(h, "PUT /v1/kv/k?redirect", "v")
	if w.Code != 307 || w.Header().Get("Location") != "http://x:1/v1/kv/k?redirect" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if diff := cmp.Diff([]string{"propose locally"}, n.calls); diff != "" {
		t.Errorf("what is to be sent on may have been forwarded: %s", diff)
	}
	if w := ask(h, "PUT /v1/kv/k", "v"); w.Code != 503 || w.Header().Get("Location") != "" {
		t.Errorf("nobody asked for a redirect: %d %v", w.Code, w.Header())
	}
	e.Outcome = balsa.Unknown
	if w := ask(h, "PUT /v1/kv/k?redirect", "v"); w.Code != 503 || w.Header().Get("Location") != "" {
		t.Errorf("a write that may be applied was sent on: %d %v", w.Code, w.Header())
	}
}

// TestARedirectDoesNotWaitForTheBody: what is sent on is not read here first.
func TestARedirectDoesNotWaitForTheBody(t *testing.T) {
	n, h := newNode(t)
	n.follow(3)
	const head = "PUT /v1/kv/k?redirect HTTP/1.1\r\nHost: localhost\r\n" +
		"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"
	answer, body := raw(t, serve(t, h), head)
	if answer.StatusCode != 307 {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// TestReadsThatFail: whatever the reason, a read has changed nothing, and its words speak of no command.
func TestReadsThatFail(t *testing.T) {
	cause := errors.New("why\nstack")
	for _, test := range []struct {
		kind    error
		status  int
		code    client.Code
		message string
	}{
		{balsa.ErrStale, 503, "stale_read", "node 2: too old a state: why"},
		{balsa.ErrTimeout, 504, "timeout", "node 2: gave up waiting: why"},
		{balsa.ErrOverloaded, 429, "overloaded", "node 2: overloaded: why"},
		{balsa.ErrClosed, 503, "shutting_down", "node 2: node closed: why"},
		{balsa.ErrStopped, 503, "not_ready", "node 2: node stopped: why"},
	} {
		n, h := newNode(t)
		n.set(func(n *fakeNode) {
			n.err = &balsa.Error{
				Kind:   test.kind,
				Node:   2,
				Leader: 3,
				Term:   7,
				Cause:  cause,
			} // outcome unknown
		})
		expect(t, h, "GET /v1/kv/k?stale&max_stale=1s", "", test.status,
			failure(test.code, test.message, "not_applied", three, 7, ""), "Balsa-Consistency:",
			"Balsa-Revision:")
	}
	n, h := newNode(t)
	n.set(func(n *fakeNode) { n.err = errors.New("plain") })
	expect(t, h, "GET /v1/kv/k", "", 500, failure("internal", "plain", "not_applied", two, 7, ""))
}

// TestWhatIsNotUnderstoodIsRefused: nothing weaker, unconditional or shorter-lived than asked for, in
// silence.
func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	n, h := newNode(t)
	const unoffered = "this version does not offer "
	const offered = "only linearizable, lease, leader and stale"
	const staleness = "max_stale is a duration from 1ms on, such as max_stale=2s"
	const revision = "min_revision is a revision, a decimal such as min_revision=17"
	const bounds = "timeout is a duration from 1ms to 1m0s, such as timeout=3s"
	for what, message := range map[string]string{
		"GET /v1/kv/k?consistency=leash": unoffered + `consistency="leash", ` + offered,
		"GET /v1/kv/k?consistency=":      unoffered + `consistency="", ` + offered,
		"GET /v1/kv/k?consistency=Stale": unoffered + `consistency="Stale", ` + offered,
		"GET /v1/kv/k?level=all":         unoffered + `level="all", only strong, weak and none`,
		"GET /v1/kv/k?stale=false":       `the parameter "stale" takes no value`,
		"GET /v1/kv/k?consistent=1":      `the parameter "consistent" takes no value`,
		"GET /v1/kv/k?consistent&stale":  `the parameters "consistent" and "stale" ask for different things`,
		"GET /v1/kv/k?level=none&consistency=leader": `the parameters "consistency" and "level" ask for ` +
			`different things`,
		"GET /v1/kv/k?max_stale=2s":        `max_stale belongs to consistency=stale`,
		"GET /v1/kv/k?stale&max_stale=0s":  staleness,
		"GET /v1/kv/k?stale&max_stale=-1s": staleness,
		"GET /v1/kv/k?stale&max_stale=2":   staleness,
		"GET /v1/kv/k?min_revision=-1":     revision,
		"GET /v1/kv/k?min_revision=":       revision,
		"GET /v1/kv/k?min_revision=1e3":    revision,
		"GET /v1/kv/k?redirect=true":       `the parameter "redirect" takes no value`,
		"PUT /v1/kv/k?local=1":             `the parameter "local" takes no value`,
		"DELETE /v1/kv/k?local&redirect":   `the parameters "redirect" and "local" ask for different things`,
		"GET /v1/kv/k?format=xml":          `format is raw or json`,
		"GET /v1/kv/k?timeout=0s":          bounds,
		"GET /v1/kv/k?timeout=61s":         bounds,
		"GET /v1/kv/k?timeout=3":           bounds,

		"GET /v1/kv/k?x=%zz":                  `the query of the URL is not escaped as it should be`,
		"GET /v1/kv/k?format=json&format=raw": `the parameter "format" is given more than once`,
		"GET /v1/kv/k?b=1&a=1":                `unknown parameter "a"`,
		"GET /v1/kv/k?Timeout=1s":             `unknown parameter "Timeout"`,
		"PUT /v1/kv/k?format=json":            `the parameter "format" belongs to reads`,
		"DELETE /v1/kv/k?consistency=leader":  `the parameter "consistency" belongs to reads`,
		"PUT /v1/kv/k?min_revision=1":         `the parameter "min_revision" belongs to reads`,
		"PUT /v1/kv/k?stale":                  `the parameter "stale" belongs to reads`,
		"GET /v1/status?verbose":              `the parameter "verbose" is not offered here by this version`,
	} {
		expect(t, h, what, "v", 400, bad("bad_request", message))
	}
	for _, name := range strings.Fields("freshness cas lease prev index wait recurse keys separator " +
		"raw prefix limit forward pretty") {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			message := `the parameter "` + name + `" is not offered here by this version`
			expect(t, h, method+" /v1/kv/k?"+name, "v", 400, bad("bad_request", message))
		}
	}
	if n.store.Revision() != 0 {
		t.Error("something that was refused was written")
	}
}

func TestConditionsAreRefused(t *testing.T) {
	n, h := newNode(t)
	for method, names := range map[string]string{
		"GET":    "If-Match If-Unmodified-Since",
		"HEAD":   "If-Match If-Unmodified-Since",
		"PUT":    writeConditions,
		"DELETE": writeConditions,
	} {
		for _, name := range strings.Fields(names) {
			w := ask(h, method+" /v1/kv/k", "v", name+": x")
			want := bad("bad_request", "this version does not do what the header "+name+" asks for")
			if w.Code != 400 || strings.TrimSpace(w.Body.String()) != want {
				t.Errorf("%s with %s: %d %s", method, name, w.Code, w.Body)
			}
		}
	}
	if n.store.Revision() != 0 {
		t.Error("something that was refused was written")
	}
}

func TestPathsAndMethods(t *testing.T) {
	_, h := newNode(t)
	nothing := bad("not_found", "there is nothing at this path")
	for _, path := range []string{"/", "/v1", "/v1/kv", "/v1/kvx/", "/v2/kv/k", "/v1/statusx", "//v1/kv/k",
		"/v1/k%76/k"} {
		expect(t, h, "GET "+path, "", 404, nothing, "Balsa-Served-By: 2")
	}
	expect(t, h, "GET /client/nothing", "", 404, `{"error":"there is nothing at this path","leader_hint":2}`)
	for what, allow := range map[string]string{
		"POST /v1/kv/k": "GET, HEAD, PUT, DELETE", "OPTIONS /v1/kv/k": "GET, HEAD, PUT, DELETE",
		"POST /v1/status": "GET, HEAD", "DELETE /readyz": "GET, HEAD",
	} {
		expect(t, h, what, "", 405, bad("method_not_allowed", "this path takes "+allow), "Allow: "+allow,
			"Access-Control-Allow-Origin:")
	}
	expect(t, h, "GET /client/submit", "", 405, `{"error":"this path takes POST","leader_hint":2}`,
		"Allow: POST")
}

// TestOtherSites: a page from elsewhere that a person has open must not write.
func TestOtherSites(t *testing.T) {
	n, h := newNode(t)
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.example"} {
		w := ask(h, "POST /client/submit", `{"command":"SET k v"}`, header)
		if w.Code != 403 || n.store.Len() != 0 {
			t.Errorf("%s: %d %s", header, w.Code, w.Body)
		}
		if w := ask(h, "PUT /v1/kv/k", "v", header); w.Code != 403 || n.store.Len() != 0 {
			t.Errorf("%s: %d %s", header, w.Code, w.Body)
		}
		if w := ask(h, "GET /v1/status", "", header); w.Code != 200 {
			t.Errorf("%s: reading: %d", header, w.Code)
		}
	}
}

func TestTimeoutParameterBoundsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, wait := range map[string]time.Duration{
			"/v1/kv/k": 5 * time.Second, "/v1/kv/k?timeout=3s": 3 * time.Second,
			"/v1/kv/k?timeout=1m": time.Minute, "/livez": time.Second, "/livez?timeout=2s": 2 * time.Second,
		} {
			n, h := newNode(t)
			n.stuck = make(chan struct{})
			began := time.Now()
			w := ask(h, "GET "+what, "")
			if took := time.Since(began); took != wait || w.Code != 503 {
				t.Errorf("%s: %d after %v, want %v", what, w.Code, took, wait)
			}
			close(n.stuck)
			synctest.Wait()
		}
	})
}
