package raft

import "slices"

// Log replication (§5.3), the leader's half.
//
// What a follower lacks is a difference of states like everything else: Output compares how far each
// follower has come with our log and sends what is missing, up to a window of messages and bytes on their
// way.
//
//	            a probe is acknowledged
//	  probing ───────────────────────────▶ replicating
//	  one message at a time,               next runs ahead of the acknowledgements
//	  next is a guess         ◀───────────
//	            a rejection, or a sign that entries were lost
//
//	            next falls to where our log no longer reaches         a snapshot is installed
//	  either ──────────────────────────────────────────▶ installing ─────────────────▶ replicating
//	                                                     (snapshot.go)
//
// Beside that an empty AppendEntries goes to each follower every heartbeat interval, whatever else is on
// its way. It names the follower's match as Prev, so one that overtakes entries is not refused; it leaves
// and is answered without waiting for a disk, so a slow disk does not depose a leader. Its answer tells how
// far the follower holds our log: what was sent before and is not there was lost, and is sent again.

// leading is what only a leader keeps. It begins empty with each term.
type leading struct {
	peers       []peer // sorted by id
	round       Round  // the last one begun
	uncommitted int    // bytes of entries above the commit index
	reads       []read // not answered yet, in the order in which they came
	floors      []floorAsked
	turns       int // how often a follower began to repair itself, or to count again
	lease       lease
}

func (l leading) clone() leading {
	l.peers = slices.Clone(l.peers)
	for i := range l.peers {
		l.peers[i].onTheWay = slices.Clone(l.peers[i].onTheWay)
	}
	l.reads = slices.Clone(l.reads)
	l.floors = slices.Clone(l.floors)
	l.lease = l.lease.clone()
	return l
}

// peer is what a leader knows of one follower (§5.3). match is a measurement, next a guess.
type peer struct {
	hearing
	id         NodeID
	match      Index    // the follower durably holds our log up to here
	measuredAt Sequence // the last one given to any request when match was learned
	next       Index    // the first entry to send; above match
	probing    bool
	busy       bool // it takes no entries for now
	onTheWay   []shipment
	closed     int   // by how many messages the window is narrower than Limits.Window
	told       Index // the commit index last sent
	round      Round // the latest that it has answered
	uncounted  int   // ticks since it last answered what counts: not while it repairs itself
	// patience is how many ticks a shipment may be on its way before an answer to something later means that
	// it was lost. It grows each time: large entries on a slow link would otherwise be sent again before they
	// can have arrived, and again, until nothing gets through.
	patience int
	transfer transfer // of a snapshot
	joins    bool     // since a transfer began it has not caught up; see kept

	repairs   bool     // itself: match and what is on the way only steer what is sent
	departing bool     // it is no member any more, and does not count
	left      leave    // of a departing one
	farewell  Sequence // of the message that told a departing one that it is none; 0: not told yet
	study     study    // of a learner that is to be promoted
}

// hearing is what a leader has heard of a follower.
type hearing struct {
	silent int    // ticks since it last answered in this term
	heard  bool   // it has answered in this term
	start  uint64 // its run that has answered; 0 when not known
	counts uint64 // its run that has answered as one that does not repair itself; 0: none, or not known
}

// maxPatience bounds, in heartbeats, how late lost entries are sent again.
const maxPatience = 32

// shipment is an AppendEntries with entries that has not been answered.
type shipment struct {
	sequence   Sequence
	prev, last Index
	bytes      int
	sent       int // at which tick
}

func (c *Core) peer(id NodeID) *peer {
	for i := range c.leading.peers { // they are few: to search would cost more, as it copies whom it looks at
		if p := &c.leading.peers[i]; p.id == id {
			return p
		}
	}
	return nil
}

// appendAsLeader appends one entry of this term to our log, and tells so.
func (c *Core) appendAsLeader(kind Kind, command []byte) EntryID {
	e := c.appendUntold(kind, command)
	c.tellAppended(Appended{Entry: e, Kind: kind, New: 1})
	return e
}

// appendUntold is appendAsLeader for entries of which the caller tells together (tellAppended).
func (c *Core) appendUntold(kind Kind, command []byte) EntryID {
	assert(c.role == Leader, "only a leader appends entries of its own")
	e := Entry{
		Term:    c.hard.Term,
		Index:   c.log.last().Index + 1,
		Time:    c.clock.logTime(),
		Kind:    kind,
		Command: command,
	}
	configurations, err := carried([]Entry{e})
	assert(err == nil, "an entry without a configuration was appended as one")
	c.appendToLog([]Entry{e}, configurations)
	c.leading.uncommitted += e.Size()
	return e.ID()
}

// tellAppended tells of entries that were appended, if there are any.
func (c *Core) tellAppended(a Appended) {
	if a.New > 0 {
		c.emit(a)
	}
}

