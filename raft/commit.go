package raft

// Committing entries (§5.3, §5.4.2).
//
// A leader counts replicas only for entries of its own term. Counting them for an older entry is the trap
// of Figure 8: S1 finds its term-2 entry on a majority, calls it committed and crashes; S5, whose last
// entry is from term 3, wins without it and overwrites it. Older entries are committed together with the
// first one of the leader's own term.
//
// The leader counts itself like everybody else, by what its own disk has: it may commit entries that a
// majority of *others* holds before its own write is done (thesis §10.2.1).

// advanceCommit commits what a quorum durably holds, if it is of this term.
func (c *Core) advanceCommit() {
	index := c.members.QuorumIndex(c.reached)
	if index <= c.commitIndex {
		return
	}
	if c.log.id(index).Term != c.hard.Term {
		c.emit(CommitHeld{Entry: c.log.id(index), Why: OldTerm})
		return
	}
	c.leading.uncommitted -= c.log.size(c.commitIndex, index)
	c.commitTo(index)
	c.confirmReads()
}

// reached tells how far a server durably holds our log.
func (c *Core) reached(id NodeID) Index {
	if id == c.config.ID {
		return c.log.durable
	}
	if p := c.peer(id); p != nil && !p.repairs {
		return p.match
	}
	return 0
}

// commitTo raises the commit index. A follower is told the leader's, and takes no more of it than the part
// of its own log that is known to be the leader's: what lies beyond may be overwritten by the next message.
func (c *Core) commitTo(index Index) {
	if index <= c.commitIndex {
		return
	}
	c.commitIndex = index
	c.emit(CommitAdvanced{Entry: c.log.id(index)})
}
