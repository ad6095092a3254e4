package raft

import "slices"

// Output is what must happen next. Everything in it has been counted as handed out: the next Output begins
// where this one ends. The slices share memory with the server's log and must not be written to.
type Output struct {
	// Write numbers what must become durable, or is 0 when nothing must. Writes reach the disk in this
	// order, and Persisted acknowledges them.
	Write     Write
	HardState *HardState // nil when unchanged
	// Restart, unless zero, says that the log on disk begins anew behind this entry, which a durable
	// snapshot includes: whatever it held is dropped, before Entries are written.
	Restart EntryID
	Entries []Entry // replace everything on disk from Entries[0].Index on
	// Repaired says that the durable mark of Restored.Repairing goes with this write: once HardState, which
	// is given then, is durable, or in one piece with it.
	Repaired bool

	// Members is the configuration that is in force from now on, and MembersIndex the index of the entry that
	// brought it; nil when neither has changed. What was in force at the start is Core.Members.
	Members      *Configuration
	MembersIndex Index

	// Committed is to be applied, in this order; each is durable here. Of a long log that was found at the
	// start the next Output brings the rest, which lies elsewhere: to gather all would take a tenth of a
	// second.
	Committed []Entry
	Messages  []Letter  // to be sent now; what had to wait for the disk has waited
	Chunks    []Chunk   // of a snapshot that arrives: to be stored, and answered by ChunkStored
	Answers   []Answer  // to Propose, ChangeMembership and Transfer
	Readings  []Reading // to ReadIndex
	Events    []Event   // what was decided and why; empty unless Config.Events

	// Unheard says that another election timeout has passed in which this server heard no leader, whether it
	// asks for votes now or may not.
	Unheard bool
}

// Letter is a message to one server. An InstallSnapshot is handed out without Data and Checksum: unless Ask
// is set, the driver fills in what the snapshot has from Offset on, up to Limits.ChunkBytes; if it cannot, it
// sends nothing.
type Letter struct {
	To       NodeID
	Sequence Sequence
	Message  Message
	Ask      bool // of an InstallSnapshot: it only asks where the follower wants to go on
}

// Chunk is a piece of a snapshot that the leader sends (§7), to be stored by the driver. Without Data it only
// asks how much of the snapshot is stored. At most one is handed out for each InstallSnapshot received, and
// none before the present term is durable.
type Chunk struct {
	From     NodeID
	Sequence Sequence
	Message  InstallSnapshot
}

// Answer tells what became of a proposal at its entrance, of a change of membership, or of a transfer.
type Answer struct {
	Ticket  Ticket
	Entry   EntryID // where it stands if this very term is committed there; zero when refused, or a transfer
	Refusal Refusal // Accepted, or why not
}

// Output returns what must happen next, and counts it as handed out.
//
// It is the only place where effects are made: no handler remembers to persist, it changes the state, and the
// difference to what was handed out before is noticed here.
func (c *Core) Output() Output {
	c.beginReadRound()
	c.replicate()
	c.hurryTarget()
	c.reportReady()
	o := &c.outbox
	out := Output{Answers: o.answers, Readings: o.readings, Events: o.events, Unheard: o.unheard}
	o.answers, o.readings, o.events, o.unheard = nil, nil, nil, false

	ends := c.repair.ends()
	if c.hard != o.hard || c.log.saved != c.log.last().Index || c.log.restart != (EntryID{}) || ends {
		o.written++
		o.unacknowledged = append(o.unacknowledged, waitingWrite{write: o.written, since: o.waited})
		out.Write = o.written
		out.Restart, c.log.restart = c.log.restart, EntryID{}
		out.Entries = c.log.handOut(o.written)
		if now := c.hard; now != o.hard || ends {
			out.HardState, o.hard = &now, now
		}
		if ends {
			out.Repaired, c.repair.until = true, o.written
		}
	}
	if p := &c.members.placed; p.index != o.members.index || !p.equal(o.members.Configuration) {
		now := *p // copied only here: this is asked at every event
		out.Members, out.MembersIndex, o.members = &now.Configuration, now.index, now
	}
	if through := min(c.commitIndex, c.log.durable); through > o.committed {
		out.Committed = c.log.next(o.committed, through)
		c.load.unapplied += sizeOf(out.Committed)
		o.committed += Index(len(out.Committed))
	}
	out.Messages, o.ready = o.ready, nil
	out.Chunks = c.takeChunks()
	return out
}

