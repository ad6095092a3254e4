package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"balsa/disk"
	"balsa/raft"
)

// Receiver takes in the file of a snapshot that another server sends (§7, InstallSnapshot): bytes by
// offset, in order. It verifies them as they come and holds one chunk. What has arrived outlives Close, and
// the process: a Receiver of the same snapshot goes on from there. Not for concurrent use. After an error
// of the disk every call returns it. After disk.ErrNoSpace what has arrived is gone too: the log needs the
// room.
type Receiver struct {
	store    *Store
	file     disk.File
	name     string
	last     raft.EntryID
	size     int64
	verifier verifier
	resumed  bool  // nothing is left in the file to go on from
	unsynced int64 // bytes
	err      error
	released bool
}

// Receive begins or resumes taking in a snapshot of size bytes. There is one Receiver at a time; it ends
// with Commit or Close. What was kept of other snapshots is dropped. Errors: ErrInvalid, ErrStale, ErrBusy,
// disk.ErrNoSpace when that many bytes do not fit beside Options.Reserve (then what was kept of this one is
// dropped as well), or what the disk said.
func (s *Store) Receive(last raft.EntryID, size int64) (*Receiver, error) {
	if err := (Meta{Last: last}).check(); err != nil {
		return nil, fmt.Errorf("snapshot: %w: %w", ErrInvalid, err)
	}
	if size < minFile || size > maxFile {
		return nil, fmt.Errorf("snapshot: %w: a snapshot of %d bytes", ErrInvalid, size)
	}
	if err := s.usable(last); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := s.claim(&s.receiving); err != nil {
		return nil, fmt.Errorf("snapshot: receive: %w", err)
	}
	r := &Receiver{store: s, name: partialName(last, size), last: last, size: size}
	r.rewind()
	if err := r.open(); err != nil {
		s.release(&s.receiving)
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return r, nil
}

// rewind forgets what has arrived.
func (r *Receiver) rewind() {
	r.verifier = verifier{name: r.name, size: r.size, want: func(i Info) error {
		if i.Last != r.last {
			return fmt.Errorf("it is the snapshot of %v: %w", i.Last, ErrMismatch)
		}
		return r.store.accept(i)
	}}
}

// open finds what an earlier Receiver has left, and drops what belongs to other snapshots.
func (r *Receiver) open() error {
	names, err := r.store.dir.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, _, partial := parsePartialName(name); !partial {
			continue
		}
		if name == r.name {
			r.file, err = r.store.dir.Open(name)
			if err != nil {
				return fmt.Errorf("open %s: %w", name, err)
			}
			continue
		}
		if err := r.store.dir.Remove(name); err != nil {
			return errors.Join(fmt.Errorf("remove %s: %w", name, err), r.closeFile())
		}
	}
	if err := r.admit(); err != nil || r.file != nil {
		return err
	}
	return r.begin()
}

// admit judges the size that was announced: all that is still to come must fit. Nothing else is reserved for
// it, neither memory nor room on the disk.
func (r *Receiver) admit() error {
	var have int64
	var err error
	if r.file != nil {
		if have, err = r.file.Size(); err != nil {
			return errors.Join(fmt.Errorf("read %s: %w", r.name, err), r.closeFile())
		}
	}
	if err := r.fits(r.size - min(have, r.size)); err != nil {
		return r.abandon(err)
	}
	return nil
}

func (r *Receiver) fits(need int64) error {
	return r.store.fits(&r.store.theirs, need, fmt.Sprintf("a snapshot of %d bytes", r.size))
}

// abandon gives back to the disk what has arrived. The name need not go durably: a start that finds it again
// resumes it, or removes it. A disk that fails at that is no full one, and must not pass for it.
func (r *Receiver) abandon(why error) error {
	r.rewind()
	closed, removed := r.closeFile(), r.store.dir.Remove(r.name)
	if errors.Is(removed, fs.ErrNotExist) {
		removed = nil
	}
	for _, err := range []error{closed, removed} {
		if err != nil && !errors.Is(err, disk.ErrNoSpace) {
			return r.fail(fmt.Errorf("give back %s: %w", r.name, err))
		}
	}
	return r.fail(errors.Join(why, closed, removed))
}

// begin makes an empty file. Its name is made durable at once: what has arrived is to outlive a power cut.
func (r *Receiver) begin() (err error) {
	r.resumed = true
	if r.file, err = r.store.remake(r.name); err != nil {
		return err
	}
	if err := r.store.dir.Sync(); err != nil {
		return r.store.fail(errors.Join(fmt.Errorf("sync directory: %w", err), r.closeFile()))
	}
	return nil
}

func (r *Receiver) closeFile() (err error) {
	if r.file != nil {
		err, r.file = r.file.Close(), nil
	}
	return err
}

// Resume verifies one more chunk of what an earlier Receiver has left, and reports whether that was all. It
// is called until then before Next is told to the sender; not to call it only costs the sender time.
func (r *Receiver) Resume() (done bool, err error) {
	if r.err != nil {
		return true, r.err
	}
	v := &r.verifier
	if r.resumed || v.done { // once the sender's bytes are in hand, those in the file are old
		r.resumed = true
		return true, nil
	}
	begin := v.at
	for v.at == begin && !r.resumed {
		if err := r.more(); err != nil {
			return true, err
		}
	}
	if v.done {
		r.resumed = true
	}
	return r.resumed, nil
}

