package balsa

import (
	"sync"

	"balsa/replica"
)

// workers do what may take long, beside the loop: one writes to the disk, the other applies to the state
// machine. Each has at most one work at a time, so giving it one never blocks, and neither has taking it
// back. A disk that hangs for a minute thus holds up whoever waits for the disk, and nobody else.
type workers struct {
	writes  chan replica.Write
	applies chan replica.Apply
	done    chan replica.Event // what they have finished
	group   sync.WaitGroup
}

func newWorkers() *workers {
	return &workers{
		writes:  make(chan replica.Write, 1),
		applies: make(chan replica.Apply, 1),
		done:    make(chan replica.Event, 2), // room for both: they never wait for the loop
	}
}

func (w *workers) start(log replica.Log, machine StateMachine) {
	w.group.Go(func() {
		for write := range w.writes {
			w.done <- write.Perform(log)
		}
	})
	w.group.Go(func() {
		for apply := range w.applies {
			w.done <- apply.Perform(machine)
		}
	})
}

// dismiss lets the workers go when they have finished what they are at.
func (w *workers) dismiss() {
	close(w.writes)
	close(w.applies)
}
