package sim

import (
	"cmp"
	"fmt"
	"slices"

	"balsa/raft"
	"balsa/replica"
)

// Disks: what was acknowledged as durable is what the next start finds. Of the write that was under way at
// the end of a life all may be found, or nothing; what of it is found once must be found from then on.

// stored is what a disk holds by what was acknowledged.
type stored struct {
	known       bool // false before the first start, and when it was lost
	state       raft.HardState
	stateAt     Moment
	log         []logged
	peers       []raft.Acquaintance
	wroteAt     Moment
	start       uint64
	incarnation raft.Incarnation
	doubtful    *replica.Write // was under way at the end of a life

	snapshots [2]raft.EntryID // that are durable, the newest first
	before    raft.Index      // the log begins behind it
	ledger    *ledger         // which knows what a snapshot stands for

	node  raft.NodeID // the id under which its server runs
	joins bool        // it was founded to join, and knew no configuration
	gone  bool        // it has been lost, and stands for no member
	times int         // how often it was lost
}

// voted reports whether a vote is on the disk.
func (d *stored) voted(term raft.Term, candidate raft.NodeID) bool {
	return d.state == raft.HardState{Term: term, Vote: candidate}
}

// holds reports whether the disk has the entries up to an index whose chain ends in a hash.
func (d *stored) holds(i raft.Index, chain uint64) bool {
	return i > 0 && int(i) <= len(d.log) && d.log[i-1].chain == chain ||
		i > 0 && i <= d.snapshots[0].Index && d.ledger.committed[i-1].chain == chain
}

// at returns the entry that the disk has at an index, in its snapshot or in its log.
func (d *stored) at(i raft.Index) logged {
	if i <= d.snapshots[0].Index {
		return d.ledger.committed[i-1].logged
	}
	return d.log[i-1]
}

// ending is where a log ends.
type ending struct {
	raft.EntryID
	since Moment
}

func (d *stored) end() ending {
	n := max(len(d.log), int(d.snapshots[0].Index))
	if n == 0 {
		return ending{}
	}
	e := d.at(raft.Index(n))
	return ending{EntryID: raft.EntryID{Index: raft.Index(n), Term: e.term}, since: e.since}
}

// wrote takes a write that is durable now, before the server is told so.
func (l *ledger) wrote(m Moment, id raft.NodeID, w *replica.Write) {
	if l.found != nil {
		return
	}
	d := &l.servers[id-1].disk
	d.wroteAt = m
	if w.Restart.Index != 0 && !l.restarts(m, id, d, w.Restart) {
		return
	}
	if w.State != nil {
		if !l.checkState(m, id, d, *w.State) {
			return
		}
		d.state, d.stateAt = *w.State, m
		l.highest = max(l.highest, w.State.Term)
	}
	d.peers = merged(d.peers, w.Peers)
	if len(w.Entries) > 0 {
		l.writeEntries(m, id, d, w.Entries)
	}
	if w.Release != 0 && l.found == nil {
		l.releases(m, id, d, w.Release)
	}
}

// checkState holds that a disk's term never goes back and its vote stands.
func (l *ledger) checkState(m Moment, id raft.NodeID, d *stored, now raft.HardState) bool {
	first := attest(d.stateAt, id, "has %s on its disk", d.hard())
	second := attest(m, id, "has %s on its disk", (&stored{state: now}).hard())
	switch {
	case now.Term < d.state.Term:
		return l.accuse(Monotonicity, first, second, "the durable term of n%v went back from %d to %d", id,
			d.state.Term, now.Term)
	case now.Term == d.state.Term && d.state.Vote != raft.None && now.Vote != d.state.Vote:
		return l.accuse(OneVote, first, second, "n%v replaced its durable vote for n%v in term %d", id,
			d.state.Vote, now.Term)
	}
	return true
}

// writeEntries replaces everything from the first entry on.
func (l *ledger) writeEntries(m Moment, id raft.NodeID, d *stored, entries []raft.Entry) {
	from := int(entries[0].Index) - 1
	if from < 0 || from > len(d.log) {
		on := d.end()
		l.accuse(Durability, attest(on.since, id, "has a disk that ends in %v", on.EntryID),
			attest(m, id, "writes entry %v", entries[0].ID()),
			"n%v wrote entry %d behind a log that ends at %d", id, entries[0].Index, on.Index)
		return
	}
	gone := slices.Clone(d.log[from:]) // nothing, but after a change of leaders
	d.log = d.log[:from]
	for i := range entries {
		var ok bool
		if d.log, ok = l.extend(m, id, d.log, &entries[i]); !ok {
			return
		}
	}
	for i, was := range gone {
		at := from + i
		counted := at < len(l.committed) && was.chain == l.committed[at].chain
		if counted && !d.holds(raft.Index(at+1), was.chain) && !l.overwrote(m, id, at) {
			return
		}
	}
}

