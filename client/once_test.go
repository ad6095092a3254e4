package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

// TestTooManyKeysIsAskedAgain: under the same key, until there is room, and no more often than the cluster
// suggests, at one node: each try costs an entry of the log.
func TestTooManyKeysIsAskedAgain(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Minute)
		l.mood = func(count int) http.HandlerFunc {
			if count > 7 {
				return nil
			}
			return refuse(503, ErrorDetail{Code: CodeTooManyKeys, Outcome: NotApplied, RetryAfterMS: 1000})
		}
		began := time.Now()
		got, err := c.Increment(t.Context(), "n", 3, Once("k"))
		if took := time.Since(began); took < 7*time.Second || took > 7*(time.Second+longestPause) {
			t.Errorf("7 refusals, and %v", took)
		}
		if err != nil || got.Value != 3 || len(l.keys) != 8 || l.keys[7] != "k" {
			t.Errorf("%+v, %v after %q", got, err, l.keys)
		}
		l.mood = func(int) http.HandlerFunc {
			return refuse(422, ErrorDetail{Code: CodeKeyReused, Outcome: NotApplied})
		}
		_, err = c.Increment(t.Context(), "n", 4, Once("k"))
		if !errors.Is(err, ErrKeyReused) || errors.Is(err, ErrOutcomeUnknown) || len(l.keys) != 9 {
			t.Errorf("%v after %q", err, l.keys)
		}

		l.mood = func(int) http.HandlerFunc {
			return refuse(503, ErrorDetail{Code: CodeTooManyKeys, Outcome: NotApplied, RetryAfterMS: 100_000})
		}
		bounded, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		_, err = c.Increment(bounded, "n", 4, Once("k"))
		took := time.Since(began)
		if !errors.Is(err, ErrUnavailable) || took != time.Minute || len(l.keys) != 10 {
			t.Errorf("%v after %v and %q", err, took, l.keys)
		}
	})
}

// TestNoTryComesAfterTheKeysLife: the cluster would carry it out once more. Only tries of which nobody knows
// what became begin its life, and a session outlives it.
func TestNoTryComesAfterTheKeysLife(t *testing.T) {
	for _, test := range []struct {
		name, key string
		mood      http.HandlerFunc
		want      time.Duration // after which it gives up
		outcome   Outcome
	}{
		{"a key", "k", hangUp, KeyLife / 2, OutcomeUnknown},
		{"a key that looks like a session's", "session-1-a", hangUp, KeyLife / 2, OutcomeUnknown},
		{"a session", SessionKey(1, 1), hangUp, time.Hour, OutcomeUnknown},
		{"nothing is unknown", "k", refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied}),
			time.Hour, NotApplied},
	} {
		onPipes(t, func(t *testing.T, p *pipes) {
			l, c := pair(p, time.Second)
			l.mood = func(int) http.HandlerFunc { return test.mood }
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			_, err := c.Increment(ctx, "n", 1, Once(test.key))
			var e *Error
			if took := time.Since(began); !errors.As(err, &e) || e.Outcome != test.outcome ||
				took < test.want || took > test.want+longestPause {
				t.Errorf("%s: %v after %v, want %s after %v", test.name, err, took, test.outcome, test.want)
			}
		})
	}
}

// TestTheDoubtBeginsTheKeysLife: long without a leader, and then an answer is lost: from there the time runs.
func TestTheDoubtBeginsTheKeysLife(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		l, c := pair(p, time.Second)
		began := time.Now()
		l.mood = func(int) http.HandlerFunc {
			if time.Since(began) < KeyLife || time.Since(began) > KeyLife+time.Second {
				return refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied})
			}
			return hangUp
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := c.Increment(ctx, "n", 1, Once("k"))
		took, want := time.Since(began), KeyLife+KeyLife/2
		if !errors.Is(err, ErrOutcomeUnknown) || took < want || took > want+2*longestPause {
			t.Errorf("%v after %v, want %v", err, took, want)
		}
	})
}

// TestARefusalOfTheMapThatComesLate: the first try may have been carried out, and its key forgotten since.
func TestARefusalOfTheMapThatComesLate(t *testing.T) {
	for after, want := range map[time.Duration]Outcome{time.Minute: NotApplied, KeyLife: OutcomeUnknown} {
		onPipes(t, func(t *testing.T, p *pipes) {
			l := &ledger{answers: map[string][]byte{}}
			l.mood = func(count int) http.HandlerFunc {
				if count == 1 {
					return hangUp
				}
				advance(after)
				return refuse(409, ErrorDetail{Code: CodeConflict, Outcome: NotApplied})
			}
			p.serve("a:1", l)
			c := p.client(time.Hour, time.Hour, "a:1")
			_, err := c.Increment(t.Context(), "n", 1, Once("k"))
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeConflict || e.Outcome != want {
				t.Errorf("after %v: %v, want %s", after, err, want)
			}
		})
	}
}
