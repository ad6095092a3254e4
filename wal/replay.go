package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"balsa/raft"
)

// scan takes a segment's batches. ended says that the log ends in it.
func (r *recovery) scan(s *segment) (ended bool, err error) {
	r.tail.segment, r.tail.size, r.tail.offset = s.number, int64(len(s.image)), segmentHeader
	r.chain.begin(s.number, r.tail.size, r.number)
	if err := r.showSegment(s); err != nil {
		return false, err
	}
	for r.tail.offset < s.written {
		raw, err := s.batch(r.tail.offset, r.number)
		if err != nil {
			return false, err
		}
		if raw == nil {
			r.tail.torn = s.written - r.tail.offset
			r.Torn = r.tail.torn
			return true, nil
		}
		if !r.lean && !r.keeps(s) {
			raw = bytes.Clone(raw) // the entries keep its memory, and the next segment gets that of this one
		}
		end, err := r.take(s, raw)
		if err != nil || end {
			return false, err
		}
	}
	return true, nil
}

// take takes one batch that verifies. What is wrong in it is a bug of whoever wrote it.
func (r *recovery) take(s *segment, raw []byte) (end bool, err error) {
	offset := r.tail.offset
	b, err := decode(raw, r.room[:0])
	if err == nil {
		err = r.judge(b, offset == segmentHeader)
	}
	if errors.Is(err, ErrVersion) {
		return false, fmt.Errorf("%s at byte %d: %w", s.name(), offset, err)
	}
	if err != nil {
		return false, damage(s.name(), offset, "batch %d verifies and makes no sense: %v", r.number, err)
	}
	r.sights.see(b, len(raw))
	r.keep(b)
	r.chain.take(b, r.outline.tip())
	if err := r.showBatch(s, offset, int64(len(raw)), b); err != nil {
		return false, err
	}
	r.tail.last, r.tail.lastAt = raw, s.at(offset)
	r.tail.offset += int64(len(raw))
	r.number++
	if behind := s.written > r.tail.offset; b.end && behind {
		return false, damage(s.name(), r.tail.offset, "something was written behind the end mark")
	}
	if !b.end && r.tail.offset+endMark > r.tail.size {
		return false, damage(s.name(), offset, "batch %d leaves no room for the end mark", b.number)
	}
	return b.end, nil
}

// judge checks a batch against everything before it.
func (r *recovery) judge(b batch, first bool) error {
	switch {
	case (b.end || b.seal) && b.size() > endMark:
		return errors.New("an end mark or a seal with other records")
	case first && (b.state == nil || b.start == 0):
		return errors.New("the first batch of a segment does not repeat the hard state and the start number")
	case first && r.Repairing && b.mark == nil:
		return errors.New("the first batch of a segment does not repeat that the server repairs itself")
	case first && r.gated && !b.gate:
		return errors.New("the first batch of a segment does not repeat that a later program is needed")
	case !first && b.gate && !gated(b.entries):
		return errors.New("entries are said to need a later program, and none does")
	case b.state != nil && b.state.Term < r.State.Term:
		return fmt.Errorf("the term goes back from %d to %d", r.State.Term, b.state.Term)
	case b.start != 0 && b.start < r.Start:
		return fmt.Errorf("the start number goes back from %d to %d", r.Start, b.start)
	}
	if err := (*peers)(&r.Peers).accept(b.peers); err != nil {
		return err
	}
	if err := r.judgeBase(b, first); err != nil {
		return err
	}
	return r.outline.accept(b.entries)
}

// judgeBase checks what a batch says of where the log begins.
func (r *recovery) judgeBase(b batch, first bool) error {
	switch {
	case b.restart && (b.base == nil || len(b.entries) > 0):
		return errors.New("a restart with entries, or behind none")
	case b.base == nil && first && r.chain.base.segment > 0:
		return errors.New("the first batch of a segment does not repeat where the log begins")
	case b.base == nil:
		return nil
	}
	if err := b.base.follows(r.chain.base, r.tail.segment); err != nil {
		return err
	}
	if !r.chain.agrees(*b.base) {
		return fmt.Errorf("segment %d is said to begin with batch %d behind %v",
			b.base.segment, b.base.number, b.base.join)
	}
	if b.restart {
		return r.outline.restart(b.base.before)
	}
	return r.outline.release(b.base.before)
}

// keep takes over what a batch says.
func (r *recovery) keep(b batch) {
	if b.state != nil {
		r.State = *b.state
	}
	r.Start = max(r.Start, b.start)
	r.gated = r.gated || b.gate
	if b.mark != nil {
		r.Repairing = *b.mark
	}
	if b.restart {
		r.Before, r.Entries = b.base.before, nil
	} else if b.base != nil {
		r.release(b.base.before)
	}
	if len(b.entries) > 0 {
		r.extend(b.entries)
	}
	r.room = b.entries
}

// release drops the entries up to one. When it lies before all that are there, it is an older word, from
// before those segments went that were not read: a later one follows.
func (r *recovery) release(through raft.EntryID) {
	if through.Index < r.Before.Index {
		return
	}
	if n := through.Index - r.Before.Index; n > 0 && !r.lean {
		r.Entries = slices.Clone(r.Entries[n:]) // so that the memory of the others becomes free
	}
	r.Before = through
}

// extend puts entries where they belong. They may replace some that stood in segments which are gone; then
// those between are gone too, and a later word says that they are needed no more.
func (r *recovery) extend(entries []raft.Entry) {
	first := entries[0].Index
	if first <= r.Before.Index {
		r.Before, r.Entries = raft.EntryID{Index: first - 1}, r.Entries[:0]
	}
	if r.lean {
		return
	}
	log := r.Entries[:first-1-r.Before.Index]
	r.Entries = append(r.grow(log, len(entries)), entries...)
}