// outbox is the edge between what the server has decided and what its driver has been told.
type outbox struct {
	hard      HardState // as last handed out
	members   placed    // as last handed out
	committed Index     // as last handed out
	written   Write     // the last write handed out
	persisted Write     // the last write acknowledged

	unacknowledged []waitingWrite // in their order
	waited         int            // ticks since this server started

	hardIn    Write // the write that makes the present term and vote durable
	entriesIn Write // the write that makes the last change of the log durable

	held     []held // messages that promise what is not durable yet
	ready    []Letter
	chunks   []Chunk // at most one, of a snapshot that arrives; waits for the present term to be durable
	answers  []Answer
	readings []Reading
	events   []Event
	unheard  bool // see Output.Unheard
}

// waitingWrite is a write that was handed out, and when, in ticks.
type waitingWrite struct {
	write Write
	since int
}

// held is a message that leaves when a write is durable.
type held struct {
	until Write
	Letter
}

// send lets a message go when the write it rests on is durable: now, if it already is.
func (o *outbox) send(letter Letter, until Write) {
	if until <= o.persisted {
		o.ready = append(o.ready, letter)
		return
	}
	if len(o.held) == maxHeld {
		o.held = slices.Delete(o.held, 0, maxHeld/4)
	}
	o.held = append(o.held, held{until: until, Letter: letter})
}

// maxHeld bounds the messages that wait for the disk: while it hangs, every heartbeat of a new leader adds an
// answer. The oldest go, as if the network had lost them.
const maxHeld = 1 << 12

// release moves to ready what has waited long enough, in the order in which it was sent.
func (o *outbox) release() {
	waiting := o.held[:0]
	for _, h := range o.held {
		if h.until <= o.persisted {
			o.ready = append(o.ready, h.Letter)
		} else {
			waiting = append(waiting, h)
		}
	}
	clear(o.held[len(waiting):])
	o.held = waiting
}

// setHardState changes term and vote. Whatever promises them waits for the next write, which will contain
// them.
//
// Messages held in an older term are dropped: nobody waits for them any more, and their promise may have
// been undone.
func (c *Core) setHardState(term Term, vote NodeID) {
	if term != c.hard.Term {
		c.outbox.held, c.outbox.chunks = nil, nil
		c.verified, c.heardRound = 0, 0
	}
	c.hard = HardState{Term: term, Vote: vote}
	c.outbox.hardIn = c.outbox.written + 1
}

// appendToLog appends entries. Whatever acknowledges them waits for the next write, which will contain them.
// What configurations they carry has been read.
func (c *Core) appendToLog(entries []Entry, carried []placed) {
	c.log.append(entries...)
	c.takeConfigurations(carried)
	c.outbox.entriesIn = c.outbox.written + 1
}

// persisted takes the disk's acknowledgement: own promises count from here on, and what was held back may
// leave.
func (c *Core) persisted(write Write) {
	assert(write <= c.outbox.written, "the driver acknowledged a write that was not handed out")
	if write <= c.outbox.persisted {
		return
	}
	c.outbox.persisted = write
	c.outbox.unacknowledged = slices.DeleteFunc(c.outbox.unacknowledged,
		func(w waitingWrite) bool { return w.write <= write })
	c.log.persisted(write)
	c.outbox.release()
	c.emit(PersistedTo{Write: write, Durable: c.log.durable})

	c.repaired(write)
	if c.role == Candidate && c.outbox.hardIn <= write {
		c.countVote(c.config.ID, true)
	}
	if c.role == Leader {
		c.advanceCommit()
	}
}
