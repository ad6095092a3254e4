package wal

import (
	"slices"

	"balsa/raft"
)

// The memory for the entries of a log is taken as it is read. An array that is doubled whenever it is full
// is copied as often, and half empty in the end; so what is still to come is guessed from what has come.

// sights are what that guess rests on.
type sights struct {
	entries, bytes int64 // read so far
	last           span  // the last segment that was written to
	written        int64 // bytes of it
}

const (
	// guessFrom is how many entries must have come before their size says anything of that of others.
	guessFrom = 1000
	// growAtMost bounds a guess, as a multiple of what is there: large entries may follow small ones.
	growAtMost = 8
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
