package sim

import (
	"testing"

	"balsa/raft"
)

// TestSlowSnapshotsHoldUpNoAnswer: when nothing is wrong but that every snapshot takes longer to save than
// anybody waits, all that is asked for is answered in time. A write may be refused for want of room in
// the log, which nothing can shorten meanwhile.
func TestSlowSnapshotsHoldUpNoAnswer(t *testing.T) {
	for seed := range uint64(4) {
		s := small(5)
		s.Seed, s.Options.Faulty, s.Options.Keys = seed, 40*Second, 3
		s.Options.Limits.SnapshotBytes = 2 << 10
		for id := range s.Options.Nodes {
			slow := Op{At: Second, Kind: SnapshotSlow, Node: raft.NodeID(id + 1), Value: 1_000_000}
			s.Script = append(s.Script, slow)
			for at := Second; at < s.Options.Faulty; at += Second { // one that is not due is as slow
				s.Script = append(s.Script, Op{At: at + Millisecond, Kind: TakeSnapshot, Node: slow.Node})
			}
		}
		r := world(t, s, Parts{}).Run()
		if saved := tally(r.Effects).of(sawSaved); r.Violation != nil || r.Done.Unknown > 0 || saved < 6 ||
			r.Done.OK < 500 {
			t.Errorf("seed %d: %d snapshots are saved, %+v: %v", seed, saved, r.Done, r.Violation)
		}
	}
}
