package balsa

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"balsa/replica"
	"balsa/wal"
)

// workers do what may take long, beside the loop: one writes to the log, one works on the state machine, and
// three on snapshots: one saves them, which may take minutes, one reads what is sent of them, and one stores
// what arrives. Each has at most one work at a time, so giving it one never blocks, and neither has taking it
// back. A disk that hangs for a minute thus holds up whoever waits for the disk, and nobody else.
//
// One more prepares the log's next segment, beside the writer:
//
//	          ┌────────┐──── Preparation ───▶┌──────────┐
//	writes ──▶│ writer │                     │ preparer │  a step, a rest, a step, …
//	          └────────┘◀─── the same ───────└──────────┘
type workers struct {
	writes  chan replica.Write
	machine chan func(*replica.Machine) replica.Event
	saves   chan func(replica.Snapshots) replica.Event
	reads   chan func(replica.Snapshots) replica.Event
	stores  chan func(replica.Snapshots) replica.Event
	done    chan replica.Event // what they have finished

	snapshots replica.Snapshots
	hurry     atomic.Bool // entries wait for the snapshot that is being saved

	unprepared chan *wal.Preparation // at most one is in either of the two, or in the hands of the preparer
	prepared   chan *wal.Preparation
	dismissed  chan struct{}

	group sync.WaitGroup
}

// sealAfter is how long the log must have been idle to be sealed: much longer than what lies between two
// writes of a busy node, and short enough that hardly anything acknowledged is ever without a seal at rest.
const sealAfter = 100 * time.Millisecond

func newWorkers() *workers {
	return &workers{
		writes:     make(chan replica.Write, 1),
		machine:    make(chan func(*replica.Machine) replica.Event, 1),
		saves:      make(chan func(replica.Snapshots) replica.Event, 1),
		reads:      make(chan func(replica.Snapshots) replica.Event, 1),
		stores:     make(chan func(replica.Snapshots) replica.Event, 1),
		done:       make(chan replica.Event, 6), // room for one of each, and a failed seal
		unprepared: make(chan *wal.Preparation, 1),
		prepared:   make(chan *wal.Preparation, 1),
		dismissed:  make(chan struct{}),
	}
}

func (w *workers) start(files files, machine StateMachine, logger *slog.Logger) {
	w.snapshots = &snapshots{Keeper: files.snapshots, logger: logger, dismissed: w.dismissed, hurry: &w.hurry}
	w.group.Go(func() { w.write(files.log) })
	w.group.Go(func() { w.prepare(logger) })
	w.group.Go(func() {
		front := replica.NewMachine(machine)
		for perform := range w.machine {
			w.done <- perform(front)
		}
	})
	for _, kind := range []chan func(replica.Snapshots) replica.Event{w.saves, w.reads, w.stores} {
		w.group.Go(func() {
			for perform := range kind {
				w.done <- perform(w.snapshots)
			}
		})
	}
}

// write is the one goroutine that touches the log while the node runs.
func (w *workers) write(log *wal.Log) {
	idle := time.NewTimer(sealAfter)
	defer idle.Stop()
	var lone yields // before writes of somebody who writes alone
	clock := epoch{began: time.Now()}
	for sealing := true; ; {
		select {
		case write, more := <-w.writes:
			if !more {
				w.collect(log)
				return
			}
			if len(write.Entries) <= 1 {
				// Who writes alone waits for a follower too. What goes to it was handed out together with
				// this write, and must not find the processor taken by a sync.
				lone.yield(clock)
			}
			w.done <- write.Perform(log)
			idle.Reset(sealAfter)
		case p := <-w.prepared:
			log.Adopt(p)
		case <-idle.C:
			if err := guarded(log.Seal); err != nil && sealing {
				sealing = false
				w.done <- replica.Wrote{Err: err} // nobody waits for it, but a failed disk ends the node
			}
		}
		if p := log.Prepare(); p != nil {
			w.unprepared <- p
		}
	}
}

// guarded turns a panic into an error: what fails here ends the node, not the program around it.
func guarded(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrBug, p)
		}
	}()
	return work()
}

// collect waits for the preparer and takes back what it had.
func (w *workers) collect(log *wal.Log) {
	close(w.unprepared)
	for p := range w.prepared {
		log.Adopt(p)
	}
}

// prepare fills the log's next segment ahead of use. If that fails, and a full disk is the likely reason,
// it is told long before an append fails.
func (w *workers) prepare(logger *slog.Logger) {
	defer close(w.prepared)
	for p := range w.unprepared {
		if err := w.fill(p); err != nil {
			logger.Warn("Could not prepare the next segment of the log: is the disk full?", "error", err)
		}
		w.prepared <- p
	}
}

// fill takes one step after the other, and rests after each for as long as it took: a preparation has at
// most half of the disk.
func (w *workers) fill(p *wal.Preparation) error {
	for {
		began := time.Now()
		var done bool
		err := guarded(func() (err error) { done, err = p.Step(); return err })
		if done || err != nil {
			return err
		}
		select {
		case <-w.dismissed:
			return nil
		case <-time.After(max(time.Millisecond, time.Since(began))):
		}
	}
}

// dismiss lets the workers go when they have finished what they are at, or have noticed.
func (w *workers) dismiss() {
	close(w.dismissed)
	close(w.writes)
	close(w.machine)
	close(w.saves)
	close(w.reads)
	close(w.stores)
}
