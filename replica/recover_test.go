package replica

import (
	"errors"
	"testing"

	"balsa/raft"
)

// The newest snapshot is the state to begin with, and the log must reach back to it. The bootstrap
// configuration is the snapshot at index 0.
func TestTheLogMustReachBackToTheNewestSnapshot(t *testing.T) {
	at := func(i raft.Index) raft.EntryID { return raft.EntryID{Term: 1, Index: i} }
	newest, older := raft.Snapshot{Last: at(20)}, raft.Snapshot{Last: at(10)}
	for _, test := range []struct {
		before    raft.EntryID
		snapshots []raft.Snapshot
		gap       bool
	}{
		{raft.EntryID{}, nil, false},
		{at(1), nil, true},
		{raft.EntryID{}, []raft.Snapshot{newest, older}, false},
		{at(10), []raft.Snapshot{newest, older}, false},
		{at(20), []raft.Snapshot{newest}, false},
		{at(21), []raft.Snapshot{newest, older}, true},
		{at(11), []raft.Snapshot{older}, true},
	} {
		restored, err := Recover(raft.Configuration{}, raft.HardState{}, test.before, nil, test.snapshots)
		switch {
		case errors.Is(err, ErrGap) != test.gap:
			t.Errorf("behind %v with %v: %v", test.before, test.snapshots, err)
		case err == nil && len(test.snapshots) > 0 && restored.Snapshot.Last != test.snapshots[0].Last:
			t.Errorf("behind %v with %v: begins at %v", test.before, test.snapshots, restored.Snapshot.Last)
		}
	}
}

// A snapshot that is found damaged may be done without only if nothing that it stood for is missing.
func TestWhatADamagedSnapshotIncludedMustBeThere(t *testing.T) {
	restored := raft.Restored{
		Snapshot: raft.Snapshot{Last: raft.EntryID{Term: 1, Index: 10}},
		Before:   raft.EntryID{Term: 1, Index: 8},
	}
	for i := raft.Index(9); i <= 12; i++ {
		restored.Entries = append(restored.Entries, raft.Entry{Term: 2, Index: i})
	}
	for _, test := range []struct {
		last raft.EntryID
		want bool
	}{
		{raft.EntryID{Term: 1, Index: 5}, true},
		{raft.EntryID{Term: 1, Index: 10}, true},
		{raft.EntryID{Term: 2, Index: 11}, true},
		{raft.EntryID{Term: 2, Index: 12}, true},
		{raft.EntryID{Term: 2, Index: 13}, false}, // received, and acknowledged before the log began anew
		{raft.EntryID{Term: 3, Index: 12}, false}, // the log conflicts with it
	} {
		if got := Includes(restored, test.last); got != test.want {
			t.Errorf("includes %v: %v", test.last, got)
		}
	}
	if Includes(raft.Restored{Before: raft.EntryID{Term: 1, Index: 8}}, raft.EntryID{Term: 1, Index: 7}) {
		t.Error("what was released is included though no snapshot has it")
	}
}
