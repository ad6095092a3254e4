package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// verdict is what must be found when something in a directory has changed at rest.
type verdict string

const (
	intact  verdict = "intact"                  // nothing is lost, nothing was cut
	cut     verdict = "torn, nothing lost"      // bytes were cut off that belong to no acknowledged batch
	lost    verdict = "torn, last batch lost"   // the very last batch, before its seal: outside the model
	damaged verdict = "damaged"                 // refused
	unknown verdict = "of a later version"      // refused
	foreign verdict = "of another node"         // refused
	unused  verdict = "not initialized"         // refused
	other   verdict = "something else happened" // never expected
)

// rotten is a log at rest with three segments and a few batches in the last one.
type rotten struct {
	disk         *disk.Memory
	last         uint64 // the last segment that was written to
	begin, end   int64  // where the last batch stands in it
	now, earlier contents
	mark         bool   // that last batch is an end mark
	seal         bool   // that last batch is a seal, or what takes its place in a new segment
	base         uint64 // segments before it were released
	bound        bool   // that last batch says so
}

func newRotten(t testing.TB) (*rotten, *Log) {
	t.Helper()
	r := &rotten{disk: disk.NewMemory()}
	l, _ := mustBoot(t, r.disk, small())
	for i := raft.Index(1); l.segment < 4 || l.offset < 280; i++ {
		term := raft.Term(i)
		s := step{
			state:   &raft.HardState{Term: term, Vote: 3},
			entries: []raft.Entry{entry(term, i, int(i)%50)},
		}
		if i == 5 {
			s.entries[0] = entry(5, 5, 700) // larger than a segment
		}
		if i%2 == 0 {
			s.peers = []raft.Acquaintance{{Node: raft.NodeID(1 + i%3), Incarnation: 5, Start: uint64(i)}}
		}
		r.take(t, l, s)
	}
	return r, l
}

// judge says how a directory reads.
func (r *rotten) judge(m *disk.Memory) verdict {
	got, err := inspect(m)
	switch {
	case err != nil:
		return refusal(err)
	case r.now.equal(got) && got.Torn == 0:
		return intact
	case r.now.equal(got):
		return cut
	case r.earlier.equal(got) && got.Torn > 0:
		return lost
	}
	return other
}

func refusal(err error) verdict {
	for sentinel, v := range map[error]verdict{
		ErrCorrupt: damaged, ErrVersion: unknown, ErrForeign: foreign, ErrNotInitialized: unused,
	} {
		if errors.Is(err, sentinel) {
			return v
		}
	}
	return other
}

// expected is the table of the package comment, by file and offset.
func (r *rotten) expected(name string, offset int64) verdict {
	segment, ok := parseSegmentName(name)
	switch {
	case !ok:
		return intact // one copy of the identity
	case segment < r.base:
		return intact // a file that came back after its removal; it may hold anything
	case offset < segmentHeader || segment < r.last:
		return damaged
	case segment > r.last && r.mark:
		return cut // the log goes on there, and looks as if its first write had been torn
	case segment > r.last:
		return damaged // nothing can have been written there
	case offset < r.begin:
		return damaged
	case offset < r.end && r.bound:
		return damaged // without it, segments are missing
	case offset < r.end && (r.mark || r.seal):
		return cut // it held nothing, and will be written again
	case offset < r.end:
		return lost
	case r.mark:
		return damaged // nothing can have been written behind a mark
	}
	return cut
}

// goesOn opens a disk, appends, and checks that all of it is there afterwards, with both copies of the
// identity.
func goesOn(t *testing.T, m *disk.Memory) {
	t.Helper()
	l, r := mustBoot(t, m, small())
	s := step{entries: []raft.Entry{entry(1000, held(r).last()+1, 20)}}
	ok(t, l.Append(s.state, s.entries))
	m.Crash(disk.KeepNone)
	_, again := mustBoot(t, m, small())
	if want := held(r).after(s); !want.equal(again) || again.Torn != 0 || again.Start != r.Start+1 {
		t.Fatalf("after a repair the log holds %v\nwant %v", held(again), want)
	}
	if one, two := m.Read("identity.1"), m.Read("identity.2"); !bytes.Equal(one, two) {
		t.Fatal("the copies of the identity still differ")
	}
}

