package sim

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
)

// committed takes an entry with an ordinary command, or with none.
func (h *history) committed(m Moment, index raft.Index, command []byte) {
	h.enters(m, entered{index: index, asked: plainly(command)})
}

// plainly stands for a request for an ordinary command.
func plainly(command []byte) uint64 { return askedFor(replica.Once{}, command) }

// sessionEntry is an entry of sessions, as servers write it: with the kinds and fields of replica.Once.
func sessionEntry(index raft.Index, at raft.Time, o replica.Once, command string) raft.Entry {
	b := []byte{1, byte(o.What)}
	switch o.What {
	case replica.OpenSession:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.TTL))
	case replica.CloseSession:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.Session))
	case replica.InSession:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.Session))
		b = binary.LittleEndian.AppendUint64(b, o.Number)
	case replica.UnderKey:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.TTL))
		b = append(append(b, byte(len(o.Key))), o.Key...)
	}
	return raft.Entry{Term: 1, Index: index, Time: at, Kind: raft.Session, Command: append(b, command...)}
}

func opens(ttl raft.Time) replica.Once { return replica.Once{What: replica.OpenSession, TTL: ttl} }
func under(key string, ttl raft.Time) replica.Once {
	return replica.Once{What: replica.UnderKey, Key: key, TTL: ttl}
}
func inSession(session raft.Index, n uint64) replica.Once {
	return replica.Once{What: replica.InSession, Session: session, Number: n}
}

const (
	isFirst    = "is the first with its number or key"
	isAnothers = "comes under a number or key of another command"
	isArranged = "opens or closes a session"
	isLost     = "is of a session that is gone"
	isOld      = "comes under a number that its session has forgotten"
	isTooMuch  = "comes under a new key where there is no room for one"
)

// TestTable: what each entry comes to follows from those before it, and from nothing else.
func TestTable(t *testing.T) {
	ends := replica.Once{What: replica.CloseSession, Session: 1}
	for name, c := range map[string][]struct {
		at      raft.Time
		once    replica.Once
		command string
		want    string
	}{
		"a number comes again": {{1, opens(10), "", isArranged}, {2, inSession(1, 1), "a",
			isFirst}, {3, inSession(1, 2), "a", isFirst},
			{4, inSession(1, 1), "a", "repeats entry 2"}, {5, inSession(1, 1), "b",
				isAnothers}},
		"a session ends by itself": {{1, opens(10), "", isArranged}, {10, inSession(1, 1), "a",
			isFirst}, {19, inSession(1, 1), "a", "repeats entry 2"}, {29,
			inSession(1, 1), "a", isLost}},
		"a session is closed": {{1, opens(10), "", isArranged}, {2, ends, "",
			isArranged}, {3, ends, "", isLost}, {3, inSession(1, 1), "a",
			isLost}},
		"a key is forgotten": {{1, under("k", 10), "a", isFirst}, {10,
			under("k", 10), "a", "repeats entry 1"}, {19, under("k", 10), "b",
			isAnothers}, {20, under("k", 10), "a",
			isFirst}},
		"another command is no use": {{1, opens(10), "", isArranged}, {5, inSession(1, 1), "a",
			isFirst}, {14, inSession(1, 1), "b", isAnothers}, {15, inSession(1, 1), "a", isLost}},
		"for ever": {{1 << 62, opens(math.MaxInt64), "", isArranged}, {math.MaxInt64 - 1,
			inSession(1, 1), "a", isFirst}},
		"too many sessions": {{1, opens(10), "", isArranged}, {1, opens(10), "", isArranged},
			{2, inSession(1, 1), "a", isFirst}, {2, opens(10), "", isArranged},
			{2, inSession(2, 1), "a", isLost}, {2, inSession(1, 1), "a", "repeats entry 3"},
			{2, inSession(4, 1), "a", isFirst}},
		"too many keys": {{1, under("k", 10), "a", isFirst}, {2, under("l", 10), "a", isFirst},
			{3, under("m", 10), "a", isTooMuch}, {3, under("k", 10), "a", "repeats entry 1"},
			{12, under("m", 10), "a", isFirst}},
		"too many numbers": {{1, opens(10), "", isArranged}, {2, inSession(1, 5), "a", isFirst},
			{2, inSession(1, 3), "a", isFirst}, {2, inSession(1, 7), "a", isFirst},
			{2, inSession(1, 3), "a", isOld}, {2, inSession(1, 2), "a", isOld},
			{2, inSession(1, 4), "a", isFirst}, {2, inSession(1, 4), "a", isOld},
			{2, inSession(1, 5), "a", "repeats entry 2"}},
	} {
		table := newTable(replica.Limits{Sessions: 2, Numbers: 2, Keys: 2})
		for i, step := range c {
			e := sessionEntry(raft.Index(i+1), step.at, step.once, step.command)
			v, asked := table.enter(&e)
			if v.String() != step.want || asked != askedFor(step.once, []byte(step.command)) {
				t.Errorf("%s: entry %d %v, want that it %s", name, i+1, v, step.want)
			}
		}
	}
}

