package raft

import (
	"runtime"
	"testing"
)

// carrying is an entry that puts a configuration in force.
func carrying(index Index, term Term, c Configuration) Entry {
	return Entry{Term: term, Index: index, Kind: ConfigurationChange, Command: c.AppendTo(nil)}
}

// TestTheDriverIsToldOfEveryConfiguration, also of one at the index of another, and of the first that
// a server learns which joins.
func TestTheDriverIsToldOfEveryConfiguration(t *testing.T) {
	told := func(claim string, c *Core, index Index, want string) {
		t.Helper()
		out := c.Output()
		if out.Members == nil || described(*out.Members) != want || out.MembersIndex != index {
			t.Fatalf("%s: the driver was told of %v at %d", claim, out.Members, out.MembersIndex)
		}
		if out := c.Output(); out.Members != nil {
			t.Errorf("%s: it was told twice", claim)
		}
	}
	two, one := three(), three()
	two.Voters, two.Learners = []NodeID{1, 2}, []NodeID{3}
	one.Voters, one.Learners = []NodeID{1}, []NodeID{2, 3}

	c := newCore(t, Restored{})
	if out := c.Output(); out.Members != nil {
		t.Errorf("at the start the driver is told of %v", out.Members)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 1, Entries: []Entry{carrying(1, 1, two)}}})
	told("appended", c, 1, "[1 2] learners [3]")
	c.Step(0, Receive{From: 3, Message: AppendEntries{Term: 2, Entries: []Entry{carrying(1, 2, one)}}})
	told("replaced at the same index", c, 1, "[1] learners [2 3]")
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 3,
		Entries: []Entry{{Term: 3, Index: 1, Kind: NoOp}}}})
	told("truncated", c, 0, "[1 2 3]")

	joiner, err := New(Config{ID: 4}, Restored{HardState: HardState{Term: 2}, Joins: true})
	if err != nil {
		t.Fatal(err)
	}
	joiner.Output()
	joiner.Step(0, Installed{Snapshot: snapshotAt(5, 2)}) // it bears the bootstrap configuration, of index 0
	told("installed", joiner, 0, "[1 2 3]")
}

// TestManyConfigurationsInOneMessage cost memory in proportion to their number.
func TestManyConfigurationsInOneMessage(t *testing.T) {
	c := newCore(t, Restored{})
	m := AppendEntries{Term: 1}
	for i := range Index(5000) {
		m.Entries = append(m.Entries, carrying(i+1, 1, three()))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.Step(0, Receive{From: 2, Message: m})
	runtime.ReadMemStats(&after)
	if spent := after.TotalAlloc - before.TotalAlloc; c.members.index != 5000 || spent > 64<<20 {
		t.Errorf("%d configurations took %d MiB", c.members.index, spent>>20)
	}
}

// TestALogThatIsKeptKeepsItsConfiguration: what this server has acted upon stays, whatever a snapshot says.
func TestALogThatIsKeptKeepsItsConfiguration(t *testing.T) {
	c := newCore(t, Restored{HardState: HardState{Term: 2}})
	two := three()
	two.Voters, two.Learners = []NodeID{1, 2}, []NodeID{3}
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 2,
		Entries: []Entry{carrying(1, 2, two), {Term: 2, Index: 2, Kind: NoOp}}}})
	settle(c)
	s := snapshotAt(2, 2)
	s.Members, s.MembersIndex = three(), 1
	c.Step(0, Installed{Snapshot: s})
	if got, index := c.MembersAt(2); described(got) != "[1 2] learners [3]" || index != 1 {
		t.Errorf("in force is %s, of entry %d", described(got), index)
	}
}

// TestASnapshotTellsOneThatJoins who the servers are, also when its log is kept.
func TestASnapshotTellsOneThatJoins(t *testing.T) {
	c, err := New(Config{ID: 4}, Restored{HardState: HardState{Term: 2}, Joins: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 2,
		Entries: []Entry{{Term: 2, Index: 1, Kind: NoOp}, {Term: 2, Index: 2, Kind: NoOp}}}})
	settle(c)
	c.Step(0, Installed{Snapshot: snapshotAt(2, 2)})
	if got := described(c.Members()); got != "[1 2 3]" {
		t.Errorf("in force is %q", got)
	}
}

// TestOneThatLeavesIsKnownBehindASnapshot, and no entry is kept for it.
func TestOneThatLeavesIsKnownBehindASnapshot(t *testing.T) {
	c := promoting(t)
	c.Step(0, ChangeMembership{Change: Change{Remove: []NodeID{4}}})
	answering(c, 2, 3)
	c.peer(4).joins = true
	c.Step(0, Applied{Index: c.outbox.committed})
	last := c.log.last()
	if got := c.kept(last.Index); got != last.Index {
		t.Errorf("the log is kept from %d on, not %d", got, last.Index)
	}
	s := Snapshot{Last: last, Time: c.log.lastTime(), Members: c.Members(), MembersIndex: c.members.index}
	c.Step(0, Snapshotted{Snapshot: s})
	if m, known := c.Known(4); len(c.members.earlier) > 0 || !known || m.Address != "d" {
		t.Errorf("it is known as %+v, %v", m, known)
	}
	if m, known := c.Known(9); known {
		t.Errorf("a stranger is known as %+v", m)
	}
}

// TestOneThatLeavesAndGetsNowhereIsLetGo: it answers, and its disk takes nothing.
func TestOneThatLeavesAndGetsNowhereIsLetGo(t *testing.T) {
	c := promoting(t)
	c.Step(0, ChangeMembership{Change: Change{Remove: []NodeID{4}}})
	answering(c, 2, 3)
	p := c.peer(4)
	p.joins = true
	if m, known := c.Known(4); !known || m.Incarnation != 7 {
		t.Errorf("it is known as %+v, %v", m, known)
	}
	for range maxIdle * c.config.ElectionMax {
		if c.peer(4) == nil {
			t.Fatal("it was let go too soon")
		}
		c.Step(0, Receive{From: 4, Incarnation: 7, Message: AppendEntriesResponse{Term: 1, Match: p.match,
			Holds: p.match, Busy: true}})
		answering(c, 2, 3)
		c.Step(0, Tick{})
	}
	if c.peer(4) != nil {
		t.Error("it is spoken to for ever")
	}
}
