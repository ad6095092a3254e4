package httpapi

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/raft"
)

func TestReadsAtAFollower(t *testing.T) {
	n, h := newNode(t)
	ask(h, "PUT /v1/kv/k", "v")
	n.follow(3)
	expect(t, h, "GET /v1/kv/k", "", 503,
		failure("leader_changed", "node 2: not the leader; node 3 leads", "not_applied", `{"id":3}`, 7, ""),
		"Balsa-Leader: 3", "Balsa-Revision:", "ETag:")
	n.follow(raft.None)
	expect(t, h, "GET /v1/kv/k", "", 503,
		failure("no_leader", "node 2: no leader", "not_applied", "null", 7, `,"retry_after_ms":250`),
		"Balsa-Leader:", "Retry-After: 1")
	expect(t, h, "HEAD /v1/kv/k", "", 503,
		failure("no_leader", "node 2: no leader", "not_applied", "null", 7, `,"retry_after_ms":250`))
}

func TestReadsAtANodeThatHasEnded(t *testing.T) {
	n, h := newNode(t)
	close(n.ended) // its last status still says that it leads
	expect(t, h, "GET /v1/kv/k", "", 503,
		failure("shutting_down", "node 2: node closed", "not_applied", `{"id":2}`, 7, ""))
	n.set(func(n *fakeNode) { n.status.Err = errors.New("disk broke\nstack") })
	expect(t, h, "GET /v1/kv/k", "", 503,
		failure("not_ready", "node 2: node stopped: disk broke", "not_applied", `{"id":2}`, 7, ""))
}

// TestReadsWaitUntilTheLeaderHasApplied: after a restart of all nodes the leader's map is empty until its
// own no-op commits. A read in between must wait, not find nothing.
func TestReadsWaitUntilTheLeaderHasApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, h := newNode(t)
		ask(h, "PUT /v1/kv/k", "v") // entry 5
		n.set(func(n *fakeNode) {
			n.status.Term, n.status.Last.Index, n.status.Applied, n.status.Commit = 8, 6, 0, 0
		})
		expect(t, h, "GET /v1/kv/k?timeout=50ms", "", 503, failure("not_ready",
			"this node leads but has not yet applied what it found in its log",
			"not_applied", `{"id":2}`, 8, `,"retry_after_ms":1000`))
		apply := func() { n.status.Applied, n.status.Commit = 6, 6 }
		n.set(func(n *fakeNode) {
			n.status.Last.Index = 9 // later writes do not keep reads waiting
			n.script = []func(){func() {}, func() {}, apply}
		})
		expect(t, h, "GET /v1/kv/k", "", 200, "v")
		n.set(func(n *fakeNode) { n.status.Term, n.status.Last.Index = 9, 10 })
		if w := ask(h, "GET /v1/kv/k?timeout=20ms", ""); w.Code != 503 {
			t.Errorf("in the next term it is the same again, but: %d", w.Code)
		}
	})
}

// TestGateKnowsOldStatus: an answer that was on its way while a later term began opens nothing.
func TestGateKnowsOldStatus(t *testing.T) {
	var g gate
	at := func(term raft.Term, last, applied raft.Index) balsa.Status {
		return balsa.Status{Term: term, Last: raft.EntryID{Index: last}, Applied: applied}
	}
	if !g.admits(at(7, 4, 4)) || g.admits(at(8, 6, 5)) || g.admits(at(7, 9, 9)) || !g.admits(at(8, 7, 6)) {
		t.Error("the gate opened for an old term, or stayed shut in the new one")
	}
}

func TestLeadershipLostWhileARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, h := newNode(t)
		n.set(func(n *fakeNode) {
			n.status.Applied = 3
			n.script = []func(){func() { n.status.Role, n.status.Leader = raft.Follower, 1 }}
		})
		w := ask(h, "GET /v1/kv/k", "")
		if w.Code != 503 || !strings.Contains(w.Body.String(), "leader_changed") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// TestWhatIsNotUnderstoodIsRefused: nothing weaker, unconditional or shorter-lived than asked for, in
// silence.
func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	n, h := newNode(t)
	const unoffered = "this version does not offer "
	const bounds = "timeout is a duration from 1ms to 1m0s, such as timeout=3s"
	for what, message := range map[string]string{
		"GET /v1/kv/k?consistency=linearizable": unoffered +
			`consistency="linearizable", only consistency=leader`,
		"GET /v1/kv/k?consistency=stale": unoffered + `consistency="stale", only consistency=leader`,
		"GET /v1/kv/k?consistency=lease": unoffered + `consistency="lease", only consistency=leader`,
		"GET /v1/kv/k?consistency=":      unoffered + `consistency="", only consistency=leader`,
		"GET /v1/kv/k?level=strong":      unoffered + `level="strong", only level=weak`,
		"GET /v1/kv/k?level=none":        unoffered + `level="none", only level=weak`,
		"GET /v1/kv/k?format=xml":        `format is raw or json`,
		"GET /v1/kv/k?timeout=0s":        bounds,
		"GET /v1/kv/k?timeout=61s":       bounds,
		"GET /v1/kv/k?timeout=3":         bounds,

		"GET /v1/kv/k?x=%zz":                  `the query of the URL is not escaped as it should be`,
		"GET /v1/kv/k?format=json&format=raw": `the parameter "format" is given more than once`,
		"GET /v1/kv/k?b=1&a=1":                `unknown parameter "a"`,
		"GET /v1/kv/k?Timeout=1s":             `unknown parameter "Timeout"`,
		"PUT /v1/kv/k?format=json":            `the parameter "format" belongs to reads`,
		"DELETE /v1/kv/k?consistency=leader":  `the parameter "consistency" belongs to reads`,
		"GET /v1/status?verbose":              `the parameter "verbose" is not offered here by this version`,
	} {
		expect(t, h, what, "v", 400, bad("bad_request", message))
	}
	for _, name := range strings.Fields("stale consistent max_stale freshness min_revision cas ttl lease " +
		"prev index wait recurse keys separator raw prefix limit redirect local forward pretty") {
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