// TestTheWindowOfTheTable: what is forgotten is gone, and never taken for new.
func TestTheWindowOfTheTable(t *testing.T) {
	table := newTable(replica.Limits{})
	for i := range raft.Index(windowOfNumbers + 3) {
		e := sessionEntry(i+1, 1, inSession(1, uint64(i)), "a")
		if i == 0 {
			e = sessionEntry(1, 1, opens(10), "")
		}
		table.enter(&e)
	}
	for number, want := range map[uint64]string{1: isOld,
		2: isOld, 3: "repeats entry 4"} {
		e := sessionEntry(1000, 1, inSession(1, number), "a")
		if v, _ := table.enter(&e); v.String() != want {
			t.Errorf("number %d: the entry %v, want that it %s", number, v, want)
		}
	}
}

// TestCounters: the number at the end lies between what is known and what may be.
func TestCounters(t *testing.T) {
	increment := func(id uint64) step { return called(Operation{ID: id, Kind: Increment, Key: "n"}) }
	done := func(b *book) {
		b.h.enters(b.now, entered{index: raft.Index(len(b.h.entries)), asked: plainly(kv.Increment("n", 1))})
	}
	ok := func(id uint64, at raft.Index) step {
		return ended(id, Reply{Outcome: OK, Revision: at, Latest: at, Number: int64(at), Created: at == 1})
	}
	story := []step{increment(1), done, ok(1, 1), increment(2), done, unknown(2), increment(3), no(3),
		increment(4)}
	for number := range 6 {
		b := tell(story...)
		b.h.counts(b.now, b.h.counter("n"), number)
		v := b.h.violation()
		if wrong := number < 1 || number > 3; wrong != (v != nil) || wrong && v.Property != ExactlyOnce {
			t.Errorf("of one increment that is done, one unknown and one open %d is counted: %v", number, v)
		}
	}
	if v := tell(increment(1), done, ended(1, Reply{Outcome: OK, Revision: 1, Latest: 1, Number: 2,
		Created: true})).h.violation(); v == nil || v.Property != Linearizability {
		t.Errorf("an increment by one of nothing that comes to 2: %v", v)
	}
}

// TestACounterUnderALeaderKilledEverySecond: with retries until it is acknowledged, each increment is done
// exactly once, whoever leads.
func TestACounterUnderALeaderKilledEverySecond(t *testing.T) {
	o := DefaultOptions()
	o.Keys, o.Reads, o.Thinking, o.Patience = 1, 0, 20*Millisecond, Minute
	o.InSessions, o.SessionLife, o.Increments, o.Retries = 100, Hour, 100, 200
	o.Faulty, o.Healed = 20*Second, 30*Second
	w := world(t, Spec{Version: SpecVersion, Seed: 5, Options: o}, Parts{})
	kills := 0
	for at := Second; at < o.Faulty; at += Second {
		w.RunUntil(at)
		for _, s := range w.servers {
			if s.up() && s.sight.role == raft.Leader {
				kills++
				w.Do(Op{Kind: Kill, Node: s.id, Mode: "power"})
			}
		}
		w.RunUntil(at + 300*Millisecond)
		for _, s := range w.servers {
			w.Do(Op{Kind: Restart, Node: s.id})
		}
	}
	if r := w.Run(); r.Violation != nil {
		t.Fatal(r.Violation)
	}
	c := w.history.counter(counterPrefix + "0")
	item, _ := w.servers[0].machine.(*kv.Store).Get(c.key)
	number, _ := strconv.Atoi(string(item.Value))
	t.Logf("%d leaders killed, %d increments: %v", kills, number, w.counts.effects)
	if c.unknown != 0 || c.again != 0 || number != c.done || kills < 10 || number < 100 {
		t.Errorf("the counter is %d after %d kills: %+v", number, kills, *c)
	}
}

// TestWhoOwesAnAnswer: an operation that ends in doubt accuses servers that must answer, and no others: who
// asks an impostor first, and then a server that just does not lead, will never know what the first one did.
func TestWhoOwesAnAnswer(t *testing.T) {
	for _, impostor := range []bool{false, true} {
		s := small(0)
		s.Options.Repetition = Repetition{UnderKeys: 100, Retries: 1, KeyLife: Second}
		w := world(t, s, Parts{})
		w.RunUntil(Second)
		w.servers[0].trouble.gone = impostor
		c := w.addClient(true)
		c.manner = replica.UnderKey
		c.ask(Operation{Kind: Put, Node: 1, Key: "k", Once: under("a", raft.Time(Second))})
		if r := (Reply{Outcome: Unknown}); !c.askAgain(0, &r) {
			t.Fatal("it does not ask again")
		}
		r := Reply{Outcome: No}
		if c.askAgain(0, &r) || r.Outcome != Unknown || c.owed == impostor {
			t.Errorf("impostor %v: ends %v, owed %v", impostor, r.Outcome, c.owed)
		}
	}
}
