package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"balsa/raft"
)

// MaxFrame bounds the length of a frame in bytes: one command of MaxCommand and room for what surrounds it. A
// reader refuses more before it allocates anything.
const MaxFrame = MaxCommand + 1<<20

// FramePrefix is how many bytes of a frame FrameLength needs.
const FramePrefix = 8

const (
	frameVersion = 1
	frameHeader  = 12 // length, version, kind, zeros, checksum
	frameFixed   = frameHeader + 65
	// frameMost is the length of the longest frame without its addresses, entries, command or data, rounded
	// up.
	frameMost = 144

	frameSays = 1 // the flag: what the sender says of itself follows
)

// AppendEnvelope appends an envelope as one frame, little-endian. The length is that of the whole frame and
// the CRC32C covers all of it but itself. It panics when there is no message, when CheckAPI refuses one
// of the sender's addresses, or when the frame would exceed MaxFrame: whoever cannot rule that out asks
// EnvelopeSize first.
//
//	 0        4         5      6       7      8        12        28    60   68         76
//	┌────────┬─────────┬──────┬───────┬──────┬────────┬─────────┬─────┬────┬──────────┬─────┬──────┬ …
//	│ length │ version │ kind │ flags │ zero │ CRC32C │ cluster │ who │ to │ sequence │ API │ says │ message
//	│ u32    │ u8 = 1  │ u8   │ u8    │      │ u32    │ 16      │     │u64 │ u64      │     │      │
//	└────────┴─────────┴──────┴───────┴──────┴────────┴─────────┴─────┴────┴──────────┴─────┴──────┴ …
//	flags 1: says is there; unset when the version is 0 and the address empty, so that a program from before
//	      them reads what comes without
//	who   ┌──────┬─────────────┬───────┬───────────────┐
//	      │ node │ incarnation │ start │ configuration │   u64 each
//	      └──────┴─────────────┴───────┴───────────────┘
//	API   ┌──────────┬──────┐
//	      │ n u8     │ n    │   where clients reach the sender; see CheckAPI
//	      └──────────┴──────┘
//	says  ┌─────────────┬──────────┬─────────┐
//	      │ version u32 │ n u8     │ n       │   the newest cluster version that the sender supports, and
//	      └─────────────┴──────────┴─────────┘   where peers reach it
func AppendEnvelope(dst []byte, e raft.Envelope) []byte {
	kind := kindOf(e.Message)
	if kind == 0 {
		panic("wire: an envelope without a message")
	}
	before, flags := len(dst), byte(0)
	says := e.From.Version != 0 || e.From.Address != ""
	if says {
		flags = frameSays
	}
	dst = slices.Grow(dst, EnvelopeSize(e))
	dst = append(dst, 0, 0, 0, 0, frameVersion, byte(kind), flags, 0, 0, 0, 0, 0)
	dst = append(dst, e.From.Cluster[:]...)
	dst = appendNumbers(dst, uint64(e.From.Node), uint64(e.From.Incarnation), e.From.Start,
		uint64(e.From.Configuration), uint64(e.To), uint64(e.Sequence))
	dst = appendAPI(dst, e.From.API)
	if says {
		dst = appendAPI(binary.LittleEndian.AppendUint32(dst, e.From.Version), e.From.Address)
	}
	dst = appendMessage(dst, e.Message)

	frame := dst[before:]
	if len(frame) > MaxFrame {
		panic(fmt.Sprintf("wire: a frame of %d bytes, at most %d", len(frame), MaxFrame))
	}
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)))
	binary.LittleEndian.PutUint32(frame[8:], frameChecksum(frame))
	return dst
}

// EnvelopeSize returns a number of bytes that the envelope's frame does not exceed. It is less than 144 above
// the frame's length and costs no encoding.
func EnvelopeSize(e raft.Envelope) int {
	size := frameMost + len(e.From.API) + len(e.From.Address)
	switch m := e.Message.(type) {
	case raft.AppendEntries:
		for _, entry := range m.Entries {
			size += entryHeader + len(entry.Command)
		}
	case raft.InstallSnapshot:
		size += len(m.Data)
	case raft.ForwardProposal:
		size += len(m.Command)
	}
	return size
}

// FrameLength returns the length of the frame that begins with prefix, so that a stream's reader knows how
// many bytes to wait for. It needs FramePrefix bytes and reads no more. An error wraps ErrMalformed: the
// stream cannot be followed any further.
func FrameLength(prefix []byte) (int, error) {
	if len(prefix) < FramePrefix {
		return 0, malformed("frame: %d bytes, its prefix has %d", len(prefix), FramePrefix)
	}
	if version := prefix[4]; version != frameVersion {
		return 0, malformed("frame: version %d, this program reads %d", version, frameVersion)
	}
	if prefix[6]&^frameSays != 0 || prefix[7] != 0 {
		return 0, malformed("frame: unknown flags, or its padding is not zero")
	}
	length := binary.LittleEndian.Uint32(prefix)
	if length < frameFixed || length > MaxFrame {
		return 0, malformed("frame: %d bytes, must be %d to %d", length, frameFixed, MaxFrame)
	}
	return int(length), nil
}

// DecodeEnvelope reads one frame, which must fill src exactly. Commands and snapshot data share src's memory:
// src must not be written to afterwards. An error wraps ErrMalformed. Whatever it accepts, AppendEnvelope
// turns back into the same bytes.
func DecodeEnvelope(src []byte) (raft.Envelope, error) {
	length, err := FrameLength(src)
	if err != nil {
		return raft.Envelope{}, err
	}
	if length != len(src) {
		return raft.Envelope{}, malformed("frame: of %d bytes, %d are there", length, len(src))
	}
	if binary.LittleEndian.Uint32(src[8:]) != frameChecksum(src) {
		return raft.Envelope{}, malformed("frame: its checksum does not match")
	}
	c := cursor{src: src[frameHeader:]}
	e := raft.Envelope{From: decodeIdentity(&c)}
	e.To, e.Sequence = number[raft.NodeID](&c), number[raft.Sequence](&c)
	e.From.API = decodeAPI(&c)
	if src[6]&frameSays != 0 {
		e.From.Version, e.From.Address = c.u32(), decodeAPI(&c)
		if e.From.Version == 0 && e.From.Address == "" {
			c.fail("it is flagged and says nothing")
		}
	}
	e.Message = decodeMessage(kind(src[5]), &c)
	if err := c.finish(); err != nil {
		return raft.Envelope{}, fmt.Errorf("frame: message kind %d: %w", src[5], err)
	}
	return e, nil
}

func decodeIdentity(c *cursor) (who raft.Identity) {
	copy(who.Cluster[:], c.take(len(who.Cluster)))
	who.Node = number[raft.NodeID](c)
	who.Incarnation = number[raft.Incarnation](c)
	who.Start = number[uint64](c)
	who.Configuration = number[raft.Index](c)
	return who
}

// frameChecksum covers the frame without the four bytes of the checksum itself.
func frameChecksum(frame []byte) uint32 { return checksumAround(frame, 8) }

// checksumAround is the CRC32C of all but the four bytes from at on.
func checksumAround(frame []byte, at int) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(frame[:at], table), table, frame[at+4:])
}
