package snapshot

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

func TestTheNewestTwoAreKept(t *testing.T) {
	m := disk.NewMemory()
	s := mustBoot(t, m)
	for index := raft.Index(10); index <= 50; index += 10 {
		ok(t, write(s, index))
		for more := true; more; {
			var err error
			more, err = s.Prune()
			ok(t, err)
		}
		intact(t, s)
	}
	again := mustBoot(t, m)
	if got := indexes(again); !slices.Equal(got, []raft.Index{50, 40}) {
		t.Fatalf("kept %v", got)
	}
	if latest, found := again.Latest(); !found || latest.Last != id(50) {
		t.Fatalf("the latest is %v", latest.Last)
	}
	intact(t, again)
}

func TestWhatIsBeingReadIsNotPruned(t *testing.T) {
	s := mustBoot(t, written(t, 10, 20, 30))
	r, err := s.Read(id(10))
	ok(t, err)
	if removed, err := s.Prune(); removed || err != nil {
		t.Fatalf("removed under a reader: %v", err)
	}
	ok(t, r.Close())
	ok(t, r.Close())
	if removed, err := s.Prune(); !removed || err != nil {
		t.Fatalf("not removed: %v", err)
	}
	_, err = r.ReadAt(make([]byte, 1), 0)
	fails(t, err, ErrClosed)
	_, err = s.Read(id(10))
	fails(t, err, ErrMissing)
}

func TestWhatIsNoSnapshotIsRefused(t *testing.T) {
	s := mustBoot(t, written(t, 40))
	for _, c := range []struct {
		name   string
		change func(*Meta)
		want   error
	}{
		{"index 0", func(m *Meta) { m.Last.Index = 0 }, ErrInvalid},
		{"term 0", func(m *Meta) { m.Last.Term = 0 }, ErrInvalid},
		{"a term that goes back", func(m *Meta) { m.Last.Term = 1 }, ErrInvalid},
		{"a later configuration", func(m *Meta) { m.ConfigurationIndex = 99 }, ErrInvalid},
		{"a huge configuration", func(m *Meta) { m.Configuration = make([]byte, 5<<20) }, ErrInvalid},
		{"the same entry", func(m *Meta) { m.Last = id(40) }, ErrStale},
		{"an older entry", func(m *Meta) { m.Last.Index, m.ConfigurationIndex = 39, 0 }, ErrStale},
	} {
		m := meta(50)
		c.change(&m)
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Create(m)
			fails(t, err, c.want)
		})
	}
	w, err := s.Create(meta(50))
	ok(t, err)
	_, err = s.Create(meta(60))
	fails(t, err, ErrBusy)
	_, err = w.Write([]byte("x"))
	fails(t, err, ErrInvalid)
	ok(t, w.Section("a"))
	fails(t, w.Section("a"), ErrInvalid)
	fails(t, w.Section(""), ErrInvalid)
	ok(t, w.Abort())
	_, err = w.Commit()
	fails(t, err, ErrClosed)
	ok(t, write(s, 50)) // the place is free again
	intact(t, s)
	for _, o := range []Options{{}, {Cluster: options().Cluster, ChunkBytes: 1}} {
		_, _, err := boot(disk.NewMemory(), o)
		fails(t, err, ErrInvalid)
	}
}

func TestASnapshotWithoutContent(t *testing.T) {
	m := disk.NewMemory()
	s := mustBoot(t, m)
	w, err := s.Create(Meta{Last: id(1)})
	ok(t, err)
	info, err := w.Commit()
	ok(t, err)
	got, _ := mustBoot(t, m).Latest()
	if len(got.Sections) > 0 || got.Size != info.Size || got.Checksum != info.Checksum {
		t.Fatalf("%+v", got)
	}
	r, err := mustBoot(t, m).Read(id(1))
	ok(t, err)
	raw := make([]byte, info.Size+1)
	if n, err := r.ReadAt(raw, 0); int64(n) != info.Size || err != io.EOF {
		t.Fatalf("read %d of %d bytes: %v", n, info.Size, err)
	}
}

func TestTheFileIsReadAtAnyOffset(t *testing.T) {
	m := written(t, 10)
	want := m.Read(fileName(id(10)))
	r, err := mustBoot(t, m).Read(id(10))
	ok(t, err)
	for _, step := range []int{1, 7, 199, 208, 5000} {
		got := make([]byte, 0, len(want))
		for off := 0; off < len(want); off += step {
			part := make([]byte, min(step, len(want)-off))
			_, err := r.ReadAt(part, int64(off))
			ok(t, err)
			got = append(got, part...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("in steps of %d other bytes are read", step)
		}
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	m := written(t, 10)
	others := []string{"identity.1", "0000000001.wal", "next.wal.tmp", "1-t1.snapshot", "x.snapshot.part",
		"00000000000000000010-t00000000000000000001.snapshot.bak", "-t.snapshot", "--.snapshot.part"}
	for _, name := range others {
		m.Plant(name, []byte("mine"))
	}
	m.Plant(writingName, []byte("stray"))
	m.Plant(partialName(id(9), 500), []byte("late"))
	m.Plant(partialName(id(11), 500), []byte("kept"))
	_, found, err := boot(m, options())
	ok(t, err)
	if len(found.Snapshots) != 1 || len(found.Broken) > 0 ||
		len(found.Strays) != 2 || len(found.Partial) != 1 {
		t.Fatalf("found %+v", found)
	}
	for _, name := range append(others, partialName(id(11), 500)) {
		if m.Read(name) == nil {
			t.Errorf("%s is gone", name)
		}
	}
	if m.Read(writingName) != nil || m.Read(partialName(id(9), 500)) != nil {
		t.Error("a stray stays")
	}
}

func TestAFileOfAnotherClusterIsRefused(t *testing.T) {
	m := written(t, 10, 20)
	o := options()
	o.Cluster[5]++
	_, _, err := boot(m, o)
	fails(t, err, ErrForeign)
	m.Kill()
	dir, err := m.Open()
	ok(t, err)
	found, err := Inspect(dir)
	ok(t, err)
	if len(found.Snapshots) != 2 || found.Snapshots[0].Last != id(20) {
		t.Fatalf("found %+v", found)
	}
}

func TestOnARealDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	for index := raft.Index(10); index <= 50; index += 10 {
		dir, err := disk.OS(path)
		ok(t, err)
		s, _, err := Open(dir, options())
		ok(t, err)
		intact(t, s)
		ok(t, write(s, index))
		_, err = s.Prune()
		ok(t, err)
		if index == 50 && !slices.Equal(indexes(s), []raft.Index{50, 40}) {
			t.Fatalf("kept %v", indexes(s))
		}
		ok(t, dir.Close())
	}
}
