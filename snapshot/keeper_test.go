package snapshot

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// state is an image of some bytes.
type state []byte

func (s state) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s)
	return int64(n), err
}

func stateOf(index raft.Index) state { return bytes.Repeat([]byte{byte(index), 1, 2, 3, 4}, 300) }

func named(index raft.Index) raft.Snapshot {
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2"})
	members.Members[0].Incarnation = 7
	return raft.Snapshot{Last: id(index), Time: raft.Time(index) * 1000, Members: members,
		MembersIndex: index / 2}
}

func keep(t testing.TB, m *disk.Memory) *Keeper {
	t.Helper()
	return NewKeeper(mustBoot(t, m))
}

func saved(t testing.TB, k *Keeper, index raft.Index) raft.Snapshot {
	t.Helper()
	s, err := k.Save(named(index), stateOf(index))
	ok(t, err)
	return s
}

// lists checks what a keeper has, each with the state that it was made of.
func lists(t testing.TB, k *Keeper, want ...raft.Index) {
	t.Helper()
	var got []raft.Index
	for _, s := range k.List() {
		got = append(got, s.Last.Index)
		expected := named(s.Last.Index)
		if s.Time != expected.Time || s.MembersIndex != expected.MembersIndex ||
			!slices.Equal(s.Members.Members, expected.Members.Members) || s.Size == 0 {
			t.Fatalf("%+v", s)
		}
		restores(t, k, s.Last)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("kept %v, want %v", got, want)
	}
}

func restores(t testing.TB, k *Keeper, last raft.EntryID) {
	t.Helper()
	ok(t, k.Restore(last, func(from io.Reader) error {
		got, err := io.ReadAll(from)
		if err == nil && !bytes.Equal(got, stateOf(last.Index)) {
			t.Fatalf("%v holds %d other bytes", last, len(got))
		}
		return err
	}))
}

// chunk is what a leader sends of a snapshot.
func chunk(t testing.TB, from *Keeper, s raft.Snapshot, offset uint64, size int) raft.InstallSnapshot {
	t.Helper()
	m := raft.InstallSnapshot{Last: s.Last, Size: s.Size, Offset: offset, Data: make([]byte, size)}
	n, err := from.Chunk(s.Last, offset, m.Data)
	ok(t, err)
	m.Data = m.Data[:n]
	m.Checksum = checksum(m.Data)
	return m
}

func ask(s raft.Snapshot) raft.InstallSnapshot {
	return raft.InstallSnapshot{Last: s.Last, Size: s.Size}
}

// send sends a snapshot as a leader does, from where the follower wants it, until it is complete or the disk
// of the follower fails.
func send(t testing.TB, from, to *Keeper, s raft.Snapshot, size int) (sent int, err error) {
	t.Helper()
	next, complete, err := to.Store(ask(s))
	for ; err == nil && complete == nil; sent++ {
		before := next
		next, complete, err = to.Store(chunk(t, from, s, next, size))
		if err == nil && complete == nil && next != min(before+uint64(size), s.Size) {
			t.Fatalf("after byte %d byte %d is wanted: %v", before, next, to.Refusal())
		}
	}
	if err == nil && (complete.Last != s.Last || complete.Size != s.Size || next != s.Size) {
		t.Fatalf("complete is %+v, next %d", complete, next)
	}
	return sent, err
}

func TestAKeeperKeepsTheNewestTwo(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	lists(t, k)
	saved(t, k, 10)
	lists(t, k, 10)
	for index := raft.Index(20); index <= 60; index += 10 {
		s := saved(t, k, index)
		lists(t, k, index, index-10)
		chunk(t, k, k.List()[1], 0, 10) // a reader of the older one must not keep it for ever
		if at := k.List()[0]; at.Size != s.Size || s.Size != uint64(len(m.Read(fileName(s.Last)))) {
			t.Fatalf("saved %d bytes, listed %d", s.Size, at.Size)
		}
		_, err := k.Chunk(id(index-20), 0, make([]byte, 10))
		fails(t, err, ErrMissing)
		fails(t, k.Restore(id(index-20), nil), ErrMissing)
	}
	ok(t, k.Close())
	lists(t, keep(t, m), 60, 50)
}

