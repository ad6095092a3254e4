package raft

import (
	"cmp"
	"slices"
)

// Log replication (§5.3).
//
// What a follower lacks is a difference of states like everything else: Output compares how far each
// follower has come with our log and sends one AppendEntries at a time to each. Whatever was proposed
// meanwhile travels together in the next one. Beside it an empty AppendEntries goes to each follower every
// heartbeat interval, whatever else is on its way. It names the follower's match as Prev, so one that
// overtakes entries is not refused; it leaves and is answered without waiting for a disk, so a slow disk
// does not depose a leader; and its answer tells the leader to send again what was lost.

// peer is what a leader knows of one follower (§5.3). match is a measurement, next a guess.
type peer struct {
	id    NodeID
	match Index // the follower durably holds our log up to here
	next  Index // the first entry to send; above match
	// awaiting is the sequence of the AppendEntries with entries that is on its way, or 0. Only its answer
	// may reject: an old rejection would send next back below what has been acknowledged since.
	awaiting Sequence
	// waited counts the heartbeats sent since then, patience how many of them may be answered before the
	// entries count as lost. It doubles each time: large entries on a slow link would otherwise be sent
	// again before they can have arrived, and again, until nothing gets through.
	waited, patience int
	told             Index // the commit index last sent
}

// maxPatience bounds, in heartbeats, how late lost entries are sent again.
const maxPatience = 32

func (c *Core) peer(id NodeID) *peer {
	at, ok := slices.BinarySearchFunc(c.peers, id,
		func(p peer, id NodeID) int { return cmp.Compare(p.id, id) })
	if !ok {
		return nil
	}
	return &c.peers[at]
}

// appendAsLeader appends one entry of this term to our log.
func (c *Core) appendAsLeader(kind Kind, command []byte) EntryID {
	assert(c.role == Leader, "only a leader appends entries of its own")
	e := Entry{
		Term:    c.hard.Term,
		Index:   c.log.last().Index + 1,
		Time:    c.clock.logTime(),
		Kind:    kind,
		Command: command,
	}
	c.appendToLog(e)
	c.uncommitted += e.Size()
	c.emit(Appended{Entry: e.ID(), Kind: kind})
	return e.ID()
}

// heartbeat begins a round: it asserts leadership, and asks each follower how far it has come.
func (c *Core) heartbeat() {
	c.round++
	for i := range c.peers {
		c.peers[i].waited++
		c.sendEmpty(&c.peers[i])
	}
}

// replicate sends to each follower what it lacks, if nothing is on its way to it: entries, or the news of a
// commit.
func (c *Core) replicate() {
	for i := range c.peers {
		p := &c.peers[i]
		switch {
		case p.awaiting != 0:
		case p.next <= c.log.last().Index:
			c.sendEntries(p)
		case p.told < min(c.commitIndex, p.match):
			c.sendEmpty(p)
		}
	}
}

func (c *Core) sendEntries(p *peer) {
	m := c.newAppend(p, p.next-1)
	m.Entries = c.log.after(m.Prev.Index, c.config.MaxAppendBytes)
	p.awaiting, p.waited = c.request(p.id, m, 0), 0
}

func (c *Core) sendEmpty(p *peer) {
	c.request(p.id, c.newAppend(p, p.match), 0)
}

func (c *Core) newAppend(p *peer, prev Index) AppendEntries {
	p.told = c.commitIndex
	return AppendEntries{Term: c.hard.Term, Prev: c.log.id(prev), Commit: c.commitIndex, Round: c.round}
}

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
	if !wellFormed(m) {
		c.refuse(from, m, Malformed)
		return
	}
	c.follow(m.Term, from, HeardLeader)
	c.resetTimer()
	if !c.log.holds(m.Prev) {
		c.rejectAppend(from, sequence, m, c.missing(m.Prev))
		return
	}
	if !c.adopt(from, m) {
		return
	}
	c.commitTo(min(m.Commit, c.verified))
	c.acceptAppend(from, sequence, m)
}

