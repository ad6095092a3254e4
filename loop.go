package balsa

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/replica"
	"balsa/transport"
)

// loop schedules: it is the one goroutine that touches the replica. It never waits for a disk, a socket or
// the state machine; those are worked on beside it, one work of each kind at a time:
//
//	            ┌───────────────── writer: Write.Perform(log) ◀───┐
//	            ▼                                                 │
//	peers ─▶ ┌──────┐    batch of events    ┌─────────┐  work   ┌─┴────────┐
//	callers ▶│ loop │──────────────────────▶│ replica │────────▶│ dispatch │──▶ transport, callers, log
//	ticks ──▶└──────┘                       └─────────┘         └─┬──────┬─┘
//	            ▲                                                 │      │
//	            ├── machine: Apply, Capture, Restore.Perform(sm) ◀┘      │
//	            └── saver, reader, storer: .Perform(snapshots) ◀─────────┘
type loop struct {
	replica   *replica.Replica
	identity  raft.Identity
	transport transport.Transport
	logger    *slog.Logger
	clock     epoch

	mailbox
	callers callers
	workers *workers

	standing    Standing      // of this node, as it was told last
	routes      []raft.Member // whom this node reaches, and where; by id
	begins      raft.Index    // of the last entry in the snapshot that this run begins with; 0: with none
	appliedTerm raft.Term     // of the last entry that the state machine has
	saves       saves
	watch       watch
	stats       Stats
	repeated    repeated
	lost        atomic.Uint64 // messages, counted by the transport's goroutines too

	ending
}

// ending is how the loop comes to its end, and what remains of it.
type ending struct {
	quit    chan struct{} // closed: stop
	ended   chan struct{} // closed: the loop has returned, nothing is sent or written any more
	once    sync.Once
	failure error  // why the node stopped by itself; like last, set before ended is closed
	last    Status // what was known then

	lastMembers raft.Configuration // in force then
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
		mailbox:   newMailbox(),
		callers:   newCallers(),
		workers:   newWorkers(),
		watch:     newWatch(),
		standing:  standing(r.Members(), identity.Node),
		begins:    r.Newest().Last.Index,
		ending:    ending{quit: make(chan struct{}), ended: make(chan struct{})},
	}
}

// start sets the workers and the loop going.
func (l *loop) start(files files, machine StateMachine) {
	l.workers.start(files, machine, l.logger)
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
	l.lost.Add(1)
	l.logger.Debug("Message lost", "to", to, "error", err)
	var back *transport.Undelivered
	if errors.As(err, &back) {
		select {
		case l.returned <- back.Envelope:
		default:
		}
	}
}

// end asks the loop to end. Only the loop itself may say why; Close says nil.
func (l *loop) end(why error) {
	if why != nil {
		l.failure = why
	}
	l.once.Do(func() { close(l.quit) })
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
		case e := <-l.workers.done:
			l.worked(e)
		case e := <-l.inbox:
			l.receive(e)
		case e := <-l.returned:
			l.step(replica.Returned{Envelope: e})
		case t := <-l.gaveUp:
			l.callers.forget(t)
			l.step(replica.GaveUp{Ticket: t})
		case <-l.askers.came: // they are taken below
			l.letAsk()
		case look := <-l.glances:
			look()
		}
		l.drain()
		l.carryOut()
		l.workers.hurry.Store(l.replica.HeldUp())
		l.watch.leadership(l.replica.Leader())
	}
}

// followUps bounds how often the rounds of those are carried out who waited for the one before: readers who
// are answered at once could otherwise keep the loop from its ticks and its messages as long as they come.
const followUps = 8

// carryOut has everything done that is wanted by now.
func (l *loop) carryOut() {
	for range followUps {
		for _, w := range l.replica.Work() {
			l.dispatch(w)
		}
		if !l.beginRounds() {
			return
		}
	}
	l.askers.call() // what has begun is carried out in the next turn
}

// drain steps whatever else is there already, so that one write, one message and one wake-up serve all of it.
func (l *loop) drain() {
	for range maxBatch {
		select {
		case e := <-l.workers.done:
			l.worked(e)
			continue
		default:
		}
		select {
		case e := <-l.inbox:
			l.receive(e)
			continue
		default:
		}
		break
	}
	l.admit()
}

func (l *loop) step(e replica.Event) { l.replica.Step(l.clock.now(), e) }

