package raft

import "testing"

// TestEntriesTakeNoMemoryOfTheirOwn: what a follower allocates for a message does not grow with its entries,
// beyond the pages that they stand in.
func TestEntriesTakeNoMemoryOfTheirOwn(t *testing.T) {
	const each = 1000
	c, err := New(Config{ID: 2, NoPreVote: true}, Restored{Members: three()})
	if err != nil {
		t.Fatal(err)
	}
	prev := EntryID{}
	n := testing.AllocsPerRun(50, func() {
		m := AppendEntries{Term: 1, Prev: prev, Commit: prev.Index, Entries: make([]Entry, each)}
		for i := range m.Entries {
			m.Entries[i] = Entry{Term: 1, Index: prev.Index + Index(i) + 1, Kind: Normal}
		}
		c.Step(0, Receive{From: 1, Sequence: 1, Message: m})
		out := c.Output()
		c.Step(0, Persisted{Write: out.Write})
		c.Step(0, Applied{Index: prev.Index})
		c.Output()
		prev = m.Entries[each-1].ID()
	})
	if c.log.durable != prev.Index || n > 30 {
		t.Errorf("%v allocations for each %d entries, the log is durable up to %d", n, each, c.log.durable)
	}
}

// TestProposalsTakeNoMemoryOfTheirOwn: the same at the leader, from the proposals of many callers to the
// answer that their entries are applied.
func TestProposalsTakeNoMemoryOfTheirOwn(t *testing.T) {
	const each = 1000
	c, err := New(Config{ID: 1, NoPreVote: true, Events: true}, Restored{Members: three()})
	if err != nil {
		t.Fatal(err)
	}
	leadNow(t, c)
	c.Step(0, Persisted{Write: c.Output().Write})
	all := make([]Propose, each)
	command := []byte("a command")
	sequence := Sequence(0)
	n := testing.AllocsPerRun(50, func() {
		for i := range all {
			all[i] = Propose{Ticket: Ticket(i), Command: command}
		}
		c.Step(0, ProposeAll{Proposals: all})
		out := c.Output()
		c.Step(0, Persisted{Write: out.Write})
		for id := NodeID(2); id <= 3; id++ {
			sequence++
			c.Step(0, Receive{From: id, Sequence: sequence,
				Message: AppendEntriesResponse{Term: 1, Round: 1, Match: c.log.last().Index}})
		}
		c.Output()
		c.Step(0, Applied{Index: c.commitIndex})
		if c.commitIndex != c.log.last().Index || len(out.Answers) != each {
			t.Fatalf("committed up to %d of %d, %d answers", c.commitIndex, c.log.last().Index,
				len(out.Answers))
		}
	})
	if n > 50 {
		t.Errorf("%v allocations for each %d proposals", n, each)
	}
}
