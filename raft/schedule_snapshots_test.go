package raft_test

import (
	"bytes"
	"slices"

	"balsa/raft"
)

// Snapshots in random schedules. A snapshot takes its time to be saved, its chunks to be stored, the machine
// to be restored from it; a crash loses whichever of these was on its way. What is kept of a snapshot that
// arrives survives. The log on disk may be released up to the older of the two snapshots kept.

// image is a snapshot as it lies on a disk: what the core knows of it, its bytes, and the log that it stands
// for.
type image struct {
	raft.Snapshot
	bytes []byte
	log   chain // up to Last
}

// shelf is what one server keeps of snapshots, on its disk and in its hands.
type shelf struct {
	kept    []image      // on disk, the newest first, at most two
	partial image        // on disk: what has arrived of a snapshot
	base    raft.EntryID // on disk: what lies before the log

	storing []raft.Chunk // in hands: to be stored, one after the other
	saving  *image       // in hands: captured, being saved
	arrived *image       // in hands: on disk, the machine is being restored from it
	unready bool         // in hands: the machine, and the server was told so
}

// crash loses what was in hands.
func (s *shelf) crash() { s.storing, s.saving, s.arrived, s.unready = nil, nil, nil, false }

func (s *shelf) newest() raft.Snapshot {
	if len(s.kept) == 0 {
		return raft.Snapshot{}
	}
	return s.kept[0].Snapshot
}

// find returns a snapshot that is kept.
func (s *shelf) find(last raft.EntryID) (image, bool) {
	for _, i := range s.kept {
		if i.Last == last {
			return i, true
		}
	}
	return image{}, false
}

// put keeps a snapshot beside the newest of those that were there.
func (s *shelf) put(i image) {
	if _, there := s.find(i.Last); there {
		return
	}
	s.kept = append(s.kept, i)
	slices.SortFunc(s.kept, func(a, b image) int { return int(b.Last.Index) - int(a.Last.Index) })
	if len(s.kept) > 2 {
		s.kept = s.kept[:2]
	}
}

// newImage makes the snapshot of a log. Its bytes are the same on every server.
func (w *world) newImage(log chain) image {
	members, index := w.configurationAt(log)
	last := log[len(log)-1]
	content := make([]byte, 1+last.hash%100)
	for i := range content {
		content[i] = byte(last.hash>>(i%8) + uint64(i))
	}
	return image{
		Snapshot: raft.Snapshot{
			Last: last.entry.ID(), Time: last.entry.Time, Size: uint64(len(content)),
			Members: members, MembersIndex: index,
		},
		bytes: content, log: log,
	}
}

// recovered is the log that the disk of a server stands for: the log on it where that joins the newest
// snapshot, else the snapshot alone.
func (n *node) recovered() chain {
	if len(n.shelf.kept) == 0 {
		return n.disk
	}
	return n.disk.behind(n.shelf.kept[0].log)
}

// behind returns the log if it holds the last entry of a snapshot, else that snapshot's.
func (c chain) behind(snapshot chain) chain {
	last := len(snapshot)
	if last == 0 || last <= len(c) && c[last-1].hash == snapshot[last-1].hash {
		return c
	}
	return snapshot
}

// restored is what a server finds on its disk.
func (n *node) restored(members raft.Configuration) raft.Restored {
	r := raft.Restored{HardState: n.hard, Members: members, Before: n.shelf.base, Snapshot: n.shelf.newest(),
		Unready: n.shelf.unready}
	r.Incarnation, r.Repairing, r.Start = n.life, n.marked, n.starts
	if r.Joins = n.joins; n.joins {
		r.Members = raft.Configuration{}
	}
	for _, l := range n.disk[n.shelf.base.Index:] {
		r.Entries = append(r.Entries, l.entry)
	}
	return r
}

// restarted begins the log anew behind a snapshot that must be on the disk.
func (w *world) restarted(n *node, last raft.EntryID) chain {
	if len(n.shelf.kept) == 0 || n.shelf.kept[0].Last.Index < last.Index {
		failf("server %v begins its log behind %v, and has no snapshot of that", n.id, last)
	}
	log, known := w.snapshots[last]
	if !known {
		failf("server %v begins its log behind %v, where no snapshot ends", n.id, last)
	}
	return log
}

