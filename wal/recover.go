package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
)

// Recovered is what a directory holds.
type Recovered struct {
	Identity Identity
	Start    uint64              // the number of this start, counted from 1; already durable
	State    raft.HardState      // the last one appended; zero if none was
	Entries  []raft.Entry        // contiguous from index 1
	Peers    []raft.Acquaintance // what of each other server was appended last, by node
	Torn     int64               // how many bytes of a last write that was never synced were cut off
	First    bool                // the directory was not in use before
}

// recovery reads a directory and writes nothing.
type recovery struct {
	Recovered
	dir      disk.Dir
	segments []uint64 // ascending
	strays   []string // files under temporary names: no one relied on them
	damaged  []string // copies of the identity that are to be written anew

	outline outline
	number  uint64 // of the next batch
	tail    tail

	buffer []byte       // one segment at a time
	room   []raft.Entry // one batch at a time
}

// tail is where the log ends.
type tail struct {
	segment uint64
	size    int64 // of the segment
	offset  int64 // where the next batch belongs
	torn    int64 // bytes behind offset that a torn write left, up to the last one that is not zero
	last    []byte
	lastAt  place // of last, the last batch of the log: the end mark before this segment, if it has none
}

// Inspect reads a directory as Open does, with the same verdicts, and writes nothing: Start is the number
// of the last start, not of a new one. On a directory that was never used it returns ErrNotInitialized.
func Inspect(dir disk.Dir) (Recovered, error) {
	r, err := read(dir)
	if err == nil && r.First {
		err = ErrNotInitialized
	}
	if err != nil {
		return Recovered{}, fmt.Errorf("wal: %w", err)
	}
	return r.Recovered, nil
}

// read verifies a whole directory. In a directory that was never used, First is set and nothing else.
func read(dir disk.Dir) (*recovery, error) {
	r := &recovery{dir: dir, number: 1}
	names, err := dir.List()
	if err != nil {
		return nil, err
	}
	r.sort(names)
	identity, damaged, found, err := readIdentity(dir, names)
	if err != nil {
		return nil, err
	}
	r.Identity, r.damaged, r.First = identity, damaged, !found
	if r.First {
		return r, r.unused()
	}
	return r, r.log()
}

// sort tells segments and strays from files that are none of the log's business, which are left alone.
func (r *recovery) sort(names []string) {
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok {
			r.segments = append(r.segments, n)
		}
		if name == spareName {
			r.strays = append(r.strays, name)
			continue
		}
		name, temporary := strings.CutSuffix(name, temporarySuffix)
		if _, ok := parseSegmentName(name); temporary && (ok || slices.Contains(identityNames(), name)) {
			r.strays = append(r.strays, name+temporarySuffix)
		}
	}
}

// unused checks that a directory without an identity holds no more than a first start that was cut short:
// the first segment, without a batch. Anything else has lost its identity.
func (r *recovery) unused() error {
	for _, n := range r.segments {
		s, err := r.load(n)
		if err != nil {
			return err
		}
		if n != 1 || !s.blank() {
			return damage(firstCopy, 0, "both copies of the identity are missing, yet %s exists", s.name())
		}
	}
	return nil
}

// log reads the segments in order. The log ends in the first one without an end mark; in those behind it,
// prepared or begun by a crash's leave, nothing may stand.
func (r *recovery) log() error {
	ended := false
	for i, n := range r.segments {
		if due := uint64(i) + 1; n != due {
			return damage(segmentName(due), 0, "the file is missing, though segment %d exists", n)
		}
		s, err := r.load(n)
		if err != nil {
			return err
		}
		if s.incarnation != r.Identity.Incarnation {
			return damage(s.name(), 16, "it comes from another directory: incarnation %x, not %x",
				uint64(s.incarnation), uint64(r.Identity.Incarnation))
		}
		if ended && !s.blank() {
			return damage(segmentName(r.tail.segment), r.tail.offset, "batch %d is bad or missing, yet %s, "+
				"begun only when everything before it was durable, has been written to", r.number, s.name())
		}
		if !ended {
			if ended, err = r.scan(s); err != nil {
				return err
			}
		}
	}
	if !ended {
		next := segmentName(uint64(len(r.segments)) + 1)
		return damage(next, 0, "the file is missing, though the segment before it has its end mark")
	}
	return nil
}

