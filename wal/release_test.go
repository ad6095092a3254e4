package wal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// begins makes a log of entries of 60 bytes, a few to a segment.
func begins(t testing.TB, entries raft.Index) (*disk.Memory, *Log, contents) {
	t.Helper()
	m := disk.NewMemory()
	l, _ := mustBoot(t, m, small())
	var c contents
	for i := raft.Index(1); i <= entries; i++ {
		s := step{entries: []raft.Entry{entry(raft.Term(1+i/7), i, 60)}}
		ok(t, s.append(l))
		c = c.after(s)
	}
	return m, l, c
}

func must(t testing.TB, l *Log, c contents, s step) contents {
	t.Helper()
	ok(t, s.append(l))
	return c.after(s)
}

func segmentsOf(m *disk.Memory) (found []uint64) {
	for _, name := range m.Names() {
		if n, ok := parseSegmentName(name); ok {
			found = append(found, n)
		}
	}
	return found
}

// temporary counts the files under temporary names.
func temporary(m *disk.Memory) (n int) {
	for _, name := range m.Names() {
		if strings.HasSuffix(name, temporarySuffix) {
			n++
		}
	}
	return n
}

// Whatever is released, the log gives back what lies behind it and the entry before that, and keeps no
// segment that holds nothing else.
func TestReleaseThroughEachEntry(t *testing.T) {
	const all = 40
	for through := raft.Index(1); through <= all; through++ {
		m, l, c := begins(t, all)
		spans := slices.Clone(l.chain.spans)
		c = must(t, l, c, step{release: through})
		first := spans[0].segment
		for _, s := range spans {
			if s.first != 0 && s.first <= through+1 {
				first = s.segment
			}
		}
		if found := segmentsOf(m); found[0] != first {
			t.Fatalf("released through %d of %+v: segments %v", through, spans, found)
		}
		m.Crash(disk.KeepNone)
		l, r := mustBoot(t, m, small())
		if !c.equal(r) || r.Before.Index != through {
			t.Fatalf("recovered %v\nwant %v", held(r), c)
		}
		c = must(t, l, c, step{entries: []raft.Entry{entry(9, c.last()+1, 300)}})
		m.Crash(disk.KeepNone)
		if _, r = mustBoot(t, m, small()); !c.equal(r) {
			t.Fatalf("recovered %v\nwant %v", held(r), c)
		}
	}
}

// Entries in segments that are kept may have replaced ones in segments that went: what their segment was
// begun behind is not what they stand behind.
func TestAReplacementReachesIntoAReleasedSegment(t *testing.T) {
	for from := raft.Index(2); from <= 10; from++ {
		for through := raft.Index(1); through <= 10; through++ {
			m, l, c := begins(t, 10)
			segment := l.segment
			replacement := []raft.Entry{entry(5, from, 200), entry(6, from+1, 200), entry(6, from+2, 200)}
			c = must(t, l, c, step{entries: replacement})
			if l.segment == segment {
				t.Fatal("the replacement stands in the same segment")
			}
			c = must(t, l, c, step{entries: []raft.Entry{entry(6, from+3, 300)}})
			c = must(t, l, c, step{release: min(through, c.last())})
			m.Crash(disk.KeepNone)
			if _, r := mustBoot(t, m, small()); !c.equal(r) {
				t.Fatalf("from %d, through %d: recovered %v\nwant %v", from, through, held(r), c)
			}
		}
	}
}

// A restart drops everything, wherever the log ended, and is not undone by what stood there.
func TestRestart(t *testing.T) {
	for _, last := range []raft.EntryID{{Term: 3, Index: 5}, {Term: 3, Index: 20}, {Term: 8, Index: 1000}} {
		m, l, c := begins(t, 20)
		c = must(t, l, c, step{state: &raft.HardState{Term: 9, Vote: 2},
			peers: []raft.Acquaintance{{Node: 3, Incarnation: 4, Start: 5}}})
		c = must(t, l, c, step{restart: &last})
		if found := segmentsOf(m); found[0] < l.segment-1 {
			t.Fatalf("behind %v: segments %v are left", last, found)
		}
		for i := last.Index + 1; i < last.Index+30; i++ {
			m.Crash(disk.KeepNone)
			var r Recovered
			if l, r = mustBoot(t, m, small()); !c.equal(r) {
				t.Fatalf("recovered %v\nwant %v", held(r), c)
			}
			c = must(t, l, c, step{entries: []raft.Entry{entry(9, i, 100)}})
		}
	}
}

