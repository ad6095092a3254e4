package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

const page = 4096

// shared is a disk on which a log is written beside the snapshots.
type shared struct {
	t    *testing.T
	disk *disk.Memory
	keep *Keeper
	log  disk.File
	at   int64
}

func share(t *testing.T, reserve int64) *shared {
	t.Helper()
	m := disk.NewMemory()
	dir, err := m.Open()
	ok(t, err)
	o := options()
	o.Reserve = reserve
	s, _, err := Open(dir, o)
	ok(t, err)
	log, err := dir.Create("log", 0)
	ok(t, err)
	return &shared{t: t, disk: m, keep: NewKeeper(s), log: log}
}

// append is what the log does: it must never find the disk full.
func (s *shared) append(pages int) {
	s.t.Helper()
	for range pages {
		if _, err := s.log.WriteAt(bytes.Repeat([]byte("e"), page), s.at); err != nil {
			s.t.Fatalf("the log cannot be written: %v", err)
		}
		s.at += page
	}
}

// parts are the files of snapshots that are not whole.
func (s *shared) parts() []string {
	return slices.DeleteFunc(s.disk.Names(), func(name string) bool {
		return name == "log" || strings.HasSuffix(name, suffix)
	})
}

// readable checks which snapshots are kept, whatever is in them, and that they can be restored.
func readable(t *testing.T, k *Keeper, want ...raft.Index) {
	t.Helper()
	var got []raft.Index
	for _, s := range k.List() {
		got = append(got, s.Last.Index)
		ok(t, k.Restore(s.Last, func(from io.Reader) error {
			_, err := io.Copy(io.Discard, from)
			return err
		}))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("kept %v, want %v", got, want)
	}
}

// beside is an image beside whose writing the log grows.
type beside struct {
	s       *shared
	content []byte
	every   int // bytes between two appends of one page
	appends int
}

func (b *beside) WriteTo(w io.Writer) (n int64, err error) {
	for part := range slices.Chunk(b.content, b.every) {
		m, err := w.Write(part)
		if n += int64(m); err != nil {
			b.s.append(b.appends) // while what was begun of the snapshot still takes its room
			b.appends = 0
			return n, err
		}
		if b.appends > 1 {
			b.appends--
			b.s.append(1)
		}
	}
	return n, nil
}

// However little room there is when a snapshot is written, and though the log grows meanwhile: the log always
// finds its reserve, and what was begun of the snapshot is gone at once.
func TestASnapshotLeavesRoomForTheLog(t *testing.T) {
	const reserve = 4
	var whole, refused int
	for room := int64(0); room < 20; room++ {
		s := share(t, reserve*page)
		saved(t, s.keep, 10)
		s.disk.Limit(s.disk.Used() + (reserve+room)*page)
		image := &beside{s: s, content: bytes.Repeat([]byte("x"), 10*page), every: 3 * page, appends: reserve}
		_, err := s.keep.Save(named(20), image)
		s.append(image.appends)
		if err == nil {
			whole++
			readable(t, s.keep, 20, 10)
			continue
		}
		refused++
		fails(t, err, disk.ErrNoSpace)
		if !Passing(err) || !strings.Contains(err.Error(), "kept for the log: make room for") {
			t.Fatalf("with room for %d pages: %v", room, err)
		}
		if left := s.parts(); len(left) > 0 {
			t.Fatalf("with room for %d pages %q takes room from the log", room, left)
		}
		lists(t, s.keep, 10)
	}
	if whole < 3 || refused < 10 {
		t.Fatalf("%d were saved, %d refused", whole, refused)
	}
}

