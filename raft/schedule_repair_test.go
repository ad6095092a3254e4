package raft_test

import (
	"math/rand/v2"
	"slices"

	"balsa/raft"
)

// Damage in random schedules: a disk loses its hard state and any part of its log and snapshots, and the
// server starts with the mark that says so. In most of these schedules as many stay sound as are needed; in
// some nothing is spared, and the cluster may halt.

// ruin is what a damaged disk had before.
type ruin struct {
	marked bool      // on disk: it repairs itself
	starts uint64    // of this disk
	held   []chain   // what it had acknowledged may have been counted, or may yet be
	acked  raft.Term // the latest in which it acknowledged entries that it may have lost
	acking raft.Term // the latest in which it has acknowledged entries and counted
}

// drawDamage draws from dice of its own: the other schedules stay as they were.
func (w *world) drawDamage(seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 2))
	if dice.IntN(3) == 0 {
		w.damage = 1 + dice.IntN(8)
		w.reckless = dice.IntN(8) == 0
	}
}

// hasHeld reports whether a server holds an entry, or held it when its disk was damaged. What one holds that
// repairs itself does not count.
func (n *node) hasHeld(index raft.Index, hash uint64) bool {
	all := n.held
	if !n.marked {
		all = append(slices.Clone(all), n.recovered())
	}
	return slices.ContainsFunc(all, func(c chain) bool {
		theirs, long := c.at(index)
		return long && theirs == hash
	})
}

// damageSomebody damages a disk, of a server that runs or is down, and starts it.
func (w *world) damageSomebody() {
	n := w.anyone()
	if w.percent(30) {
		n = w.someLeader()
	}
	if !w.reckless && !w.soundQuorum(n.id) || n.marked && w.percent(80) {
		return
	}
	w.tally.note("damage")
	if n.before.Role == raft.Leader {
		w.tally.note("damage of a leader")
	}
	if n.marked {
		w.tally.note("damage while it repairs")
	}
	w.forgetReads(n)
	w.forgetAsked(n)
	if !n.marked {
		n.held = append(n.held, n.recovered())
		n.acked = max(n.acked, n.acking)
	}
	for paper, vote := range w.votes {
		if paper.voter == n.id && paper.life == n.life {
			w.forgotten[paper] = vote
			delete(w.votes, paper)
		}
	}
	n.marked = true
	n.lose(w)
	w.trace("the disk of %v is damaged, and keeps %d snapshots and the log from %v to %d", n.id,
		len(n.shelf.kept), n.shelf.base, len(n.disk))
	w.start(n)
}

// soundQuorum reports whether those that are sound, but for one, are a quorum of every configuration that may
// be used. Learners that are damaged may be promoted before their leader learns of it: so they may not be
// although nobody was damaged who could not be spared.
func (w *world) soundQuorum(without raft.NodeID) bool {
	sound := func(id raft.NodeID) bool { return id != without && !w.nodes[id-1].marked }
	if !most(w.settled, sound) {
		return false
	}
	for _, other := range w.nodes {
		for i := len(other.log); i > len(w.committed); i-- {
			c, index := w.configurationAt(other.log[:i])
			if !most(c, sound) {
				return false
			}
			i = int(index)
		}
	}
	return true
}

// lose takes from a disk its hard state, and some of its snapshots and of the end of its log.
func (n *node) lose(w *world) {
	s := &n.shelf
	s.crash()
	s.partial = image{}
	for len(s.kept) > 0 && w.percent(40) {
		s.kept = slices.Delete(s.kept, 0, 1)
	}
	through := 0
	if long := len(n.disk) - int(s.base.Index); long > 0 && w.percent(60) {
		through = int(s.base.Index) + w.dice.IntN(long)
	}
	if newest := s.newest().Last; through <= int(s.base.Index) || s.base.Index > newest.Index {
		n.disk, s.base = nil, raft.EntryID{}
		if len(s.kept) > 0 {
			n.disk, s.base = s.kept[0].log, newest
		}
	} else {
		n.disk = n.disk[:through:through]
	}
	n.hard = raft.HardState{Term: s.newest().Last.Term}
	if len(n.disk) > 0 {
		n.hard.Term = max(n.hard.Term, n.disk[len(n.disk)-1].entry.Term)
	}
	n.log, n.writes = n.disk, nil
}

// unmark looks at a server at the moment at which it counts again: it is in a later term than any in which it
// acknowledged what it lost, and its disk holds all that was committed before its term.
func (w *world) unmark(n *node) {
	if !n.marked {
		failf("server %v is repaired, and was not damaged", n.id)
	}
	if n.hard.Term <= n.acked {
		failf("server %v counts again in term %d, and has lost what it acknowledged in term %d", n.id,
			n.hard.Term, n.acked)
	}
	log := n.recovered()
	for i, c := range w.committed {
		if hash, long := log.at(raft.Index(i + 1)); c.term < n.hard.Term && (!long || hash != c.hash) {
			failf("server %v counts again in term %d without entry %d, committed in term %d", n.id,
				n.hard.Term, i+1, c.term)
		}
	}
	w.tally.note("return")
	n.marked = false
}

// promisesMarked demands that what a server answers that repairs itself says so.
func (w *world) promisesMarked(n *node, m raft.AppendEntriesResponse) {
	if n.marked && !m.Repairing {
		failf("server %v repairs itself, and answers as if it did not", n.id)
	}
	if !m.Repairing && !m.Rejected && m.Match > 0 {
		n.acking = max(n.acking, m.Term)
	}
}

// allRepaired reports whether no member of a leader's configuration repairs itself any more.
func (w *world) allRepaired(leader *node) bool {
	return !slices.ContainsFunc(w.membersOf(leader), func(n *node) bool { return n.marked })
}

func (w *world) countRepair(e raft.Event) {
	switch e := e.(type) {
	case raft.FloorGiven:
		w.tally.note("floor given")
	case raft.BecameFollower:
		if e.Why == raft.ForRepair {
			w.tally.note("election held for repair")
		}
	}
}
