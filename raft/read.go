package raft

import "slices"

// Linearizable reads without a log entry (ReadIndex, thesis §6.4).
//
// A leader may have been deposed without knowing it, so its own state proves nothing. Before a read is
// served, a quorum must answer to a round that began after the read arrived: each of them was then still in
// this term, so no later leader can have committed anything before the read began. And what this leader
// calls committed is complete only once it has committed an entry of its own term (§8), so reads that come
// before wait for the no-op.
//
// One round serves every read that waits when it begins. Reads that arrive while a round is on wait for the
// next.

// read is a question that is not answered yet.
type read struct {
	ticket Ticket
	round  Round // a quorum must answer to this one or a later one; 0 until a round has begun for it
	index  Index // the commit index when the read arrived; 0 if nothing of this term was committed then
}

// Reading tells what became of a ReadIndex.
type Reading struct {
	Ticket  Ticket
	Index   Index   // the state with everything up to here applied answers the read; 0 when refused
	Refusal Refusal // Accepted, or why not: nothing was promised
}

// maxReads bounds the reads that wait in one leader, or a leader cut off from its followers would collect
// them for ever.
const maxReads = 1 << 16

// readIndex takes a read, or refuses it at once.
func (c *Core) readIndex(in ReadIndex) {
	l := &c.leading
	switch {
	case c.role != Leader:
		c.answerRead(Reading{Ticket: in.Ticket, Refusal: NotLeader})
	case in.Lease && c.HoldsLease():
		c.emit(ReadByLease{Ticket: in.Ticket, Index: c.commitIndex})
		c.answerRead(Reading{Ticket: in.Ticket, Index: c.commitIndex})
	case len(l.reads) >= maxReads:
		c.answerRead(Reading{Ticket: in.Ticket, Refusal: Overloaded})
	default:
		r := read{ticket: in.Ticket}
		if c.committedInTerm() {
			r.index = c.commitIndex
		}
		l.reads = append(l.reads, r)
		c.emit(ReadQueued{Ticket: in.Ticket})
	}
}

// committedInTerm reports whether this leader knows everything that was committed before its term.
func (c *Core) committedInTerm() bool {
	return c.log.id(c.commitIndex).Term == c.hard.Term
}

// beginReadRound begins a round for the reads that have none, unless one is on: that one's answers are soon
// here, and the next round then serves all that have come meanwhile. A round whose messages are lost is
// followed by that of the next heartbeat.
func (c *Core) beginReadRound() {
	reads := c.leading.reads
	if (len(reads) == 0 || reads[0].round != 0) && !c.leading.floorsAsked() {
		return
	}
	c.heartbeat()
}

// confirmReads answers the reads whose round a quorum has answered.
func (c *Core) confirmReads() {
	c.confirmFloors()
	l := &c.leading
	if len(l.reads) == 0 || !c.committedInTerm() {
		return
	}
	confirmed := c.confirmedRound()
	done := 0
	for done < len(l.reads) && l.reads[done].round != 0 && l.reads[done].round <= confirmed {
		r := l.reads[done]
		if r.index == 0 {
			r.index = c.commitIndex
		}
		c.answerRead(Reading{Ticket: r.ticket, Index: r.index})
		done++
	}
	if done > 0 {
		c.emit(ReadsConfirmed{Round: confirmed, Count: done})
		l.reads = slices.Delete(l.reads, 0, done)
	}
}

// confirmedRound is the highest round that a quorum has answered.
func (c *Core) confirmedRound() Round {
	return Round(c.members.QuorumIndex(func(id NodeID) Index { return Index(c.answeredRound(id)) }))
}

// answeredRound is the highest round that a server has answered. This one answers its own rounds at once.
func (c *Core) answeredRound(id NodeID) Round {
	if id == c.config.ID {
		return c.leading.round
	}
	if p := c.peer(id); p != nil && !p.repairs {
		return p.round
	}
	return 0
}

// abandonReads answers what can no longer be confirmed: whoever asked must not wait for ever.
func (c *Core) abandonReads() {
	for _, r := range c.leading.reads {
		c.answerRead(Reading{Ticket: r.ticket, Refusal: NotLeader})
	}
}

func (c *Core) answerRead(r Reading) {
	c.outbox.readings = append(c.outbox.readings, r)
}
