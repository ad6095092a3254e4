package raft

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// logOfTerms makes a log whose entries have these terms, all of it on disk.
func logOfTerms(terms ...Term) log {
	var entries []Entry
	for i, term := range terms {
		entries = append(entries, Entry{Term: term, Index: Index(i + 1), Kind: Normal})
	}
	return newLog(Restored{Entries: entries})
}

func TestAtLeast(t *testing.T) {
	tests := []struct {
		claim string
		a, b  EntryID
		want  bool
	}{
		{"a log is at least as up-to-date as itself", EntryID{2, 5}, EntryID{2, 5}, true},
		{"in one term the longer log wins", EntryID{2, 6}, EntryID{2, 5}, true},
		{"in one term the shorter log loses", EntryID{2, 4}, EntryID{2, 5}, false},
		{"the later term wins, however short its log", EntryID{3, 1}, EntryID{2, 9}, true},
		{"the earlier term loses, however long its log", EntryID{2, 9}, EntryID{3, 1}, false},
		{"any log wins over the empty one", EntryID{1, 1}, EntryID{}, true},
		{"the empty log loses", EntryID{}, EntryID{1, 1}, false},
		{"two empty logs", EntryID{}, EntryID{}, true},
	}
	for _, test := range tests {
		if got := test.a.AtLeast(test.b); got != test.want {
			t.Errorf("%s: %v.AtLeast(%v) is %v", test.claim, test.a, test.b, got)
		}
	}
}

// TestAgreementNeverSkipsTheTrueAgreement makes two logs that share a beginning, and plays the conversation
// of a leader and a follower from any Prev: it must end at the last common entry, with one rejection at
// most for each diverging term.
func TestAgreementNeverSkipsTheTrueAgreement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leader, follower, common := twoLogs(t)
		prev := leader.last().Index
		rejections := 0
		for !follower.holds(leader.id(prev)) {
			hint := follower.agreement(leader.id(prev))
			next := min(leader.agreement(hint).Index, prev-1)
			if next < common {
				t.Fatalf("from %d, by the hint %v, to %d: the logs agree up to %d", prev, hint, next, common)
			}
			prev = next
			rejections++
		}
		if prev != common && follower.holds(leader.id(prev+1)) && prev < leader.last().Index {
			t.Fatalf("agreed at %d, although the logs agree up to %d", prev, common)
		}
		if most := divergingTerms(leader, common) + divergingTerms(follower, common) + 1; rejections > most {
			t.Fatalf("%d rejections, at most %d diverging terms", rejections, most)
		}
	})
}

// twoLogs draws logs as Raft makes them: the same entry ID means the same history. After the common
// beginning the terms of the two are disjoint at each index.
func twoLogs(t *rapid.T) (leader, follower log, common Index) {
	beginning := rapid.SliceOfN(rapid.IntRange(0, 1), 0, 6).Draw(t, "common")
	var terms []Term
	term := Term(1)
	for _, step := range beginning {
		term += Term(step)
		terms = append(terms, term)
	}
	grow := func(name string, odd Term) []Term {
		own, now := append([]Term{}, terms...), term
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 2), 0, 12).Draw(t, name) {
			now += Term(step)
			if now%2 != odd || now <= term {
				now = max(now, term) + 1
				now += (now + odd) % 2
			}
			own = append(own, now)
		}
		return own
	}
	return logOfTerms(grow("leader", 0)...), logOfTerms(grow("follower", 1)...), Index(len(terms))
}

// divergingTerms counts the terms in a log after an index.
func divergingTerms(l log, after Index) (n int) {
	before := Term(0)
	for _, e := range l.between(after, l.last().Index) {
		if e.Term != before {
			n++
		}
		before = e.Term
	}
	return n
}