// A snapshot that was announced is refused at once if it does not fit, and nothing of it is on the disk.
func TestAnAnnouncedSizeMustFit(t *testing.T) {
	from := keep(t, disk.NewMemory())
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 5000)))
	ok(t, err)
	for _, absurd := range []uint64{0, 1 << 40, maxFile} {
		s := share(t, 4*page)
		s.disk.Limit(s.disk.Used() + page + int64(file.Size) - 1)
		m := ask(file)
		m.Size = max(m.Size, absurd)
		for i, kept := range []int64{4, 2, 1, 1} { // pages
			next, complete, err := s.keep.Store(m)
			why := s.keep.Refusal()
			missing := int64(m.Size-file.Size) + (kept-1)*page + 1
			if next != 0 || complete != nil || err != nil || !errors.Is(why, disk.ErrNoSpace) ||
				!strings.Contains(why.Error(), fmt.Sprintf("a snapshot of %d bytes does not fit", m.Size)) ||
				!strings.Contains(why.Error(), fmt.Sprintf("make room for at least %d more", missing)) {
				t.Errorf("attempt %d", i)
				t.Fatalf("next %d, complete %v, %v, refused for %v", next, complete, err, why)
			}
		}
		if left := s.parts(); len(left) > 0 {
			t.Fatalf("there is %q", left)
		}
		s.append(4)
		s.disk.Limit(0)
		_, err = send(t, from, s.keep, file, 1000)
		ok(t, err)
		if s.keep.Refusal() != nil {
			t.Errorf("refused for %v", s.keep.Refusal())
		}
	}
}

// The disk fills up while a snapshot arrives, after any number of chunks: what has arrived goes at once, the
// log finds its room, and the transfer begins anew when there is room for all of it.
func TestWhatArrivesGivesWayToTheLog(t *testing.T) {
	const reserve = 3
	from := keep(t, disk.NewMemory())
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 5000)))
	ok(t, err)
	for had := uint64(0); had < file.Size; had += 2000 {
		for _, again := range []bool{false, true} {
			s := share(t, reserve*page)
			for at := uint64(0); at < had; at += 1000 {
				_, _, err := s.keep.Store(chunk(t, from, file, at, 1000))
				ok(t, err)
			}
			if again { // the disk is found full when the transfer is to be resumed
				ok(t, s.keep.Close())
			}
			s.disk.Limit(s.disk.Used() + reserve*page)
			next, complete, err := s.keep.Store(chunk(t, from, file, had, 1000))
			if next != 0 || complete != nil || err != nil || !errors.Is(s.keep.Refusal(), disk.ErrNoSpace) {
				t.Fatalf("after %d bytes: next %d, complete %v, %v, refused for %v", had, next, complete, err,
					s.keep.Refusal())
			}
			if left := s.parts(); len(left) > 0 {
				t.Fatalf("after %d bytes %q takes room from the log", had, left)
			}
			s.append(reserve + int(had)/page)
			s.disk.Limit(0)
			_, err = send(t, from, s.keep, file, 1000)
			ok(t, err)
			readable(t, s.keep, 10)
		}
	}
}

// A disk that fails when what has arrived is to be given back is no full one: the node must stop.
func TestADiskThatFailsToGiveBack(t *testing.T) {
	from := keep(t, disk.NewMemory())
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 5000)))
	ok(t, err)
	s := share(t, page)
	_, _, err = s.keep.Store(chunk(t, from, file, 0, 1000))
	ok(t, err)
	s.disk.Limit(s.disk.Used())
	broken := errors.New("input/output error")
	s.disk.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpRemove {
			return broken
		}
		return nil
	})
	if _, _, err := s.keep.Store(chunk(t, from, file, 1000, 1000)); !errors.Is(err, broken) || Passing(err) {
		t.Errorf("%v, refused for %v", err, s.keep.Refusal())
	}
}

// A disk that cannot say what is free is found full by a write: the room is given back just so, and the
// transfer rests before it fills the disk again.
func TestAFullDiskInStore(t *testing.T) {
	from, m := keep(t, disk.NewMemory()), disk.NewMemory()
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 5000)))
	ok(t, err)
	to := keep(t, m)
	writes, full := 0, 12
	m.Intercept(func(c disk.Call) error {
		if c.Operation != disk.OpWrite {
			return nil
		}
		if writes++; writes >= full {
			return disk.ErrNoSpace
		}
		return nil
	})
	next, complete := uint64(0), (*raft.Snapshot)(nil)
	for to.Refusal() == nil {
		next, complete, err = to.Store(chunk(t, from, file, next, 1000))
		if err != nil || complete != nil {
			t.Fatalf("complete %v, %v", complete, err)
		}
	}
	fails(t, to.Refusal(), disk.ErrNoSpace)
	if next != 0 || len(m.Names()) > 0 {
		t.Fatalf("next %d, and %q takes room", next, m.Names())
	}
	full = 1 << 30
	for range restMessages {
		if next, _, err := to.Store(chunk(t, from, file, 0, 1000)); next != 0 || err != nil || writes != 12 {
			t.Fatalf("next %d after %d writes: %v", next, writes, err)
		}
	}
	_, err = send(t, from, to, file, 1000)
	ok(t, err)
	readable(t, keep(t, m), 10)
}

