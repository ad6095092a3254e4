package raft

import (
	"cmp"
	"fmt"
	"slices"
)

// Core is one server: the state of Figure 2, and what its driver has been told of it. It is made by New,
// fed by Step, and what it decides is collected by Output. It is not safe for concurrent use.
type Core struct {
	config  Config
	members membership

	// Persistent state (Figure 2): the disk has it, or will.
	hard     HardState
	log      log
	snapshot Snapshot // the newest that is durable; zero before the first
	previous EntryID  // the last entry of the one before it, which is kept beside it

	// Volatile state: lost at a restart.
	role         Role
	following    // the leader of this term
	commitIndex  Index
	appliedIndex Index
	contest               // for leadership
	leading      leading  // of a leader
	repair       repair   // of what a damaged disk has lost
	sequence     Sequence // the last one given to a request
	load         load

	clock   clock
	dice    dice
	outbox  outbox
	refused uint64 // messages refused as nonsense
}

// following is what a server knows of the leader of its term.
type following struct {
	leader     NodeID // None when unknown
	verified   Index  // how far our log is known to be the leader's
	heardRound Round  // the newest one that it has named to us
	quiet      int    // ticks since any leader was heard, or since the start; no more than promise
}

// contest is what a server knows of who is to lead next.
type contest struct {
	timer    timer
	ballots  []ballot // of this campaign, sorted by id
	handover handover // of leadership, to another server
}

// Config is what a server is told once. Durations are in ticks.
type Config struct {
	ID NodeID // this server; required

	// A server that hears no leader for a number of ticks drawn from [ElectionMin, ElectionMax] campaigns
	// (§5.2). ElectionMin must exceed Heartbeat. 0 means 30, and two thirds more than ElectionMin.
	ElectionMin, ElectionMax int
	// Heartbeat is how often a leader contacts every follower. 0 means 15.
	Heartbeat int

	// Tick is how long a tick is, in nanoseconds of the time that Step is given. 0: this server reads by no
	// lease.
	Tick Time

	// Limits bound what may be under way.
	Limits Limits

	// Seed is where the dice for election timeouts begin. Servers should differ in it.
	Seed uint64
	// NoPreVote lets a server campaign without asking first (thesis §9.6). It is for comparison only.
	NoPreVote bool
	// NoCheckQuorum lets a leader go on that no quorum answers (thesis §6.2). It is for comparison only.
	NoCheckQuorum bool
	// NoElectionTimer lets elections begin at the input ElectionTimeout alone: for who plays the world.
	NoElectionTimer bool
	// Events fills Output.Events.
	Events bool
}

// New makes a server from what its disk remembers. It begins as a follower (§5.2) that knows nothing to be
// committed but what its snapshot includes. When its log does not hold the last entry of the snapshot, all of
// the log is dropped, and the first Output says so (Restart). An error says which field of the configuration,
// or which part of what was restored, cannot be.
func New(config Config, restored Restored) (*Core, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	configurations, err := restored.validate()
	if err != nil {
		return nil, err
	}
	c := &Core{
		config:   config,
		members:  newMembership(restored),
		hard:     restored.HardState,
		log:      newLog(restored),
		snapshot: restored.Snapshot,
		dice:     dice(config.Seed),
		repair:   repair{on: restored.Repairing, number: restored.Start},
		load:     load{unready: restored.Unready},
	}
	if last := c.snapshot.Last.Index; last > 0 { // whatever a snapshot includes was committed and applied
		c.members.begin(c.snapshot)
		c.commitIndex, c.appliedIndex, c.outbox.committed = last, last, last
	}
	if last := c.snapshot.Last; c.log.last() != last { // else the snapshot may have taken the log's place
		c.takeConfigurations(behind(last.Index, configurations))
	}
	c.compact()
	c.outbox.hard, c.outbox.members = c.hard, c.members.placed
	c.resetTimer()
	return c, nil
}

func (config *Config) setDefaults() {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&config.ElectionMin, 30)
	set(&config.ElectionMax, config.ElectionMin+config.ElectionMin*2/3)
	set(&config.Heartbeat, 15)
	set(&config.Limits.AppendBytes, 1<<20)
	set(&config.Limits.UncommittedBytes, 64<<20)
	set(&config.Limits.Window, 64)
	set(&config.Limits.InFlightBytes, 8<<20)
	set(&config.Limits.BacklogBytes, 64<<20)
	set(&config.Limits.SnapshotBytes, 64<<20)
	set(&config.Limits.TrailingBytes, 16<<20)
	set(&config.Limits.ChunkBytes, 256<<10)
	set(&config.Limits.PromoteBytes, 1<<20)
}

