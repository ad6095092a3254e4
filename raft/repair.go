package raft

import (
	"cmp"
	"slices"
)

// Repair of a server whose disk was damaged. (The idea: Alagappan and others, "Protocol-Aware Recovery for
// Consensus-Based Storage", FAST 2018.)
//
// Such a server R may have lost votes and entries that it has promised to keep. It starts with a durable
// mark, and follows: it votes for nobody, does not campaign, and all that it answers bears Repairing, so
// that it steers what it is sent and counts for nothing. To everybody else it is like a server that has
// crashed, whose last messages still arrive. It counts again by these steps:
//
//	R         ──── RepairFloor{Number} ──────────────▶  leader of term F
//	                                                    begins a round, and waits for a quorum of answers
//	                                                    that do not bear Repairing
//	          ◀─── RepairFloorResponse{Floor: F} ─────
//	          ◀─── the log; a snapshot, if need be ───
//	          ──── AppendEntriesResponse{Floor: F} ──▶  leads F still, and R lacks little: it campaigns
//	                                                    again, for R can only return in a later term
//	          ◀─── the log, committed up to c ───────   leader L of a term T above F; entry c is of term T
//
// R then makes durable its log up to c, the term T, its vote for L, and that the mark is gone, in this
// order or at once, and counts from then on.
//
// Why that is safe. Let Q be the quorum that answered the round. Each of Q was in term F after R was damaged,
// and so had voted in no later term. Every quorum that elects meets Q. So before R was damaged nobody had
// been elected above F, and three kinds of promise can be lost:
//
// An entry acknowledged to a leader. Its term is F at most. The acknowledgement may still be on its way,
// and may commit that entry long after. But to all others R had merely crashed, so by Leader Completeness
// L, which was elected above F, holds it below its first entry of term T, which is at or below c. R holds
// it again. Had R returned without, it could have helped to elect, in a term up to F, or by a log that
// lacks the entry, a leader that overwrites it.
//
// A vote in a term up to F, or up to T. R is in term T and has voted in it for the one who leads it, so it
// will vote in none of them again.
//
// A vote in a term V above T, for a candidate C that has not been elected yet. C's log ends in a term of F at
// most, as no entry of a later one existed when R voted, and C, in term V, has taken no entries since. But
// c is on a quorum without R: whoever of that quorum acknowledged it before C asked denies C its vote, for
// C's log ends in an older term; whoever voted for C before was in term V, and could not acknowledge an
// entry of T. So C will never be elected, and R's vote for another in V does no harm. (If several have lost
// a vote for C, the first of them that returns rules it out.)
//
// Acknowledgements that R itself gave before, in any term up to F, may be counted whenever they come. So a
// leader need not know that R repairs itself before R tells it with its first answer.
//
// A learner, or a server that has left, repairs itself in the same way: others whose configuration is older
// may take it for a voter, and ask it for its vote.
//
// When those that repair themselves leave no quorum, no round is confirmed and nobody is elected. The cluster
// stands still and says so: what they lost may have been committed, and nobody can tell.

// repair is what a server knows of its own repair and of others'.
type repair struct {
	on     bool   // this server repairs itself
	number uint64 // of its question
	floor  Term   // the answer; 0: none yet
	wait   int    // ticks until it asks again
	fit    bool   // it holds what it must: the mark is to go with the next write
	until  Write  // the write with which it goes; 0: not handed out yet

	others []repairer // sorted by id
	halted bool       // as told last
}

// repairer is another server that repairs itself.
type repairer struct {
	id     NodeID
	silent int // ticks since it said so
}

// floorAsked is a question for a floor that waits for its round.
type floorAsked struct {
	from     NodeID
	number   uint64
	sequence Sequence
	round    Round // 0 until one has begun for it
}

// mark has an answer say that this server repairs itself.
func (r *repair) mark(m Message) Message {
	switch m := m.(type) {
	case AppendEntriesResponse:
		m.Repairing, m.Floor = r.on, r.floor
		return m
	case InstallSnapshotResponse:
		m.Repairing = r.on
		return m
	}
	return m
}

