package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"balsa/raft"
)

// ErrBadSnapshot says that the bytes given to Restore are no whole, undamaged snapshot of a version that is
// known.
var ErrBadSnapshot = errors.New("bad snapshot of the key-value map")

const (
	snapshotMagic   = "balsa kv"
	snapshotVersion = 2
	snapshotHeader  = 32
	itemHeader      = 40
	itemHeader1     = 32 // of version 1, in which no key goes away by itself
)

// WriteTo writes the view as a snapshot and returns the number of bytes that reached w; the error is w's.
// It may be called more than once. Equal maps give equal bytes. Everything is little-endian; expires is a log
// time, 0 for never, and not there in version 1:
//
//	 0            8         12       16         24      32
//	┌────────────┬─────────┬────────┬──────────┬───────┬────────────────┬──────────────────────────┐
//	│ "balsa kv" │ version │ zero   │ revision │ count │ count × item   │ CRC32C of all before it  │
//	│            │ u32 = 2 │ u32    │ u64      │ u64   │ keys ascending │ u32                      │
//	└────────────┴─────────┴────────┴──────────┴───────┴────────────────┴──────────────────────────┘
//	 0            4              8         16         24        32        40
//	┌────────────┬──────────────┬─────────┬──────────┬─────────┬─────────┬─────┬───────┐
//	│ key length │ value length │ created │ modified │ version │ expires │ key │ value │
//	│ u32        │ u32          │ u64     │ u64      │ u64     │ i64     │     │       │
//	└────────────┴──────────────┴─────────┴──────────┴─────────┴─────────┴─────┴───────┘
func (v View) WriteTo(w io.Writer) (int64, error) {
	counted := &countingWriter{w: w}
	out := &summedWriter{w: bufio.NewWriterSize(counted, 64<<10)}
	out.header(v)
	for key, item := range v.From("") {
		if out.item(key, item); out.err != nil {
			break
		}
	}
	out.write(binary.LittleEndian.AppendUint32(nil, out.sum))
	if out.err == nil {
		out.err = out.w.Flush()
	}
	return counted.n, out.err
}

// countingWriter counts what really went out: behind a buffer, the number of bytes handed in says nothing.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// summedWriter keeps the checksum of what was written, and the first error.
type summedWriter struct {
	w       *bufio.Writer
	sum     uint32
	err     error
	scratch [max(snapshotHeader, itemHeader)]byte
}

func (s *summedWriter) write(b []byte) {
	if s.err == nil {
		s.sum = crc32.Update(s.sum, castagnoli(), b)
		_, s.err = s.w.Write(b)
	}
}

func (s *summedWriter) header(v View) {
	b := append(s.scratch[:0], snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, snapshotVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(v.revision))
	s.write(binary.LittleEndian.AppendUint64(b, uint64(v.Len())))
}

func (s *summedWriter) item(key string, item Item) {
	b := binary.LittleEndian.AppendUint32(s.scratch[:0], uint32(len(key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(item.Value)))
	b = binary.LittleEndian.AppendUint64(b, uint64(item.Created))
	b = binary.LittleEndian.AppendUint64(b, uint64(item.Modified))
	b = binary.LittleEndian.AppendUint64(b, item.Version)
	s.write(binary.LittleEndian.AppendUint64(b, uint64(item.Expires)))
	s.write([]byte(key))
	s.write(item.Value)
}

// castagnoli is the table of CRC32C; the standard library builds it once.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// readSnapshot reads a whole snapshot into a map of its own, so that a bad one has touched nothing.
func readSnapshot(r io.Reader) (View, error) {
	in := &summedReader{r: bufio.NewReaderSize(r, 64<<10)}
	v := emptyView()
	revision, count := in.header()
	v.revision = revision
	last := ""
	for i := uint64(0); i < count && in.err == nil; i++ {
		key, item := in.item(revision, last)
		if in.err == nil {
			v.tree.Set(key, item)
		}
		last = key
	}
	in.trailer()
	if in.err != nil {
		return View{}, in.err
	}
	return v, nil
}

// summedReader keeps the checksum of what was read, and the first error. Nothing it has read may be
// believed before trailer has passed; it only has to be bounded until then.
type summedReader struct {
	r          *bufio.Reader
	sum        uint32
	err        error
	itemHeader int // bytes, as the version has it
}

// read returns the next n bytes in memory of their own, or zeros after an error.
func (s *summedReader) read(n int) []byte {
	b := make([]byte, n)
	if s.err != nil {
		return b
	}
	_, err := io.ReadFull(s.r, b)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		s.bad("it ends too early")
	case err != nil:
		s.err = fmt.Errorf("read snapshot: %w", err)
	}
	s.sum = crc32.Update(s.sum, castagnoli(), b)
	return b
}

func (s *summedReader) bad(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrBadSnapshot, fmt.Sprintf(format, args...))
	}
}

func (s *summedReader) header() (revision Revision, count uint64) {
	b := s.read(snapshotHeader)
	if s.err != nil {
		return 0, 0
	}
	if string(b[:8]) != snapshotMagic {
		s.bad("it does not begin with %q", snapshotMagic)
	}
	version, zero := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	switch {
	case version == 1 && zero == 0:
		s.itemHeader = itemHeader1
	case version == snapshotVersion && zero == 0:
		s.itemHeader = itemHeader
	default:
		s.bad("version %d, this program reads those up to %d", version, snapshotVersion)
	}
	return Revision(binary.LittleEndian.Uint64(b[16:])), binary.LittleEndian.Uint64(b[24:])
}

// item reads one item of a map at a revision; its key must lie above the one before. Lengths are held against
// their limits before anything is allocated.
func (s *summedReader) item(revision Revision, last string) (string, Item) {
	b := s.read(s.itemHeader)
	keyLength, valueLength := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if keyLength > MaxKey || valueLength > MaxValue {
		s.bad("an item of %d and %d bytes", keyLength, valueLength)
		return last, Item{}
	}
	item := Item{
		Created:  Revision(binary.LittleEndian.Uint64(b[8:])),
		Modified: Revision(binary.LittleEndian.Uint64(b[16:])),
		Version:  binary.LittleEndian.Uint64(b[24:]),
	}
	if s.itemHeader > itemHeader1 {
		item.Expires = raft.Time(binary.LittleEndian.Uint64(b[itemHeader1:]))
	}
	key := string(s.read(int(keyLength)))
	item.Value = s.read(int(valueLength))
	if key <= last { // an empty key is never above one
		s.bad("its keys are out of order")
	}
	if item.Created > item.Modified || item.Modified > revision || item.Version == 0 {
		s.bad("revisions %d and %d of an item at revision %d", item.Created, item.Modified, revision)
	}
	if item.Expires < 0 {
		s.bad("an item that expires at %d", item.Expires)
	}
	return key, item
}

// trailer holds the checksum against what was read and insists on the end: bytes behind it were never
// written by WriteTo, so something else is wrong.
func (s *summedReader) trailer() {
	want := s.sum
	got := binary.LittleEndian.Uint32(s.read(4))
	if got != want {
		s.bad("its checksum is %08x, its content has %08x", got, want)
	}
	if s.err != nil {
		return
	}
	if _, err := s.r.ReadByte(); err == nil {
		s.bad("it goes on behind its end")
	} else if !errors.Is(err, io.EOF) {
		s.err = fmt.Errorf("read snapshot: %w", err)
	}
}
