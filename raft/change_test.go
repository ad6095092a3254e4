package raft

import (
	"fmt"
	"strings"
	"testing"
)

// described writes a configuration as ids: voters, the half that leaves, learners.
func described(c Configuration) string {
	ids := func(name string, ids []NodeID) string {
		if len(ids) == 0 {
			return ""
		}
		return name + fmt.Sprint(ids)
	}
	return strings.TrimSpace(ids("", c.Voters) + ids(" and ", c.Outgoing) + ids(" learners ", c.Learners))
}

// joining is a server that can be added.
func joining(id NodeID) Member { return Member{ID: id, Incarnation: 1, Address: "x"} }

func TestWhatAChangeMakesOfAConfiguration(t *testing.T) {
	yes, no, one := true, false, uint32(1)
	start := NewConfiguration(map[NodeID]string{1: "a", 2: "b", 3: "c", 4: "d", 5: "e"})
	start.Voters, start.Learners = []NodeID{1, 2, 3}, []NodeID{4, 5}
	start.Members[0].Incarnation, start.Members[3].Incarnation, start.Version = 7, 8, 1
	for _, test := range []struct {
		claim  string
		change Change
		want   string // empty when refused
		why    Refusal
	}{
		{"who joins is a learner", Change{Add: []Member{joining(9), joining(6)}},
			"[1 2 3] learners [4 5 6 9]", 0},
		{"a promotion goes through both halves", Change{Promote: []NodeID{4}},
			"[1 2 3 4] and [1 2 3] learners [5]", 0},
		{"so do many changes at once", Change{Promote: []NodeID{4, 5}, Remove: []NodeID{1, 2}},
			"[3 4 5] and [1 2 3]", 0},
		{"who is demoted votes on in one half", Change{Demote: []NodeID{2}},
			"[1 3] and [1 2 3] learners [2 4 5]", 0},
		{"a learner leaves at once", Change{Remove: []NodeID{4}}, "[1 2 3] learners [5]", 0},
		{"a voter may move", Change{Update: []Member{{ID: 1, Address: "z"}}}, "[1 2 3] learners [4 5]", 0},
		{"a voter is named once", Change{Update: []Member{{ID: 2, Incarnation: 5}}},
			"[1 2 3] learners [4 5]", 0},
		{"a learner may be replaced", Change{Update: []Member{{ID: 4, Incarnation: 5}}},
			"[1 2 3] learners [4 5]", 0},
		{"gates", Change{AutoPromote: &yes}, "[1 2 3] learners [4 5]", 0},

		{"nothing", Change{Force: true}, "", NothingChanged},
		{"nothing new", Change{AutoPromote: &no, Version: &one}, "", NothingChanged},
		{"the same address", Change{Update: []Member{{ID: 1, Address: "a"}}}, "", NothingChanged},
		{"a voter that becomes another", Change{Update: []Member{{ID: 1, Incarnation: 5}}}, "",
			IncarnationOfVoter},
		{"a learner that becomes another and a voter",
			Change{Update: []Member{{ID: 4, Incarnation: 5}}, Promote: []NodeID{4}}, "", IncarnationOfVoter},
		{"nobody left", Change{Remove: []NodeID{1, 2, 3}, Force: true}, "", NoVoterLeft},
		{"a stranger", Change{Remove: []NodeID{8}}, "", UnknownMember},
		{"the address of a stranger", Change{Update: []Member{{ID: 8}}}, "", UnknownMember},
		{"a member that joins", Change{Add: []Member{{ID: 4}}}, "", AlreadyMember},
		{"id 0", Change{Add: []Member{joining(0)}}, "", BadMember},
		{"no incarnation", Change{Add: []Member{{ID: 6, Address: "x"}}}, "", BadMember},
		{"no address", Change{Add: []Member{{ID: 6, Incarnation: 1}}}, "", BadMember},
		{"an address too long", Change{Add: []Member{{ID: 6, Incarnation: 1,
			Address: strings.Repeat("x", MaxAddress+1)}}}, "", BadMember},
		{"a voter promoted", Change{Promote: []NodeID{1}}, "", NoSuchLearner},
		{"a stranger promoted", Change{Promote: []NodeID{6}}, "", NoSuchLearner},
		{"a learner demoted", Change{Demote: []NodeID{4}}, "", NoSuchVoter},
		{"back and forth", Change{Demote: []NodeID{1}, Promote: []NodeID{1}}, "", NamedTwice},
		{"twice moved", Change{Update: []Member{{ID: 1, Address: "x"}, {ID: 1, Address: "y"}}}, "",
			NamedTwice},
		{"out and in at once", Change{Remove: []NodeID{4}, Add: []Member{joining(4)}}, "", NamedTwice},
		{"a demotion in vain", Change{Demote: []NodeID{1}, AutoPromote: &yes}, "", WouldBePromoted},
		{"a version that goes back", Change{Version: new(uint32)}, "", VersionLowered},
	} {
		before := described(start)
		next, why := start.with(test.change)
		if why != test.why || described(next) != test.want {
			t.Errorf("%s: %q, %v", test.claim, described(next), why)
		}
		if why == Accepted {
			if err := next.validate(); err != nil {
				t.Errorf("%s: %v", test.claim, err)
			}
		}
		if described(start) != before {
			t.Fatalf("%s: the configuration before was changed in place", test.claim)
		}
	}
}

