package sim

import "balsa/raft"

// Snapshots (§7): each stands for the committed entries up to its last, and nothing else. So where a server's
// log begins behind one, the ledger goes on with all entries: those that the server has, and before them
// those that are committed.

// prefix appends the committed entries up to an index to an empty log.
func (l *ledger) prefix(log []logged, through raft.Index) []logged {
	for i := range through {
		log = append(log, l.committed[i].logged)
	}
	return log
}

// committedLog reports whether a log holds what is committed up to an index.
func (l *ledger) committedLog(log []logged, through raft.Index) bool {
	return through == 0 || int(through) <= len(log) && log[through-1].chain == l.committed[through-1].chain
}

// knows reports whether an entry is committed.
func (l *ledger) knows(e raft.EntryID) bool {
	return e.Index > 0 && int(e.Index) <= len(l.committed) && l.committed[e.Index-1].term == e.Term
}

// lastCommitted is the fact that there is no later one.
func (l *ledger) lastCommitted() Witness {
	if n := len(l.committed); n > 0 {
		c := &l.committed[n-1]
		return attest(c.at, c.by, "knows entry %d (term %d) to be committed, the last one", n, c.term)
	}
	return attest(Moment{}, raft.None, "nothing is committed")
}

// snapshotted takes a snapshot that is durable now, be it of the own machine or received.
func (l *ledger) snapshotted(m Moment, id raft.NodeID, s raft.Snapshot) {
	if l.found != nil {
		return
	}
	d := &l.servers[id-1].disk
	switch {
	case s.Last == d.snapshots[0] || s.Last == d.snapshots[1]: // it was sent once more
	case !l.knows(s.Last):
		l.accuse(StateMachineSafety, l.lastCommitted(), attest(m, id, "has a snapshot up to %v", s.Last),
			"n%v has a snapshot up to %v, which is not committed", id, s.Last)
	case s.Time != l.committed[s.Last.Index-1].time:
		c := &l.committed[s.Last.Index-1]
		l.accuse(StateMachineSafety, attest(c.at, c.by, "knows entry %v to be of log time %d", s.Last,
			c.time), attest(m, id, "has a snapshot up to it of log time %d", s.Time),
			"n%v has a snapshot up to %v of another log time than that entry's", id, s.Last)
	case s.Last.Index < d.snapshots[0].Index:
		l.accuse(Monotonicity, attest(d.wroteAt, id, "has a snapshot up to %v", d.snapshots[0]),
			attest(m, id, "has one up to %v in its place", s.Last),
			"the newest snapshot of n%v went back from %v to %v", id, d.snapshots[0], s.Last)
	default:
		d.snapshots, d.wroteAt = [2]raft.EntryID{s.Last, d.snapshots[0]}, m
	}
}

// restarts takes that a log on disk begins anew behind an entry. What it held may be of no other disk: so the
// snapshot that stands for it must be durable before.
func (l *ledger) restarts(m Moment, id raft.NodeID, d *stored, last raft.EntryID) bool {
	if last.Index > d.snapshots[0].Index || !l.knows(last) {
		return l.accuse(Durability, attest(d.wroteAt, id, "has a snapshot up to %v", d.snapshots[0]),
			attest(m, id, "has its log begin anew behind %v", last),
			"n%v gave up its log behind %v, and no durable snapshot includes that", id, last)
	}
	d.log, d.before = l.prefix(nil, last.Index), last.Index
	return true
}

// releases takes that a log on disk reaches back to an entry and no further. The older of the two snapshots
// must still serve when the newer one is found damaged.
func (l *ledger) releases(m Moment, id raft.NodeID, d *stored, through raft.Index) {
	if through > d.snapshots[1].Index {
		l.accuse(Durability, attest(d.wroteAt, id, "has snapshots up to %v and %v", d.snapshots[0],
			d.snapshots[1]), attest(m, id, "lets go of its log up to %d", through),
			"n%v let go of its log up to entry %d, to which its older snapshot does not reach", id, through)
		return
	}
	d.before = max(d.before, through)
}

