package raft

import "slices"

// log is a server's log in memory, together with what is known of its copy on disk. It begins behind base,
// which is the last entry that the newest snapshot includes, or lies below it: some entries trail behind the
// snapshot for followers that are a little behind.
//
//	base  the snapshot's last   durable         saved           last
//	 │             │               │              │               │
//	 ▼             ▼               ▼              ▼               ▼
//	 ┤ trailing    │ entries on disk │ being written │ not handed out │
type log struct {
	base     EntryID // what lies before entries[0]; zero before the first compaction
	baseTime Time    // its log time; 0 when unknown, which it is only as long as entries follow
	entries  pages
	saved    Index   // everything up to it was handed out to be written; lowered by truncation
	durable  Index   // everything up to it in the *current* log is on disk, there or in a snapshot
	restart  EntryID // to be handed out: the log on disk begins anew behind it; zero: it goes on
	flights  []flight
	unsynced int // bytes of entries in flight
	bytes    int // of the entries behind the newest snapshot
}

// flight is a write of entries that was handed out and is not acknowledged yet. last is lowered when the
// entries it wrote are truncated: its acknowledgement then says nothing about what replaced them.
type flight struct {
	write Write
	last  Index
	bytes int
}

// newLog makes the log of what was found on disk. When it does not hold the snapshot's last entry (it is too
// short, or another entry stands there), what follows that entry is not in it: all of it is dropped, and the
// disk is told so.
func newLog(r Restored) log {
	l := log{base: r.Before, entries: paged(r.Entries)}
	l.saved = l.last().Index
	l.durable = l.saved
	if s := r.Snapshot; !l.holds(s.Last) {
		l.begin(s)
	} else if l.base == s.Last {
		l.baseTime = s.Time
	}
	l.bytes = l.size(r.Snapshot.Last.Index, l.last().Index)
	return l
}

// begin drops everything, and begins anew behind the last entry of a snapshot that is durable. The
// acknowledgements of writes in flight say nothing of what is written from now on.
func (l *log) begin(s Snapshot) {
	l.base, l.baseTime, l.entries, l.bytes = s.Last, s.Time, pages{}, 0
	for i := range l.flights {
		l.flights[i].last = 0
	}
	l.restartBehind(s.Last)
}

// restartBehind has the log on disk begin anew behind an entry that a durable snapshot includes. What follows
// it here is handed out once more.
func (l *log) restartBehind(last EntryID) {
	l.restart, l.saved, l.durable = last, last.Index, last.Index
}

// compact drops from memory the entries up to and including one index.
func (l *log) compact(through Index) {
	if through <= l.base.Index {
		return
	}
	e := *l.at(through)
	l.entries.drop(int(through - l.base.Index))
	l.base, l.baseTime = e.ID(), e.Time
}

func (l *log) last() EntryID {
	if l.entries.count == 0 {
		return l.base
	}
	return l.entries.at(l.entries.count - 1).ID()
}

// lastTime returns the log time of the last entry, 0 when there never was one.
func (l *log) lastTime() Time {
	if l.entries.count == 0 {
		return l.baseTime
	}
	return l.entries.at(l.entries.count - 1).Time
}

// term returns the term of the entry at index, and whether the log knows it.
func (l *log) term(index Index) (Term, bool) {
	if index == l.base.Index {
		return l.base.Term, true
	}
	if index < l.base.Index || index > l.last().Index {
		return 0, false
	}
	return l.at(index).Term, true
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
	return l.entries.view(int(after-l.base.Index), int(through-l.base.Index))
}

// next returns the first of those entries, at least one if there is one, without a copy of many.
func (l *log) next(after, through Index) []Entry {
	return l.entries.together(int(after-l.base.Index), int(through-l.base.Index))
}

// at returns the entry at an index, which the log must hold. It must not be written to.
func (l *log) at(index Index) *Entry { return l.entries.at(int(index - l.base.Index - 1)) }

// size returns the bytes of the entries after one index up to and including another.
func (l *log) size(after, through Index) (size int) {
	for i := after + 1; i <= through; i++ {
		size += l.at(i).Size()
	}
	return size
}

// after returns the entries that follow an index, as many as fit into a number of bytes, but at least one
// if there is one: an entry larger than the limit must still get through.
func (l *log) after(index Index, maxBytes int) []Entry {
	last, size := l.last().Index, 0
	for i := index + 1; i <= last; i++ {
		if size += l.at(i).Size(); size > maxBytes && i > index+1 {
			return l.between(index, i-1)
		}
	}
	return l.between(index, last)
}

func (l *log) append(entries ...Entry) {
	l.entries.append(entries)
	l.bytes += sizeOf(entries)
}

// sizeOf returns the bytes for which entries count against every budget.
func sizeOf(entries []Entry) (size int) {
	for _, e := range entries {
		size += e.Size()
	}
	return size
}

// truncate drops the entry at index and all that follow.
func (l *log) truncate(index Index) {
	last := index - 1
	l.bytes -= l.size(last, l.last().Index) // a snapshot includes nothing that can be truncated
	l.entries.keep(int(last - l.base.Index))
	l.saved = min(l.saved, last)
	l.durable = min(l.durable, last)
	for i := range l.flights {
		l.flights[i].last = min(l.flights[i].last, last)
	}
}

// firstNew returns how many of the entries the log already holds, and whether the next of them contradicts
// one of ours. Skipping what is there is what makes AppendEntries idempotent: a delayed, shorter one must
// not cut off what a later one brought (§5.3). What lies below our base was committed, and is held by the
// snapshot.
func (l *log) firstNew(entries []Entry) (skip int, conflict bool) {
	for i, e := range entries {
		if e.Index < l.base.Index {
			continue
		}
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
	for index > l.base.Index {
		if term, _ := l.term(index); term <= id.Term {
			break
		}
		index--
	}
	if index <= l.base.Index {
		return l.base
	}
	return l.id(index)
}

// handOut returns the entries that changed since the last hand-out, as part of a write. They replace
// everything from the first of them on.
func (l *log) handOut(write Write) []Entry {
	last := l.last().Index
	entries := l.between(l.saved, last)
	if len(entries) > 0 {
		f := flight{write: write, last: last, bytes: sizeOf(entries)}
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
	c.entries = l.entries.clone()
	c.flights = slices.Clone(l.flights)
	return c
}
