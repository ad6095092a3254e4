package raft

import (
	"fmt"
	"math"
)

// Snapshots and compaction (§7), and the leader's half of InstallSnapshot; the follower's is in install.go.
//
// The log is compacted when a snapshot of the own machine is durable, never earlier, and never waits for a
// follower. One that lacks what the log no longer holds is sent the snapshot instead, in chunks:
//
//	leader    ──── Ask: how much of the snapshot up to Last do you have? ───▶  follower
//	          ◀─── Next ──────────────────────────────────────────────────
//	          ──── Data from Next on ─────────────────────────────────────▶   stores it
//	          ◀─── Next ──────────────────────────────────────────────────
//	                …                                                          restores its machine
//	          ◀─── Complete ──────────────────────────────────────────────
//
// What the follower has stored it keeps, whoever sent it: after a lost connection or under another leader the
// transfer goes on where it stopped. One message is on its way at a time; when nothing comes of it the leader
// asks again, ever more slowly until the follower has stored more. Heartbeats go on beside it.
//
// Where we differ from the paper: offsets are the follower's to say, and the leader's log need not begin
// where the snapshot ends: some entries trail behind it, so that a follower that is a little behind needs
// none.

// Snapshot names a state of the state machine, after an entry (§7), and what a server must know to go on
// behind it. The zero Snapshot is none.
type Snapshot struct {
	Last         EntryID       // the last entry that it includes
	Time         Time          // log time of that entry
	Members      Configuration // in force at that entry, with the members' incarnations
	MembersIndex Index         // of the entry that brought it; 0: the bootstrap configuration
	Size         uint64        // bytes of the file, as it is sent
}

// Validate returns an error when no correct server can have made the snapshot. The zero Snapshot is none, and
// valid.
func (s Snapshot) Validate() error {
	if s.Last == (EntryID{}) {
		return nil
	}
	switch {
	case s.Last.Index == 0 || s.Last.Term == 0:
		return fmt.Errorf("raft: a snapshot up to %v, where no entry can be", s.Last)
	case s.MembersIndex > s.Last.Index:
		return fmt.Errorf("raft: the snapshot up to %v has a configuration from index %d", s.Last,
			s.MembersIndex)
	}
	return s.Members.validate()
}

// SnapshotDue reports whether so much was applied behind the last snapshot that the next should be taken
// (Limits.SnapshotBytes).
func (c *Core) SnapshotDue() bool {
	return c.load.applied > 0 && c.UntilSnapshot() == 0
}

// UntilSnapshot returns how many bytes of entries (Entry.Size) are yet to be applied until the next snapshot
// is due; 0 when it is. A driver that applies no entry beyond the one that fills them, before it has captured
// its machine, takes its next snapshot after the same entry as every other server that does and has the same
// limits and the same snapshot before it: a leader can then go on with what another one began to send.
func (c *Core) UntilSnapshot() int {
	budget, is := c.snapshotBudget()
	members := c.members.at(c.appliedIndex)
	if !is || budget > math.MaxInt || len(members.Voters) == 0 { // who joins may not know what it must bear
		return math.MaxInt
	}
	return max(int(budget)-c.load.applied, 0)
}

// Outgrown reports whether this server leads and its log is so long behind the newest snapshot that it
// refuses proposals as Overloaded, or will soon, until there is a newer one.
func (c *Core) Outgrown() bool {
	budget, is := c.snapshotBudget()
	return is && c.role == Leader && uint64(c.log.bytes) > budget
}

// snapshotBudget returns how many bytes of entries may lie behind the last snapshot before the next is due,
// and whether there is such a budget at all.
func (c *Core) snapshotBudget() (bytes uint64, is bool) {
	limit := c.config.Limits.SnapshotBytes
	if limit < 0 {
		return 0, false
	}
	return max(uint64(limit), c.snapshot.Size), true
}

// LogTime returns the log time that an entry would bear if this server, as leader, appended it now.
func (c *Core) LogTime() Time { return c.clock.logTime() }

// Limits returns the limits in force, defaults filled in.
func (c *Core) Limits() Limits { return c.config.Limits }

// snapshotted compacts the log behind a snapshot of the own machine. One that ended after a newer one was
// installed is stale and changes nothing.
func (c *Core) snapshotted(s Snapshot) {
	if s.Last.Index <= c.snapshot.Last.Index {
		return
	}
	assert(s.Last.Index <= c.appliedIndex, "the driver made a snapshot of more than was applied")
	assert(c.log.holds(s.Last), "the driver made a snapshot up to an entry that is not in the log")
	assert(s.Validate() == nil, "the driver made a snapshot without a configuration")
	entry := c.log.at(s.Last.Index)
	assert(s.Time == entry.Time, "the driver made a snapshot of another log time than its last entry's")
	members, index := c.MembersAt(s.Last.Index)
	assert(s.MembersIndex == index && s.Members.equal(members),
		"the driver made a snapshot with another configuration than was in force")
	size := c.log.size(c.snapshot.Last.Index, s.Last.Index)
	c.log.bytes -= size
	c.load.applied -= size
	c.previous, c.snapshot = c.snapshot.Last, s
	c.beginMembers(s)
	c.emit(SnapshotTaken{Last: s.Last, Size: s.Size})
	c.compact()
}

// compact drops from memory what the newest snapshot includes, but for as many of the latest entries as may
// trail behind it, and what followers that join by a snapshot need next.
func (c *Core) compact() {
	through, trailing := c.snapshot.Last.Index, 0
	for through > c.log.base.Index {
		trailing += c.log.at(through).Size()
		if trailing > c.config.Limits.TrailingBytes {
			break
		}
		through--
	}
	if through = c.kept(through); through > c.log.base.Index {
		c.log.compact(through)
		c.emit(Compacted{Through: through})
	}
}

