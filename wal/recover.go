package wal

import (
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
	Before   raft.EntryID        // the entry right before Entries[0]; zero: they begin at index 1
	Entries  []raft.Entry        // contiguous from Before.Index+1; their commands share memory
	Peers    []raft.Acquaintance // what of each other server was appended last, by node
	Torn     int64               // how many bytes of a last write that was never synced were cut off
	First    bool                // the directory was not in use before
	// Repairing says that the directory was damaged, and has been made usable again by Repair: what was
	// promised may be lost. It lasts until Log.Repaired.
	Repairing bool
	// Copies says what is wrong with one copy of the identity while the other one is good: damage, what the
	// disk said, or fs.ErrNotExist. Open has written it anew. It is missing without damage when a first start
	// was cut short, after which nothing was appended.
	Copies []error
}

// recovery reads a directory and writes nothing.
type recovery struct {
	Recovered
	dir      disk.Dir
	segments []uint64 // ascending; without those that were released
	strays   []string // files under temporary names: no one relied on them
	repaired string   // a file that only a repair can have left
	released []string // segments before the base
	damaged  []string // copies of the identity that are to be written anew
	base     base     // where the log begins, as its last segment says; zero: at index 1
	doubt    place    // of the first bad batch that findBase has met, behind which may stand another base

	outline outline
	chain   chain
	number  uint64 // of the next batch
	gated   bool   // a configuration was among the entries, see gated
	tail    tail
	sights  sights

	newest *segment     // the last one that was written to, so that it is read once; nil when lean
	spare  []byte       // memory for the next segment
	room   []raft.Entry // one batch at a time
	lean   bool         // what is read is shown and not kept: Entries stays empty
	visit  func(Piece) error
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

// newRecovery is what reads a directory, and shows what it reads to visit.
func newRecovery(dir disk.Dir, visit func(Piece) error) *recovery {
	return &recovery{dir: dir, number: 1, visit: visit}
}

// read verifies the whole directory. In one that was never used, First is set and nothing else.
func (r *recovery) read() error {
	names, err := r.dir.List()
	if err != nil {
		return err
	}
	r.sort(names)
	found, err := r.identify(names)
	if err != nil {
		return err
	}
	r.First = !found
	if r.First {
		return r.unused()
	}
	if err := r.locate(); err != nil {
		return err
	}
	return r.log()
}

// sort tells segments and strays from files that are none of the log's business, which are left alone.
func (r *recovery) sort(names []string) {
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok {
			r.segments = append(r.segments, n)
		}
		if strings.HasPrefix(name, asidePrefix) || strings.HasPrefix(name, countPrefix) {
			r.repaired = name
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
	if r.repaired != "" {
		return damage(firstCopy, 0, "both copies of the identity are missing, yet %s exists", r.repaired)
	}
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

// locate finds where the log begins, and leaves out the segments before that: they were released, and one
// that is still there, or whose file was being used again, may hold anything.
func (r *recovery) locate() error {
	if err := r.findBase(); err != nil {
		return err
	}
	first := max(1, r.base.segment)
	for len(r.segments) > 0 && r.segments[0] < first {
		r.released = append(r.released, segmentName(r.segments[0]))
		r.segments = r.segments[1:]
	}
	if r.base.segment > 0 {
		r.number, r.chain.tip = r.base.number, r.base.join
		r.outline.begin(r.base.join)
		r.Before = r.base.join
	}
	return nil
}

// findBase reads backwards to the last segment that was written to: its first batch repeats what the base
// was, and the batches behind it may have changed it. Nothing is judged yet: what is bad here will be met
// again. If a base is overlooked that way, older segments are asked for than there may be; then they are
// missing, and never is one passed over that is needed. But they are not what is wrong then: see missing.
func (r *recovery) findBase() error {
	for i := len(r.segments) - 1; i >= 0; i-- {
		s, err := r.load(r.segments[i])
		if err != nil {
			return err
		}
		at := int64(segmentHeader)
		for raw := s.readable(at); raw != nil; raw = s.readable(at) {
			if b, err := decode(raw, r.room[:0]); err == nil {
				if b.base != nil {
					r.base = *b.base
				}
				r.sights.see(b, len(raw))
				r.room = b.entries
			}
			at += int64(len(raw))
		}
		if at < s.written && r.doubt.segment == 0 {
			r.doubt = s.at(at)
		}
		if at > segmentHeader {
			r.sights.last, r.sights.written = span{segment: s.number, size: int64(len(s.image))}, s.written
			if !r.lean {
				r.newest = s
			}
			return nil
		}
		r.forget(s)
	}
	return nil
}

// missing says that a segment is not there. Where the log begins stands in the last one: if a batch of that
// is bad, no file need be missing, and who put one back would look for what was rightly removed.
func (r *recovery) missing(segment, next uint64) error {
	if r.doubt.segment >= next {
		return damage(segmentName(r.doubt.segment), r.doubt.offset, "the batch here is bad; it may have "+
			"said that the log begins in segment %d, for %s, in which it would begin otherwise, is missing",
			next, segmentName(segment))
	}
	return damage(segmentName(segment), 0, "the file is missing, though segment %d exists", next)
}

// log reads the segments in order. The log ends in the first one without an end mark; in those behind it,
// prepared or begun by a crash's leave, nothing may stand.
func (r *recovery) log() error {
	ended, first := false, max(1, r.base.segment)
	for i, n := range r.segments {
		if due := uint64(i) + first; n != due {
			return r.missing(due, n)
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
		if !r.keeps(s) {
			r.forget(s)
		}
	}
	if !ended {
		next := segmentName(uint64(len(r.segments)) + first)
		return damage(next, 0, "the file is missing, though the log goes on in it")
	}
	r.fit()
	if r.Before != r.base.before {
		return damage(segmentName(first), segmentHeader, "the log is said to begin behind %v, and entries "+
			"are there only behind %v", r.base.before, r.Before)
	}
	return nil
}

// load reads a segment and verifies its header, unless findBase has kept it. It takes memory only for a file
// whose header agrees with its size; forget takes it back.
func (r *recovery) load(number uint64) (s *segment, err error) {
	if r.newest != nil && r.newest.number == number {
		return r.newest, nil
	}
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
	image := r.memory(size)
	if n, err := f.ReadAt(image, 0); int64(n) < size {
		return nil, fmt.Errorf("read %s: %w", name, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return &segment{number, incarnation, image, int64(extent(image))}, nil
}
