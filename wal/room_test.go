package wal

import (
	"testing"

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
