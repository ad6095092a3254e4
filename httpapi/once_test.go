package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

const keyed = "Idempotency-Key: "

func TestAKeyIsCarriedOutOnce(t *testing.T) {
	n, h := newNode(t)
	for i, want := range []string{"", "true", "true"} {
		w := ask(h, "POST /v1/kv/n/incr", `{"by":5}`, keyed+"visit-7f")
		if got := w.Body.String(); w.Code != 200 || got != `{"value":5,"created":true,"revision":5}`+"\n" {
			t.Errorf("try %d: %d %s", i, w.Code, got)
		}
		holdHeaders(t, "incr", w.Header(), []string{"Idempotent-Replayed: " + want, "Balsa-Revision: 5"})
	}
	ask(h, "PUT /v1/kv/k?local", "v", keyed+"a")
	ask(h, "DELETE /v1/kv/k", "", keyed+"b")
	ask(h, "POST /client/submit?forward=true", `{"command":"SET k v"}`, keyed+"c")
	want := []string{"propose once for 10m0s", "propose once for 10m0s locally", "propose once for 10m0s",
		"propose once for 10m0s"}
	if !slices.Equal(n.calls, want) {
		t.Errorf("the node was asked to %q", n.calls)
	}
	w := ask(h, "POST /client/submit?forward=true", `{"command":"SET k v"}`, keyed+"c")
	if w.Code != 200 || w.Header().Get("Idempotent-Replayed") != "true" || n.store.Revision() != 8 {
		t.Errorf("submitted again: %d %s", w.Code, w.Body)
	}
}

// TestAKeyOfAnotherWrite: whoever draws a key twice is not told of success, and nothing happens.
func TestAKeyOfAnotherWrite(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		session := open(c, "1")
		for _, key := range []string{"a", client.SessionKey(session, 7)} {
			if w := ask(c.apis["1"], "PUT /v1/kv/k?ttl=1h", "v", keyed+key); w.Code >= 300 {
				c.t.Fatalf("under %s: %d %s", key, w.Code, w.Body)
			}
			for _, what := range []string{"DELETE /v1/kv/k", "POST /v1/kv/k/incr", "PUT /v1/kv/k?ttl=1s",
				"PUT /v1/kv/k", "PUT /v1/kv/other?ttl=1h"} {
				body := "v"
				if strings.HasPrefix(what, "POST") {
					body = ""
				}
				w := ask(c.apis["2"], what, body, keyed+key)
				got := w.Body.String()
				const why = "an earlier command was applied under this number or key; " +
					"this is another one, which was not applied"
				if w.Code != 422 || !strings.Contains(got, `"code":"idempotency_key_reused"`) ||
					!strings.Contains(got, why) ||
					!strings.Contains(got, `"outcome":"not_applied"`) || strings.Contains(got, "retry") {
					c.t.Errorf("%s under %s: %d %s", what, key, w.Code, got)
				}
			}
			w := ask(c.apis["3"], "POST /client/submit?forward=true", `{"command":"SET k w"}`, keyed+key)
			if w.Code != 400 || !strings.Contains(w.Body.String(), "this is another one") {
				c.t.Errorf("submitted under %s: %d %s", key, w.Code, w.Body)
			}
			w = ask(c.apis["3"], "PUT /v1/kv/k?ttl=60m", "v", keyed+key) // an hour, in other words
			if w.Code >= 300 || w.Header().Get("Idempotent-Replayed") != "true" {
				c.t.Errorf("the same again under %s: %d %s", key, w.Code, w.Body)
			}
		}
	})
}

