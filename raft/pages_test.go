package raft

import (
	"runtime"
	"slices"
	"testing"
	"weak"

	"pgregory.net/rapid"
)

// TestPagesAreAsOneSlice compares with a slice that is copied at each step, and looks again at every view
// that was handed out on the way: none may ever change.
func TestPagesAreAsOneSlice(t *testing.T) {
	type view struct{ got, want []Entry }
	rapid.Check(t, func(t *rapid.T) {
		var p pages
		var want []Entry
		var views []view
		next := Index(0)
		some := func(label string) int {
			return rapid.OneOf(rapid.IntRange(0, 5), rapid.IntRange(0, 2*pageEntries)).Draw(t, label)
		}
		fresh := func(n int) (entries []Entry) {
			for range n {
				next++
				entries = append(entries, Entry{Index: next})
			}
			return entries
		}
		if rapid.Bool().Draw(t, "restored") {
			want = fresh(some("restored"))
			p = paged(slices.Clip(slices.Clone(want)))
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				more := fresh(some("appended"))
				p.append(more)
				want = append(slices.Clone(want), more...)
			case 2:
				n := max(0, len(want)-some("cut off"))
				p.keep(n)
				want = slices.Clone(want[:n])
			case 3:
				n := min(len(want), some("dropped"))
				p.drop(n)
				want = slices.Clone(want[n:])
			case 4: // what the one and the other do from now on is nothing to each other
				c, more := p.clone(), fresh(3)
				c.append(more)
				views = append(views, view{c.view(0, c.count), append(slices.Clone(want), more...)})
			}
			if p.count != len(want) {
				t.Fatalf("%d entries, want %d", p.count, len(want))
			}
			from := rapid.IntRange(0, len(want)).Draw(t, "from")
			to := rapid.IntRange(from, len(want)).Draw(t, "to")
			views = append(views, view{p.view(from, to), slices.Clone(want[from:to])})
			for _, v := range append(views, view{p.view(0, p.count), want}) {
				if !slices.EqualFunc(v.got, v.want, func(a, b Entry) bool { return a.Index == b.Index }) {
					t.Fatal("a view is not, or is no more, what it was")
				}
			}
			if n := len(want); n > 0 && p.at(n-1).Index != want[n-1].Index {
				t.Fatal("the last entry is another one")
			}
		}
	})
}

// A node that starts applies all of its log, many pages at a time: they lie in one array already.
func TestEntriesOfARestoredLogAreNotCopied(t *testing.T) {
	entries := make([]Entry, 3*pageEntries)
	p := paged(entries)
	if v := p.view(1, len(entries)-1); &v[0] != &entries[1] || cap(v) != len(v) {
		t.Error("what lies in one array is copied, or can be appended to")
	}
	p.keep(2 * pageEntries)
	p.append(make([]Entry, 1))
	if v := p.view(1, p.count); &v[0] == &entries[1] {
		t.Error("what was cut off is still there")
	}
}

// What is cut off a restored log of one page goes with it, once something else is appended.
func TestCutOffEntriesAreLetGo(t *testing.T) {
	entries := make([]Entry, 10)
	for i := range entries {
		entries[i].Command = make([]byte, 100)
	}
	last := weak.Make(&entries[9].Command[0])
	p := paged(entries)
	entries = nil
	p.keep(5)
	p.append(make([]Entry, 1))
	runtime.GC()
	if last.Value() != nil {
		t.Error("what was cut off is held")
	}
	runtime.KeepAlive(p)
}

// A page can hold gigabytes: what was dropped of it is let go of, and not only with the whole of it.
func TestDroppedEntriesAreLetGo(t *testing.T) {
	const many, dropped = 2*pageEntries + 10, pageEntries + 6
	for _, restored := range []bool{false, true} {
		var entries []Entry
		var commands []weak.Pointer[byte]
		for range many {
			command := make([]byte, 100)
			commands = append(commands, weak.Make(&command[0]))
			entries = append(entries, Entry{Command: command})
		}
		var p pages
		if restored {
			p = paged(entries)
		} else {
			p.append(entries)
		}
		entries = nil
		p.drop(dropped)
		runtime.GC()
		for i, c := range commands {
			if held := c.Value() != nil; held != (i >= dropped) {
				t.Fatalf("restored %v: entry %d is held: %v, of which the first %d were dropped", restored, i,
					held, dropped)
			}
		}
		runtime.KeepAlive(p)
	}
}

// TestALongLogIsAppliedWithoutACopy: a server that starts hands out the entries that it finds as they lie,
// and those behind them with the next Output. To gather all would take a tenth of a second, in which it
// hears nobody. A short log is handed out with what follows.
func TestALongLogIsAppliedWithoutACopy(t *testing.T) {
	for _, found := range []int{3 * pageEntries, 10} {
		entries := make([]Entry, found)
		for i := range entries {
			entries[i] = Entry{Term: 1, Index: Index(i) + 1, Kind: Normal}
		}
		c, err := New(Config{ID: 2, NoPreVote: true},
			Restored{Members: three(), HardState: HardState{Term: 1}, Entries: entries})
		if err != nil {
			t.Fatal(err)
		}
		last := entries[found-1].ID()
		more := []Entry{{Term: 1, Index: last.Index + 1, Kind: Normal}}
		c.Step(0, Receive{From: 1, Sequence: 1, Message: AppendEntries{Term: 1, Prev: last, Entries: more}})
		c.Step(0, Persisted{Write: c.Output().Write})
		c.Step(0, Receive{From: 1, Sequence: 2,
			Message: AppendEntries{Term: 1, Prev: more[0].ID(), Commit: more[0].Index}})
		first, next := c.Output(), c.Output()
		copied := &first.Committed[0] != &entries[0]
		if found > pageEntries && (copied || len(first.Committed) != found || len(next.Committed) != 1) ||
			len(first.Committed)+len(next.Committed) != found+1 {
			t.Errorf("of %d and one, %d are handed out (copied: %v), then %d", found, len(first.Committed),
				copied, len(next.Committed))
		}
		c.Audit()
	}
}
