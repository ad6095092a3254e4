package wal

import (
	"encoding/binary"

	"balsa/raft"
)

// segment is the content of a segment file in memory, its header verified.
type segment struct {
	number      uint64
	incarnation raft.Incarnation
	image       []byte
	written     int64 // everything from here on is zero
}

func (s *segment) name() string             { return segmentName(s.number) }
func (s *segment) at(offset int64) place    { return place{s.incarnation, s.number, offset} }
func (s *segment) blank() bool              { return s.written <= segmentHeader }
func (s *segment) rest(offset int64) []byte { return s.image[offset:] }

// batch returns the bytes of the batch that must stand at an offset; none if what stands there is the torn
// rest of a write that was never synced. An error says that this write was synced, and so must not be bad:
// the verdicts of the package comment, as far as one segment can prove them.
func (s *segment) batch(offset int64, number uint64) ([]byte, error) {
	rest := s.rest(offset)
	h, good := readHeader(rest, s.at(offset))
	if !good {
		return nil, s.nothingAfter(offset, number)
	}
	if h.number != number || h.length < endMark || h.length%alignment != 0 || h.length > int64(len(rest)) {
		return nil, damage(s.name(), offset, "a header with a good checksum says batch %d of %d bytes, "+
			"where batch %d is due and %d bytes are left", h.number, h.length, number, len(rest))
	}
	if verifies(rest[:h.length], s.at(offset)) {
		return rest[:h.length], nil
	}
	if end := offset + h.length; s.written > end {
		return nil, damage(s.name(), offset, "the checksum of batch %d is wrong, yet something, begun only "+
			"when the batch was durable, was written behind its end at byte %d", number, end)
	}
	return nil, nil
}

// nothingAfter looks for a later batch behind a bad header. A good header is enough: also a batch that is
// torn itself was begun only when the one before was durable. Batches take at least 32 bytes each, which
// bounds the numbers that can stand at an offset, and so makes it hopeless for other bytes to pass for one.
func (s *segment) nothingAfter(offset int64, number uint64) error {
	for o := offset + endMark; o+batchHeader <= int64(len(s.image)) && o < s.written; o += alignment {
		found := binary.LittleEndian.Uint64(s.image[o:])
		if found <= number || found-number > uint64(o-offset)/endMark {
			continue
		}
		if _, good := readHeader(s.rest(o), s.at(o)); good {
			return damage(s.name(), offset, "the header of batch %d is bad, yet batch %d, begun only when "+
				"that was durable, was written behind it at byte %d", number, found, o)
		}
	}
	return nil
}

// readable returns the batch at an offset if it verifies, whatever its number.
func (s *segment) readable(offset int64) []byte {
	rest := s.rest(offset)
	h, good := readHeader(rest, s.at(offset))
	if !good || h.length < endMark || h.length > int64(len(rest)) {
		return nil
	}
	if rest = rest[:h.length]; !verifies(rest, s.at(offset)) {
		return nil
	}
	return rest
}
