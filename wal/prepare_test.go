package wal

import (
	"errors"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// prepared takes every step of a preparation.
func prepared(t testing.TB, l *Log) *Preparation {
	t.Helper()
	p := l.Prepare()
	if p == nil {
		t.Fatal("there is nothing to prepare")
	}
	for done := false; !done; {
		var err error
		done, err = p.Step()
		ok(t, err)
	}
	return p
}

// filled returns a log of which so much of the last segment is used that the next one may be prepared.
func filled(t testing.TB, segmentBytes int64) (*disk.Memory, *Log) {
	t.Helper()
	m := disk.NewMemory()
	l, _ := mustBoot(t, m, Options{Identity: identity(), SegmentBytes: segmentBytes})
	ok(t, l.Append(nil, []raft.Entry{entry(1, 1, int(l.size/preparedFrom))}))
	return m, l
}

// roll appends until the log goes on in a new segment.
func roll(t testing.TB, l *Log) {
	t.Helper()
	for segment := l.segment; l.segment == segment; {
		ok(t, l.Append(nil, []raft.Entry{entry(1, l.outline.last+1, int(l.size/4))}))
	}
}

// A first start writes one small segment, filled; an idle log prepares nothing; and segments double.
func TestSegmentsGrow(t *testing.T) {
	m := disk.NewMemory()
	l, _ := mustBoot(t, m, Options{Identity: identity()})
	if l.size != FirstSegmentBytes || m.Used() > FirstSegmentBytes+2*4096 || m.Used() < FirstSegmentBytes {
		t.Fatalf("a first segment of %d bytes takes %d bytes of the disk", l.size, m.Used())
	}
	if l.Prepare() != nil {
		t.Fatal("an idle log prepares a segment")
	}
	for _, want := range []int64{2 << 20, 4 << 20, 8 << 20} {
		roll(t, l)
		if l.size != want {
			t.Fatalf("segment %d has %d bytes, want %d", l.segment, l.size, want)
		}
	}
	l, _ = mustBoot(t, m, Options{Identity: identity(), SegmentBytes: 1 << 20})
	roll(t, l) // with an entry that has a segment to itself
	roll(t, l)
	if l.size != 1<<20 {
		t.Fatalf("segments of at most %d bytes have %d", 1<<20, l.size)
	}
}

// A prepared segment is used: going on in it takes no Create, and appends into it find every page there.
func TestAPreparedSegmentIsUsed(t *testing.T) {
	m, l := filled(t, 1<<20)
	p := prepared(t, l)
	if l.Prepare() != nil {
		t.Fatal("two preparations at once")
	}
	l.Adopt(p)
	if l.Prepare() != nil {
		t.Fatal("a segment is prepared though one is ready")
	}
	used, created := m.Used(), 0
	m.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpCreate {
			created++
		}
		return nil
	})
	roll(t, l)
	if created != 0 || m.Used() != used {
		t.Errorf("%d files were created, and %d bytes taken", created, m.Used()-used)
	}
	if slices.Contains(m.Names(), spareName) {
		t.Errorf("there are %v", m.Names())
	}
	m.Crash(disk.KeepNone)
	_, r := mustBoot(t, m, small())
	if last := r.Entries[len(r.Entries)-1].Index; last != l.outline.last {
		t.Errorf("recovered %d entries of %d", last, l.outline.last)
	}
}

