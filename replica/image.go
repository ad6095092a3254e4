package replica

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"balsa/raft"
)

// The image is what a snapshot holds: the sessions and the state machine, both after the same entry. It is
// the same, byte for byte, on every server that has applied up to that entry (unless a state machine writes
// equal states differently). Little-endian:
//
//	 0         1          9
//	┌─────────┬──────────┬──────────┬───────────────────────────────────────┐
//	│ version │ length   │ sessions │ what the state machine writes         │
//	│ u8 = 1  │ u64      │ length   │ to the end                            │
//	└─────────┴──────────┴──────────┴───────────────────────────────────────┘
//
//	sessions: count u32, and as many of these, the one that was not used for the longest time first
//	┌─────┬──────┬─────────┬─────┬────────┬─────┬───────┬─────────┬─────────────────────────────┐
//	│ id  │ used │ used at │ ttl │ length │ key │ floor │ results │ results × number u64,       │
//	│ u64 │ u64  │ i64     │ i64 │ u8     │     │ u64   │ u16     │           length u32, bytes │
//	└─────┴──────┴─────────┴─────┴────────┴─────┴───────┴─────────┴─────────────────────────────┘
//	length  of the key: 0 for a client's session; results  by number, ascending
const imageVersion = 1

// sessionHead is the length of a session without key and results; resultHead that of a result without bytes.
const (
	sessionHead = 8 + 8 + 8 + 8 + 1 + 8 + 2
	resultHead  = 8 + 4
)

// ErrBadImage is wrapped when what a snapshot holds is no image. The machine is then as it was before.
var ErrBadImage = errors.New("what the snapshot holds is not the state of this program")

// image is a captured Machine. It may be written while the machine goes on.
type image struct {
	sessions []*session // with nil for free slots
	inner    io.WriterTo
}

// capture takes the present state, cheaply.
func (m *Machine) capture() (io.WriterTo, error) {
	inner, err := m.inner.Snapshot()
	if err != nil {
		return nil, err
	}
	return image{sessions: m.sessions.capture(), inner: inner}, nil
}

// WriteTo writes the image. The same one can be written again.
func (i image) WriteTo(to io.Writer) (int64, error) {
	used := slices.DeleteFunc(slices.Clone(i.sessions), func(s *session) bool { return s == nil })
	slices.SortFunc(used, func(a, b *session) int { return cmp.Compare(a.used, b.used) })
	length := 4
	for _, s := range used {
		length += s.length()
	}
	w := &counted{to: to}
	b := bufio.NewWriterSize(w, 1<<16)
	head := []byte{imageVersion}
	head = binary.LittleEndian.AppendUint64(head, uint64(length))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(used)))
	_, _ = b.Write(head) // Flush returns the first error
	var scratch []byte
	for _, s := range used {
		scratch = s.append(scratch[:0])
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
	n := sessionHead + len(s.key)
	for _, r := range s.results {
		n += resultHead + len(r.result)
	}
	return n
}

func (s *session) append(b []byte) []byte {
	for _, n := range []uint64{uint64(s.id), uint64(s.used), uint64(s.usedAt), uint64(s.ttl)} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = append(append(b, byte(len(s.key))), s.key...)
	b = binary.LittleEndian.AppendUint64(b, s.floor)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s.results)))
	for _, r := range s.results {
		b = binary.LittleEndian.AppendUint64(b, r.number)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r.result)))
		b = append(b, r.result...)
	}
	return b
}

// restore replaces the state by that of an image, which is the state after an entry. After an error it is as
// it was before.
func (m *Machine) restore(last raft.EntryID, from io.Reader) error {
	head := make([]byte, 9)
	if _, err := io.ReadFull(from, head); err != nil {
		return fmt.Errorf("%w: its head: %w", ErrBadImage, err)
	}
	if head[0] != imageVersion {
		return fmt.Errorf("%w: version %d: run a later version of this program", ErrBadImage, head[0])
	}
	length := binary.LittleEndian.Uint64(head[1:])
	if length > maxSessionsLength {
		return fmt.Errorf("%w: %d bytes of sessions, at most %d", ErrBadImage, length, maxSessionsLength)
	}
	r := &reader{from: bufio.NewReaderSize(io.LimitReader(from, int64(length)), 1<<16), left: length}
	sessions := r.sessions(last.Index)
	if r.err == nil && r.left > 0 {
		r.fail("%d bytes behind the sessions", r.left)
	}
	if r.err != nil {
		return r.err
	}
	if err := m.inner.Restore(from); err != nil {
		return fmt.Errorf("the state machine could not be restored: %w", err)
	}
	m.sessions, m.last = sessions, last
	return nil
}

// maxSessionsLength is the length of the longest sessions that there can be, to be generous: all of them with
// the longest key, and the most results.
const maxSessionsLength = 4 + maxSessions*(sessionHead+MaxKey) + maxRememberedBytes

// reader takes the sessions in. It never asks for more memory than bytes have announced themselves to fill.
type reader struct {
	from *bufio.Reader
	left uint64
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrBadImage}, args...)...)
	}
}

func (r *reader) take(n int) []byte {
	if r.err != nil || uint64(n) > r.left {
		r.fail("its sessions are cut off")
		return make([]byte, min(n, 8)) // zeros, for who reads a number: after an error nobody looks at more
	}
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r.from, b); err != nil {
		r.fail("its sessions: %w", err)
	}
	r.left -= uint64(n)
	return b
}

func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u8() uint8   { return r.take(1)[0] }

// sessions reads all of them, and refuses what no server can have written: each has been used by an entry of
// its own, up to the last one.
func (r *reader) sessions(last raft.Index) *sessions {
	t := newSessions()
	count := r.u32()
	if count > maxSessions {
		r.fail("%d sessions, at most %d", count, maxSessions)
	}
	before := raft.Index(0)
	for i := uint32(0); i < count && r.err == nil; i++ {
		s := r.session()
		_, openAlready := t.byID[s.id]
		_, knownAlready := t.byKey[s.key]
		switch {
		case s.used <= before || s.used > last || s.id == 0 || s.id > s.used || s.ttl <= 0:
			r.fail("session %d was used at %d, after one at %d, and lasts %d ns", s.id, s.used, before, s.ttl)
		case s.key == "" && openAlready || s.key != "" && knownAlready:
			r.fail("session %d is there twice", s.id)
		case s.key != "" && (len(s.results) > 1 || s.floor > 1):
			r.fail("key %q has more than one command", s.key)
		case len(s.key) > MaxKey:
			r.fail("a key of %d bytes, at most %d", len(s.key), MaxKey)
		}
		before = s.used
		if r.err == nil {
			t.insert(s)
		}
	}
	if t.results > t.limits.bytes {
		r.fail("results of %d bytes, at most %d", t.results, t.limits.bytes)
	}
	return t
}

func (r *reader) session() *session {
	s := &session{id: raft.Index(r.u64()), used: raft.Index(r.u64()), usedAt: raft.Time(r.u64()),
		ttl: raft.Time(r.u64())}
	s.key = string(r.take(int(r.u8())))
	s.floor = r.u64()
	results := int(r.u16())
	if results > maxRemembered {
		r.fail("%d results of one session, at most %d", results, maxRemembered)
	}
	before := s.floor
	for i := 0; i < results && r.err == nil; i++ {
		number := r.u64()
		if number <= before {
			r.fail("result %d comes after result %d", number, before)
		}
		before = number
		s.results = append(s.results, remembered{number: number, result: r.take(int(r.u32()))})
	}
	return s
}