// tickRepair counts a tick, and asks for the floor. It is asked again when it is known, for that is how
// others learn who repairs itself.
func (c *Core) tickRepair() {
	r := &c.repair
	for i := range r.others {
		r.others[i].silent++
	}
	forgotten := 4 * c.config.ElectionMax
	r.others = slices.DeleteFunc(r.others, func(o repairer) bool { return o.silent > forgotten })
	if halts := c.repairHalts(); halts != r.halted {
		r.halted = halts
		c.emit(RepairHalts{Servers: c.repairers(), Over: !halts})
	}
	if !r.on {
		return
	}
	if r.wait--; r.wait > 0 {
		return
	}
	r.wait = c.config.ElectionMin
	asked := c.leader == None
	for _, m := range c.members.Members {
		if m.ID != c.config.ID {
			c.request(m.ID, RepairFloor{Number: r.number}, 0)
			asked = asked || m.ID == c.leader
		}
	}
	if !asked { // what it knows of the members is older than its leader
		c.request(c.leader, RepairFloor{Number: r.number}, 0)
	}
}

// repairFloor takes the question of a server that repairs itself. Only a leader that has committed an entry
// of its term knows by whose answers it must decide.
func (c *Core) repairFloor(from NodeID, sequence Sequence, m RepairFloor) {
	if _, known := c.Known(from); !known {
		c.ignore(from, m, UnknownSender)
		return
	}
	c.noteRepairer(from)
	if c.role != Leader {
		c.respond(from, sequence, RepairFloorResponse{Number: m.Number}, 0)
		return
	}
	l := &c.leading
	at := slices.IndexFunc(l.floors, func(f floorAsked) bool { return f.from == from })
	switch {
	case at < 0:
		l.floors = append(l.floors, floorAsked{from: from, number: m.Number, sequence: sequence})
	case l.floors[at].number == m.Number: // the round that is on serves this one too
		l.floors[at].sequence = sequence
	case l.floors[at].number < m.Number: // of a later run, which may have lost what the earlier one promised
		l.floors[at] = floorAsked{from: from, number: m.Number, sequence: sequence}
	}
}

func (l *leading) floorsAsked() bool {
	return slices.ContainsFunc(l.floors, func(f floorAsked) bool { return f.round == 0 })
}

// beginFloors has the round that begins serve all questions that wait for one.
func (l *leading) beginFloors() {
	for i := range l.floors {
		if l.floors[i].round == 0 {
			l.floors[i].round = l.round
		}
	}
}

// confirmFloors answers the questions whose round was confirmed.
func (c *Core) confirmFloors() {
	l := &c.leading
	if len(l.floors) == 0 || !c.committedInTerm() {
		return
	}
	confirmed := c.confirmedRound()
	waiting := l.floors[:0:0]
	for _, f := range l.floors {
		if f.round == 0 || f.round > confirmed {
			waiting = append(waiting, f)
			continue
		}
		c.emit(FloorGiven{To: f.from, Floor: c.hard.Term})
		c.respond(f.from, f.sequence, RepairFloorResponse{Number: f.number, Floor: c.hard.Term}, 0)
	}
	l.floors = waiting
}

// repairFloorResponse takes the floor. The first answer serves: a later one may name a later term, and the
// server would never come to stand above it.
func (c *Core) repairFloorResponse(from NodeID, m RepairFloorResponse) {
	r := &c.repair
	switch {
	case !r.on || r.floor != 0 || m.Floor == 0 || m.Number != r.number:
		c.ignore(from, m, StaleResponse)
	case m.Floor >= maxJump && m.Floor-maxJump > c.hard.Term:
		c.refuse(from, m, Malformed)
	default:
		r.floor = m.Floor
		c.emit(FloorLearned{Floor: m.Floor})
	}
}