// whole returns all entries that a disk stands for: those that were found, and before them what was let go
// of.
func (l *ledger) whole(m Moment, id raft.NodeID, d *stored, found *recovered) ([]logged, bool) {
	if found.Before.Index > 0 && !l.knows(found.Before) {
		return nil, l.accuse(Recovery, l.lastCommitted(), attest(m, id, "finds a log that begins behind %v",
			found.Before), "the log of n%v begins behind %v, which is not committed", id, found.Before)
	}
	log := l.prefix(make([]logged, 0, int(found.Before.Index)+len(found.Entries)), found.Before.Index)
	for i := range found.Entries {
		var ok bool
		if log, ok = l.extend(m, id, log, &found.Entries[i]); !ok {
			return nil, false
		}
	}
	for i := range min(len(log), len(d.log)) {
		if d.log[i].chain == log[i].chain {
			log[i].since = d.log[i].since
		}
	}
	return log, true
}

// checkSnapshots holds that a start finds each snapshot that it relies upon, and that these are snapshots of
// what is committed.
func (l *ledger) checkSnapshots(m Moment, id raft.NodeID, d *stored, found *recovered, rotten bool) bool {
	newest := raft.EntryID{}
	for i := range found.snapshots {
		s := &found.snapshots[i]
		if i == 0 {
			newest = s.Last
		}
		if !l.knows(s.Last) {
			return l.accuse(StateMachineSafety, l.lastCommitted(), attest(m, id, "finds a snapshot up to %v",
				s.Last), "n%v starts with a snapshot up to %v, which is not committed", id, s.Last)
		}
	}
	return !d.known || rotten || newest.Index >= d.snapshots[0].Index || l.accuse(Durability,
		attest(d.wroteAt, id, "has a snapshot up to %v", d.snapshots[0]),
		attest(m, id, "finds one up to %v", newest),
		"n%v does not find its snapshot up to %v, which was durable", id, d.snapshots[0])
}

// snapshotsFound takes over which snapshots a disk has, and returns up to where the newest reaches.
func (l *ledger) snapshotsFound(d *stored, found *recovered) raft.Index {
	d.snapshots, d.before = [2]raft.EntryID{}, found.Before.Index
	for i := range min(2, len(found.snapshots)) {
		d.snapshots[i] = found.snapshots[i].Last
	}
	return d.snapshots[0].Index
}

// imaged takes what an image of the state machine holds after an entry: on all servers the same (I13).
func (l *ledger) imaged(m Moment, id raft.NodeID, last raft.EntryID, hash uint64, how string) bool {
	if l.found != nil {
		return false
	}
	was, known := l.images[last.Index]
	if !known {
		l.images[last.Index] = outcome{hash: hash, by: id, at: m}
		return true
	}
	return was.hash == hash || l.accuse(ReplicaEquality, attest(was.at, was.by, "has the state %x after %v",
		was.hash, last), attest(m, id, "%s the state %x", how, hash),
		"n%v and n%v have different states after entry %v", was.by, id, last)
}

// restored takes that a server's state machine was replaced by a snapshot.
func (l *ledger) restored(m Moment, id raft.NodeID, last raft.EntryID, hash uint64) {
	if !l.imaged(m, id, last, hash, "restores") {
		return
	}
	o := &l.servers[id-1]
	if last.Index < o.machine {
		l.accuse(Monotonicity, attest(o.at, o.id, "has a state machine with entry %d", o.machine),
			attest(m, id, "restores it from a snapshot up to %v", last),
			"the state machine of n%v went back from entry %d to %v", id, o.machine, last)
		return
	}
	o.machine = last.Index
}

// begins takes that the log in memory begins behind an entry: what was before it is the committed entries,
// whatever the log held (§7).
func (l *ledger) begins(m Moment, o *observed, s *sight) bool {
	if int(s.before) > len(l.committed) {
		return l.accuse(StateMachineSafety, l.lastCommitted(), attest(m, o.id, "has a log behind entry %d",
			s.before), "the log of n%v begins behind entry %d, which is not committed", o.id, s.before)
	}
	if l.committedLog(o.log, s.before) {
		return true
	}
	same := max(l.firstConflict(o.log[:min(len(o.log), int(s.before))]), 1) - 1
	if same < len(o.log) && !l.checkReplaced(m, o, s, same) {
		return false
	}
	o.log = l.prefix(o.log[:0], s.before)
	return true
}
