package raft

import (
	"bytes"
	"slices"
)

// What one server can see of Figure 3, checked after every step. What it cannot see (one leader per term,
// log matching, leader completeness, equal applied prefixes) is checked where all servers are in view.
//
// Nothing here is reachable by what a peer sends: that is refused and counted. A failed assertion is a bug
// of ours or of the driver; it panics with a Violation, and the driver must stop using the server, writing
// and sending nothing more.

// Violation is what Step and Audit panic with when an invariant does not hold.
type Violation struct{ Sentence string }

// Error says which invariant did not hold.
func (v Violation) Error() string { return "raft: invariant violated: " + v.Sentence }

func violation(sentence string) Violation { return Violation{Sentence: sentence} }

func assert(holds bool, sentence string) {
	if !holds {
		panic(violation(sentence))
	}
}

// vitals is what must not go back across a step.
type vitals struct {
	hard                      HardState
	commitIndex, appliedIndex Index
	role                      Role
	last                      Index
	match                     Index // the sum over all peers of a leader that count
	base, snapshot            Index
	members                   Index // of the configuration in force
	turns                     int   // as in leading
}

func (c *Core) vitals() vitals {
	v := vitals{
		hard:         c.hard,
		commitIndex:  c.commitIndex,
		appliedIndex: c.appliedIndex,
		role:         c.role,
		last:         c.log.last().Index,
		base:         c.log.base.Index,
		snapshot:     c.snapshot.Last.Index,
		members:      c.members.index,
		turns:        c.leading.turns,
	}
	for i := range c.leading.peers {
		if p := &c.leading.peers[i]; !p.departing && !p.repairs {
			v.match += p.match
		}
	}
	return v
}

// check panics unless the server's own part of Figure 3 holds, now and across the step just taken.
func (c *Core) check(before vitals) {
	last := c.log.last()
	assert(c.appliedIndex <= c.outbox.committed, "applied beyond what was handed out")
	assert(c.outbox.committed <= c.commitIndex, "handed out beyond the commit index")
	assert(c.outbox.committed <= c.log.durable, "handed out beyond what is durable here")
	assert(c.commitIndex <= last.Index, "committed beyond the log")
	assert(last.Term <= c.hard.Term, "the log holds an entry from a later term")
	assert(c.log.durable <= c.log.saved && c.log.saved <= last.Index,
		"durable beyond saved, or saved beyond the log")
	assert(c.verified <= last.Index, "verified beyond the log")
	assert(c.members.index <= last.Index, "the configuration in force is not in the log")
	assert(c.handover.term <= c.hard.Term, "a transfer of leadership in a later term")
	assert(c.handover.term == 0 || c.handover.left > 0, "a transfer of leadership has outlived its time")
	assert(c.outbox.persisted <= c.outbox.written, "acknowledged a write that was not handed out")

	assert(c.log.base.Index <= c.snapshot.Last.Index, "the log begins behind a gap")
	assert(c.snapshot.Last.Index <= c.appliedIndex, "a snapshot of more than was applied")
	assert(c.snapshot.Last.Index <= c.log.durable, "what a snapshot includes is not durable")
	assert(c.snapshot.Last.Term <= c.hard.Term, "the snapshot is from a later term")
	assert(c.previous.Index <= c.snapshot.Last.Index, "the older snapshot is the newer one")
	assert(c.load.unapplied >= 0 && c.load.applied >= 0 && c.load.applied <= c.log.bytes,
		"bytes of the log are not accounted for")
	assert(len(c.outbox.chunks) <= 1, "more than one chunk waits")

	assert(before.hard.Term <= c.hard.Term, "the term went back")
	assert(before.base <= c.log.base.Index, "what was compacted came back")
	assert(before.snapshot <= c.snapshot.Last.Index, "the snapshot went back")
	assert(before.commitIndex <= c.commitIndex, "the commit index went back")
	assert(before.appliedIndex <= c.appliedIndex, "the applied index went back")
	if before.hard.Term == c.hard.Term {
		assert(before.hard.Vote == None || before.hard.Vote == c.hard.Vote, "voted twice in one term")
	}
	c.checkRole(before)
}

