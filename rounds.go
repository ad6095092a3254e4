package balsa

import (
	"sync/atomic"

	"balsa/raft"
	"balsa/replica"
)

// Reads that wait for the loop at the same time are asked for together: what confirms one of them confirms
// all, for each began before.

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

// round is several reads that are one question.
type round struct {
	ticket  raft.Ticket
	members []*request
	leased  bool
	left    atomic.Int32 // who waits, and the loop as long as it lets more in
}

// join has a read wait for the round that is about to begin.
func (c *callers) join(r *request, next **round) {
	if *next == nil {
		c.last++
		*next = &round{ticket: c.last}
		(*next).left.Store(1)
	}
	r.round = *next
	r.round.left.Add(1)
	if !r.fate.CompareAndSwap(asking, taken) {
		(*next).left.Add(-1)
		return
	}
	(*next).members = append((*next).members, r)
}

// begin asks the replica for a round.
func (l *loop) begin(kind reading, r *round) {
	r.leased = kind >= leased && l.replica.Members().LeaseDrift != 0
	l.callers.rounds[r.ticket] = r
	here := kind == linearizableHere || kind == leasedHere
	l.step(replica.Asked{Ticket: r.ticket, Local: here, Lease: r.leased})
}

// answer gives everybody the answer, and an error of their own.
func (r *round) answer(o outcome) {
	o.leased = r.leased
	e, _ := o.err.(*Error)
	for _, m := range r.members {
		if e != nil {
			own := *e
			o.err = &own
		}
		m.answer <- o
	}
}
