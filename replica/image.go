package replica

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// The image is what a snapshot holds: the sessions, the keys and the state machine, all after the same entry.
// It is the same, byte for byte, on every server that has applied up to that entry (unless a state machine
// writes equal states differently). Little-endian:
//
//	 0         1          9
//	┌─────────┬──────────┬──────────┬──────┬───────────────────────────────────────┐
//	│ version │ length   │ sessions │ keys │ what the state machine writes         │
//	│ u8 = 2  │ u64      │     length      │ to the end                            │
//	└─────────┴──────────┴──────────┴──────┴───────────────────────────────────────┘
//
//	sessions: count u32, and as many of these, the one that was not used for the longest time first
//	┌─────┬──────┬─────────┬─────┬───────┬─────────┬──────────────────────────────────────┐
//	│ id  │ used │ used at │ ttl │ floor │ results │ results × number u64, sum u32,       │
//	│ u64 │ u64  │ i64     │ i64 │ u64   │ u16     │           length u32, bytes          │
//	└─────┴──────┴─────────┴─────┴───────┴─────────┴──────────────────────────────────────┘
//	results  by number, ascending; sum  CRC-32C of the command
//
//	keys: count u32, and as many of these, in the same order
//	┌──────┬─────────┬─────┬─────┬────────┬─────┬────────┬────────┐
//	│ used │ used at │ ttl │ sum │ length │ key │ length │ result │
//	│ u64  │ i64     │ i64 │ u32 │ u8     │     │ u64    │        │
//	└──────┴─────────┴─────┴─────┴────────┴─────┴────────┴────────┘
//
// Version 1 had no sums, and its keys were sessions; no release has written it.
const imageVersion = 2

// The lengths of a session without results, of a result without bytes, and of a key without either's bytes.
const (
	sessionHead = 8 + 8 + 8 + 8 + 8 + 2
	resultHead  = 8 + 4 + 4
	keyHead     = 8 + 8 + 8 + 4 + 1 + 8
)

// ErrBadImage is wrapped when what a snapshot holds is no image. The machine is then as it was before.
var ErrBadImage = errors.New("what the snapshot holds is not the state of this program")

// image is a captured Machine. It may be written while the machine goes on.
type image struct {
	sessions []*session // with nil for free slots
	keys     []*keyed   // with nil for free slots
	inner    io.WriterTo
}

// capture takes the present state, cheaply.
func (m *Machine) capture() (io.WriterTo, error) {
	inner, err := m.inner.Snapshot()
	if err != nil {
		return nil, err
	}
	return image{sessions: m.sessions.capture(), keys: m.keys.capture(), inner: inner}, nil
}

// WriteTo writes the image. The same one can be written again.
func (i image) WriteTo(to io.Writer) (int64, error) {
	sessions := slices.DeleteFunc(slices.Clone(i.sessions), func(s *session) bool { return s == nil })
	slices.SortFunc(sessions, func(a, b *session) int { return cmp.Compare(a.used, b.used) })
	keys := slices.DeleteFunc(slices.Clone(i.keys), func(k *keyed) bool { return k == nil })
	slices.SortFunc(keys, func(a, b *keyed) int { return cmp.Compare(a.used, b.used) })
	length := 4 + 4
	for _, s := range sessions {
		length += s.length()
	}
	for _, k := range keys {
		length += keyHead + len(k.key) + len(k.result)
	}
	w := &counted{to: to}
	b := bufio.NewWriterSize(w, 1<<16)
	scratch := binary.LittleEndian.AppendUint64([]byte{imageVersion}, uint64(length))
	scratch = binary.LittleEndian.AppendUint32(scratch, uint32(len(sessions)))
	_, _ = b.Write(scratch) // Flush returns the first error
	for _, s := range sessions {
		scratch = s.append(scratch[:0])
		_, _ = b.Write(scratch)
	}
	_, _ = b.Write(binary.LittleEndian.AppendUint32(scratch[:0], uint32(len(keys))))
	for _, k := range keys {
		scratch = k.append(scratch[:0])
		_, _ = b.Write(scratch)
	}
	if err := b.Flush(); err != nil {
		return w.n, err
	}
	n, err := i.inner.WriteTo(to)
	return w.n + n, err
}

// counted counts what is written.
type counted struct {
	to io.Writer
	n  int64
}

func (w *counted) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}

func (s *session) length() int {
	n := sessionHead
	for _, r := range s.results {
		n += resultHead + len(r.result)
	}
	return n
}

func (s *session) append(b []byte) []byte {
	for _, n := range []uint64{uint64(s.id), uint64(s.used), uint64(s.usedAt), uint64(s.ttl), s.floor} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s.results)))
	for _, r := range s.results {
		b = binary.LittleEndian.AppendUint64(b, r.number)
		b = binary.LittleEndian.AppendUint32(b, uint32(r.sum))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r.result)))
		b = append(b, r.result...)
	}
	return b
}

func (k *keyed) append(b []byte) []byte {
	for _, n := range []uint64{uint64(k.used), uint64(k.usedAt), uint64(k.ttl)} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(k.sum))
	b = append(append(b, byte(len(k.key))), k.key...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(k.result)))
	return append(b, k.result...)
}
