package replica

import (
	"fmt"
	"slices"

	"balsa/raft"
)

// Snapshots that come from the leader, and those that go to followers (§7).
//
//	Output.Chunks ──▶ StoreChunk ──▶ not whole: raft.ChunkStored, the leader sends what follows
//	                        └──────▶ durable ──▶ Restore ──▶ raft.Installed ──▶ Write.Restart, if the log
//	                                                                            does not hold its last entry
//
// A crash may come between any two of these:
//
//   - before the snapshot is whole: what has arrived is kept, and the transfer goes on from there;
//   - after it is durable, before Restart is: a start finds it newer than the log, takes it for its state and
//     has the log begin anew behind it. It is the state of committed entries, so nothing that was promised is
//     lost. Were the log given up first, its entries might be of no disk any more;
//   - after Restart: the log begins behind the snapshot.
//
// Restore replaces what Apply works on, so neither runs while the other does. What is committed meanwhile
// waits, and of it, what the snapshot includes is dropped; the results of those entries will never be known
// here. If the log catches up first, so that the entries are here to be applied, they are, and the snapshot
// is only acknowledged. Nothing more is stored until that is decided: a third snapshot would push out the one
// that is to be restored.
//
// At a start with a snapshot the machine is empty: it is restored before anything else is done with it, and
// no read is answered before. To vote and to replicate need not wait for it; to lead does, and so it does
// while a received snapshot is installed (raft.Readiness). A server that was elected before it began to
// restore has no need to: a leader has all that is committed in its log, and applies it.

// stage is the machine and what it waits for.
type stage struct {
	busy      bool           // Apply, Capture or Restore is in flight
	toApply   [][]raft.Entry // committed and not handed out: as the core gave them, none empty
	committed raft.Index     // what the core has handed out
	applied   raft.Index     // 0 until a machine that is to be restored was
	last      raft.EntryID   // of the state that the machine is in
	lastTime  raft.Time      // of that entry
	due       raft.Time      // when the next thing in it ends by log time; 0: nothing does
	clock     clockEntry     // what was proposed last to end it
	stuck     raft.Time      // the due that was reported because that did not
	install   *raft.Snapshot
	starting  bool // install is the one that this run begins with
	restoring bool // Restore is in flight
	unready   bool // so the core was told
}

// occupy hands out work on the machine.
func (r *Replica) occupy(w Work) {
	r.busy = true
	r.ready = append(r.ready, w)
}

// startMachine hands out the next work on the machine. A capture goes before the entries that wait: under
// load there always are some.
func (r *Replica) startMachine() {
	switch {
	case r.busy:
	case r.installing():
		r.restoring = true
		r.occupy(Restore{Snapshot: *r.install})
	case r.captureDue():
		r.startCapture()
	case r.imageDue():
		r.startImage()
	default:
		r.startApply()
	}
}

// installing reports whether the machine is to be replaced as soon as it is idle.
func (r *Replica) installing() bool {
	if r.install == nil {
		return false
	}
	return r.starting || r.install.Last.Index > r.committed && r.core.Role() != raft.Leader
}

// tellReadiness tells the core, before it decides what comes next, whether the machine can apply entries, and
// is to.
func (r *Replica) tellReadiness() {
	if unready := r.mayNotLead(); unready != r.unready {
		r.unready = unready
		r.core.Step(r.hours.now, raft.Readiness{Ready: !unready})
	}
}

// mayNotLead reports whether this server must not campaign, whatever its log and its timer say.
func (r *Replica) mayNotLead() bool {
	return r.isDismissed() || r.restoring || r.installing() || r.foundingHalted()
}

// restored takes the end of a Restore: the machine has jumped.
func (r *Replica) restored(now raft.Time, done Restored) {
	r.busy, r.restoring = false, false
	if done.Err != nil {
		r.stop(fmt.Errorf("the snapshot up to %v could not be restored: %w", done.Snapshot.Last, done.Err))
		return
	}
	last := done.Snapshot.Last
	r.last, r.lastTime, r.applied, r.due = last, done.Snapshot.Time, last.Index, done.Due
	r.behind = 0
	r.unqueue(last.Index)
	r.giveUpSkipped()
	if r.starting {
		r.starting, r.install = false, nil
	} else {
		r.acknowledgeInstall(now)
	}
	r.settleReads()
	r.passImages()
}

