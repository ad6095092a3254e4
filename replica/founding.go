package replica

import (
	"fmt"

	"balsa/raft"
)

// The founding of a cluster, and when it must not go on.
//
// As long as no configuration entry names the incarnations, nobody but those who have met a data directory
// can tell it from one that was wiped. A majority whose disks were wiped and that is started again by the old
// command line would elect one of its own, and found an empty cluster beside the survivor, who holds the
// data. The survivor listens to none of them, and says why. At a first start nobody can say that: who has
// been met under an id is who still has it.
//
// So a server that has started with nothing, and is told so before it knows anything to be committed, neither
// campaigns nor votes. It still follows: if the cluster is alive, its leader is heard. The survivor's word
// may come too late, when it is down or cut off: then nobody can know.

// founding is what a server that founds a cluster knows of it.
type founding struct {
	bare    bool // it has started with nothing on its disk, as one of the first members
	doubted bool // another has met another data directory under its id
}

// FoundingHalted is the event that a server does not found a cluster, for there is one already.
type FoundingHalted struct{ By raft.NodeID }

// String is one sentence that says what to do.
func (e FoundingHalted) String() string {
	return fmt.Sprintf("does not help to found this cluster anew, as node %v has known it with another data "+
		"directory of this node: if a majority has lost its data, `balsa recover` keeps what node %v has; "+
		"otherwise `balsa member replace` lets this node take its old place; if the cluster never came to "+
		"be, start all its nodes with empty data directories", e.By, e.By)
}

func newFounding(restored raft.Restored) founding {
	return founding{bare: !restored.Joins && !restored.Repairing && restored.Before == raft.EntryID{} &&
		len(restored.Entries) == 0 && restored.Snapshot.Last == raft.EntryID{}}
}

// doubtFounding takes the word of a first member that does not listen to this one.
func (r *Replica) doubtFounding(by raft.Identity, why raft.IdentityReason) {
	if why != raft.OtherIncarnation || by.Cluster != r.config.Identity.Cluster || r.foundingHalted() {
		return
	}
	if r.gate.founding.doubted = true; r.foundingHalted() {
		r.ready = append(r.ready, Report{Events: []raft.Event{FoundingHalted{By: by.Node}}})
	}
}

// foundingHalted reports whether this server must not help to found the cluster. It is over for good as soon
// as a leader tells it that something is committed.
func (r *Replica) foundingHalted() bool {
	return r.gate.founding.bare && r.gate.founding.doubted && r.core.Commit() == 0
}

func asksForVote(m raft.Message) bool {
	switch m.(type) {
	case raft.PreVote, raft.RequestVote:
		return true
	}
	return false
}
