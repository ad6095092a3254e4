package snapshot

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

func TestASnapshotArrivesInPartsOfAnySize(t *testing.T) {
	sent := image(t, 30)
	for _, part := range []int{1, 13, 208, 500, 5000} {
		m := disk.NewMemory()
		s := mustBoot(t, m)
		r, err := s.Receive(id(30), int64(len(sent)))
		ok(t, err)
		for at := 0; at < len(sent); at += part {
			_, err := r.Commit()
			fails(t, err, ErrIncomplete)
			next, err := r.Add(int64(at), sent[at:min(at+part, len(sent))])
			ok(t, err)
			if next != int64(min(at+part, len(sent))) {
				t.Fatalf("next is %d", next)
			}
		}
		info, err := r.Commit()
		ok(t, err)
		ok(t, read(s, info))
		if !bytes.Equal(m.Read(fileName(id(30))), sent) {
			t.Fatal("other bytes are kept than arrived")
		}
		_, err = r.Add(0, sent)
		fails(t, err, ErrClosed)
		intact(t, mustBoot(t, m))
	}
}

func TestLateAndEarlyBytesChangeNothing(t *testing.T) {
	sent := image(t, 30)
	r, err := mustBoot(t, disk.NewMemory()).Receive(id(30), int64(len(sent)))
	ok(t, err)
	_, err = r.Add(0, sent[:300])
	ok(t, err)
	for _, at := range []int64{0, 299, 301, int64(len(sent)), 1 << 60, -1} {
		if next, err := r.Add(at, []byte("nonsense")); next != 300 || err != nil {
			t.Fatalf("bytes at %d: next %d, %v", at, next, err)
		}
	}
	_, err = r.Add(300, sent[300:])
	ok(t, err)
	_, err = r.Commit()
	ok(t, err)
}

func TestResumingGoesOnWhereItStopped(t *testing.T) {
	sent := image(t, 30)
	for stop := 0; stop <= len(sent); stop += 7 {
		m := disk.NewMemory()
		s := mustBoot(t, m)
		r, err := s.Receive(id(30), int64(len(sent)))
		ok(t, err)
		_, err = r.Add(0, sent[:stop])
		ok(t, err)
		_, err = s.Receive(id(30), int64(len(sent)))
		fails(t, err, ErrBusy)
		ok(t, r.Close())
		if stop%2 == 0 {
			s = mustBoot(t, m) // also in another process
		}
		r, err = s.Receive(id(30), int64(len(sent)))
		ok(t, err)
		ok(t, resume(r))
		if next := r.Next(); next > int64(stop) || next < int64(stop)-208-frame && stop > 400 {
			t.Fatalf("stopped at %d, resumed at %d", stop, next)
		}
		_, err = r.Add(r.Next(), sent[r.Next():])
		ok(t, err)
		info, err := r.Commit()
		ok(t, err)
		ok(t, read(s, info))
	}
}

func TestAnotherSnapshotBeginsAnew(t *testing.T) {
	m := disk.NewMemory()
	s := mustBoot(t, m)
	begin := func(index raft.Index) {
		sent := image(t, index)
		r, err := s.Receive(id(index), int64(len(sent)))
		ok(t, err)
		ok(t, resume(r))
		if r.Next() != 0 {
			t.Fatalf("begins at %d", r.Next())
		}
		_, err = r.Add(0, sent[:500])
		ok(t, err)
		ok(t, r.Close())
	}
	begin(30)
	begin(40)
	if names := m.Names(); len(names) != 1 {
		t.Fatalf("what is kept: %q", names)
	}
	ok(t, write(s, 50))
	_, err := s.Receive(id(40), 1000)
	fails(t, err, ErrStale)
	mustBoot(t, m)
	if names := m.Names(); !slices.Equal(names, []string{fileName(id(50))}) {
		t.Fatalf("what is kept: %q", names)
	}
}

func TestASnapshotThatIsOvertakenIsDropped(t *testing.T) {
	m := disk.NewMemory()
	s := mustBoot(t, m)
	sent := image(t, 30)
	r, err := s.Receive(id(30), int64(len(sent)))
	ok(t, err)
	_, err = r.Add(0, sent)
	ok(t, err)
	w, err := s.Create(meta(25))
	ok(t, err)
	ok(t, write2(s, 40, w))
	_, err = r.Commit()
	fails(t, err, ErrStale)
	if names := m.Names(); !slices.Equal(names, []string{fileName(id(40))}) {
		t.Fatalf("what is kept: %q", names)
	}
	intact(t, s)
}

// write2 gives one snapshot up and writes another one.
func write2(s *Store, index raft.Index, w *Writer) error {
	return errors.Join(w.Abort(), write(s, index))
}

// wrong sends bytes and expects that all of them are dropped, and that the right ones are taken afterwards.
func wrong(t *testing.T, bad []byte, size int, want error) {
	t.Helper()
	sent := image(t, 30)
	m := disk.NewMemory()
	s := mustBoot(t, m)
	r, err := s.Receive(id(30), int64(size))
	ok(t, err)
	err = nil
	for at := 0; at < len(bad) && err == nil; at += 100 {
		_, err = r.Add(int64(at), bad[at:min(at+100, len(bad))])
	}
	fails(t, err, want)
	if errors.Is(err, ErrCorrupt) {
		t.Fatalf("taken for damage of this disk: %v", err)
	}
	if r.Next() != 0 || len(s.List()) > 0 {
		t.Fatalf("next is %d", r.Next())
	}
	ok(t, r.Close())
	r, err = s.Receive(id(30), int64(size))
	ok(t, err)
	ok(t, resume(r))
	if r.Next() != 0 {
		t.Fatalf("what was dropped is resumed at %d", r.Next())
	}
	if size != len(sent) {
		return
	}
	_, err = r.Add(0, sent)
	ok(t, err)
	_, err = r.Commit()
	ok(t, err)
	intact(t, mustBoot(t, m))
}

