package raft

import "testing"

// TestASoleVoterAnswersReadsAcrossAHeartbeat: a heartbeat that falls between a question and the next Output
// gives it a round, and no answer of anybody's will come to end that.
func TestASoleVoterAnswersReadsAcrossAHeartbeat(t *testing.T) {
	alone := NewConfiguration(map[NodeID]string{1: "a"})
	c, err := New(Config{ID: 1, NoPreVote: true}, Restored{Members: alone})
	if err != nil {
		t.Fatal(err)
	}
	campaignNow(t, c)
	for c.role != Leader || !c.committedInTerm() {
		c.Step(0, Persisted{Write: c.Output().Write})
	}
	c.Step(0, ReadIndex{Ticket: 1})
	for range c.config.Heartbeat {
		c.Step(0, Tick{})
	}
	if n := len(c.Output().Readings); n != 1 {
		t.Errorf("%d answers to a read", n)
	}
}
