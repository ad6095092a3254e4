package sim

import (
	"strings"
	"testing"

	"balsa/raft"
)

// book tells a history one thing after the other, each in an event of its own, a millisecond apart.
type book struct {
	h   *history
	now Moment
}

// step is one thing that is told.
type step func(b *book)

func tell(steps ...step) *book {
	b := &book{h: newHistory()}
	for _, s := range steps {
		b.now.Position++
		b.now.Time += Millisecond
		s(b)
	}
	return b
}

func called(op Operation) step {
	op.Client, op.Node = int(op.ID), raft.NodeID(op.ID)
	return func(b *book) { b.h.call(b.now, op) }
}

func put(id uint64, key, value string) step {
	return called(Operation{ID: id, Kind: Put, Key: key, Value: []byte(value)})
}

func del(id uint64, key string) step { return called(Operation{ID: id, Kind: Delete, Key: key}) }

func get(id uint64, key string, mode ReadMode) step {
	return called(Operation{ID: id, Kind: Get, Key: key, Mode: mode})
}

func ended(id uint64, r Reply) step { return func(b *book) { b.h.finish(b.now, id, r) } }
func no(id uint64) step             { return ended(id, Reply{Outcome: No}) }
func unknown(id uint64) step        { return ended(id, Reply{Outcome: Unknown}) }

func created(id uint64, at raft.Index) step {
	return ended(id, Reply{Outcome: OK, Revision: at, Latest: at, Created: true})
}

func replaced(id uint64, at raft.Index) step {
	return ended(id, Reply{Outcome: OK, Revision: at, Latest: at})
}

func deleted(id uint64, at raft.Index) step {
	return ended(id, Reply{Outcome: OK, Revision: at, Latest: at, Deleted: true})
}

func read(id uint64, at, latest raft.Index, value string) step {
	return ended(id, Reply{Outcome: OK, Revision: at, Latest: latest, Found: true, Read: []byte(value)})
}

func absent(id uint64, at, latest raft.Index) step {
	return ended(id, Reply{Outcome: OK, Revision: at, Latest: latest})
}

// entry is an entry that is now known to be committed: that of a command in words, or a no-op.
func entry(index raft.Index, words ...string) step {
	op := Operation{}
	switch len(words) {
	case 2:
		op = Operation{Kind: Delete, Key: words[1]}
	case 3:
		op = Operation{Kind: Put, Key: words[1], Value: []byte(words[2])}
	}
	return func(b *book) { b.h.committed(b.now, index, op.Command()) }
}

func over() step { return func(b *book) { b.h.end(b.now) } }

// began is a history in which a=1 stands at revision 2, answered in the fourth event.
func began(more ...step) []step {
	return append([]step{entry(1), put(1, "a", "1"), entry(2, "put", "a", "1"), created(1, 2)}, more...)
}

