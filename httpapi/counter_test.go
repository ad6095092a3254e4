package httpapi

import (
	"strings"
	"testing"
	"time"

	"balsa/kv"
	"balsa/raft"
)

func TestTimeToLive(t *testing.T) {
	n, h := newNode(t)
	begin := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	n.set(func(n *fakeNode) { n.now = raft.Time(begin.UnixNano()) })
	expect(t, h, "PUT /v1/kv/k?ttl=30s", "v", 201, `{"created":true,"revision":5}`)
	expect(t, h, "PUT /v1/kv/stays", "v", 201, `{"created":true,"revision":6}`, "Balsa-Expires:")
	expect(t, h, "GET /v1/kv/k", "", 200, "v", "Balsa-Expires: 2026-01-02T03:04:35.0000006Z")
	expect(t, h, "GET /v1/kv/stays", "", 200, "v", "Balsa-Expires:")
	expect(t, h, "GET /v1/kv/k?format=json", "", 200, `{"key":"k","value":"v","create_revision":5,`+
		`"mod_revision":5,"version":1,"expires":"2026-01-02T03:04:35.0000006Z"}`)
	n.set(func(n *fakeNode) { n.now += raft.Time(30 * time.Second) })
	expect(t, h, "PUT /v1/kv/other", "", 201, `{"created":true,"revision":7}`)
	expect(t, h, "GET /v1/kv/k", "", 404, bad("key_not_found", "key not found"), "Balsa-Expires:")
	expect(t, h, "PUT /v1/kv/other?ttl=1ns", "", 200, `{"created":false,"revision":8}`)
	expect(t, h, "PUT /v1/kv/other", "", 200, `{"created":false,"revision":9}`)
	expect(t, h, "GET /v1/kv/other", "", 200, "", "Balsa-Expires:")
	expect(t, h, "PUT /v1/kv/far?ttl=2562047h", "", 201, `{"created":true,"revision":10}`)
}

func TestTimesToLiveThatAreNone(t *testing.T) {
	n, h := newNode(t)
	wrong := bad("bad_request", "ttl is a duration above zero and up to 2562047h, such as ttl=30s")
	for _, ttl := range []string{"", "0", "-1s", "30", "x", "2562048h", "9999999h"} {
		expect(t, h, "PUT /v1/kv/k?ttl="+ttl, "v", 400, wrong)
	}
	for _, what := range []string{"GET /v1/kv/k", "DELETE /v1/kv/k", "POST /v1/kv/k/incr"} {
		expect(t, h, what+"?ttl=30s", "", 400, bad("bad_request", `the parameter "ttl" belongs to PUT`))
	}
	if len(n.calls) > 0 {
		t.Errorf("asked the node: %q", n.calls)
	}
}

func TestIncrements(t *testing.T) {
	n, h := newNode(t)
	expect(t, h, "POST /v1/kv/n/incr", "", 200, `{"value":1,"created":true,"revision":5}`, `ETag: "5"`,
		"Balsa-Revision: 5", "Balsa-Served-By: 2", "Balsa-Consistency: linearizable",
		"Content-Type: application/json")
	expect(t, h, "POST /v1/kv/n/incr", `{"by":-9}`, 200, `{"value":-8,"created":false,"revision":6}`)
	expect(t, h, "POST /v1/kv/n/incr", `{}`, 200, `{"value":-7,"created":false,"revision":7}`)
	expect(t, h, "POST /v1/kv/n/incr?local", `{"by":null}`, 200,
		`{"value":-6,"created":false,"revision":8}`)
	expect(t, h, "POST /v1/kv/n/incr", `{"by":9223372036854775807}`, 200,
		`{"value":9223372036854775801,"created":false,"revision":9}`)
	expect(t, h, "GET /v1/kv/n", "", 200, "9223372036854775801")
	expect(t, h, "POST /v1/kv/n/incr", `{"by":7}`, 409, bad("conflict", kv.Overflow.Error()),
		"Balsa-Revision: 9")
	ask(h, "PUT /v1/kv/word", "ten")
	expect(t, h, "POST /v1/kv/word/incr", "", 409, bad("conflict", kv.NotANumber.Error()))
	n.follow(3)
	expect(t, h, "POST /v1/kv/n/incr?local", "", 503,
		failure("leader_changed", "node 2: not the leader; the command was not applied; node 3 leads",
			"not_applied", three, 7, ""))
	expect(t, h, "POST /v1/kv/n/incr?redirect", "", 307,
		failure("leader_changed", "node 2: not the leader; the command was not applied; node 3 leads",
			"not_applied", three, 7, ""), "Location: http://three:8003/v1/kv/n/incr?redirect")
}

