package balsa

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"balsa/raft"
)

// Leadership says who leads, as far as one node knows.
type Leadership struct {
	Leader raft.NodeID // raft.None when unknown
	Term   raft.Term
}

// watch tells those outside the loop what changes in it.
type watch struct {
	mu      *sync.Mutex
	now     Leadership
	changed chan struct{} // closed at the next change
	streams []*stream
}

// stream is one subscriber to events.
type stream struct {
	events chan raft.Event
	missed uint64
}

func newWatch() watch { return watch{mu: &sync.Mutex{}, changed: make(chan struct{})} }

// leadership takes note of who leads, and tells slow readers what they have missed.
func (w *watch) leadership(leader raft.NodeID, term raft.Term) {
	now := Leadership{Leader: leader, Term: term}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		s.confess()
	}
	if now == w.now {
		return
	}
	w.now = now
	close(w.changed)
	w.changed = make(chan struct{})
}

// event passes an event to every subscriber that has room for it: the loop waits for nobody.
func (w *watch) event(e raft.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		s.offer(e)
	}
}

// offer gives an event to the reader, behind what it has missed, or counts it as missed too.
func (s *stream) offer(e raft.Event) {
	if s.confess() {
		select {
		case s.events <- e:
			return
		default:
		}
	}
	s.missed++
}

// confess tells the reader how much it has missed, and reports whether nothing is left to tell.
func (s *stream) confess() bool {
	if s.missed == 0 {
		return true
	}
	select {
	case s.events <- Missed{Events: s.missed}:
		s.missed = 0
		return true
	default:
		return false
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.streams {
		close(s.events)
	}
	w.streams = nil
}

func (w *watch) remove(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := slices.Index(w.streams, s); at >= 0 {
		w.streams = slices.Delete(w.streams, at, at+1)
		close(s.events)
	}
}

// Missed stands in a stream of events for those that its reader was too slow to take.
type Missed struct{ Events uint64 }

// String says how many.
func (m Missed) String() string { return "missed " + strconv.FormatUint(m.Events, 10) + " events" }

// LeadershipChanged returns who leads now and a channel that is closed when that changes. Call it again for
// what it has changed to: changes that follow each other quickly are seen as one.
func (n *Node) LeadershipChanged() (now Leadership, changed <-chan struct{}) {
	w := &n.loop.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.changed
}

// Events returns a stream of what this node decides from now on, as package raft and replica word it, until
// the context or the node ends; then it is closed. The stream holds up to buffer events (at least 1). A
// reader that is too slow misses some, and finds a Missed in their place: a node never waits for it.
func (n *Node) Events(ctx context.Context, buffer int) <-chan raft.Event {
	w, s := &n.loop.watch, &stream{events: make(chan raft.Event, max(buffer, 1))}
	w.mu.Lock()
	w.streams = append(w.streams, s)
	w.mu.Unlock()
	go func() {
		select {
		case <-ctx.Done():
		case <-n.loop.ended:
		}
		w.remove(s)
	}()
	return s.events
}