func TestHistoriesThatAreExplained(t *testing.T) {
	for name, steps := range map[string][]step{
		"nothing": {over()},
		"reads of the empty map": {get(1, "a", Linearizable), absent(1, 0, 0), entry(1), get(2, "a", Stale),
			absent(2, 1, 0), over()},
		"one after the other": began(get(2, "a", Linearizable), read(2, 2, 2, "1"), del(3, "a"),
			entry(3, "del", "a"), deleted(3, 3), get(4, "a", FromLeader), absent(4, 3, 3), over()),
		"a no-op in between": began(entry(3), get(2, "a", Linearizable), read(2, 3, 2, "1"), over()),
		"no-ops are not told": began(put(2, "a", "2"), entry(7, "put", "a", "2"), replaced(2, 7),
			get(3, "a", Stale), read(3, 5, 2, "1"), over()),
		"a delete of nothing": began(del(2, "b"), entry(3, "del", "b"),
			ended(2, Reply{Outcome: OK, Revision: 3, Latest: 2}), get(3, "a", Linearizable), read(3, 3, 2,
				"1"), over()),
		"stale reads see the past": began(put(2, "a", "2"), entry(3, "put", "a", "2"), replaced(2, 3),
			get(3, "a", Stale), read(3, 2, 2, "1"), get(4, "a", FromLeader), absent(4, 1, 0), over()),
		"a read beside a write may miss it": began(put(2, "a", "2"), get(3, "a", Linearizable),
			entry(3, "put", "a", "2"), replaced(2, 3), read(3, 2, 2, "1"), over()),
		"or see it before its client knows": began(put(2, "a", "2"), entry(3, "put", "a", "2"),
			get(3, "a", Linearizable), read(3, 3, 3, "2"), replaced(2, 3), over()),
		"writes beside each other, answered the other way round": {put(1, "a", "1"), put(2, "a", "2"),
			entry(1, "put", "a", "2"), entry(2, "put", "a", "1"), replaced(1, 2), created(2, 1), over()},
		"unknown and never done": began(put(2, "a", "2"), unknown(2), get(3, "a", Linearizable),
			read(3, 2, 2, "1"), over()),
		"unknown and done later": began(put(2, "a", "2"), unknown(2), get(3, "a", Linearizable),
			read(3, 2, 2, "1"), entry(3, "put", "a", "2"), get(4, "a", Linearizable), read(4, 3, 3, "2"),
			over()),
		"an unknown delete that is seen": began(del(2, "a"), unknown(2), entry(3, "del", "a"),
			get(3, "a", Linearizable), absent(3, 3, 3), over()),
		"deletes that are alike": began(del(2, "a"), del(3, "a"), entry(3, "del", "a"), entry(4, "del", "a"),
			ended(3, Reply{Outcome: OK, Revision: 4, Latest: 3}), deleted(2, 3), over()),
		"no and never done": began(put(2, "a", "2"), no(2), get(3, "a", Linearizable), read(3, 2, 2, "1"),
			over()),
		"one of two deletes was denied": began(del(2, "a"), del(3, "a"), entry(3, "del", "a"), no(2),
			deleted(3, 3), over()),
		"a read that was denied": began(get(2, "a", Linearizable), no(2), over()),
		"a client that reads its own write": began(called(Operation{ID: 2, Kind: Get, Mode: AtLeast, Index: 2,
			Key: "a"}), read(2, 2, 2, "1"), over()),
		"open at the end": began(put(2, "a", "2"), entry(3, "put", "a", "2"), get(3, "a", Linearizable),
			read(3, 3, 3, "2"), get(4, "a", Linearizable), over()),
		"a value of no bytes": {put(1, "a", ""), entry(1, "put", "a", ""), created(1, 1),
			get(2, "a", Linearizable), read(2, 1, 1, ""), over()},
	} {
		if v := tell(steps...).h.violation(); v != nil {
			t.Errorf("%s: %v", name, v)
		}
	}
}

// lie is a history that nothing explains, and what is to be said of it.
type lie struct {
	steps     []step
	property  Property
	sentence  string
	witnesses [2]uint64 // the events
}

func TestReadsThatNothingExplains(t *testing.T) {
	moved := began(put(2, "a", "2"), entry(3, "put", "a", "2"), replaced(2, 3)) // to event 7
	and := func(more ...step) []step { return append(moved[:len(moved):len(moved)], more...) }
	exposed(t, map[string]lie{
		"a stale read": {and(get(3, "a", Linearizable), read(3, 2, 2, "1")), Linearizability,
			"get a (linearizable) was called after revision 3 had been answered, and saw revision 2",
			[2]uint64{7, 9}},
		"a stale read by lease": {and(get(3, "a", Leased), read(3, 2, 2, "1")), Linearizability,
			"get a (lease) was called after revision 3 had been answered, and saw revision 2",
			[2]uint64{7, 9}},
		"a read older than another read": {
			began(put(2, "a", "2"), entry(3, "put", "a", "2"), get(3, "a", Stale),
				read(3, 3, 3, "2"), get(4, "a", Linearizable), read(4, 2, 2, "1")),
			Linearizability,
			"called after revision 3 had been answered, and saw revision 2",
			[2]uint64{8, 10},
		},
		"own write not read": {and(called(Operation{ID: 3, Kind: Get, Mode: AtLeast, Index: 3, Key: "a"}),
			read(3, 2, 2, "1")), Linearizability, "get a (at least 3) saw revision 2", [2]uint64{8, 9}},
		"a wrong value": {and(get(3, "a", Stale), read(3, 3, 3, "1")), Linearizability,
			`get a (stale) was told revision 3, "1", which is not what the map held`, [2]uint64{6, 9}},
		"a lost value": {and(get(3, "a", FromLeader), absent(3, 3, 3)), Linearizability,
			"was told revision 3, not found, which is not what the map held", [2]uint64{6, 9}},
		"a value from nowhere": {began(get(2, "b", Linearizable), read(2, 2, 2, "x")), Linearizability,
			"which is not what the map held", [2]uint64{0, 6}},
		"a revision of the map that is not": {and(get(3, "a", Stale), read(3, 3, 2, "2")), Linearizability,
			"the map's latest change is entry 2; it is entry 3", [2]uint64{6, 9}},
		"a read of what is not committed": {began(put(2, "a", "2"), get(3, "a", Stale), read(3, 3, 3, "2")),
			Linearizability, "returned revision 3, and 2 entries are committed", [2]uint64{3, 7}},
	})
}

