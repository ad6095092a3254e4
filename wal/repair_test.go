package wal

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// repairOn repairs the log on a disk as a new process.
func repairOn(m *disk.Memory, last raft.EntryID) ([]string, error) {
	m.Kill()
	dir, err := m.Open()
	if err != nil {
		return nil, err
	}
	aside, err := Repair(dir, small(), last)
	return aside, errors.Join(err, dir.Close())
}

// demandRepairing opens a log that was repaired, and looks at what it holds: nothing but what is known.
func demandRepairing(t *testing.T, m *disk.Memory, last raft.EntryID, above uint64) (*Log, Recovered) {
	t.Helper()
	l, r := mustBoot(t, m, small())
	state := raft.HardState{Term: last.Term}
	if !r.Repairing || r.Before != last || len(r.Entries) > 0 || r.State != state {
		t.Fatalf("recovered %+v, want a log that repairs itself behind %v", r, last)
	}
	if r.Start <= above || r.Identity.Incarnation != identity().Incarnation {
		t.Fatalf("start %d of incarnation %x, after start %d", r.Start, r.Identity.Incarnation, above)
	}
	return l, r
}

func TestRepairSetsTheLogAsideAndKeepsWhoItIs(t *testing.T) {
	for _, last := range []raft.EntryID{{}, {Term: 3, Index: 9}} {
		rotten, l := newRotten(t)
		ok(t, l.Close())
		before := map[string][]byte{}
		for _, name := range rotten.disk.Names() {
			before[name] = rotten.disk.Read(name)
		}
		earlier, err := inspect(rotten.disk)
		ok(t, err)
		rotten.disk.Flip(segmentName(2), 8*(segmentHeader+30))
		before[segmentName(2)] = rotten.disk.Read(segmentName(2))

		aside, err := repairOn(rotten.disk, last)
		ok(t, err)
		for _, name := range aside {
			old := name[strings.LastIndex(name, "-")+1:]
			if !bytes.Equal(rotten.disk.Read(name), before[old]) || before[old] == nil {
				t.Errorf("%s does not hold what %s held", name, old)
			}
			delete(before, old)
		}
		delete(before, firstCopy)
		delete(before, secondCopy)
		if names := rotten.disk.Names(); !slices.Contains(names, countPrefix+"1") {
			t.Errorf("the repair is not counted: %v", names)
		}
		if len(before) > 0 {
			t.Errorf("%d files were not set aside", len(before))
		}
		l, r := demandRepairing(t, rotten.disk, last, earlier.Start)
		if len(r.Peers) == 0 {
			t.Error("what good batches tell of peers was not kept")
		}
		ok(t, l.Close())
	}
}

// TestStartsRiseThroughRepairs: also when nothing can be read of what the log counted.
func TestStartsRiseThroughRepairs(t *testing.T) {
	rotten, l := newRotten(t)
	ok(t, l.Close())
	above := l.start
	for range 3 {
		for _, name := range rotten.disk.Names() {
			if _, is := parseSegmentName(name); is {
				rotten.disk.Zero(name, 0, 1<<20)
			}
		}
		_, err := repairOn(rotten.disk, raft.EntryID{})
		ok(t, err)
		l, r := demandRepairing(t, rotten.disk, raft.EntryID{}, above)
		above = r.Start
		ok(t, l.Close())
	}
}

// TestTheMarkLastsUntilItIsTakenBack: through starts, segments and releases.
func TestTheMarkLastsUntilItIsTakenBack(t *testing.T) {
	rotten, l := newRotten(t)
	ok(t, l.Close())
	_, err := repairOn(rotten.disk, raft.EntryID{})
	ok(t, err)
	for i := raft.Index(1); i <= 40; i++ {
		l, r := mustBoot(t, rotten.disk, small())
		if !r.Repairing {
			t.Fatalf("the mark was gone after %d entries", i-1)
		}
		ok(t, l.Append(&raft.HardState{Term: 1}, []raft.Entry{entry(1, i, 100)}))
		if i > 5 {
			ok(t, l.Release(i-5))
		}
		ok(t, l.Close())
	}
	l, _ = mustBoot(t, rotten.disk, small())
	ok(t, l.Append(&raft.HardState{Term: 2, Vote: 1}, nil))
	ok(t, l.Repaired())
	ok(t, l.Repaired())
	for i := raft.Index(41); i <= 60; i++ {
		ok(t, l.Append(nil, []raft.Entry{entry(2, i, 100)}))
	}
	ok(t, l.Close())
	want := raft.HardState{Term: 2, Vote: 1}
	if _, r := mustBoot(t, rotten.disk, small()); r.Repairing || r.State != want {
		t.Errorf("repairing %v with %+v after the mark was taken back", r.Repairing, r.State)
	}
}

