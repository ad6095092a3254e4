package replica

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"balsa/raft"
)

// restore replaces the state by that of an image, which is the state after an entry. After an error it is as
// it was before.
func (m *Machine) restore(last raft.EntryID, from io.Reader) error {
	head := make([]byte, 9)
	if _, err := io.ReadFull(from, head); err != nil {
		return fmt.Errorf("%w: its head: %w", ErrBadImage, err)
	}
	switch version := head[0]; {
	case version < imageVersion:
		return fmt.Errorf("%w: version %d, of a build before the first release: only that one reads it; "+
			"take the data out with it, and begin a new cluster", ErrBadImage, version)
	case version > imageVersion:
		return fmt.Errorf("%w: version %d: run a later version of this program", ErrBadImage, version)
	}
	length := binary.LittleEndian.Uint64(head[1:])
	if length > math.MaxInt64 {
		return fmt.Errorf("%w: %d bytes of sessions and keys", ErrBadImage, length)
	}
	r := &reader{from: bufio.NewReaderSize(io.LimitReader(from, int64(length)), 1<<16), left: length}
	sessions := r.sessions(last.Index, m.sessions.limits)
	keys := r.keys(last.Index, m.keys.limits)
	if r.err == nil && r.left > 0 {
		r.fail("%d bytes behind the keys", r.left)
	}
	if r.err != nil {
		return r.err
	}
	if err := m.inner.Restore(from); err != nil {
		return fmt.Errorf("the state machine could not be restored: %w", err)
	}
	m.sessions, m.keys, m.last = sessions, keys, last
	return nil
}

// reader takes the sessions and keys in. Whatever lengths are announced, it asks for little more memory than
// there are bytes to fill it.
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

// trusted is up to how many bytes are asked of memory before they are there.
const trusted = 1 << 16

func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > r.left {
		r.fail("its sessions and keys are cut off")
		return make([]byte, min(n, 8)) // zeros, for who reads a number: after an error nobody looks at more
	}
	if n == 0 {
		return nil
	}
	r.left -= n
	var err error
	var b []byte
	if n <= trusted {
		b = make([]byte, n)
		_, err = io.ReadFull(r.from, b)
	} else if b, err = io.ReadAll(io.LimitReader(r.from, int64(n))); err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		r.fail("its sessions and keys: %w", err)
	}
	return b
}

func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u8() uint8   { return r.take(1)[0] }

// sessions reads all of them, and refuses what no server can have written: each has been used by an entry of
// its own, up to the last one.
func (r *reader) sessions(last raft.Index, limits sessionLimits) *sessions {
	t := newSessionsWithin(limits)
	count := r.u32()
	if int64(count) > int64(limits.sessions) {
		r.fail("%d sessions, at most %d", count, limits.sessions)
	}
	before := raft.Index(0)
	for i := uint32(0); i < count && r.err == nil; i++ {
		s := r.session(limits)
		_, openAlready := t.byName[s.id]
		switch {
		case s.used <= before || s.used > last || s.id == 0 || s.id > s.used || s.ttl <= 0:
			r.fail("session %d was used at %d, after one at %d, and lasts %d ns", s.id, s.used, before, s.ttl)
		case openAlready:
			r.fail("session %d is there twice", s.id)
		}
		before = s.used
		if r.err == nil {
			t.insert(s)
		}
		if t.results > limits.bytes {
			r.fail("results of %d bytes, at most %d", t.results, limits.bytes)
		}
	}
	return t
}

func (r *reader) session(limits sessionLimits) *session {
	s := &session{id: raft.Index(r.u64()), used: raft.Index(r.u64()), usedAt: raft.Time(r.u64()),
		ttl: raft.Time(r.u64()), floor: r.u64()}
	results := int(r.u16())
	if results > limits.numbers {
		r.fail("%d results of one session, at most %d", results, limits.numbers)
	}
	before, bytes := s.floor, 0
	for i := 0; i < results && r.err == nil; i++ {
		result := remembered{r.u64(), checksum(r.u32()), r.take(uint64(r.u32()))}
		if result.number <= before {
			r.fail("result %d comes after result %d", result.number, before)
		}
		if bytes += result.size(); bytes > limits.bytes {
			r.fail("results of %d bytes in one session, at most %d", bytes, limits.bytes)
		}
		before = result.number
		s.results = append(s.results, result)
	}
	return s
}

// keys reads all of them, and refuses what no server can have written, as sessions does.
func (r *reader) keys(last raft.Index, limits keyLimits) *keys {
	t := newKeysWithin(limits)
	count := r.u32()
	if int64(count) > int64(limits.keys) {
		r.fail("%d keys, at most %d", count, limits.keys)
	}
	before, largest := raft.Index(0), 0
	for i := uint32(0); i < count && r.err == nil; i++ {
		k := r.key()
		_, knownAlready := t.byName[k.key]
		switch {
		case k.used <= before || k.used > last || k.ttl <= 0:
			r.fail("key %q was used at %d, after one at %d, and lasts %d ns", k.key, k.used, before, k.ttl)
		case k.key == "" || len(k.key) > MaxKey:
			r.fail("a key of %d bytes, at least 1, at most %d", len(k.key), MaxKey)
		case knownAlready:
			r.fail("key %q is there twice", k.key)
		}
		before, largest = k.used, max(largest, k.size())
		if r.err == nil {
			t.insert(k)
		}
		if t.bytes-largest >= limits.bytes { // when the last of them was taken there were fewer
			r.fail("keys and results of %d bytes, and at most %d before the last", t.bytes, limits.bytes)
		}
	}
	return t
}

func (r *reader) key() *keyed {
	k := &keyed{used: raft.Index(r.u64()), usedAt: raft.Time(r.u64()), ttl: raft.Time(r.u64()),
		sum: checksum(r.u32())}
	k.key = string(r.take(uint64(r.u8())))
	k.result = r.take(r.u64())
	return k
}