// load reads a segment and verifies its header. It takes memory only for a file whose header agrees with
// its size.
func (r *recovery) load(number uint64) (s *segment, err error) {
	name := segmentName(number)
	f, err := r.dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if size < segmentHeader+endMark || size > maxSegment {
		return nil, damage(name, 0, "the file has %d bytes, no segment has", size)
	}
	var head [segmentHeader]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	incarnation, err := checkSegmentHeader(head[:], number, size)
	if err != nil {
		return nil, err
	}
	r.buffer = slices.Grow(r.buffer[:0], int(size))[:size]
	if n, err := f.ReadAt(r.buffer, 0); int64(n) < size {
		return nil, fmt.Errorf("read %s: %w", name, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return &segment{number, incarnation, r.buffer, int64(extent(r.buffer))}, nil
}

// scan takes a segment's batches. ended says that the log ends in it.
func (r *recovery) scan(s *segment) (ended bool, err error) {
	r.tail.segment, r.tail.size, r.tail.offset = s.number, int64(len(s.image)), segmentHeader
	for r.tail.offset < s.written {
		raw, err := s.batch(r.tail.offset, r.number)
		if err != nil {
			return false, err
		}
		if raw == nil {
			r.tail.torn = s.written - r.tail.offset
			r.Torn = r.tail.torn
			return true, nil
		}
		end, err := r.take(s, bytes.Clone(raw))
		if err != nil || end {
			return false, err
		}
	}
	return true, nil
}

// take takes one batch that verifies, whose memory becomes the entries'. What is wrong in it is a bug of
// whoever wrote it.
func (r *recovery) take(s *segment, raw []byte) (end bool, err error) {
	offset := r.tail.offset
	b, err := decode(raw, r.room[:0])
	if err == nil {
		err = r.judge(b, offset == segmentHeader)
	}
	if errors.Is(err, ErrVersion) {
		return false, fmt.Errorf("%s at byte %d: %w", s.name(), offset, err)
	}
	if err != nil {
		return false, damage(s.name(), offset, "batch %d verifies and makes no sense: %v", r.number, err)
	}
	r.keep(b)
	r.tail.last, r.tail.lastAt = raw, s.at(offset)
	r.tail.offset += int64(len(raw))
	r.number++
	if behind := s.written > r.tail.offset; b.end && behind {
		return false, damage(s.name(), r.tail.offset, "something was written behind the end mark")
	}
	if !b.end && r.tail.offset+endMark > r.tail.size {
		return false, damage(s.name(), offset, "batch %d leaves no room for the end mark", b.number)
	}
	return b.end, nil
}

// judge checks a batch against everything before it.
func (r *recovery) judge(b batch, first bool) error {
	switch {
	case (b.end || b.seal) && b.size() > endMark:
		return errors.New("an end mark or a seal with other records")
	case first && (b.state == nil || b.start == 0):
		return errors.New("the first batch of a segment does not repeat the hard state and the start number")
	case b.state != nil && b.state.Term < r.State.Term:
		return fmt.Errorf("the term goes back from %d to %d", r.State.Term, b.state.Term)
	case b.start != 0 && b.start < r.Start:
		return fmt.Errorf("the start number goes back from %d to %d", r.Start, b.start)
	}
	if err := (*peers)(&r.Peers).accept(b.peers); err != nil {
		return err
	}
	return r.outline.accept(b.entries)
}

// keep takes over what a batch says.
func (r *recovery) keep(b batch) {
	if b.state != nil {
		r.State = *b.state
	}
	r.Start = max(r.Start, b.start)
	if len(b.entries) > 0 {
		log := r.Entries[:b.entries[0].Index-1]
		if cap(log)-len(log) < len(b.entries) { // double it: append alone would copy a long log five times
			log = slices.Grow(log, max(len(b.entries), len(log)))
		}
		r.Entries = append(log, b.entries...)
	}
	r.room = b.entries
}
