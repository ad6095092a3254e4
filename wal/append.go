package wal

import (
	"errors"
	"fmt"

	"balsa/disk"
	"balsa/raft"
)

// Log is an open write-ahead log. Its methods must not be called concurrently; a Preparation that it has
// handed out is worked on beside it.
type Log struct {
	dir          disk.Dir
	incarnation  raft.Incarnation
	segmentBytes int64 // of a new segment, at most

	file    disk.File // the last segment
	segment uint64    // its number
	size    int64     // its size
	offset  int64     // where the next batch goes
	number  uint64    // of the next batch

	state   raft.HardState
	start   uint64
	outline outline
	chain   chain
	peers   peers
	repairs bool // the server repairs itself
	gated   bool // a configuration was among the entries, see gated
	sealed  bool // nothing was written since the last seal

	next successor

	buffer []byte
	err    error // the first one: nothing is written after it
	closed bool
}

const (
	// keptBuffer is the largest buffer that is kept from one Append to the next: new memory costs more than
	// what is copied into it.
	keptBuffer = 16 << 20
	// idleBuffer is the largest that is kept while nothing is appended.
	idleBuffer = 256 << 10
)

// Append writes a hard state (nil: unchanged), entries and what is new of peers as one batch and syncs it.
// Entries must be contiguous, have terms that never go back, and join the log; they replace everything from
// the first one's index on. Peers must be sorted by node, and what they say replaces what was said of the
// same node; the start number of one incarnation never goes back. With none of all that it does nothing.
//
// When it returns nil, all of it survives a power cut, and so does everything appended before. After an
// error any later start finds all of this batch or nothing of it. The first error ends the log: every later
// Append returns it again, for what a failed sync has left on the disk cannot be known, and a second one
// that succeeds says nothing about the first (Rebello and others, "Can Applications Recover from fsync
// Failures?", USENIX ATC 2020). Errors: ErrInvalid, ErrTooLarge, ErrClosed, or what the disk said
// (disk.ErrNoSpace among it).
func (l *Log) Append(state *raft.HardState, entries []raft.Entry, met ...raft.Acquaintance) error {
	if l.err != nil {
		return l.err
	}
	if state == nil && len(entries) == 0 && len(met) == 0 {
		return nil
	}
	b := batch{state: state, entries: entries, peers: met, gate: gated(entries)}
	err := l.accept(b)
	if err == nil {
		err = l.commit(b)
	}
	if err != nil {
		l.err = fmt.Errorf("wal: append: %w", err)
	}
	return l.err
}

// Seal writes and syncs a small mark, behind which nothing that rots can be taken for an unfinished write: a
// bad batch with a seal behind it is damage. Let it come when the log has been idle for a moment, and before
// Close. It does nothing if nothing was written since the last one, and its errors are Append's. Only rot of
// the very last batch, before its seal and together with a crash, remains unrecognised.
func (l *Log) Seal() error {
	if l.err != nil || l.sealed {
		return l.err
	}
	if err := l.commit(batch{seal: true}); err != nil {
		l.err = fmt.Errorf("wal: seal: %w", err)
	}
	l.sealed = true
	if cap(l.buffer) > idleBuffer {
		l.buffer = nil
	}
	return l.err
}

// accept checks that what is to be written could be read again.
func (l *Log) accept(b batch) error {
	if b.state != nil && b.state.Term < l.state.Term {
		return fmt.Errorf("%w: the term goes back from %d to %d", ErrInvalid, l.state.Term, b.state.Term)
	}
	if err := l.outline.accept(b.entries); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := l.peers.accept(b.peers); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// commit writes one batch and syncs it: behind the last one, or, where that leaves no room for the end
// mark, as the first batch of a new segment.
func (l *Log) commit(b batch) error {
	if b.state != nil {
		l.state = *b.state
	}
	l.sealed, l.gated = false, l.gated || b.gate
	if l.offset == segmentHeader {
		b = l.opening(b)
	}
	if l.offset+b.size()+endMark > l.size {
		b = l.opening(b)
		if err := l.advance(b.size()); err != nil {
			return err
		}
	}
	if err := l.write(b); err != nil {
		return err
	}
	l.chain.take(b, l.outline.tip())
	return nil
}

// opening makes a batch the first of a segment: it repeats the hard state, the start number, the peers, where
// the log begins, that the server repairs itself and that a later program is needed, so that the segments
// before it can go one day. It is never a seal as well: the end mark before it says as much, and if all of it
// rots nothing is lost that does not stand in front of that mark.
func (l *Log) opening(b batch) batch {
	b.state, b.start, b.peers, b.seal, b.gate = &l.state, l.start, l.peers, false, l.gated
	if b.base == nil && l.chain.base.segment > 0 {
		b.base = &l.chain.base
	}
	if b.mark == nil && l.repairs {
		b.mark = &l.repairs
	}
	return b
}

// write writes a batch where the next one goes, and syncs it.
func (l *Log) write(b batch) error {
	b.number = l.number
	l.buffer = b.append(l.buffer[:0], place{l.incarnation, l.segment, l.offset})
	if _, err := l.file.WriteAt(l.buffer, l.offset); err != nil {
		return fmt.Errorf("write %s: %w", segmentName(l.segment), err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", segmentName(l.segment), err)
	}
	l.offset += int64(len(l.buffer))
	l.number++
	if cap(l.buffer) > keptBuffer {
		l.buffer = nil
	}
	return nil
}

// advance goes on in a new segment that has room for a first batch of size bytes. The new one is durable
// before the old one gets its end mark, so a marked segment always has a successor; the mark is durable
// before the new one is written to, so that the first batch there proves the mark.
func (l *Log) advance(size int64) error {
	if size > MaxBatch {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxBatch)
	}
	size, err := l.makeNext(align(segmentHeader+size+endMark, disk.Sector))
	if err != nil {
		return err
	}
	next, err := l.dir.Open(segmentName(l.segment + 1))
	if err != nil {
		return err
	}
	if err := errors.Join(l.write(batch{end: true}), l.file.Close()); err != nil {
		l.file = next
		return err
	}
	l.file, l.segment, l.size, l.offset = next, l.segment+1, size, segmentHeader
	l.chain.begin(l.segment, l.size, l.number)
	return nil
}

// Close releases the log's file and writes nothing: what Append acknowledged is durable already. Later
// calls do nothing; every later Append returns ErrClosed, or the first error if there was one.
func (l *Log) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	if l.err == nil {
		l.err = fmt.Errorf("wal: %w", ErrClosed)
	}
	if err := errors.Join(l.file.Close(), l.next.close()); err != nil {
		return fmt.Errorf("wal: close: %w", err)
	}
	return nil
}