// overwrote holds that a majority of the disks is left with a committed entry that a server has written over.
// That server may do so if its copy did not count: it had given the entry up in favour of another leader's,
// acknowledged neither, and its disk was slow to follow.
func (l *ledger) overwrote(m Moment, id raft.NodeID, at int) bool {
	c := &l.committed[at]
	return slices.ContainsFunc(l.usable, func(s *standing) bool {
		return s.HasQuorum(l.holding(s, raft.Index(at+1), c.chain, c.term))
	}) || l.accuse(Durability,
		attest(c.at, c.by, "knows entry %d (term %d) to be committed", at+1, c.term),
		attest(m, id, "has written over it"), "n%v overwrote entry %d (term %d), which is committed", id,
		at+1, c.term)
}

// merged returns what is known of peers after news of some of them.
func merged(peers, news []raft.Acquaintance) []raft.Acquaintance {
	for _, n := range news {
		at, known := slices.BinarySearchFunc(peers, n.Node,
			func(a raft.Acquaintance, id raft.NodeID) int { return int(a.Node) - int(id) })
		if known {
			peers[at] = n
		} else {
			peers = slices.Insert(peers, at, n)
		}
	}
	return peers
}

// died takes the end of a life, by a crash or a failed disk. doubtful is the write that was under way, nil if
// there was none.
func (l *ledger) died(m Moment, id raft.NodeID, doubtful *replica.Write) {
	o := &l.servers[id-1]
	if doubtful != nil {
		w := *doubtful
		o.disk.doubtful = &w
	}
	l.forgetDemands(id)
	o.forget(m)
}

// forget clears what a server has in memory.
func (o *observed) forget(m Moment) {
	*o = observed{id: o.id, at: m, log: o.log[:0], matches: o.matches, disk: o.disk}
	o.members = o.disk.ledger.inForce(&o.disk, nil)
	clear(o.matches)
}

// lost says that a server's disk was damaged or wiped on purpose: what it promised no longer counts.
func (l *ledger) lost(id raft.NodeID) {
	d := &l.servers[id-1].disk
	if d.node != raft.None && !d.gone {
		l.former = append(l.former, former{d.node, d.incarnation, max(l.highest, 1)})
	}
	d.known, d.doubtful, d.gone = false, nil, true
	d.times++
}

// founds says that a server's disk is begun anew, as a data directory of its own.
func (l *ledger) founds(id raft.NodeID) {
	d := &l.servers[id-1].disk
	if !d.gone && d.known {
		l.lost(id)
	}
	d.gone, d.known, d.doubtful = false, false, nil
	d.times++
}

// started takes what a server found on its disk, before anything is seen of its new life.
//
// rotten: the disk was damaged meanwhile, so that its newest snapshot may not be good any more.
func (l *ledger) started(m Moment, id raft.NodeID, found recovered, rotten bool) {
	if l.found != nil {
		return
	}
	o := &l.servers[id-1]
	d := &o.disk
	log, ok := l.whole(m, id, d, &found)
	if !ok || !l.checkSnapshots(m, id, d, &found, rotten) {
		return
	}
	if d.known && !l.checkRecovered(m, id, d, &found, log) {
		return
	}
	if !d.known || d.state != found.State {
		d.stateAt = m
	}
	d.known, d.doubtful, d.wroteAt = true, nil, m
	d.state, d.log, d.peers = found.State, log, slices.Clone(found.Peers)
	d.start, d.incarnation = found.Start, found.Identity.Incarnation
	d.node, d.joins = cmp.Or(found.Identity.Node, id), found.Identity.Joins
	o.forget(m)
	last := l.snapshotsFound(d, &found)
	if l.committedLog(log, last) {
		o.log = append(o.log, log...)
	} else { // the log begins anew behind the snapshot (§7)
		o.log = l.prefix(o.log, last)
	}
	o.term, o.vote, o.durable = found.State.Term, found.State.Vote, raft.Index(len(o.log))
	o.commit, o.applied, o.machine = last, last, last
	if n := len(o.log); n > 0 {
		o.last = raft.EntryID{Index: raft.Index(n), Term: o.log[n-1].term}
	}
	o.members = l.inForce(d, o.log)
	l.highest = max(l.highest, o.term)
}

