package raft

// Limits bound what may be under way in one server, in bytes of entries (Entry.Size) where the name says
// so. Zero takes the default. Each limit always lets one entry through, however large, when nothing else is
// under way.
type Limits struct {
	// AppendBytes bounds the entries of one AppendEntries. 0 means 1 MiB.
	AppendBytes int
	// Window bounds the AppendEntries with entries on their way to one follower, 0 means 64; InFlightBytes
	// their entries, 0 means 8 MiB. A bound by count alone would let 64 large messages pile up at each slow
	// follower.
	Window, InFlightBytes int
	// UncommittedBytes bounds a leader's entries that are not committed: beyond it proposals are refused as
	// Overloaded, or a leader cut off from its followers would grow without end. 0 means 64 MiB.
	UncommittedBytes int
	// BacklogBytes bounds a server's entries that are committed and not applied, and those that are handed
	// out and not durable: a follower beyond it takes no entries until that has drained
	// (AppendEntriesResponse.Busy), a leader refuses proposals as Overloaded. 0 means 64 MiB.
	BacklogBytes int
	// SnapshotBytes is the budget of entries behind the last snapshot, or the size of that snapshot when it
	// is larger: what is written for snapshots stays in proportion to what is written for the log. Beyond it
	// SnapshotDue asks for the next one; beyond twice that a leader refuses proposals as Overloaded, and
	// beyond three times that a follower whose snapshot is due takes no entries until it is there. 0 means
	// 64 MiB; below 0, no snapshot is ever due, and the log may grow without end.
	SnapshotBytes int
	// TrailingBytes bounds the entries kept in memory that the last snapshot includes, for followers that are
	// a little behind. 0 means 16 MiB; below 0, none are kept. While a follower joins by a snapshot, a leader
	// may keep as many more as make the next one due.
	TrailingBytes int
	// ChunkBytes bounds the Data of one InstallSnapshot. 0 means 256 KiB.
	ChunkBytes int
	// PromoteBytes bounds the entries that a learner may lack when it is promoted by itself: they are what a
	// commit may have to wait for. 0 means 1 MiB.
	PromoteBytes int
	// Version is the highest cluster version that this program supports: as leader it raises
	// Configuration.Version no further, or the servers could be told to use what they do not know. 0 means 0,
	// with which every cluster begins.
	Version uint32
}

// load is what this server is behind with.
type load struct {
	unapplied int  // bytes of entries handed out to be applied, and not applied
	applied   int  // bytes of entries applied, behind the newest snapshot
	busy      bool // a leader was told so, and must be told when it is over
	unready   bool // the state machine is being restored, and can apply nothing
}

// overloaded reports whether a leader should not append a command of that size.
func (c *Core) overloaded(size int) bool {
	l, limits := &c.leading, c.config.Limits
	if l.uncommitted > 0 && l.uncommitted+size > limits.UncommittedBytes {
		return true
	}
	// As long as no snapshot is due, none comes to make room: one command, however large, must get through.
	behind := uint64(c.log.bytes)
	if due, is := c.snapshotBudget(); is && behind >= due && behind+uint64(size) > 2*due {
		return true
	}
	return c.backlogged()
}

// backlogged reports whether this server's disk, state machine or snapshots are behind by more than their
// budget. All drain without new entries, so whoever is refused for it can come again. A follower's log may
// grow somewhat longer than a leader's, for it takes what that has accepted.
func (c *Core) backlogged() bool {
	if due, is := c.snapshotBudget(); is && c.SnapshotDue() && uint64(c.log.bytes) > 3*due {
		return true
	}
	return c.log.unsynced > c.config.Limits.BacklogBytes || c.load.unapplied > c.config.Limits.BacklogBytes
}
