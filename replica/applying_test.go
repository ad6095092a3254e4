package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// TestWhatWaitsToBeAppliedStaysInOrder: whether it is gathered or lies where it was, and what of it a
// snapshot has made needless goes.
func TestWhatWaitsToBeAppliedStaysInOrder(t *testing.T) {
	for through := range raft.Index(2*manyToApply + 20) {
		if through%(manyToApply/4) > 12 {
			continue // only around the places where something changes
		}
		r, want := &Replica{}, []raft.Index(nil)
		for _, n := range []int{3, 2, manyToApply, 4, 3, manyToApply, 1} {
			entries := make([]raft.Entry, n)
			for i := range entries {
				entries[i].Index = raft.Index(len(want)) + 1
				want = append(want, entries[i].Index)
			}
			r.queue(slices.Clip(entries))
		}
		if rows := len(r.toApply); rows != 3 {
			t.Fatalf("gathered into %d", rows)
		}
		r.unqueue(through)
		var waits []raft.Index
		for _, row := range r.toApply {
			if len(row) == 0 {
				t.Fatalf("through %d: a row is empty", through)
			}
			for _, e := range row {
				waits = append(waits, e.Index)
			}
		}
		if !slices.Equal(waits, want[through:]) {
			t.Fatalf("through %d: %d entries wait, of %d", through, len(waits), len(want))
		}
	}
}

// TestALongRowIsAppliedAndWhatFollowsIt: each entry once, in order, also those that came while it was
// applied.
func TestALongRowIsAppliedAndWhatFollowsIt(t *testing.T) {
	b := hold(t, 3, &modelLog{}, func(c *Config) { c.MaxApplyBytes = 1 << 16 })
	want := 0
	for _, n := range []int{1, manyToApply + 5, 3, 2, manyToApply, 7} { // the first is in flight throughout
		terms := slices.Repeat([]raft.Term{1}, n)
		prev := raft.EntryID{}
		if want > 0 {
			prev = at(raft.Index(want), 1)
		}
		want += n
		b.do(b.from(2, appends(1, raft.Index(want), prev, terms...)))
		b.write()
	}
	b.settle()
	if got := idsOf(b.machine.applied); !slices.Equal(got,
		idsOf(entriesOf(1, slices.Repeat([]raft.Term{1}, want)...))) {
		t.Errorf("applied %d entries of %d, or in another order", len(got), want)
	}
}