// states are the ways in which a log can end.
func states(t testing.TB) map[string]*rotten {
	plain, _ := newRotten(t)
	prepared, l := newRotten(t)
	ok(t, makeSegment(l.dir, l.incarnation, l.segment+1, 512))
	marked, l := newRotten(t)
	marked.mark, marked.begin, marked.end = true, l.offset, l.offset+endMark
	ok(t, l.advance(100))
	sealed, l := newRotten(t)
	sealed.sealIt(t, l)
	if l.segment != 4 || sealed.end-sealed.begin != endMark {
		t.Fatalf("the seal stands at bytes %d to %d of segment %d", sealed.begin, sealed.end, l.segment)
	}
	full, l := newRotten(t)
	room := int(l.size-l.offset) - endMark - batchHeader - recordHeader - entryHeader
	filling := step{entries: []raft.Entry{entry(1000, l.outline.last+1, room)}}
	ok(t, filling.append(l))
	full.now = full.now.after(filling)
	full.sealIt(t, l)
	if l.segment != 5 {
		t.Fatal("the seal had room in the segment")
	}
	all := map[string]*rotten{"": plain, " before an empty segment": prepared, " marked": marked,
		" sealed": sealed, " sealed in a new segment": full}
	releasedStates(t, all)
	return all
}

// releasedStates adds the ways in which a log can end that has lost its beginning: with the batch that says
// so, and with another one behind it. One of the files is back, as after a power cut.
func releasedStates(t testing.TB, all map[string]*rotten) {
	t.Helper()
	for what, s := range map[string]step{
		" released": {release: 4}, " restarted": {restart: &raft.EntryID{Term: 1000, Index: 77}},
	} {
		for _, just := range []bool{true, false} {
			r, l := newRotten(t)
			second := r.disk.Read(segmentName(2))
			r.take(t, l, s)
			r.base, r.bound = l.chain.base.segment, just
			if r.base < 3 || slices.Contains(r.disk.Names(), segmentName(2)) {
				t.Fatalf("log%s begins in segment %d: %v", what, r.base, r.disk.Names())
			}
			if !just {
				entries := []raft.Entry{entry(1000, r.now.last()+1, 20)}
				r.take(t, l, step{entries: entries})
				r.disk.Plant(segmentName(2), second)
				what += " before more"
			}
			all[what] = r
		}
	}
}

// take appends one more step.
func (r *rotten) take(t testing.TB, l *Log, s step) {
	t.Helper()
	r.begin, r.earlier = l.offset, r.now
	ok(t, s.append(l))
	r.now, r.last, r.end = r.now.after(s), l.segment, l.offset
	if r.begin > r.end {
		r.begin = segmentHeader
	}
}

// sealIt seals the log, twice: the second time there is nothing to seal.
func (r *rotten) sealIt(t testing.TB, l *Log) {
	t.Helper()
	r.seal, r.begin = true, l.offset
	ok(t, l.Seal())
	calls := r.disk.Calls()
	ok(t, l.Seal())
	if r.disk.Calls() != calls {
		t.Fatal("a sealed log was sealed again")
	}
	r.last, r.end = l.segment, l.offset
	if r.begin > r.end {
		r.begin = segmentHeader
	}
}

