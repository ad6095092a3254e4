package raft

// Keeping in contact: what makes a leader give up, and what keeps others from deposing it.
//
// Check-quorum (thesis §6.2): a leader that has not been answered by a quorum within the minimum election
// timeout steps down, or its clients would wait for a server that can commit nothing while another one
// leads elsewhere.
//
// Stickiness (thesis §4.2.3): a server that heard its leader within the minimum election timeout takes no
// notice of a RequestVote, not even of its term. A server outside the configuration, or one that only hears
// nothing, can otherwise depose a leader that everybody else hears. Neither rule is enough alone: pre-vote
// and stickiness without check-quorum let a half-connected leader block every election.
//
// A stalled disk is noticed in the same way: a server that has waited for its own disk for more than a
// maximal election timeout hands over, or ceases to lead if it cannot, and does not campaign. It answers
// heartbeats all the same.

// checkQuorum counts a tick of silence of each follower.
func (c *Core) checkQuorum() {
	for i := range c.leading.peers {
		c.leading.peers[i].silent++
		c.leading.peers[i].uncounted++
	}
	if c.config.NoCheckQuorum || c.members.HasQuorum(c.inContact) {
		return
	}
	c.follow(c.hard.Term, None, QuorumLost)
}

// sticksToLeader tells why a request for a vote, and its term, are passed over: because a leader is heard, or
// may hold a lease.
func (c *Core) sticksToLeader(m Message) Reason {
	request, ok := m.(RequestVote)
	switch {
	case !ok || request.Forced:
		return granted
	case c.hearsLeader():
		return LeaderHeard
	case c.promised():
		return LeasePromised
	}
	return granted
}

// inContact reports whether a server answered this leader within the minimum election timeout.
func (c *Core) inContact(id NodeID) bool {
	return c.silence(id) < c.config.ElectionMin
}

// Contact returns the ticks since this server last heard the leader of its term, or as leader was last
// answered by a quorum, and whether a leader is known.
func (c *Core) Contact() (ticks int, known bool) {
	switch {
	case c.role == Leader:
		const far = 1 << 62
		nearest := c.members.QuorumIndex(func(id NodeID) Index { return Index(far - c.silence(id)) })
		return far - int(nearest), true
	case c.leader != None:
		return c.timer.elapsed, true // votes reset it too, but not while a leader is known
	}
	return 0, false
}

// silence returns the ticks since a server, which is this one or a peer, answered this leader what counts.
func (c *Core) silence(id NodeID) int {
	if p := c.peer(id); p != nil {
		return p.uncounted
	}
	assert(id == c.config.ID, "a server with a vote is not among the leader's peers")
	return 0
}

// checkDisk counts a tick of waiting for the own disk, and makes a leader with a stalled disk hand over, or
// step down when nobody could take over. A sole voter stays: nobody else could lead.
func (c *Core) checkDisk() {
	o := &c.outbox
	o.waited++
	if len(o.unacknowledged) == 0 {
		return
	}
	if c.role != Leader || !c.diskStalled() || c.soleVoter() || c.transferring() {
		return
	}
	if !c.handOver(handover{to: c.bestVoter()}, DiskStalled) {
		c.follow(c.hard.Term, None, DiskStalled)
	}
}

// diskStalled reports whether the oldest unacknowledged write has waited for more than a maximal election
// timeout.
func (c *Core) diskStalled() bool {
	o := &c.outbox
	return len(o.unacknowledged) > 0 && o.waited-o.unacknowledged[0].since > c.config.ElectionMax
}

func (c *Core) soleVoter() bool {
	return len(c.members.Voters) == 1 && len(c.members.Outgoing) == 0 && c.members.Voters[0] == c.config.ID
}
