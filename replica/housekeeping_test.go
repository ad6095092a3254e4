package replica

import (
	"errors"
	"slices"
	"testing"

	"balsa/raft"
)

// The first configuration entry comes when all were heard, and names them all and version 1.
func TestTheFirstConfigurationNamesEverybody(t *testing.T) {
	for founders := 1; founders <= 3; founders++ {
		c := gather(t, founders)
		l := c.settled()
		want := voters(founders)
		for i := range want.Members {
			m := &want.Members[i]
			m.Incarnation, m.API = identity(m.ID).Incarnation, "http://server:"+m.ID.String()
			m.Start = 1
		}
		want.Version = 1
		c.pass(50)
		for _, b := range c.servers {
			got, index := b.core.MembersAt(b.core.Commit())
			if !equal(got, want) || index != 2 {
				t.Errorf("of %d: server %v has %+v at %d, want %+v at 2", founders, b.id(), got, index, want)
			}
			if named := b.config.Identity.Configuration; named != index {
				t.Errorf("of %d: server %v says that %d names it", founders, b.id(), named)
			}
		}
		if l.Status().Last.Index != 2 {
			t.Errorf("of %d: the log goes on to %v", founders, l.Status().Last)
		}
	}
}

func equal(a, b raft.Configuration) bool {
	return slices.Equal(a.AppendTo(nil), b.AppendTo(nil))
}

// As long as one member runs a program from before, or was not heard, no configuration entry comes, whatever
// is asked for.
func TestNoConfigurationEntryBeforeEverybodyKnowsThem(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*company)
	}{
		{"an old program", func(c *company) {
			old := found(3, 103, false)
			old.self.Version, old.self.Address = 0, ""
			c.start(old)
		}},
		{"one that is down", func(c *company) { c.end(3) }},
		{"one that cannot answer", func(c *company) {
			c.cut = func(from, to raft.NodeID) bool { return from == 3 }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := gather(t, 3)
			c.prepare(w)
			w.serves()
			w.pass(100)
			yes := true
			add := raft.Member{ID: 4, Incarnation: 104, Address: "server:4"}
			for _, change := range []raft.Change{{AutoPromote: &yes}, {Add: []raft.Member{add}},
				{Remove: []raft.NodeID{3}, AutoPromote: &yes}, {Remove: []raft.NodeID{2}, Force: true},
				{Remove: []raft.NodeID{2, 3}, Force: true}} {
				if a := w.change(change); a.Fate != Rejected || a.Refusal != raft.VersionTooLow {
					t.Errorf("%+v is answered %+v", change, a)
				}
			}
			for _, b := range w.servers {
				for _, e := range b.EntriesAfter(0) {
					if e.Kind == raft.ConfigurationChange {
						t.Errorf("server %v has %v", b.id(), e)
					}
				}
			}
			w.cut = nil
			w.start(found(3, 103, false)) // it had nothing to lose
			w.settled()
			if a := w.change(raft.Change{AutoPromote: &yes}); a.Fate != Done {
				t.Errorf("with everybody there: %+v", a)
			}
		})
	}
}

// One who never came up is let go all the same, if all others know configurations: the entry names them, and
// every change is taken from then on. Nobody who was heard is let go so.
func TestWhoWasNeverHeardCanBeRemoved(t *testing.T) {
	w := gather(t, 3)
	w.end(3)
	w.serves()
	if a := w.change(raft.Change{Remove: []raft.NodeID{3}}); a.Fate != Done {
		t.Fatalf("the removal is answered %+v", a)
	}
	w.pass(20)
	want := voters(2)
	for i := range want.Members {
		m := &want.Members[i]
		m.Incarnation, m.API = identity(m.ID).Incarnation, "http://server:"+m.ID.String()
		m.Start = 1
	}
	want.Version = 1
	for _, b := range w.servers {
		if got := b.Members(); !equal(got, want) {
			t.Errorf("server %v has %+v, want %+v", b.id(), got, want)
		}
	}
	fresh := found(3, 1003, true)
	w.start(fresh)
	w.must(adding(fresh))
	w.promote(3)

	old := gather(t, 3)
	old.end(3)
	second := found(2, 102, false)
	second.self.Version, second.self.Address = 0, ""
	old.start(second)
	old.serves()
	if a := old.change(raft.Change{Remove: []raft.NodeID{3}}); a.Refusal != raft.VersionTooLow {
		t.Errorf("with an old program among the others: %+v", a)
	}
}

// A member that says another address than the configuration is believed, and the others are told.
func TestTheConfigurationFollowsWhatMembersSay(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	moved := l.id()%3 + 1
	v := &volume{log: c.server(moved).log, disk: c.server(moved).disk, self: c.server(moved).config.Identity}
	v.self.Address, v.self.API = "elsewhere:1", ""
	c.start(v)
	c.pass(60)
	for _, b := range c.servers {
		m, _ := b.Members().Member(moved)
		if m.Address != "elsewhere:1" || m.API != "http://server:"+moved.String() {
			t.Errorf("server %v has %+v", b.id(), m)
		}
	}
	before := c.leader().Status().Last
	c.pass(100)
	if now := c.leader().Status().Last; now.Index > before.Index {
		t.Errorf("the log went on from %v to %v", before, now)
	}
}

