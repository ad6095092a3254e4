package raft

import (
	"fmt"
	"slices"
	"strings"
)

// Status is what a server knows of itself at one moment.
type Status struct {
	ID          NodeID
	Role        Role
	Term        Term
	Vote        NodeID
	Leader      NodeID // of this term; None when unknown
	Commit      Index
	Applied     Index
	Last        EntryID // the end of the log
	Durable     Index   // how much of the log is on disk
	Entries     int     // how many entries are in memory
	Uncommitted int     // of a leader: bytes of entries above the commit index
	Snapshot    EntryID // the last entry that the newest snapshot includes; zero when there is none
	First       Index   // the first entry in memory, or, when there is none, the one to come
	LogBytes    int     // bytes of the entries behind the snapshot
	Refused     uint64  // messages that no correct server would have sent

	Configuration Index  // of the entry that brought the configuration in force; 0: bootstrap
	Joint         bool   // it is joint (§6)
	TransferTo    NodeID // of a leader: to whom it is handing over; None: to nobody
	Repair        Repair
	Progress      []Progress
}

// Repair is what a server knows of who repairs itself after its disk was damaged.
type Repair struct {
	On      bool     // this server does, and counts for nothing
	Floor   Term     // of this server: it returns under a leader of a later term; 0: not known yet
	Servers []NodeID // who does, this server included, by id
	// Halts says that they leave no quorum. Nothing is guessed: the cluster stands still until a person puts
	// back what they have lost, or recovers it from what is left.
	Halts bool
}

// Progress is what a leader knows of one follower.
type Progress struct {
	ID    NodeID
	Match Index // durably replicated
	Next  Index // to be sent next
	// Probing: one message at a time is sent, because it is not known where the logs join.
	Probing bool
	Busy    bool // it takes no entries for now
	// OnTheWay counts the messages with entries that it has not answered.
	OnTheWay int
	Silent   int  // ticks since it last answered
	Heard    bool // it has answered in this term
	// Installing: it is sent a snapshot of Size bytes, because the log no longer holds what it lacks; it has
	// Offset of them.
	Installing   bool
	Offset, Size uint64
	// Repairing: it counts for nothing until it has back what it lost.
	Repairing bool
	// Departing: it is no member any more, counts for nothing, and is yet to learn it.
	Departing bool
}

// Status returns what the server knows of itself. Progress is filled at a leader, in the order of ids.
func (c *Core) Status() Status {
	s := Status{
		ID:          c.config.ID,
		Role:        c.role,
		Term:        c.hard.Term,
		Vote:        c.hard.Vote,
		Leader:      c.leader,
		Commit:      c.commitIndex,
		Applied:     c.appliedIndex,
		Last:        c.log.last(),
		Durable:     c.log.durable,
		Entries:     c.log.entries.count,
		Uncommitted: c.leading.uncommitted,
		Snapshot:    c.snapshot.Last,
		First:       c.log.base.Index + 1,
		LogBytes:    c.log.bytes,
		Refused:     c.refused,

		Configuration: c.members.index,
		Joint:         c.members.Joint(),
		Repair: Repair{On: c.repair.on, Floor: c.repair.floor, Servers: c.repairers(),
			Halts: c.repairHalts()},
	}
	if c.transferring() {
		s.TransferTo = c.handover.to
	}
	if n := len(c.leading.peers); n > 0 {
		s.Progress = make([]Progress, n)
	}
	for i := range s.Progress {
		p := &c.leading.peers[i]
		s.Progress[i] = Progress{ID: p.id, Match: p.match, Next: p.next, Probing: p.probing,
			Busy: p.busy, OnTheWay: len(p.onTheWay), Silent: p.silent, Heard: p.heard,
			Installing: p.transfer.on(), Offset: p.transfer.offset, Size: p.transfer.size,
			Repairing: p.repairs, Departing: p.departing}
	}
	return s
}

// Role returns what the server does at the moment.
func (c *Core) Role() Role { return c.role }

// Term returns the server's current term.
func (c *Core) Term() Term { return c.hard.Term }

// Repairing reports whether this server repairs itself, and counts for nothing.
func (c *Core) Repairing() bool { return c.repair.on }

// Leader returns the leader of this term, None when unknown.
func (c *Core) Leader() NodeID { return c.leader }

// Commit returns the highest index that this server knows to be committed.
func (c *Core) Commit() Index { return c.commitIndex }

// EntriesAfter returns the entries behind an index as they stand in memory at the moment, for checks that
// look at several servers at once. Those that are no longer in memory are left out: Status.First is the first
// that is. They must not be written to.
func (c *Core) EntriesAfter(i Index) []Entry {
	return c.log.between(max(i, c.log.base.Index), c.log.last().Index)
}