// snapshotSomewhere takes the next step of somebody's snapshot: to capture, to save, to store a chunk, to
// install.
func (w *world) snapshotSomewhere() {
	n := w.anyone()
	if n.core == nil {
		return
	}
	switch roll := w.dice.IntN(1000); {
	case roll < 200:
		w.capture(n, w.percent(90))
	case roll < 200+w.odds.save:
		w.save(n)
	case roll < 200+w.odds.save+w.odds.install:
		w.install(n)
		w.ready(n)
	default:
		w.store(n)
	}
}

func (w *world) capture(n *node, due bool) {
	applied := n.before.Applied
	if n.shelf.saving != nil || n.shelf.arrived != nil || applied <= n.shelf.newest().Last.Index ||
		due && !n.core.SnapshotDue() {
		return
	}
	i := w.newImage(n.log[:applied:applied])
	members, index := n.core.MembersAt(applied)
	if len(members.Voters) == 0 {
		return // it joins, and does not know yet what the snapshot must bear
	}
	if index != i.MembersIndex || string(members.AppendTo(nil)) != string(i.Members.AppendTo(nil)) {
		failf("server %v has configuration %d for a snapshot up to %v, not %d", n.id, index, i.Last,
			i.MembersIndex)
	}
	n.shelf.saving = &i
}

// save makes a captured snapshot durable. One that a received snapshot has overtaken is told all the same.
func (w *world) save(n *node) {
	s := &n.shelf
	if s.saving == nil {
		return
	}
	i := *s.saving
	s.saving = nil
	if i.Last.Index < s.newest().Last.Index {
		w.tally.note("stale snapshot")
	}
	s.put(i)
	w.snapshots[i.Last] = i.log
	w.step(n, raft.Snapshotted{Snapshot: i.Snapshot})
	w.release(n)
}

// release drops from the disk what precedes the older snapshot, or leaves it there.
func (w *world) release(n *node) {
	s := &n.shelf
	if len(s.kept) == 2 && s.kept[1].Last.Index > s.base.Index && w.percent(70) &&
		int(s.kept[1].Last.Index) <= len(n.disk) {
		s.base = n.disk[s.kept[1].Last.Index-1].entry.ID()
	}
}

// store puts a chunk with what has arrived before it, if it fits there, and answers.
func (w *world) store(n *node) {
	s := &n.shelf
	if len(s.storing) == 0 {
		return
	}
	chunk := s.storing[0]
	s.storing = s.storing[1:]
	m := chunk.Message
	answer := raft.ChunkStored{From: chunk.From, Sequence: chunk.Sequence, Term: m.Term, Last: m.Last}
	if _, whole := s.find(m.Last); whole {
		answer.Next = m.Size
	} else {
		if m.Last != s.partial.Last {
			s.partial = image{Snapshot: raft.Snapshot{Last: m.Last, Size: m.Size}}
		}
		have := uint64(len(s.partial.bytes))
		if full := !w.calm && w.percent(5); m.Offset <= have && m.Offset+uint64(len(m.Data)) > have && !full {
			s.partial.bytes = append(slices.Clone(s.partial.bytes), m.Data[have-m.Offset:]...)
		}
		answer.Next = uint64(len(s.partial.bytes))
		w.whole(n)
	}
	if i, whole := s.find(m.Last); whole && s.arrived == nil && i.Last.Index > n.before.Snapshot.Index {
		s.arrived = &i
	}
	if s.arrived != nil && n.before.Role == raft.Follower {
		s.unready = true
		w.step(n, raft.Readiness{})
	}
	w.step(n, answer)
}

// ready ends what keeps a machine from applying.
func (w *world) ready(n *node) {
	if s := &n.shelf; s.unready && s.arrived == nil {
		s.unready = false
		w.step(n, raft.Readiness{Ready: true})
	}
}