func TestEveryBitCounts(t *testing.T) {
	step := func(state string) int64 {
		if state == "" || state == " sealed" {
			return 1
		}
		return 7 // every bit of a byte is met all the same
	}
	for state, r := range states(t) {
		seen := map[verdict]int{}
		for _, name := range r.disk.Names() {
			for bit := int64(0); bit < 8*int64(len(r.disk.Read(name))); bit += step(state) {
				r.disk.Flip(name, bit)
				want := r.expected(name, bit/8)
				if got := r.judge(r.disk); got != want {
					_, err := inspect(r.disk)
					t.Fatalf("log%s, %s, bit %d of byte %d flipped: %s, want %s (%v)",
						state, name, bit%8, bit/8, got, want, err)
				}
				seen[want]++
				if m := r.disk; want != damaged && bit%64 == 27 {
					goesOn(t, m.Clone())
				}
				r.disk.Flip(name, bit)
			}
		}
		t.Logf("log%s: %v", state, seen)
		if v := r.judge(r.disk); v != intact {
			t.Fatalf("log%s: the test left it %s", state, v)
		}
	}
}

func TestEveryZeroedPieceCounts(t *testing.T) {
	for state, r := range states(t) {
		for _, name := range r.disk.Names() {
			content := r.disk.Read(name)
			for from := int64(0); from < int64(len(content)); from += alignment {
				to := min(from+alignment, int64(len(content)))
				if extent(content[from:to]) == 0 {
					continue
				}
				m := r.disk.Clone()
				m.Zero(name, from, to)
				if got, want := r.judge(m), r.expected(name, from); got != want {
					t.Fatalf("log%s, %s, byte %d on zeroed: %s, want %s", state, name, from, got, want)
				}
			}
		}
	}
}

// Nothing is written before everything was verified, and so nothing at all where something is damaged.
func TestADamagedDirectoryIsNotTouched(t *testing.T) {
	for state, r := range states(t) {
		for _, name := range r.disk.Names() {
			for offset := int64(0); offset < int64(len(r.disk.Read(name))); offset += 37 {
				if r.expected(name, offset) != damaged {
					continue
				}
				m := r.disk.Clone()
				m.Flip(name, 8*offset)
				m.Plant(segmentName(9)+temporarySuffix, []byte("a stray"))
				m.Delete(firstCopy)
				m.Intercept(func(c disk.Call) error {
					if op := c.Operation; op != disk.OpOpen && op != disk.OpList && op != disk.OpRead {
						t.Errorf("log%s, %s, byte %d flipped: %v %s", state, name, offset, op, c.Name)
					}
					return nil
				})
				_, _, err := boot(m, small())
				fails(t, err, ErrCorrupt)
			}
		}
	}
}

// A copy of the identity may go in any way; both may not.
func TestTheIdentityIsThereTwice(t *testing.T) {
	r, _ := newRotten(t)
	harm := map[string]func(m *disk.Memory, name string){
		"missing":   func(m *disk.Memory, name string) { m.Delete(name) },
		"empty":     func(m *disk.Memory, name string) { m.Plant(name, nil) },
		"truncated": func(m *disk.Memory, name string) { m.Plant(name, m.Read(name)[:60]) },
		"longer":    func(m *disk.Memory, name string) { m.Plant(name, append(m.Read(name), 0)) },
		"zeroed":    func(m *disk.Memory, name string) { m.Zero(name, 0, 1000) },
		"a segment": func(m *disk.Memory, name string) { m.Plant(name, m.Read(segmentName(1))) },
		"enormous":  func(m *disk.Memory, name string) { m.Plant(name, make([]byte, identityLimit+1)) },
	}
	for what, do := range harm {
		for i := range identityNames() {
			m := r.disk.Clone()
			do(m, identityNames()[i])
			if v := r.judge(m); v != intact {
				t.Errorf("%s %s: %s", identityNames()[i], what, v)
			}
			goesOn(t, m.Clone())
			for what2, do2 := range harm {
				both := m.Clone()
				do2(both, identityNames()[1-i])
				if v := r.judge(both); v != damaged {
					t.Errorf("%s %s and the other one %s: %s", identityNames()[i], what, what2, v)
				}
			}
		}
	}
}

// Without the identity and without a log, what a repair left shows that this is no first start.
func TestAFirstStartFollowsNoRepair(t *testing.T) {
	for _, name := range []string{countPrefix + "1", asideName(1, segmentName(1))} {
		m := disk.NewMemory()
		m.Plant(name, nil)
		_, _, err := boot(m, small())
		fails(t, err, ErrCorrupt)
	}
}

