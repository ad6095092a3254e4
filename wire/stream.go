package wire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"balsa/raft"
)

// A stream carries the messages of one sender. It says who it is before the first, and again when that has
// changed, so that the messages go without:
//
//	 0        4        8      9      10     12         20
//	┌────────┬────────┬──────┬──────┬──────┬──────────┬─────────┐
//	│ length │ CRC32C │ kind │ zero │ zero │ sequence │ message │
//	│ u32    │ u32    │ u8   │ u8   │ u16  │ u64      │         │
//	└────────┴────────┴──────┴──────┴──────┴──────────┴─────────┘
//
// The length is that of the whole frame, and the checksum covers all of it but itself. Kind 0 is an
// introduction, whose sequence is 0:
//
//	┌────────────┬───────────┬─────────┬──────┬────────┬──────────┬─────┬─────────┬─────────┐
//	│ version u8 │ lane u8   │ cluster │ who  │ to u64 │ API      │ …   │ version │ address │
//	│ 1          │           │ 16      │ 4×u64│        │ n u8, n  │     │ u32     │ n u8, n │
//	└────────────┴───────────┴─────────┴──────┴────────┴──────────┴─────┴─────────┴─────────┘
const (
	streamVersion = 1
	streamHeader  = 20
	introduces    = 0 // the kind of an introduction

	// StreamPrefix is how many bytes of a frame StreamLength needs.
	StreamPrefix = 12
	// MaxIntroduction bounds the length of a frame that introduces, in bytes: more than that is not waited
	// for from somebody who has not said yet who it is.
	MaxIntroduction = 1 << 10
)

// Introduction is what the sender on a stream says of itself.
type Introduction struct {
	From raft.Identity
	To   raft.NodeID // whom it takes the receiver for
	Lane uint8       // which of its streams to the receiver this is
}

// Streamed is one frame of a stream: a message, or an introduction and no message.
type Streamed struct {
	Introduction Introduction
	Sequence     raft.Sequence
	Message      raft.Message
}

// AppendIntroduction appends an introduction as one frame. It panics when CheckAPI refuses one of the
// sender's addresses.
func AppendIntroduction(dst []byte, i Introduction) []byte {
	before := len(dst)
	dst = append(dst, make([]byte, streamHeader)...)
	dst = append(dst, streamVersion, i.Lane)
	dst = append(dst, i.From.Cluster[:]...)
	dst = appendNumbers(dst, uint64(i.From.Node), uint64(i.From.Incarnation), i.From.Start,
		uint64(i.From.Configuration), uint64(i.To))
	dst = appendAPI(dst, i.From.API)
	dst = appendAPI(binary.LittleEndian.AppendUint32(dst, i.From.Version), i.From.Address)
	return sealStreamed(dst, before, introduces, 0)
}

// AppendStreamed appends a message as one frame. It panics when there is none, or when the frame would exceed
// MaxFrame: whoever cannot rule that out asks EnvelopeSize first.
func AppendStreamed(dst []byte, sequence raft.Sequence, m raft.Message) []byte {
	k := kindOf(m)
	if k == introduces {
		panic("wire: a frame without a message")
	}
	before := len(dst)
	dst = append(slices.Grow(dst, EnvelopeSize(raft.Envelope{Message: m})), make([]byte, streamHeader)...)
	return sealStreamed(appendMessage(dst, m), before, k, sequence)
}

// sealStreamed fills in the header of the frame that begins at before.
func sealStreamed(dst []byte, before int, k kind, sequence raft.Sequence) []byte {
	frame := dst[before:]
	if len(frame) > MaxFrame {
		panic(fmt.Sprintf("wire: a frame of %d bytes, at most %d", len(frame), MaxFrame))
	}
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)))
	frame[8] = byte(k)
	binary.LittleEndian.PutUint64(frame[12:], uint64(sequence))
	binary.LittleEndian.PutUint32(frame[4:], streamChecksum(frame))
	return dst
}

// StreamLength returns the length of the frame that begins with prefix, and whether its message has data in
// it that shares the frame's memory when it is decoded. It needs StreamPrefix bytes and reads no more. An
// error wraps ErrMalformed: the stream cannot be followed any further.
func StreamLength(prefix []byte) (length int, data bool, err error) {
	if len(prefix) < StreamPrefix {
		return 0, false, malformed("frame: %d bytes, its prefix has %d", len(prefix), StreamPrefix)
	}
	k := kind(prefix[8])
	if k > lastKind || prefix[9] != 0 || prefix[10] != 0 || prefix[11] != 0 {
		return 0, false, malformed("frame: kind %d, or its padding is not zero", k)
	}
	n := binary.LittleEndian.Uint32(prefix)
	if n < streamHeader || n > MaxFrame {
		return 0, false, malformed("frame: %d bytes, must be %d to %d", n, streamHeader, MaxFrame)
	}
	switch k {
	case introduces:
		if n > MaxIntroduction {
			return 0, false, malformed("frame: an introduction of %d bytes, at most %d", n, MaxIntroduction)
		}
	case appendEntries, installSnapshot, forwardProposal, forwardProposalOfKind:
		data = true
	}
	return int(n), data, nil
}

// DecodeStreamed reads one frame, which must fill src exactly. Commands and snapshot data share src's memory.
// An error wraps ErrMalformed. Whatever it accepts, AppendStreamed or AppendIntroduction turns back into the
// same bytes.
func DecodeStreamed(src []byte) (s Streamed, err error) {
	length, _, err := StreamLength(src)
	if err != nil {
		return Streamed{}, err
	}
	if length != len(src) {
		return Streamed{}, malformed("frame: of %d bytes, %d are there", length, len(src))
	}
	if binary.LittleEndian.Uint32(src[4:]) != streamChecksum(src) {
		return Streamed{}, malformed("frame: its checksum does not match")
	}
	c := cursor{src: src[StreamPrefix:]}
	s.Sequence = number[raft.Sequence](&c)
	if k := kind(src[8]); k == introduces {
		s.Introduction = decodeIntroduction(&c)
		if s.Sequence != 0 {
			c.fail("an introduction with a sequence")
		}
	} else {
		s.Message = decodeMessage(k, &c)
	}
	if err := c.finish(); err != nil {
		return Streamed{}, fmt.Errorf("frame: message kind %d: %w", src[8], err)
	}
	return s, nil
}

func decodeIntroduction(c *cursor) (i Introduction) {
	if version := c.u8(); version != streamVersion {
		c.fail("a stream of version %d, this program reads %d", version, streamVersion)
	}
	i.Lane = c.u8()
	i.From = decodeIdentity(c)
	i.To = number[raft.NodeID](c)
	i.From.API = decodeAPI(c)
	i.From.Version, i.From.Address = c.u32(), decodeAPI(c)
	return i
}

// streamChecksum covers the frame without the four bytes of the checksum itself.
func streamChecksum(frame []byte) uint32 { return checksumAround(frame, 4) }
