package snapshot

import (
	"bytes"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// What an earlier process has left of a large snapshot is verified piece by piece, so that no message takes
// longer than a piece does; and of what is verified, hardly anything is sent again.
func TestResumingTakesPiecesOfBoundedSize(t *testing.T) {
	from, m := keep(t, disk.NewMemory()), disk.NewMemory()
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 20_000)))
	ok(t, err)
	const size = 500
	to := keep(t, m)
	for at := uint64(0); at < 120_000; at += size {
		_, _, err := to.Store(chunk(t, from, file, at, size))
		ok(t, err)
	}
	to = keep(t, m)
	const piece = (16 + 1) * (200 + frame)
	const most = (16 + 2) * 4 // operations: a chunk is read, in two parts, and written; and a few syncs
	messages := 0
	next, complete := uint64(0), (*raft.Snapshot)(nil)
	for ; err == nil && complete == nil; messages++ {
		before, calls := next, m.Calls()
		next, complete, err = to.Store(chunk(t, from, file, before, size))
		if next < before || next > before+piece {
			t.Fatalf("from %d to %d with one message", before, next)
		}
		if took := m.Calls() - calls; took > most {
			t.Fatalf("%d operations of the disk at byte %d", took, before)
		}
		if before < 60_000 && next < before+piece/2 {
			t.Fatalf("only from %d to %d", before, next)
		}
	}
	ok(t, err)
	if sent := (int(file.Size) - 120_000) / size; messages > sent+120_000/piece+10 {
		t.Fatalf("%d messages, of which %d bring what is new", messages, sent)
	}
	readable(t, to, 10)
	readable(t, keep(t, m), 10)
}

// The process ends, or the power is cut, in the middle of resuming: nothing that was verified is lost, and
// what comes of it is whole.
func TestACrashWhileResuming(t *testing.T) {
	from := keep(t, disk.NewMemory())
	file, err := from.Save(named(10), state(bytes.Repeat([]byte("abcdefg"), 4000)))
	ok(t, err)
	for at := 1; at < 150; at += 3 {
		m := disk.NewMemory()
		to := keep(t, m)
		for at := uint64(0); at < 20_000; at += 1000 {
			_, _, err := to.Store(chunk(t, from, file, at, 1000))
			ok(t, err)
		}
		to = keep(t, m)
		at := at + m.Calls()
		m.Intercept(func(c disk.Call) error {
			if c.Number == at {
				return disk.ErrPowerCut
			}
			return nil
		})
		for next := uint64(0); err == nil; {
			next, _, err = to.Store(chunk(t, from, file, next, 1000))
		}
		fails(t, err, disk.ErrPowerCut)
		m.Crash(disk.KeepRandom(uint64(at)))
		to = keep(t, m)
		var next uint64
		for messages := 0; len(to.List()) == 0; messages++ {
			if next, _, err = to.Store(chunk(t, from, file, next, 1000)); err != nil || messages > 100 {
				t.Fatalf("after %d messages byte %d is wanted: %v", messages, next, err)
			}
		}
		readable(t, to, 10)
	}
}