// On a small disk each refusal has the next snapshot leave half as much to the log, down to a quarter, which
// the log always finds; one that fits ends that. Else the log would wait for ever.
func TestTheReserveGivesWay(t *testing.T) {
	from := keep(t, disk.NewMemory())
	content := state(bytes.Repeat([]byte("abcdefg"), 5000))
	var files []raft.Snapshot
	for _, last := range []raft.Index{20, 30} {
		file, err := from.Save(named(last), content)
		ok(t, err)
		files = append(files, file)
	}
	attempts := map[string]func(*shared, raft.Snapshot) error{
		"written": func(s *shared, file raft.Snapshot) error {
			_, err := s.keep.Save(named(file.Last.Index), content)
			return err
		},
		"received": func(s *shared, file raft.Snapshot) error {
			_, _, err := s.keep.Store(ask(file))
			ok(t, err)
			if len(s.parts()) == 0 {
				return s.keep.Refusal()
			}
			_, err = send(t, from, s.keep, file, 1000)
			return err
		},
	}
	for name, attempt := range attempts {
		for kept, refusals := range map[int64]int{16: 0, 13: 1, 8: 1, 5: 2, 4: 2} { // pages
			s := share(t, 16*page)
			for _, file := range files { // for the second one the reserve is whole again
				s.disk.Limit(s.disk.Used() + (kept+2)*page + int64(file.Size)) // and two for the last writes
				for i := range refusals {
					if err := attempt(s, file); !errors.Is(err, disk.ErrNoSpace) || len(s.parts()) > 0 {
						t.Fatalf("%s, %d pages kept, attempt %d: %v; %q", name, kept, i, err, s.parts())
					}
				}
				if err := attempt(s, file); err != nil {
					t.Fatalf("%s, %d pages kept, after %d refusals: %v", name, kept, refusals, err)
				}
				s.append(int(kept))
			}
			readable(t, s.keep, 30, 20)
		}
		s := share(t, 16*page)
		s.disk.Limit(s.disk.Used() + 4*page + int64(files[0].Size) - 1)
		for i := range 10 {
			if err := attempt(s, files[0]); !errors.Is(err, disk.ErrNoSpace) {
				t.Fatalf("%s, less than a quarter would be left, attempt %d: %v", name, i, err)
			}
		}
	}
}

// The size of the newest snapshot tells that the next will not fit, without a write; now and then it is not
// believed, for the state may have become smaller.
func TestASmallerStateIsSavedAllTheSame(t *testing.T) {
	s := share(t, page)
	_, err := s.keep.Save(named(10), state(bytes.Repeat([]byte("x"), 30*page)))
	ok(t, err)
	s.disk.Limit(s.disk.Used() + 8*page)
	for range maxSkipped {
		calls := s.disk.Calls()
		_, err := s.keep.Save(named(20), stateOf(20))
		if !errors.Is(err, disk.ErrNoSpace) || !Passing(err) || s.disk.Calls() != calls {
			t.Fatalf("after %d calls of the disk: %v", s.disk.Calls()-calls, err)
		}
	}
	saved(t, s.keep, 20)
	saved(t, s.keep, 30)
	lists(t, s.keep, 30, 20)
}

// A file system may need room to remove a file. The snapshot counts all the same: a replica that heard it had
// failed would not let go of the log.
func TestASnapshotCountsThoughNothingCanBeRemoved(t *testing.T) {
	m, from := disk.NewMemory(), keep(t, disk.NewMemory())
	k := keep(t, m)
	saved(t, k, 10)
	saved(t, k, 20)
	m.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpRemove && strings.HasSuffix(c.Name, suffix) {
			return disk.ErrNoSpace
		}
		return nil
	})
	saved(t, k, 30)
	lists(t, k, 30, 20, 10)
	_, err := send(t, from, k, saved(t, from, 40), 300)
	ok(t, err)
	m.Intercept(nil)
	saved(t, k, 50)
	lists(t, k, 50, 40)
	lists(t, keep(t, m), 50, 40)
}
