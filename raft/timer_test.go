package raft

import "testing"

// A server without an election timer waits for ever, and campaigns when told that the time is up; a leader
// takes no notice.
func TestElectionsByHand(t *testing.T) {
	members := NewConfiguration(map[NodeID]string{1: "one"})
	c, err := New(Config{ID: 1, NoElectionTimer: true}, Restored{Members: members})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		c.Step(1, Tick{})
	}
	if c.Role() != Follower || c.Term() != 0 {
		t.Fatalf("it campaigned by itself: %v in term %v", c.Role(), c.Term())
	}
	for range 2 {
		c.Step(2, ElectionTimeout{})
		if out := c.Output(); out.Write != 0 {
			c.Step(3, Persisted{Write: out.Write})
			c.Output()
		}
		if c.Role() != Leader || c.Term() != 1 {
			t.Fatalf("told that the time is up it is %v in term %v", c.Role(), c.Term())
		}
	}
}
