package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// request is what a node was sent.
type request struct{ method, uri, body string }

// scribe returns a node that answers writes as a real one does, and the last request that it was sent.
func scribe(t *testing.T) (*httptest.Server, *atomic.Pointer[request]) {
	var last atomic.Pointer[request]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last.Store(&request{r.Method, r.RequestURI, string(body)})
		w.Header().Set(HeaderServedBy, "1")
		if r.Method == http.MethodPost {
			_ = json.NewEncoder(w).Encode(IncrementBody{Value: -3, Created: true, Revision: 8})
			return
		}
		accept(w, r)
	}))
	t.Cleanup(s.Close)
	return s, &last
}

func TestTTL(t *testing.T) {
	n, last := scribe(t)
	c := connect(t, n.URL)
	for ttl, uri := range map[time.Duration]string{
		30 * time.Second: "/v1/kv/k?ttl=30s", time.Nanosecond: "/v1/kv/k?ttl=1ns", 0: "/v1/kv/k?ttl=0s",
		-time.Second: "/v1/kv/k?ttl=-1s", 90 * time.Minute: "/v1/kv/k?ttl=1h30m0s",
	} {
		if _, err := c.Put(t.Context(), "k", []byte("v"), TTL(ttl)); err != nil || last.Load().uri != uri {
			t.Errorf("%v: %v, sent to %s", ttl, err, last.Load().uri)
		}
	}
	asked := last.Load()
	_, del := c.Delete(t.Context(), "k", TTL(time.Second))
	_, incr := c.Increment(t.Context(), "k", 1, TTL(time.Second))
	for _, err := range []error{del, incr} {
		var e *Error
		if !errors.Is(err, ErrBadRequest) || !errors.As(err, &e) || e.Outcome != NotApplied {
			t.Errorf("a time to live for what takes none: %v", err)
		}
	}
	if last.Load() != asked {
		t.Error("it was sent")
	}
}

func TestIncrement(t *testing.T) {
	n, last := scribe(t)
	c := connect(t, n.URL)
	got, err := c.Increment(t.Context(), "a/incr", -7)
	if err != nil || got != (IncrementResult{8, true, -3}) {
		t.Errorf("%+v, %v", got, err)
	}
	if want := (request{"POST", "/v1/kv/a%2Fincr/incr", `{"by":-7}`}); *last.Load() != want {
		t.Errorf("sent %+v, want %+v", *last.Load(), want)
	}
	if _, err := c.Increment(t.Context(), strings.Repeat("k", MaxKey+1), 1); !errors.Is(err, ErrBadRequest) {
		t.Errorf("a key that is too long: %v", err)
	}
}

// TestAnIncrementIsNotRepeated: one whose answer was lost may have been added.
func TestAnIncrementIsNotRepeated(t *testing.T) {
	n, other := start(t, 1, hangUp), start(t, 2, accept)
	c := connect(t, n.URL, other.URL)
	_, err := c.Increment(t.Context(), "k", 1)
	if !errors.Is(err, ErrOutcomeUnknown) || n.asked.Load() != 1 || other.asked.Load() != 0 {
		t.Errorf("%v after %d and %d tries", err, n.asked.Load(), other.asked.Load())
	}
}

func TestAConflictIsFinal(t *testing.T) {
	n := start(t, 1, refuse(409, ErrorDetail{Code: CodeConflict, Outcome: NotApplied}))
	c := connect(t, n.URL)
	_, err := c.Increment(t.Context(), "k", 1)
	if !errors.Is(err, ErrConflict) || errors.Is(err, ErrOutcomeUnknown) || n.asked.Load() != 1 {
		t.Errorf("%v after %d tries", err, n.asked.Load())
	}
}

func TestExpiresIsRead(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	for header, good := range map[string]bool{at.Format(time.RFC3339Nano): true, "soon": false} {
		n := start(t, 1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(HeaderExpires, header)
			accept(w, r)
		})
		item, err := connect(t, n.URL).Get(t.Context(), "k")
		if (err == nil) != good || good && !item.Expires.Equal(at) {
			t.Errorf("%s: %v, %v", header, item.Expires, err)
		}
	}
}

// TestSnapshot: one node is asked, once, for longer than a try of anything else would wait.
func TestSnapshot(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		n, other := &node{id: 1}, &node{id: 2, answer: accept}
		n.answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Method+" "+r.RequestURI != "POST /v1/snapshot?timeout=60s" {
				t.Errorf("asked for %s %s", r.Method, r.RequestURI)
			}
			advance(50 * time.Second)
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(SnapshotBody{Index: 17})
		}
		p.serve("a:1", n)
		p.serve("b:1", other)
		c := p.client(time.Second, time.Second, "b:1", "a:1")
		if last, err := c.Snapshot(t.Context(), "a:1"); err != nil || last != 17 {
			t.Errorf("%d, %v", last, err)
		}
		n.answer = refuse(409, ErrorDetail{Code: CodeNothingNew, Outcome: NotApplied})
		if _, err := c.Snapshot(t.Context(), "a:1"); !errors.Is(err, ErrConflict) {
			t.Errorf("nothing new: %v", err)
		}
		if _, err := c.Snapshot(t.Context(), "nobody:1"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("nobody there: %v", err)
		}
		if n.asked.Load() != 2 || other.asked.Load() != 0 {
			t.Errorf("asked %d and %d times", n.asked.Load(), other.asked.Load())
		}
	})
}