// TestTooManyKeys: nothing has happened, and the client is told when to ask again, which it does.
func TestTooManyKeys(t *testing.T) {
	n, h := newNode(t)
	n.err = &balsa.Error{Kind: balsa.ErrTooManyKeys, Outcome: balsa.NotApplied, Node: 2, Term: 3,
		Retry: time.Second}
	w := ask(h, "PUT /v1/kv/k", "v", keyed+"a")
	got := w.Body.String()
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" ||
		!strings.Contains(got, `"code":"too_many_keys"`) ||
		!strings.Contains(got, `"outcome":"not_applied"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), got)
	}
	if w := ask(h, "POST /client/submit", `{"command":"SET k v"}`, keyed+"a"); w.Code != 503 {
		t.Errorf("submitted: %d %s", w.Code, w.Body)
	}
}

// TestARetryIsTheSameBytes: a node compares the commands of a retry, so none of them may say when it was
// sent.
func TestARetryIsTheSameBytes(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		session := open(c, "1")
		for i, request := range [][2]string{{"PUT /v1/kv/k?ttl=90s", "v"}, {"PUT /v1/kv/k", "v"},
			{"PUT /v1/kv/empty", ""}, {"POST /v1/kv/n/incr", ""}, {"POST /v1/kv/n/incr", `{"by":-3}`},
			{"DELETE /v1/kv/k", ""}, {"DELETE /v1/kv/none", ""},
			{"POST /client/submit?forward=true", `{"command":"SET k v"}`}} {
			for _, key := range []string{fmt.Sprint("key-", i),
				client.SessionKey(session, uint64(i+1))} {
				first := ask(c.apis["1"], request[0], request[1], keyed+key)
				for _, node := range []string{"1", "2", "3"} {
					advance(7 * time.Second)
					w := ask(c.apis[node], request[0], request[1], keyed+key)
					if w.Code != first.Code || w.Body.String() != first.Body.String() ||
						w.Header().Get("Idempotent-Replayed") != "true" {
						c.t.Errorf("%q under %s at node %s: %d %s, at first %d %s", request, key, node,
							w.Code, w.Body, first.Code, first.Body)
					}
				}
			}
		}
	})
}

func TestKeysThatAreNotUnderstood(t *testing.T) {
	n, h := newNode(t)
	wrong := "Idempotency-Key is one key of 1 to 128 visible characters of ASCII"
	session := `the Idempotency-Key is none of a session: "session-", its id, "-", and a number from 1`
	for key, message := range map[string]string{
		"": wrong, " ": wrong, "a b": wrong, "ü": wrong, strings.Repeat("k", 129): wrong,
		"session-0-1": session, "session-1-0": session, "session--": session, "session-7-": session,
		"session--7": session, "session-18446744073709551616-1": session,
		"session-1-18446744073709551616": session,
	} {
		for _, what := range []string{"PUT /v1/kv/k", "DELETE /v1/kv/k", "POST /v1/kv/k/incr"} {
			w := ask(h, what, "", keyed+key)
			got := strings.TrimSpace(w.Body.String())
			if w.Code != 400 || got != bad("bad_request", message) {
				t.Errorf("%s under %q: %d %s", what, key, w.Code, got)
			}
		}
	}
	if w := ask(h, "PUT /v1/kv/k", "", keyed+"a", keyed+"b"); w.Code != 400 {
		t.Errorf("two keys: %d %s", w.Code, w.Body)
	}
	for _, what := range []string{"POST /v1/sessions", "DELETE /v1/sessions/7", "POST /v1/snapshot"} {
		if w := ask(h, what, "", keyed+"a"); w.Code != 400 {
			t.Errorf("%s does nothing with a key, but: %d %s", what, w.Code, w.Body)
		}
	}
	if len(n.calls) > 0 || n.saved != 0 {
		t.Errorf("the node was asked to %q", n.calls)
	}
	for _, key := range []string{"!", "~", "1700000000-42", "-", "session-7", "session-1-2-3", "session-1-a",
		"session-a-1", "session-+1-2", "Session-1-2", strings.Repeat("9", 128)} {
		if w := ask(h, "PUT /v1/kv/k", "", keyed+key); w.Code >= 300 {
			t.Errorf("%q: %d %s", key, w.Code, w.Body)
		}
	}
}

func TestRequestsForSessionsThatAreNone(t *testing.T) {
	_, h := newNode(t)
	ttl := `the body's \"ttl\" is a duration above zero and up to 2562047h, such as \"1h\"`
	for body, message := range map[string]string{
		`{}`: ttl, `{"ttl":""}`: ttl, `{"ttl":"0s"}`: ttl, `{"ttl":"-1h"}`: ttl, `{"ttl":"1"}`: ttl,
		`{"ttl":"2562048h"}`: ttl,
		`{"ttl":5}`:          `the body's \"ttl\" is a number and should be a string, at byte 8`,
		`{"for":5}`:          `the body does not fit: unknown field \"for\"`,
		`[]`:                 `the body is no JSON object (array): send {\"ttl\":\"1h\"}`,
	} {
		want := strings.ReplaceAll(message, `\"`, `"`)
		expect(t, h, "POST /v1/sessions", body, 400, bad("bad_request", want))
	}
	for _, id := range []string{"", "0", "x", "-1", "1-1", "18446744073709551616"} {
		expect(t, h, "DELETE /v1/sessions/"+id, "", 400,
			bad("bad_request", "the id of a session is a decimal, as in /v1/sessions/17"))
	}
}

func TestSnapshotByHand(t *testing.T) {
	n, h := newNode(t)
	expect(t, h, "POST /v1/snapshot", "", 202, `{"index":4}`, "Content-Type: application/json")
	w := ask(h, "POST /v1/snapshot", "")
	if w.Code != 409 || !strings.Contains(w.Body.String(), `"code":"nothing_new"`) {
		t.Errorf("once more: %d %s", w.Code, w.Body)
	}
	ask(h, "PUT /v1/kv/k", "v")
	expect(t, h, "POST /v1/snapshot", "", 202, `{"index":5}`)
	if n.saved != 5 {
		t.Errorf("the snapshot has %d", n.saved)
	}
	expect(t, h, "POST /v1/snapshot", "{}", 400, bad("bad_request", "POST /v1/snapshot takes no body"))
	expect(t, h, "GET /v1/snapshot", "", 405, bad("method_not_allowed", "this path takes POST"))
}

// open opens a session at a node and returns its id.
func open(c *cluster, id string) (session uint64) {
	c.t.Helper()
	w := ask(c.apis[id], "POST /v1/sessions", `{"ttl":"1m"}`)
	if _, err := fmt.Sscanf(w.Body.String(), `{"id":%d}`, &session); w.Code != 201 || err != nil {
		c.t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got, want := w.Header().Get("Location"), fmt.Sprint("/v1/sessions/", session); got != want {
		c.t.Errorf("Location %s, want %s", got, want)
	}
	return session
}

// TestSessionsThroughRealNodes: a number counts once, whichever node it is sent to, until the session ends.
func TestSessionsThroughRealNodes(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		session := open(c, "1")
		incr := func(node string, number int, status int, body, replayed string) {
			c.t.Helper()
			key := keyed + client.SessionKey(session, uint64(number))
			w := ask(c.apis[node], "POST /v1/kv/n/incr", "", key)
			if w.Code != status || !strings.Contains(w.Body.String(), body) ||
				w.Header().Get("Idempotent-Replayed") != replayed {
				c.t.Errorf("node %s, number %d: %d %s %v", node, number, w.Code, w.Body, w.Header())
			}
		}
		for number := 1; number <= 3; number++ {
			value := fmt.Sprintf(`{"value":%d,`, number)
			incr("2", number, 200, value, "")
			incr("3", number, 200, value, "true")
			incr("1", number, 200, value, "true")
		}
		incr("1", 1, 200, `{"value":1,`, "true")

		advance(30 * time.Second)
		incr("2", 4, 200, `{"value":4,`, "") // and begins the minute anew
		advance(45 * time.Second)
		incr("2", 5, 200, `{"value":5,`, "")
		advance(2 * time.Minute)
		incr("2", 6, 404, `"code":"session_gone"`, "")
		incr("2", 6, 404, `"outcome":"unknown"`, "")
		for id := range c.nodes { // none of them sends the client to the leader, who would say the same
			gone := fmt.Sprintf(`"message":"node %v: the session is gone",`, id)
			incr(id.String(), 6, 404, gone, "")
			if w := ask(c.apis[id.String()], "POST /client/submit?forward=true", `{"command":"SET k v"}`,
				keyed+client.SessionKey(session, 6)); strings.Contains(w.Body.String(), "leads") {
				c.t.Errorf("node %v: %s", id, w.Body)
			}
		}

		session = open(c, "2")
		incr("1", 1, 200, `{"value":6,`, "")
		path := fmt.Sprintf("DELETE /v1/sessions/%d", session)
		if w := ask(c.apis["3"], path, ""); w.Code != 204 || w.Body.Len() > 0 {
			c.t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w := ask(c.apis["3"], path, ""); w.Code != 404 {
			c.t.Errorf("%s again: %d %s", path, w.Code, w.Body)
		}
		incr("1", 2, 404, `"code":"session_gone"`, "")
	})
}

// forgetful loses every second answer on its way to the client, who cannot tell that from a request that
// never arrived.
type forgetful struct {
	http.RoundTripper
	mu    sync.Mutex
	count int
	stops func(count int) // called before a request goes out
}

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.count++
	count := f.count
	f.mu.Unlock()
	f.stops(count)
	response, err := f.RoundTripper.RoundTrip(r)
	if err == nil && count%2 == 0 {
		return nil, errors.New("the connection broke")
	}
	return response, err
}

