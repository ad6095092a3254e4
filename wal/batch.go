package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"balsa/raft"
	"balsa/wire"
)

// recordKind says what a record holds. A batch has at most one of each kind, in the order of their numbers.
type recordKind uint8

const (
	padding       recordKind = 0  // zeros up to the end of the batch
	stateRecord   recordKind = 1  // term u64 │ vote u64
	startRecord   recordKind = 2  // number of this start of the node u64
	entryRecord   recordKind = 3  // entry │ entry │ …, each as in wire.AppendEntry
	endRecord     recordKind = 4  // nothing: the segment ends here, the log goes on in the next one
	sealRecord    recordKind = 5  // nothing: everything before it was durable when it was written
	peersRecord   recordKind = 6  // node u64 │ incarnation u64 │ highest start u64, for each, by node
	baseRecord    recordKind = 7  // where the log begins, see base: six u64
	restartRecord recordKind = 8  // nothing: what stands before this batch is dropped, behind the base too
	repairRecord  recordKind = 9  // u64: 1 the server repairs itself; 0 not any more
	gateRecord    recordKind = 10 // nothing: from here on a later program is needed, see gated
)

// Lengths of payloads in bytes, and what must be known of wire's form of an entry (held by a test).
const (
	stateLength = 16
	startLength = 8
	peerLength  = 24
	baseLength  = 48 // six u64
	markLength  = 8
	entryHeader = 32 // bytes before an entry's command
	entryKindAt = 24 // the byte that is its kind
)

// batch is what one Append writes, and what is on the disk wholly or not at all.
type batch struct {
	number  uint64
	state   *raft.HardState     // nil: unchanged
	start   uint64              // 0: unchanged
	entries []raft.Entry        // they replace everything from the first one's index on
	end     bool                // the end mark, which has a batch of its own
	seal    bool                // the seal, which has one too
	peers   []raft.Acquaintance // what of them was met anew; in the first batch of a segment all
	base    *base               // where the log begins now; nil: unchanged. It counts before the entries do
	restart bool                // the log begins anew behind the base, whatever it held
	mark    *bool               // whether the server repairs itself; nil: unchanged
	gate    bool                // a later program is needed from here on, see gated
}

// gated reports whether entries need a program of cluster version 1. A record says so beside them, and in the
// first batch of every later segment, for a program from before it knows their kind and nothing of what they
// mean: it would start, go by the members of the bootstrap, and give its vote to them, until it met such an
// entry among the committed ones. Once voters have changed, two quorums of different members could then
// decide on one index. A record of a kind that it does not know has it refuse the log as it opens it.
func gated(entries []raft.Entry) bool {
	return slices.ContainsFunc(entries, func(e raft.Entry) bool { return e.Kind == raft.ConfigurationChange })
}

// size returns how many bytes the batch takes on disk, padding included.
func (b batch) size() int64 {
	n := int64(batchHeader)
	if b.state != nil {
		n += recordHeader + stateLength
	}
	if b.start != 0 {
		n += recordHeader + startLength
	}
	if len(b.entries) > 0 {
		n += recordHeader + entriesSize(b.entries)
	}
	if b.end {
		n += recordHeader
	}
	if b.seal {
		n += recordHeader
	}
	if len(b.peers) > 0 {
		n += recordHeader + peerLength*int64(len(b.peers))
	}
	if b.base != nil {
		n += recordHeader + baseLength
	}
	if b.restart {
		n += recordHeader
	}
	if b.mark != nil {
		n += recordHeader + markLength
	}
	if b.gate {
		n += recordHeader
	}
	return align(n, alignment)
}

func entriesSize(entries []raft.Entry) (n int64) {
	for i := range entries {
		n += entryHeader + int64(len(entries[i].Command))
	}
	return n
}

