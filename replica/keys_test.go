package replica

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"balsa/raft"
)

// under puts a command under a key.
func (h *history) under(key string, ttl raft.Time, command string) Result {
	h.t.Helper()
	return h.put(Once{What: UnderKey, Key: key, TTL: ttl}, command)
}

// throughASnapshot has the machine restored from its own image.
func (h *history) throughASnapshot() {
	h.t.Helper()
	image := imageOf(h.t, h.machine)
	if err := h.machine.restore(raft.EntryID{Term: 1, Index: h.index}, bytes.NewReader(image)); err != nil {
		h.t.Fatal(err)
	}
}

// A key is forgotten when it was not used for its time, and not found under the id of a session.
func TestKeys(t *testing.T) {
	h := newHistory(t)
	if r := h.under("k", 100, "x"); string(r.Bytes) != "1: x" || r.Replayed {
		t.Errorf("the first: %+v", r)
	}
	if r := h.use(h.index, 1); r.Fate != SessionGone {
		t.Errorf("a key was used as a session: %+v", r)
	}
	h.now += 99
	if r := h.under("k", 1, "x"); string(r.Bytes) != "1: x" || !r.Replayed {
		t.Errorf("the second: %+v", r)
	}
	h.now += 99 // the use began its time anew, which is that of the first command
	if r := h.under("k", 1, "y"); r.Fate != KeyReused || h.machine.due() != h.now+1 {
		t.Errorf("another command: %+v, due %d, now %d", r, h.machine.due(), h.now)
	}
	h.now++ // that one was no use
	if r := h.under("k", 100, "y"); string(r.Bytes) != "2: y" || r.Replayed {
		t.Errorf("after its time: %+v", r)
	}
	forEver := h.under("for ever", math.MaxInt64, "z")
	h.now += 1 << 60
	if r := h.under("for ever", 1, "z"); !r.Replayed || !bytes.Equal(r.Bytes, forEver.Bytes) {
		t.Errorf("one for ever: %+v", r)
	}
}

// A key stands for the command that was applied under it, after a snapshot too: another one is refused, and
// takes nothing away from the first.
func TestAKeyStandsForItsCommand(t *testing.T) {
	h := newHistory(t)
	h.under("k", 100, "x")
	for _, when := range []string{"before", "after"} {
		for _, other := range []string{"y", "", "xx"} {
			if r := h.under("k", 100, other); !equalResults(r, Result{Fate: KeyReused}) {
				t.Errorf("%q, %s a snapshot: %+v", other, when, r)
			}
		}
		if r := h.under("k", 100, "x"); string(r.Bytes) != "1: x" || !r.Replayed {
			t.Errorf("the same one, %s a snapshot: %+v", when, r)
		}
		h.throughASnapshot()
	}
	if h.inner.n != 1 {
		t.Errorf("%d commands were applied", h.inner.n)
	}
}

// When there are too many, it is the new key that goes without: its command is not applied, no older key is
// forgotten for it, sessions do not suffer, and once one has ended there is room.
func TestTooManyKeys(t *testing.T) {
	h := newHistory(t)
	session := h.open(1 << 40)
	h.use(session, 1)
	h.under("the first", 100, "x")
	h.now++
	for i := range maxKeys - 1 {
		h.under(fmt.Sprint(i), 1<<40, "x")
	}
	applied := h.inner.n
	for _, when := range []string{"before", "after"} {
		if r := h.under("one too many", 1, "x"); !equalResults(r, Result{Fate: TooManyKeys}) {
			t.Errorf("%s a snapshot, the new one: %+v", when, r)
		}
		for _, key := range []string{"the first", "0", fmt.Sprint(maxKeys - 2)} {
			if r := h.under(key, 1, "x"); !r.Replayed {
				t.Errorf("%s a snapshot, %q: %+v", when, key, r)
			}
		}
		if r := h.use(session, 1); !r.Replayed {
			t.Errorf("%s a snapshot, the session: %+v", when, r)
		}
		h.throughASnapshot()
	}
	if h.inner.n != applied {
		t.Errorf("%d commands were applied without being remembered", h.inner.n-applied)
	}
	h.now += 100 // since the latest use of the first
	if r := h.under("one too many", 1, "x"); r.Fate != Done || r.Replayed {
		t.Errorf("when one has ended: %+v", r)
	}
	if r := h.under("another", 1, "x"); r.Fate != TooManyKeys {
		t.Errorf("and there was room for one: %+v", r)
	}
	h.open(1 << 40)
	h.put(Once{}, "plain")
	if h.inner.n != applied+2 {
		t.Errorf("what needs no key was not applied")
	}
}

// Keys and results are bounded by bytes too: the last one taken may go beyond, and then no new key is taken.
func TestTooManyBytesOfKeys(t *testing.T) {
	h := newHistory(t)
	h.machine.keys.limits.bytes = 2 * (keyOverhead + 1 + 4)
	h.under("a", 100, "x")
	h.now++
	h.under("b", 1000, strings.Repeat("y", 500))
	if r := h.under("c", 1, "x"); r.Fate != TooManyKeys {
		t.Errorf("there are %d bytes: %+v", h.machine.keys.bytes, r)
	}
	if r := h.under("a", 100, "x"); !r.Replayed {
		t.Errorf("the first: %+v", r)
	}
	if r := h.under("b", 1, strings.Repeat("y", 500)); !r.Replayed || len(r.Bytes) != 503 {
		t.Errorf("the large one: %+v", r)
	}
	h.now += 1000
	r, want := h.under("c", 1, "x"), keyOverhead+1+4
	if r.Fate != Done || h.inner.n != 3 || h.machine.keys.bytes != want {
		t.Errorf("when they have ended: %+v, %d bytes", r, h.machine.keys.bytes)
	}
}