// adopt makes our log agree with the entries of the leader, and reports whether that was possible.
//
// Only a conflict truncates, and only from the conflicting entry on. A follower that cut its log to what
// the message holds would lose acknowledged entries to a message that was delayed.
func (c *Core) adopt(from NodeID, m AppendEntries) bool {
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
	}
	if len(fresh) > 0 {
		c.appendToLog(fresh...)
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
	answer := AppendEntriesResponse{Term: c.hard.Term, Round: m.Round}
	until := c.outbox.hardIn
	if n := len(m.Entries); n > 0 {
		answer.Match = m.Entries[n-1].Index
		if answer.Match > c.log.durable {
			until = max(until, c.outbox.entriesIn)
		}
	} else {
		answer.Match = min(c.log.durable, c.verified)
	}
	c.respond(from, sequence, answer, until)
}

func (c *Core) rejectAppend(from NodeID, sequence Sequence, m AppendEntries, why Reason) {
	answer := AppendEntriesResponse{Term: c.hard.Term, Rejected: true}
	if why != StaleTerm {
		answer.Round, answer.Conflict = m.Round, c.log.agreement(m.Prev)
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

// wellFormed reports whether the entries could stand in the log of a leader of that term, right after Prev.
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

// appendEntriesResponse learns how far a follower has come, or how far back to go (§5.3).
func (c *Core) appendEntriesResponse(from NodeID, sequence Sequence, m AppendEntriesResponse) {
	if c.role != Leader || m.Term < c.hard.Term {
		c.ignore(from, m, StaleResponse)
		return
	}
	p := c.peer(from)
	switch {
	case p == nil:
		c.refuse(from, m, UnknownSender)
	case m.Match > c.log.last().Index:
		c.refuse(from, m, BeyondLog)
	case m.Rejected:
		c.stepBack(p, sequence, m)
	default:
		c.acknowledged(p, sequence, m)
	}
}

// stepBack moves next back to where the logs can agree at the latest, and lets replicate try there.
//
// A rejection without a round answers a message of an older term, and bears our term only because it comes
// late. A leader that restarted since then counts its sequences anew: they could be equal by chance.
func (c *Core) stepBack(p *peer, sequence Sequence, m AppendEntriesResponse) {
	if sequence != p.awaiting || p.awaiting == 0 || m.Round == 0 {
		c.ignore(p.id, m, StaleResponse)
		return
	}
	if p.next <= p.match+1 { // it held durably what it now says it lacks: this could go on for ever
		c.refuse(p.id, m, LostEntries)
		return
	}
	p.awaiting, p.patience = 0, 1
	agreed := c.log.agreement(m.Conflict).Index
	p.next = max(p.match+1, min(agreed+1, p.next-1))
	c.emit(SteppedBack{Peer: p.id, Conflict: m.Conflict, Next: p.next})
}

// acknowledged takes a measurement. It never goes back: a late answer knows less than one that overtook it.
//
// An answer to something sent after the entries that are on their way, and that does not include them, says
// that they are lost, or slow, or wait for the follower's disk. After some patience they are sent again,
// which does no harm if they were not lost.
func (c *Core) acknowledged(p *peer, sequence Sequence, m AppendEntriesResponse) {
	if m.Match > p.match {
		p.match, p.patience = m.Match, 1
		c.emit(Replicated{To: p.id, Match: p.match})
		c.advanceCommit()
	}
	switch {
	case sequence == p.awaiting || p.match >= p.next: // it is answered, or was acknowledged with a later one
		p.awaiting = 0
	case sequence > p.awaiting && p.awaiting != 0 && p.waited >= p.patience:
		p.awaiting = 0
		p.patience = min(2*p.patience, maxPatience)
	}
	p.next = max(p.next, p.match+1)
}
