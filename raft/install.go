package raft

// InstallSnapshot (§7), the follower's half; the leader's is in snapshot.go.
//
// The core sees no byte of a snapshot: it hands each chunk to the driver, to be stored, and answers when that
// is done. When all of it is there, the driver makes it durable, restores the machine from it, and says so
// (Installed). Only then does it change the log, by the paper's rule: a log that holds the snapshot's last
// entry keeps what follows it, any other is dropped as a whole.
//
// Between a snapshot that is durable and a log that begins anew behind it lies a moment in which a crash
// leaves both. A server that starts with them comes to the same end (newLog), so the leader may be told
// before the log on disk has changed.

// installSnapshot takes a chunk from the leader.
func (c *Core) installSnapshot(from NodeID, sequence Sequence, m InstallSnapshot) {
	if m.Term < c.hard.Term { // a leader that was deposed: our term tells it so
		c.ignore(from, m, StaleTerm)
		// It names no snapshot: this server, leading again in our term, could take it for the answer to
		// another message of the same sequence.
		c.respond(from, sequence, InstallSnapshotResponse{Term: c.hard.Term}, c.outbox.hardIn)
		return
	}
	if c.role == Leader || c.leader != None && c.leader != from {
		c.refuse(from, m, SecondLeader)
		return
	}
	if !wellFormedChunk(m) {
		c.refuse(from, m, Malformed)
		return
	}
	c.follow(m.Term, from, HeardLeader)
	c.resetTimer()
	if m.Last.Index > c.commitIndex {
		// One that still waits is replaced, as if the network had lost it: the leader has given it up.
		c.outbox.chunks = []Chunk{{From: from, Sequence: sequence, Message: m}}
		return
	}
	term, known := c.log.term(m.Last.Index)
	switch {
	case known && term != m.Last.Term:
		c.refuse(from, m, CommittedConflict)
	case m.Last.Index > c.log.durable:
		c.ignore(from, m, NotDurable)
	default:
		c.reportInstalled(from, sequence, m.Last)
	}
}

// wellFormedChunk reports whether a leader of that term could send it.
func wellFormedChunk(m InstallSnapshot) bool {
	return m.Last.Index > 0 && m.Last.Term > 0 && m.Last.Term <= m.Term &&
		m.Offset <= m.Size && uint64(len(m.Data)) <= m.Size-m.Offset
}

// takeChunks hands out the chunk that waits, once the present term is durable: a snapshot on disk must not be
// of a later term than the server remembers. What has come to be committed meanwhile is not needed any more.
func (c *Core) takeChunks() []Chunk {
	o := &c.outbox
	if len(o.chunks) == 0 || o.hardIn > o.persisted {
		return nil
	}
	chunks := o.chunks
	o.chunks = nil
	if chunks[0].Message.Last.Index <= c.commitIndex {
		return nil
	}
	return chunks
}

// chunkStored answers the leader that sent the chunk. To one of another term the answer would be to a
// question that is no longer open, and by its sequence it could be taken for the answer to another.
func (c *Core) chunkStored(in ChunkStored) {
	if in.Term != c.hard.Term {
		return
	}
	if in.Last.Index <= min(c.commitIndex, c.log.durable) {
		c.reportInstalled(in.From, in.Sequence, in.Last)
		return
	}
	answer := InstallSnapshotResponse{Term: c.hard.Term, Last: in.Last, Next: in.Next}
	c.respond(in.From, in.Sequence, answer, c.outbox.hardIn)
}

// installed goes on behind a snapshot that was received, and tells the leader.
func (c *Core) installed(s Snapshot) {
	if s.Last.Index > c.snapshot.Last.Index {
		c.install(s)
	}
	if c.role == Follower && c.leader != None && s.Last.Index > 0 {
		c.reportInstalled(c.leader, 0, s.Last)
	}
}

// reportInstalled tells the leader that everything up to an entry is durable here and committed.
func (c *Core) reportInstalled(to NodeID, sequence Sequence, last EntryID) {
	answer := InstallSnapshotResponse{Term: c.hard.Term, Last: last, Complete: true}
	c.respond(to, sequence, answer, c.outbox.hardIn)
}

// install puts a snapshot in force. Whatever it includes is committed, applied, and, in the snapshot,
// durable; and being committed, it is in the log of every leader of this term.
func (c *Core) install(s Snapshot) {
	assert(s.Validate() == nil, "the driver installed a snapshot without a configuration")
	assert(s.Last.Term <= c.hard.Term, "the driver installed a snapshot of a later term")
	last, o := s.Last.Index, &c.outbox
	kept := c.log.holds(s.Last)
	// Only a leader that lied can have brought about a contradiction. The machine already has its lie.
	assert(kept || last > c.commitIndex, "the snapshot contradicts what is committed")
	assert(kept || c.role != Leader, "the leader lacks what is committed")

	c.load.unapplied -= c.log.size(c.appliedIndex, min(o.committed, last))
	if c.role == Leader {
		c.leading.uncommitted -= c.log.size(c.commitIndex, last)
	}
	o.committed, c.appliedIndex = max(o.committed, last), max(c.appliedIndex, last)
	if kept {
		// What the log says is what this server has acted upon. One that joins has it of the snapshot alone.
		if members, index := c.MembersAt(last); len(members.Voters) > 0 {
			s.Members, s.MembersIndex = members, index
		}
		c.keepBehind(s.Last)
	} else {
		c.log.begin(s)
		c.revertMembers(last + 1) // what follows is not there any more
		c.verified = last
		if c.role != Follower { // votes were asked for with a log that is no longer there
			c.giveUpLeader(LogReplaced)
		}
	}
	c.verified = max(c.verified, last)
	c.log.bytes = c.log.size(last, c.log.last().Index)
	c.load.applied = c.log.size(last, c.appliedIndex)
	c.previous, c.snapshot = c.snapshot.Last, s
	c.beginMembers(s)
	c.commitTo(last)
	c.emit(SnapshotInstalled{Last: s.Last, Kept: kept})
	c.compact()
}

// keepBehind makes the part of the log that a snapshot includes durable by that snapshot. What has not even
// been handed out of it need not be written any more: the log on disk begins anew behind it.
func (c *Core) keepBehind(last EntryID) {
	if c.log.saved < last.Index {
		c.log.restartBehind(last)
	}
	c.log.durable = max(c.log.durable, last.Index)
}
