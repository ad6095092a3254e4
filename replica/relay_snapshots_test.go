package replica

import (
	"fmt"

	"balsa/raft"
)

// What the schedules of relay_test.go do with snapshots, and with commands that are proposed again.

// proposeKeyed proposes a command under a key, a new one or one that was proposed anywhere before.
func (w *relay) proposeKeyed(n *node) {
	w.tickets++
	if w.keys == 0 || w.percent(50) {
		w.keys++
	}
	key := fmt.Sprint("key ", 1+w.dice.IntN(w.keys))
	leader, _ := n.replica.Leader()
	p := Proposed{Ticket: w.tickets, Command: []byte(key), Once: Once{What: UnderKey, Key: key, TTL: 1 << 60}}
	w.open[p.Ticket] = caller{at: n.id, command: key, keyed: true,
		forwarded: leader != raft.None && leader != n.id}
	w.step(n, p)
}

// performMachine performs the work on a server's machine.
func (w *relay) performMachine(n *node) {
	if n.replica == nil || n.slow {
		return
	}
	if (n.apply != nil && len(n.captures)+len(n.restores) > 0) || len(n.captures)+len(n.restores) > 1 {
		failf("server %v: an apply, and %+v", n.id, n.others)
	}
	switch {
	case len(n.captures) > 0:
		done := n.captures[0].Perform(n.front)
		n.captures = nil
		w.step(n, done)
	case len(n.restores) > 0:
		done := n.restores[0].Perform(n.front, n.disk)
		n.restores = nil
		w.note("snapshot restored")
		w.step(n, done)
	default:
		w.performApply(n)
	}
}

// performSnapshots performs one piece of a server's work with snapshots.
func (w *relay) performSnapshots(n *node) {
	if n.replica == nil || n.hung {
		return
	}
	if len(n.saves) > 1 || len(n.chunkReads) > 1 || len(n.stores) > 1 {
		failf("server %v has too much in flight: %+v", n.id, n.others)
	}
	switch o := &n.others; {
	case len(o.saves) > 0:
		if w.percent(w.relayOdds.late / 2) {
			n.disk.fail = errFull
			w.note("snapshot on a full disk")
		}
		done := o.saves[0].Perform(n.disk)
		o.saves, n.disk.fail = nil, nil
		w.note("snapshot saved")
		w.step(n, done)
	case len(o.chunkReads) > 0:
		done := o.chunkReads[0].Perform(n.disk)
		o.chunkReads = nil
		w.step(n, done)
	case len(o.stores) > 0:
		done := o.stores[0].Perform(n.disk)
		o.stores = nil
		if done.Complete != nil {
			w.note("snapshot arrived")
		}
		w.step(n, done)
	}
}

// appliesOnce notes where a command under a key was applied: at the first of its entries.
func (w *relay) appliesOnce(e raft.Entry) {
	_, command, err := decodeOnce(e.Command)
	if err != nil {
		failf("%v cannot be read: %v", e, err)
	}
	if _, known := w.places[string(command)]; !known {
		w.places[string(command)] = e.ID()
	}
}

// keyedDone demands that every attempt gets the result of the first one.
func (w *relay) keyedDone(n *node, q caller, a Answer) {
	place, applied := w.places[q.command]
	if !applied || a.Replayed != (place != a.Entry) || string(a.Result) != w.resultAt(n, place) {
		failf("%q was applied as %v, and its caller is told %+v", q.command, place, a)
	}
	if a.Replayed {
		w.note("command replayed")
	}
}

// once demands that no command was applied twice, as the machines tell it.
func (w *relay) once() {
	for _, n := range w.nodes {
		met := map[string]bool{}
		for _, command := range n.machine.commands() {
			if met[command] {
				failf("server %v has applied %q twice", n.id, command)
			}
			met[command] = true
		}
	}
}
