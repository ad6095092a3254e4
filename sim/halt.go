package sim

// halted demands what is left to demand when a majority of the disks is gone: that those who remain commit
// nothing more, for what they agree upon may contradict what the others have promised, and that every client
// is told so in time (I16).
func (w *World) halted(while Time) {
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
