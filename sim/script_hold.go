package sim

import (
	"cmp"
	"slices"

	"balsa/raft"
)

// freeze takes from the queue what is on its way and will be held when it arrives: it counts as held
// already. Else `drop held` would lift a hold and leave alive what was sent the moment before.
func (w *World) freeze(named func(from, to raft.NodeID) bool) {
	frozen := w.queue.take(func(d *due) bool {
		if d.task != deliver || !named(d.peer, d.node) {
			return false
		}
		hold := w.network.link(d.peer, d.node).hold
		return hold != "" && w.holds(hold, d.frame)
	})
	w.network.held = append(w.network.held, frozen...)
}

// take takes out all that match, in the order in which they were put in.
func (q *queue) take(match func(*due) bool) (taken []due) {
	var left []due
	for i := range q.heap {
		if d := &q.heap[i]; match(d) {
			taken = append(taken, *d)
		} else {
			left = append(left, *d)
		}
	}
	slices.SortFunc(taken, func(a, b due) int { return cmp.Compare(a.order, b.order) })
	slices.SortFunc(left, func(a, b due) int { // sorted is a heap
		if a.before(&b) {
			return -1
		}
		return 1
	})
	q.heap = left
	return taken
}
