package raft

import "slices"

// log is a server's log since its last snapshot, in memory, together with what is known of its copy on disk.
//
//	snapshot        durable         saved           last
//	   │               │              │               │
//	   ▼               ▼              ▼               ▼
//	 ──┤ entries on disk │ being written │ not handed out │
//
// Entries are immutable and handed out by reference: the slice is never overwritten in place. A truncation
// therefore abandons the backing array, or a write still in flight would find other entries under its
// hands.
type log struct {
	snapshot EntryID // what lies before entries[0]; zero before the first snapshot
	entries  []Entry
	saved    Index // everything up to it was handed out to be written; lowered by truncation
	durable  Index // everything up to it in the *current* log is on disk
	flights  []flight
	unsynced int // bytes of entries in flight
}

// flight is a write of entries that was handed out and is not acknowledged yet. last is lowered when the
// entries it wrote are truncated: its acknowledgement then says nothing about what replaced them.
type flight struct {
	write Write
	last  Index
	bytes int
}

func newLog(entries []Entry) log {
	l := log{entries: slices.Clip(entries)}
	l.saved = l.last().Index
	l.durable = l.saved
	return l
}

func (l *log) last() EntryID {
	if len(l.entries) == 0 {
		return l.snapshot
	}
	return l.entries[len(l.entries)-1].ID()
}

// lastTime returns the log time of the last entry, 0 when there is none.
func (l *log) lastTime() Time {
	if len(l.entries) == 0 {
		return 0
	}
	return l.entries[len(l.entries)-1].Time
}

// term returns the term of the entry at index, and whether the log knows it.
func (l *log) term(index Index) (Term, bool) {
	if index == l.snapshot.Index {
		return l.snapshot.Term, true
	}
	if index < l.snapshot.Index || index > l.last().Index {
		return 0, false
	}
	return l.entries[index-l.snapshot.Index-1].Term, true
}

// id returns the name of the entry at index, which the log must know.
func (l *log) id(index Index) EntryID {
	term, ok := l.term(index)
	assert(ok, "the log was asked for an entry that it does not hold")
	return EntryID{Term: term, Index: index}
}

// holds reports whether the log contains that entry, and so, by Log Matching, everything before it.
func (l *log) holds(id EntryID) bool {
	term, ok := l.term(id.Index)
	return ok && term == id.Term
}

// between returns the entries after one index up to and including another, as a view that appending cannot
// extend.
func (l *log) between(after, through Index) []Entry {
	if after >= through {
		return nil
	}
	from, to := after-l.snapshot.Index, through-l.snapshot.Index
	return l.entries[from:to:to]
}

// after returns the entries that follow an index, as many as fit into a number of bytes, but at least one
// if there is one: an entry larger than the limit must still get through.
func (l *log) after(index Index, maxBytes int) []Entry {
	entries := l.between(index, l.last().Index)
	size := 0
	for i, e := range entries {
		if size += e.Size(); size > maxBytes && i > 0 {
			return entries[:i:i]
		}
	}
	return entries
}

func (l *log) append(entries ...Entry) {
	l.entries = append(l.entries, entries...)
}

// truncate drops the entry at index and all that follow.
func (l *log) truncate(index Index) {
	last := index - 1
	l.entries = slices.Clip(l.entries[:last-l.snapshot.Index])
	l.saved = min(l.saved, last)
	l.durable = min(l.durable, last)
	for i := range l.flights {
		l.flights[i].last = min(l.flights[i].last, last)
	}
}

// firstNew returns how many of the entries the log already holds, and whether the next of them contradicts
// one of ours. Skipping what is there is what makes AppendEntries idempotent: a delayed, shorter one must
// not cut off what a later one brought (§5.3).
func (l *log) firstNew(entries []Entry) (skip int, conflict bool) {
	for i, e := range entries {
		term, ok := l.term(e.Index)
		if !ok {
			return i, false
		}
		if term != e.Term {
			return i, true
		}
	}
	return len(entries), false
}

// agreement returns our last entry at or below id.Index whose term is not above id.Term. Every entry of
// ours after it, up to id.Index, has a higher term than id and so is not in the log that id stands in: it
// is where two logs can agree at the latest. A follower answers with it, and the leader applies it to the
// answer: one round trip for each diverging term instead of one for each entry (§5.3, end).
func (l *log) agreement(id EntryID) EntryID {
	index := min(id.Index, l.last().Index)
	for index > l.snapshot.Index {
		if term, _ := l.term(index); term <= id.Term {
			break
		}
		index--
	}
	if index <= l.snapshot.Index {
		return l.snapshot
	}
	return l.id(index)
}

// handOut returns the entries that changed since the last hand-out, as part of a write. They replace
// everything from the first of them on.
func (l *log) handOut(write Write) []Entry {
	last := l.last().Index
	entries := l.between(l.saved, last)
	if len(entries) > 0 {
		f := flight{write: write, last: last}
		for _, e := range entries {
			f.bytes += e.Size()
		}
		l.flights = append(l.flights, f)
		l.unsynced += f.bytes
		l.saved = last
	}
	return entries
}

// persisted notes that every write up to this one is on disk.
func (l *log) persisted(write Write) {
	done := 0
	for done < len(l.flights) && l.flights[done].write <= write {
		l.durable = max(l.durable, l.flights[done].last)
		l.unsynced -= l.flights[done].bytes
		done++
	}
	l.flights = slices.Delete(l.flights, 0, done)
}

func (l *log) clone() log {
	c := *l
	c.entries = slices.Clone(l.entries)
	c.flights = slices.Clone(l.flights)
	return c
}
