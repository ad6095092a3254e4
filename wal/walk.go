package wal

import (
	"fmt"

	"balsa/disk"
	"balsa/raft"
)

// Piece is what stands at one place of the log: the header of a segment, or a batch.
type Piece struct {
	Segment uint64 // number of the segment
	Last    uint64 // number of the last segment that there is
	Offset  int64  // in the segment's file, in bytes
	Length  int64  // of the batch; for a header, of the whole file
	Batch   uint64 // number of the batch; 0 for a header

	State   *raft.HardState     // nil: not said
	Start   uint64              // number of a start; 0: not said
	Entries []raft.Entry        // they replace everything from the first one's index on
	Peers   []raft.Acquaintance // what is said of them
	Before  raft.EntryID        // the log begins behind it, if it is not zero
	Restart bool                // everything before this batch is dropped
	End     bool                // the log goes on in the next segment
	Seal    bool                // everything before it was durable when it was written
	Mark    *bool               // whether the server repairs itself from here on; nil: not said
}

// File is the name of the segment's file.
func (p Piece) File() string { return segmentName(p.Segment) }

// Walk reads a directory as Inspect does, with the same verdicts, and shows each segment that is needed and
// each of its batches to visit, in order, as soon as it was verified. It writes nothing, and keeps nothing:
// Recovered.Entries is empty, and no more memory is needed than the largest segment has bytes. When it
// returns an error of the log, everything in front of what is bad was shown. An error of visit ends the walk
// and is returned. What visit is given must not be changed, and slices must not be kept: the next batch gets
// their room.
func Walk(dir disk.Dir, visit func(Piece) error) (Recovered, error) {
	r := newRecovery(dir, visit)
	r.lean = true
	return survey(r)
}

// Inspect reads a directory as Open does, with the same verdicts, and writes nothing: Start is the number
// of the last start, not of a new one, and Copies are not written anew. On a directory that was never used it
// returns ErrNotInitialized. With an error, Identity and Copies are there as far as they were read.
func Inspect(dir disk.Dir) (Recovered, error) {
	return survey(newRecovery(dir, func(Piece) error { return nil }))
}

func survey(r *recovery) (Recovered, error) {
	err := r.read()
	if err == nil && r.First {
		err = ErrNotInitialized
	}
	if err != nil {
		return Recovered{Identity: r.Identity, Copies: r.Copies}, fmt.Errorf("wal: %w", err)
	}
	return r.Recovered, nil
}

// CheckSegments verifies segments one by one, each for itself, for whoever wants to know after an error of
// Walk what else is bad: the header, and the checksums of the batches up to where they end. Segments that
// skip names are left out. What only its neighbours show of a segment is not noticed. It returns what is
// wrong, one error at most for each segment, and writes nothing.
func CheckSegments(dir disk.Dir, skip func(name string) bool) (wrong []error) {
	r := &recovery{dir: dir}
	names, err := dir.List()
	if err != nil {
		return []error{fmt.Errorf("wal: %w", err)}
	}
	r.sort(names)
	for _, n := range r.segments {
		if skip(segmentName(n)) {
			continue
		}
		s, err := r.load(n)
		if err == nil {
			err = s.check()
			r.forget(s)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("wal: %w", err))
		}
	}
	return wrong
}

// check verifies the batches of a segment, whatever stands before it.
func (s *segment) check() error {
	if s.blank() {
		return nil
	}
	first, good := readHeader(s.rest(segmentHeader), s.at(segmentHeader))
	if !good {
		return damage(s.name(), segmentHeader, "the header of its first batch is bad")
	}
	number := first.number
	for offset := int64(segmentHeader); offset < s.written; number++ {
		raw, err := s.batch(offset, number)
		if err != nil || raw == nil {
			return err
		}
		offset += int64(len(raw))
	}
	return nil
}

// showSegment shows the header of a segment.
func (r *recovery) showSegment(s *segment) error {
	return r.visit(Piece{Segment: s.number, Last: r.segments[len(r.segments)-1], Length: int64(len(s.image))})
}

// showBatch shows a batch.
func (r *recovery) showBatch(s *segment, offset, length int64, b batch) error {
	p := Piece{
		Segment: s.number, Last: r.segments[len(r.segments)-1], Offset: offset, Length: length,
		Batch: b.number, State: b.state, Start: b.start, Entries: b.entries, Peers: b.peers,
		Restart: b.restart, End: b.end, Seal: b.seal, Mark: b.mark,
	}
	if b.base != nil {
		p.Before = b.base.before
	}
	return r.visit(p)
}