// TestAgreementIsTheLastEntryOfNoHigherTerm compares with the definition.
func TestAgreementIsTheLastEntryOfNoHigherTerm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, l, _ := twoLogs(t)
		term, index := rapid.IntRange(0, 12).Draw(t, "term"), rapid.IntRange(0, 25).Draw(t, "index")
		id := EntryID{Term: Term(term), Index: Index(index)}
		want := EntryID{}
		for _, e := range l.between(0, l.last().Index) {
			if e.Index <= id.Index && e.Term <= id.Term {
				want = e.ID()
			}
		}
		if got := l.agreement(id); got != want {
			t.Fatalf("the agreement of %v with %v is %v, want %v", l.entries, id, got, want)
		}
	})
}

func TestFirstNew(t *testing.T) {
	l := logOfTerms(1, 1, 2, 2)
	tests := []struct {
		claim    string
		from     Index
		terms    []Term
		skip     int
		conflict bool
	}{
		{"everything is there", 2, []Term{1, 2}, 2, false},
		{"nothing at all", 3, nil, 0, false},
		{"new at the end", 4, []Term{2, 3}, 1, false},
		{"right behind the end", 5, []Term{3}, 0, false},
		{"a conflict at once", 3, []Term{3}, 0, true},
		{"a conflict after what is there", 2, []Term{1, 3, 3}, 1, true},
	}
	for _, test := range tests {
		var entries []Entry
		for i, term := range test.terms {
			entries = append(entries, Entry{Term: term, Index: test.from + Index(i), Kind: Normal})
		}
		if skip, conflict := l.firstNew(entries); skip != test.skip || conflict != test.conflict {
			t.Errorf("%s: skip %d, conflict %v", test.claim, skip, conflict)
		}
	}
}

// TestAfterTakesWhatFits: as many entries as fit, and always one.
func TestAfterTakesWhatFits(t *testing.T) {
	l := logOfTerms(1, 1, 1, 1)
	const one = entryOverhead
	for limit, want := range map[int]int{1: 1, one: 1, 2*one - 1: 1, 2 * one: 2, 1 << 20: 3} {
		if got := l.after(1, limit); len(got) != want || got[0].Index != 2 {
			t.Errorf("%d bytes after index 1: %d entries, want %d", limit, len(got), want)
		}
	}
	if got := l.after(4, 1); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
}

// TestTruncationLeavesWritesInFlightAlone: what was handed out is never overwritten in place, or a write on
// its way to the disk would write other entries than it was given.
func TestTruncationLeavesWritesInFlightAlone(t *testing.T) {
	l := logOfTerms()
	for i := range Index(6) {
		l.append(Entry{Term: 1, Index: i + 1, Kind: Normal})
	}
	inFlight := l.handOut(1)
	sent := l.after(2, 1<<20)
	l.truncate(3)
	l.append(Entry{Term: 2, Index: 3, Kind: NoOp}, Entry{Term: 2, Index: 4, Kind: NoOp})
	for _, handed := range [][]Entry{inFlight, sent} {
		for _, e := range handed {
			if e.Term != 1 {
				t.Fatalf("an entry that was handed out became %v", e.ID())
			}
		}
	}
	if got := fmt.Sprint(l.handOut(2)[0].ID(), l.durable, l.saved); got != "3/t2 0 4" {
		t.Errorf("the second write begins, and durable and saved are: %s", got)
	}
	l.persisted(1)
	if l.durable != 2 {
		t.Errorf("the first write makes %d entries durable, want the 2 that were not truncated", l.durable)
	}
	l.persisted(2)
	if l.durable != 4 {
		t.Errorf("the second write makes %d entries durable, want 4", l.durable)
	}
}

// TestAppendingExtendsNoView: entries that were handed out or sent end where they ended.
func TestAppendingExtendsNoView(t *testing.T) {
	l := logOfTerms()
	l.append(Entry{Term: 1, Index: 1, Kind: Normal}, Entry{Term: 1, Index: 2, Kind: Normal})
	view := l.between(0, 1)
	_ = append(view, Entry{Term: 9, Index: 2, Kind: Normal})
	if l.id(2).Term != 1 {
		t.Error("appending to a view changed the log")
	}
}