// What no log can do is refused before anything is written, and ends it.
func TestInvalidReleasesAndRestarts(t *testing.T) {
	id := func(term raft.Term, index raft.Index) *raft.EntryID {
		return &raft.EntryID{Term: term, Index: index}
	}
	for what, s := range map[string]step{
		"a release of what is not there":   {release: 21},
		"a restart behind nothing":         {restart: id(0, 0)},
		"a restart without a term":         {restart: id(0, 20)},
		"a restart behind what is gone":    {restart: id(3, 9)},
		"a restart in a term of the past":  {restart: id(1, 30)},
		"an entry in place of one gone":    {entries: []raft.Entry{entry(9, 10, 1)}},
		"entries from before the release":  {entries: []raft.Entry{entry(9, 9, 1), entry(9, 10, 1)}},
		"an entry older than the base":     {entries: []raft.Entry{entry(1, 11, 1)}},
		"a gap behind where the log ended": {entries: []raft.Entry{entry(9, 22, 1)}},
	} {
		m, l, c := begins(t, 20)
		c = must(t, l, c, step{release: 10})
		calls := m.Calls()
		err := s.append(l)
		if !errors.Is(err, ErrInvalid) || m.Calls() != calls {
			t.Errorf("%s: %v, after %d calls", what, err, m.Calls()-calls)
		}
		for _, again := range []error{l.Append(nil, nil), l.Release(12), l.Restart(*id(9, 99)), l.Seal()} {
			if again != err {
				t.Errorf("%s: the first error was %v, then %v", what, err, again)
			}
		}
		if r, err := inspect(m); err != nil || !c.equal(r) {
			t.Errorf("%s: recovered %v (%v)", what, held(r), err)
		}
	}
}

// What was released before is released: nothing is written.
func TestAReleaseOfThePast(t *testing.T) {
	m, l, c := begins(t, 20)
	c = must(t, l, c, step{release: 10})
	calls := m.Calls()
	for _, through := range []raft.Index{0, 1, 9, 10} {
		ok(t, l.Release(through))
	}
	if m.Calls() != calls {
		t.Error("something was written")
	}
	if r, err := inspect(m); err != nil || !c.equal(r) {
		t.Errorf("recovered %v (%v)", held(r), err)
	}
}

// Of the segments before the base, any may be left by a power cut, with any content: they are neither read
// nor missed, and the next start removes them. Of those from there on none may be missing.
func TestWhichSegmentsMayBeMissing(t *testing.T) {
	before, l, _ := begins(t, 40)
	first := before.Clone()
	ok(t, l.Release(12)) // an older word about the beginning, which must not count any more
	old := l.chain.base.segment
	ok(t, l.Append(nil, []raft.Entry{entry(9, 41, 500), entry(9, 42, 500)}))
	ok(t, l.Release(25))
	base, last := l.chain.base.segment, l.segment
	if old < 3 || base < old+2 || last < base+2 {
		t.Fatalf("the log began in segment %d, then in %d, and ends in %d", old, base, last)
	}
	want, err := inspect(before)
	ok(t, err)
	for mask := range uint64(1) << (base - 1) {
		m := before.Clone()
		for n := uint64(1); n < base; n++ {
			content := first.Read(segmentName(n))
			if n%3 == 0 {
				content = bytes.Repeat([]byte{0xa5}, int(n)) // used again, and half overwritten
			}
			if mask>>(n-1)&1 == 1 {
				m.Plant(segmentName(n), content)
			}
		}
		m.Intercept(func(c disk.Call) error {
			if n, segment := parseSegmentName(c.Name); segment && n < base && c.Operation != disk.OpRemove {
				t.Errorf("%v %s, though the log begins in segment %d", c.Operation, c.Name, base)
			}
			return nil
		})
		_, r := mustBoot(t, m, small())
		if !held(want).equal(r) || segmentsOf(m)[0] != base {
			t.Fatalf("recovered %v from %v", held(r), segmentsOf(m))
		}
	}
	for n := base; n <= last; n++ {
		m := before.Clone()
		m.Delete(segmentName(n))
		_, err := inspect(m)
		fails(t, err, ErrCorrupt)
		for older := uint64(1); older < base; older++ { // also when all others are there
			m.Plant(segmentName(older), first.Read(segmentName(older)))
		}
		_, err = inspect(m)
		fails(t, err, ErrCorrupt)
	}
}

