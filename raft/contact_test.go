package raft

import "testing"

// tickTimes lets time pass.
func tickTimes(c *Core, n int) {
	for range n {
		c.Step(0, Tick{})
	}
}

// TestWhoMayNotCampaignForgetsASilentLeader: its timer begins anew each time, and must not make a leader
// that was last heard long ago look fresh. Stale reads are bounded by Contact, and votes are denied for a
// leader just heard.
func TestWhoMayNotCampaignForgetsASilentLeader(t *testing.T) {
	learner := newCore(t, Restored{})
	learner.members.Voters, learner.members.Learners = []NodeID{2, 3}, []NodeID{1}
	stalled := newCore(t, Restored{})
	for name, c := range map[string]*Core{"a learner": learner, "a stalled disk": stalled} {
		t.Run(name, func(t *testing.T) {
			for range c.config.ElectionMax + 1 {
				c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 1}})
				if write := c.Output().Write; c == learner && write > 0 {
					c.Step(0, Persisted{Write: write})
				}
				c.Step(0, Tick{})
			}
			c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 1}})
			for tick := range 10 * c.config.ElectionMax {
				c.Step(0, Tick{})
				if heard, known := c.Contact(); known && heard != tick+1 {
					t.Fatalf("%d ticks after the leader was heard it is called %d", tick+1, heard)
				}
				if tick+1 >= c.config.ElectionMin && c.hearsLeader() {
					t.Fatalf("it would deny its vote %d ticks after the leader was heard", tick+1)
				}
			}
			if c.role != Follower || c.hard.Term != 1 {
				t.Errorf("it is %v of term %d, and may not campaign", c.role, c.hard.Term)
			}
		})
	}
}

// TestAStalledDiskEndsAPreCampaign: pre-votes that come after the disk has stalled are of no use.
func TestAStalledDiskEndsAPreCampaign(t *testing.T) {
	c := newCore(t, Restored{})
	c.config.NoPreVote = false
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 1}}) // a write that is never acknowledged
	c.Output()
	tickTimes(c, c.config.ElectionMax)
	if c.role != PreCandidate || c.diskStalled() {
		t.Fatalf("it is %v, the disk stalled: %v", c.role, c.diskStalled())
	}
	c.Step(0, Tick{})
	c.Step(0, Receive{From: 2, Message: PreVoteResponse{Term: 2, Granted: true}})
	if c.role != Follower || c.hard.Term != 1 {
		t.Errorf("with the disk stalled it is %v of term %d", c.role, c.hard.Term)
	}
}

// TestACandidateWaitsForItsOwnVote: each vote takes longer to write than an election timeout. A campaign
// begun meanwhile would queue behind it, and so would every later one.
func TestACandidateWaitsForItsOwnVote(t *testing.T) {
	c := newCore(t, Restored{})
	campaignNow(t, c)
	write := c.Output().Write
	tickTimes(c, 3*c.config.ElectionMax)
	if c.role != Candidate || c.hard.Term != 1 || c.Output().Write != 0 {
		t.Fatalf("it is %v of term %d before its vote for term 1 is durable", c.role, c.hard.Term)
	}
	c.Step(0, Persisted{Write: write})
	if n := len(c.Output().Messages); n != 2 {
		t.Errorf("%d votes are asked for, want 2", n)
	}
	tickTimes(c, c.config.ElectionMax)
	if c.hard.Term != 2 {
		t.Error("once it has asked it must campaign again when nobody answers")
	}
}

// TestWhatWaitsForTheDiskIsBounded: a disk hangs while leaders speak on.
func TestWhatWaitsForTheDiskIsBounded(t *testing.T) {
	c := newCore(t, Restored{})
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 1}})
	write := c.Output().Write
	const beats = 3 * maxHeld
	for i := range beats {
		c.Step(0, Receive{From: 2, Sequence: Sequence(i + 1), Message: AppendEntries{Term: 1, Round: 1}})
	}
	if n := len(c.outbox.held); n > maxHeld {
		t.Errorf("%d answers wait", n)
	}
	c.Step(0, Persisted{Write: write})
	messages := c.Output().Messages
	if last := messages[len(messages)-1]; last.Sequence != beats {
		t.Errorf("the newest answer that left is %d, want %d", last.Sequence, beats)
	}
}

