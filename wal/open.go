package wal

import (
	"errors"
	"fmt"
	"slices"

	"balsa/disk"
	"balsa/raft"
)

// The range of Options.SegmentBytes, and its value when none is given.
const (
	MinSegmentBytes     = 512
	MaxSegmentBytes     = maxSegment
	DefaultSegmentBytes = 64 << 20
)

// Options says what the caller expects of a directory, and how the log is to be cut into segments.
type Options struct {
	// Identity is whom the directory must belong to. A first start takes all of it. On every later one Node
	// is compared, Cluster unless it is zero, and the rest is ignored: the directory knows it better. But one
	// that joined is refused when Bootstrap names members, and one that did not when Joins is set.
	Identity Identity
	// SegmentBytes is the size up to which segments grow, rounded up to a multiple of 512: MinSegmentBytes to
	// MaxSegmentBytes; 0 means DefaultSegmentBytes. The first has FirstSegmentBytes if that is less, and each
	// has twice the size of the one before. A batch that does not fit into an empty segment gets a larger one
	// to itself. It may differ from start to start.
	SegmentBytes int64
}

// Open verifies the directory's log, makes ready to append to it, and counts up the number of starts. It
// writes nothing before it has verified everything, and when it returns nil everything that it returns is
// durable, also what an earlier process had written without syncing it.
//
// The directory belongs to the log until Close; closing dir is up to the caller, afterwards.
//
// Errors: ErrCorrupt, ErrForeign, ErrNotInitialized, ErrVersion, or what the disk said (disk.ErrNoSpace
// among it). After any of them nothing that was acknowledged is lost and Open may be called again.
func Open(dir disk.Dir, o Options) (*Log, Recovered, error) {
	l, r, err := open(dir, o)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("wal: %w", err)
	}
	return l, r, nil
}

func open(dir disk.Dir, o Options) (*Log, Recovered, error) {
	size, err := o.segmentBytes()
	if err != nil {
		return nil, Recovered{}, err
	}
	r := newRecovery(dir, func(Piece) error { return nil })
	if err := r.read(); err != nil {
		return nil, Recovered{}, err
	}
	if err = r.prepare(o.Identity, size); err != nil {
		return nil, Recovered{}, err
	}
	l, err := r.settle(size)
	if err != nil {
		return nil, Recovered{}, err
	}
	r.Start++
	l.start = r.Start
	if err = errors.Join(r.remove(r.released), l.commit(batch{start: r.Start})); err != nil {
		return nil, Recovered{}, errors.Join(err, l.Close())
	}
	return l, r.Recovered, nil
}

// segmentBytes checks the option and fills in its default.
func (o Options) segmentBytes() (int64, error) {
	size := o.SegmentBytes
	if size == 0 {
		size = DefaultSegmentBytes
	}
	if size < MinSegmentBytes || size > MaxSegmentBytes {
		return 0, fmt.Errorf("segment size %d: %d to %d bytes", size, MinSegmentBytes, MaxSegmentBytes)
	}
	return align(size, disk.Sector), nil
}

// prepare compares the directory with what the caller expects, clears away what was never relied upon, and
// makes the identity whole; on a first start it makes the first segment and the identity.
func (r *recovery) prepare(want Identity, size int64) error {
	err := r.expect(want)
	if err != nil {
		return err
	}
	if err := r.remove(r.strays); err != nil {
		return err
	}
	if r.First {
		return r.begin(want, size)
	}
	if len(r.damaged) > 0 {
		return writeIdentity(r.dir, r.Identity, r.damaged)
	}
	return nil
}

