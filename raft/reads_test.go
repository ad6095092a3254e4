package raft_test

import (
	"maps"

	"balsa/raft"
)

// Linearizable reads in random schedules: each is answered exactly once, and whoever is told an index sees
// everything that anybody had committed before the question was asked.

// openRead is a read that is not answered yet.
type openRead struct {
	at        raft.NodeID
	committed raft.Index // by anybody, when it was asked
	early     bool       // asked of a leader that had committed nothing in its term
	queued    bool       // not refused at once
}

func (w *world) readSomewhere() {
	n := w.someLeader()
	for range 1 + w.dice.IntN(3) {
		w.read(n)
	}
}

func (w *world) read(n *node) {
	if n.core == nil {
		return
	}
	w.proposed++
	s := n.before
	w.reads[w.proposed] = openRead{
		at:        n.id,
		committed: raft.Index(len(w.committed)),
		early:     s.Role == raft.Leader && (s.Commit == 0 || n.log[s.Commit-1].entry.Term < s.Term),
	}
	w.step(n, raft.ReadIndex{Ticket: w.proposed, Lease: w.drift > 0 && w.percent(80)})
}

// forgetReads is what a crash does to whoever asked that server.
func (w *world) forgetReads(n *node) {
	maps.DeleteFunc(w.reads, func(_ raft.Ticket, r openRead) bool { return r.at == n.id })
}

func (w *world) readQueued(ticket raft.Ticket) {
	r := w.reads[ticket]
	r.queued = true
	w.reads[ticket] = r
}

func (w *world) readAnswered(n *node, a raft.Reading) {
	r, open := w.reads[a.Ticket]
	if !open || r.at != n.id {
		failf("server %v answers read %d twice, or for another server", n.id, a.Ticket)
	}
	delete(w.reads, a.Ticket)
	if a.Refusal != raft.Accepted {
		w.tally.note("read refused")
		if r.queued {
			w.tally.note("read abandoned")
		}
		return
	}
	w.tally.note("read confirmed")
	if r.early {
		w.tally.note("read that waited for the no-op")
	}
	if a.Index > r.committed {
		w.tally.note("read that saw later commits")
	}
	if a.Index < r.committed {
		failf("server %v lets read %d see up to %d, and %d was committed before it was asked",
			n.id, a.Ticket, a.Index, r.committed)
	}
	if a.Index > n.core.Commit() {
		failf("server %v lets read %d see %d, which it has not committed", n.id, a.Ticket, a.Index)
	}
}