func (config *Config) validate() error {
	l := config.Limits
	switch {
	case config.ID == None:
		return fmt.Errorf("raft: Config.ID must be positive")
	case config.Tick < 0:
		return fmt.Errorf("raft: Config.Tick is %d ns, which is no length", config.Tick)
	case config.Heartbeat < 1:
		return fmt.Errorf("raft: Config.Heartbeat is %d ticks, at least 1 is needed", config.Heartbeat)
	case config.ElectionMin <= config.Heartbeat:
		return fmt.Errorf("raft: Config.ElectionMin (%d ticks) must exceed Heartbeat (%d ticks): "+
			"a follower must hear its leader before it gives it up", config.ElectionMin, config.Heartbeat)
	case config.ElectionMax < config.ElectionMin:
		return fmt.Errorf("raft: Config.ElectionMax (%d ticks) is below ElectionMin (%d ticks)",
			config.ElectionMax, config.ElectionMin)
	case min(l.AppendBytes, l.UncommittedBytes, l.Window, l.InFlightBytes, l.BacklogBytes,
		l.ChunkBytes, l.PromoteBytes) < 1:
		return fmt.Errorf("raft: each of Config.Limits but SnapshotBytes and TrailingBytes must be "+
			"positive: %+v", l)
	}
	return nil
}

// Step feeds one input to the server, and the time at which it happened: nanoseconds since 1970 by a
// clock of the driver's that never goes back, read when the input was there. Entries' log time rests on it,
// and leases. What was decided is collected by Output.
//
// It panics when an invariant does not hold or the driver broke its contract: the server must then not be
// used any more.
func (c *Core) Step(now Time, in Input) {
	before := c.vitals()
	c.clock.now = max(c.clock.now, now)
	switch in := in.(type) {
	case Tick:
		c.tick()
	case Receive:
		c.receive(in)
	case Propose:
		c.propose(in)
	case ProposeAll:
		c.propose(in.Proposals...)
	case ChangeMembership:
		c.changeMembership(in)
	case Transfer:
		c.transfer(in)
	case ReadIndex:
		c.readIndex(in)
	case Persisted:
		c.persisted(in.Write)
	case Applied:
		c.applied(in.Index)
	case Readiness:
		c.readiness(in.Ready)
	case Snapshotted:
		c.snapshotted(in.Snapshot)
	case ChunkStored:
		c.chunkStored(in)
	case Installed:
		c.installed(in.Snapshot)
	case ElectionTimeout:
		if c.role != Leader && !c.promised() {
			c.electionTimeout()
		}
	default:
		panic(violation(fmt.Sprintf("unknown input %T", in)))
	}
	c.settleMembers()
	c.settleRepair()
	c.check(before)
}

// receive settles terms first: a newer one is taken over, an older one answered with ours (§5.1).
func (c *Core) receive(in Receive) {
	from, sequence, m := in.From, in.Sequence, in.Message
	if from == None || from == c.config.ID {
		c.refuse(from, m, UnknownSender)
		return
	}
	if m == nil || !c.plausible(m) {
		c.refuse(from, m, Malformed)
		return
	}
	if IsResponse(m) && !c.isKnownAs(from, in.Incarnation) {
		c.ignore(from, m, OtherDirectory)
		return
	}
	if term := m.term(); term > c.hard.Term && adoptsTerm(m) {
		if why := c.sticksToLeader(m); why != granted {
			c.ignore(from, m, why)
			return
		}
		if c.passesOver(from, m) {
			c.ignore(from, m, UnknownSender)
			return
		}
		c.follow(term, None, HigherTerm)
	}
	c.noteStart(in)
	switch m := m.(type) {
	case PreVote:
		c.preVote(from, sequence, m)
	case PreVoteResponse:
		c.preVoteResponse(from, m)
	case RequestVote:
		c.requestVote(from, sequence, m)
	case RequestVoteResponse:
		c.requestVoteResponse(from, m)
	case AppendEntries:
		c.appendEntries(from, sequence, m)
	case AppendEntriesResponse:
		c.appendEntriesResponse(from, sequence, m)
	case InstallSnapshot:
		c.installSnapshot(from, sequence, m)
	case InstallSnapshotResponse:
		c.installSnapshotResponse(from, sequence, m)
	case TimeoutNow:
		c.timeoutNow(from, m)
	case RepairFloor:
		c.repairFloor(from, sequence, m)
	case RepairFloorResponse:
		c.repairFloorResponse(from, m)
	default:
		c.refuse(from, m, Unsupported)
	}
}

// maxJump bounds how far a message's term may lie above ours. No cluster gets that far ahead of a member by
// elections, and a server that took over any number there is could be led to the highest, from which no
// election counts on.
const maxJump Term = 1 << 32

