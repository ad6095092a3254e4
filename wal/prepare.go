package wal

import (
	"errors"
	"fmt"

	"balsa/disk"
)

// The next segment is filled with zeros before it is used: then an append changes neither the length of a
// file nor where the file system keeps it, and its sync has nothing to write but the batch itself.
//
// Segments double from FirstSegmentBytes up to Options.SegmentBytes: a log that stays small costs little,
// at its first start too, and one that grows fills each segment while it uses the one before. If an append
// comes to the end first it makes the next segment itself and leaves it unfilled: those who wait for the
// append would wait for the zeros too (40 ms for 64 MiB on the disk of the package comment, and
// more on a slower one), and a slower segment loses nothing.
const (
	// FirstSegmentBytes is the size of the first segment of a directory, if Options.SegmentBytes is not less.
	FirstSegmentBytes = 1 << 20
	// preparedFrom is the part of a segment, its inverse, that is used when the preparation of the next one
	// begins: late enough that an idle log prepares nothing, and early enough to be done in time.
	preparedFrom = 8
	// stepBytes is how much one step fills: about as much as an append with a large command, which then waits
	// no longer for the disk than behind another such append.
	stepBytes = 256 << 10
	// keptReleased is how many released segments wait to be used again, at most.
	keptReleased = 2
)

// Preparation is the making of a segment ahead of use, in steps. Step may be called from another goroutine,
// beside the log's methods: it touches only the file of the preparation, and that one's names. The log gets
// it back with Adopt. A start removes what a crash has left of it.
//
// If there is the file of a released segment, that one is filled with zeros in place of a new one: it has
// its room on the disk already, also when the disk is full. What it held would not verify in another
// segment, for its sums are seeded; but something that is no zero behind a torn batch would be taken for
// damage.
type Preparation struct {
	dir    disk.Dir
	size   int64
	name   string    // of the file: that of a released segment, then the spare's; empty while there is none
	file   disk.File // nil before the first step, and when it has failed
	zeros  []byte
	filled int64
	err    error
}

// successor is what the log knows of its next segment.
type successor struct {
	handedOut bool
	ready     *Preparation // filled and synced
	failedAt  uint64       // the segment in which a preparation failed: the next one is begun in a later one
	released  []span       // they wait under temporary names
}

// Prepare returns the next segment to be prepared, nil if it is too early or one is on its way already.
// Call it after an Append, have Step called until it says done, and give it back with Adopt. A log that is
// never asked makes its segments as it needs them.
func (l *Log) Prepare() *Preparation {
	early := l.offset < l.size/preparedFrom
	if l.err != nil || early || l.next.handedOut || l.next.ready != nil || l.next.failedAt == l.segment {
		return nil
	}
	l.next.handedOut = true
	if n := len(l.next.released); n > 0 {
		old := l.next.released[n-1]
		l.next.released = l.next.released[:n-1]
		return &Preparation{dir: l.dir, size: old.size, name: segmentName(old.segment) + temporarySuffix}
	}
	return &Preparation{dir: l.dir, size: l.nextSize()}
}

// Step fills and syncs the next 256 KiB at most, and reports whether the preparation is done: completed, or
// failed with an error. It takes as long as the disk does; rest between steps, or appends wait behind it.
// An error costs nothing but the preparation: nothing relied upon it, what it had taken of the disk is
// given back, and the log goes on without it.
func (p *Preparation) Step() (done bool, err error) {
	if p.err == nil && p.filled < p.size {
		if p.err = p.step(); p.err != nil {
			p.err = fmt.Errorf("wal: prepare a segment: %w", errors.Join(p.err, p.abandon()))
		}
	}
	return p.err != nil || p.filled == p.size, p.err
}

func (p *Preparation) step() (err error) {
	if p.file == nil {
		if err := p.open(); err != nil {
			return err
		}
		p.zeros = make([]byte, min(p.size, stepBytes))
	}
	piece := p.zeros[:min(p.size-p.filled, stepBytes)]
	if _, err := p.file.WriteAt(piece, p.filled); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	p.filled += int64(len(piece))
	return nil
}

// open makes the file, or takes the one that is to be used again.
func (p *Preparation) open() error {
	if p.name != "" {
		if err := p.dir.Rename(p.name, spareName); err != nil {
			return err
		}
		p.name = spareName
		f, err := p.dir.Open(spareName)
		if err != nil {
			return err
		}
		p.file = f
		return nil
	}
	f, err := p.dir.Create(spareName, p.size)
	if err != nil {
		return err
	}
	p.name, p.file = spareName, f
	return nil
}

// abandon gives back what the preparation has taken.
func (p *Preparation) abandon() (err error) {
	if p.file != nil {
		err = p.file.Close()
	}
	if p.name != "" {
		err = errors.Join(err, p.dir.Remove(p.name))
	}
	p.file, p.name = nil, ""
	return err
}

// Adopt takes back a preparation of this log, done or not, on which Step is not called any more.
// One that is not done, or has failed, is given up; its error, if any, has been returned by Step. After Close
// it does the same with any.
func (l *Log) Adopt(p *Preparation) {
	l.next.handedOut = false
	if !l.closed && p.err == nil && p.filled == p.size {
		l.next.ready = p
		return
	}
	l.next.failedAt = l.segment
	_ = p.abandon() // what cannot be removed is removed by the next start
}

// close releases a prepared segment that was not used; the next start removes its file.
func (s *successor) close() error {
	if s.ready == nil {
		return nil
	}
	return s.ready.file.Close()
}

// nextSize is the size of the next segment.
func (l *Log) nextSize() int64 {
	return min(l.segmentBytes, max(2*l.size, FirstSegmentBytes))
}

// makeNext makes the next segment durable, of at least some size, and returns its size: the prepared one if
// it is large enough, else an unfilled one.
func (l *Log) makeNext(least int64) (size int64, err error) {
	if p := l.next.ready; p != nil && p.size >= least {
		l.next.ready = nil
		return p.size, l.useSpare(p)
	}
	size = max(l.nextSize(), least)
	return size, makeSegment(l.dir, l.incarnation, l.segment+1, size)
}

// useSpare gives the prepared file its header and its name. It gets them only now: while it was filled,
// appends may have come to the end of the segment, and made and used the next one themselves.
func (l *Log) useSpare(p *Preparation) error {
	name := segmentName(l.segment + 1)
	header := encodeSegmentHeader(l.incarnation, l.segment+1, p.size)
	if err := finishFile(p.file, header); err != nil {
		return fmt.Errorf("write %s: %w", spareName, err)
	}
	if err := l.dir.Rename(spareName, name); err != nil {
		return fmt.Errorf("rename %s: %w", spareName, err)
	}
	if err := l.dir.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
