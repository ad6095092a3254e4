package raft

// Leadership transfer (thesis §3.10).
//
//	leader   stops taking commands, brings the target up to its last entry
//	         ──── TimeoutNow{Term, Round} ──▶  target
//	         ◀─── RequestVote{forced} ────────  campaigns at once, without asking first
//	         votes for it, and follows
//
// It gives up after one minimal election timeout and takes commands again. The answer to whoever asked is
// given when a leader of a later term is heard, whoever that is, or with a refusal.
//
// Where we differ from the thesis: TimeoutNow names the newest round that the leader has begun. One that was
// delayed beyond the leader's patience is thus recognised by a target that has heard more of this leader
// since, and is not obeyed: the leader goes on as if it had never been sent (raft-rs#234). It is sent anew
// with every round, so that neither its loss nor a round that overtakes it spoils the transfer.

// handover is the transfer that is on, or whose outcome this server, no longer leading, waits to hear of.
type handover struct {
	term   Term // in which it began; 0: there is none
	to     NodeID
	ticket Ticket
	asked  bool  // somebody waits for the answer under the ticket
	left   int   // ticks until it is given up
	told   Round // named in the latest TimeoutNow; 0: none was sent
}

// transfer begins to hand over leadership, or refuses.
func (c *Core) transfer(in Transfer) {
	refusal, h := Accepted, handover{to: in.To, ticket: in.Ticket, asked: true}
	if h.to == None {
		h.to = c.bestVoter()
	}
	switch {
	case c.role != Leader:
		refusal = NotLeader
	case c.handover.term != 0:
		refusal = Transferring
	case !c.handOver(h, AskedTo):
		refusal = NoTarget
	}
	if refusal != Accepted {
		c.emit(TransferEnded{To: in.To, Why: refusal})
		c.outbox.answers = append(c.outbox.answers, Answer{Ticket: in.Ticket, Refusal: refusal})
	}
}

// handOver begins a transfer, and reports whether its target can take over.
func (c *Core) handOver(h handover, why Reason) bool {
	if h.to == None || !c.canLead(h.to) {
		return false
	}
	h.term, h.left = c.hard.Term, c.config.ElectionMin
	c.handover = h
	c.emit(TransferBegun{To: h.to, Why: why})
	return true
}

// canLead reports whether another server answers and will have a vote in what is in force when it leads.
func (c *Core) canLead(id NodeID) bool {
	return id != c.config.ID && c.members.votesOn(id) && c.answers(id)
}

// bestVoter is the one that can lead and holds most of our log, None when there is none.
func (c *Core) bestVoter() (best NodeID) {
	match := Index(0)
	for i := range c.leading.peers {
		if p := &c.leading.peers[i]; c.canLead(p.id) && (best == None || p.match > match) {
			best, match = p.id, p.match
		}
	}
	return best
}

// transferring reports whether this leader is handing over.
func (c *Core) transferring() bool { return c.role == Leader && c.handover.term == c.hard.Term }

// hurryTarget tells the target to campaign when it holds all of our log, and again with each new round.
func (c *Core) hurryTarget() {
	h := &c.handover
	if !c.transferring() || h.told == c.leading.round {
		return
	}
	if p := c.peer(h.to); p == nil || p.match < c.log.last().Index {
		return
	}
	h.told = c.leading.round
	c.leading.lease.ordered(h.to, h.told)
	c.request(h.to, TimeoutNow{Term: c.hard.Term, Round: h.told, Start: c.startOf(h.to)}, 0)
}

// tickHandover counts a tick of a transfer, and gives it up in the end. A leader that handed over because it
// should not lead steps down then all the same. One that leads on begins a round at once: an order that was
// only delayed is too late as soon as the target has heard of that, not a heartbeat later.
func (c *Core) tickHandover() {
	h := &c.handover
	if h.term == 0 {
		return
	}
	if h.left--; h.left > 0 {
		return
	}
	c.endHandover(TransferExpired)
	switch {
	case c.role != Leader:
	case c.diskStalled() && !c.soleVoter():
		c.follow(c.hard.Term, None, DiskStalled)
	case c.retired():
		c.follow(c.hard.Term, None, NoVote)
	default:
		c.timer.elapsed = 0
		c.heartbeat()
	}
}

// endHandover forgets the transfer and answers whoever asked for it.
func (c *Core) endHandover(why Refusal) {
	h := c.handover
	c.handover = handover{}
	c.emit(TransferEnded{To: h.to, Why: why})
	if h.asked {
		c.outbox.answers = append(c.outbox.answers, Answer{Ticket: h.ticket, Refusal: why})
	}
}

// timeoutNow campaigns at once if the leader of this term says so and has not been heard with anything newer.
func (c *Core) timeoutNow(from NodeID, m TimeoutNow) {
	why := granted
	switch {
	case m.Term < c.hard.Term:
		why = StaleTerm
	case m.Term > c.hard.Term || c.leader != from: // not heard in this run: it may be of an earlier one
		why = NotHeard
	case c.ofAnotherRun(m):
		why = OtherRun
	case m.Round < c.heardRound:
		why = NewerRound
	case !c.mayCampaign():
		why = NoVote
	case c.load.unready:
		why = MachineNotReady
	case c.diskStalled():
		why = DiskStalled
	}
	if why != granted {
		c.ignore(from, m, why)
		return
	}
	c.emit(ToldToCampaign{From: from})
	c.campaign(true)
}