// TestKeysOfIncrements: a key may end in /incr itself, and only the end that was sent as a slash is no part
// of it.
func TestKeysOfIncrements(t *testing.T) {
	n, h := newNode(t)
	for path, key := range map[string]string{
		"a/incr": "a", "a/incr/incr": "a/incr", "a%2Fincr/incr": "a/incr", "%2Fincr/incr": "/incr",
		"//incr": "/", "a%2F/incr": "a/", "%ff/incr": "\xff", "incr/incr": "incr",
	} {
		before, _ := n.store.Get(key)
		w := ask(h, "POST /v1/kv/"+path, "")
		if after, _ := n.store.Get(key); w.Code != 200 || after.Version != before.Version+1 {
			t.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"k", "incr", "a%2Fincr", "a/incr/", "a/INCR"} {
		expect(t, h, "POST /v1/kv/"+path, "", 405,
			bad("method_not_allowed", "this path takes GET, HEAD, PUT, DELETE"),
			"Allow: GET, HEAD, PUT, DELETE")
	}
	expect(t, h, "POST /v1/kv//incr", "", 400, bad("bad_request", kv.EmptyKey.Error()))
	expect(t, h, "POST /v1/kv/"+strings.Repeat("k", kv.MaxKey+1)+"/incr", "", 413,
		bad("too_large", kv.KeyTooLong.Error()))
	expect(t, h, "PUT /v1/kv/a/incr", "7", 200, `{"created":false,"revision":13}`) // a key like any other
}

func TestBodiesOfIncrements(t *testing.T) {
	n, h := newNode(t)
	for body, message := range map[string]string{
		`{"by":1.5}`: `the body's "by" is a number 1.5 and should be an int64, at byte 9`,
		`{"by":"1"}`: `the body's "by" is a string and should be an int64, at byte 9`,
		`{"by":9223372036854775808}`: `the body's "by" is a number 9223372036854775808 ` +
			`and should be an int64, at byte 25`,
		`{"to":1}`:   `the body does not fit: unknown field "to"`,
		`5`:          `the body is no JSON object (number): send {"by":1}`,
		`{"by":1} x`: `the body goes on behind its JSON, at byte 9`,
		" ":          `the body is empty: send {"by":1}`,
		`{"by":`:     `the body is no JSON: it ends too early`,
	} {
		expect(t, h, "POST /v1/kv/n/incr", body, 400, bad("bad_request", message))
	}
	expect(t, h, "POST /v1/kv/n/incr", strings.Repeat(" ", maxSummand+1), 413,
		bad("too_large", "the body is too large: at most 1024 bytes"))
	if len(n.calls) > 0 {
		t.Errorf("asked the node: %q", n.calls)
	}
}

// TestKeysGoByThemselves: with nobody writing, a key is there until its time, and then gone at every node, by
// an entry of the log.
func TestKeysGoByThemselves(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		if w := ask(c.apis["1"], "PUT /v1/kv/k?ttl=10s", "v"); w.Code != 201 {
			c.t.Fatalf("%d %s", w.Code, w.Body)
		}
		advance(9 * time.Second)
		for id, api := range c.apis {
			if w := ask(api, "GET /v1/kv/k", ""); w.Code != 200 || w.Header().Get("Balsa-Expires") == "" {
				c.t.Errorf("node %s before the time: %d %v", id, w.Code, w.Header())
			}
		}
		advance(3 * time.Second)
		revisions := map[string]bool{}
		for id, api := range c.apis {
			w := ask(api, "GET /v1/kv/k?stale", "")
			if revisions[w.Header().Get("Balsa-Revision")] = true; w.Code != 404 {
				c.t.Errorf("node %s after the time: %d %v", id, w.Code, w.Header())
			}
		}
		if len(revisions) != 1 {
			c.t.Errorf("the nodes are at the revisions %v", revisions)
		}
	})
}