// TestALostProbeIsRepeatedWhereItWas: a follower whose log is not known yet says nothing of what it holds.
// To begin at the front of the log would send it everything.
func TestALostProbeIsRepeatedWhereItWas(t *testing.T) {
	var entries []Entry
	for i := range 100 {
		entries = append(entries, Entry{Term: 1, Index: Index(i + 1), Kind: Normal})
	}
	c := newCore(t, Restored{HardState: HardState{Term: 1}, Entries: entries})
	leadNow(t, c)
	c.Output() // the probes, which are lost
	tickTimes(c, c.config.Heartbeat)
	for _, l := range c.Output().Messages {
		if l.To == 2 {
			c.Step(0, Receive{From: 2, Sequence: l.Sequence,
				Message: AppendEntriesResponse{Term: 2, Round: c.leading.round}})
		}
	}
	for _, l := range c.Output().Messages {
		if m := l.Message.(AppendEntries); l.To == 2 && m.Prev.Index != 100 {
			t.Errorf("after a lost probe it sends %d entries after %v", len(m.Entries), m.Prev)
		}
	}
	if p := c.peer(2); len(p.onTheWay) != 1 || !p.probing {
		t.Errorf("%d messages on their way, probing: %v", len(p.onTheWay), p.probing)
	}
}

// TestAProbeThatEndsIsNotSentTwice: what ended it is the answer to a heartbeat, and the probe is still on
// its way.
func TestAProbeThatEndsIsNotSentTwice(t *testing.T) {
	c := newCore(t,
		Restored{HardState: HardState{Term: 1}, Entries: []Entry{{Term: 1, Index: 1, Kind: Normal}}})
	leadNow(t, c)
	c.Output()
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 2, Round: 1, Match: 1, Holds: 1}})
	if p := c.peer(2); p.probing || p.next != 3 || len(p.onTheWay) != 1 {
		t.Errorf("probing %v, next %d, %d on their way", p.probing, p.next, len(p.onTheWay))
	}
	for _, l := range c.Output().Messages {
		if m := l.Message.(AppendEntries); l.To == 2 && len(m.Entries) > 0 {
			t.Errorf("sends %v again", m.Entries)
		}
	}
	c.Audit()
}

// TestCheckQuorumStepsDownWithinItsWindowAndNotBefore, to the tick, for one and two of four followers out
// of reach.
func TestCheckQuorumStepsDownWithinItsWindowAndNotBefore(t *testing.T) {
	for answering, stays := range map[int]bool{0: false, 1: false, 2: true, 4: true} {
		c := newCore(t, Restored{})
		c.members.Configuration = NewConfiguration(map[NodeID]string{1: "", 2: "", 3: "", 4: "", 5: ""})
		campaignNow(t, c)
		c.Step(0, Persisted{Write: c.Output().Write})
		for _, id := range []NodeID{2, 3} {
			c.Step(0, Receive{From: id, Message: RequestVoteResponse{Term: 1, Granted: true}})
		}
		tickTimes(c, c.config.ElectionMin/2)
		for _, id := range []NodeID{2, 3, 4, 5} {
			c.Step(0, Receive{From: id, Message: AppendEntriesResponse{Term: 1, Round: 1}})
		}
		for tick := range 3 * c.config.ElectionMin {
			if gone := !stays && tick >= c.config.ElectionMin; (c.role != Leader) != gone {
				t.Errorf("%d of 4 answer: %d ticks after all did it is %v", answering, tick, c.role)
				break
			}
			for i := range answering {
				c.Step(0, Receive{From: NodeID(2 + i), Message: AppendEntriesResponse{Term: 1, Round: 1}})
			}
			if silence, known := c.Contact(); stays && known && silence != 0 {
				t.Errorf("answered by a quorum now, and the last contact is said to be %d ticks ago", silence)
			}
			c.Step(0, Tick{})
		}
	}
}
