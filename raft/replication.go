package raft

// Log replication (§5.3), the follower's half; the leader's is in progress.go.

// appendEntries takes the leader's entries (§5.3, "AppendEntries RPC").
func (c *Core) appendEntries(from NodeID, sequence Sequence, m AppendEntries) {
	if m.Term < c.hard.Term { // a leader that was deposed: our term tells it so
		c.rejectAppend(from, sequence, m, StaleTerm)
		return
	}
	if c.role == Leader || c.leader != None && c.leader != from {
		c.refuse(from, m, SecondLeader)
		return
	}
	configurations, err := carried(m.Entries)
	if !wellFormed(m) || err != nil {
		c.refuse(from, m, Malformed)
		return
	}
	c.follow(m.Term, from, HeardLeader)
	c.resetTimer()
	c.quiet = 0 // the answer confirms a round
	c.heardRound = max(c.heardRound, m.Round)
	if m.Prev.Index < c.log.base.Index {
		// We cannot compare, and need not: what our snapshot includes, and whatever else we know to be
		// committed, is in the log of every leader of this term. A rejection would be repeated for ever.
		c.verified = max(c.verified, c.commitIndex)
	} else if !c.log.holds(m.Prev) {
		c.rejectAppend(from, sequence, m, c.missing(m.Prev))
		return
	}
	if c.backlogged() { // contact counts and Prev is verified, but the entries are not taken
		m.Entries, c.load.busy = nil, true
	}
	if !c.adopt(from, m, configurations) {
		return
	}
	c.commitTo(min(m.Commit, c.verified))
	c.acceptAppend(from, sequence, m)
}

// adopt makes our log agree with the entries of the leader, and reports whether that was possible.
//
// Only a conflict truncates, and only from the conflicting entry on. A follower that cut its log to what
// the message holds would lose acknowledged entries to a message that was delayed.
func (c *Core) adopt(from NodeID, m AppendEntries, configurations []placed) bool {
	skip, conflict := c.log.firstNew(m.Entries)
	fresh := m.Entries[skip:]
	truncated := Index(0)
	if conflict {
		truncated = fresh[0].Index
		if truncated <= max(c.commitIndex, c.verified) {
			// No correct leader replaces what was committed, or what it sent itself before.
			c.refuse(from, m, CommittedConflict)
			return false
		}
		c.log.truncate(truncated)
		c.revertMembers(truncated)
	}
	if len(fresh) > 0 {
		c.appendToLog(fresh, behind(fresh[0].Index-1, configurations))
	}
	c.verified = max(c.verified, m.Prev.Index+Index(len(m.Entries)))
	if len(m.Entries) > 0 {
		c.emit(AppendAccepted{From: from, Prev: m.Prev, Entries: len(m.Entries), New: len(fresh),
			Truncated: truncated})
	}
	return true
}

// acceptAppend acknowledges. With entries, the acknowledgement waits until they are durable. Without, it
// leaves at once and claims what is durable already and known to be the leader's: it may be less than Prev,
// and is then no rejection.
func (c *Core) acceptAppend(from NodeID, sequence Sequence, m AppendEntries) {
	answer := c.progress()
	answer.Round = m.Round
	until := c.outbox.hardIn
	if n := len(m.Entries); n > 0 {
		answer.Match = m.Entries[n-1].Index
		if answer.Match > c.log.durable {
			until = max(until, c.outbox.entriesIn)
		}
	}
	c.respond(from, sequence, answer, until)
}

// progress is what this follower can say of its log without promising anything new.
func (c *Core) progress() AppendEntriesResponse {
	return AppendEntriesResponse{
		Term:  c.hard.Term,
		Match: min(c.log.durable, c.verified),
		Holds: c.verified,
		Busy:  c.load.busy,
	}
}

// reportReady tells the leader that entries are taken again, as soon as they are: it sends none before.
func (c *Core) reportReady() {
	if !c.load.busy || c.backlogged() {
		return
	}
	c.load.busy = false
	if c.role == Follower && c.leader != None {
		c.respond(c.leader, 0, c.progress(), c.outbox.hardIn)
	}
}

func (c *Core) rejectAppend(from NodeID, sequence Sequence, m AppendEntries, why Reason) {
	answer := AppendEntriesResponse{Term: c.hard.Term, Rejected: true}
	if why != StaleTerm {
		// Rounds are counted within a term. Echoed under our newer one, that of a deposed leader could
		// confirm a read for the same server in its next reign, which has a round of that number too.
		answer.Round, answer.Conflict, answer.Busy = m.Round, c.log.agreement(m.Prev), c.load.busy
	}
	c.emit(AppendRejected{From: from, Prev: m.Prev, Why: why, Conflict: answer.Conflict})
	c.respond(from, sequence, answer, c.outbox.hardIn)
}

// missing tells why our log does not hold an entry: it ends before it, or holds another one there.
func (c *Core) missing(prev EntryID) Reason {
	if prev.Index > c.log.last().Index {
		return Gap
	}
	return Conflict
}

// wellFormed reports whether the entries could stand in the log of a leader of that term, right after Prev,
// if what they carry can be read. A kind that nobody knows could not, nor could a configuration that cannot
// be read: once in the log and committed, such an entry would stop every node that has to apply it, for good.
func wellFormed(m AppendEntries) bool {
	before := m.Prev
	for _, e := range m.Entries {
		if e.Index != before.Index+1 || e.Term < before.Term || e.Term == 0 || !e.Kind.Valid() {
			return false
		}
		before = e.ID()
	}
	return before.Term <= m.Term && (m.Prev.Term == 0) == (m.Prev.Index == 0)
}