// A log to which entries come for ever, and go, takes a bounded part of the disk, and in the long run makes
// no new files.
func TestTheDirectoryStaysBounded(t *testing.T) {
	const size, kept = 16 << 10, 100
	m := disk.NewMemory()
	l, _ := mustBoot(t, m, Options{Identity: identity(), SegmentBytes: size})
	dice, last := rand.New(rand.NewPCG(1, 2)), raft.Index(0)
	var most, bytesOnDisk int64
	created, names := 0, 0
	for range 20_000 {
		ok(t, l.Append(nil, entriesOf(last+1, 1+dice.IntN(5), dice.IntN(400))))
		last = l.outline.last
		if p := l.Prepare(); p != nil {
			_, err := p.Step()
			ok(t, err)
			l.Adopt(p)
		}
		if last > l.outline.released+3*kept {
			ok(t, l.Release(last-kept))
		}
		most, bytesOnDisk = max(most, m.Used()), max(bytesOnDisk, l.Bytes())
		names = max(names, len(m.Names()))
		if created == 0 && last > 10*kept {
			created = 1
			m.Intercept(func(c disk.Call) error {
				if c.Operation == disk.OpCreate {
					created++
				}
				return nil
			})
		}
	}
	t.Logf("%d entries through segment %d: at most %d bytes in %d files, %d made", last, l.segment, most,
		names, created)
	// At most 300 entries since the last release, of 432 bytes and in 9 segments, and three to go on with.
	if most > 12*size || bytesOnDisk > 12*size || bytesOnDisk < 3*size || names > 14 {
		t.Errorf("the log takes up to %d bytes, says %d, in %d files", most, bytesOnDisk, names)
	}
	if l.segment < 500 || created > int(l.segment)/2 {
		t.Errorf("%d files were made for %d segments", created, l.segment)
	}
}

// The file of a released segment is used again, and nothing that stood in it can be read as the log.
func TestAReleasedSegmentIsUsedAgain(t *testing.T) {
	m, l := filled(t, 1<<20)
	for range 3 {
		roll(t, l)
	}
	ok(t, l.Release(l.outline.last))
	if len(segmentsOf(m)) != 1 || temporary(m) != keptReleased {
		t.Fatalf("there are %v", m.Names())
	}
	if got, want := l.Bytes(), (1+keptReleased)*l.size; got != want {
		t.Errorf("the log is said to take %d bytes, and takes %d", got, want)
	}
	for l.offset < l.size/preparedFrom {
		ok(t, l.Append(nil, entriesOf(l.outline.last+1, 1, 1000)))
	}
	created := false
	m.Intercept(func(c disk.Call) error {
		created = created || c.Operation == disk.OpCreate
		return nil
	})
	l.Adopt(prepared(t, l))
	if extent(m.Read(spareName)) != 0 {
		t.Error("a file is used again before it was overwritten")
	}
	roll(t, l)
	if created || slices.Contains(m.Names(), spareName) {
		t.Errorf("the file was not used: %v", m.Names())
	}
	m.Crash(disk.KeepNone)
	mustBoot(t, m, small())
}