// append encodes the batch for a place:
//
//	 0        8        12     16       20       24                          length
//	┌────────┬────────┬──────┬────────┬────────┬─────────┬────────┬────────┬─────────┐
//	│ number │ length │ zero │ header │ whole  │ record  │ record │ …      │ zeros   │
//	│ u64    │ u32    │ u32  │ crc32c │ crc32c │         │        │        │         │
//	└────────┴────────┴──────┴────────┴────────┴─────────┴────────┴────────┴─────────┘
//	number  counts the batches of the whole log from 1      length  of all of it, a multiple of 16
//	header  checksum of bytes 0 to 16                        whole   of 0 to 20 and 24 to length
//
//	record  ┌──────┬─────────┬────────┬─────────┐
//	        │ kind │ zero ×3 │ length │ payload │
//	        │ u8   │         │ u32    │ length  │
//	        └──────┴─────────┴────────┴─────────┘
//
// Both checksums are seeded with the place. A good header alone tells how far the batch was meant to reach;
// so the reader knows what lies behind it, also when the rest of it is bad.
func (b batch) append(dst []byte, at place) []byte {
	from, size := len(dst), b.size()
	dst = slices.Grow(dst, int(size))
	dst = binary.LittleEndian.AppendUint64(dst, b.number)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = append(dst, make([]byte, batchHeader-12)...)
	dst = b.appendRecords(dst)
	for int64(len(dst)-from) < size {
		dst = append(dst, 0)
	}
	sign(dst[from:], at)
	return dst
}

func (b batch) appendRecords(dst []byte) []byte {
	if b.state != nil {
		dst = appendRecord(dst, stateRecord, stateLength)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.state.Term))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(b.state.Vote))
	}
	if b.start != 0 {
		dst = appendRecord(dst, startRecord, startLength)
		dst = binary.LittleEndian.AppendUint64(dst, b.start)
	}
	if len(b.entries) > 0 {
		dst = appendRecord(dst, entryRecord, entriesSize(b.entries))
		for i := range b.entries {
			dst = wire.AppendEntry(dst, b.entries[i])
		}
	}
	if b.end {
		dst = appendRecord(dst, endRecord, 0)
	}
	if b.seal {
		dst = appendRecord(dst, sealRecord, 0)
	}
	if len(b.peers) > 0 {
		dst = appendRecord(dst, peersRecord, peerLength*int64(len(b.peers)))
		for _, p := range b.peers {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(p.Node))
			dst = binary.LittleEndian.AppendUint64(dst, uint64(p.Incarnation))
			dst = binary.LittleEndian.AppendUint64(dst, p.Start)
		}
	}
	if b.base != nil {
		dst = b.base.append(appendRecord(dst, baseRecord, baseLength))
	}
	if b.restart {
		dst = appendRecord(dst, restartRecord, 0)
	}
	if b.mark != nil {
		dst = appendRecord(dst, repairRecord, markLength)
		dst = binary.LittleEndian.AppendUint64(dst, markOf(*b.mark))
	}
	if b.gate {
		dst = appendRecord(dst, gateRecord, 0)
	}
	return dst
}

func appendRecord(dst []byte, kind recordKind, length int64) []byte {
	dst = append(dst, byte(kind), 0, 0, 0)
	return binary.LittleEndian.AppendUint32(dst, uint32(length))
}

// sign fills in the checksums of a batch.
func sign(b []byte, at place) {
	header, whole := at.seeds()
	binary.LittleEndian.PutUint32(b[16:], crc32.Update(header, castagnoli, b[:16]))
	binary.LittleEndian.PutUint32(b[20:], wholeChecksum(b, whole))
}

func wholeChecksum(b []byte, seed uint32) uint32 {
	return crc32.Update(crc32.Update(seed, castagnoli, b[:20]), castagnoli, b[batchHeader:])
}

// header is what a good batch header says.
type header struct {
	number uint64
	length int64
}

// readHeader reads the header of a batch; ok is false when its checksum is wrong or it is cut off.
func readHeader(b []byte, at place) (h header, ok bool) {
	if len(b) < batchHeader {
		return h, false
	}
	seed, _ := at.seeds()
	if crc32.Update(seed, castagnoli, b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return h, false
	}
	h.number, h.length = binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint32(b[8:]))
	return h, true
}

// verifies reports whether the checksum of a whole batch is right.
func verifies(b []byte, at place) bool {
	_, seed := at.seeds()
	return wholeChecksum(b, seed) == binary.LittleEndian.Uint32(b[20:])
}

