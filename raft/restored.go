package raft

import "fmt"

// Restored is what a server finds on its disk when it starts; zero, but for Members, when it starts for the
// first time.
type Restored struct {
	HardState HardState
	// Snapshot is the one from which the state machine is, or will be, restored before any entry is applied;
	// zero when there is none.
	Snapshot Snapshot
	Before   EntryID // the entry right before Entries[0]; zero when they begin at index 1
	Entries  []Entry // contiguous; may begin at or below Snapshot.Last
	// Members is the bootstrap configuration, in force as long as neither a snapshot nor an entry brings
	// another.
	Members Configuration
	// Joins says that this server joins a cluster whose bootstrap configuration it does not know: Members is
	// empty. It votes and follows, and does not campaign before it has learned that it is a voter.
	Joins bool
	// Incarnation is that of this server's data directory. A configuration that names its id with another one
	// means another server: what was removed, wiped and added again must not take the vote that its
	// predecessor had for its own when it is sent the log of that time. 0, which is for tests: the id is
	// enough.
	Incarnation Incarnation
	// Repairing says that the disk was damaged, and what this server promised may be lost: it counts for
	// nothing until Output.Repaired (see repair.go). HardState and log are what is left, if only in part.
	Repairing bool
	// Start is the number of this start of the data directory, above that of any before. 0, which is for
	// tests and not for who is Repairing: starts are not counted.
	Start uint64
	// Unready says that the state machine is yet to be restored; see the input Readiness.
	Unready bool
}

// validate refuses what a correct disk cannot hold: to go on from it would be to guess. It returns the
// configurations that the entries carry.
func (r *Restored) validate() ([]placed, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	all, err := carried(r.Entries)
	if err != nil {
		return nil, fmt.Errorf("raft: the restored log: %w", err)
	}
	return all, nil
}

func (r *Restored) check() error {
	if r.Joins && len(r.Members.Members) > 0 {
		return fmt.Errorf("raft: a server that joins was restored with a bootstrap configuration")
	}
	if err := r.Members.validate(); err != nil && !r.Joins {
		return err
	}
	if err := r.Snapshot.Validate(); err != nil {
		return err
	}
	before, last := r.Before, r.Snapshot.Last
	if before.Index > last.Index || (before.Index == 0) != (before.Term == 0) {
		return fmt.Errorf("raft: the restored log begins behind %v, and the snapshot ends in %v: "+
			"what lies between them is missing", before, last)
	}
	for _, e := range r.Entries {
		if e.Index != before.Index+1 || e.Term < before.Term || e.Term == 0 || !e.Kind.Valid() {
			return fmt.Errorf("raft: restored entry %v of kind %v cannot follow %v", e.ID(), e.Kind, before)
		}
		before = e.ID()
	}
	if before.Term > r.HardState.Term {
		return fmt.Errorf("raft: the restored log ends in %v, beyond the restored term %d", before,
			r.HardState.Term)
	}
	if last.Term > r.HardState.Term {
		return fmt.Errorf("raft: the restored snapshot ends in %v, beyond the restored term %d", last,
			r.HardState.Term)
	}
	return nil
}