// Appends that come to the end first make their segment themselves, and the preparation serves a later one.
// One that is too small for a batch is kept for the next.
func TestAppendsOutrunAPreparation(t *testing.T) {
	m, l := filled(t, 4<<20)
	p := l.Prepare()
	for range 3 {
		roll(t, l)
		done, err := p.Step()
		ok(t, err)
		if done {
			t.Fatal("a segment of 2 MiB was filled in a few steps")
		}
	}
	for done := false; !done; {
		done, _ = p.Step()
	}
	l.Adopt(p)
	ok(t, l.Append(nil, []raft.Entry{entry(1, l.outline.last+1, 5<<20)}))
	if l.next.ready == nil {
		t.Fatal("a segment of 2 MiB was used for a batch of 5")
	}
	roll(t, l)
	if l.next.ready != nil || l.size != p.size {
		t.Fatalf("the prepared segment was not used: %v", m.Names())
	}
	m.Crash(disk.KeepNone)
	_, r := mustBoot(t, m, small())
	if last := r.Entries[len(r.Entries)-1].Index; last != l.outline.last {
		t.Errorf("recovered %d entries of %d", last, l.outline.last)
	}
}

// A preparation that fails gives its space back, is not tried again in the same segment, and costs the log
// nothing.
func TestAFailedPreparation(t *testing.T) {
	for _, op := range []disk.Operation{disk.OpCreate, disk.OpWrite, disk.OpSync} {
		m, l := filled(t, 1<<20)
		used := m.Used()
		p := l.Prepare()
		m.Intercept(func(c disk.Call) error {
			if c.Operation == op {
				return errBroken
			}
			return nil
		})
		done, err := p.Step()
		if _, again := p.Step(); !done || !errors.Is(err, errBroken) || again != err {
			t.Errorf("%v failed: %v, %v, then %v", op, done, err, again)
		}
		m.Intercept(nil)
		l.Adopt(p)
		if m.Used() != used || slices.Contains(m.Names(), spareName) {
			t.Errorf("%v failed, and there are %v", op, m.Names())
		}
		if l.Prepare() != nil {
			t.Errorf("%v failed, and it is tried again at once", op)
		}
		roll(t, l)
		l.Adopt(prepared(t, l))
		roll(t, l)
	}
}

// What was given up, or not used before the end, is gone: at once, or with the next start.
func TestAnUnusedPreparation(t *testing.T) {
	m, l := filled(t, 1<<20)
	p := l.Prepare()
	_, err := p.Step()
	ok(t, err)
	l.Adopt(p)
	if slices.Contains(m.Names(), spareName) {
		t.Errorf("given up, and there are %v", m.Names())
	}
	roll(t, l)
	l.Adopt(prepared(t, l))
	ok(t, l.Close())
	if l, _ := mustBoot(t, m, small()); l.next.ready != nil || slices.Contains(m.Names(), spareName) {
		t.Errorf("after a start there are %v", m.Names())
	}
}

// A log on which something failed prepares nothing, and seals nothing.
func TestAFailedLogIsLeftAlone(t *testing.T) {
	m, l := filled(t, 1<<20)
	m.Intercept(func(disk.Call) error { return errBroken })
	err := l.Seal()
	fails(t, err, errBroken)
	m.Intercept(nil)
	if again := l.Seal(); again != err {
		t.Errorf("the first error was %v, the next seal says %v", err, again)
	}
	if again := l.Append(nil, []raft.Entry{entry(1, 2, 1)}); again != err {
		t.Errorf("the first error was %v, the next append says %v", err, again)
	}
	if l.Prepare() != nil {
		t.Error("a failed log prepares a segment")
	}
	ok(t, l.Close())
}

// Each segment tells everything that was met, so that those before it can go one day.
func TestEverySegmentRepeatsThePeers(t *testing.T) {
	m, l := filled(t, MinSegmentBytes)
	met := []raft.Acquaintance{{Node: 1, Incarnation: 5, Start: 6}, {Node: 3, Incarnation: 7, Start: 8}}
	ok(t, l.Append(nil, nil, met[0]))
	ok(t, l.Append(nil, nil, met[1]))
	for range 5 {
		roll(t, l)
		image := m.Read(segmentName(l.segment))
		b, err := decode(image[segmentHeader:][:l.offset-segmentHeader], nil)
		ok(t, err)
		if !slices.Equal(b.peers, met) || b.state == nil || b.start != 1 {
			t.Fatalf("segment %d begins with %+v", l.segment, b)
		}
	}
}
