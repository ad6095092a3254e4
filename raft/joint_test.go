package raft

import "testing"

// The rules of reads and of check-quorum in configurations of two halves, and of a leader without a vote
// (§6).

// leaderOf makes server 1 the leader of term 1, with its no-op committed and every peer heard now, and puts a
// configuration in force that is not committed.
func leaderOf(t *testing.T, voters, outgoing []NodeID) *Core {
	t.Helper()
	c := newCore(t, Restored{})
	c.members.Configuration = NewConfiguration(map[NodeID]string{1: "", 2: "", 3: "", 4: "", 5: ""})
	campaignNow(t, c)
	c.Step(0, Persisted{Write: c.Output().Write})
	for _, id := range []NodeID{2, 3} {
		c.Step(0, Receive{From: id, Message: RequestVoteResponse{Term: 1, Granted: true}})
	}
	c.Step(0, Persisted{Write: c.Output().Write})
	for _, id := range []NodeID{2, 3, 4, 5} {
		c.Step(0, Receive{From: id, Message: AppendEntriesResponse{Term: 1, Round: 1, Match: 1, Holds: 1}})
	}
	if c.role != Leader || c.commitIndex != 1 {
		t.Fatalf("it is %v with commit index %d", c.role, c.commitIndex)
	}
	next := c.members.Configuration.Clone()
	next.Voters, next.Outgoing = voters, outgoing
	for _, m := range next.Members {
		if !next.Voter(m.ID) {
			next.Learners = append(next.Learners, m.ID)
		}
	}
	c.appendAsLeader(ConfigurationChange, next.AppendTo(nil))
	c.Output()
	return c
}

func TestReadsAndCheckQuorumCountBothHalvesAndNoOutsider(t *testing.T) {
	for _, test := range []struct {
		claim            string
		voters, outgoing []NodeID
		answering        []NodeID
		quorum           bool
	}{
		{"two of three, one of them itself", []NodeID{1, 2, 3}, nil, []NodeID{2}, true},
		{"itself alone", []NodeID{1, 2, 3}, nil, nil, false},
		{"learners do not count", []NodeID{1, 2, 3}, nil, []NodeID{4, 5}, false},
		{"one half only", []NodeID{1, 2, 3}, []NodeID{1, 4, 5}, []NodeID{2, 3}, false},
		{"the other half only", []NodeID{1, 2, 3}, []NodeID{1, 4, 5}, []NodeID{4, 5}, false},
		{"both halves", []NodeID{1, 2, 3}, []NodeID{1, 4, 5}, []NodeID{2, 5}, true},
		{"a leader without a vote does not count itself", []NodeID{2, 3, 4}, nil, []NodeID{2}, false},
		{"a leader without a vote", []NodeID{2, 3, 4}, nil, []NodeID{2, 4}, true},
		{"a leader that one half has no vote for", []NodeID{1, 2, 3}, []NodeID{3, 4, 5}, []NodeID{3}, false},
		{"a leader that one half has no vote for, and both",
			[]NodeID{1, 2, 3}, []NodeID{3, 4, 5}, []NodeID{3, 4}, true},
	} {
		t.Run(test.claim, func(t *testing.T) {
			c := leaderOf(t, test.voters, test.outgoing)
			c.Step(0, ReadIndex{Ticket: 7})
			c.Output()
			for range c.config.ElectionMin {
				for _, id := range test.answering {
					c.Step(
						0,
						Receive{
							From:    id,
							Message: AppendEntriesResponse{Term: 1, Round: 2, Match: 1, Holds: 1},
						},
					)
				}
				c.Step(0, Tick{})
			}
			readings := c.Output().Readings
			confirmed := len(readings) == 1 && readings[0] == Reading{Ticket: 7, Index: 1}
			if confirmed != test.quorum || (c.role == Leader) != test.quorum {
				t.Errorf("read %+v, it is %v; a quorum answers: %v", readings, c.role, test.quorum)
			}
		})
	}
}
