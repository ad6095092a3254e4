package balsa

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"balsa/raft"
	"balsa/replica"
	"balsa/transport"
)

// loop schedules: it is the one goroutine that touches the replica. It never waits for a disk, a socket or
// the state machine; those are worked on beside it, one write and one apply at a time:
//
//	            ┌───────────────── writer: Write.Perform(log) ◀──┐
//	            ▼                                                 │
//	peers ─▶ ┌──────┐    batch of events    ┌─────────┐  work   ┌─┴────────┐
//	callers ▶│ loop │──────────────────────▶│ replica │────────▶│ dispatch │──▶ transport, callers, log
//	ticks ──▶└──────┘                       └─────────┘         └─┬────────┘
//	            ▲                                                 │
//	            └───────────────── machine: Apply.Perform(sm) ◀──┘
type loop struct {
	replica   *replica.Replica
	identity  raft.Identity
	transport transport.Transport
	logger    *slog.Logger
	clock     epoch

	inbox     chan raft.Envelope
	proposals chan proposal // unbuffered: what was not taken by the loop was not taken at all
	statuses  chan chan Status
	done      chan replica.Event // what writer and machine have finished
	writes    chan replica.Write
	applies   chan replica.Apply

	callers map[raft.Ticket]chan<- outcome
	tickets raft.Ticket

	quit    chan struct{} // closed: stop
	ended   chan struct{} // closed: the loop has returned, nothing is sent or written any more
	failure error         // why the node stopped by itself; set before ended is closed
	last    Status        // set before ended is closed
	ending  sync.Once
	workers sync.WaitGroup
}

// proposal is a caller on its way into the loop.
type proposal struct {
	command []byte
	answer  chan outcome // holds one: the loop never waits for a caller
}

// outcome is what a caller gets.
type outcome struct {
	result []byte
	err    error
}

// maxBatch bounds how many events are stepped before their work is dispatched: without a bound, a flood of
// messages would keep everybody waiting.
const maxBatch = 512

func newLoop(r *replica.Replica, identity raft.Identity, t transport.Transport, logger *slog.Logger) *loop {
	return &loop{
		replica:   r,
		identity:  identity,
		transport: t,
		logger:    logger,
		clock:     epoch{began: time.Now()},
		inbox:     make(chan raft.Envelope, 256),
		proposals: make(chan proposal),
		statuses:  make(chan chan Status),
		done:      make(chan replica.Event, 2), // room for both workers: they never wait for the loop
		writes:    make(chan replica.Write, 1),
		applies:   make(chan replica.Apply, 1),
		callers:   map[raft.Ticket]chan<- outcome{},
		quit:      make(chan struct{}),
		ended:     make(chan struct{}),
	}
}

// start sets the workers and the loop going.
func (l *loop) start(log replica.Log, machine StateMachine) {
	l.workers.Go(func() {
		for w := range l.writes {
			l.done <- w.Perform(log)
		}
	})
	l.workers.Go(func() {
		for a := range l.applies {
			l.done <- a.Perform(machine)
		}
	})
	go l.run()
}

// Receive takes a message from the transport; it is transport.Handler.
func (l *loop) Receive(e raft.Envelope) {
	select {
	case l.inbox <- e:
	case <-l.ended:
	}
}

// Failed takes note of a message that was lost; it is transport.Handler. Raft sends again by itself.
func (l *loop) Failed(to raft.NodeID, err error) {
	l.logger.Debug("Message lost", "to", to, "error", err)
}

// end asks the loop to end. Only the loop itself may say why; Close says nil.
func (l *loop) end(why error) {
	if why != nil {
		l.failure = why
	}
	l.ending.Do(func() { close(l.quit) })
}

