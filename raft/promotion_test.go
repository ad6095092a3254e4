package raft

import "testing"

// promoting makes server 1 the leader of three with learner 4, which is promoted when it has caught up, and
// everything so far committed and acknowledged.
func promoting(t *testing.T) *Core {
	t.Helper()
	c := newCore(t, Restored{})
	leadNow(t, c)
	answering(c, 2, 3)
	yes := true
	fourth := Member{ID: 4, Incarnation: 7, Address: "d"}
	c.Step(0, ChangeMembership{Change: Change{Add: []Member{fourth}, AutoPromote: &yes}})
	answering(c, 2, 3, 4)
	if c.changeOpen() || len(c.members.Learners) != 1 {
		t.Fatalf("it has %+v in force", c.members)
	}
	return c
}

// answering lets followers hold durably all that there is, and answer.
func answering(c *Core, ids ...NodeID) {
	for range 2 {
		if out := c.Output(); out.Write > 0 {
			c.Step(0, Persisted{Write: out.Write})
		}
		for _, id := range ids {
			lagging(c, id, 0)
		}
	}
}

// lagging lets a follower answer that it lacks a number of the last entries.
func lagging(c *Core, id NodeID, entries Index) {
	last := c.log.last().Index - entries
	c.Step(0, Receive{From: id, Message: AppendEntriesResponse{Term: c.hard.Term, Round: c.leading.round,
		Match: max(last, c.peer(id).match), Holds: max(last, c.peer(id).match)}})
}

// What a learner lacks is counted in bytes; who lags behind the beginning of the log lacks more than it has.
func TestWhatALearnerLacksIsCountedInBytes(t *testing.T) {
	c := promoting(t)
	c.Step(0, Propose{Command: []byte("four")})
	c.Step(0, Propose{Command: []byte("seven..")})
	last := c.log.last().Index
	for lacks, want := range []int64{0, entryOverhead + 7, 2*entryOverhead + 11} {
		if got := c.LagBytes(last - Index(lacks)); got != want {
			t.Errorf("who lacks %d entries lacks %d bytes, want %d", lacks, got, want)
		}
	}
	c.log.compact(last - 1)
	if at, below := c.LagBytes(last-1), c.LagBytes(last-2); at != entryOverhead+7 || below != -1 {
		t.Errorf("at the beginning of the log %d bytes are lacked, before it %d", at, below)
	}
}

// TestALearnerIsPromotedWhenItHasBeenCloseForLong, and not before, nor when it lags in bytes, in time, is
// silent, or was close only now and then.
func TestALearnerIsPromotedWhenItHasBeenCloseForLong(t *testing.T) {
	for _, test := range []struct {
		claim    string
		learner  func(c *Core, tick int)
		promoted bool
	}{
		{"one that holds everything", func(c *Core, _ int) { lagging(c, 4, 0) }, true},
		{"one that lags by one entry, a little while", func(c *Core, _ int) { lagging(c, 4, 1) }, true},
		{"one that lags in bytes", func(c *Core, tick int) {
			c.config.Limits.PromoteBytes = 3 * entryOverhead
			lagging(c, 4, 5)
		}, false},
		{"one that lagged in bytes until a moment ago", func(c *Core, tick int) {
			c.config.Limits.PromoteBytes = 3 * entryOverhead
			if tick < 5*c.config.ElectionMax-5 {
				lagging(c, 4, 5)
			} else {
				lagging(c, 4, 0)
			}
		}, false},
		{"one that lags in time", func(c *Core, _ int) {
			lagging(c, 4, Index(c.config.ElectionMin+5))
		}, false},
		{"one that is silent", func(*Core, int) {}, false},
		{"one that is close now and then", func(c *Core, tick int) {
			if tick%c.config.ElectionMax > c.config.ElectionMin {
				lagging(c, 4, 0)
			}
		}, false},
	} {
		t.Run(test.claim, func(t *testing.T) {
			c := promoting(t)
			for tick := range 5 * c.config.ElectionMax {
				if tick < c.config.ElectionMax && len(c.members.Learners) == 0 {
					t.Fatalf("it was promoted after %d ticks", tick)
				}
				c.Step(0, Propose{Command: []byte("x")})
				answering(c, 2, 3)
				test.learner(c, tick)
				c.Step(0, Tick{})
			}
			if promoted := c.members.Voter(4); promoted != test.promoted {
				t.Errorf("in the end %s is in force", described(c.members.Configuration))
			}
		})
	}
}

// TestAReplacedLearnerIsMetAnew: what the data directory before it held, it need not hold.
func TestAReplacedLearnerIsMetAnew(t *testing.T) {
	c := promoting(t)
	moved := []Member{{ID: 4, Address: "z"}}
	c.Step(0, ChangeMembership{Change: Change{Update: moved}})
	if p := c.peer(4); p.match == 0 {
		t.Error("a learner that moved is met anew")
	}
	answering(c, 2, 3, 4)
	c.Step(0, ChangeMembership{Change: Change{Update: []Member{{ID: 4, Incarnation: 8}}}})
	if p := c.peer(4); p.match != 0 || !p.probing || c.answers(4) {
		t.Errorf("a learner with another data directory is taken for the old one: %+v", p)
	}
	c.Audit()
}

// TestWhoReturnsIsMetAnew: removed, and added before the leader has parted from it.
func TestWhoReturnsIsMetAnew(t *testing.T) {
	c := promoting(t)
	c.Step(0, ChangeMembership{Change: Change{Remove: []NodeID{4}}})
	if p := c.peer(4); p == nil || !p.departing || !c.Status().Progress[2].Departing {
		t.Fatalf("it does not say goodbye: %+v", p)
	}
	answering(c, 2, 3)
	c.Step(0, ChangeMembership{Change: Change{Add: []Member{{ID: 4, Incarnation: 9, Address: "d"}}}})
	if p := c.peer(4); p.departing || p.match != 0 || c.answers(4) {
		t.Errorf("the returned learner is taken for the old one: %+v", p)
	}
	c.Audit()
}

// TestNoElectionForWhoLeaves: a leader holds an election for a member that needs a later term to end its
// repair, and for nobody else.
func TestNoElectionForWhoLeaves(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		c := promoting(t)
		if leaves {
			c.Step(0, ChangeMembership{Change: Change{Remove: []NodeID{4}}})
			answering(c, 2, 3)
			if p := c.peer(4); p == nil || !p.departing || c.changeOpen() {
				t.Fatalf("it does not leave: %+v", p)
			}
		}
		for range 2 { // the first says that it repairs itself, and what it has counts anew from there
			c.Step(0, Receive{From: 4, Message: AppendEntriesResponse{Term: c.hard.Term, Repairing: true,
				Floor: c.hard.Term, Match: c.log.last().Index, Holds: c.log.last().Index}})
		}
		if leads := c.role == Leader; leads != leaves {
			t.Errorf("for one that leaves (%v) the leader becomes %v", leaves, c.role)
		}
	}
}

// TestASecondOpenChangeIsAViolation: what this server itself would do wrong stops it.
func TestASecondOpenChangeIsAViolation(t *testing.T) {
	c := promoting(t)
	defer func() {
		if v, _ := recover().(Violation); v.Sentence !=
			"a change of membership was begun before the last was committed" {
			t.Errorf("it panicked with %q", v.Sentence)
		}
	}()
	c.Step(0, ChangeMembership{Change: Change{Remove: []NodeID{4}}})
	before := c.vitals()
	next, _ := c.members.with(Change{Remove: []NodeID{3}})
	c.appendAsLeader(ConfigurationChange, next.AppendTo(nil))
	c.check(before)
}
