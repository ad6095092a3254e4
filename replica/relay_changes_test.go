package replica

import "balsa/raft"

// Changes of membership and transfers in the relay: small ones, after which everybody is still a member, so
// that the promises of the relay stay what they are. Each is answered once, and what is said to be done is
// committed.

// ask for a change at a server that leads, or thinks so; or at anybody, who refuses.
func (w *relay) change() {
	n := w.anyone()
	for _, other := range w.nodes {
		if other.replica != nil && other.replica.core.Role() == raft.Leader && w.percent(80) {
			n = other
		}
	}
	if n.replica == nil {
		return
	}
	w.tickets++
	q := caller{at: n.id, asks: "change", awaits: n.replica.Status().Last.Index}
	var e Event
	if w.percent(50) {
		q.asks = "transfer"
		e = TransferAsked{Ticket: w.tickets, To: raft.NodeID(w.dice.IntN(4))}
	} else {
		e = ChangeAsked{Ticket: w.tickets, Change: w.anyChange(n)}
	}
	w.open[w.tickets] = q
	w.step(n, e)
	if w.percent(5) {
		delete(w.open, w.tickets)
		w.step(n, GaveUp{Ticket: w.tickets})
	}
}

// anyChange takes a vote from a server or gives it back, or switches automatic promotion, which takes one
// entry.
func (w *relay) anyChange(n *node) raft.Change {
	members := n.replica.Members()
	automatic := !members.AutoPromote
	switch {
	case len(members.Learners) > 0:
		return raft.Change{Promote: members.Learners[:1], Force: w.percent(50)}
	case w.percent(50) && !members.AutoPromote:
		return raft.Change{Demote: []raft.NodeID{w.anyone().id}}
	}
	return raft.Change{AutoPromote: &automatic}
}

func (w *relay) changeAnswered(q caller, a Answer) {
	switch {
	case a.Fate == Done && q.asks == "change" &&
		(a.Entry.Index <= q.awaits || a.Entry.Index > w.committed):
		failf("a change that was asked for behind %d is said to be done by %v, and %d are committed",
			q.awaits, a.Entry, w.committed)
	case a.Fate == Done:
		w.note(q.asks + " done")
	case a.Fate == LeadershipLost, a.Fate == Replaced:
		w.note(q.asks + " lost with its leadership")
	case a.Fate == Rejected, a.Fate == NotLeader, a.Fate == HandingOver:
		w.note(q.asks + " refused")
	default:
		failf("a %s ends in fate %d", q.asks, a.Fate)
	}
}