// TestWhatIsKnownIsKept where an update does not name it.
func TestWhatIsKnownIsKept(t *testing.T) {
	c := three()
	known := Member{ID: 1, Incarnation: 7, Address: "a", API: "b"}
	c.Members[0] = known
	for _, test := range []struct{ update, want Member }{
		{Member{ID: 1, Address: "z"}, Member{ID: 1, Incarnation: 7, Address: "z", API: "b"}},
		{Member{ID: 1, API: "z"}, Member{ID: 1, Incarnation: 7, Address: "a", API: "z"}},
		{Member{ID: 1, Incarnation: 7, API: "z"}, Member{ID: 1, Incarnation: 7, Address: "a", API: "z"}},
	} {
		next, why := c.with(Change{Update: []Member{test.update}})
		if m, _ := next.Member(1); why != Accepted || m != test.want {
			t.Errorf("%+v made %+v, %v", test.update, m, why)
		}
	}
	if _, why := c.with(Change{Update: []Member{{ID: 1}}}); why != NothingChanged {
		t.Errorf("an empty update: %v", why)
	}
}

// TestAChangeRecordsWhoWasMet of those that it means, beside what it is about, and never less than before.
func TestAChangeRecordsWhoWasMet(t *testing.T) {
	c := three()
	c.Members[0] = Member{ID: 1, Incarnation: 7, Address: "a", Start: 5}
	c.Members[1] = Member{ID: 2, Incarnation: 8, Address: "b", Start: 5}
	c.Members[2] = Member{ID: 3, Incarnation: 9, Address: "c", Start: 5}
	met := []Acquaintance{{Node: 1, Incarnation: 7, Start: 6}, {Node: 2, Incarnation: 1, Start: 9},
		{Node: 3, Incarnation: 9, Start: 4}, {Node: 4, Incarnation: 10, Start: 3}, {Node: 5, Start: 3}}
	if _, why := c.with(Change{Met: met}); why != NothingChanged {
		t.Errorf("that somebody was met is a change: %v", why)
	}
	add := Member{ID: 4, Incarnation: 10, Address: "d", Start: 99}
	move := Member{ID: 2, Address: "z", Start: 99}
	next, why := c.with(Change{Add: []Member{add}, Update: []Member{move}, Met: met})
	if why != Accepted {
		t.Fatal(why)
	}
	for id, want := range []uint64{1: 6, 2: 5, 3: 5, 4: 3} {
		if m, _ := next.Member(NodeID(id)); m.Start != want {
			t.Errorf("server %d was met in start %d, want %d", id, m.Start, want)
		}
	}
	c.Voters, c.Learners = []NodeID{1, 2}, []NodeID{3}
	next, _ = c.with(Change{Update: []Member{{ID: 3, Incarnation: 10}}, Promote: nil})
	if m, _ := next.Member(3); m.Incarnation != 10 || m.Start != 0 {
		t.Errorf("another data directory is %+v", m)
	}
}

// TestWhatFollowsAJointConfiguration can be read off it alone: whoever has no role left is gone.
func TestWhatFollowsAJointConfiguration(t *testing.T) {
	c := NewConfiguration(map[NodeID]string{1: "", 2: "", 3: "", 4: ""})
	c.Voters, c.Learners = []NodeID{1, 2, 3}, []NodeID{4}
	joint, _ := c.with(Change{Promote: []NodeID{4}, Remove: []NodeID{1}, Demote: []NodeID{2}})
	if got := described(joint); got != "[3 4] and [1 2 3] learners [2]" || len(joint.Members) != 4 {
		t.Errorf("%s of %v", got, joint.Members)
	}
	after := joint.left()
	if _, member := after.Member(1); described(after) != "[3 4] learners [2]" || member ||
		after.validate() != nil {
		t.Errorf("%s of %v", described(after), after.Members)
	}
}

// subsets returns the sets of ids out of 1 to n, but for the empty one.
func subsets(n int) (all [][]NodeID) {
	for bits := 1; bits < 1<<n; bits++ {
		var set []NodeID
		for id := range n {
			if bits>>id&1 == 1 {
				set = append(set, NodeID(id+1))
			}
		}
		all = append(all, set)
	}
	return all
}

// apart reports whether two configurations can decide by quorums that have no server in common.
func apart(a, b Configuration) bool {
	for _, set := range append(subsets(5), nil) {
		in := func(id NodeID) bool {
			for _, other := range set {
				if id == other {
					return true
				}
			}
			return false
		}
		if a.HasQuorum(in) && b.HasQuorum(func(id NodeID) bool { return !in(id) }) {
			return true
		}
	}
	return false
}

// TestFigure10 goes through all changes of the voters among five servers. A direct switch can lead to two
// majorities that have no server in common, as from three to five; what a change really goes through cannot.
func TestFigure10(t *testing.T) {
	direct := 0
	for _, before := range subsets(5) {
		for _, after := range subsets(5) {
			old, next := Configuration{Voters: before}, Configuration{Voters: after}
			if apart(old, next) {
				direct++
			}
			joint := next.jointWith(old)
			if apart(old, joint) || apart(joint, joint) || apart(joint, joint.left()) {
				t.Errorf("%v, %v, %v: two decisions at once", old.Voters, described(joint), next.Voters)
			}
		}
	}
	figure := Configuration{Voters: []NodeID{1, 2, 3, 4, 5}}
	if !apart(Configuration{Voters: []NodeID{1, 2, 3}}, figure) || direct < 100 {
		t.Errorf("%d direct switches are unsafe, that of Figure 10: %v", direct,
			apart(Configuration{Voters: []NodeID{1, 2, 3}}, figure))
	}
}