// kept returns up to where the log is compacted when everything up to an index could be. Entries below that
// are kept, in bytes one budget at most, for followers that are being sent a snapshot or have not caught up
// since: if the log always began behind the snapshot that came after theirs, they would be sent one after the
// other for ever. They count against no limit, and go as soon as they are too many or nobody answers who
// needs them.
func (c *Core) kept(through Index) Index {
	budget, _ := c.snapshotBudget()
	least := through
	for i := range c.leading.peers {
		p := &c.leading.peers[i]
		from := max(p.match, p.transfer.last.Index)
		switch {
		case !p.joins || p.departing: // nobody waits for one that leaves
		case from >= through: // what trails is enough
			p.joins = p.transfer.on()
		case from < c.log.base.Index || p.silent >= c.config.ElectionMin ||
			uint64(c.log.size(from, through)) > budget:
			p.joins = false
		default:
			least = min(least, from)
		}
	}
	return least
}

// transfer is a snapshot on its way to one follower. The zero transfer is none.
type transfer struct {
	last     EntryID
	size     uint64
	offset   uint64   // where the follower wants to go on
	waits    bool     // a message is on its way
	asks     bool     // that message, or the next, only asks
	sequence Sequence // of that message
	sent     int      // at which tick
	patience int      // for how many ticks its answer is waited for
}

func (t *transfer) on() bool { return t.last.Index > 0 }

// sendSnapshot sends a follower the next piece of a snapshot, if nothing is on its way. The newest is sent; a
// transfer that runs goes on with its own as long as that one is kept: begun anew with each new snapshot, it
// might never end.
func (c *Core) sendSnapshot(p *peer) {
	t, now := &p.transfer, c.outbox.waited
	kept := t.last == c.snapshot.Last || t.last == c.previous
	if !t.on() || !kept || t.last.Index <= p.match {
		c.probe(p, p.match+1) // nothing that is on its way can join its log
		*t = transfer{last: c.snapshot.Last, size: c.snapshot.Size, asks: true, patience: c.config.Heartbeat}
		p.joins = true
	}
	if t.waits {
		if now-t.sent < t.patience {
			return
		}
		t.patience = min(2*t.patience, maxPatience*c.config.Heartbeat)
		t.asks = true // it may have stored what it could not acknowledge
	}
	m := InstallSnapshot{Term: c.hard.Term, Last: t.last, Size: t.size, Offset: t.offset}
	c.sequence++
	c.outbox.send(Letter{To: p.id, Sequence: c.sequence, Message: m, Ask: t.asks}, 0)
	t.waits, t.sequence, t.sent = true, c.sequence, now
}

// installSnapshotResponse learns how much of a snapshot a follower has, or that it is in force there. That it
// is in force counts whenever it comes and whoever sent the snapshot: a follower does not lose it again, and
// a leader that passed over a late word of it would send all of it once more.
func (c *Core) installSnapshotResponse(from NodeID, sequence Sequence, m InstallSnapshotResponse) {
	if c.role != Leader || m.Term < c.hard.Term {
		c.ignore(from, m, StaleResponse)
		return
	}
	p := c.peer(from)
	if p == nil { // it may have left
		c.ignore(from, m, UnknownSender)
		return
	}
	if p.overtaken(m.Repairing) {
		c.ignore(from, m, StaleResponse)
		return
	}
	c.heard(p, m.Repairing)
	if m.Complete {
		c.complete(p, m)
		return
	}
	t := &p.transfer
	switch answers := t.waits && sequence == t.sequence; {
	case !t.on() || m.Last != t.last:
		c.ignore(from, m, StaleResponse)
	case m.Next > t.size:
		c.refuse(from, m, BeyondLog)
	case answers || m.Next > t.offset: // a late answer to something earlier may bring progress too
		c.proceed(p, m.Next, answers)
	default:
		c.ignore(from, m, StaleResponse)
	}
}

// complete notes that a follower has everything up to a snapshot's last entry.
func (c *Core) complete(p *peer, m InstallSnapshotResponse) {
	term, known := c.log.term(m.Last.Index)
	if m.Last.Index > c.commitIndex || known && term != m.Last.Term {
		c.refuse(p.id, m, BeyondLog) // there is no such snapshot
		return
	}
	c.measured(p, m.Last.Index)
	p.settle()
	if m.Last.Index >= p.transfer.last.Index {
		p.transfer = transfer{} // if our log has been compacted beyond it meanwhile, a newer one follows
	}
}

// proceed takes a follower's word of where to go on. Only progress, or the answer to a question, lets the
// next chunk leave at once: to one that cannot store any the same chunk would otherwise go round for ever.
// Nothing is left to be sent to one that has everything: it is asked now and then whether it is in force.
//
// Only progress shortens the patience. One that answers questions and stores nothing, for its disk is full or
// what is large never arrives, would otherwise be sent the same chunk every heartbeat for ever.
func (c *Core) proceed(p *peer, next uint64, answers bool) {
	t := &p.transfer
	progress, asked := next > t.offset, answers && t.asks
	t.offset = next
	if next == t.size || !progress && !asked {
		return
	}
	if asked {
		c.emit(SnapshotSending{To: p.id, Last: t.last, Offset: next})
	}
	if answers && progress {
		took := c.outbox.waited - t.sent
		t.patience = min(max(2*took, c.config.Heartbeat), maxPatience*c.config.Heartbeat)
	}
	t.waits, t.asks = false, false
}
