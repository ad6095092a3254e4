package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ledger is what the nodes of a fake cluster share: a counter, what each key was answered, and in which order
// requests came.
type ledger struct {
	mu      sync.Mutex
	sum     int64
	answers map[string][]byte
	keys    []string
	mood    func(count int) http.HandlerFunc // what to answer instead to that request; nil: nothing
	after   bool                             // the mood comes after the request was carried out
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set(HeaderServedBy, "1")
	l.mu.Lock()
	key := r.Header.Get(HeaderIdempotencyKey)
	l.keys = append(l.keys, key)
	var mood http.HandlerFunc
	if l.mood != nil {
		mood = l.mood(len(l.keys))
	}
	answer := []byte(nil)
	if mood == nil || l.after {
		answer = l.carryOut(r, key, body)
	}
	l.mu.Unlock()
	if mood != nil {
		mood(w, r)
		return
	}
	_, _ = w.Write(answer)
}

func (l *ledger) carryOut(r *http.Request, key string, body []byte) []byte {
	if answer, known := l.answers[key]; known && key != "" {
		return answer
	}
	var answer any = SessionBody{ID: 77}
	switch {
	case strings.HasSuffix(r.URL.Path, PathIncrement):
		var request IncrementRequest
		_ = json.Unmarshal(body, &request)
		l.sum += *request.By
		answer = IncrementBody{Value: l.sum, Revision: 9}
	case r.Method == http.MethodPut:
		answer = PutBody{Created: true, Revision: 9}
	case r.Method == http.MethodDelete:
		answer = DeleteBody{Deleted: 1, Revision: 9}
	}
	b, _ := json.Marshal(answer)
	l.answers[key] = b
	return b
}

// pair is a cluster of two on pipes, and a client of it.
func pair(p *pipes, patience time.Duration) (*ledger, *Client) {
	l := &ledger{answers: map[string][]byte{}}
	p.serve("a:1", l)
	p.serve("b:1", l)
	return l, p.client(patience, 200*time.Millisecond, "a:1", "b:1")
}

func lost(t *testing.T, l *ledger, times int) {
	t.Helper()
	l.after = true
	l.mood = func(count int) http.HandlerFunc {
		if count > times {
			return nil
		}
		return hangUp
	}
}

// TestALostAnswerIsAskedForAgain: the increment happens once, and its answer is the first one's.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Minute)
		lost(t, l, 5)
		got, err := c.Increment(t.Context(), "n", 3, Once("my-key"))
		if err != nil || got.Value != 3 || l.sum != 3 || len(l.keys) != 6 {
			t.Errorf("%+v, %v; the counter is %d after %d requests", got, err, l.sum, len(l.keys))
		}
		for _, key := range l.keys {
			if key != "my-key" {
				t.Errorf("sent under the key %q", key)
			}
		}
	})
}

// TestKeysAreDrawn: without a key the client draws one for each write, and keeps to it.
func TestKeysAreDrawn(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Minute)
		lost(t, l, 1)
		_, one := c.Put(t.Context(), "n", nil, Once(""))
		_, two := c.Delete(t.Context(), "n", Once(""))
		if one != nil || two != nil || len(l.keys) != 3 || l.keys[0] != l.keys[1] || l.keys[1] == l.keys[2] ||
			len(l.keys[0]) < 20 || strings.Contains(l.keys[0], "-") {
			t.Errorf("%v, %v; keys %q", one, two, l.keys)
		}
		if _, err := c.Put(t.Context(), "n", nil); err != nil || l.keys[3] != "" {
			t.Errorf("%v; a plain write was sent under the key %q", err, l.keys[3])
		}
	})
}

