package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// written returns a disk with one durable file "a" of four sectors of 'o', over which 'n' was written and
// not synced.
func written(t *testing.T) (*Memory, Dir, File) {
	t.Helper()
	m := NewMemory()
	d := must(m.Open())(t)
	f := must(d.Create("a", 0))(t)
	must(f.WriteAt(bytes.Repeat([]byte("o"), 4*Sector), 0))(t)
	ok(t, f.Sync())
	ok(t, d.Sync())
	must(f.WriteAt(bytes.Repeat([]byte("n"), 4*Sector), 0))(t)
	return m, d, f
}

// sectors draws a file as one letter for each sector; '?' for one with different bytes in it.
func sectors(b []byte) string {
	var s strings.Builder
	for sector := range slices.Chunk(b, Sector) {
		switch c := sector[0]; {
		case !bytes.Equal(sector, bytes.Repeat([]byte{c}, len(sector))):
			s.WriteByte('?')
		case c == 0:
			s.WriteByte('.')
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}

func TestACrashKeepsAnySubsetOfTheUnsyncedSectors(t *testing.T) {
	seen := map[string]bool{}
	for mask := range uint64(16) {
		m, _, _ := written(t)
		if n := m.Unsynced(); n != 4 {
			t.Fatalf("%d things unsynced, want 4", n)
		}
		m.Crash(KeepBits(mask))
		seen[sectors(m.Read("a"))] = true
		if n := m.Unsynced(); n != 0 {
			t.Fatalf("%d things unsynced after the crash", n)
		}
	}
	if len(seen) != 16 || !seen["oooo"] || !seen["nnnn"] || !seen["nono"] {
		t.Fatalf("the crashes left %d different files, want 16: %v", len(seen), seen)
	}
}

func TestASyncedSectorStays(t *testing.T) {
	m, _, f := written(t)
	ok(t, f.Sync())
	must(f.WriteAt([]byte("x"), Sector+7))(t)
	m.Crash(KeepNone)
	if got := sectors(m.Read("a")); got != "nnnn" {
		t.Fatalf("the file is %s", got)
	}
}

func TestALengthNeedsASyncToo(t *testing.T) {
	for keep, want := range map[string]string{"none": "oooo", "sectors": "nnnn", "all": "nnnn.n"} {
		m, _, f := written(t)
		must(f.WriteAt(bytes.Repeat([]byte("n"), Sector), 5*Sector))(t)
		m.Crash(func(p Pending) bool { return keep == "all" || keep == "sectors" && p.Change == "" })
		if got := sectors(m.Read("a")); got != want {
			t.Errorf("keeping %s left %s, want %s", keep, got, want)
		}
	}
}

func TestAShortenedFileGrowsWithZeros(t *testing.T) {
	m, _, f := written(t)
	must(f.WriteAt(bytes.Repeat([]byte("n"), Sector), 4*Sector))(t)
	m.Crash(func(p Pending) bool { return p.Change == "" }) // the sector is on the disk, the length is not
	d := must(m.Open())(t)
	must(must(d.Open("a"))(t).WriteAt([]byte("x"), 6*Sector-1))(t)
	if got := sectors(m.Read("a")); got != "nnnn.?" {
		t.Fatalf("the file is %s", got)
	}
}

func TestNamesNeedASyncOfTheDirectory(t *testing.T) {
	seen := map[string]bool{}
	for mask := range uint64(8) {
		m, d, _ := written(t)
		f := must(d.Create("b", 0))(t)
		must(f.WriteAt([]byte("b"), 0))(t)
		ok(t, f.Sync())
		ok(t, d.Rename("b", "a"))
		ok(t, must(d.Create("c", 0))(t).Close())
		m.Crash(KeepBits(mask))
		state := strings.Join(m.Names(), " ")
		if string(m.Read("a")) == "b" {
			state += " replaced"
		}
		seen[state] = true
	}
	for _, want := range []string{"a", "a b", "a c", "a b c", "a replaced", "a c replaced"} {
		if !seen[want] {
			t.Errorf("no crash left %q", want)
		}
	}
	if len(seen) != 6 {
		t.Errorf("the crashes left %v", seen)
	}
}

func TestSyncedNamesStay(t *testing.T) {
	m, d, _ := written(t)
	ok(t, d.Rename("a", "b"))
	ok(t, d.Sync())
	m.Crash(KeepNone)
	if got := m.Names(); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("names %q", got)
	}
}

func TestARemovedNameComesBack(t *testing.T) {
	m, d, _ := written(t)
	ok(t, d.Remove("a"))
	ok(t, must(d.Create("a", 7))(t).Close())
	m.Crash(KeepNone)
	if got := sectors(m.Read("a")); got != "oooo" {
		t.Fatalf("the file is %q", got)
	}
}

// A page that a failed sync gave up counts as clean: only writing it again brings it to the disk.
func TestAFailedSyncIsFinal(t *testing.T) {
	m, _, f := written(t)
	broken := errors.New("broken")
	m.Intercept(nth(OpSync, 1, broken))
	fails(t, f.Sync(), broken)
	must(f.WriteAt(bytes.Repeat([]byte("r"), Sector), Sector))(t)
	ok(t, f.Sync())
	if got := sectors(m.Read("a")); got != "nrnn" {
		t.Fatalf("processes read %s", got)
	}
	m.Crash(KeepNone)
	if got := sectors(m.Read("a")); got != "oroo" {
		t.Fatalf("the disk holds %s", got)
	}
}

// nth makes the n-th operation of a kind fail.
func nth(op Operation, n int, err error) func(Call) error {
	return func(c Call) error {
		if c.Operation != op {
			return nil
		}
		if n--; n == 0 {
			return err
		}
		return nil
	}
}

func TestEveryOperationFailsOnDemand(t *testing.T) {
	broken := errors.New("broken")
	two := bytes.Repeat([]byte("x"), 2*Sector)
	for op := OpCreate; op <= OpSync; op++ {
		m, d, f := written(t)
		m.Intercept(nth(op, 1, broken))
		err := map[Operation]func() error{
			OpCreate:  func() error { _, err := d.Create("b", 1); return err },
			OpOpen:    func() error { _, err := d.Open("a"); return err },
			OpList:    func() error { _, err := d.List(); return err },
			OpRename:  func() error { return d.Rename("a", "b") },
			OpRemove:  func() error { return d.Remove("a") },
			OpSyncDir: d.Sync,
			OpRead:    func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
			OpWrite:   func() error { _, err := f.WriteAt(two, 0); return err },
			OpSync:    f.Sync,
		}[op]()
		if !errors.Is(err, broken) {
			t.Errorf("%v: error %v", op, err)
		}
		want := "nnnn"
		if op == OpWrite {
			want = "xnnn" // the first half
		}
		if got := sectors(m.Read("a")); got != want || !slices.Equal(m.Names(), []string{"a"}) {
			t.Errorf("%v left %s in %q", op, got, m.Names())
		}
	}
}

func TestAPowerCutInTheMiddle(t *testing.T) {
	m, d, f := written(t)
	m.Intercept(nth(OpWrite, 1, ErrPowerCut))
	_, err := f.WriteAt(bytes.Repeat([]byte("x"), 2*Sector), Sector)
	fails(t, err, ErrPowerCut)
	fails(t, f.Sync(), ErrPowerCut)
	fails(t, d.Sync(), ErrPowerCut)
	_, err = m.Open()
	fails(t, err, ErrPowerCut)
	m.Crash(KeepBits(0b0101))
	if got := sectors(m.Read("a")); got != "noxo" {
		t.Fatalf("the disk holds %s", got)
	}
	_, err = f.WriteAt([]byte("late"), 0)
	fails(t, err, fs.ErrClosed)
	must(m.Open())(t)
}

func TestAKilledProcessLeavesWhatItWrote(t *testing.T) {
	m, d, f := written(t)
	m.Kill()
	_, err := f.WriteAt([]byte("late"), 0)
	fails(t, err, fs.ErrClosed)
	fails(t, d.Rename("a", "b"), fs.ErrClosed)
	next := must(must(m.Open())(t).Open("a"))(t)
	if got := sectors(content(t, next)); got != "nnnn" {
		t.Fatalf("the next process reads %s", got)
	}
	ok(t, d.Close()) // of the dead process: it must not release the lock of the living
	_, err = m.Open()
	fails(t, err, ErrLocked)
	m.Crash(KeepNone)
	if got := sectors(m.Read("a")); got != "oooo" {
		t.Fatalf("the disk holds %s", got)
	}
}

func TestAFullDisk(t *testing.T) {
	m := NewMemory()
	m.Limit(2 * pageSize)
	f := must(must(m.Open())(t).Create("a", 1<<40))(t) // what is not written takes nothing
	n, err := f.WriteAt(make([]byte, 4*pageSize), 100)
	fails(t, err, ErrNoSpace)
	if n != 2*pageSize-100 || m.Used() != 2*pageSize {
		t.Fatalf("wrote %d bytes, %d are used", n, m.Used())
	}
	must(f.WriteAt([]byte("in place"), 0))(t)
	m.Limit(0)
	must(f.WriteAt([]byte("x"), 5*pageSize))(t)
}

func TestRot(t *testing.T) {
	m, _, f := written(t)
	ok(t, f.Sync())
	m.Flip("a", 8*600+1)
	if got := m.Read("a")[600]; got != 'n'^2 {
		t.Fatalf("byte 600 is %q", got)
	}
	m.Zero("a", 2*Sector, 3*Sector)
	m.Crash(KeepNone)
	if got := sectors(m.Read("a")); got != "n?.n" {
		t.Fatalf("the file is %s", got)
	}
	m.Plant("b", m.Read("a"))
	m.Delete("a")
	m.Crash(KeepNone)
	if got := fmt.Sprintf("%v %v", m.Names(), sectors(m.Read("b"))); got != "[b] n?.n" {
		t.Fatalf("the disk holds %s", got)
	}
}

func TestACloneIsOnItsOwn(t *testing.T) {
	m, d, _ := written(t)
	ok(t, d.Rename("a", "b"))
	c, kept := m.Clone(), m.Clone()
	m.Crash(KeepAll)
	m.Flip("b", 0)
	kept.Crash(KeepAll)
	if got := fmt.Sprintf("%v %v", kept.Names(), sectors(kept.Read("b"))); got != "[b] nnnn" {
		t.Fatalf("the clone's disk kept %s", got)
	}
	if got := fmt.Sprintf("%v %v %d", c.Names(), sectors(c.Read("b")), c.Unsynced()); got != "[b] nnnn 5" {
		t.Fatalf("the clone holds %s", got)
	}
	c.Crash(KeepNone)
	if got := fmt.Sprintf("%v %v", c.Names(), sectors(c.Read("a"))); got != "[a] oooo" {
		t.Fatalf("the clone's disk holds %s", got)
	}
}

func TestRandomAnswersRepeat(t *testing.T) {
	draw := func(seed uint64) (answers uint64) {
		keep := KeepRandom(seed)
		for range 64 {
			answers <<= 1
			if keep(Pending{}) {
				answers |= 1
			}
		}
		return answers
	}
	first, again := draw(1), draw(1)
	if first != again || first == draw(2) || first == 0 {
		t.Fatalf("answers %x, %x, %x", first, again, draw(2))
	}
}

// A sync must not cost more when the file is longer: the simulator syncs hundreds of thousands of small
// batches.
func BenchmarkMemorySmallBatches(b *testing.B) {
	m := NewMemory()
	d, err := m.Open()
	if err != nil {
		b.Fatal(err)
	}
	f, err := d.Create("a", 64<<20)
	if err != nil {
		b.Fatal(err)
	}
	batch := bytes.Repeat([]byte("x"), 200)
	for i := range b.N {
		if _, err := f.WriteAt(batch, int64(i)*200%(63<<20)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
