package raft_test

import (
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

// stepwise delivers and makes durable one thing at a time, in order, and reports whether there was any.
func (in *interpreter) stepwise() bool {
	if len(in.network) == 0 {
		return false
	}
	l := in.network[0]
	in.network = in.network[1:]
	in.step(in.server(l.to), l.received())
	return true
}

// TestTheLeaderCrashesAtEachStepOfAChange: after any number of messages of a change the leader crashes, for
// good or for a while. The rest, which is a majority of both halves, finds a leader; the change is complete,
// or it never happened; and what was committed before is there.
func TestTheLeaderCrashesAtEachStepOfAChange(t *testing.T) {
	for _, change := range []string{
		"change 1 promote 4 5", "change 1 promote 4 remove 1", "change 1 demote 1",
		"change 1 promote 4 remove 2", "change 1 promote 4 5 remove 1 2",
	} {
		happened := map[bool]int{}
		for steps := 0; ; steps++ {
			for _, returns := range []bool{false, true} {
				claim := fmt.Sprintf("%s, crashed after %d messages, returns %v", change, steps, returns)
				in := newInterpreter()
				in.run(t, []string{"cluster 3 join 2", "timeout 1", "stabilize", "change 1 add 4 5", "pass 5",
					"propose 1 x", "stabilize", change})
				for range steps {
					in.stepwise()
				}
				over := len(in.network) == 0
				in.run(t, []string{"crash 1", "drop 1", "pass 80"})
				if returns {
					in.run(t, []string{"restart 1", "pass 80"})
				}
				done := in.demandOneConfiguration(t, claim, returns)
				happened[done]++
				if over && returns {
					if happened[true] == 0 || happened[false] == 0 {
						t.Errorf("%s: it came about %d times, and not %d times", change, happened[true],
							happened[false])
					}
					steps = -1
				}
			}
			if steps < 0 {
				break
			}
		}
	}
}

// demandOneConfiguration looks at a cluster at peace. It reports whether the change came about.
func (in *interpreter) demandOneConfiguration(t *testing.T, claim string, all bool) (changed bool) {
	t.Helper()
	var leader *scriptServer
	for _, s := range in.servers {
		if s.core != nil && s.core.Role() == raft.Leader {
			if leader != nil {
				t.Errorf("%s: %v and %v lead", claim, leader.id, s.id)
			}
			leader = s
		}
	}
	if leader == nil {
		t.Fatalf("%s: nobody leads", claim)
	}
	status, members := leader.core.Status(), leader.core.Members()
	if status.Joint || status.Configuration > status.Commit || !slices.Contains(members.Voters, leader.id) {
		t.Errorf("%s: %v leads with %s, committed up to %d", claim, leader.id, formatMembers(leader.core),
			status.Commit)
	}
	for _, m := range members.Members {
		s := in.server(m.ID)
		if s.core == nil {
			if all || m.ID != 1 {
				t.Errorf("%s: %v is down", claim, m.ID)
			}
			continue
		}
		if got := s.core.Status(); got.Commit != status.Commit || got.Configuration != status.Configuration {
			t.Errorf("%s: %v has committed %d, and the leader %d", claim, m.ID, got.Commit, status.Commit)
		}
	}
	log := logOf(leader)
	if !slices.ContainsFunc(log, func(e raft.Entry) bool { return string(e.Command) == "x" }) {
		t.Errorf("%s: what was committed is gone", claim)
	}
	return len(members.Learners) != 2 || len(members.Voters) != 3
}

// TestAServerThatJoins knows nobody, votes for whoever asks, follows, and does not campaign. Without being
// told that it joins, a server that finds no configuration does not start.
func TestAServerThatJoins(t *testing.T) {
	if _, err := raft.New(raft.Config{ID: 4}, raft.Restored{}); err == nil {
		t.Error("a server without a configuration starts")
	}
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a"})
	if _, err := raft.New(raft.Config{ID: 4}, raft.Restored{Members: members, Joins: true}); err == nil {
		t.Error("a server that joins starts with a configuration")
	}
	c, err := raft.New(raft.Config{ID: 4}, raft.Restored{Joins: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		c.Step(0, raft.Tick{})
	}
	c.Step(0, raft.ElectionTimeout{})
	if out := c.Output(); c.Role() != raft.Follower || len(out.Messages) > 0 || out.Write != 0 {
		t.Errorf("it is %v, and sends %v", c.Role(), out.Messages)
	}
	c.Step(0, raft.Receive{From: 9, Message: raft.RequestVote{Term: 3}})
	if s := c.Status(); s.Vote != 9 || s.Term != 3 {
		t.Errorf("asked for its vote, it has %+v", s)
	}
}

// TestARestartFindsTheConfigurationInTheLog, and one that cannot be read is an error: to go on with another
// would be to guess who votes.
func TestARestartFindsTheConfigurationInTheLog(t *testing.T) {
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a", 2: "b", 3: "c"})
	next := members.Clone()
	next.Voters, next.Outgoing = []raft.NodeID{1, 2}, []raft.NodeID{1, 2, 3}
	disk := raft.Restored{HardState: raft.HardState{Term: 1}, Members: members, Entries: []raft.Entry{
		{Term: 1, Index: 1, Kind: raft.NoOp},
		{Term: 1, Index: 2, Kind: raft.ConfigurationChange, Command: next.AppendTo(nil)},
	}}
	c, err := raft.New(raft.Config{ID: 1}, disk)
	if err != nil {
		t.Fatal(err)
	}
	c.Audit()
	if s := c.Status(); s.Configuration != 2 || !s.Joint {
		t.Errorf("in force is %+v", c.Members())
	}
	for index, want := range map[raft.Index]raft.Index{0: 0, 1: 0, 2: 2} {
		if _, got := c.MembersAt(index); got != want {
			t.Errorf("at %d the configuration of %d was in force, not that of %d", index, want, got)
		}
	}
	disk.Entries[1].Command = disk.Entries[1].Command[1:]
	if _, err := raft.New(raft.Config{ID: 1}, disk); err == nil {
		t.Error("a configuration that cannot be read was passed over")
	}
}

// TestANewDataDirectoryDoesNotTakeTheVoteOfTheOldOne: server 1 was the only voter, left, was wiped and joins
// again. It is sent the log from its beginning; were it to take itself for the voter of that time, it would
// elect itself, and commit what nobody else knows.
func TestANewDataDirectoryDoesNotTakeTheVoteOfTheOldOne(t *testing.T) {
	old := raft.NewConfiguration(map[raft.NodeID]string{1: "a", 2: "b"})
	old.Voters, old.Learners = []raft.NodeID{1}, []raft.NodeID{2}
	for _, test := range []struct {
		claim    string
		named    raft.Incarnation
		restored raft.Restored
		leads    bool
	}{
		{"another incarnation is named", 7, raft.Restored{Joins: true, Incarnation: 8}, false},
		{"none was named yet", 0, raft.Restored{Joins: true, Incarnation: 8}, false},
		{"its own is named", 8, raft.Restored{Joins: true, Incarnation: 8}, true},
		{"none was named yet, and it was there from the beginning", 0,
			raft.Restored{Members: old, Incarnation: 8}, true},
	} {
		c, err := raft.New(raft.Config{ID: 1}, test.restored)
		if err != nil {
			t.Fatal(err)
		}
		old := old.Clone()
		old.Members[0].Incarnation = test.named
		c.Step(0, raft.Receive{From: 2, Message: raft.AppendEntries{Term: 3, Entries: []raft.Entry{
			{Term: 1, Index: 1, Kind: raft.ConfigurationChange, Command: old.AppendTo(nil)}}}})
		for range 500 {
			c.Step(0, raft.Tick{})
			if out := c.Output(); out.Write > 0 {
				c.Step(0, raft.Persisted{Write: out.Write})
			}
		}
		if leads := c.Role() == raft.Leader; leads != test.leads {
			t.Errorf("%s: it is %v of term %d", test.claim, c.Role(), c.Term())
		}
	}
}