// whole turns what has arrived into a snapshot, when all of it has.
func (w *world) whole(n *node) {
	p := &n.shelf.partial
	if uint64(len(p.bytes)) < p.Size {
		return
	}
	i := w.newImage(w.snapshots[p.Last])
	if !bytes.Equal(p.bytes, i.bytes) {
		failf("server %v received other bytes of snapshot %v than were sent", n.id, p.Last)
	}
	n.shelf.put(i)
	n.shelf.partial = image{}
}

// install restores the machine, unless it has applied as much.
func (w *world) install(n *node) {
	s := &n.shelf
	if s.arrived == nil && s.newest().Last.Index > n.before.Snapshot.Index { // it came beside another one
		s.arrived = &s.kept[0]
	}
	if s.arrived == nil {
		return
	}
	i := *s.arrived
	s.arrived = nil
	if hash, _ := i.log.at(i.Last.Index); w.committed[i.Last.Index-1].hash != hash {
		failf("State Machine Safety: server %v installs a snapshot of what was not committed", n.id)
	}
	if i.Last.Index <= n.before.Commit {
		w.tally.note("snapshot overtaken by the log")
	}
	n.applied = max(n.applied, i.Last.Index)
	w.step(n, raft.Installed{Snapshot: i.Snapshot})
}

// chunks takes what is to be stored. A driver may drop some of it.
func (w *world) chunks(n *node, out raft.Output) {
	for _, c := range out.Chunks {
		if c.Message.Term > n.hard.Term {
			failf("server %v is to store a chunk of term %d, and its disk has term %d", n.id, c.Message.Term,
				n.hard.Term)
		}
		if len(n.shelf.storing) < 3 {
			n.shelf.storing = append(n.shelf.storing, c)
		}
	}
}

// letter fills in what the core does not know of a snapshot, and reports whether the letter can leave.
func (w *world) letter(n *node, l *raft.Letter) bool {
	m, is := l.Message.(raft.InstallSnapshot)
	if !is {
		return true
	}
	i, kept := n.shelf.find(m.Last)
	if !kept {
		failf("server %v sends snapshot %v, which it does not keep", n.id, m.Last)
	}
	if m.Size != i.Size || m.Offset > m.Size {
		failf("server %v sends %d of %d bytes of snapshot %v, which has %d",
			n.id, m.Offset, m.Size, m.Last, i.Size)
	}
	if !l.Ask {
		m.Data = i.bytes[m.Offset:min(m.Size, m.Offset+uint64(n.config.Limits.ChunkBytes))]
		l.Message = m
	}
	return w.calm || !w.percent(w.odds.lose)
}

// snapshotsSettle lets all that is in hands be done, and reports whether anything was.
func (w *world) snapshotsSettle(n *node) (busy bool) {
	if n.core == nil {
		return false
	}
	s := &n.shelf
	busy = len(s.storing) > 0 || s.saving != nil || s.arrived != nil || s.unready
	w.store(n)
	w.save(n)
	w.install(n)
	w.ready(n)
	w.capture(n, true)
	return busy || s.saving != nil
}

// sentSnapshot looks at an answer at the moment at which it leaves.
func (w *world) sentSnapshot(n *node, m raft.InstallSnapshotResponse) {
	if !m.Complete {
		w.promises(n, m, m.Term, true)
		return
	}
	mine, long := n.recovered().at(m.Last.Index)
	w.promises(n, m, m.Term, long && int(m.Last.Index) <= len(w.committed) &&
		mine == w.committed[m.Last.Index-1].hash)
}

func (w *world) countSnapshots(e raft.Event) {
	switch e := e.(type) {
	case raft.SnapshotTaken:
		w.tally.note("snapshot taken")
	case raft.Compacted:
		w.tally.note("compaction")
	case raft.SnapshotSending:
		w.tally.note("transfer")
		if e.Offset > 0 {
			w.tally.note("transfer resumed")
		}
	case raft.SnapshotInstalled:
		if e.Kept {
			w.tally.note("install that kept the log")
		} else {
			w.tally.note("install that dropped the log")
		}
	}
}
