package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"balsa/raft"
)

// What is fixed by format version 1.
const (
	formatVersion = 1
	segmentMagic  = "balsaWAL"
	identityMagic = "balsaIDN"

	segmentHeader = 64 // bytes before the first batch
	alignment     = 16 // batches begin at multiples of it
	batchHeader   = 24
	recordHeader  = 8
	endMark       = batchHeader + recordHeader // bytes of a batch that is nothing but an end mark

	// maxSegment bounds a segment file, so that a length is known to be absurd before memory is taken for it.
	maxSegment = 1 << 30
)

// MaxBatch is how many bytes one Append may take on disk: its commands, 32 bytes for each entry, and at
// most 200 more, and 24 for each peer of the cluster.
const MaxBatch = maxSegment - segmentHeader - endMark

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// place is where a batch stands. It seeds the batch's two checksums, so that bytes that a batch wrote
// elsewhere, in another segment, or in an earlier life of the same file do not verify here.
type place struct {
	incarnation raft.Incarnation
	segment     uint64
	offset      int64
}

// seeds returns the initial values of the header's checksum and of the whole batch's. Each step maps 64
// bits one to one, so two offsets of one segment never have both seeds in common, nor have two segments at
// one offset.
func (p place) seeds() (header, whole uint32) {
	h := scramble(uint64(p.incarnation))
	h = scramble(h ^ p.segment)
	h = scramble(h ^ uint64(p.offset))
	return uint32(h), uint32(h >> 32)
}

// scramble is the finalizer of SplitMix64.
func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// encodeSegmentHeader makes the first 64 bytes of a segment. Everything is little-endian, here as in every
// layout:
//
//	 0        8         10     16            24        32     40       60       64
//	┌────────┬─────────┬──────┬─────────────┬─────────┬──────┬────────┬────────┐
//	│ magic  │ version │ zero │ incarnation │ segment │ size │ zero   │ crc32c │
//	│ 8 B    │ u16 = 1 │ ×6   │ u64         │ u64     │ i64  │ ×20    │ u32    │
//	└────────┴─────────┴──────┴─────────────┴─────────┴──────┴────────┴────────┘
//	segment  its number, as in the file's name      size  of the file, in bytes
//	crc32c   of all before it, unseeded: place and length of it are the same in every version
func encodeSegmentHeader(incarnation raft.Incarnation, segment uint64, size int64) []byte {
	b := make([]byte, 0, segmentHeader)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint16(b, formatVersion)
	b = append(b, make([]byte, 6)...)
	b = binary.LittleEndian.AppendUint64(b, uint64(incarnation))
	b = binary.LittleEndian.AppendUint64(b, segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	b = append(b, make([]byte, 20)...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// checkSegmentHeader verifies the header of a segment of size bytes and returns the incarnation that wrote
// it.
func checkSegmentHeader(b []byte, segment uint64, size int64) (raft.Incarnation, error) {
	file := segmentName(segment)
	if string(b[:8]) != segmentMagic {
		return 0, damage(file, 0, "this is not a segment of a log")
	}
	if crc32.Checksum(b[:60], castagnoli) != binary.LittleEndian.Uint32(b[60:]) {
		return 0, damage(file, 0, "the checksum of the segment's header is wrong")
	}
	v, reserved := binary.LittleEndian.Uint16(b[8:]), extent(b[10:16])+extent(b[40:60])
	if v != formatVersion || reserved > 0 {
		return 0, fmt.Errorf("%s: format version %d, known is %d: %w", file, v, formatVersion, ErrVersion)
	}
	if n := binary.LittleEndian.Uint64(b[24:]); n != segment {
		return 0, damage(file, 24, "the header says segment %d", n)
	}
	if n := int64(binary.LittleEndian.Uint64(b[32:])); n != size {
		return 0, damage(file, 32, "the file has %d bytes, its header says %d", size, n)
	}
	return raft.Incarnation(binary.LittleEndian.Uint64(b[16:])), nil
}

// The names in a directory. A file under a temporary name was never relied upon.
const (
	segmentSuffix   = ".wal"
	temporarySuffix = ".tmp"
	segmentDigits   = 10
	firstCopy       = "identity.1"
	secondCopy      = "identity.2"
	spareName       = "next" + segmentSuffix + temporarySuffix // a segment on its way, before it has a number
)

// identityNames are the two copies of the identity.
func identityNames() []string { return []string{firstCopy, secondCopy} }

func segmentName(segment uint64) string {
	return fmt.Sprintf("%0*d%s", segmentDigits, segment, segmentSuffix)
}

// parseSegmentName returns the number of a segment, and whether the name is one of a segment.
func parseSegmentName(name string) (uint64, bool) {
	digits, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(digits) != segmentDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && segmentName(n) == name
}

// align rounds up to a multiple of unit, a power of two.
func align(n, unit int64) int64 {
	if n > math.MaxInt64-unit {
		return n
	}
	return (n + unit - 1) &^ (unit - 1)
}
