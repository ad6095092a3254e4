package wal

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// TestARecoveredChainIsTheSameHoweverItIsRead: what a start notes of each segment, by which segments are
// released later, does not depend on whether the entries themselves are kept.
func TestARecoveredChainIsTheSameHoweverItIsRead(t *testing.T) {
	recovered := func(m *disk.Memory, lean bool) *recovery {
		m.Kill()
		dir, err := m.Open()
		ok(t, err)
		r := newRecovery(dir, func(Piece) error { return nil })
		r.lean = lean
		ok(t, r.read())
		ok(t, dir.Close())
		return r
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		m, o := disk.NewMemory(), small()
		o.SegmentBytes = int64(512 << random.IntN(4))
		l, _ := mustBoot(t, m, o)
		var c contents
		for range 60 {
			s := draw(random, c)
			if s.append(l) != nil {
				break
			}
			c = c.after(s)
			kept, lean := recovered(m, false), recovered(m, true)
			if !c.equal(kept.Recovered) || !reflect.DeepEqual(kept.chain.spans, lean.chain.spans) {
				t.Fatalf("seed %d: %+v when entries are kept, %+v when not", seed, kept.chain.spans,
					lean.chain.spans)
			}
			l, _ = mustBoot(t, m, o)
		}
	}
}

// TestAReplacementPastTheEndIsFoundAgain: a batch that replaces entries and reaches further than they did is
// what its segment is kept for, also by a log that was opened since.
func TestAReplacementPastTheEndIsFoundAgain(t *testing.T) {
	m, o := disk.NewMemory(), small()
	o.SegmentBytes = 2048
	l, _ := mustBoot(t, m, o)
	var c contents
	one := func(term raft.Term, size int) {
		c = must(t, l, c, step{entries: []raft.Entry{entry(term, c.last()+1, size)}})
	}
	for l.segment < 3 {
		one(1, 60)
	}
	for range 6 { // a follower whose last entry is replaced again and again
		c = must(t, l, c, step{entries: []raft.Entry{entry(1, c.last(), 0)}})
	}
	one(1, 0)
	first := l.chain.spans[2].join.Index - 2 // in the segment before
	var replacing []raft.Entry
	for i := first; i <= c.last()+1; i++ {
		replacing = append(replacing, entry(2, i, 0))
	}
	c = must(t, l, c, step{entries: replacing})
	c = must(t, l, c, step{release: first - 1})
	for segment := l.segment; l.segment == segment; {
		one(2, 100)
	}
	l, _ = mustBoot(t, m, o)
	c = must(t, l, c, step{release: first})
	m.Kill()
	if _, r, err := boot(m, o); err != nil || !c.equal(r) {
		t.Fatalf("recovered %v, %v\nwant %v", held(r), err, c)
	}
}
