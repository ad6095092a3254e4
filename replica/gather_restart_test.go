package replica

import (
	"testing"

	"balsa/raft"
)

// C2, C4: when the log is dropped while a write is under way, what waited behind that write goes with it. Its
// entries would be written behind the snapshot otherwise, where they never stood.
func TestWhatWaitedWhenTheLogWasDropped(t *testing.T) {
	r := &Replica{}
	r.gatherWrite(raft.Output{Write: 1, Entries: entriesOf(3, 1, 1, 1)})
	r.gather.Release = 2
	last := raft.EntryID{Term: 2, Index: 9}
	r.gatherWrite(raft.Output{Write: 2, Restart: last})
	if g := r.gather; g.Restart != last || len(g.Entries) > 0 || g.Release != 0 || g.Number != 2 {
		t.Errorf("to be written: %+v", g)
	}
	r.gatherWrite(raft.Output{Write: 3, Entries: entriesOf(10, 2, 2)})
	if g := r.gather; g.Restart != last || len(g.Entries) != 2 || g.Entries[0].Index != 10 {
		t.Errorf("and then: %+v", g)
	}
}