func TestWritesThatNothingExplains(t *testing.T) {
	exposed(t, map[string]lie{
		"a write that is not committed": {began(put(2, "a", "2"), replaced(2, 3)), Linearizability,
			"returned revision 3, and 2 entries are committed", [2]uint64{3, 6}},
		"a write without an entry": {began(put(2, "a", "2"), replaced(2, 0)), Linearizability,
			"returned revision 0", [2]uint64{3, 6}},
		"a lost write": {began(put(2, "a", "2"), put(3, "a", "3"), entry(3, "put", "a", "3"), replaced(2, 3)),
			Linearizability, `put a="2" returned revision 3, and entry 3 is put a="3"`, [2]uint64{7, 8}},
		"a lost write under a no-op": {began(put(2, "a", "2"), entry(3), replaced(2, 3)), Linearizability,
			"and entry 3 is no client's", [2]uint64{6, 7}},
		"a write twice": {
			began(put(2, "a", "2"), entry(3, "put", "a", "2"), replaced(2, 3), entry(4, "put", "a", "2")),
			ExactlyOnce,
			`put a="2" was asked for 1 times and is committed 2 times, as entries 3 and 4`,
			[2]uint64{6, 8},
		},
		"a delete more than were asked": {began(del(2, "a"), del(3, "a"), entry(3, "del", "a"),
			entry(4, "del", "a"), entry(5, "del", "a")), ExactlyOnce,
			"delete a was asked for 2 times and is committed 3 times", [2]uint64{8, 9}},
		"one entry for two": {began(del(2, "a"), del(3, "a"), entry(3, "del", "a"), deleted(2, 3),
			deleted(3, 3)), ExactlyOnce, "entry 3 answers two operations: delete a", [2]uint64{8, 9}},
		"an aborted read": {began(put(2, "a", "2"), no(2), entry(3, "put", "a", "2")), Linearizability,
			`put a="2" was said to be never done, and is entry 3`, [2]uint64{6, 7}},
		"denied after it was done": {
			began(put(2, "a", "2"), entry(3, "put", "a", "2"), no(2)),
			Linearizability,
			`put a="2" was said to be never done, and is entry 3`,
			[2]uint64{6, 7},
		},
		"both deletes denied and one done": {
			began(del(2, "a"), del(3, "a"), no(2), no(3), entry(3, "del", "a")),
			Linearizability,
			"delete a was said to be never done, and is entry 3",
			[2]uint64{8, 9},
		},
		"nobody's command": {began(entry(3, "put", "b", "x")), Linearizability,
			"entry 3 is a command that no client asked for", [2]uint64{5, 5}},
		"created, but it was there": {began(put(2, "a", "2"), entry(3, "put", "a", "2"), created(2, 3)),
			Linearizability,
			"was told revision 3, created (the map's latest change: 3); the map says created false",
			[2]uint64{6, 7}},
		"replaced, but it was not there": {began(put(2, "b", "2"), entry(3, "put", "b", "2"), replaced(2, 3)),
			Linearizability,
			"was told revision 3, replaced (the map's latest change: 3); the map says created true",
			[2]uint64{6, 7}},
		"deleted, but it was not there": {began(del(2, "b"), entry(3, "del", "b"),
			ended(2, Reply{Outcome: OK, Revision: 3, Latest: 2, Deleted: true})), Linearizability,
			"(the map's latest change: 2); the map says created false, deleted false", [2]uint64{6, 7}},
		"a write that names another change": {began(
			put(2, "a", "2"),
			entry(3, "put", "a", "2"),
			ended(2, Reply{Outcome: OK, Revision: 3, Latest: 2}),
		), Linearizability, "latest 3", [2]uint64{6, 7}},
		"a write before what was answered": {began(del(2, "a"), unknown(2), entry(3, "del", "a"),
			put(3, "b", "3"), entry(4, "put", "b", "3"), created(3, 4), del(4, "a"),
			deleted(4, 3)), Linearizability,
			"called after revision 4 had been answered, and took effect before it, at revision 3",
			[2]uint64{10, 12}},
		"a write before its call": {began(del(2, "a"), unknown(2), entry(3, "del", "a"), del(3, "a"),
			deleted(3, 3)), Linearizability, "delete a returned revision 3, committed before it was called",
			[2]uint64{7, 9}},
	})
}

func exposed(t *testing.T, lies map[string]lie) {
	t.Helper()
	for name, c := range lies {
		v := tell(c.steps...).h.violation()
		switch {
		case v == nil:
			t.Errorf("%s: nothing was found", name)
		case v.Property != c.property || !strings.Contains(v.Sentence, c.sentence):
			t.Errorf("%s: %v", name, v)
		case len(v.Witnesses) < 1 || c.witnesses != [2]uint64{v.Witnesses[0].Position,
			v.Witnesses[len(v.Witnesses)-1].Position}:
			t.Errorf("%s: the witnesses should be of events %v: %v", name, c.witnesses, v)
		}
	}
}