// A preparation of a file that is used again may be given up before or after its first step: its name is
// free for the next one.
func TestAFileUsedAgainIsGivenUp(t *testing.T) {
	for steps := range 3 {
		m, l := filled(t, 1<<20)
		for range 3 {
			roll(t, l)
		}
		ok(t, l.Release(l.outline.last-1))
		waiting := temporary(m)
		p := l.Prepare()
		if p == nil || p.name == "" {
			t.Fatalf("%+v", p)
		}
		for range steps {
			_, err := p.Step()
			ok(t, err)
		}
		l.Adopt(p)
		if slices.Contains(m.Names(), spareName) || temporary(m) != waiting-1 {
			t.Errorf("given up after %d steps, and there are %v", steps, m.Names())
		}
		roll(t, l)
		l.Adopt(prepared(t, l))
		roll(t, l)
	}
}

// An operation of a release fails: the log has ended, and begins where it did or where it was to begin.
func TestAReleaseFails(t *testing.T) {
	for _, op := range []disk.Operation{disk.OpWrite, disk.OpSync, disk.OpRename, disk.OpRemove} {
		m, l, c := begins(t, 40)
		m.Intercept(func(c disk.Call) error {
			if c.Operation == op {
				return errBroken
			}
			return nil
		})
		err := l.Release(30)
		fails(t, err, errBroken)
		if again := l.Append(nil, []raft.Entry{entry(9, 41, 1)}); again != err {
			t.Errorf("%v failed: %v, then %v", op, err, again)
		}
		m.Intercept(nil)
		r, err := inspect(m)
		ok(t, err)
		if !c.equal(r) && !c.after(step{release: 30}).equal(r) {
			t.Errorf("%v failed: recovered %v", op, held(r))
		}
	}
}

// The base was written, and its sync has failed: the next start reads it from the memory of the operating
// system alone. It must not act upon it before it is durable.
func TestABaseThatIsNotDurable(t *testing.T) {
	for _, s := range []step{{release: 30}, {restart: &raft.EntryID{Term: 9, Index: 70}}} {
		for cut, failed := 1, true; failed; cut++ {
			m, l, before := begins(t, 40)
			m.Intercept(func(c disk.Call) error {
				if c.Operation == disk.OpSync {
					return errBroken
				}
				return nil
			})
			fails(t, s.append(l), errBroken)
			m.Intercept(nil)
			m.Kill()
			w := &world{t: t, disk: m, random: rand.New(rand.NewPCG(uint64(cut), 3))}
			w.failAt(cut, disk.ErrPowerCut)
			_, _, err := boot(m, small())
			failed = err != nil
			for range 4 {
				w.subsets(func(m *disk.Memory) {
					r, err := inspect(m)
					ok(t, err)
					if !before.equal(r) && !before.after(s).equal(r) {
						t.Fatalf("cut %d: recovered %v", cut, held(r))
					}
				})
			}
		}
	}
}

// When the batches that say where the log begins are bad, they are blamed, and not the files that were
// rightly removed. A file that is missing for no such reason is.
func TestABadBatchIsBlamedAndNotMissingFiles(t *testing.T) {
	m, l, _ := begins(t, 40)
	ok(t, l.Release(39))
	last := segmentName(l.segment)
	if segmentsOf(m)[0] == 1 {
		t.Fatal("nothing was removed")
	}
	for offset := int64(segmentHeader); offset < l.offset; offset += 16 {
		bad := m.Clone()
		bad.Flip(last, 8*offset)
		_, err := inspect(bad)
		if offset == segmentHeader {
			fails(t, err, ErrCorrupt)
		}
		var found *Damage
		if errors.As(err, &found) && found.File != last && found.File != segmentName(segmentsOf(m)[0]) {
			t.Errorf("byte %d of %s has rotted: %v", offset, last, err)
		}
	}
	bad := m.Clone()
	for n := range l.segment - 1 {
		bad.Delete(segmentName(n + 1))
	}
	bad.Flip(last, 8*segmentHeader)
	_, err := inspect(bad)
	var found *Damage
	if !errors.As(err, &found) || found.File != last || found.Offset != segmentHeader {
		t.Errorf("the first batch of %s has rotted: %v", last, err)
	}
}
