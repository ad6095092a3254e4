package snapshot

import (
	"errors"
	"io"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// Announcements of what no snapshot is are no fault of the disk.
func TestAbsurdAnnouncements(t *testing.T) {
	to := keep(t, disk.NewMemory())
	for _, m := range []raft.InstallSnapshot{
		{}, {Last: id(10)}, {Last: id(10), Size: 1}, {Last: id(10), Size: 1 << 63}, {Size: 5000},
		{Last: raft.EntryID{Index: 7}, Size: 5000}, {Last: id(10), Size: 1<<64 - 1, Data: []byte("x")},
	} {
		if next, complete, err := to.Store(m); next != 0 || complete != nil || err != nil {
			t.Errorf("%+v: next %d, complete %v, %v", m, next, complete, err)
		}
	}
}

// The disk is full just when what has arrived is to be dropped: the next transfer begins anew.
func TestAFullDiskAtAMismatch(t *testing.T) {
	from, m := keep(t, disk.NewMemory()), disk.NewMemory()
	s, other := saved(t, from, 10), saved(t, from, 20)
	to := keep(t, m)
	wrong := chunk(t, from, other, 0, 500)
	wrong.Last, wrong.Size = s.Last, s.Size
	_, _, err := to.Store(ask(s))
	ok(t, err)
	m.Intercept(func(c disk.Call) error {
		if c.Operation == disk.OpCreate {
			return disk.ErrNoSpace
		}
		return nil
	})
	for range 3 {
		if next, complete, err := to.Store(wrong); next != 0 || complete != nil || err != nil {
			t.Fatalf("next %d, complete %v, %v", next, complete, err)
		}
	}
	m.Intercept(nil)
	_, err = send(t, from, to, s, 300)
	ok(t, err)
	lists(t, to, 10)
}

// The power is cut, the process is killed, or an operation fails, at every operation of a history of saves
// and of a transfer: what was acknowledged is there, all that is listed is whole, and the transfer can be
// resumed.
func TestAKeeperThroughMisfortunes(t *testing.T) {
	from := keep(t, disk.NewMemory())
	sent := saved(t, from, 30)
	for _, fault := range []error{disk.ErrPowerCut, errBroken, disk.ErrNoSpace} {
		for at, failed := 1, true; failed; at++ {
			m := disk.NewMemory()
			k := keep(t, m)
			at := at + m.Calls()
			m.Intercept(func(c disk.Call) error {
				if c.Number == at {
					return fault
				}
				return nil
			})
			var acked raft.Index
			acked, failed = livesOn(t, k, from, sent)
			m.Intercept(nil)
			if errors.Is(fault, disk.ErrPowerCut) {
				m.Crash(disk.KeepRandom(uint64(at)))
			}
			again := keep(t, m)
			if list := again.List(); acked > 0 && (len(list) == 0 || list[0].Last.Index < acked) {
				t.Fatalf("%v at call %d: %v was acknowledged, and the newest is %+v", fault, at, acked, list)
			}
			for _, s := range again.List() {
				restores(t, again, s.Last)
			}
			if len(again.List()) == 0 || again.List()[0].Last.Index < 30 {
				_, err := send(t, from, again, sent, 300)
				ok(t, err)
			}
			saved(t, again, 50)
			lists(t, again, 50, again.List()[1].Last.Index)
		}
	}
}

// livesOn saves, receives and saves, until something fails, and returns what was acknowledged last.
func livesOn(t *testing.T, k, from *Keeper, sent raft.Snapshot) (acked raft.Index, failed bool) {
	for _, index := range []raft.Index{10, 20} {
		if _, err := k.Save(named(index), stateOf(index)); err != nil {
			return acked, true
		}
		acked = index
	}
	var next uint64
	for {
		last := next
		var complete *raft.Snapshot
		var err error
		next, complete, err = k.Store(chunk(t, from, sent, next, 300))
		if err != nil {
			return acked, true
		}
		if complete != nil {
			acked = 30
			break
		}
		if next == last && !errors.Is(k.Refusal(), disk.ErrNoSpace) {
			t.Fatalf("stuck at %d: %v", next, k.Refusal())
		}
	}
	if _, err := k.Save(named(40), stateOf(40)); err != nil {
		return acked, true
	}
	return 40, false
}

// A chunk that has rotted is not sent, and what stands elsewhere still is; the state is not restored from
// it.
func TestRotWhileASnapshotIsSent(t *testing.T) {
	m := disk.NewMemory()
	k := keep(t, m)
	s := saved(t, k, 10)
	m.Flip(fileName(s.Last), 8*1000)
	if _, err := k.Chunk(s.Last, 0, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	_, err := k.Chunk(s.Last, 900, make([]byte, 300))
	fails(t, err, ErrCorrupt)
	if _, err := k.Chunk(s.Last, 0, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	err = k.Restore(s.Last, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	fails(t, err, ErrCorrupt)
	err = k.Restore(s.Last, func(io.Reader) error { return nil }) // who does not read on is told all the same
	fails(t, err, ErrCorrupt)
	fails(t, k.Restore(s.Last, func(io.Reader) error { return errBroken }), errBroken)
}