func (l *loop) run() {
	defer l.finish()
	defer func() {
		if p := recover(); p != nil { // to write or send more could break what the invariant protects
			l.end(fmt.Errorf("%w: %v\n%s", ErrBug, p, debug.Stack()))
		}
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-ticker.C:
			l.step(replica.Awake{})
		case e := <-l.done:
			l.step(e)
		case e := <-l.inbox:
			l.step(replica.Received{Envelope: e})
		case p := <-l.proposals:
			l.propose(p)
		case s := <-l.statuses:
			s <- l.status()
		}
		l.drain()
		for _, w := range l.replica.Work() {
			l.dispatch(w)
		}
	}
}

// drain steps whatever else is there already, so that one write, one message and one wake-up serve all of it.
func (l *loop) drain() {
	for range maxBatch {
		select {
		case e := <-l.done:
			l.step(e)
			continue
		default:
		}
		select {
		case e := <-l.inbox:
			l.step(replica.Received{Envelope: e})
		case p := <-l.proposals:
			l.propose(p)
		default:
			return
		}
	}
}

func (l *loop) step(e replica.Event) { l.replica.Step(l.clock.now(), e) }

func (l *loop) propose(p proposal) {
	l.tickets++
	l.callers[l.tickets] = p.answer
	l.step(replica.Proposed{Ticket: l.tickets, Command: p.command})
}

func (l *loop) dispatch(w replica.Work) {
	switch w := w.(type) {
	case replica.Write:
		l.writes <- w // there is room: at most one is in flight
	case replica.Apply:
		l.applies <- w
	case replica.Send:
		if err := l.transport.Send(w.Envelope); err != nil {
			l.Failed(w.Envelope.To, err)
		}
	case replica.Answer:
		l.answer(w)
	case replica.Report:
		for _, e := range w.Events {
			l.tell(e)
		}
	case replica.Stop:
		l.end(w.Err)
	}
}

func (l *loop) answer(a replica.Answer) {
	caller, waits := l.callers[a.Ticket]
	if !waits {
		return
	}
	delete(l.callers, a.Ticket)
	if a.Fate == replica.Done {
		caller <- outcome{result: a.Result}
		return
	}
	caller <- outcome{err: l.refusal(a.Fate)}
}

// refusal is the one place that turns what became of a proposal into an error.
func (l *loop) refusal(fate replica.Fate) *Error {
	leader, term := l.replica.Leader()
	e := &Error{Outcome: Unknown, Node: l.identity.Node, Leader: leader, Term: term}
	if m, ok := l.replica.Members().Member(leader); ok {
		e.Address = m.Address
	}
	if _, known := fate.Applied(); known {
		e.Outcome = NotApplied
	}
	switch fate {
	case replica.NotLeader:
		e.Kind = ErrNotLeader
		if leader == raft.None {
			e.Kind, e.Retry = ErrNoLeader, 250*time.Millisecond
		}
	case replica.Overloaded:
		e.Kind, e.Retry = ErrOverloaded, 100*time.Millisecond
	case replica.LeadershipLost, replica.Replaced:
		e.Kind, e.Retry = ErrLeadershipLost, 250*time.Millisecond
	default:
		e.Kind, e.Cause = ErrStopped, l.replica.Failure()
	}
	return e
}

// finish runs when the loop has ended for whatever reason: everybody who waits is answered, and the workers
// may go when they have finished what they are at.
func (l *loop) finish() {
	l.end(nil)
	for _, caller := range l.callers {
		caller <- outcome{err: l.endError(Unknown)}
	}
	clear(l.callers)
	l.last = l.status()
	if l.failure != nil {
		l.logger.Error("Stopped", "error", l.failure)
	}
	close(l.writes)
	close(l.applies)
	close(l.ended)
}

// endError says why the node takes no more. It may be called once the loop has been asked to end.
func (l *loop) endError(outcome Outcome) *Error {
	e := &Error{Kind: ErrClosed, Outcome: outcome, Node: l.identity.Node}
	if l.failure == nil {
		return e
	}
	e.Kind, e.Cause = ErrStopped, l.failure
	for _, kind := range []error{ErrBug, ErrNoSpace, ErrApply} {
		if errors.Is(l.failure, kind) {
			e.Kind = kind
		}
	}
	return e
}
