package replica

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"balsa/raft"
)

// history feeds one entry after the other to a machine.
type history struct {
	t       *testing.T
	machine *Machine
	inner   *counter
	index   raft.Index
	now     raft.Time
}

func newHistory(t *testing.T) *history {
	inner := &counter{}
	return &history{t: t, machine: NewMachine(inner), inner: inner, now: 1000}
}

func (h *history) put(once Once, command string) Result {
	h.t.Helper()
	h.index++
	e := raft.Entry{Term: 1, Index: h.index, Time: h.now}
	e.Kind, e.Command = once.encode([]byte(command))
	return applyAll(h.t, h.machine, []raft.Entry{e})[0]
}

func (h *history) open(ttl raft.Time) raft.Index {
	h.t.Helper()
	h.put(Once{What: OpenSession, TTL: ttl}, "")
	return h.index
}

func (h *history) use(session raft.Index, number uint64) Result {
	h.t.Helper()
	return h.put(Once{What: InSession, Session: session, Number: number}, "x")
}

// E7: numbers may come in any order, each counts once, and the newest 256 are remembered.
func TestTheWindowOfNumbers(t *testing.T) {
	h := newHistory(t)
	s := h.open(1 << 40)
	for _, number := range []uint64{5, 3, 9} {
		if r := h.use(s, number); r.Replayed || r.Fate == SessionGone {
			t.Errorf("number %d: %+v", number, r)
		}
	}
	if r := h.use(s, 3); !r.Replayed || string(r.Bytes) != "2: x" {
		t.Errorf("number 3 again: %+v, want its first result", r)
	}
	for number := uint64(10); number < 10+maxRemembered; number++ {
		h.use(s, number)
	}
	for number, want := range map[uint64]Result{
		3: {Fate: SessionGone}, 9: {Fate: SessionGone},
		4:  {Fate: SessionGone}, // it was never seen; nobody can tell any more
		10: {Bytes: []byte("4: x"), Replayed: true},
	} {
		if r := h.use(s, number); !equalResults(r, want) {
			t.Errorf("number %d: %+v, want %+v", number, r, want)
		}
	}
	if h.inner.n != 3+maxRemembered {
		t.Errorf("%d commands were applied", h.inner.n)
	}
	if r := h.use(s+1, 1); r.Fate != SessionGone {
		t.Errorf("in a session that never was: %+v", r)
	}
	h.throughASnapshot()
	if r := h.use(s, 4); r.Fate != SessionGone { // a snapshot forgets no more than its server did
		t.Errorf("number 4 after a snapshot: %+v", r)
	}
}

// E8: sessions end by the time of entries, whatever kind they are of, and each use begins their time anew.
func TestSessionsEndByLogTimeAlone(t *testing.T) {
	h := newHistory(t)
	s := h.open(100)
	h.now += 99
	if r := h.use(s, 1); r.Fate == SessionGone {
		t.Error("it has ended before its time")
	}
	if due := h.machine.due(); due != h.now+100 {
		t.Errorf("due at %d, want %d", due, h.now+100)
	}
	h.now += 99
	h.put(Once{}, "somebody else")
	if r := h.use(s, 1); !r.Replayed {
		t.Errorf("after 99 of 100: %+v", r)
	}
	h.now += 100
	h.index++
	noop := raft.Entry{Term: 1, Index: h.index, Time: h.now, Kind: raft.NoOp}
	applyAll(t, h.machine, []raft.Entry{noop})
	if n := h.machine.sessions.count(); n != 0 {
		t.Errorf("%d sessions are left at the end of their time", n)
	}
	if r := h.use(s, 2); r.Fate != SessionGone || h.machine.due() != 0 {
		t.Errorf("after its end: %+v, due %d", r, h.machine.due())
	}
	forEver := h.open(math.MaxInt64)
	h.now += 1 << 60
	if r := h.use(forEver, 1); r.Fate == SessionGone {
		t.Error("one for ever has ended")
	}
}

func TestASessionIsClosedOnce(t *testing.T) {
	h := newHistory(t)
	s := h.open(100)
	end := Once{What: CloseSession, Session: s}
	if r := h.put(end, ""); r.Fate == SessionGone {
		t.Error("it was not there")
	}
	if r := h.put(end, ""); r.Fate != SessionGone {
		t.Error("it was there twice")
	}
	if r := h.use(s, 1); r.Fate != SessionGone || h.inner.n != 0 {
		t.Errorf("used after its end: %+v", r)
	}
}

