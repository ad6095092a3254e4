package raft

import "testing"

// What a leader objects to in a change that would make a proper configuration.

// TestALeaderDoesNotBecomeAnother: a change after which its own id means another data directory would leave
// the cluster with a voter that never campaigns, and a leader that is none.
func TestALeaderDoesNotBecomeAnother(t *testing.T) {
	for _, test := range []struct {
		named Incarnation
		want  Refusal
	}{{8, IncarnationOfVoter}, {7, Accepted}} {
		c := newCore(t, Restored{Incarnation: 7})
		leadNow(t, c)
		answering(c, 2, 3)
		c.Step(0, ChangeMembership{Change: Change{Update: []Member{{ID: 1, Incarnation: test.named}}}})
		if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != test.want {
			t.Errorf("named %d: %+v", test.named, a)
		}
	}
}

// TestALearnerIsPromotedByHandWhenItIsClose, or by force: a voter that lags is waited for by the commits that
// need it.
func TestALearnerIsPromotedByHandWhenItIsClose(t *testing.T) {
	silence := func(c *Core) { c.peer(4).silent = c.config.ElectionMin }
	for _, test := range []struct {
		claim   string
		learner func(c *Core)
		force   bool
		want    Refusal
	}{
		{"one that holds everything", func(c *Core) { lagging(c, 4, 0) }, false, Accepted},
		{"one that lags a little", func(c *Core) { lagging(c, 4, 2) }, false, Accepted},
		{"one that lags much", func(c *Core) { lagging(c, 4, 4) }, false, LearnerBehind},
		{"one that lags much, by force", func(c *Core) { lagging(c, 4, 4) }, true, Accepted},
		{"one that is silent", silence, false, LearnerBehind},
		{"one that is silent, by force", silence, true, Accepted},
	} {
		c := promoting(t)
		no := false
		c.Step(0, ChangeMembership{Change: Change{AutoPromote: &no}})
		answering(c, 2, 3, 4)
		c.config.Limits.PromoteBytes = 3 * entryOverhead
		for range 8 {
			c.Step(0, Propose{})
		}
		answering(c, 2, 3)
		test.learner(c)
		c.Output()
		c.Step(0, ChangeMembership{Change: Change{Promote: []NodeID{4}, Force: test.force}})
		if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != test.want {
			t.Errorf("%s: %+v", test.claim, a)
		}
	}
}

// TestForceDoesNotTrustWhoWasNeverHeard: a majority of strangers would never be taken back.
func TestForceDoesNotTrustWhoWasNeverHeard(t *testing.T) {
	for _, heard := range []bool{true, false} {
		c := newCore(t, Restored{})
		leadNow(t, c)
		answering(c, 2, 3)
		c.Step(0, ChangeMembership{Change: Change{Add: []Member{joining(4), joining(5), joining(6)}}})
		answering(c, 2, 3)
		if heard {
			answering(c, 4)
		}
		change := Change{Promote: []NodeID{4, 5, 6}, Remove: []NodeID{2}, Force: true}
		c.Step(0, ChangeMembership{Change: change})
		want := VotersSilent
		if heard { // 1, 3 and 4 of five
			want = Accepted
		}
		if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != want {
			t.Errorf("4 was heard %v: %+v", heard, a)
		}
	}
}

// TestTheVersionIsBoundedByWhatTheProgramSupports.
func TestTheVersionIsBoundedByWhatTheProgramSupports(t *testing.T) {
	c := newCore(t, Restored{})
	c.config.Limits.Version = 2
	leadNow(t, c)
	answering(c, 2, 3)
	for _, test := range []struct {
		version uint32
		want    Refusal
	}{{3, VersionUnsupported}, {2, Accepted}} {
		c.Output()
		c.Step(0, ChangeMembership{Change: Change{Version: &test.version}})
		if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != test.want {
			t.Errorf("version %d: %+v", test.version, a)
		}
	}
}

// TestADemotedServerIsWatchedAnew: that it was close behind when it was promoted says nothing of now.
func TestADemotedServerIsWatchedAnew(t *testing.T) {
	c := promoting(t)
	change := func(change Change) {
		t.Helper()
		c.Output()
		c.Step(0, ChangeMembership{Change: change})
		if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != Accepted {
			t.Fatalf("%+v: %+v", change, a)
		}
		answering(c, 2, 3, 4)
		answering(c, 2, 3, 4)
	}
	for !c.members.votesOn(4) {
		answering(c, 2, 3, 4)
		c.Step(0, Tick{})
	}
	answering(c, 2, 3, 4)
	yes, no := true, false
	change(Change{AutoPromote: &no})
	change(Change{Demote: []NodeID{4}})
	change(Change{AutoPromote: &yes})
	c.Step(0, Tick{})
	if c.changeOpen() || c.members.Voter(4) {
		t.Errorf("it is promoted again at once: %s", described(c.members.Configuration))
	}
}
