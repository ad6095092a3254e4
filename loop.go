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
		for more := true; more; more = l.beginRounds() { // those who waited for what was answered now
			for _, w := range l.replica.Work() {
				l.dispatch(w)
			}
		}
		l.workers.hurry.Store(l.replica.HeldUp())
		l.watch.leadership(l.replica.Leader())
	}
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

// situation returns an error that says only who leads, as far as this node knows.
func (l *loop) situation() *Error {
	e := &Error{Node: l.identity.Node}
	e.Leader, e.Term = l.replica.Leader()
	if e.Leader != raft.None {
		e.API = l.replica.API(e.Leader)
	}
	for _, m := range l.routes {
		if m.ID == e.Leader {
			e.Address = m.Address
		}
	}
	return e
}

// refusal is the one place that turns what became of a question to the replica into an error.
func (l *loop) refusal(fate replica.Fate) *Error {
	e := l.situation()
	if _, known := fate.Applied(); known {
		e.Outcome = NotApplied
	}
	switch fate {
	case replica.HandingOver:
		e.Kind, e.Retry = ErrHandingOver, 20*time.Millisecond
	case replica.NotLeader:
		e.Kind = ErrNotLeader
		if e.Leader == raft.None {
			e.Kind, e.Retry = ErrNoLeader, 250*time.Millisecond
		}
	case replica.Overloaded:
		e.Kind, e.Retry = ErrOverloaded, 100*time.Millisecond
		if wait, err := l.snapshotFailure(); err != nil && l.replica.Outgrown() {
			e.Cause, e.Retry = fmt.Errorf("snapshots fail: %w", err), max(e.Retry, wait)
		}
	case replica.SessionGone:
		e.Kind = ErrSessionGone
	case replica.KeyReused:
		e.Kind = ErrKeyReused
	case replica.TooManyKeys:
		e.Kind, e.Retry = ErrTooManyKeys, time.Second
	case replica.NothingNew:
		e.Kind = ErrNothingNew
	case replica.NotSaved:
		e.Kind, e.Retry = ErrNotSaved, time.Second
	case replica.Passed:
		e.Kind = ErrPassed
	case replica.Unanswered:
		e.Kind, e.Retry = ErrNoAnswer, 250*time.Millisecond
	case replica.LeadershipLost, replica.Replaced:
		e.Kind, e.Retry = ErrLeadershipLost, 250*time.Millisecond
	default:
		e.Kind, e.Cause = stopKind(l.replica.Failure()), l.replica.Failure()
	}
	return e
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

// endError says why the node takes no more. It may be called once the loop has been asked to end.
func (l *loop) endError(outcome Outcome) *Error {
	e := &Error{Kind: ErrClosed, Outcome: outcome, Node: l.identity.Node}
	if l.failure == nil {
		return e
	}
	e.Kind, e.Cause = stopKind(l.failure), l.failure
	return e
}

// stopKind is the one place that sorts what makes a node stop: whoever waits while it stops and whoever comes
// afterwards must be told the same.
func stopKind(failure error) error {
	for _, kind := range []error{ErrBug, ErrNoSpace, ErrApply} {
		if errors.Is(failure, kind) {
			return kind
		}
	}
	return ErrStopped
}