func TestWhatWasNotAnnouncedIsDropped(t *testing.T) {
	sent, other := image(t, 30), image(t, 50)
	for at := range sent {
		bad := bytes.Clone(sent)
		bad[at] ^= 0x10
		want := ErrMismatch
		wrong(t, bad, len(sent), want)
	}
	wrong(t, other, len(other), ErrMismatch)
	wrong(t, sent, len(sent)+1, ErrMismatch)
	wrong(t, sent, len(sent)-1, ErrMismatch)
	wrong(t, make([]byte, len(sent)), len(sent), ErrMismatch)
	wrong(t, mixture(t, 30), len(sent), ErrMismatch)
	foreign := bytes.Clone(sent)
	i, err := decodeHeader(foreign[:headerOf(foreign)])
	ok(t, err)
	i.Cluster[0]++
	copy(foreign, i.encodeHeader())
	wrong(t, foreign, len(sent), ErrForeign)
}

func headerOf(b []byte) int {
	n, err := headerLength(b)
	if err != nil {
		panic(err)
	}
	return n
}

// mixture is a snapshot of which one chunk comes from another one with the same header.
func mixture(t *testing.T, index raft.Index) []byte {
	t.Helper()
	b := bytes.Clone(image(t, index))
	at := headerOf(b)
	info, err := decodeHeader(b[:at])
	ok(t, err)
	chunk := b[at : at+frame+200]
	chunk[frame+5]++
	info.seal(chunk, int64(at), 200)
	return b
}

// The name of what arrives is durable from the beginning: else a power cut would take all of it, however
// much of it is on the disk.
func TestAPowerCutLeavesWhatHasArrived(t *testing.T) {
	sent := image(t, 30)
	m := disk.NewMemory()
	r, err := mustBoot(t, m).Receive(id(30), int64(len(sent)))
	ok(t, err)
	_, err = r.Add(0, sent)
	ok(t, err)
	m.Crash(func(p disk.Pending) bool { return !strings.HasPrefix(p.Change, "create") })
	r, err = mustBoot(t, m).Receive(id(30), int64(len(sent)))
	ok(t, err)
	ok(t, resume(r))
	if r.Next() != int64(len(sent)) {
		t.Fatalf("resumed at %d of %d", r.Next(), len(sent))
	}
}

// The bytes that a failed sync gave up are still read by the next process, and look clean: a second sync
// that succeeds proves nothing about them.
func TestWhatAFailedSyncGaveUpIsWrittenAgain(t *testing.T) {
	sent := image(t, 30)
	m := disk.NewMemory()
	r, err := mustBoot(t, m).Receive(id(30), int64(len(sent)))
	ok(t, err)
	_, err = r.Add(0, sent)
	ok(t, err)
	m.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpSync {
			return errBroken
		}
		return nil
	})
	_, err = r.Commit()
	fails(t, err, errBroken)
	m.Intercept(nil)
	r, err = mustBoot(t, m).Receive(id(30), int64(len(sent)))
	ok(t, err)
	ok(t, resume(r))
	if r.Next() != int64(len(sent)) {
		t.Fatalf("resumed at %d of %d", r.Next(), len(sent))
	}
	_, err = r.Commit()
	ok(t, err)
	m.Crash(disk.KeepNone)
	s := mustBoot(t, m)
	intact(t, s)
	if len(s.List()) != 1 {
		t.Fatal("an acknowledged snapshot is gone")
	}
}

// Long files are synced on the way, and a failure there is as final as at the end.
func TestLongFilesAreSyncedOnTheWay(t *testing.T) {
	o := options()
	o.ChunkBytes = MinChunkBytes
	syncs, failing := 0, false
	count := func(c disk.Call) error {
		if c.Operation != disk.OpSync {
			return nil
		}
		if syncs++; failing {
			return errBroken
		}
		return nil
	}
	start := func() (*disk.Memory, *Store) {
		m := disk.NewMemory()
		s, _, err := boot(m, o)
		ok(t, err)
		m.Intercept(count)
		syncs = 0
		return m, s
	}
	m, s := start()
	ok(t, write(s, 30))
	if syncs < 2 {
		t.Fatalf("only %d syncs while it was written", syncs)
	}
	sent := m.Read(fileName(id(30)))
	_, s = start()
	r, err := s.Receive(id(30), int64(len(sent)))
	ok(t, err)
	for at := 0; at < len(sent); at += 90 {
		_, err = r.Add(int64(at), sent[at:min(at+90, len(sent))])
		ok(t, err)
	}
	if syncs < 2 {
		t.Fatalf("only %d syncs while it arrived", syncs)
	}
	failing = true
	_, s = start()
	fails(t, write(s, 30), errBroken)
	_, err = s.Create(meta(40))
	fails(t, err, errBroken)
	_, s = start()
	r, err = s.Receive(id(30), int64(len(sent)))
	ok(t, err)
	_, err = r.Add(0, sent)
	fails(t, err, errBroken)
	_, err = s.Create(meta(40))
	fails(t, err, errBroken)
}

func TestSizesThatNoSnapshotHas(t *testing.T) {
	s := mustBoot(t, disk.NewMemory())
	for _, size := range []int64{-1, 0, minFile - 1, maxFile + 1} {
		_, err := s.Receive(id(30), size)
		fails(t, err, ErrInvalid)
	}
	_, err := s.Receive(raft.EntryID{Term: 1}, 1000)
	fails(t, err, ErrInvalid)
}