// TestOnceKeepsTheUnknown: a refusal says nothing about the try before it.
func TestOnceKeepsTheUnknown(t *testing.T) {
	noLeader := refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied})
	for name, test := range map[string]struct {
		later   http.HandlerFunc
		outcome Outcome
		code    Code
	}{
		"no leader": {noLeader, OutcomeUnknown, CodeNoLeader},
		"a full one": {refuse(507, ErrorDetail{Code: CodeNoSpace, Outcome: NotApplied}), OutcomeUnknown,
			CodeNoSpace},
		"gone": {refuse(404, ErrorDetail{Code: CodeSessionGone, Outcome: OutcomeUnknown}), OutcomeUnknown,
			CodeSessionGone},
		"another's": {refuse(422, ErrorDetail{Code: CodeKeyReused, Outcome: NotApplied}), OutcomeUnknown,
			CodeKeyReused},
		"the map's own": {refuse(409, ErrorDetail{Code: CodeConflict, Outcome: NotApplied}), NotApplied,
			CodeConflict},
	} {
		onPipes(t, func(t *testing.T, p *pipes) {
			l, c := pair(p, 2*time.Second)
			l.mood = func(count int) http.HandlerFunc {
				if count == 1 {
					return hangUp
				}
				return test.later
			}
			_, err := c.Increment(t.Context(), "n", 1, Once("k"))
			var e *Error
			if !errors.As(err, &e) || e.Outcome != test.outcome || e.Code != test.code {
				t.Errorf("%s: %v, want %s, %s", name, err, test.code, test.outcome)
			}
		})
	}
	onPipes(t, func(t *testing.T, p *pipes) { // and nothing is unknown where nothing was
		l, c := pair(p, 2*time.Second)
		l.mood = func(int) http.HandlerFunc { return noLeader }
		if _, err := c.Put(t.Context(), "n", nil, Once("k")); errors.Is(err, ErrOutcomeUnknown) {
			t.Error(err)
		}
	})
}

// TestOnceGoesOnUntilTheDeadline: the patience bounds only who has not said how long to wait.
func TestOnceGoesOnUntilTheDeadline(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Second)
		l.mood = func(int) http.HandlerFunc { return hangUp }
		gaveUp := func(ctx context.Context, want time.Duration) {
			began := time.Now()
			_, err := c.Put(ctx, "n", nil, Once("k"))
			if took := time.Since(began); took != want || !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("%v after %v, not %v", err, took, want)
			}
		}
		gaveUp(t.Context(), time.Second)
		bounded, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		gaveUp(bounded, 30*time.Second)
	})
}

func TestKeysThatAreNone(t *testing.T) {
	n := start(t, 1, accept)
	c := connect(t, n.URL)
	for _, key := range []string{" ", "a b", "a\n", "ü", "\x7f", strings.Repeat("k", 129)} {
		if _, err := c.Put(t.Context(), "k", nil, Once(key)); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if n.asked.Load() != 0 {
		t.Error("it was sent")
	}
	for _, key := range []string{"!", "~", strings.Repeat("k", 128)} {
		if _, err := c.Put(t.Context(), "k", nil, Once(key)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestSession(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Minute)
		lost(t, l, 2) // opening it twice does no harm
		s, err := c.NewSession(t.Context(), time.Hour)
		if err != nil || s.ID() != 77 {
			t.Fatal(err)
		}
		lost(t, l, 4)
		_, put := s.Put(t.Context(), "n", nil, TTL(time.Second))
		got, incr := s.Increment(t.Context(), "n", 2)
		_, del := s.Delete(t.Context(), "n")
		if put != nil || del != nil || incr != nil || got.Value != 2 {
			t.Errorf("%v, %v, %v: %+v", put, incr, del, got)
		}
		want := "[   session-77-1 session-77-1 session-77-2 session-77-3]"
		if got := fmt.Sprint(l.keys); got != want {
			t.Errorf("keys %s, want %s", got, want)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		l.mood = func(int) http.HandlerFunc {
			return refuse(404, ErrorDetail{Code: CodeSessionGone, Outcome: OutcomeUnknown})
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("closing what is gone: %v", err)
		}
		if _, err := s.Delete(t.Context(), "n"); !errors.Is(err, ErrSessionGone) ||
			!errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("a write of a session that is gone: %v", err)
		}
	})
}

// TestNumbersStayWithinTheWindow: no number is given away while one is under way whose result it would push
// out of the cluster's memory.
func TestNumbersStayWithinTheWindow(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Hour)
		s, err := c.NewSession(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.number(t.Context())
		if err != nil || first != 1 {
			t.Fatal(first, err)
		}
		var writers sync.WaitGroup
		for range 2 * window {
			writers.Go(func() {
				if _, err := s.Increment(t.Context(), "n", 1); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if l.sum != window-1 {
			t.Errorf("%d writes while the first was under way, want %d", l.sum, window-1)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Put(ended, "n", nil)
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("waiting for a number beyond the end of the context: %v", err)
		}
		s.done(first)
		writers.Wait()
		if l.sum != 2*window {
			t.Errorf("%d writes in the end, want %d", l.sum, 2*window)
		}
	})
}
