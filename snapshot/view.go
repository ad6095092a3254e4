package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"balsa/disk"
	"balsa/raft"
)

// FileName is the name of the file of the snapshot whose last entry is given.
func FileName(last raft.EntryID) string { return fileName(last) }

// ParseName returns the last entry of the snapshot whose file has that name, and whether it is the name of
// one.
func ParseName(name string) (last raft.EntryID, ok bool) { return parseFileName(name) }

// Begins reports whether a file that begins with these bytes means to be a snapshot, good or bad. Eight
// bytes are enough.
func Begins(head []byte) bool { return strings.HasPrefix(string(head), magic) }

// View verifies one file, whatever its name and its cluster, and opens it to be looked at. It writes nothing,
// and needs memory for one chunk. Sections can be read if the codec that they were written with is none, or
// among those given. Errors: ErrCorrupt, ErrVersion, or what the disk said; and ErrCodec together with a
// Reader, of which only Info may be used.
func View(dir disk.Dir, name string, codecs ...Codec) (*Reader, error) {
	r := &Reader{store: &Store{dir: dir, options: Options{Codecs: codecs}}, name: name, which: -1}
	err := r.view()
	if err == nil && r.store.codec(r.info.Codec) == nil {
		return r, fmt.Errorf("snapshot: %s: codec %q: %w", name, r.info.Codec, ErrCodec)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return r, nil
}

func (r *Reader) view() (err error) {
	last, err := claimed(r.store.dir, r.name)
	if err != nil {
		return err
	}
	r.info, err = verifyFile(r.store.dir, r.name, last, func(Info) error { return nil })
	if err != nil {
		return err
	}
	return r.open()
}

// claimed reads which entry a file says that it is the snapshot of; none if it is too short to say so.
func claimed(dir disk.Dir, name string) (last raft.EntryID, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return last, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var head [48]byte
	n, err := f.ReadAt(head[:], 0)
	if n < len(head) {
		size, sizeErr := f.Size()
		if sizeErr == nil && size < int64(len(head)) {
			return last, nil // verifying it will say so
		}
		return last, fmt.Errorf("read %s at byte %d: %w", name, n, err)
	}
	last.Term = raft.Term(binary.LittleEndian.Uint64(head[32:]))
	last.Index = raft.Index(binary.LittleEndian.Uint64(head[40:]))
	return last, nil
}
