package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"balsa/raft"
)

// ErrMalformed is wrapped by every error of a decoder: the bytes are not what they claim to be. Nothing was
// taken from them.
var ErrMalformed = errors.New("malformed bytes")

// malformed makes the error of a decoder: a sentence that wraps ErrMalformed. The sentence says what is
// wrong, so it need not end in saying that something is.
func malformed(format string, args ...any) error { return malformation{fmt.Errorf(format, args...)} }

type malformation struct{ error }

func (m malformation) Unwrap() []error { return []error{ErrMalformed, m.error} }

// MaxCommand bounds the length of one command in bytes. A decoder refuses more before it allocates anything.
const MaxCommand = 64 << 20

// entryHeader is the number of bytes before an entry's command.
const entryHeader = 32

// AppendEntry appends the binary form of an entry. It panics when the command exceeds MaxCommand, for no
// decoder would take the entry back. Everything is little-endian:
//
//	 0        8        16       24     25        28       32
//	┌────────┬────────┬────────┬──────┬─────────┬────────┬─────────┐
//	│ term   │ index  │ time   │ kind │ zero ×3 │ length │ command │
//	│ u64    │ u64    │ i64    │ u8   │         │ u32    │ length  │
//	└────────┴────────┴────────┴──────┴─────────┴────────┴─────────┘
func AppendEntry(dst []byte, e raft.Entry) []byte {
	dst = appendNumbers(dst, uint64(e.Term), uint64(e.Index), uint64(e.Time))
	return appendBytes(append(dst, byte(e.Kind), 0, 0, 0), e.Command)
}

// DecodeEntry reads one entry from the front of src and returns what follows it. The entry's command shares
// src's memory. An error wraps ErrMalformed.
func DecodeEntry(src []byte) (e raft.Entry, rest []byte, err error) {
	if len(src) < entryHeader {
		return e, nil, malformed("entry: %d bytes, its header has %d", len(src), entryHeader)
	}
	e = raft.Entry{
		Term:  raft.Term(binary.LittleEndian.Uint64(src)),
		Index: raft.Index(binary.LittleEndian.Uint64(src[8:])),
		Time:  raft.Time(binary.LittleEndian.Uint64(src[16:])),
		Kind:  raft.Kind(src[24]),
	}
	if !e.Kind.Valid() {
		return e, nil, malformed("entry %v: unknown kind %d, of a later version", e.ID(), src[24])
	}
	if src[25] != 0 || src[26] != 0 || src[27] != 0 {
		return e, nil, malformed("entry %v: its padding is not zero", e.ID())
	}
	length, rest := binary.LittleEndian.Uint32(src[28:]), src[entryHeader:]
	if length > MaxCommand || uint64(length) > uint64(len(rest)) {
		return e, nil, malformed("entry %v: a command of %d bytes in %d", e.ID(), length, len(rest))
	}
	if length > 0 {
		e.Command = rest[:length:length]
	}
	return e, rest[length:], nil
}