func TestAFileIsMissingOrNotItself(t *testing.T) {
	r, l := newRotten(t)
	if l.segment != 4 {
		t.Fatalf("the log has %d segments", l.segment)
	}
	stranger := disk.NewMemory()
	o := small()
	o.Identity.Incarnation++
	mustBoot(t, stranger, o)
	for what, do := range map[string]func(whole []byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"a byte short": func(whole []byte) []byte { return whole[:len(whole)-1] },
		"half":         func(whole []byte) []byte { return whole[:len(whole)/2] },
		"longer":       func(whole []byte) []byte { return append(whole, 0) },
		"another's":    func([]byte) []byte { return stranger.Read(segmentName(1)) },
		"an identity":  func([]byte) []byte { return r.disk.Read(firstCopy) },
	} {
		for segment := uint64(1); segment <= 4; segment++ {
			m := r.disk.Clone()
			m.Plant(segmentName(segment), do(m.Read(segmentName(segment))))
			if v := r.judge(m); v != damaged {
				t.Errorf("%s %s: %s", segmentName(segment), what, v)
			}
			m.Delete(segmentName(segment))
			if v := r.judge(m); v != damaged {
				t.Errorf("%s missing: %s", segmentName(segment), v)
			}
			m.Plant(segmentName(9), r.disk.Read(segmentName(segment)))
			if v := r.judge(m); v != damaged {
				t.Errorf("%s under another name: %s", segmentName(segment), v)
			}
		}
	}
	for a := uint64(1); a <= 4; a++ {
		for b := uint64(1); b <= 4; b++ {
			if a == b {
				continue
			}
			m := r.disk.Clone()
			m.Plant(segmentName(a), r.disk.Read(segmentName(b)))
			if v := r.judge(m); v != damaged {
				t.Errorf("%s in place of %s: %s", segmentName(b), segmentName(a), v)
			}
		}
	}
}

// What the identity and the segments say of each other is compared even where every checksum is right.
func TestAnotherDirectorysFiles(t *testing.T) {
	r, _ := newRotten(t)
	stranger := disk.NewMemory()
	o := small()
	o.Identity.Incarnation++
	mustBoot(t, stranger, o)
	m := r.disk.Clone()
	m.Plant(secondCopy, stranger.Read(secondCopy))
	if v := r.judge(m); v != damaged {
		t.Errorf("two good identities that differ: %s", v)
	}
	m.Plant(firstCopy, stranger.Read(secondCopy))
	if v := r.judge(m); v != damaged {
		t.Errorf("another directory's identity: %s", v)
	}
	m.Delete(segmentName(1))
	m.Delete(segmentName(2))
	m.Delete(segmentName(3))
	m.Delete(segmentName(4))
	if v := r.judge(m); v != damaged {
		t.Errorf("an identity without a log: %s", v)
	}
}

// emptySegment is a segment of 512 bytes without a batch.
func emptySegment(incarnation raft.Incarnation, number uint64) []byte {
	return append(encodeSegmentHeader(incarnation, number, 512), make([]byte, 512-segmentHeader)...)
}

// A file that takes no space and says to be enormous must not be given memory.
func TestEnormousFiles(t *testing.T) {
	r, _ := newRotten(t)
	r.disk.Delete(firstCopy)
	r.disk.Delete(segmentName(4))
	r.disk.Kill()
	dir, err := r.disk.Open()
	ok(t, err)
	enormous := int64(1) << 40
	_, err = dir.Create(firstCopy, enormous)
	ok(t, err)
	f, err := dir.Create(segmentName(4), enormous)
	ok(t, err)
	_, err = f.WriteAt(encodeSegmentHeader(identity().Incarnation, 4, enormous), 0)
	ok(t, err)
	before := allocated()
	_, err = inspect(r.disk)
	fails(t, err, ErrCorrupt)
	if took := allocated() - before; took > 4<<20 || !strings.Contains(err.Error(), segmentName(4)) {
		t.Fatalf("%d bytes were allocated: %v", took, err)
	}
}

