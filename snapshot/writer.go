package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	store    *Store
	file     disk.File
	info     Info
	codec    Codec
	section  io.WriteCloser // what compresses the section that is being written; nil before the first
	chunk    []byte         // with room for its frame in front
	at       int64
	unsynced int // chunks
	err      error
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
	w := &Writer{store: s, codec: identity{}}
	if len(s.options.Codecs) > 0 {
		w.codec = s.options.Codecs[0]
	}
	m.Configuration = bytes.Clone(m.Configuration)
	w.info = Info{Meta: m, Cluster: s.options.Cluster, Codec: w.codec.Name()}
	w.info.ChunkBytes = s.options.ChunkBytes
	w.chunk = make([]byte, frame, frame+w.info.ChunkBytes)
	var err error
	if w.file, err = s.remake(writingName); err != nil {
		s.release(&s.writing)
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := w.count(w.info.encodeHeader()); err != nil {
		return nil, errors.Join(fmt.Errorf("snapshot: %w", err), w.Abort())
	}
	return w, nil
}

// put writes at the end of the file.
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
	w.at += int64(len(b))
	return nil
}

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Section ends the section before and begins one of that name: 1 to MaxName bytes, no name twice, at most
// MaxSections.
func (w *Writer) Section(name string) error {
	if err := w.endSection(); err != nil {
		return err
	}
	if err := w.info.checkName(name); err != nil {
		return fmt.Errorf("snapshot: %w: %w", ErrInvalid, err)
	}
	w.info.Sections = append(w.info.Sections, Section{Name: name})
	section, err := w.codec.Compress(stream{w})
	if err != nil {
		return w.fail(fmt.Errorf("snapshot: section %q: %w", name, err))
	}
	w.section = section
	return nil
}

func (w *Writer) endSection() error {
	if w.err != nil || w.section == nil {
		return w.err
	}
	err := w.section.Close()
	w.section = nil
	if err != nil {
		return w.fail(fmt.Errorf("snapshot: %w", err))
	}
	return w.err
}

// Write appends to the section. Before the first Section it is ErrInvalid.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.section == nil {
		return 0, fmt.Errorf("snapshot: %w: content before the first section", ErrInvalid)
	}
	n, err := w.section.Write(p)
	w.info.Sections[len(w.info.Sections)-1].Size += int64(n)
	if err != nil {
		err = w.fail(fmt.Errorf("snapshot: %w", err))
	}
	return n, err
}

// stream takes what comes out of the codec.
type stream struct{ w *Writer }

func (s stream) Write(p []byte) (n int, err error) {
	w := s.w
	for len(p) > 0 && w.err == nil {
		part := p[:min(len(p), cap(w.chunk)-len(w.chunk))]
		w.chunk, p = append(w.chunk, part...), p[len(part):]
		n += len(part)
		w.info.Sections[len(w.info.Sections)-1].stored += int64(len(part))
		if len(w.chunk) == cap(w.chunk) {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, w.err
}

// flush writes the chunk, full or the last.
func (w *Writer) flush() error {
	w.info.seal(w.chunk, w.at, uint32(len(w.chunk)-frame))
	if err := w.count(w.chunk); err != nil {
		return err
	}
	w.info.stream += int64(len(w.chunk) - frame)
	w.chunk = w.chunk[:frame]
	if w.unsynced++; w.unsynced < syncChunks {
		return nil
	}
	w.unsynced = 0
	if err := w.file.Sync(); err != nil {
		return w.fail(w.store.fail(fmt.Errorf("sync %s: %w", writingName, err)))
	}
	return nil
}

// count writes what the sum of the whole covers: all but the trailer.
func (w *Writer) count(b []byte) error {
	w.info.Checksum = whole(w.info.Checksum, b)
	return w.put(b)
}

// Commit ends the snapshot. When it returns nil the snapshot is durable and counts; after an error it may
// be there or not. Errors beyond those of Write: ErrStale if a newer one was received meanwhile, or that of
// a failed sync.
func (w *Writer) Commit() (Info, error) {
	if err := w.endSection(); err != nil {
		return Info{}, errors.Join(err, w.Abort())
	}
	if len(w.chunk) > frame {
		if err := w.flush(); err != nil {
			return Info{}, errors.Join(fmt.Errorf("snapshot: %w", err), w.Abort())
		}
	}
	if err := w.put(w.info.encodeTrailer(w.at)); err != nil {
		return Info{}, errors.Join(fmt.Errorf("snapshot: %w", err), w.Abort())
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
