package sim

import "balsa/raft"

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
