package main

import "sync"

// queue hands all that waits to one taker at once.
type queue[T any] struct {
	mu      sync.Mutex
	arrived sync.Cond
	waiting []T
	taken   []T // what the taker had last, whose room is used again
	closed  bool
}

func newQueue[T any]() *queue[T] {
	q := &queue[T]{}
	q.arrived.L = &q.mu
	return q
}

func (q *queue[T]) add(item T) {
	q.mu.Lock()
	q.waiting = append(q.waiting, item)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.arrived.Signal()
	}
}

// take waits until there is something. What it returns is valid until the next call; false says that the
// queue was closed.
func (q *queue[T]) take() ([]T, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.taken)
	for len(q.waiting) == 0 && !q.closed {
		q.arrived.Wait()
	}
	if q.closed {
		return nil, false
	}
	q.waiting, q.taken = q.taken[:0], q.waiting
	return q.taken, true
}

func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.arrived.Broadcast()
}