// Too many sessions push out the one that was not used for the longest time, and no other.
func TestTooManySessions(t *testing.T) {
	h := newHistory(t)
	first, second := h.open(1<<40), h.open(1<<40)
	for range maxSessions - 2 {
		h.open(1 << 40)
	}
	h.use(first, 1)
	h.open(1 << 40)
	h.put(Once{What: UnderKey, Key: "k", TTL: 1 << 40}, "x") // keys are no sessions
	if n := h.machine.sessions.count(); n != maxSessions {
		t.Fatalf("%d sessions", n)
	}
	if r := h.use(first, 1); !r.Replayed {
		t.Errorf("the first was used since: %+v", r)
	}
	if r := h.use(second, 1); r.Fate != SessionGone {
		t.Errorf("the second was not used for the longest time: %+v", r)
	}
}

// The results are bounded by bytes too: others go first, then the own earlier ones.
func TestTooLargeResults(t *testing.T) {
	h := newHistory(t)
	h.machine.sessions.limits.bytes = 10 * (rememberedOverhead + 100)
	large := string(bytes.Repeat([]byte("x"), 97))
	a, b := h.open(1<<40), h.open(1<<40)
	put := func(s raft.Index, number uint64) Result {
		result := large[:len(large)-len(fmt.Sprint(h.inner.n+1))+1] // with its number in front, 100 bytes
		return h.put(Once{What: InSession, Session: s, Number: number}, result)
	}
	put(a, 1)
	for number := range uint64(9) {
		put(b, number+1)
	}
	if h.machine.sessions.count() != 2 {
		t.Fatal("there was room for ten")
	}
	put(b, 10)
	if r := h.use(a, 1); r.Fate != SessionGone {
		t.Errorf("the other session: %+v", r)
	}
	put(b, 11)
	if r := h.use(b, 1); r.Fate != SessionGone {
		t.Errorf("its own first: %+v", r)
	}
	if r := put(b, 2); r.Fate != KeyReused { // it is remembered, and put numbers its commands
		t.Errorf("its own second: %+v", r)
	}
}

// scribbler gives away results that are a small part of a large buffer.
type scribbler struct{ counter }

func (s *scribbler) Apply(raft.Entry) []byte { return append(make([]byte, 0, 1<<20), "first"...) }

// What is remembered is nobody else's: whoever is given a result may write to it, and what it was cut from is
// let go of.
func TestRememberedResultsAreTheirOwn(t *testing.T) {
	h := newHistory(t)
	h.machine = NewMachine(&scribbler{})
	session := h.open(1 << 40)
	under := Once{What: UnderKey, Key: "k", TTL: 1 << 40}
	for range 3 {
		for what, r := range map[string]Result{"session": h.use(session, 1), "key": h.put(under, "x")} {
			if string(r.Bytes) != "first" {
				t.Errorf("%s: %+v", what, r)
			}
			copy(r.Bytes, "XXXXX")
		}
	}
	for _, held := range []int{cap(h.machine.sessions.held[0].results[0].result),
		cap(h.machine.keys.held[0].result)} {
		if held > 64 {
			t.Errorf("%d bytes are held for one result of 5", held)
		}
	}
}

// A number stands for the command that was applied under it, after a snapshot too: another one is refused,
// and takes nothing away from the first.
func TestANumberStandsForItsCommand(t *testing.T) {
	h := newHistory(t)
	command := Once{What: InSession, Session: h.open(1 << 40), Number: 7}
	h.put(command, "x")
	for _, when := range []string{"before", "after"} {
		due := h.machine.due()
		h.now++
		if r := h.put(command, "y"); !equalResults(r, Result{Fate: KeyReused}) || h.machine.due() != due {
			t.Errorf("another command, %s a snapshot: %+v, due %d, before %d", when, r, h.machine.due(), due)
		}
		if r := h.put(command, "x"); string(r.Bytes) != "1: x" || !r.Replayed {
			t.Errorf("the same one, %s a snapshot: %+v", when, r)
		}
		h.throughASnapshot()
	}
	if h.inner.n != 1 {
		t.Errorf("%d commands were applied", h.inner.n)
	}
}

// A capture copies addresses and no results.
func BenchmarkCaptureOfFullSessionsAndKeys(b *testing.B) {
	m := NewMachine(&counter{})
	sessions, keys := m.sessions, m.keys
	result := func() []byte { return make([]byte, 64) }
	for i := range maxSessions {
		e := raft.Entry{Index: raft.Index(2*i + 1), Time: 1}
		sessions.open(e, 1<<40)
		for number := range uint64(20) {
			sessions.once(e, Once{Session: e.Index, Number: number + 1}, 0, result)
		}
	}
	for i := range maxKeys {
		e := raft.Entry{Index: raft.Index(i + 1), Time: 1}
		keys.once(e, Once{Key: fmt.Sprint(i), TTL: 1}, 0, result)
	}
	for b.Loop() {
		sessions.capture()
		keys.capture()
	}
}
