package sim

import (
	"fmt"
	"testing"

	"balsa/raft"
)

// Partial partitions (FAULTS.md, A11): in 2020 two switches lost each other at Cloudflare, and a cluster of
// which every majority was reachable from somewhere elected leaders for six hours and kept none. Whoever did
// not hear the leader raised the term, and took the leader of all the others away.

// graph is which of five servers hear each other: bit i is the ith of the ten pairs.
type graph uint16

const five = 5

func (g graph) joins(a, b int) bool {
	if a > b {
		a, b = b, a
	}
	return g>>(a*(2*five-a-1)/2+b-a-1)&1 == 1
}

// majorityClique reports whether three servers all hear each other.
func (g graph) majorityClique() bool {
	for a := range five {
		for b := range a {
			for c := range b {
				if g.joins(a, b) && g.joins(b, c) && g.joins(a, c) {
					return true
				}
			}
		}
	}
	return false
}

// cuts are the links that it lacks.
func (g graph) cuts() (links []Link) {
	for a := range five {
		for b := range five {
			if a != b && !g.joins(a, b) {
				links = append(links, Link{From: raft.NodeID(a + 1), To: raft.NodeID(b + 1)})
			}
		}
	}
	return links
}

// complaint runs a cluster that is whole, then connected by a graph, and says what is wrong after ten
// election timeouts: nobody leads, or whoever does is not left alone.
func (g graph) complaint(t *testing.T, o Options) string {
	t.Helper()
	w, err := New(Spec{Version: SpecVersion, Seed: uint64(g), Options: o}, Parts{})
	if err != nil {
		t.Fatal(err)
	}
	w.RunUntil(2 * Second)
	if cuts := g.cuts(); len(cuts) > 0 {
		w.Do(Op{Kind: Cut, Links: cuts})
	}
	w.RunUntil(w.now + 10*Time(o.ElectionMax)*o.Tick)
	leader, terms, committed := w.ruler(), w.terms(), w.committed
	if leader == nil {
		return "ten election timeouts later nobody leads: " + w.situation()
	}
	w.RunUntil(w.now + 3*Second)
	switch {
	case w.violation != nil:
		t.Fatalf("graph %010b: %v", g, w.violation)
	case w.ruler() != leader:
		return fmt.Sprintf("n%v led, and does not any more: %s", leader.id, w.situation())
	case w.terms() != terms:
		return fmt.Sprintf("n%v leads, and still terms went from %v to %v", leader.id, terms, w.terms())
	case w.committed == committed:
		return fmt.Sprintf("n%v leads and commits nothing: %s", leader.id, w.situation())
	}
	return ""
}

// ruler is the leader of the highest term, nil if that term has none.
func (w *World) ruler() (leader *server) {
	var highest raft.Term
	for _, s := range w.servers {
		if highest = max(highest, s.sight.term); s.up() && s.sight.role == raft.Leader &&
			(leader == nil || s.sight.term > leader.sight.term) {
			leader = s
		}
	}
	if leader != nil && leader.sight.term < highest {
		return nil
	}
	return leader
}

func (w *World) terms() (terms [five]raft.Term) {
	for i, s := range w.servers {
		terms[i] = s.sight.term
	}
	return terms
}

// L1 and L3 for every graph of five servers in which three hear each other, 636 of 1024 as the servers
// have names: one of them leads within ten election timeouts, nobody disturbs it, and it commits.
func TestEveryMajorityCliqueKeepsALeader(t *testing.T) {
	t.Parallel()
	o := DefaultOptions()
	o.Faulty, o.Healed, o.Clients = 0, 0, 3
	tried := 0
	for g := range graph(1 << 10) {
		if !g.majorityClique() {
			continue
		}
		tried++
		if wrong := g.complaint(t, o); wrong != "" {
			t.Errorf("graph %010b: %s", g, wrong)
		}
	}
	if tried != 636 { // of 1024, 388 have no triangle
		t.Errorf("%d graphs were tried", tried)
	}
}

// Without pre-vote, and without a check for a quorum, some of these graphs have no peace: the test above can
// fail.
func TestWithoutPreVoteOrCheckQuorumPartialPartitionsLock(t *testing.T) {
	control := func(what string, change func(*Options)) {
		o := DefaultOptions()
		o.Faulty, o.Healed, o.Clients = 0, 0, 3
		change(&o)
		for g := range graph(1 << 10) {
			if g.majorityClique() && g.complaint(t, o) != "" {
				return
			}
		}
		t.Errorf("%s every majority clique keeps a leader as well: the test of that proves nothing", what)
	}
	control("without pre-vote", func(o *Options) { o.NoPreVote = true })
	control("without a check for a quorum", func(o *Options) { o.NoCheckQuorum = true })
}

// L3: a minority that was cut off and comes back brings no higher term and costs nobody the leader. Without
// pre-vote it does: its term has grown with each of its election timeouts.
func TestAMinorityThatComesBackDisturbsNobody(t *testing.T) {
	for seed := range uint64(20) {
		for _, preVote := range []bool{true, false} {
			o := DefaultOptions()
			o.NoPreVote, o.Faulty, o.Healed = !preVote, 0, 0
			w, err := New(Spec{Version: SpecVersion, Seed: seed, Options: o}, Parts{})
			if err != nil {
				t.Fatal(err)
			}
			w.RunUntil(5 * Second)
			leader := w.ruler()
			if leader == nil {
				t.Fatalf("seed %d: nobody leads: %s", seed, w.situation())
			}
			apart := func(id raft.NodeID) bool { // the two behind the leader
				behind := (id + five - leader.id) % five
				return behind == 1 || behind == 2
			}
			s := &swarm{world: w}
			links := append(s.between(apart, inverse(apart)), s.between(inverse(apart), apart)...)
			before := w.terms()
			w.Do(Op{Kind: Cut, Links: links})
			w.RunUntil(w.now + 20*Second)
			w.Do(Op{Kind: Heal})
			w.RunUntil(w.now + 5*Second)
			undisturbed := w.ruler() == leader && w.terms() == before
			if w.violation != nil || undisturbed != preVote {
				t.Errorf("seed %d, pre-vote %v: n%v led in terms %v, and then: %s (%v)", seed, preVote,
					leader.id, before, w.situation(), w.violation)
			}
		}
	}
}
