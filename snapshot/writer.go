package snapshot

import (
	"errors"
	"fmt"
	"io/fs"

	"balsa/disk"
)

// syncChunks is after how many chunks a file is synced on the way. Left to the end, one sync would push out
// everything at once, and the log's small ones would wait behind it.
const syncChunks = 8

// Writer writes one snapshot: Section, Write, Write, Section, Write … Commit. Each call writes whole chunks
// and keeps less than one. Not for concurrent use. After an error every call returns it, and Abort is what
// is left.
type Writer struct {
	encoder
	store    *Store
	file     disk.File
	unsynced int  // chunks
	closed   bool // the file is
	released bool
}

// Create begins a snapshot. There is one Writer at a time; it ends with Commit or Abort. Errors:
// ErrInvalid, ErrStale, ErrBusy, disk.ErrNoSpace, or what the disk said; nothing counts then, and Create
// may be called again (unless a sync has failed).
func (s *Store) Create(m Meta) (*Writer, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("snapshot: %w: %w", ErrInvalid, err)
	}
	if err := s.usable(m.Last); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := s.claim(&s.writing); err != nil {
		return nil, fmt.Errorf("snapshot: create: %w", err)
	}
	w := &Writer{store: s}
	w.encoder = newEncoder(s.options, m, w.put, w.flushed)
	var err error
	if w.file, err = s.remake(writingName); err != nil {
		s.release(&s.writing)
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := w.header(); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

// put writes what stands next in the file.
func (w *Writer) put(b []byte) error {
	if r := &w.store.ours; r.whole > 0 { // without one the disk itself says that it is full
		need := int64(len(b))
		err := w.store.fits(r, need, fmt.Sprintf("a snapshot of at least %d bytes", w.at+need))
		if err != nil {
			return w.fail(err)
		}
	}
	if _, err := w.file.WriteAt(b, w.at); err != nil {
		return w.fail(fmt.Errorf("write %s: %w", writingName, err))
	}
	return nil
}

// flushed is told of each chunk that was written.
func (w *Writer) flushed() error {
	if w.unsynced++; w.unsynced < syncChunks {
		return nil
	}
	w.unsynced = 0
	if err := w.file.Sync(); err != nil {
		return w.fail(w.store.fail(fmt.Errorf("sync %s: %w", writingName, err)))
	}
	return nil
}

// Commit ends the snapshot. When it returns nil the snapshot is durable and counts; after an error it may
// be there or not. Errors beyond those of Write: ErrStale if a newer one was received meanwhile, or that of
// a failed sync.
func (w *Writer) Commit() (Info, error) {
	if err := w.finish(); err != nil {
		return Info{}, errors.Join(err, w.Abort())
	}
	w.closed = true
	if err := w.store.publish(w.file, writingName, w.info); err != nil {
		w.fail(fmt.Errorf("snapshot: %w", err))
		return Info{}, errors.Join(w.err, w.Abort())
	}
	w.store.ours.found()
	w.end()
	return w.info, nil
}

// Abort gives the snapshot up and removes its file. After Commit it does nothing.
func (w *Writer) Abort() error {
	if w.released {
		return nil
	}
	var err error
	if !w.closed {
		err = w.file.Close()
	}
	w.closed = true
	if e := w.store.dir.Remove(writingName); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("snapshot: remove %s: %w", writingName, e))
	}
	w.end()
	return err
}

func (w *Writer) end() {
	w.released = true
	w.fail(fmt.Errorf("snapshot: writer: %w", ErrClosed))
	w.store.release(&w.store.writing)
}