// plausible reports whether a correct server can be in the term that a message names. Term 0 is before any
// election: nobody asks for anything in it.
func (c *Core) plausible(m Message) bool {
	term := m.term()
	switch m.(type) {
	case PreVote, RequestVote, AppendEntries, InstallSnapshot, TimeoutNow:
		if term == 0 {
			return false
		}
	}
	return term < maxJump || term-maxJump <= c.hard.Term
}

// adoptsTerm tells which messages make a server with an older term step down. A pre-vote asks about a term
// that nobody is in yet, and a granted one echoes it: a server that took them over would inflate the term
// of everybody, which is what pre-vote is there to prevent. TimeoutNow is obeyed only if its sender was heard
// before, and what this version does not understand must not move the term either.
func adoptsTerm(m Message) bool {
	switch m := m.(type) {
	case RequestVote, RequestVoteResponse, AppendEntries, AppendEntriesResponse, InstallSnapshot,
		InstallSnapshotResponse:
		return true
	case PreVoteResponse:
		return !m.Granted
	}
	return false
}

// follow makes this server a follower, of a newer term or of the leader of this one.
func (c *Core) follow(term Term, leader NodeID, why Reason) {
	assert(term >= c.hard.Term, "follow cannot go back to an older term")
	was := c.role
	newLeader := leader != None && leader != c.leader
	if term > c.hard.Term {
		c.setHardState(term, None)
	}
	c.role, c.leader = Follower, leader
	c.abandonReads()
	c.ballots, c.leading = nil, leading{}
	if newLeader && c.handover.term != 0 && term > c.handover.term {
		c.endHandover(Accepted)
	}
	if was != Follower || newLeader {
		c.emit(BecameFollower{Term: term, Leader: leader, Was: was, Why: why})
	}
	if was == Leader { // a leader's timer counted heartbeats
		c.resetTimer()
	}
}

// propose appends commands at the leader and replicates them (§5.3). Anybody else refuses (§8).
func (c *Core) propose(all ...Propose) {
	c.outbox.answers = slices.Grow(c.outbox.answers, len(all))
	var appended Appended // what was not told yet
	for i := range all {
		p := &all[i]
		answer := Answer{Ticket: p.Ticket, Refusal: c.objects(p)}
		if answer.Refusal == Accepted {
			kind := cmp.Or(p.Kind, Normal)
			if kind != appended.Kind {
				c.tellAppended(appended)
				appended = Appended{Kind: kind}
			}
			answer.Entry = c.appendUntold(kind, p.Command)
			appended.Entry, appended.New = answer.Entry, appended.New+1
		} else {
			c.emit(ProposalRefused{Why: answer.Refusal, Leader: c.leader})
		}
		c.outbox.answers = append(c.outbox.answers, answer)
	}
	c.tellAppended(appended)
}

// objects says why a proposal is refused.
func (c *Core) objects(p *Propose) Refusal {
	kind := cmp.Or(p.Kind, Normal)
	assert(kind == Normal || kind == Session, "only normal and session entries can be proposed")
	switch {
	case c.role != Leader:
		return NotLeader
	case c.transferring():
		return Transferring
	case c.overloaded(len(p.Command)):
		return Overloaded
	}
	return Accepted
}

// applied notes how far the state machine has come.
func (c *Core) applied(index Index) {
	assert(index <= c.outbox.committed, "the driver applied what was not handed out as committed")
	size := c.log.size(c.appliedIndex, index)
	c.load.unapplied -= size
	c.load.applied += size
	c.appliedIndex = max(c.appliedIndex, index)
}

// refuse counts a message that a correct server would not send, and does nothing else: a peer must not be
// able to stop us.
func (c *Core) refuse(from NodeID, m Message, why Reason) {
	c.refused++
	c.emit(MessageRefused{From: from, Message: m, Why: why})
}

// ignore passes over a message that is late or no longer concerns us. That is everyday life and counts as
// nothing.
func (c *Core) ignore(from NodeID, m Message, why Reason) {
	c.emit(MessageIgnored{From: from, Message: m, Why: why})
}

func (c *Core) emit(e Event) {
	if c.config.Events {
		c.outbox.events = append(c.outbox.events, e)
	}
}

// request sends a request that may leave once the write it rests on is durable, and returns its sequence.
func (c *Core) request(to NodeID, m Message, until Write) Sequence {
	c.sequence++
	c.outbox.send(Letter{To: to, Sequence: c.sequence, Message: m}, until)
	return c.sequence
}

// respond answers a request once the write that the answer rests on is durable.
func (c *Core) respond(to NodeID, sequence Sequence, m Message, until Write) {
	c.outbox.send(Letter{To: to, Sequence: sequence, Message: c.repair.mark(m)}, until)
}