// TestAPowerCutDuringRepair cuts the power in the middle of each operation, with any part of what is not
// synced kept. The next start finds the damage, or the mark; never a log that looks sound.
func TestAPowerCutDuringRepair(t *testing.T) {
	original, l := newRotten(t)
	ok(t, l.Close())
	bad := segmentName(l.segment - 1) // its end mark would be a torn batch, if the last segment went first
	mark := align(int64(extent(original.disk.Read(bad))), alignment) - endMark
	original.disk.Flip(bad, 8*mark)
	_, err := inspect(original.disk)
	fails(t, err, ErrCorrupt)
	done := false
	for at := 1; !done; at++ {
		for mask := range uint64(16) {
			m := original.disk.Clone()
			from := m.Calls()
			m.Intercept(func(c disk.Call) error {
				if c.Number == from+at {
					return disk.ErrPowerCut
				}
				return nil
			})
			_, err := repairOn(m, raft.EntryID{Term: 1, Index: 1})
			done = err == nil
			m.Intercept(nil)
			m.Crash(disk.KeepBits(mask))
			again := m.Clone()
			_, r, err := boot(again, small())
			switch {
			case err == nil && r.Repairing:
			case errors.Is(err, ErrCorrupt):
				_, err := repairOn(m, raft.EntryID{Term: 1, Index: 1})
				ok(t, err)
				l, _ := demandRepairing(t, m, raft.EntryID{Term: 1, Index: 1}, l.start)
				ok(t, l.Close())
			default:
				t.Fatalf("cut at operation %d, keeping %b: %v, repairing %v", at, mask, err, r.Repairing)
			}
			for _, name := range original.disk.Names() {
				n, is := parseSegmentName(name)
				content := original.disk.Read(segmentName(n))
				if is && !slices.ContainsFunc(m.Names(), func(name string) bool {
					return bytes.Equal(m.Read(name), content)
				}) {
					t.Fatalf("cut at operation %d, keeping %b: %s is gone", at, mask, name)
				}
			}
		}
	}
}

// TestWhatCannotBeRepaired names what Repair refuses, without a change on the disk.
func TestWhatCannotBeRepaired(t *testing.T) {
	tests := map[string]struct {
		spoil func(m *disk.Memory)
		want  error
	}{
		"both copies of the identity": {func(m *disk.Memory) {
			m.Flip(firstCopy, 100)
			m.Flip(secondCopy, 100)
		}, ErrCorrupt},
		"no identity": {func(m *disk.Memory) {
			m.Delete(firstCopy)
			m.Delete(secondCopy)
		}, ErrNotInitialized},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rotten, l := newRotten(t)
			ok(t, l.Close())
			test.spoil(rotten.disk)
			before := rotten.disk.Names()
			_, err := repairOn(rotten.disk, raft.EntryID{})
			fails(t, err, test.want)
			if after := rotten.disk.Names(); !slices.Equal(before, after) {
				t.Errorf("the files were %v, and are %v", before, after)
			}
		})
	}
}

// A start number that comes a second time would have answers to the earlier run taken for answers to this
// one: the floor of before the damage, for one (raft/repair.go). The files that a repair set aside may be
// gone, and the first batch of the only segment be what is damaged.
func TestStartNumbersRiseFromRepairToRepair(t *testing.T) {
	rotten, l := newRotten(t)
	ok(t, l.Close())
	rotten.disk.Flip(segmentName(2), 8*(segmentHeader+30))
	start := uint64(0)
	for range 3 {
		aside, err := repairOn(rotten.disk, raft.EntryID{})
		ok(t, err)
		dir, err := rotten.disk.Open()
		ok(t, err)
		for _, name := range aside {
			ok(t, dir.Remove(name))
		}
		ok(t, errors.Join(dir.Sync(), dir.Close()))
		l, r := demandRepairing(t, rotten.disk, raft.EntryID{}, start)
		start = r.Start
		ok(t, l.Close())
		rotten.disk.Flip(segmentName(1), 8*(segmentHeader+30))
	}
}

// A log that is lost without a trace, again and again, leaves nothing to be set aside, and tells no number:
// peers that have met the starts after the first repair would refuse those after the second for ever.
func TestStartNumbersRiseThoughTheLogIsLost(t *testing.T) {
	rotten, l := newRotten(t)
	ok(t, l.Close())
	above := l.start
	for range 3 {
		for _, name := range rotten.disk.Names() {
			if _, is := parseSegmentName(name); is {
				rotten.disk.Delete(name)
			}
		}
		_, err := repairOn(rotten.disk, raft.EntryID{})
		ok(t, err)
		l, r := demandRepairing(t, rotten.disk, raft.EntryID{}, above)
		above = r.Start
		ok(t, l.Close())
	}
	counts := slices.DeleteFunc(rotten.disk.Names(),
		func(name string) bool { return !strings.HasPrefix(name, countPrefix) })
	if !slices.Equal(counts, []string{countPrefix + "3"}) {
		t.Errorf("the repairs are counted by %v", counts)
	}
}
