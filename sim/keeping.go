package sim

import (
	"bytes"
	"errors"
	"io"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
)

// endCapture captures the state machine. What the image holds is looked at when it is saved, beside later
// applies.
func (s *server) endCapture(cause uint64, c replica.Capture) {
	captured := c.Perform(s.watched.front)
	p := s.world.note(Record{Kind: Captured, Cause: cause, Node: s.id, N: uint64(c.Snapshot.Last.Index)})
	s.world.attempt(s, p, captured)
}

// endRestore replaces the state of the machine, and shows the checks what it is now.
func (s *server) endRestore(cause uint64, r replica.Restore) {
	last := r.Snapshot.Last
	restored := r.Perform(s.watched.front, s.store.keeper)
	if s.endsWith(cause, restored.Err, "it ends while it restores its machine") {
		return
	}
	hash := uint64(0)
	if restored.Err == nil {
		s.through, s.watched.jumped = last, s.world.now
		s.world.saw(sawRestored)
		now, err := imageOf(s.watched.front, last)
		if err != nil {
			s.world.fail(ReplicaEquality, "n%v has restored %v, and cannot be captured: %v", s.id, last, err)
			return
		}
		hash = hashBytes(now.bytes)
		s.ledger.restored(s.world.moment(), s.id, last, hash)
	}
	p := s.world.note(Record{Kind: Restored, Cause: cause, Node: s.id, N: uint64(last.Index), Hash: hash})
	s.world.attempt(s, p, restored)
}

// hashed is an image with a hash of what it has written. It may be one that can be written once only.
type hashed struct {
	io.WriterTo
	hash uint64
}

// WriteTo writes it.
func (h *hashed) WriteTo(to io.Writer) (int64, error) {
	var b bytes.Buffer
	n, err := h.WriterTo.WriteTo(io.MultiWriter(&b, to))
	h.hash = hashBytes(b.Bytes())
	return n, err
}

func (s *server) endSave(cause uint64) {
	written := &hashed{WriterTo: s.save.Image}
	saved := replica.Save{Snapshot: s.save.Snapshot, Image: written}.Perform(s.store.keeper)
	if s.endsWith(cause, saved.Err, "it ends while it saves a snapshot") {
		return
	}
	s.save = nil
	last := saved.Snapshot.Last
	p := s.world.note(Record{Kind: Saved, Cause: cause, Node: s.id, N: uint64(last.Index),
		Hash: written.hash})
	if saved.Err == nil {
		s.world.saw(sawSaved)
		s.ledger.snapshotted(s.world.moment(), s.id, saved.Snapshot)
		s.ledger.imaged(s.world.moment(), s.id, last, written.hash, "saves")
	} else {
		s.world.saw(sawNotSaved)
	}
	s.world.attempt(s, p, saved)
}

func (s *server) endReadChunk(cause uint64) {
	read := s.reading.Perform(s.store.keeper)
	if s.endsWith(cause, read.Err, "it ends while it reads a snapshot") {
		return
	}
	s.reading = nil
	m, _ := read.Letter.Message.(raft.InstallSnapshot)
	p := s.world.note(Record{Kind: ChunkRead, Cause: cause, Node: s.id, N: m.Offset, Hash: hashBytes(m.Data)})
	s.world.attempt(s, p, read)
}

func (s *server) endStoreChunk(cause uint64) {
	stored := s.storing.Perform(s.store.keeper)
	for stored.Err == nil && s.store.keeper.Resuming() { // a node does so too, with rests
		stored = s.storing.Perform(s.store.keeper)
	}
	if s.endsWith(cause, stored.Err, "it ends while it stores a part of a snapshot") {
		return
	}
	m := s.storing.Chunk.Message
	s.storing = nil
	p := s.world.note(Record{Kind: ChunkStored, Cause: cause, Node: s.id, N: stored.Next})
	if m.Offset > 0 && len(m.Data) == 0 {
		s.world.saw(sawResumed)
	}
	if stored.Complete != nil {
		s.world.saw(sawReceived)
		s.ledger.snapshotted(s.world.moment(), s.id, *stored.Complete)
	}
	s.world.attempt(s, p, stored)
}

// endsWith ends the process if the power, or the process, was to end in a call of its disk.
func (s *server) endsWith(cause uint64, err error, why string) bool {
	if !errors.Is(err, disk.ErrPowerCut) {
		return false
	}
	s.die(cause, s.store.fault.power, why)
	return true
}

// takeSnapshot has a server take a snapshot by hand. Nobody waits for its answer.
func (w *World) takeSnapshot(s *server, cause uint64) {
	if !s.up() || s.trouble.stalled {
		return
	}
	w.tickets++
	s.asked = append(s.asked, question{ticket: w.tickets, byHand: true})
	w.attempt(s, cause, replica.TakeSnapshot{Ticket: w.tickets})
}