// electForRepair holds an election for this leader itself when a server that repairs itself lacks nothing but
// a leader of a later term. It is forced, as in a transfer: the voters hear this leader.
func (c *Core) electForRepair(from NodeID, m AppendEntriesResponse) {
	p := c.peer(from)
	switch {
	case !m.Repairing || m.Floor != c.hard.Term || p == nil || !c.closeBehind(p.match):
	case p.departing: // it never counts again, and is no reason for the members to lose their leader
	case !c.committedInTerm() || c.transferring() || c.diskStalled():
	case !c.members.Voter(c.config.ID) || !c.members.HasQuorum(c.answers):
	default:
		c.follow(c.hard.Term, None, ForRepair)
		c.campaign(true)
	}
}

// turn begins anew with a follower that has begun to repair itself, or counts again. What it acknowledged
// before it may not hold any more, and what it acknowledged in between did not count.
func (c *Core) turn(p *peer, repairs bool) {
	next := newPeer(p.id, c.log.last().Index)
	next.repairs, next.hearing, next.uncounted = repairs, p.hearing, p.uncounted
	next.departing, next.left, next.farewell = p.departing, p.left, p.farewell
	*p = next
	c.leading.turns++
	if repairs {
		c.noteRepairer(p.id)
		return
	}
	c.repair.others = slices.DeleteFunc(slices.Clone(c.repair.others),
		func(o repairer) bool { return o.id == p.id })
}

// damagedAgain begins anew with a follower that repairs itself and lacks what it had since it began to: any
// other would be refused for that.
func (c *Core) damagedAgain(p *peer, sequence Sequence, m AppendEntriesResponse) {
	if p.repairs && m.Round > 0 && m.Conflict.Index < p.match && sequence > p.measuredAt {
		c.turn(p, true)
	}
}

// settleRepair notices when this server holds what it must to count again. The commit index is that of a
// leader above the floor that has committed in its term, as far as this server has verified its own log.
func (c *Core) settleRepair() {
	r := &c.repair
	if !r.on || r.fit || r.floor == 0 || c.leader == None || c.hard.Term <= r.floor {
		return
	}
	if !c.committedInTerm() || c.log.durable < c.commitIndex {
		return
	}
	r.fit = true
	if c.hard.Vote == None {
		c.setHardState(c.hard.Term, c.leader)
	}
	c.emit(RepairComplete{Term: c.hard.Term, Through: c.commitIndex})
}

// ends reports whether the next write is the one with which the mark goes.
func (r *repair) ends() bool { return r.fit && r.until == 0 }

// repaired has this server count again once it is durable that its mark is gone, and tells its leader.
func (c *Core) repaired(write Write) {
	r := &c.repair
	if r.until == 0 || r.until > write {
		return
	}
	*r = repair{others: r.others, halted: r.halted}
	c.emit(Returned{Term: c.hard.Term})
	if c.role == Follower && c.leader != None {
		c.respond(c.leader, 0, c.progress(), c.outbox.hardIn)
	}
}

// noteRepairer remembers that another server repairs itself.
func (c *Core) noteRepairer(id NodeID) {
	r := &c.repair
	at, known := slices.BinarySearchFunc(r.others, id,
		func(o repairer, id NodeID) int { return cmp.Compare(o.id, id) })
	if known {
		r.others[at].silent = 0
		return
	}
	r.others = slices.Insert(slices.Clone(r.others), at, repairer{id: id})
	c.emit(PeerRepairs{ID: id})
}

// repairers are all servers that are known to repair themselves, by id.
func (c *Core) repairers() (ids []NodeID) {
	for _, o := range c.repair.others {
		ids = append(ids, o.id)
	}
	if c.repair.on {
		ids = including(ids, c.config.ID)
	}
	return ids
}

// repairHalts reports whether those that repair themselves leave no quorum.
func (c *Core) repairHalts() bool {
	if len(c.members.Voters) == 0 || !c.repair.on && len(c.repair.others) == 0 {
		return false
	}
	repairs := c.repairers()
	return !c.members.HasQuorum(func(id NodeID) bool { return !slices.Contains(repairs, id) })
}
