package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"balsa/raft"
)

// base is where the log begins once some of it is gone: from which segment on it must be read, and behind
// which entry it holds what counts. The first batch of every later segment repeats it, so the last segment
// alone tells which ones are needed, and a missing one is known to be lost or known to have been released.
type base struct {
	segment uint64       // the first one that is needed
	number  uint64       // of the first batch in it
	join    raft.EntryID // the last entry when that segment was begun: what stood before it
	before  raft.EntryID // the log begins behind this entry
}

func (b base) append(dst []byte) []byte {
	for _, n := range [...]uint64{b.segment, b.number, uint64(b.join.Term), uint64(b.join.Index),
		uint64(b.before.Term), uint64(b.before.Index)} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	return dst
}

func decodeBase(payload []byte) *base {
	n := func(i int) uint64 { return binary.LittleEndian.Uint64(payload[8*i:]) }
	return &base{segment: n(0), number: n(1),
		join:   raft.EntryID{Term: raft.Term(n(2)), Index: raft.Index(n(3))},
		before: raft.EntryID{Term: raft.Term(n(4)), Index: raft.Index(n(5))}}
}

// follows says what is wrong with a base that stands in a segment, and comes after another one.
func (b base) follows(last base, segment uint64) error {
	switch {
	case b.segment == 0 || b.number == 0 || b.before.Index == 0 || b.before.Term == 0:
		return errors.New("the log is said to begin nowhere")
	case b.segment == 1 && (b.number != 1 || b.join != raft.EntryID{}):
		return fmt.Errorf("the first segment is said to begin with batch %d behind %v", b.number, b.join)
	case b.segment > segment:
		return fmt.Errorf("the log is said to begin in segment %d, behind this one", b.segment)
	case b.segment < last.segment || b.before.Index < last.before.Index || b.before.Term < last.before.Term:
		return fmt.Errorf("the log began behind %v in segment %d, and now behind %v in segment %d",
			last.before, last.segment, b.before, b.segment)
	}
	return nil
}

// chain is which segment holds what: the log while it is open, and recovery, both keep one, so that the
// log can say at any time which segments it still needs.
//
//	segment     4          5               6            7
//	entries  11 … 20    21 … 35   36 … 50, 33 … 40    41 …      33 to 35 and 36 to 50 were replaced
//	first      11         21              33           41       needed behind 31: 5 and later; behind 32: 6
type chain struct {
	base  base // as it was written last
	spans []span
	tip   raft.EntryID // the last entry
}

// span is one segment of a chain.
type span struct {
	segment uint64
	size    int64        // bytes of the file
	number  uint64       // of its first batch
	join    raft.EntryID // the last entry before it
	first   raft.Index   // the lowest index that it holds, replaced since or not; 0 for none
}

// begin notes that the log goes on in a segment, with a batch of that number.
func (c *chain) begin(segment uint64, size int64, number uint64) {
	c.spans = append(c.spans, span{segment: segment, size: size, number: number, join: c.tip})
}

// take notes a batch in the last segment, after which the log ends with tip.
func (c *chain) take(b batch, tip raft.EntryID) {
	c.tip = tip
	if b.base != nil {
		c.base = *b.base
	}
	last := &c.spans[len(c.spans)-1]
	if len(b.entries) > 0 && (last.first == 0 || last.first > b.entries[0].Index) {
		last.first = b.entries[0].Index
	}
}

// needed returns the base of a log that begins behind an entry. The segment is the last one that holds an
// index up to the next entry's: were that entry in an earlier one, it would have been replaced there. All
// later entries were written later, and stand there too or behind. When there is no next entry it is the
// last segment.
func (c *chain) needed(before raft.EntryID) base {
	need := c.spans[len(c.spans)-1]
	if before.Index < c.tip.Index {
		for _, s := range c.spans {
			if s.first != 0 && s.first <= before.Index+1 {
				need = s
			}
		}
	}
	return base{segment: need.segment, number: need.number, join: need.join, before: before}
}

// dispensable takes the segments before the base off the chain and returns them.
func (c *chain) dispensable() []span {
	n := slices.IndexFunc(c.spans, func(s span) bool { return s.segment >= c.base.segment })
	gone := slices.Clone(c.spans[:n])
	c.spans = slices.Delete(c.spans, 0, n)
	return gone
}

// agrees reports whether a base says of its segment what the chain says of it.
func (c *chain) agrees(b base) bool {
	return !slices.ContainsFunc(c.spans, func(s span) bool {
		return s.segment == b.segment && (s.number != b.number || s.join != b.join)
	})
}

// bytesOf is how much some segments take.
func bytesOf(spans []span) (n int64) {
	for _, s := range spans {
		n += s.size
	}
	return n
}
