package wal

import (
	"slices"

	"balsa/raft"
)

// Memory that the system has not given out yet is what costs most when a long log is read: each page of it
// has to be found and cleared first. So nothing is copied that can stay where it was read, and room for the
// entries is taken once.

// sights are what is known of the size of entries that are not read yet.
type sights struct {
	entries, bytes int64 // met so far; those of the last segment, which findBase reads first, twice
	last           span  // the last segment that was written to
	written        int64 // bytes of it
}

// see notes a batch of so many bytes.
func (s *sights) see(b batch, bytes int) {
	s.entries += int64(len(b.entries))
	s.bytes += int64(bytes)
}

const (
	// guessFrom is how many entries must have come before their size says anything of that of others.
	guessFrom = 1000
	// growAtMost bounds a guess, as a multiple of what is there: large entries may follow small ones.
	growAtMost = 8
	// keepsFrom is the part of a segment, in percent, that must have been written for its memory to stay.
	keepsFrom = 75
)

// ahead guesses how many entries follow in the log that is read: a quarter of those that have come, or more.
// Until some have come it is as many.
func (r *recovery) ahead() int {
	s := &r.sights
	if s.entries < guessFrom {
		return int(s.entries)
	}
	bytes, size := r.tail.size-r.tail.offset, r.tail.size
	if r.tail.segment >= s.last.segment {
		bytes = s.written - r.tail.offset
	}
	for _, n := range r.segments {
		switch {
		case n > r.tail.segment && n < s.last.segment:
			size = min(2*size, max(size, s.last.size))
			bytes += size
		case n > r.tail.segment && n == s.last.segment:
			bytes += s.written
		}
	}
	guess := max(bytes, 0) / (s.bytes/s.entries + 1)
	guess += guess / 16
	return int(min(max(guess, s.entries/4), growAtMost*s.entries))
}

// fit lets go of what was taken for entries that did not come.
func (r *recovery) fit() {
	if spare := cap(r.Entries) - len(r.Entries); spare > guessFrom && spare > len(r.Entries)/8 {
		r.Entries = append(make([]raft.Entry, 0, len(r.Entries)), r.Entries...)
	}
}

// grow makes room for n more entries, and for those that follow.
func (r *recovery) grow(log []raft.Entry, n int) []raft.Entry {
	if cap(log)-len(log) >= n {
		return log
	}
	return slices.Grow(log, max(n, r.ahead()))
}

// keeps reports whether the entries of a segment stay in the memory that it was read into. In one that is not
// full, or in which the log begins, they would keep more than themselves; those are copied.
func (r *recovery) keeps(s *segment) bool {
	full := s.written*100 >= int64(len(s.image))*keepsFrom
	return full && !r.lean && s.number != r.base.segment
}

// memory returns memory for a segment, with anything in it.
func (r *recovery) memory(size int64) []byte {
	m := r.spare
	r.spare = nil
	if int64(cap(m)) < size {
		return make([]byte, size) // not slices.Grow, which clears it: nobody can interrupt that for 100 ms
	}
	return m[:size]
}

// forget takes back the memory of a segment that nobody keeps.
func (r *recovery) forget(s *segment) {
	if s == r.newest {
		r.newest = nil
	}
	if cap(s.image) > cap(r.spare) {
		r.spare = s.image
	}
}