// heartbeat begins a round: it asserts leadership, asks each follower how far it has come, and confirms the
// reads that wait.
func (c *Core) heartbeat() {
	l := &c.leading
	l.round++
	c.noteRound()
	for i := range l.reads {
		if l.reads[i].round == 0 {
			l.reads[i].round = l.round
		}
	}
	l.beginFloors()
	for i := range l.peers {
		c.sendEmpty(&l.peers[i])
	}
	c.confirmReads() // a sole voter needs nobody's answer, and nobody's will come
}

// replicate sends to each follower what it lacks, as far as its window is open, or else the news of a commit.
func (c *Core) replicate() {
	for i := range c.leading.peers {
		p := &c.leading.peers[i]
		if p.next <= c.log.base.Index { // Prev is not known any more
			c.sendSnapshot(p)
			continue
		}
		p.transfer = transfer{}
		for p.next <= c.log.last().Index && c.windowOpen(p) {
			c.sendEntries(p)
		}
		if len(p.onTheWay) == 0 && p.told < min(c.commitIndex, p.match) {
			c.sendEmpty(p)
		}
	}
}

// windowOpen reports whether more entries may be on their way to a follower.
func (c *Core) windowOpen(p *peer) bool {
	if p.busy {
		return false
	}
	if p.probing {
		return len(p.onTheWay) == 0
	}
	bytes := 0
	for _, s := range p.onTheWay {
		bytes += s.bytes
	}
	return len(p.onTheWay) < c.config.Limits.Window-p.closed && bytes < c.config.Limits.InFlightBytes
}

func (c *Core) sendEntries(p *peer) {
	m := c.newAppend(p, p.next-1)
	m.Entries = c.log.after(m.Prev.Index, c.config.Limits.AppendBytes)
	s := shipment{prev: m.Prev.Index, last: m.Prev.Index + Index(len(m.Entries)), sent: c.outbox.waited}
	s.bytes = sizeOf(m.Entries)
	s.sequence = c.request(p.id, m, 0)
	p.onTheWay = append(p.onTheWay, s)
	if !p.probing {
		p.next = s.last + 1
	}
}

// sendEmpty asks a follower how far it has come. When our log does not reach back to its match, it is asked
// about the earliest entry that we can name: it may hold that, and if not its rejection is contact all the
// same.
func (c *Core) sendEmpty(p *peer) {
	c.request(p.id, c.newAppend(p, max(p.match, c.log.base.Index)), 0)
}

func (c *Core) newAppend(p *peer, prev Index) AppendEntries {
	p.told = c.commitIndex
	c.farewell(p, prev)
	return AppendEntries{
		Term:   c.hard.Term,
		Prev:   c.log.id(prev),
		Commit: c.commitIndex,
		Round:  c.leading.round,
	}
}

// appendEntriesResponse learns how far a follower has come, or how far back to go (§5.3). Whatever it says,
// it says that the follower was in our term when it answered: a rejection too is contact, and confirms a
// round.
func (c *Core) appendEntriesResponse(from NodeID, sequence Sequence, m AppendEntriesResponse) {
	if c.role != Leader || m.Term < c.hard.Term {
		c.ignore(from, m, StaleResponse)
		return
	}
	p := c.peer(from)
	switch {
	case p == nil: // it may have left
		c.ignore(from, m, UnknownSender)
		return
	case m.Match > c.log.last().Index || m.Holds > c.log.last().Index || m.Round > c.leading.round:
		c.refuse(from, m, BeyondLog)
		return
	}
	if p.overtaken(m.Repairing) {
		c.ignore(from, m, StaleResponse)
		return
	}
	c.heard(p, m.Repairing)
	p.round = max(p.round, m.Round) // it is not looked at while the follower repairs itself
	c.leading.lease.answered(from, m.Round)
	if m.Rejected {
		if m.Round > 0 { // below our base it can only reject, also one that was busy in an earlier life
			p.busy = m.Busy
		}
		c.damagedAgain(p, sequence, m)
		c.stepBack(p, sequence, m)
	} else {
		c.acknowledged(p, sequence, m)
		if p.farewell > 0 && sequence >= p.farewell {
			c.partFrom(from, true)
		}
	}
	c.confirmReads()
	c.electForRepair(from, m)
}

// stepBack moves next back to where the logs can agree at the latest, and lets replicate probe there. Only
// the answer to what is on its way may do so: an old rejection would send next back below what has been
// acknowledged since.
//
// A rejection without a round answers a message of an older term, and bears our term only because it comes
// late. A leader that restarted since then counts its sequences anew: they could be equal by chance.
func (c *Core) stepBack(p *peer, sequence Sequence, m AppendEntriesResponse) {
	at := slices.IndexFunc(p.onTheWay, func(s shipment) bool { return s.sequence == sequence })
	if at < 0 || m.Round == 0 {
		c.notStepBack(p, sequence, m)
		return
	}
	prev := p.onTheWay[at].prev
	if prev <= p.match && sequence > p.measuredAt {
		// It was asked after it had acknowledged what it now says it lacks. Sending it again would go on
		// for ever.
		c.refuse(p.id, m, LostEntries)
		return
	}
	p.patience = 0
	c.narrow(p)
	agreed := m.Conflict.Index // below our base there is nothing to compare it with
	if agreed >= c.log.base.Index {
		agreed = c.log.agreement(m.Conflict).Index
	}
	c.probe(p, min(agreed+1, prev))
	c.emit(SteppedBack{Peer: p.id, Conflict: m.Conflict, Next: p.next})
}

