package balsa

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"balsa/replica"
	"balsa/wal"
)

// workers do what may take long, beside the loop: one writes to the disk, the other applies to the state
// machine. Each has at most one work at a time, so giving it one never blocks, and neither has taking it
// back. A disk that hangs for a minute thus holds up whoever waits for the disk, and nobody else.
//
// A third one prepares the log's next segment, beside the writer:
//
//	          ┌────────┐──── Preparation ───▶┌──────────┐
//	writes ──▶│ writer │                     │ preparer │  a step, a rest, a step, …
//	          └────────┘◀─── the same ───────└──────────┘
type workers struct {
	writes  chan replica.Write
	applies chan replica.Apply
	done    chan replica.Event // what they have finished

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
		applies:    make(chan replica.Apply, 1),
		done:       make(chan replica.Event, 3), // room for a write, an apply and a failed seal
		unprepared: make(chan *wal.Preparation, 1),
		prepared:   make(chan *wal.Preparation, 1),
		dismissed:  make(chan struct{}),
	}
}

func (w *workers) start(log *wal.Log, machine StateMachine, logger *slog.Logger) {
	w.group.Go(func() { w.write(log) })
	w.group.Go(func() { w.prepare(logger) })
	w.group.Go(func() {
		front := replica.NewMachine(machine)
		for apply := range w.applies {
			w.done <- apply.Perform(front)
		}
	})
}

// write is the one goroutine that touches the log while the node runs.
func (w *workers) write(log *wal.Log) {
	idle := time.NewTimer(sealAfter)
	defer idle.Stop()
	for sealing := true; ; {
		select {
		case write, more := <-w.writes:
			if !more {
				w.collect(log)
				return
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

// dismiss lets the workers go when they have finished what they are at.
func (w *workers) dismiss() {
	close(w.dismissed)
	close(w.writes)
	close(w.applies)
}
