package wal

import (
	"runtime"
	"testing"
	"unsafe"

	"balsa/disk"
	"balsa/raft"
)

// TestRecoveredEntriesTakeLittleMore: what is taken for the entries of a long log is hardly more than they
// need, whatever their sizes are.
func TestRecoveredEntriesTakeLittleMore(t *testing.T) {
	sizes := map[string]func(i int) int{
		"equal":          func(int) int { return 100 },
		"large later":    func(i int) int { return 10 + i/5000*1000 },
		"small later":    func(i int) int { return 1000 / (1 + i/5000) },
		"some are large": func(i int) int { return i % 50 * i % 500 },
	}
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			m := disk.NewMemory()
			o := small()
			o.SegmentBytes = 1 << 20
			l, _ := mustBoot(t, m, o)
			var batch []raft.Entry
			const count = 14_000
			for i := 1; i <= count; i++ {
				if batch = append(batch, entry(1, raft.Index(i), size(i))); len(batch) == 100 {
					ok(t, l.Append(nil, batch))
					batch = nil
				}
			}
			ok(t, l.Close())
			_, r := mustBoot(t, m, o)
			if have := cap(r.Entries); len(r.Entries) != count || have > count*9/8+guessFrom {
				t.Errorf("%d entries, with room for %d", len(r.Entries), have)
			}
		})
	}
}

// TestALogIsReadIntoItsMemory: memory is taken once for each segment that is full, and once for all entries.
func TestALogIsReadIntoItsMemory(t *testing.T) {
	m, l := lengthy(t, func(l *Log) bool { return l.segment == 3 && l.offset > l.size/2 })
	r, took, _ := reading(t, m)
	if len(r.Entries) != int(l.outline.last) {
		t.Fatalf("%d entries of %d", len(r.Entries), l.outline.last)
	}
	entries := int64(unsafe.Sizeof(r.Entries[0])) * int64(len(r.Entries))
	last := r.tail.offset // it is not full: its entries are copied
	if most := bytesOf(r.chain.spans) + last + entries/16*17 + 128<<10; took > most {
		t.Errorf("%d bytes were taken for segments of %d and entries of %d: want %d", took,
			bytesOf(r.chain.spans), entries, most)
	}
}

// TestEntriesThatAreGoneKeepNoMemory: a log that begins late in a segment keeps little of that.
func TestEntriesThatAreGoneKeepNoMemory(t *testing.T) {
	m, l := lengthy(t, func(l *Log) bool { return l.segment == 3 })
	ok(t, l.Release(l.chain.spans[2].first-10))
	r, _, keeps := reading(t, m)
	if len(r.chain.spans) != 2 || r.base.segment != 2 {
		t.Fatalf("the log begins behind %v, in %+v", r.Before, r.chain.spans)
	}
	if keeps > 512<<10 {
		t.Errorf("%d entries keep %d bytes", len(r.Entries), keeps)
	}
}

// lengthy makes a log of small entries in segments of 1 MiB.
func lengthy(t *testing.T, done func(*Log) bool) (*disk.Memory, *Log) {
	m, o := disk.NewMemory(), small()
	o.SegmentBytes = 1 << 20
	l, _ := mustBoot(t, m, o)
	for !done(l) {
		var batch []raft.Entry
		for i := range raft.Index(100) {
			batch = append(batch, entry(1, l.outline.last+1+i, 20))
		}
		ok(t, l.Append(nil, batch))
	}
	return m, l
}

// reading reads a disk after a crash, and says how much memory was taken for it, and how much what it found
// keeps.
func reading(t *testing.T, m *disk.Memory) (r *recovery, took, keeps int64) {
	m.Kill()
	dir, err := m.Open()
	ok(t, err)
	defer dir.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r = newRecovery(dir, func(Piece) error { return nil })
	ok(t, r.read())
	runtime.ReadMemStats(&after)
	took = int64(after.TotalAlloc - before.TotalAlloc)
	r.newest, r.spare, r.room = nil, nil, nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	return r, took, int64(after.HeapAlloc) - int64(before.HeapAlloc)
}
