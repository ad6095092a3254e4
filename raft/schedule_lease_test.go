package raft_test

import (
	"math/rand/v2"

	"balsa/raft"
)

// Clocks and leases in random schedules. In most schedules time is only what entries bear, and a tick comes
// whenever it likes. In some, each server takes its ticks by a clock of its own, which errs by as much as the
// configuration admits, and takes those that are due before anything else; now and then nothing wakes it for
// long. Leaders then read by their leases, and whoever does must be the last that was elected.

// worldTick is how long a tick is by a server's own clock.
const worldTick = 1000

// timing is how long servers of a schedule are patient, in ticks.
type timing struct{ heartbeat, min, max int }

// clocks are those of a schedule with leases.
type clocks struct {
	drift uint32    // by how much they err, in parts per million; 0: there are no clocks and no leases
	led   raft.Term // the latest term in which anybody was elected
}

// ownClock is that of one server: how many parts of a million it counts in real time, and when the next tick
// is due.
type ownClock struct {
	rate raft.Time
	due  raft.Time
}

// drawClocks draws from dice of its own: the other schedules stay as they were.
func (w *world) drawClocks(seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 3))
	w.timing = timing{heartbeat: testHeartbeat, min: testElectionMin, max: testElectionMax}
	if dice.IntN(3) > 0 {
		return
	}
	w.drift = []uint32{500, 100_000, 200_000, 200_000}[dice.IntN(4)]
	w.timing = timing{heartbeat: 3, min: 10, max: 16}
	w.odds.read = 5 + dice.IntN(20)
	w.odds.cut = max(w.odds.cut, dice.IntN(5))
	w.odds.restart = max(w.odds.restart, dice.IntN(30))
	w.members.Version = 1
	if dice.IntN(4) > 0 {
		w.members.LeaseDrift, w.members.LeaseTime = w.drift, raft.Time(w.timing.min)*worldTick
	} else {
		w.odds.change = max(w.odds.change, 5)
	}
}

// setClock gives a server a clock, with its run.
func (w *world) setClock(n *node) {
	if w.drift == 0 {
		return
	}
	err := raft.Time(w.drift) * raft.Time(w.dice.IntN(3)-1)
	n.clock.rate = 1_000_000 + err
	n.skew = raft.Time(w.dice.IntN(10*worldTick)) - w.now*err/1_000_000
	n.clock.due = w.timeAt(n) + worldTick
}

// timeAt is what a server's clock shows.
func (w *world) timeAt(n *node) raft.Time {
	if w.drift == 0 {
		return w.now + n.skew
	}
	return w.now + w.now*(n.clock.rate-1_000_000)/1_000_000 + n.skew
}

// passTime lets time pass for one random step: so much that there is about a tick for each server in as many
// steps that wake one as there are servers.
func (w *world) passTime(wakes bool) {
	switch {
	case w.drift == 0:
		w.now += raft.Time(w.dice.IntN(3))
	case wakes:
		w.now += raft.Time(w.dice.IntN(2 * worldTick / len(w.nodes)))
	default:
		w.now += raft.Time(w.dice.IntN(20))
	}
}

// takesDue lets a server take the ticks that are due before what comes from outside, as a driver does. It
// reports whether that is all that there is to do. Where there are no clocks, ticks come by chance.
func (w *world) takesDue(n *node, in raft.Input) (all bool) {
	if w.drift == 0 {
		return false
	}
	switch in.(type) {
	case raft.Tick:
		all = true
	case raft.Receive, raft.ReadIndex:
	default: // what its own disk and machine say may come before
		return false
	}
	now := w.timeAt(n)
	n.clock.due = max(n.clock.due, now-raft.Time(w.timing.max+1)*worldTick)
	for n.core != nil && n.clock.due <= now {
		at := n.clock.due
		n.clock.due += worldTick
		w.stepAt(n, at, raft.Tick{})
	}
	return all
}

// span is in how much time each server takes a tick, even by the slowest clock.
func (w *world) span() raft.Time {
	if w.drift == 0 {
		return 1
	}
	return worldTick * 5 / 4
}

// drawDrift switches leases off or on, or takes the clocks for worse than they are.
func (w *world) drawDrift(change *raft.Change) {
	if w.drift == 0 || !w.percent(20) {
		return
	}
	drift := []uint32{0, w.drift, 200_000}[w.dice.IntN(3)]
	change.LeaseDrift = &drift
}

// countLease demands that nobody was elected since whoever reads by a lease.
func (w *world) countLease(n *node, e raft.Event) {
	switch e := e.(type) {
	case raft.BecameLeader:
		w.led = max(w.led, e.Term)
	case raft.ReadByLease:
		w.tally.note("read by lease")
		if n.core.Term() < w.led {
			failf("server %v reads by its lease of term %d, and somebody was elected in term %d", n.id,
				n.core.Term(), w.led)
		}
		if len(n.core.Members().Outgoing) > 0 {
			w.tally.note("read by lease in a joint configuration")
		}
	case raft.MessageIgnored:
		if e.Why == raft.LeasePromised {
			w.tally.note("vote withheld for a lease")
		}
		if e.Why == raft.OtherRun {
			w.tally.note("order to an earlier run")
		}
	}
}
