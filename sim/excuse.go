package sim

import "balsa/raft"

// What is not held against a cluster that has healed: what the options of its servers bring about, and not a
// fault. Each excuse ends by itself, and the cluster must come to one state behind it.

// bearable is the shortest mean time for which clients may think, so that a snapshot is sent to one follower
// before the log has grown by half of one. An operator who sets a rate far below that may wait for a follower
// for ever: a leader keeps two snapshots, and if the one on its way is neither of them, another begins.
func (o *Options) bearable() Time {
	if o.SnapshotRate == 0 {
		return 0
	}
	const overhead = 64 // of an entry, besides the value: its key, and under what it is asked for
	tries := int64(100)
	if o.MostKeys > 0 { // a command for whose key there is no room is refused by an entry of its own
		tries += int64(o.Retries * o.UnderKeys)
	}
	written := int64(o.Clients) * int64(o.Largest/2+overhead) * int64(100-o.Reads) * tries / (100 * 100)
	return Time(2*written*1000/o.SnapshotRate) * Millisecond
}

// sending is how long it takes to send the largest snapshot to all followers, and once more to those to whom
// it was sent in vain.
func (w *World) sending() (most Time) {
	rate := w.options.SnapshotRate
	if rate == 0 {
		return 0
	}
	live := w.live() // those too that stood by, and have joined
	for _, s := range live {
		if s.up() && s.store.keeper != nil {
			for _, kept := range s.store.keeper.List() {
				most = max(most, Time(kept.Size)*Second/Time(rate))
			}
		}
	}
	return 2 * Time(len(live)-1) * most
}

// rests reports whether a server waits before it tries again to take a snapshot that has found no room: a
// little later its log may be too long for further entries, and with a majority of such servers nothing is
// committed until they have tried.
func (s *server) rests() bool {
	saver, is := s.engine.(interface {
		SnapshotFailure() (wait raft.Time, err error)
	})
	if !is {
		return false
	}
	wait, err := saver.SnapshotFailure()
	return err != nil && wait > 0
}

// excused reports whether a server need not tell what became of an operation: it has been brought beyond it
// by a snapshot, or is being sent one, at whatever rate. A leader that keeps no entries behind its snapshots
// does that to whoever is a little late.
func (s *server) excused(op *Operation) bool {
	if !s.up() {
		return false
	}
	if leader := s.world.leading(); leader != nil {
		for _, p := range leader.sight.progress {
			if p.ID == s.id && p.Installing {
				return true
			}
		}
	}
	return s.watched.jumped >= op.Called.Time && op.Kind != Get
}