func TestASaveThatCannotBe(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	saved(t, k, 30)
	for what, c := range map[string]struct {
		change  func(*raft.Snapshot)
		want    error
		passing bool
	}{
		"the same once more": {func(s *raft.Snapshot) { s.Last = id(30) }, ErrStale, true},
		"an older one":       {func(s *raft.Snapshot) { s.Last = id(20) }, ErrStale, true},
		"index 0":            {func(s *raft.Snapshot) { s.Last = raft.EntryID{} }, ErrInvalid, false},
		"an older term":      {func(s *raft.Snapshot) { s.Last.Term = 1 }, ErrInvalid, false},
		"an address too long": {func(s *raft.Snapshot) {
			s.Members.Members[0].Address = strings.Repeat("x", 5000)
		}, ErrInvalid, false},
	} {
		s := named(40)
		c.change(&s)
		_, err := k.Save(s, stateOf(40))
		if !errors.Is(err, c.want) || Passing(err) != c.passing {
			t.Errorf("%s: %v, passing %v", what, err, Passing(err))
		}
	}
	lists(t, k, 30)
}

type halting struct{ state }

func (f halting) WriteTo(w io.Writer) (int64, error) {
	n, err := f.state.WriteTo(w)
	return n, errors.Join(err, errBroken)
}

type panicking struct{}

func (panicking) WriteTo(io.Writer) (int64, error) { panic("broken") }

// An image that fails, or panics, leaves nothing behind, and the next one can be saved.
func TestAnImageThatFails(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	_, err := k.Save(named(10), halting{stateOf(10)})
	fails(t, err, errBroken)
	func() {
		defer func() { _ = recover() }()
		_, _ = k.Save(named(10), panicking{})
	}()
	if len(m.Names()) > 0 || Passing(err) {
		t.Fatalf("%v is left after %v", m.Names(), err)
	}
	saved(t, k, 10)
	lists(t, k, 10)
}

// A full disk costs a snapshot, and no more than that: when there is room again the next one is saved.
func TestAFullDiskInSave(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	saved(t, k, 10)
	for room := int64(0); room < 3*4096; room += 4096 {
		m.Limit(m.Used() + room)
		_, err := k.Save(named(20), state(bytes.Repeat([]byte("x"), 4*4096)))
		fails(t, err, disk.ErrNoSpace)
		if !Passing(err) {
			t.Fatalf("a full disk is taken for a failed one: %v", err)
		}
		lists(t, k, 10)
	}
	m.Limit(0)
	saved(t, k, 20)
	lists(t, k, 20, 10)
}

// A failed sync is final, whatever its reason.
func TestAFailedSyncDoesNotPass(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	m.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpSync {
			return disk.ErrNoSpace
		}
		return nil
	})
	_, err := k.Save(named(10), stateOf(10))
	fails(t, err, disk.ErrNoSpace)
	m.Intercept(nil)
	_, again := k.Save(named(20), stateOf(20))
	fails(t, again, ErrFailed)
	if Passing(err) || Passing(again) {
		t.Errorf("%v, then %v: it passes", err, again)
	}
	_, _, err = k.Store(ask(raft.Snapshot{Last: id(30), Size: 5000}))
	fails(t, err, ErrFailed)
}

func TestASnapshotIsSent(t *testing.T) {
	from := keep(t, disk.NewMemory())
	s := saved(t, from, 10)
	for _, size := range []int{1, 7, 200, 208, 1000, 1 << 20} {
		m := disk.NewMemory()
		to := keep(t, m)
		_, err := send(t, from, to, s, size)
		ok(t, err)
		lists(t, to, 10)
		if sent, err := send(t, from, to, s, size); sent != 0 || err != nil { // it is there already
			t.Fatalf("sent again: %d chunks, %v", sent, err)
		}
		_, err = send(t, from, to, saved(t, keep(t, disk.NewMemory()), 10), size) // another server's
		ok(t, err)
		lists(t, keep(t, m), 10)
	}
	for _, offset := range []uint64{s.Size, s.Size + 1, 1 << 63} {
		_, err := from.Chunk(s.Last, offset, make([]byte, 10))
		fails(t, err, ErrInvalid)
	}
}