// giveUpSkipped answers those who waited for the results of entries that the machine has jumped over.
func (r *Replica) giveUpSkipped() {
	for len(r.waiting) > 0 && r.waiting[0].entry.Index <= r.applied {
		w := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.answer(Answer{Ticket: w.ticket, Fate: LeadershipLost, Entry: w.entry})
	}
	r.origin.kept.skip(r.applied)
	r.closeForwards(func(f forwarded) (Answer, bool) {
		return Answer{Fate: Unanswered, Entry: f.entry}, f.placed() && f.entry.Index <= r.applied
	})
}

// acknowledgeInstall tells the core of a received snapshot, once the machine has all that is in it.
func (r *Replica) acknowledgeInstall(now raft.Time) {
	if r.install == nil || r.starting || r.install.Last.Index > r.applied {
		return
	}
	installed := *r.install
	r.install, r.committed = nil, max(r.committed, installed.Last.Index)
	r.core.Step(now, raft.Installed{Snapshot: installed})
}

// chunkStored takes the end of a StoreChunk.
func (r *Replica) chunkStored(now raft.Time, s ChunkStored) {
	r.storing = false
	if s.Err != nil {
		r.stop(fmt.Errorf("a snapshot that arrives could not be written: %w", s.Err))
		return
	}
	if s.Complete == nil {
		m := s.Chunk.Message
		r.core.Step(now, raft.ChunkStored{
			From: s.Chunk.From, Sequence: s.Chunk.Sequence, Term: m.Term, Last: m.Last, Next: s.Next,
		})
		return
	}
	if s.Complete.Last.Index > r.kept[0].Last.Index {
		r.keep(*s.Complete)
	}
	r.install = s.Complete
	r.acknowledgeInstall(now)
}

// chunks are those on their way through this server.
type chunks struct {
	arrived *raft.Chunk // to be stored next; a later one takes its place, for the leader asks again
	storing bool        // a StoreChunk is in flight

	asked   []raft.Letter // to be filled with what a snapshot has: at most one for each follower
	latest  raft.NodeID   // whom the latest chunk was for
	reading bool          // a ReadChunk is in flight
	free    raft.Time     // when the rate lets the next chunk go
}

// startChunks hands out what is to be done for snapshots that arrive or leave. Whoever was sent the latest
// chunk comes first again: were the rate shared evenly, the log could outgrow a snapshot that goes to two
// followers before either has it, and the next one too, though one after the other they would have got it.
func (r *Replica) startChunks() {
	if r.arrived != nil && !r.storing && r.install == nil {
		r.ready = append(r.ready, StoreChunk{Chunk: *r.arrived})
		r.arrived, r.storing = nil, true
	}
	for len(r.asked) > 0 && !r.reading && r.hours.now >= r.free {
		at := max(slices.IndexFunc(r.asked, func(l raft.Letter) bool { return l.To == r.latest }), 0)
		letter := r.asked[at]
		r.asked = slices.Delete(r.asked, at, at+1)
		r.latest = letter.To
		if r.stillSends(letter) {
			r.ready = append(r.ready, ReadChunk{Letter: letter, Limit: r.core.Limits().ChunkBytes})
			r.reading = true
		}
	}
}

// sendSnapshot sends a letter that only asks, and has any other filled. A second one to the same follower
// takes the place of the first: the core has given that up.
func (r *Replica) sendSnapshot(letter raft.Letter) {
	if letter.Ask {
		r.send(letter)
		return
	}
	for i := range r.asked {
		if r.asked[i].To == letter.To {
			r.asked[i] = letter
			return
		}
	}
	r.asked = append(r.asked, letter)
}

// stillSends reports whether this server leads the term in which the core wanted a chunk sent.
func (r *Replica) stillSends(letter raft.Letter) bool {
	return r.core.Role() == raft.Leader && r.core.Term() == letter.Message.(raft.InstallSnapshot).Term
}

// chunkRead takes the end of a ReadChunk. Only what was read counts against the rate; a burst of a tenth of a
// second is let through, since work is not collected at every moment.
func (r *Replica) chunkRead(now raft.Time, c ChunkRead) {
	r.reading = false
	if c.Err != nil {
		r.ready = append(r.ready, Report{Events: []raft.Event{SnapshotFailed{Err: c.Err}}})
		return
	}
	if rate := r.config.SnapshotRate; rate > 0 {
		bytes := int64(len(c.Letter.Message.(raft.InstallSnapshot).Data))
		const second = 1_000_000_000
		r.free = max(r.free, now-second/10) + raft.Time(bytes*second/rate)
	}
	if r.stillSends(c.Letter) {
		r.send(c.Letter)
	}
}