// EntryAt names the entry at an index; its term is 0 when the log in memory does not tell it.
func (c *Core) EntryAt(i Index) EntryID {
	term, _ := c.log.term(i)
	return EntryID{Term: term, Index: i}
}

// Stands reports whether an entry that the leader of its term has appended stands in this server's log, and
// whether that is known. Where the log begins behind it, the entry right before the log tells it, if that is
// not of a later term: terms never fall along a log, and one of the same term was appended behind ours by
// the same leader.
func (c *Core) Stands(e EntryID) (stands, known bool) {
	if term, is := c.log.term(e.Index); is {
		return term == e.Term, true
	}
	base := c.log.base
	return base.Term == e.Term, e.Index < base.Index && base.Term <= e.Term
}

// Clone returns a second server in the same state, with the same future: fed the same inputs, both decide
// the same. They share nothing that either writes to.
func (c *Core) Clone() *Core {
	d := *c
	d.log = c.log.clone()
	d.members.earlier = slices.Clone(c.members.earlier)
	d.repair.others = slices.Clone(c.repair.others)
	d.ballots = slices.Clone(c.ballots)
	d.leading = c.leading.clone()
	d.outbox.unacknowledged = slices.Clone(c.outbox.unacknowledged)
	d.outbox.readings = slices.Clone(c.outbox.readings)
	d.outbox.held = slices.Clone(c.outbox.held)
	d.outbox.ready = slices.Clone(c.outbox.ready)
	d.outbox.chunks = slices.Clone(c.outbox.chunks)
	d.outbox.answers = slices.Clone(c.outbox.answers)
	d.outbox.events = slices.Clone(c.outbox.events)
	return &d
}

// Digest is a 64-bit FNV-1a hash of the server's whole state in a canonical text form: two servers with
// equal digests have, but for chance, the same future. Waiting answers and events are no part of it.
func (c *Core) Digest() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := uint64(offset)
	for _, b := range []byte(c.canonical()) {
		hash = (hash ^ uint64(b)) * prime
	}
	return hash
}

// canonical writes every field that a decision can rest on.
func (c *Core) canonical() string {
	var b strings.Builder
	fmt.Fprintf(&b, "id %d members %v\n", c.config.ID, c.members)
	fmt.Fprintf(&b, "hard %v role %d commit %d applied %d following %v handover %v\n",
		c.hard, c.role, c.commitIndex, c.appliedIndex, c.following, c.handover)
	fmt.Fprintf(&b, "timer %v ballots %v round %d sequence %d clock %v dice %d uncommitted %d refused %d\n",
		c.timer, c.ballots, c.leading.round, c.sequence, c.clock, c.dice, c.leading.uncommitted, c.refused)
	fmt.Fprintf(&b, "peers %v reads %v load %v\n", c.leading.peers, c.leading.reads, c.load)
	fmt.Fprintf(&b, "repair %v floors %v turns %d\n", c.repair, c.leading.floors, c.leading.turns)
	fmt.Fprintf(&b, "lease %v\n", c.leading.lease)
	fmt.Fprintf(&b, "snapshot %v previous %v\n", c.snapshot, c.previous)
	fmt.Fprintf(&b, "log %v %d saved %d durable %d restart %v flights %v bytes %d\n", c.log.base,
		c.log.baseTime, c.log.saved, c.log.durable, c.log.restart, c.log.flights, c.log.bytes)
	for i := range c.log.entries.count {
		e := c.log.entries.at(i)
		fmt.Fprintf(&b, "%d %d %d %d %x\n", e.Index, e.Term, e.Time, e.Kind, e.Command)
	}
	o := &c.outbox
	fmt.Fprintf(&b, "out %v %d %d %d %d %d\n", o.hard, o.committed, o.written, o.persisted, o.hardIn,
		o.entriesIn)
	fmt.Fprintf(&b, "members told %v\n", o.members)
	fmt.Fprintf(&b, "waited %d unacknowledged %v\n", o.waited, o.unacknowledged)
	for _, h := range o.held {
		fmt.Fprintf(&b, "held %d %d %d %T %v %v\n", h.until, h.To, h.Sequence, h.Message, h.Message, h.Ask)
	}
	for _, l := range o.ready {
		fmt.Fprintf(&b, "ready %d %d %T %v %v\n", l.To, l.Sequence, l.Message, l.Message, l.Ask)
	}
	fmt.Fprintf(&b, "chunks %v\n", o.chunks)
	return b.String()
}
