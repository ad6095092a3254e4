package raft

import (
	"cmp"
	"slices"
)

// Leader election (§5.2) with the vote restriction of §5.4.1, after a pre-vote (thesis §9.6).
//
// A server that hears no leader for a randomly drawn time first asks whether a quorum would vote for it.
// Only then does it begin a term: a server that was cut off, or whose log is behind, would otherwise return
// with a higher term and depose a leader that everybody else hears. Where we differ from the paper: a
// candidate counts its own vote, and asks for others, only when its own vote is durable. One that asked
// earlier, crashed and forgot could vote for somebody else in the same term.

// ballot is one server's answer in the campaign that is on.
type ballot struct {
	id      NodeID
	granted bool
}

// timer counts ticks: those of a leader since its last heartbeat, those of anybody else since a reason to
// be patient.
type timer struct {
	elapsed int
	timeout int // drawn anew at each reset, so that a split vote does not repeat (§5.2)
}

func (c *Core) tick() {
	c.timer.elapsed++
	c.quiet = min(c.quiet+1, c.promise())
	c.tickHandover()
	c.tickRepair()
	c.checkDisk()
	if c.role == Leader {
		c.checkQuorum()
	}
	if c.role == Leader {
		c.partFromSilent()
		c.promoteLearners()
	}
	switch {
	case c.role == Leader:
		if c.timer.elapsed >= c.config.Heartbeat {
			c.timer.elapsed = 0
			c.heartbeat()
		}
	case c.timer.elapsed >= c.timer.timeout && !c.config.NoElectionTimer && !c.promised():
		c.electionTimeout()
	}
}

// resetTimer makes the server patient again. Only three things do: a message from the leader of this term,
// a vote granted, a campaign begun. If any message did, a server that keeps asking for votes could hold off
// an election for ever.
func (c *Core) resetTimer() {
	spread := c.config.ElectionMax - c.config.ElectionMin + 1
	c.timer = timer{timeout: c.config.ElectionMin + c.dice.upTo(spread)}
}

func (c *Core) electionTimeout() {
	c.outbox.unheard = !c.load.unready || c.timer.elapsed%c.timer.timeout == 0
	switch {
	case !c.mayCampaign(): // a learner waits for whoever leads
		c.giveUpLeader(Silence)
	case c.role == Candidate && c.outbox.hardIn > c.outbox.persisted:
		// Nobody has been asked yet. Another campaign would wait for the same disk, and one that is slower
		// than the timeout would never have its vote in time.
		c.resetTimer()
	case c.load.unready: // its timer has run out and stays so: it campaigns as soon as the machine is ready
		c.follow(c.hard.Term, None, MachineNotReady)
	case c.diskStalled(): // it could not make its vote durable, let alone an entry
		c.giveUpLeader(DiskStalled)
	case c.config.NoPreVote:
		c.campaign(false)
	default:
		c.preCampaign()
	}
}

// readiness notes whether the state machine can apply entries. Without one that can, a leader would commit
// commands and answer none of them, while others that could are kept from leading by its heartbeats.
func (c *Core) readiness(ready bool) {
	c.load.unready = !ready
	if c.load.unready && c.role != Follower {
		c.giveUpLeader(MachineNotReady)
	}
}

// giveUpLeader makes a server wait that has waited in vain and may not campaign. It forgets who led: with the
// timer begun anew it would otherwise take the silent leader for one just heard, deny its vote to others,
// and call old what it shows of its state fresh (Contact).
func (c *Core) giveUpLeader(why Reason) {
	c.follow(c.hard.Term, None, why)
	c.resetTimer()
}

// preCampaign asks whether a campaign could be won. It changes no term and promises nothing, so nothing
// waits for the disk.
func (c *Core) preCampaign() {
	c.beginCampaign(PreCandidate)
	c.emit(BecamePreCandidate{Term: c.hard.Term})
	for _, id := range c.electors() {
		c.request(id, PreVote{Term: c.hard.Term + 1, Last: c.log.last()}, 0)
	}
	c.countVote(c.config.ID, true)
}

// campaign begins a term and asks for votes (§5.2). The requests leave, and the own vote counts, when the
// own vote is durable. It is forced when the leader has told this server to campaign (thesis §3.10).
func (c *Core) campaign(forced bool) {
	c.beginCampaign(Candidate)
	c.setHardState(c.hard.Term+1, c.config.ID)
	c.emit(BecameCandidate{Term: c.hard.Term})
	for _, id := range c.electors() {
		c.request(id, RequestVote{Term: c.hard.Term, Last: c.log.last(), Forced: forced}, c.outbox.hardIn)
	}
}

