package raft

import (
	"slices"
	"testing"
)

// TestSlowEntriesAreNotSentAgainAtEachHeartbeat: a follower answers heartbeats at once while large entries
// are still on their way to it. The leader sends them again, in case they were lost, but with growing
// patience: else what is slow would be sent faster than it can arrive. Once they are acknowledged the
// leader is quick again.
func TestSlowEntriesAreNotSentAgainAtEachHeartbeat(t *testing.T) {
	c := newCore(t, Restored{})
	leadNow(t, c)
	beats := 0
	var sent []int // at which heartbeat entries left for server 2
	beat := func() {
		for range c.config.Heartbeat {
			c.Step(0, Tick{})
		}
		beats++
		for _, letter := range c.Output().Messages {
			m := letter.Message.(AppendEntries)
			if letter.To == 2 && len(m.Entries) == 0 {
				c.Step(0, Receive{From: 2, Sequence: letter.Sequence,
					Message: AppendEntriesResponse{Term: m.Term, Round: m.Round}})
			}
		}
		for _, letter := range c.Output().Messages {
			if letter.To == 2 && len(letter.Message.(AppendEntries).Entries) > 0 {
				sent = append(sent, beats)
			}
		}
	}
	c.Step(0, Persisted{Write: c.Output().Write}) // the no-op leaves
	for range 40 {
		beat()
	}
	if want := []int{1, 2, 4, 8, 16, 32}; !slices.Equal(sent, want) {
		t.Errorf("sent again at heartbeats %v, want %v", sent, want)
	}

	c.Step(0, Receive{From: 2, Sequence: c.sequence,
		Message: AppendEntriesResponse{Term: 1, Round: 1, Match: 1, Holds: 1}})
	c.Step(0, Propose{Command: []byte("x")})
	c.Step(0, Persisted{Write: c.Output().Write})
	beats, sent = 0, nil
	beat()
	if !slices.Equal(sent, []int{1}) {
		t.Errorf("after an acknowledgement, sent again at heartbeats %v, want the first", sent)
	}
}
