package balsa

import (
	"sync/atomic"

	"balsa/raft"
	"balsa/replica"
)

// Reads of one kind are asked for together: what confirms one of them confirms all that began before it was
// asked for. While maxRounds are asked for, those that come wait for the next, unless it takes long.

// reading is what kind of read a caller asks for.
type reading uint8

const (
	noRead reading = iota
	linearizable
	linearizableHere // without forwarding
	leased
	leasedHere

	readings = iota
)

// readingOf returns the kind of a read that the leader confirms.
func readingOf(mode ReadMode) reading {
	kind := linearizable
	if mode.Consistency == Leased {
		kind = leased
	}
	if mode.Local {
		kind++
	}
	return kind
}

// maxRounds is how many rounds of one kind are asked for at a time: one for those who have just come, beside
// one that is on its way.
const maxRounds = 2

// rounds are the reads that wait for an answer.
type rounds struct {
	open  map[raft.Ticket]*round
	next  [readings]*round // who has come since the last one began
	many  [readings]int    // how many are open
	begun [readings]raft.Time
}

// round is several reads that are one question.
type round struct {
	kind    reading
	members []*request
	ticket  raft.Ticket  // set when it begins
	leased  bool         // as well
	left    atomic.Int32 // who waits; one more until it begins
}

// join has a read wait for the next round.
func (c *callers) join(r *request) {
	next := c.rounds.next[r.read]
	if next == nil {
		next = &round{kind: r.read}
		next.left.Store(1)
		c.rounds.next[r.read] = next
	}
	r.round = next
	next.left.Add(1)
	if !r.fate.CompareAndSwap(asking, taken) {
		next.left.Add(-1)
		return
	}
	next.members = append(next.members, r)
}

// beginRounds asks the replica for the rounds that may begin, and reports whether there was one.
func (l *loop) beginRounds() (began bool) {
	c, now := &l.callers.rounds, l.clock.now()
	for kind, r := range c.next {
		if r == nil || c.many[kind] >= maxRounds && now-c.begun[kind] < raft.Time(tick) {
			continue
		}
		c.next[kind] = nil
		l.callers.last++
		if r.ticket = l.callers.last; r.left.Add(-1) == 0 {
			continue // nobody waits any more
		}
		began = true
		r.leased = r.kind >= leased && l.replica.Members().LeaseDrift != 0
		c.open[r.ticket] = r
		c.many[kind]++
		c.begun[kind] = now
		here := r.kind == linearizableHere || r.kind == leasedHere
		l.step(replica.Asked{Ticket: r.ticket, Local: here, Lease: r.leased})
	}
	return began
}

// end forgets a round, which it returns; nil if there is none of that name.
func (c *rounds) end(ticket raft.Ticket) *round {
	r := c.open[ticket]
	if r != nil {
		delete(c.open, ticket)
		c.many[r.kind]--
	}
	return r
}

// answer gives everybody the answer. An error of theirs is a copy (nothingApplied).
func (r *round) answer(o outcome) {
	o.leased = r.leased
	for _, m := range r.members {
		m.answer <- o
	}
}