// checkRecovered holds that a start finds what was acknowledged.
func (l *ledger) checkRecovered(m Moment, id raft.NodeID, d *stored, found *recovered, log []logged) bool {
	if found.Start <= d.start {
		return l.accuse(Recovery, attest(d.wroteAt, id, "has start number %d", d.start),
			attest(m, id, "starts with number %d", found.Start),
			"n%v starts with number %d after %d: its peers would not listen", id, found.Start, d.start)
	}
	return l.checkFound(m, id, d, found, log)
}

// checkFound holds that what a disk is found to have is what was acknowledged, or that with the whole write
// under way.
func (l *ledger) checkFound(m Moment, id raft.NodeID, d *stored, found *recovered, log []logged) bool {
	switch {
	case found.Start < d.start:
		return l.accuse(Recovery, attest(d.wroteAt, id, "has start number %d", d.start),
			attest(m, id, "has start number %d on its disk", found.Start),
			"the start number of n%v went back from %d to %d", id, d.start, found.Start)
	case found.Identity.Incarnation != d.incarnation:
		return l.accuse(Recovery, attest(d.wroteAt, id, "is incarnation %x", uint64(d.incarnation)),
			attest(m, id, "is incarnation %x", uint64(found.Identity.Incarnation)),
			"n%v starts as another incarnation, although its disk is whole", id)
	case found.State.Term < d.state.Term:
		return l.accuse(Monotonicity, attest(d.stateAt, id, "has %s on its disk", d.hard()),
			attest(m, id, "starts in term %d", found.State.Term),
			"n%v starts in term %d, although term %d was durable", id, found.State.Term, d.state.Term)
	}
	lacks := d.differs(found, log)
	if lacks == "" {
		return true
	}
	for _, with := range d.withDoubtful() {
		if with.differs(found, log) == "" {
			return true
		}
	}
	if d.doubtful != nil {
		lacks += ", and the write under way explains it at most in part"
	}
	return l.accuse(Recovery, attest(d.wroteAt, id, "has %s and a log that ends in %v on its disk", d.hard(),
		d.end().EntryID), attest(m, id, "starts and finds %s and %d entries",
		(&stored{state: found.State}).hard(), len(log)), "n%v does not find what was durable: %s", id, lacks)
}

// withDoubtful returns the disk with what of the write that was under way may be there: a new beginning of
// the log is durable before the rest is begun. None if there was no write.
func (d *stored) withDoubtful() (all []*stored) {
	w := d.doubtful
	if w == nil {
		return nil
	}
	with := stored{state: d.state, log: d.log, peers: d.peers, snapshots: d.snapshots, before: d.before,
		ledger: d.ledger}
	if w.Restart.Index != 0 {
		with.log, with.before = d.ledger.prefix(nil, w.Restart.Index), w.Restart.Index
		began := with
		all = append(all, &began)
	}
	with.peers = merged(slices.Clone(d.peers), w.Peers)
	if w.State != nil {
		with.state = *w.State
	}
	if len(w.Entries) > 0 {
		from := min(int(w.Entries[0].Index)-1, len(with.log))
		with.log = slices.Clone(with.log[:from])
		for i := range w.Entries {
			with.log = append(with.log, chained(with.log, &w.Entries[i], Moment{}))
		}
	}
	return append(all, &with)
}

// differs says in what that which was found differs from the disk; empty if in nothing.
func (d *stored) differs(found *recovered, log []logged) string {
	if found.State != d.state {
		return fmt.Sprintf("it finds %s instead of %s", (&stored{state: found.State}).hard(), d.hard())
	}
	for i := range min(len(log), len(d.log)) {
		if log[i].chain != d.log[i].chain {
			return fmt.Sprintf("it finds another entry %d (term %d) than the durable one (term %d)", i+1,
				log[i].term,
				d.log[i].term)
		}
	}
	if len(log) != len(d.log) {
		return fmt.Sprintf("its log ends at %d instead of %d", len(log), len(d.log))
	}
	if !slices.Equal(found.Peers, d.peers) {
		return fmt.Sprintf("it remembers its peers as %v instead of %v", found.Peers, d.peers)
	}
	return ""
}