// worked takes what a worker has finished.
func (l *loop) worked(e replica.Event) {
	l.step(e)
	switch e := e.(type) {
	case replica.Ran:
		if e.Err == nil {
			l.appliedTerm = e.Entries[len(e.Entries)-1].Term
		}
	case replica.Restored:
		if e.Err == nil {
			l.appliedTerm = e.Snapshot.Last.Term
			l.logger.Info("Restored the state machine", "through", e.Snapshot.Last)
		}
	case replica.Saved:
		l.saves.finished(e, l.replica.Newest())
	}
}

func (l *loop) receive(e raft.Envelope) {
	l.stats.MessagesReceived++
	l.step(replica.Received{Envelope: e})
}

// glance has the loop run a function between two batches, and waits until it has. It reports false, without
// running it, when the loop has ended.
func (l *loop) glance(look func()) bool {
	ran := make(chan struct{})
	select {
	case l.glances <- func() {
		l.admit()               // who has asked before
		l.step(replica.Awake{}) // what is due by now belongs to what is seen
		look()
		close(ran)
	}:
	case <-l.ended:
		return false
	}
	select {
	case <-ran:
		return true
	case <-l.ended: // the look itself failed, and ended the node
		return false
	}
}

func (l *loop) dispatch(w replica.Work) {
	switch w := w.(type) {
	case replica.Write:
		l.stats.Writes++
		l.stats.EntriesWritten += uint64(len(w.Entries))
		l.workers.writes <- w // there is room: at most one is in flight
	case replica.Apply:
		l.stats.Applies++
		l.stats.EntriesApplied += uint64(len(w.Entries))
		l.workers.machine <- func(m *replica.Machine) replica.Event { return w.Perform(m) }
	case replica.Capture:
		l.saves.began = time.Now()
		l.workers.machine <- func(m *replica.Machine) replica.Event { return w.Perform(m) }
	case replica.Restore:
		l.logger.Info("Restores the state machine; leads only when that is done", "through", w.Snapshot.Last)
		snapshots := l.workers.snapshots
		l.workers.machine <- func(m *replica.Machine) replica.Event { return w.Perform(m, snapshots) }
	case replica.Save:
		l.saves.saving = true
		l.workers.saves <- func(s replica.Snapshots) replica.Event { return w.Perform(s) }
	case replica.ReadChunk:
		l.workers.reads <- func(s replica.Snapshots) replica.Event { return w.Perform(s) }
	case replica.StoreChunk:
		l.workers.stores <- func(s replica.Snapshots) replica.Event { return w.Perform(s) }
	case replica.Send:
		l.stats.MessagesSent++
		if err := l.transport.Send(w.Envelope); err != nil {
			l.Failed(w.Envelope.To, &transport.Undelivered{Envelope: w.Envelope, Cause: err})
		}
	case replica.Route:
		l.route(w.Members)
	case *replica.Answer:
		l.answer(w)
		*w = replica.Answer{} // others share its memory, which would keep the result
	case replica.Report:
		for _, e := range w.Events {
			l.stats.count(e)
			l.tell(e)
			l.watch.event(e)
		}
	case replica.Stop:
		l.end(w.Err)
	}
}

func (l *loop) answer(a *replica.Answer) {
	if a.Fate == replica.Done {
		leader, term := l.replica.Leader()
		l.callers.answer(a.Ticket, outcome{result: a.Result, index: a.Entry.Index, replayed: a.Replayed,
			image: a.Image, leader: leader, term: term, contact: l.contact()})
		return
	}
	e := l.refusal(a.Fate)
	if a.Fate == replica.Rejected {
		e.reject(a.Refusal)
	}
	l.callers.answer(a.Ticket, outcome{err: e})
}

// route tells the transport whom to reach from now on.
func (l *loop) route(members []raft.Member) {
	l.routes = members
	peers := map[raft.NodeID]string{}
	for _, m := range members {
		peers[m.ID] = m.Address
	}
	l.transport.Route(peers)
}

// finish runs when the loop has ended for whatever reason: everybody who waits is answered, and the workers
// may go when they have finished what they are at.
func (l *loop) finish() {
	l.end(nil)
	l.callers.answerAll(func() *Error { return l.endError(Unknown) })
	l.readers.close()
	for kind := range reading(readings) {
		if r := l.readers.take(kind); r != nil {
			r.answer(outcome{err: l.endError(NotApplied)})
		}
	}
	for _, r := range l.askers.close() {
		if r.fate.CompareAndSwap(asking, taken) {
			r.end(outcome{err: l.endError(NotApplied)})
		}
	}
	l.last = l.status()
	l.lastMembers, _ = l.members()
	l.watch.end()
	if l.failure != nil {
		l.logger.Error("Stopped", "error", l.failure)
	}
	l.workers.dismiss()
	close(l.ended)
}
