package balsa_test

import (
	"fmt"
	"strings"
	"testing"

	"balsa"
	"balsa/raft"
)

// TestWhatAHaltSays: how many of the voters repair themselves, and only what helps.
func TestWhatAHaltSays(t *testing.T) {
	const more = ", or run balsa recover on a member that does not repair itself"
	for _, test := range []struct {
		self    balsa.Standing
		peers   []balsa.Standing // 2, 3, …; the node is 1
		repairs []raft.NodeID
		says    string
		recover bool
	}{
		{balsa.Voter, []balsa.Standing{balsa.Voter, balsa.Voter}, []raft.NodeID{1, 2},
			"2 of 3 voters repair themselves", true},
		{balsa.Voter, []balsa.Standing{balsa.Voter, balsa.Voter}, []raft.NodeID{1, 2, 3},
			"3 of 3 voters repair themselves", false},
		{balsa.Voter, []balsa.Standing{balsa.Voter}, []raft.NodeID{2}, "1 of 2 voters repairs itself", true},
		{balsa.Voter, []balsa.Standing{balsa.Voter, balsa.Learner}, []raft.NodeID{1, 2, 3},
			"2 of 2 voters repair themselves", false},
		{balsa.Learner, []balsa.Standing{balsa.Voter, balsa.Joining, balsa.Leaving}, []raft.NodeID{2, 3},
			"2 of 3 voters repair themselves", true},
	} {
		s := balsa.Status{ID: 1}
		s.Standing, s.Repair = test.self, raft.Repair{Servers: test.repairs}
		for i, standing := range test.peers {
			s.Peers = append(s.Peers, balsa.Peer{ID: raft.NodeID(i + 2), Standing: standing})
		}
		if got := s.Halted(); got != "" {
			t.Errorf("a quorum is left: %q", got)
		}
		s.Repair.Halts = true
		got := s.Halted()
		if !strings.HasPrefix(got, test.says+" after damage of the disk: no quorum is left") ||
			strings.HasSuffix(got, more) != test.recover {
			t.Error(fmt.Sprint(test), got)
		}
	}
}