// remove removes files. Those of released segments go only when the log is settled: the base that releases
// them may stand in a last batch that was read from the memory of the operating system and is not durable.
func (r *recovery) remove(names []string) error {
	for _, name := range names {
		if err := r.dir.Remove(name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

func (r *recovery) expect(want Identity) error {
	if r.First {
		return want.complete()
	}
	return r.Identity.expect(want)
}

// begin makes a directory that was never used ready for its first batch. The first segment is durable
// before the identity has a name, and no batch is written before the identity is durable (settle sees to
// that): so a directory without identity holds at most an empty segment, whatever was cut short.
func (r *recovery) begin(id Identity, size int64) error {
	size = min(size, FirstSegmentBytes)
	if err := makeFirst(r.dir, id.Incarnation, size); err != nil {
		return err
	}
	id.Bootstrap = id.Bootstrap.Clone()
	r.Identity = id
	r.tail = tail{segment: 1, size: size, offset: segmentHeader}
	r.chain.begin(1, size, r.number)
	return writeIdentity(r.dir, id, identityNames())
}

// settle makes durable what the log was read from, cuts the torn rest of the last write off, and opens the
// last segment.
func (r *recovery) settle(size int64) (*Log, error) {
	// Before the first new batch every name is durable: those of the identity, and those that a process has
	// given which was killed before it could sync them.
	if err := r.dir.Sync(); err != nil {
		return nil, fmt.Errorf("sync directory: %w", err)
	}
	if len(r.tail.last) > 0 && r.tail.lastAt.segment != r.tail.segment {
		if err := r.rewriteMark(); err != nil {
			return nil, err
		}
	}
	f, err := r.dir.Open(segmentName(r.tail.segment))
	if err != nil {
		return nil, err
	}
	if err := r.settleTail(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", segmentName(r.tail.segment), err), f.Close())
	}
	return &Log{
		dir: r.dir, incarnation: r.Identity.Incarnation, segmentBytes: size,
		file: f, segment: r.tail.segment, size: r.tail.size, offset: r.tail.offset,
		number: r.number, state: r.State, start: r.Start, outline: r.outline, chain: r.chain,
		peers: slices.Clone(r.Peers), repairs: r.Repairing, gated: r.gated,
	}, nil
}

// rewriteMark writes the end mark of the segment before the last one again: the last segment has no batch
// yet, so that mark is what rewriting the last batch is for.
func (r *recovery) rewriteMark() error {
	name := segmentName(r.tail.lastAt.segment)
	f, err := r.dir.Open(name)
	if err != nil {
		return err
	}
	err = r.rewriteLast(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// rewriteLast writes the last batch once more, the same bytes to the same place. It was read, but perhaps
// from the memory of the operating system alone: after a failed sync that memory counts as written, no
// later sync writes it, and the process that comes now would acknowledge what the next power cut takes.
func (r *recovery) rewriteLast(f disk.File) error {
	_, err := f.WriteAt(r.tail.last, r.tail.lastAt.offset)
	return err
}

// settleTail does the same for the last segment, and overwrites with zeros what a torn write left.
// Otherwise, when the next write is torn in its turn, its own beginning and the end of the old rest could
// be taken for more than they are.
func (r *recovery) settleTail(f disk.File) error {
	if r.tail.lastAt.segment == r.tail.segment && len(r.tail.last) > 0 {
		if err := r.rewriteLast(f); err != nil {
			return err
		}
	}
	if err := writeZeros(f, r.tail.offset, r.tail.torn); err != nil {
		return err
	}
	return f.Sync()
}

// writeZeros overwrites n bytes, a piece at a time.
func writeZeros(f disk.File, offset, n int64) error {
	zeros := make([]byte, min(n, 1<<20))
	for n > 0 {
		piece := zeros[:min(n, int64(len(zeros)))]
		if _, err := f.WriteAt(piece, offset); err != nil {
			return err
		}
		offset, n = offset+int64(len(piece)), n-int64(len(piece))
	}
	return nil
}

// makeFirst makes the first segment durable, filled with zeros.
func makeFirst(dir disk.Dir, incarnation raft.Incarnation, size int64) error {
	content := append(encodeSegmentHeader(incarnation, 1, size), make([]byte, size-segmentHeader)...)
	return placeSegment(dir, 1, size, content)
}

// makeSegment makes an empty segment durable. Its zeros are those that a file system makes up for what was
// never written.
func makeSegment(dir disk.Dir, incarnation raft.Incarnation, number uint64, size int64) error {
	return placeSegment(dir, number, size, encodeSegmentHeader(incarnation, number, size))
}

// placeSegment puts a segment in place of an empty one of the same number that a crash may have left.
func placeSegment(dir disk.Dir, number uint64, size int64, content []byte) error {
	if err := writeFile(dir, segmentName(number), size, content); err != nil {
		return err
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
