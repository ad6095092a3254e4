package balsa

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// mailbox is where others leave what they want of the loop. Who leaves something never touches the replica,
// and whom the loop has not heard was not heard at all.
type mailbox struct {
	inbox   chan raft.Envelope // from the transport; bounded, so that a flood holds up its senders
	askers  askers
	readers readers
	glances chan func() // run by the loop: they look at what only it may touch
	// returned are messages that certainly did not arrive. Whoever waits for an answer to one learns it
	// sooner; when there is no room it learns it later.
	returned chan raft.Envelope
	gaveUp   chan raft.Ticket // of callers who wait no longer
	yields   yields
}

func newMailbox() mailbox {
	return mailbox{
		inbox:    make(chan raft.Envelope, 256),
		askers:   askers{came: make(chan struct{}, 1)},
		glances:  make(chan func()),
		returned: make(chan raft.Envelope, 64),
		gaveUp:   make(chan raft.Ticket, 64),
	}
}

// request is a caller on its way into the loop.
type request struct {
	question
	answer  chan struct{} // holds one, when there is an outcome: the loop never waits for a caller
	outcome outcome
	fate    atomic.Uint32
	ticket  raft.Ticket // what the caller is called from when it is taken on
}

// question is what a caller asks: an event, or without one a command, which thus takes no memory of its own.
type question struct {
	event    func(raft.Ticket) replica.Event // called by the loop, which may be looked at then
	proposed replica.Proposed
}

// end gives the caller its outcome.
func (r *request) end(o outcome) {
	r.outcome = o
	r.answer <- struct{}{}
}

// The fates of a request: the loop takes it, or its caller takes it back, whoever is first.
const (
	asking uint32 = iota
	taken
	takenBack
)

// askers are the requests that wait to be taken, in the order in which they came. Any number may wait: each
// is a goroutine that waits for its answer.
type askers struct {
	came chan struct{} // holds one: somebody may wait

	mutex   sync.Mutex
	waiting []*request
	spare   []*request // memory for the next
	idle    []*request // were answered, and serve again
	copies  []byte     // of short commands, one behind the other
	closed  bool
}

// maxIdle bounds how many requests are kept to serve again.
const maxIdle = 1024

// put has a question wait; it reports false when nobody will take it any more.
func (a *askers) put(q question) (r *request, open bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.closed {
		return nil, false
	}
	if n := len(a.idle); n > 0 {
		r, a.idle = a.idle[n-1], a.idle[:n-1]
		r.fate.Store(asking)
	} else {
		r = &request{answer: make(chan struct{}, 1)}
	}
	if q.event == nil {
		q.proposed.Command = a.copied(q.proposed.Command)
	}
	r.question = q
	a.waiting = append(a.waiting, r)
	if len(a.waiting) == 1 {
		a.call()
	}
	return r, true
}

// Commands up to shortCommand bytes are copied into pieces of memory of pieceOfCopies bytes: an allocation
// for each would cost more than all else that is done for it here. A piece lives as long as any of them.
const (
	shortCommand  = 512
	pieceOfCopies = 16 << 10
)

// copied returns a copy of a command if it is short; longer ones have been copied without holding up others.
func (a *askers) copied(command []byte) []byte {
	if len(command) > shortCommand {
		return command
	}
	if len(command) > cap(a.copies)-len(a.copies) {
		a.copies = make([]byte, 0, pieceOfCopies)
	}
	from := len(a.copies)
	a.copies = append(a.copies, command...)
	return a.copies[from:len(a.copies):len(a.copies)]
}

// call has the loop look who waits.
func (a *askers) call() {
	select {
	case a.came <- struct{}{}:
	default:
	}
}

// answered takes back a request whose answer its caller has. One without an answer may get it yet.
func (a *askers) answered(r *request) {
	r.question, r.outcome = question{}, outcome{}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if len(a.idle) < maxIdle {
		a.idle = append(a.idle, r)
	}
}

// all returns those who wait. They are the caller's until it calls again.
func (a *askers) all() []*request {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	clear(a.spare) // what was taken before is not kept until somebody comes again
	a.spare = a.spare[:0]
	if len(a.waiting) == 0 {
		return nil
	}
	came := a.waiting
	a.waiting, a.spare = a.spare, came
	return came
}

// close lets nobody in any more, and returns those who wait: among them those whom the loop, when it failed,
// had taken out and not come to. Others of that time have their fate.
func (a *askers) close() []*request {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.closed = true
	return slices.Concat(a.spare, a.waiting)
}

// outcome is what a caller gets.
type outcome struct {
	result   []byte
	index    raft.Index
	replayed bool // the result is that of an earlier attempt
	image    *replica.Image
	leader   raft.NodeID // when that was known, as what follows
	term     raft.Term
	contact  time.Duration // see ReadState.Contact
	leased   bool          // of a read: it was asked for by lease
	err      error
}

// callers are those whom the loop has heard and not answered yet.
type callers struct {
	waiting  map[raft.Ticket]*request
	rounds   rounds
	last     raft.Ticket
	commands []replica.Proposed // taken and not stepped yet
}

func newCallers() callers {
	return callers{waiting: map[raft.Ticket]*request{}, rounds: rounds{open: map[raft.Ticket]*round{}}}
}

// enter gives a caller a ticket, under which it will be answered once; it reports false when the caller has
// gone.
func (c *callers) enter(r *request) bool {
	c.last++
	r.ticket = c.last
	if !r.fate.CompareAndSwap(asking, taken) {
		return false
	}
	c.waiting[c.last] = r
	return true
}

func (c *callers) answer(ticket raft.Ticket, o outcome) {
	if r, waits := c.waiting[ticket]; waits {
		delete(c.waiting, ticket)
		r.end(o)
	} else if r := c.rounds.end(ticket); r != nil {
		r.answer(o)
	}
}

// forget drops who waits no longer.
func (c *callers) forget(ticket raft.Ticket) {
	delete(c.waiting, ticket)
	c.rounds.end(ticket)
}

// answerAll gives everybody an error of their own: what one does with it is nothing to the others.
func (c *callers) answerAll(why func() *Error) {
	for ticket := range c.waiting {
		c.answer(ticket, outcome{err: why()})
	}
	for ticket := range c.rounds.open {
		c.answer(ticket, outcome{err: why()})
	}
}

// letAsk lets those go on who were answered just now, and may ask again: what they ask for then belongs to
// the same write and the same messages. Without it these are for the first of them alone, and the others wait
// until that is done.
func (l *loop) letAsk() { l.yields.yield(l.clock) }

// admit takes all who ask. Commands that follow each other are one event.
func (l *loop) admit() {
	for _, r := range l.askers.all() {
		switch {
		case !l.callers.enter(r):
		case r.event == nil:
			r.proposed.Ticket = r.ticket
			l.callers.commands = append(l.callers.commands, r.proposed)
		default:
			l.propose()
			l.step(r.event(r.ticket))
		}
	}
	l.propose()
	l.beginRounds()
}

// propose steps the commands that were taken and not stepped yet.
func (l *loop) propose() {
	c := l.callers.commands
	if len(c) == 0 {
		return
	}
	l.step(replica.AllProposed{Proposals: c})
	clear(c)
	l.callers.commands = c[:0]
}

// giveUp tells the loop that nobody waits any more for what it has taken.
func (l *loop) giveUp(ticket raft.Ticket) {
	select {
	case l.gaveUp <- ticket:
	case <-l.ended:
	}
}