func (c *Core) checkRole(before vitals) {
	switch c.role {
	case Leader:
		assert(c.leader == c.config.ID && c.hard.Vote == c.config.ID, "leads without its own vote")
		assert(c.outbox.hardIn <= c.outbox.persisted, "leads in a term that is not durable")
		assert(c.leading.uncommitted >= 0, "uncommitted bytes below zero")
		c.checkPeers(before)
	case Candidate:
		assert(c.leader == None && c.hard.Vote == c.config.ID, "campaigns without its own vote")
	case PreCandidate:
		assert(c.leader == None, "asks for pre-votes although it hears a leader")
	case Follower:
		assert(c.leader != c.config.ID, "follows itself")
	}
	assert(c.role == Follower || !c.repair.on, "campaigns or leads although it repairs itself")
	assert(c.role == Follower || !c.load.unready, "campaigns or leads, and its machine can apply nothing")
	if c.role != Leader {
		assert(len(c.leading.peers) == 0, "keeps progress of followers without leading")
		assert(len(c.leading.reads) == 0, "keeps reads without leading")
	}
}

func (c *Core) checkPeers(before vitals) {
	match := Index(0)
	for i := range c.leading.peers {
		p := &c.leading.peers[i]
		assert(p.match < p.next, "next is not above match")
		assert(p.next <= c.log.last().Index+1, "next lies beyond the log")
		assert(len(p.onTheWay) <= c.config.Limits.Window, "more is on the way than the window admits")
		assert(!p.probing || len(p.onTheWay) <= 1, "more than one probe is on the way")
		assert(p.transfer.offset <= p.transfer.size, "a follower has more of a snapshot than there is")
		if !p.departing && !p.repairs {
			match += p.match
		}
	}
	if before.role != Leader || before.hard.Term != c.hard.Term {
		return
	}
	assert(before.last <= c.log.last().Index, "a leader shortened its own log")
	if before.members == c.members.index {
		assert(before.match <= match || before.turns != c.leading.turns, "match went back")
		return
	}
	assert(before.members <= c.commitIndex, "a change of membership was begun before the last was committed")
	assert(c.committedInTerm(), "a change of membership was begun before an entry of the term was committed")
}

// Audit checks what has to walk the log: call it in tests, not after every step of a server in use. It
// panics with a Violation.
func (c *Core) Audit() {
	before := c.log.base
	assert(c.log.holds(c.snapshot.Last), "the log does not join the snapshot")
	assert(c.log.bytes == c.log.size(c.snapshot.Last.Index, c.log.last().Index),
		"the bytes behind the snapshot are miscounted")
	assert(c.load.applied == c.log.size(c.snapshot.Last.Index, c.appliedIndex),
		"the bytes applied behind the snapshot are miscounted")
	assert(c.load.unapplied == c.log.size(c.appliedIndex, c.outbox.committed),
		"the bytes not applied are miscounted")
	for i := range c.log.entries.count {
		e := c.log.entries.at(i)
		assert(e.Index == before.Index+1, "the log has a gap")
		assert(e.Term >= before.Term, "terms fall within the log")
		assert(e.Kind.Valid(), "the log holds an entry of no kind")
		before = e.ID()
	}
	c.auditMembers()
	for i, f := range c.log.flights {
		assert(f.write > c.outbox.persisted, "a flight that has landed is still in the air")
		assert(i == 0 || c.log.flights[i-1].write < f.write, "flights out of order")
		assert(f.last <= c.log.saved, "a flight carries more than was saved")
	}
	for _, h := range c.outbox.held {
		assert(h.until > c.outbox.persisted, "a message is held although its write is durable")
		assert(h.Message.term() <= c.hard.Term, "a held message is of a later term")
	}
}

// auditMembers demands that the configurations known are those in the log behind the snapshot, and that below
// them stands the one that the snapshot bears; and that a leader has as peers all other members, and nobody
// else that counts.
func (c *Core) auditMembers() {
	known := append(slices.Clone(c.members.earlier), c.members.placed)
	assert(known[0].index <= c.snapshot.Last.Index, "no configuration is known for the snapshot")
	at := 1
	for _, e := range c.log.between(c.snapshot.Last.Index, c.log.last().Index) {
		if e.Kind != ConfigurationChange {
			continue
		}
		assert(at < len(known) && known[at].index == e.Index &&
			bytes.Equal(known[at].AppendTo(nil), e.Command), "a configuration in the log is not in force")
		at++
	}
	assert(at == len(known), "a configuration is in force that is not in the log")
	if c.role != Leader {
		return
	}
	for _, m := range c.members.Members {
		p := c.peer(m.ID)
		assert(m.ID == c.config.ID || p != nil && !p.departing, "a member is not among the leader's peers")
	}
	for _, p := range c.leading.peers {
		_, member := c.members.Member(p.id)
		assert(member != p.departing, "a peer that is no member counts")
	}
}
