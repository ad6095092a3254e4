package balsa

import (
	"context"
	"sync"
	"sync/atomic"

	"balsa/raft"
	"balsa/replica"
)

// Reads of one kind are asked for together: what confirms one of them confirms all that began before it was
// asked for. While one is asked for, those that come wait for the next, unless it takes long. The loop
// does nothing for a read by itself: its caller joins the next round, and is woken by the end of it.

// reading is what kind of read a caller asks for.
type reading uint8

const (
	linearizable     reading = iota
	linearizableHere         // without forwarding
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
	kind     reading
	ticket   raft.Ticket   // set when it begins
	leased   bool          // as well
	left     atomic.Int32  // who waits; one more until it begins
	answered chan struct{} // closed when there is an outcome
	outcome  outcome
}

func newRound(kind reading) *round {
	r := &round{kind: kind, answered: make(chan struct{})}
	r.left.Store(1)
	return r
}

// answer gives everybody the answer. An error of theirs is a copy (nothingApplied).
func (r *round) answer(o outcome) {
	o.leased = r.leased
	r.outcome = o
	close(r.answered)
}

// readers are the reads that wait for a round to begin.
type readers struct {
	mutex  sync.Mutex
	next   [readings]*round // nil: nobody has come since the last one began
	many   atomic.Int32     // rounds in next
	closed bool
}

// join has a read wait for the next round. It returns nil when there will be none; first says that the loop
// does not know of the round yet.
func (q *readers) join(kind reading) (r *round, first bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.closed {
		return nil, false
	}
	r = q.next[kind]
	if first = r == nil; first {
		r = newRound(kind)
		q.next[kind] = r
		q.many.Add(1)
	}
	r.left.Add(1)
	return r, first
}

// take returns the next round of a kind, nil if nobody waits for it. Who comes now waits for the one behind.
func (q *readers) take(kind reading) *round {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	r := q.next[kind]
	if r != nil {
		q.next[kind] = nil
		q.many.Add(-1)
	}
	return r
}

// close lets nobody in any more.
func (q *readers) close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.closed = true
}

// rounds are those that have begun.
type rounds struct {
	open  map[raft.Ticket]*round
	many  [readings]int // of each kind
	begun [readings]raft.Time
}

// beginRounds asks the replica for the rounds that may begin, and reports whether there was one. A second one
// beside the first would be sooner for who has just come, and dearer for all: two halves are two questions.
// Where the peers are far away the next begins after a tick, whether the one before has ended or not.
func (l *loop) beginRounds() (began bool) {
	if l.readers.many.Load() == 0 {
		return false
	}
	c, now := &l.callers.rounds, l.clock.now()
	for kind := range reading(readings) {
		if c.many[kind] > 0 && now-c.begun[kind] < raft.Time(tick) {
			continue
		}
		r := l.readers.take(kind)
		if r == nil {
			continue
		}
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

// share waits for the outcome of a round of reads. With a non-nil error it was not waited for.
func (n *Node) share(ctx context.Context, kind reading) (outcome, error) {
	late := func() error {
		return &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID, Cause: ctx.Err()}
	}
	if ctx.Err() != nil {
		return outcome{}, late()
	}
	r, first := n.loop.readers.join(kind)
	if r == nil {
		<-n.loop.ended
		return outcome{}, n.loop.endError(NotApplied)
	}
	if first {
		n.loop.askers.call()
	}
	select {
	case <-r.answered: // the loop answers all rounds, even when it ends
	case <-ctx.Done():
		select {
		case <-r.answered: // it came just in time
		default:
			if r.left.Add(-1) == 0 { // it has begun, and nobody waits for it any more
				n.loop.giveUp(r.ticket)
			}
			return outcome{}, late()
		}
	}
	return r.outcome, r.outcome.err
}