// electors are the other servers that have a vote, in the order of their ids.
func (c *Core) electors() []NodeID {
	var ids []NodeID
	for _, m := range c.members.Members {
		if m.ID != c.config.ID && c.members.Voter(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func (c *Core) beginCampaign(role Role) {
	c.role, c.leader = role, None
	c.ballots = nil
	c.resetTimer()
}

// preVote answers whether this server would vote for the sender in the term it names. Our term and our
// patience stay as they are. A denial carries our own term, so that a server left behind catches up with
// it: an answer in the asked term would be ignored as stale, and nobody would ever be elected (etcd#8243).
func (c *Core) preVote(from NodeID, sequence Sequence, m PreVote) {
	why := granted
	switch {
	case c.repair.on:
		why = Repairs
	case m.Term <= c.hard.Term:
		why = StaleTerm
	case c.hearsLeader():
		why = LeaderHeard
	case c.promised():
		why = LeasePromised
	case !m.Last.AtLeast(c.log.last()):
		why = LogNotUpToDate
	}
	answer := PreVoteResponse{Term: c.hard.Term, Granted: why == granted}
	if answer.Granted {
		answer.Term = m.Term
		c.emit(PreVoteGranted{To: from, Term: m.Term})
	} else {
		c.emit(PreVoteDenied{To: from, Term: m.Term, Why: why, Mine: c.log.last(), Theirs: m.Last})
	}
	c.respond(from, sequence, answer, 0)
}

// hearsLeader reports whether a leader spoke within the minimum election timeout, or is this server.
func (c *Core) hearsLeader() bool {
	return c.role == Leader || c.leader != None && c.timer.elapsed < c.config.ElectionMin
}

// requestVote grants the one vote of a term to the first candidate whose log is at least as up-to-date as
// ours (§5.2, §5.4.1), and again to the same one: its first answer may have been lost.
func (c *Core) requestVote(from NodeID, sequence Sequence, m RequestVote) {
	why := granted
	switch {
	case c.repair.on: // it may have voted in this term, and has forgotten it
		why = Repairs
	case m.Term < c.hard.Term:
		why = StaleTerm
	case c.hard.Vote != None && c.hard.Vote != from:
		why = AlreadyVoted
	case c.leader != None: // this term has been won already: another vote in it is of no use to anybody
		why = LeaderHeard
	case c.promised() && !m.Forced && c.hard.Vote == None: // the same vote again is none
		why = LeasePromised
	case !m.Last.AtLeast(c.log.last()):
		why = LogNotUpToDate
	}
	if why == granted {
		if c.hard.Vote == None {
			c.setHardState(c.hard.Term, from)
		}
		c.resetTimer()
		c.emit(VoteGranted{To: from, Term: c.hard.Term})
	} else {
		c.emit(VoteDenied{To: from, Term: m.Term, Why: why, Mine: c.log.last(), Theirs: m.Last})
	}
	c.respond(from, sequence, RequestVoteResponse{Term: c.hard.Term, Granted: why == granted},
		c.outbox.hardIn)
}

func (c *Core) preVoteResponse(from NodeID, m PreVoteResponse) {
	if c.role != PreCandidate || m.Granted && m.Term != c.hard.Term+1 {
		c.ignore(from, m, StaleResponse)
		return
	}
	c.countVote(from, m.Granted)
}

func (c *Core) requestVoteResponse(from NodeID, m RequestVoteResponse) {
	if c.role != Candidate || m.Term != c.hard.Term {
		c.ignore(from, m, StaleResponse)
		return
	}
	if m.Granted && c.outbox.hardIn > c.outbox.persisted { // our own vote is not durable: nobody was asked
		c.refuse(from, m, NotAsked)
		return
	}
	c.countVote(from, m.Granted)
}

// countVote notes one server's answer, once: counted twice, a repeated answer elects two leaders. Who has a
// vote at all is the configuration's matter: a learner's answer stands among the ballots and decides
// nothing.
//
// A yes replaces a no. A denial bears the voter's term, so one that answers an earlier question may arrive in
// the campaign of that term: if it stood, the vote that is then given would be lost. No vote is taken back.
func (c *Core) countVote(from NodeID, yes bool) {
	at, known := slices.BinarySearchFunc(c.ballots, from,
		func(b ballot, id NodeID) int { return cmp.Compare(b.id, id) })
	switch {
	case !known:
		c.ballots = slices.Insert(c.ballots, at, ballot{id: from, granted: yes})
	case yes && !c.ballots[at].granted:
		c.ballots[at].granted = true
	default:
		return
	}
	if from != c.config.ID {
		c.emit(VoteReceived{From: from, Role: c.role, Granted: yes})
	}
	switch {
	case !c.members.HasQuorum(c.votedForUs):
	case c.role == Candidate:
		c.lead()
	case c.diskStalled(): // noticed since it asked
		c.giveUpLeader(DiskStalled)
	default:
		c.campaign(false)
	}
}

func (c *Core) votedForUs(id NodeID) bool {
	return slices.Contains(c.ballots, ballot{id: id, granted: true})
}

// lead makes this server the leader of its term. It first appends a no-op: what earlier terms left
// uncommitted can only be committed together with an entry of its own (§5.4.2), and without one it would
// wait for the next client.
func (c *Core) lead() {
	c.role, c.leader = Leader, c.config.ID
	c.ballots = nil
	c.timer = timer{}
	c.clock.catchUp(c.log.lastTime())
	c.leading = leading{round: 1} // 0 is the answer that confirms nothing
	c.leading.uncommitted = c.log.size(c.commitIndex, c.log.last().Index)
	c.beginPeers()
	c.noteRound()
	c.emit(BecameLeader{Term: c.hard.Term})
	if c.handover.term != 0 { // leadership has come back
		c.endHandover(TransferExpired)
	}
	c.appendAsLeader(NoOp, nil)
}