// narrow halves the window of a follower that has rejected one of several messages on their way: a later one
// has overtaken an earlier one. All of them are sent again, and are overtaken again where the network goes on
// reordering: with a wide window each entry would be sent as often as the window is wide. What is
// acknowledged widens it again.
func (c *Core) narrow(p *peer) {
	if n := len(p.onTheWay); n > 1 {
		p.closed = c.config.Limits.Window - n/2
	}
}

// probe forgets what is on its way and goes on from next: with one message at a time, as long as it is not
// known whether the follower holds what precedes it.
func (c *Core) probe(p *peer, next Index) {
	p.next = max(p.match+1, next)
	p.probing = p.next > p.match+1
	p.onTheWay = nil
}

// notStepBack takes a rejection of nothing that is on its way. It is late, or it answers a heartbeat that
// named the base of our log, above the follower's match: what was sent from below that base some time before
// was then lost. (A heartbeat that names the match is not refused, and tells of losses by what the follower
// holds.)
func (c *Core) notStepBack(p *peer, sequence Sequence, m AppendEntriesResponse) {
	if m.Round > 0 && p.match < c.log.base.Index {
		if s, is := p.lost(sequence, AppendEntriesResponse{}, c.outbox.waited); is {
			c.sendAgain(p, s.prev+1)
			return
		}
	}
	c.ignore(p.id, m, StaleResponse)
}

// overtaken reports whether an answer is of before another one, by which its sender counts again. A server
// begins to repair itself when it starts, or not in that run; believed, a late answer would have its leader
// forget what it holds.
func (p *peer) overtaken(repairing bool) bool {
	return repairing && p.counts != 0 && p.counts == p.start
}

// heard notes that a follower answered. One that had fallen silent in the middle of a snapshot is asked anew
// soon, not after the patience that grew meanwhile.
func (c *Core) heard(p *peer, repairing bool) {
	if repairing != p.repairs {
		c.turn(p, repairing)
	}
	if p.silent >= c.config.ElectionMin {
		p.transfer.patience = min(p.transfer.patience, c.config.Heartbeat)
	}
	p.silent, p.heard = 0, true
	if !repairing {
		p.uncounted = 0
		p.counts = p.start
	}
}

// acknowledged takes a measurement. It never goes back: a late answer knows less than one that overtook it.
func (c *Core) acknowledged(p *peer, sequence Sequence, m AppendEntriesResponse) {
	p.busy = m.Busy
	c.measured(p, m.Match)
	if s, is := p.lost(sequence, m, c.outbox.waited); is {
		// A probe is repeated where it was: before its first answer a follower holds nothing that is known to
		// be ours, and to begin there would send it the whole log.
		c.sendAgain(p, max(m.Holds, s.prev)+1)
	}
	p.settle()
}

// measured notes how far a follower durably holds our log.
func (c *Core) measured(p *peer, match Index) {
	if match > p.match {
		p.match, p.measuredAt, p.patience = match, c.sequence, 0
		c.emit(Replicated{To: p.id, Match: p.match})
		c.advanceCommit()
	}
	for len(p.onTheWay) > 0 && p.onTheWay[0].last <= p.match {
		p.onTheWay = p.onTheWay[1:]
		p.closed = max(p.closed-1, 0)
	}
}

// sendAgain begins anew after a loss, and waits longer for the next.
func (c *Core) sendAgain(p *peer, next Index) {
	p.patience = min(max(2*p.patience, c.config.Heartbeat), maxPatience*c.config.Heartbeat)
	c.probe(p, next)
}

// settle lets next follow match, and ends the probing where they have met.
func (p *peer) settle() {
	p.next = max(p.next, p.match+1)
	if p.probing && p.next == p.match+1 {
		p.probing = false
		if n := len(p.onTheWay); n > 0 { // the probe is the first message of the window, and not sent again
			p.next = p.onTheWay[n-1].last + 1
		}
	}
}

// lost returns the first shipment that, as an answer tells, did not arrive or was not taken: the answer is
// to that very message, or after some patience to a later one, and the follower does not hold the entries, on
// disk or on their way to it. (If the answer merely overtook the shipment, the entries are sent twice, which
// does no harm.)
func (p *peer) lost(sequence Sequence, m AppendEntriesResponse, now int) (s shipment, is bool) {
	at := slices.IndexFunc(p.onTheWay, func(s shipment) bool { return s.last > m.Holds })
	if at < 0 {
		return shipment{}, false
	}
	s = p.onTheWay[at]
	return s, sequence == s.sequence || sequence > s.sequence && now-s.sent >= p.patience
}
