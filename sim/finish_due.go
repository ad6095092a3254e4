package sim

import (
	"container/heap"

	"balsa/raft"
	"balsa/replica"
)

// overdue demands that what lasts for a time only has ended, though for a while nobody has asked for
// anything: then it is up to the leader to let time pass (E12).
func (w *World) overdue() {
	const grace = 2 * Second
	leader := w.leading()
	if w.violation != nil || leader == nil {
		return
	}
	passed := leader.clock.read(w.now - grace)
	if at, any := w.ledger.table.due(); any && at < passed {
		w.fail(Recovered, "a session or key was to end at %v by the time of the log, and %v later, when "+
			"all is well, it has not", at, Time(leader.clock.read(w.now)-at))
		return
	}
	for _, s := range w.live() {
		m, is := s.machine.(replica.Expirer)
		if !is {
			return
		}
		if at, any := m.NextExpiry(); any && at < passed {
			w.fail(Recovered, "something in the machine of n%v was to end at %v by the time of the log, and "+
				"%v later, when all is well, it has not", s.id, at, Time(leader.clock.read(w.now)-at))
			return
		}
	}
}

// due returns the time at which the next session or key ends, unless it is used before, and whether there is
// one.
func (t *table) due() (at raft.Time, any bool) {
	for len(t.ends) > 0 {
		e := t.ends[0]
		if at = e.of.ends(); !e.of.over && at <= e.at {
			return at, true
		}
		heap.Pop(&t.ends)
		if !e.of.over {
			heap.Push(&t.ends, lastMoment{at, e.of})
		}
	}
	return 0, false
}