// TestViolationNamesTheFacts holds one violation to the letter, as a person reads it.
func TestViolationNamesTheFacts(t *testing.T) {
	v := tell(began(put(2, "a", "2"), entry(3, "put", "a", "2"), replaced(2, 3), get(3, "a", Linearizable),
		read(3, 2, 2, "1"))...).h.violation()
	const want = `Linearizability: ` +
		`get a (linearizable) was called after revision 3 had been answered, and saw revision 2
    e7 (7ms): n2 answers client 2: put a="2", called at e5 (5ms): revision 3, replaced
    e9 (9ms): n3 answers client 3: get a (linearizable), called at e8 (8ms): revision 2, "1"`
	if v == nil || v.Error() != want {
		t.Errorf("%v\nwant\n%s", v, want)
	}
}

func TestNothingIsHeardAfterAViolation(t *testing.T) {
	b := tell(began(put(2, "a", "2"), replaced(2, 9), entry(3, "put", "x", "y"), put(4, "a", "4"),
		entry(3), no(77), over(), func(b *book) { b.h.overdue(Moment{9, Hour}) })...)
	if v := b.h.violation(); v == nil || v.Position != 6 {
		t.Errorf("%v", v)
	}
}

func TestOverdue(t *testing.T) {
	late := func(b *book) { b.h.overdue(b.now) }
	until := func(id uint64, deadline Time) step {
		return called(Operation{ID: id, Kind: Get, Key: "a", Mode: Stale, Deadline: deadline})
	}
	answered := func(id uint64) step { return absent(id, 0, 0) }
	ms := Millisecond
	for name, c := range map[string]struct {
		steps []step
		who   string
	}{
		"in time": {[]step{until(1, 3*ms), late, late, answered(1), late, late, late},
			""},
		"late":                  {[]step{until(1, 3*ms), late, late, late}, "client 1"},
		"the other one is late": {[]step{until(1, 9*ms), until(2, 3*ms), late, late}, "client 2"},
		"after the first was in time": {[]step{until(1, 3*ms), until(2, 5*ms), answered(1), late, late,
			late}, "client 2"},
		"the later deadline, later on": {[]step{until(1, 2*ms), until(2, 4*ms), answered(1), late, late},
			"client 2"},
		"at the end":         {[]step{until(1, 2*ms), entry(1), over()}, "client 1"},
		"without a deadline": {[]step{until(1, 0), late, over()}, ""},
	} {
		v := tell(c.steps...).h.violation()
		if c.who == "" && v != nil {
			t.Errorf("%s: %v", name, v)
		}
		if c.who != "" && (v == nil || v.Property != Answered || !strings.Contains(v.Sentence, c.who) ||
			len(v.Witnesses) != 2) {
			t.Errorf("%s: %v", name, v)
		}
	}
}

// TestOpaque: of the commands of another state machine the order is checked, and nothing else.
func TestOpaque(t *testing.T) {
	add := func(id uint64, command string) step {
		return called(Operation{ID: id, Kind: Put, Opaque: []byte(command)})
	}
	done := func(index raft.Index, command string) step {
		return func(b *book) { b.h.committed(b.now, index, []byte(command)) }
	}
	clean := []step{add(1, "add 1"), done(1, "add 1"), replaced(1, 1)}
	b := tell(append(clean, over())...)
	if v := b.h.violation(); v != nil || b.h.tally.Searched != 0 {
		t.Errorf("%v, %+v", v, b.h.tally)
	}
	if v := tell(append(clean, done(2, "add 1"))...).h.violation(); v == nil || v.Property != ExactlyOnce {
		t.Error(v)
	}
}

// TestMemory: an operation that has ended does not hold on to those before it, nor to long values.
func TestMemory(t *testing.T) {
	b := tell(began(put(2, "a", strings.Repeat("x", 1<<20)))...)
	p := b.h.open[0]
	for _, s := range []step{entry(3, "put", "a", string(p.Value)), replaced(2, 3)} {
		s(b)
	}
	if v := b.h.violation(); v != nil || p.floor != nil || p.searched != nil || cap(p.Value) > 64 {
		t.Errorf("%v; the floor is %v, %d bytes stay", v, p.floor, cap(p.Value))
	}
}

func TestWrongWorlds(t *testing.T) {
	for name, steps := range map[string][]step{
		"an end without a call":      {no(1)},
		"an operation ends twice":    {put(1, "a", "1"), no(1), no(1)},
		"an entry is told twice":     {entry(1), entry(1)},
		"an entry after a later one": {entry(2), entry(1)},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			tell(steps...)
		}()
	}
}