// What arrives late, twice, too early, or changed on its way moves nothing.
func TestChunksOutOfOrder(t *testing.T) {
	from, to := keep(t, disk.NewMemory()), keep(t, disk.NewMemory())
	s := saved(t, from, 10)
	first, second := chunk(t, from, s, 0, 300), chunk(t, from, s, 300, 300)
	changed := second
	changed.Data = append([]byte{second.Data[0] ^ 1}, second.Data[1:]...)
	absurd := second
	absurd.Offset = 1<<64 - 300
	for i, c := range []struct {
		m    raft.InstallSnapshot
		next uint64
	}{
		{second, 0}, {ask(s), 0}, {first, 300}, {first, 300}, {changed, 300}, {absurd, 300},
		{chunk(t, from, s, 600, 300), 300}, {ask(s), 300}, {second, 600}, {second, 600},
	} {
		next, complete, err := to.Store(c.m)
		if next != c.next || complete != nil || err != nil {
			t.Fatalf("message %d: next %d, complete %v, %v", i, next, complete, err)
		}
	}
	_, err := send(t, from, to, s, 300)
	ok(t, err)
}

// A transfer goes on where it stopped: after a lost connection, and in another process.
func TestATransferIsResumed(t *testing.T) {
	from := keep(t, disk.NewMemory())
	s := saved(t, from, 10)
	for stop := uint64(0); stop < s.Size; stop += 90 {
		m := disk.NewMemory()
		to := keep(t, m)
		for at := uint64(0); at < stop; at += 90 {
			_, _, err := to.Store(chunk(t, from, s, at, 90))
			ok(t, err)
		}
		if stop%4 == 0 {
			ok(t, to.Close())
		}
		if stop%3 == 0 {
			to = keep(t, m)
		}
		next, complete, err := to.Store(ask(s))
		if err != nil || complete != nil || next > stop || next+208+frame < stop && stop > 500 {
			t.Fatalf("stopped at %d, wanted from %d, complete %v: %v", stop, next, complete, err)
		}
		_, err = send(t, from, to, s, 400)
		ok(t, err)
		lists(t, to, 10)
	}
}

// A newer snapshot takes the place of one that was arriving; an older one is not taken.
func TestWhichSnapshotArrives(t *testing.T) {
	from, m := keep(t, disk.NewMemory()), disk.NewMemory()
	to := keep(t, m)
	older := saved(t, from, 10)
	newer := saved(t, from, 30)
	_, _, err := to.Store(chunk(t, from, older, 0, 300))
	ok(t, err)
	_, err = send(t, from, to, newer, 500)
	ok(t, err)
	lists(t, to, 30)
	next, complete, err := to.Store(chunk(t, from, older, 0, 300))
	if next != 0 || complete != nil || err != nil || !errors.Is(to.Refusal(), ErrStale) {
		t.Fatalf("next %d, complete %v, %v, refused for %v", next, complete, err, to.Refusal())
	}
	lists(t, to, 30)
	saved(t, to, 40)
	_, err = send(t, from, to, saved(t, from, 50), 500)
	ok(t, err)
	lists(t, to, 50, 40)
	if to.Refusal() != nil {
		t.Errorf("refused: %v", to.Refusal())
	}
	lists(t, keep(t, m), 50, 40)
}

// What has arrived is not what was announced, or no Keeper wrote it: all of it is dropped, and told.
func TestAMismatch(t *testing.T) {
	good := keep(t, disk.NewMemory())
	s := saved(t, good, 10)
	sections := written(t, 10) // a snapshot with other sections
	foreign, err := func() (*Store, error) {
		o := options()
		o.Cluster[0]++
		s, _, err := boot(disk.NewMemory(), o)
		return s, err
	}()
	ok(t, err)
	stranger := NewKeeper(foreign)
	theirs := saved(t, stranger, 10)
	for what, c := range map[string]struct {
		from *Keeper
		file raft.Snapshot
		want error
	}{
		"another snapshot":  {good, saved(t, good, 20), ErrMismatch},
		"another cluster":   {stranger, theirs, ErrForeign},
		"unknown sections":  {keep(t, sections), raft.Snapshot{Last: id(10)}, ErrMismatch},
		"the size is wrong": {good, s, ErrMismatch},
	} {
		to := keep(t, disk.NewMemory())
		content := make([]byte, 1<<20)
		n, err := c.from.Chunk(c.file.Last, 0, content)
		ok(t, err)
		m := raft.InstallSnapshot{Last: s.Last, Size: uint64(n), Data: content[:n],
			Checksum: checksum(content[:n])}
		if what == "the size is wrong" {
			m.Size++
		}
		next, complete, err := to.Store(m)
		if next != 0 || complete != nil || err != nil || !errors.Is(to.Refusal(), c.want) {
			t.Errorf("%s: next %d, complete %v, %v, refused for %v", what, next, complete, err, to.Refusal())
		}
		_, err = send(t, good, to, s, 500)
		ok(t, err)
		lists(t, to, 10)
	}
}