// more takes the bytes from the file that the verifier needs next. At a chunk that is torn or not there,
// resuming ends in front of it; a chunk that is good is written once more, for it may never have been
// synced.
func (r *Receiver) more() error {
	v := &r.verifier
	begin := v.at
	due, err := v.due()
	if err == nil {
		part := make([]byte, due-len(v.buf))
		var n int
		if n, err = r.file.ReadAt(part, v.position()); n == len(part) {
			if err = v.feed(part); err == nil && v.at > begin {
				return r.put(v.buf[:v.at-begin], begin) // feed has emptied the buffer, not overwritten it
			}
		} else if !errors.Is(err, io.EOF) {
			return r.fail(fmt.Errorf("snapshot: read %s: %w", r.name, err))
		}
	}
	if err != nil {
		r.resumed, v.buf = true, v.buf[:0]
	}
	return nil
}

// Next is the offset of the byte that is wanted next; the size of the snapshot when all are there.
func (r *Receiver) Next() int64 { return r.verifier.position() }

// Add takes bytes that stand at an offset of the file and returns Next. Bytes from elsewhere than Next,
// late ones or ones behind a gap, change nothing and are no error. After ErrMismatch, ErrForeign, ErrCodec
// or ErrVersion everything that has arrived is dropped, Next is 0, and the Receiver goes on.
func (r *Receiver) Add(offset int64, data []byte) (next int64, err error) {
	if r.err != nil {
		return r.Next(), r.err
	}
	if offset != r.Next() || len(data) == 0 {
		return r.Next(), nil
	}
	if int64(len(data)) > r.size-offset {
		return r.drop(fmt.Errorf("%s: bytes up to %d: %w", r.name, offset+int64(len(data)), ErrMismatch))
	}
	r.resumed = true
	if r.store.theirs.whole > 0 { // without one the disk itself says that it is full
		if err := r.fits(int64(len(data))); err != nil {
			return 0, r.abandon(fmt.Errorf("snapshot: %s: %w", r.name, err))
		}
	}
	if err := r.put(data, offset); err != nil {
		return r.Next(), err
	}
	if err := r.verifier.feed(data); err != nil {
		if errors.Is(err, ErrCorrupt) { // no damage of ours: say what is to be done about it
			err = fmt.Errorf("%w: %s", ErrMismatch, strings.TrimSuffix(err.Error(), ": "+ErrCorrupt.Error()))
		}
		return r.drop(err)
	}
	return r.Next(), nil
}

// drop begins anew with an empty file: the chunks of a wrong one would verify when it is resumed.
func (r *Receiver) drop(why error) (int64, error) {
	r.rewind()
	r.unsynced = 0
	if err := errors.Join(r.closeFile(), r.begin()); err != nil {
		return 0, r.fail(fmt.Errorf("snapshot: %w", err))
	}
	return 0, fmt.Errorf("snapshot: %w", why)
}

func (r *Receiver) put(b []byte, at int64) error {
	if _, err := r.file.WriteAt(b, at); errors.Is(err, disk.ErrNoSpace) {
		return r.abandon(fmt.Errorf("snapshot: write %s: %w", r.name, err))
	} else if err != nil {
		return r.fail(fmt.Errorf("snapshot: write %s: %w", r.name, err))
	}
	if r.unsynced += int64(len(b)); r.unsynced < syncChunks*int64(r.store.options.ChunkBytes) {
		return nil
	}
	r.unsynced = 0
	if err := r.file.Sync(); err != nil {
		return r.fail(r.store.fail(fmt.Errorf("snapshot: sync %s: %w", r.name, err)))
	}
	return nil
}

func (r *Receiver) fail(err error) error {
	if r.err == nil {
		r.err = err
	}
	return r.err
}

// Commit ends the snapshot. When it returns nil the snapshot is durable and counts; after an error it may
// be there or not. Errors: ErrIncomplete, after which the Receiver goes on; ErrStale; or what the disk
// said.
func (r *Receiver) Commit() (Info, error) {
	if r.err != nil {
		return Info{}, r.err
	}
	if !r.verifier.done {
		return Info{}, fmt.Errorf("snapshot: %w: %d of %d bytes", ErrIncomplete, r.Next(), r.size)
	}
	f := r.file
	r.file = nil
	err := r.store.publish(f, r.name, r.verifier.info)
	if errors.Is(err, ErrStale) {
		if e := r.store.dir.Remove(r.name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", r.name, e))
		}
	}
	if err != nil {
		return Info{}, errors.Join(r.fail(fmt.Errorf("snapshot: %w", err)), r.Close())
	}
	r.store.theirs.found()
	return r.verifier.info, r.Close()
}

// Close ends the Receiver and keeps what has arrived. After Commit it does nothing.
func (r *Receiver) Close() error {
	if r.released {
		return nil
	}
	r.released = true
	err := r.closeFile()
	r.fail(fmt.Errorf("snapshot: receiver: %w", ErrClosed))
	r.store.release(&r.store.receiving)
	return err
}