// A copy of the identity that cannot be read may yet be good: only when both were read is it damage.
func TestAnIdentityThatCannotBeRead(t *testing.T) {
	r, _ := newRotten(t)
	r.disk.Flip(firstCopy, 100)
	r.disk.Intercept(func(c disk.Call) error {
		if c.Name == secondCopy {
			return errBroken
		}
		return nil
	})
	_, err := inspect(r.disk)
	if !errors.Is(err, errBroken) || errors.Is(err, ErrCorrupt) {
		t.Fatalf("error %v", err)
	}
	r.disk.Intercept(nil)
	if v := r.judge(r.disk); v != intact {
		t.Fatal(v)
	}
}

// The prepared segment behind the end may go; the one that an end mark leads to may not.
func TestTheSuccessorOfTheLastSegment(t *testing.T) {
	for state, want := range map[string]verdict{" before an empty segment": intact, " marked": damaged} {
		r := states(t)[state]
		r.disk.Delete(segmentName(r.last + 1))
		if v := r.judge(r.disk); v != want {
			t.Errorf("log%s, without it: %s, want %s", state, v, want)
		}
	}
	r := states(t)[" before an empty segment"]
	goesOn(t, r.disk.Clone())
	r.disk.Plant(segmentName(r.last+3), emptySegment(identity().Incarnation, r.last+3))
	if v := r.judge(r.disk); v != damaged {
		t.Errorf("a segment after a gap: %s", v)
	}
}

func TestAnUnusedDirectory(t *testing.T) {
	first, second := emptySegment(7, 1), emptySegment(7, 2)
	written, bad := emptySegment(7, 1), emptySegment(7, 1)
	written[100] = 1
	bad[20]++
	for _, c := range []struct {
		what  string
		files map[string][]byte
		want  verdict
	}{
		{"empty", nil, unused},
		{"other files", map[string][]byte{"notes.txt": {1}, "1.wal": {2}, "x.tmp": {3}}, unused},
		{"a first segment", map[string][]byte{segmentName(1): first}, unused},
		{"strays", map[string][]byte{segmentName(1) + ".tmp": {1}, "identity.1.tmp": {2}}, unused},
		{"a first segment with a batch", map[string][]byte{segmentName(1): written}, damaged},
		{"a first segment with a bad header", map[string][]byte{segmentName(1): bad}, damaged},
		{"a second segment", map[string][]byte{segmentName(1): first, segmentName(2): second}, damaged},
		{"a second segment alone", map[string][]byte{segmentName(2): second}, damaged},
	} {
		m := disk.NewMemory()
		for name, content := range c.files {
			m.Plant(name, content)
		}
		_, err := inspect(m)
		if got := refusal(err); got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.what, got, c.want, err)
		}
		if _, _, err := boot(m, small()); (err == nil) != (c.want == unused) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// Files that are none of the log's are left alone; what it left under temporary names goes, but not before
// everything else was found good.
func TestStraysAndStrangers(t *testing.T) {
	r, _ := newRotten(t)
	stray := segmentName(5) + temporarySuffix
	for _, name := range []string{"notes.txt", "snapshot.tmp", "5.wal.tmp", stray, "identity.2.tmp"} {
		r.disk.Plant(name, []byte("x"))
	}
	m := r.disk.Clone()
	m.Flip(segmentName(1), 0)
	_, _, err := boot(m, small())
	fails(t, err, ErrCorrupt)
	if a, b := fmt.Sprint(m.Names()), fmt.Sprint(r.disk.Names()); a != b {
		t.Fatalf("in a damaged directory %s became %s", b, a)
	}
	goesOn(t, r.disk)
	names := strings.Join(r.disk.Names(), " ")
	if strings.Contains(names, stray) || strings.Contains(names, "identity.2.tmp") {
		t.Errorf("strays are still there: %s", names)
	}
	for _, name := range []string{"notes.txt", "snapshot.tmp", "5.wal.tmp"} {
		if !strings.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
}
