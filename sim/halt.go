package sim

import "cmp"

// halted demands what is left to demand when a majority of the disks is gone: that those who remain commit
// nothing more, for what they agree upon may contradict what the others have promised, and that every client
// is told so in time (I16). Where a profile must leave a majority, it is a violation that none is left:
// liveness would not be demanded of its runs, and nobody would notice.
func (w *World) halted(while Time) {
	if name := cmp.Or(w.spec.Profile, w.spec.Drawn); name != "" {
		if p, err := profileNamed(name); err == nil && !p.beyond {
			w.fail(FaultModel, "profile %s leaves %d disks of %d, fewer than can be survived: %s", name,
				len(w.live()), len(w.servers), w.situation())
			return
		}
	}
	w.saw(sawHaltedForAll)
	w.RunUntil(w.now + while) // in which a leader of before may learn what was agreed upon in time
	before := w.committed
	for _, c := range w.clients {
		w.RunUntil(w.now + w.options.Patience/Time(len(w.clients)))
		c.silent = true
	}
	w.RunUntil(w.now + while + w.options.Patience)
	if w.violation == nil && w.committed != before {
		w.fail(HaltNeverLie,
			"%d disks of %d are left, and entry %d was committed %v after all had healed: %s",
			len(w.live()), len(w.servers), w.committed, w.now-w.healed.at, w.situation())
	}
	for _, c := range w.clients {
		if w.violation == nil && c.open != nil {
			w.fail(Answered, "%v was called at %v and has not ended at %v", c.open, c.open.Called.Time, w.now)
		}
	}
}