// decode reads the records of a batch that verifies. It appends the entries to room and shares their
// commands' memory with b. What it refuses was written by a later version (ErrVersion), or by a program
// with a bug.
func decode(b []byte, room []raft.Entry) (batch, error) {
	out := batch{number: binary.LittleEndian.Uint64(b), entries: room}
	if binary.LittleEndian.Uint32(b[12:]) != 0 {
		return out, fmt.Errorf("a batch with flags: %w", ErrVersion)
	}
	last := padding
	for b = b[batchHeader:]; len(b) >= recordHeader && recordKind(b[0]) != padding; {
		kind, length := recordKind(b[0]), binary.LittleEndian.Uint32(b[4:])
		if kind > gateRecord || b[1]|b[2]|b[3] != 0 {
			return out, fmt.Errorf("a record of kind %d: %w", kind, ErrVersion)
		}
		if kind <= last || uint64(length) > uint64(len(b)-recordHeader) {
			return out, fmt.Errorf("a record of kind %d, %d bytes, after one of kind %d", kind, length, last)
		}
		if err := out.take(kind, b[recordHeader:recordHeader+length]); err != nil {
			return out, err
		}
		last, b = kind, b[recordHeader+length:]
	}
	if len(b) >= alignment || extent(b) != 0 {
		return out, errors.New("a batch with something behind its records")
	}
	return out, nil
}

// take adds one record.
func (b *batch) take(kind recordKind, payload []byte) error {
	switch {
	case kind == stateRecord && len(payload) == stateLength:
		b.state = &raft.HardState{
			Term: raft.Term(binary.LittleEndian.Uint64(payload)),
			Vote: raft.NodeID(binary.LittleEndian.Uint64(payload[8:])),
		}
	case kind == startRecord && len(payload) == startLength:
		if b.start = binary.LittleEndian.Uint64(payload); b.start == 0 {
			return errors.New("a start without a number")
		}
	case kind == entryRecord && len(payload) > 0:
		return b.takeEntries(payload)
	case kind == endRecord && len(payload) == 0:
		b.end = true
	case kind == sealRecord && len(payload) == 0:
		b.seal = true
	case kind == peersRecord && len(payload) > 0 && len(payload)%peerLength == 0:
		b.takePeers(payload)
	case kind == baseRecord && len(payload) == baseLength:
		b.base = decodeBase(payload)
	case kind == restartRecord && len(payload) == 0:
		b.restart = true
	case kind == repairRecord && len(payload) == markLength && binary.LittleEndian.Uint64(payload) <= 1:
		mark := payload[0] == 1
		b.mark = &mark
	case kind == gateRecord && len(payload) == 0:
		b.gate = true
	default:
		return fmt.Errorf("a record of kind %d with %d bytes", kind, len(payload))
	}
	return nil
}

func (b *batch) takeEntries(payload []byte) error {
	for len(payload) > 0 {
		e, rest, err := wire.DecodeEntry(payload)
		if err != nil && len(payload) >= entryHeader && !raft.Kind(payload[entryKindAt]).Valid() {
			return fmt.Errorf("an entry of kind %d: %w", payload[entryKindAt], ErrVersion)
		}
		if err != nil {
			return err
		}
		b.entries, payload = append(b.entries, e), rest
	}
	return nil
}

func (b *batch) takePeers(payload []byte) {
	for ; len(payload) > 0; payload = payload[peerLength:] {
		b.peers = append(b.peers, raft.Acquaintance{
			Node:        raft.NodeID(binary.LittleEndian.Uint64(payload)),
			Incarnation: raft.Incarnation(binary.LittleEndian.Uint64(payload[8:])),
			Start:       binary.LittleEndian.Uint64(payload[16:]),
		})
	}
}

// extent returns the length of b without the zeros at its end.
func extent(b []byte) int {
	n := len(b)
	for n >= 8 && binary.LittleEndian.Uint64(b[n-8:]) == 0 {
		n -= 8
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return n
}

// markOf is what a repair record holds.
func markOf(repairs bool) uint64 {
	if repairs {
		return 1
	}
	return 0
}
