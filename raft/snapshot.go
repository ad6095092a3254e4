package raft

import "fmt"

// Snapshot names a state of the state machine, after an entry (§7), and what a server must know to go on
// behind it. The zero Snapshot is none.
type Snapshot struct {
	Last         EntryID       // the last entry that it includes
	Time         Time          // log time of that entry
	Members      Configuration // in force at that entry, with the members' incarnations
	MembersIndex Index         // of the entry that brought it; 0: the bootstrap configuration
	Size         uint64        // bytes of the file, as it is sent
}

// Validate returns an error when no correct server can have made the snapshot. The zero Snapshot is none, and
// valid.
func (s Snapshot) Validate() error {
	if s.Last == (EntryID{}) {
		return nil
	}
	switch {
	case s.Last.Index == 0 || s.Last.Term == 0:
		return fmt.Errorf("raft: a snapshot up to %v, where no entry can be", s.Last)
	case s.MembersIndex > s.Last.Index:
		return fmt.Errorf("raft: the snapshot up to %v has a configuration from index %d", s.Last,
			s.MembersIndex)
	}
	return s.Members.validate()
}

// SnapshotDue reports whether so much was applied behind the last snapshot that the next should be taken
// (Limits.SnapshotBytes).
func (c *Core) SnapshotDue() bool { return false }

// LogTime returns the log time that an entry would bear if this server, as leader, appended it now.
func (c *Core) LogTime() Time { return c.clock.logTime() }

// Limits returns the limits in force, defaults filled in.
func (c *Core) Limits() Limits { return c.config.Limits }
