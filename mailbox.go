package balsa

import (
	"balsa/raft"
	"balsa/replica"
)

// mailbox is where others leave what they want of the loop. Who leaves something never touches the replica,
// and whom the loop has not heard was not heard at all.
type mailbox struct {
	inbox    chan raft.Envelope // from the transport; bounded, so that a flood holds up its senders
	requests chan request       // unbuffered: what was not taken by the loop was not taken at all
	glances  chan func()        // run by the loop: they look at what only it may touch
	// returned are messages that certainly did not arrive. Whoever waits for an answer to one learns it
	// sooner; when there is no room it learns it later.
	returned chan raft.Envelope
	gaveUp   chan raft.Ticket // of callers who wait no longer
}

func newMailbox() mailbox {
	return mailbox{
		inbox:    make(chan raft.Envelope, 256),
		requests: make(chan request),
		glances:  make(chan func()),
		returned: make(chan raft.Envelope, 64),
		gaveUp:   make(chan raft.Ticket, 64),
	}
}

// request is a caller on its way into the loop.
type request struct {
	event  func(raft.Ticket) replica.Event
	answer chan outcome     // holds one: the loop never waits for a caller
	ticket chan raft.Ticket // holds one: what the caller is called from now on
}

// outcome is what a caller gets.
type outcome struct {
	result   []byte
	index    raft.Index
	replayed bool // the result is that of an earlier attempt
	image    *replica.Image
	leader   raft.NodeID // when that was known
	err      error
}

// callers are those whom the loop has heard and not answered yet.
type callers struct {
	waiting map[raft.Ticket]chan<- outcome
	last    raft.Ticket
}

// enter gives a caller a ticket, under which it will be answered once.
func (c *callers) enter(r request) raft.Ticket {
	c.last++
	c.waiting[c.last] = r.answer
	r.ticket <- c.last
	return c.last
}

func (c *callers) answer(ticket raft.Ticket, o outcome) {
	if caller, waits := c.waiting[ticket]; waits {
		delete(c.waiting, ticket)
		caller <- o
	}
}

// answerAll gives everybody an error of their own: what one does with it is nothing to the others.
func (c *callers) answerAll(why func() *Error) {
	for ticket := range c.waiting {
		c.answer(ticket, outcome{err: why()})
	}
}
