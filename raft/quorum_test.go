package raft

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bars draws how far each server is, as the comment of QuorumIndex does.
func bars(ids []NodeID, reached map[NodeID]Index) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%v %s %d\n", id, strings.Repeat("█", int(reached[id])), reached[id])
	}
	return b.String()
}

func TestQuorumIndex(t *testing.T) {
	tests := []struct {
		claim            string
		voters, outgoing []NodeID
		reached          map[NodeID]Index
		want             Index
	}{
		{"nobody votes, nothing is decided", nil, nil, map[NodeID]Index{1: 9}, 0},
		{"one voter decides alone", []NodeID{1}, nil, map[NodeID]Index{1: 7}, 7},
		{"of two, both must have it", []NodeID{1, 2}, nil, map[NodeID]Index{1: 7, 2: 3}, 3},
		{"of three, two", []NodeID{1, 2, 3}, nil, map[NodeID]Index{1: 8, 2: 5, 3: 3}, 5},
		{"of four, three", []NodeID{1, 2, 3, 4}, nil, map[NodeID]Index{1: 8, 2: 6, 3: 3, 4: 1}, 3},
		{"of five, three", []NodeID{1, 2, 3, 4, 5}, nil, map[NodeID]Index{1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, 3},
		{"who has no vote does not count", []NodeID{1, 2, 3}, nil,
			map[NodeID]Index{1: 1, 2: 1, 3: 1, 4: 9, 5: 9}, 1},
		{"joint: the slower half decides", []NodeID{1, 2, 3}, []NodeID{3, 4, 5},
			map[NodeID]Index{1: 9, 2: 9, 3: 4, 4: 2, 5: 7}, 4},
		{"joint: one half alone commits nothing", []NodeID{1, 2, 3}, []NodeID{4},
			map[NodeID]Index{1: 9, 2: 9, 3: 9}, 0},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			c := Configuration{Voters: test.voters, Outgoing: test.outgoing}
			got := c.QuorumIndex(func(id NodeID) Index { return test.reached[id] })
			if got != test.want {
				t.Errorf("a quorum has %d, want %d\n%s%s", got, test.want,
					bars(test.voters, test.reached), bars(test.outgoing, test.reached))
			}
		})
	}
}

func TestHasQuorum(t *testing.T) {
	tests := []struct {
		claim            string
		voters, outgoing []NodeID
		yes              []NodeID
		want             bool
	}{
		{"an empty configuration has none", nil, nil, []NodeID{1, 2}, false},
		{"one of one", []NodeID{1}, nil, []NodeID{1}, true},
		{"half of two is no majority", []NodeID{1, 2}, nil, []NodeID{1}, false},
		{"half of four is no majority", []NodeID{1, 2, 3, 4}, nil, []NodeID{1, 2}, false},
		{"three of five", []NodeID{1, 2, 3, 4, 5}, nil, []NodeID{1, 3, 5}, true},
		{"strangers do not count", []NodeID{1, 2, 3}, nil, []NodeID{1, 8, 9}, false},
		{"joint: both halves", []NodeID{1, 2, 3}, []NodeID{3, 4, 5}, []NodeID{1, 3, 4}, true},
		{"joint: the new half alone", []NodeID{1, 2, 3}, []NodeID{3, 4, 5}, []NodeID{1, 2, 3}, false},
		{"joint: the old half alone", []NodeID{1, 2, 3}, []NodeID{3, 4, 5}, []NodeID{3, 4, 5}, false},
		{"joint: a majority of the union is not enough", []NodeID{1}, []NodeID{2, 3, 4},
			[]NodeID{2, 3, 4}, false},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			c := Configuration{Voters: test.voters, Outgoing: test.outgoing}
			yes := map[NodeID]bool{}
			for _, id := range test.yes {
				yes[id] = true
			}
			if got := c.HasQuorum(func(id NodeID) bool { return yes[id] }); got != test.want {
				t.Errorf("voters %v, outgoing %v, yes %v: %v", test.voters, test.outgoing, test.yes, got)
			}
		})
	}
}

// TestQuorumIndexIsTheHighestWithAQuorum compares with the definition: the highest index for which
// HasQuorum holds of those that are at least there, HasQuorum in turn with counting by hand.
func TestQuorumIndexIsTheHighestWithAQuorum(t *testing.T) {
	ids := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 9), 0, 7, func(id uint64) uint64 { return id })
	rapid.Check(t, func(t *rapid.T) {
		var c Configuration
		for _, id := range ids.Draw(t, "voters") {
			c.Voters = append(c.Voters, NodeID(id))
		}
		for _, id := range ids.Draw(t, "outgoing") {
			c.Outgoing = append(c.Outgoing, NodeID(id))
		}
		reached := map[NodeID]Index{}
		for id := NodeID(1); id <= 9; id++ {
			reached[id] = Index(rapid.IntRange(0, 12).Draw(t, "reached"))
		}
		want := Index(0)
		for index := Index(1); index <= 12; index++ {
			there := func(id NodeID) bool { return reached[id] >= index }
			if c.HasQuorum(there) != countedByHand(c, there) {
				t.Fatalf("voters %v, outgoing %v: HasQuorum miscounts who has %d of %v",
					c.Voters, c.Outgoing, index, reached)
			}
			if countedByHand(c, there) {
				want = index
			}
		}
		if got := c.QuorumIndex(func(id NodeID) Index { return reached[id] }); got != want {
			t.Fatalf("a quorum has %d, want %d\n%s%s", got, want,
				bars(c.Voters, reached), bars(c.Outgoing, reached))
		}
	})
}

func countedByHand(c Configuration, yes func(NodeID) bool) bool {
	for _, half := range [][]NodeID{c.Voters, c.Outgoing} {
		ayes, noes := 0, 0
		for _, id := range half {
			if yes(id) {
				ayes++
			} else {
				noes++
			}
		}
		if ayes <= noes && (len(half) > 0 || len(c.Voters) == 0) {
			return false
		}
	}
	return true
}

func TestConfigurationKnowsItsMembers(t *testing.T) {
	c := NewConfiguration(map[NodeID]string{3: "c", 1: "a", 2: "b"})
	c.Outgoing = []NodeID{4}
	c.Learners = []NodeID{5}
	for id, want := range map[NodeID]bool{1: true, 2: true, 3: true, 4: true, 5: false, 6: false} {
		if c.Voter(id) != want {
			t.Errorf("server %v has a vote: %v", id, !want)
		}
	}
	if m, ok := c.Member(2); !ok || m.Address != "b" {
		t.Errorf("member 2 is %+v, %v", m, ok)
	}
	if _, ok := c.Member(5); ok {
		t.Error("a server without an address is a member")
	}
	d := c.Clone()
	d.Voters[0], d.Members[0].Address, d.Outgoing[0], d.Learners[0] = 9, "z", 9, 9
	if c.Voters[0] != 1 || c.Members[0].Address != "a" || c.Outgoing[0] != 4 || c.Learners[0] != 5 {
		t.Errorf("a clone shares memory: %+v", c)
	}
}