// TestLostRepliesAndRetries: with every second answer lost, and the leader taken away again and again, each
// increment that was acknowledged has counted, and has counted once.
func TestLostRepliesAndRetries(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		lossy := &forgetful{RoundTripper: c}
		lossy.stops = func(count int) {
			if count%40 == 0 { // its client learns of that from the silence
				c.restart(c.nodes[1].Status().Leader)
			}
		}
		cl, err := client.New([]string{"1", "2", "3"}, client.WithHTTPClient(&http.Client{Transport: lossy}),
			client.WithPatience(time.Minute))
		if err != nil {
			c.t.Fatal(err)
		}
		s, err := cl.NewSession(c.t.Context(), time.Hour)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range 60 {
			got, err := s.Increment(c.t.Context(), "in a session", 1)
			if err != nil || got.Value != int64(i+1) {
				c.t.Fatalf("increment %d: %+v, %v", i+1, got, err)
			}
			got, err = cl.Increment(c.t.Context(), "under keys", 1, client.Once(""))
			if err != nil || got.Value != int64(i+1) {
				c.t.Fatalf("increment %d: %+v, %v", i+1, got, err)
			}
		}
		if err := s.Close(c.t.Context()); err != nil {
			c.t.Error(err)
		}
		if lossy.count < 180 {
			c.t.Errorf("%d requests for 120 increments: nothing was sent again", lossy.count)
		}
	})
}

// restart opens a node anew on its disk.
func (c *cluster) restart(id raft.NodeID) {
	if id == raft.None {
		return
	}
	c.t.Helper()
	if err := errors.Join(c.nodes[id].Close(), c.dirs[id].Close()); err != nil {
		c.t.Error(err)
	}
	c.open(id)
}