// What a person has begun is not disturbed, and what the leader begins is bounded in time.
func TestHousekeepingWaits(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	due := l.house.due
	heard := l.gate.heard[0]
	entries := l.Status().Last.Index
	for n := range 10 { // every tick another address
		heard.Address = "address:" + string(rune('a'+n))
		l.gate.heard[0] = heard
		l.gate.tidings++
		l.tick(l.now + aTick*raft.Time(n+1))
	}
	if got := l.Status().Last.Index; got > entries+1 {
		t.Errorf("%d changes in ten ticks, due %v", got-entries, due)
	}
}

// Whoever has a change open is not disturbed.
func TestHousekeepingIsNotInTheWay(t *testing.T) {
	for _, theirs := range []bool{true, false} {
		c := gather(t, 3)
		l := c.settled()
		c.pass(20)
		l.gate.heard[0].Address += "x"
		l.gate.tidings++
		if theirs {
			l.changes.ask(77, aChange)
		}
		entries := l.Status().Last.Index
		l.keepHouse(l.now + 1000*aTick)
		if got := l.Status().Last.Index > entries; got == theirs {
			t.Errorf("somebody's own change is open: %v, and a change was begun: %v", theirs, got)
		}
	}
}

// The version is raised to what all members support, and no further, by nobody.
func TestTheVersionIsTheLeast(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	two := uint32(2)
	l.config.Identity.Version = 2
	if a := c.change(raft.Change{Version: &two}); a.Refusal != raft.VersionUnsupported {
		t.Errorf("raised by hand beyond what others support: %+v", a)
	}
	c.pass(50)
	if got := l.Members().Version; got != 1 {
		t.Errorf("the version is %d", got)
	}
}

// A configuration of a later version stops a server that would not know what it means, now and at its start.
func TestALaterVersionStopsTheServer(t *testing.T) {
	later := members(1, 2, 3)
	later.Version = raft.SupportedVersion + 1
	b := hold(t, 3, &modelLog{})
	ticket := b.propose("x") // nobody leads
	b.do(b.from(3, raft.AppendEntries{Term: 1, Entries: []raft.Entry{
		{Term: 1, Index: 1, Kind: raft.ConfigurationChange, Command: later.AppendTo(nil)}}}))
	if len(b.stops) != 1 || !errors.Is(b.stops[0], ErrVersion) || len(b.writes) > 0 {
		t.Fatalf("stops by %v, writes %+v", b.stops, b.writes)
	}
	b.answer(ticket)

	_, err := New(b.config, raft.Restored{Members: voters(3), HardState: raft.HardState{Term: 1},
		Entries: []raft.Entry{{Term: 1, Index: 1, Kind: raft.ConfigurationChange,
			Command: later.AppendTo(nil)}}})
	if !errors.Is(err, ErrVersion) {
		t.Errorf("starts with %v", err)
	}
}

// Who takes a place is reached where it is, and not where the one before it said that it was.
func TestWhoTakesAPlaceIsReachedWhereItIs(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	id := l.id()%3 + 1
	old := c.server(id).config.Identity
	c.end(id)
	c.must(raft.Change{Remove: []raft.NodeID{id}})
	l.gate.meet(old, false, true) // what it said last is still known
	fresh := found(id, 999, true)
	fresh.self.Address, fresh.self.API = "elsewhere:9", "http://elsewhere:10"
	c.must(adding(fresh))
	at := slices.IndexFunc(l.Replica.routes, func(m raft.Member) bool { return m.ID == id })
	if at < 0 || l.Replica.routes[at].Address != "elsewhere:9" || l.API(id) != "http://elsewhere:10" {
		t.Errorf("reached at %+v, with clients sent to %q", l.Replica.routes, l.API(id))
	}
}

// Who was moved while it was down is looked for where a person says that it is now, under the next leader
// too: what it said before holds no longer. One without a vote asks nobody for anything, and would never be
// found.
func TestWhereAPersonSaysThatAMemberIsItIsLookedFor(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	id := l.id()%3 + 1
	c.pass(20)
	for _, b := range c.servers { // everybody has heard it where it was
		if said := b.gate.said(id); b.id() != id && said.Node == raft.None {
			b.do(Received{raft.Envelope{From: c.server(id).config.Identity, To: b.id(), Sequence: 1,
				Message: raft.PreVote{Term: 1}}})
		}
	}
	c.end(id)
	c.must(raft.Change{Update: []raft.Member{{ID: id, Address: "elsewhere:1", API: "http://elsewhere:2"}}})
	c.pass(60)
	for _, b := range c.servers {
		m, _ := b.Members().Member(id)
		at := slices.IndexFunc(b.Replica.routes, func(m raft.Member) bool { return m.ID == id })
		if m.Address != "elsewhere:1" || b.Replica.routes[at].Address != m.Address || b.API(id) != m.API {
			t.Errorf("server %v: it is %+v, reached at %+v, with clients sent to %q", b.id(), m,
				b.Replica.routes[at], b.API(id))
		}
	}
}
