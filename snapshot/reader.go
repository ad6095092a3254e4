package snapshot

import (
	"errors"
	"fmt"
	"io"

	"balsa/disk"
	"balsa/raft"
)

// Reader reads one snapshot, which is not removed meanwhile. It verifies each chunk before it hands out a
// byte of it, and holds one at a time. Not for concurrent use, its sections included.
type Reader struct {
	store *Store
	file  disk.File
	name  string
	info  Info
	head  []byte // of the file
	tail  []byte
	chunk []byte // the one that was verified last, with its frame
	which int64  // its number; -1 for none
	done  bool
}

// Read opens the snapshot whose last entry is id. ErrMissing if it is not kept.
func (s *Store) Read(id raft.EntryID) (*Reader, error) {
	r := &Reader{store: s, name: fileName(id), which: -1}
	if !s.pin(id, &r.info) {
		return nil, fmt.Errorf("snapshot: %v: %w", id, ErrMissing)
	}
	err := r.open()
	if err != nil {
		s.unpin(id)
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return r, nil
}

func (s *Store) pin(id raft.EntryID, info *Info) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.snapshots {
		if s.snapshots[i].info.Last == id {
			s.snapshots[i].readers++
			*info = s.snapshots[i].info
			return true
		}
	}
	return false
}

func (s *Store) unpin(id raft.EntryID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.snapshots {
		if s.snapshots[i].info.Last == id {
			s.snapshots[i].readers--
		}
	}
}

// open reads header and trailer again: what is sent of them must be right too.
func (r *Reader) open() (err error) {
	if r.file, err = r.store.dir.Open(r.name); err != nil {
		return fmt.Errorf("open %s: %w", r.name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.file.Close())
		}
	}()
	r.head = make([]byte, r.info.header)
	if err := r.fill(r.head, 0); err != nil {
		return err
	}
	if string(r.head) != string(r.info.encodeHeader()) {
		return damage(r.name, 0, "the header has changed since it was verified")
	}
	begin := r.trailer()
	r.tail = make([]byte, r.info.Size-begin)
	if err := r.fill(r.tail, begin); err != nil {
		return err
	}
	if string(r.tail) != string(r.info.encodeTrailer(begin)) {
		return damage(r.name, begin, "the trailer has changed since it was verified")
	}
	return nil
}

// trailer is where the trailer begins.
func (r *Reader) trailer() int64 {
	full := int64(r.info.ChunkBytes)
	chunks := (r.info.stream + full - 1) / full
	return r.info.header + chunks*frame + r.info.stream
}

func (r *Reader) fill(b []byte, at int64) error {
	if n, err := r.file.ReadAt(b, at); n < len(b) {
		if errors.Is(err, io.EOF) {
			return damage(r.name, at+int64(n), "the end of the file is missing")
		}
		return fmt.Errorf("read %s at byte %d: %w", r.name, at, err)
	}
	return nil
}

// Info says what the snapshot is.
func (r *Reader) Info() Info { return r.info }

// Snapshot says what the snapshot is, as raft knows it, and that it is one that this program can restore.
// ErrMismatch if it is not.
func (r *Reader) Snapshot() (raft.Snapshot, error) { return describe(r.info) }

// load makes chunk n the one in memory.
func (r *Reader) load(n int64) error {
	if r.done {
		return fmt.Errorf("snapshot: reader: %w", ErrClosed)
	}
	if n == r.which {
		return nil
	}
	full := int64(r.info.ChunkBytes)
	at := r.info.header + n*(frame+full)
	size := frame + min(full, r.info.stream-n*full)
	if r.chunk == nil {
		r.chunk = make([]byte, 0, frame+min(full, r.info.stream))
	}
	r.chunk, r.which = r.chunk[:size], -1
	if err := r.fill(r.chunk, at); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if !r.info.sealed(r.chunk, at) {
		return fmt.Errorf("snapshot: %w", damage(r.name, at, "the chunk has changed since it was verified"))
	}
	r.which = n
	return nil
}

// ReadAt reads bytes of the file as they stand, to be sent to another server.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("snapshot: %w: offset %d", ErrInvalid, off)
	}
	for n < len(p) {
		part, err := r.from(off + int64(n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], part)
	}
	return n, nil
}

// from returns what stands at an offset, up to the end of the piece.
func (r *Reader) from(off int64) ([]byte, error) {
	begin := r.trailer()
	switch {
	case r.done:
		return nil, fmt.Errorf("snapshot: reader: %w", ErrClosed)
	case off >= r.info.Size:
		return nil, io.EOF
	case off < r.info.header:
		return r.head[off:], nil
	case off >= begin:
		return r.tail[off-begin:], nil
	}
	whole := int64(frame + r.info.ChunkBytes)
	n := (off - r.info.header) / whole
	if err := r.load(n); err != nil {
		return nil, err
	}
	return r.chunk[off-r.info.header-n*whole:], nil
}

// Section reads section number i of Info().Sections, as it was written, from its beginning. What the bytes
// are is the caller's to know: a name that it does not know it must refuse. Closing it leaves the Reader
// open.
func (r *Reader) Section(i int) (io.ReadCloser, error) {
	if r.done {
		return nil, fmt.Errorf("snapshot: reader: %w", ErrClosed)
	}
	if i < 0 || i >= len(r.info.Sections) {
		return nil, fmt.Errorf("snapshot: %w: section %d of %d", ErrInvalid, i, len(r.info.Sections))
	}
	section, at := r.info.Sections[i], int64(0)
	for _, before := range r.info.Sections[:i] {
		at += before.stored
	}
	expanded, err := r.store.codec(r.info.Codec).Expand(&window{r: r, at: at, end: at + section.stored})
	if err != nil {
		return nil, fmt.Errorf("snapshot: %s: section %q: %w", r.name, section.Name, err)
	}
	return &exact{expanded: expanded, section: section, file: r.name, left: section.Size}, nil
}

// window reads a part of the stream.
type window struct {
	r       *Reader
	at, end int64
}

func (w *window) Read(p []byte) (int, error) {
	if w.at == w.end {
		return 0, io.EOF
	}
	full := int64(w.r.info.ChunkBytes)
	if err := w.r.load(w.at / full); err != nil {
		return 0, err
	}
	n := copy(p[:min(int64(len(p)), w.end-w.at)], w.r.chunk[frame+w.at%full:])
	w.at += int64(n)
	return n, nil
}

// Close lets the snapshot go. A second call does nothing.
func (r *Reader) Close() error {
	if r.done {
		return nil
	}
	r.done = true
	r.store.unpin(r.info.Last)
	return r.file.Close()
}
