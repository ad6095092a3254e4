package raft

import "slices"

// Membership changes (§6, thesis §4): which configuration is in force, and the leader's part in changing it.
//
// In force on a server is the latest configuration in its log, committed or not. If it were in force only
// once it is committed, or applied, two servers could decide by quorums that do not meet: one that has heard
// of the commit and one that has not (etcd#7625). So a truncation puts the one before in force again.
//
// One change at a time: the next is refused until the configuration in force is committed and not joint, and
// until this leader has committed an entry of its own term. Without the latter, two leaders that follow each
// other could each change one configuration, unaware of the other's change, to two whose quorums do not meet
// (the flaw of the single-server changes as first published).
//
// A leader that is not among the new voters leads on, without counting itself, until the change is complete:
// until then it is the one who can complete it. Then it hands over and steps down.

// placed is a configuration and the index of the entry that carries it; 0 is the bootstrap configuration.
type placed struct {
	Configuration
	index Index
}

// membership is what a server knows of who the servers are: the configuration in force, and before it those
// that the log may go back to or that the next snapshot is to bear.
type membership struct {
	placed
	earlier []placed // in the order of their indexes; Clone copies them

	own   Incarnation // of this server
	start uint64      // the number of its present run
	joins bool        // it was no member at the beginning: no configuration without incarnations means it
}

func newMembership(r Restored) membership {
	return membership{placed: placed{Configuration: r.Members.Clone()}, own: r.Incarnation,
		start: r.Start, joins: r.Joins}
}

// means reports whether the member of that id in a configuration is this server, and not another data
// directory that had the id before or has it now.
func (m *membership) means(id NodeID, c Configuration) bool {
	named, is := c.Member(id)
	return is && (m.own == 0 || m.own == named.Incarnation || named.Incarnation == 0 && !m.joins)
}

// enter puts the configuration of a new entry in force.
func (m *membership) enter(next placed) {
	assert(next.index > m.index, "configurations come in the order of the log")
	m.earlier = append(m.earlier, m.placed)
	m.placed = next
}

// revert goes back to before the entries from an index on, and reports whether another configuration is now
// in force.
func (m *membership) revert(from Index) (changed bool) {
	for m.index >= from {
		last := len(m.earlier) - 1
		assert(last >= 0, "the configuration that a snapshot bears was truncated")
		m.placed, m.earlier, changed = m.earlier[last], slices.Clip(m.earlier[:last]), true
	}
	return changed
}

// begin puts a snapshot's configuration below those that follow it.
func (m *membership) begin(s Snapshot) {
	later := slices.DeleteFunc(append(slices.Clone(m.earlier), m.placed),
		func(p placed) bool { return p.index <= s.Last.Index })
	all := append([]placed{{s.Members.Clone(), s.MembersIndex}}, later...)
	last := len(all) - 1
	m.placed, m.earlier = all[last], all[:last:last]
}

// at returns the configuration that was in force with the log up to an index, as far as it is still known. It
// is to be read at once.
func (m *membership) at(index Index) *placed {
	p := &m.placed
	for i := len(m.earlier); p.index > index && i > 0; i-- {
		p = &m.earlier[i-1]
	}
	return p
}

// settled returns the latest configuration that is known to be committed. A leader appends none before the
// one before it is: so it may only be the last of the log that is not, even on a server that has just
// started and knows nothing else to be committed.
func (m *membership) settled(commit Index) placed {
	if n := len(m.earlier); m.index > commit && n > 0 {
		return m.earlier[n-1]
	}
	return m.placed
}

// mayCampaign reports whether this server has a vote, or had one in a configuration that may yet be needed:
// as long as the entry that takes its vote away is not known to be committed, it may be the only one whose
// log those who keep theirs would vote for (thesis §4.2.2). It does not count itself then. Were nobody to
// campaign but who has a vote in its own latest configuration, the new voters could be waiting for an entry
// that the old ones hold, and the old ones for the new ones to lead, for ever.
//
// A log that goes on to a further configuration says that the entry is committed. Were it asked for no more
// than a commit index, which a restart forgets, a server that left long ago could campaign beside the data
// directory that has its id now: a vote names an id alone, and those who gave theirs to one of the two would
// give it again to the other, in the same term.
func (c *Core) mayCampaign() bool {
	if c.repair.on {
		return false
	}
	id, in := c.config.ID, c.members.Configuration
	if !in.Voter(id) {
		in = c.members.settled(c.commitIndex).Configuration
	}
	return in.Voter(id) && c.members.means(id, in)
}

// Known returns the member that an id means: that of the configuration in force, or else of the latest before
// it that names one, as far as it is still known. So a server that has left can be spoken to, and recognised,
// until it has been told; and so can a leader that has removed itself, until it has handed over.
func (c *Core) Known(id NodeID) (Member, bool) {
	if m, is := c.members.Member(id); is {
		return m, true
	}
	for _, p := range slices.Backward(c.members.earlier) {
		if m, is := p.Member(id); is {
			return m, true
		}
	}
	if p := c.peer(id); p != nil { // a snapshot has overtaken the configuration that named it
		return p.left.was, p.departing
	}
	return Member{}, false
}

// NamedAt returns the index of the latest configuration known here that names this server by its incarnation;
// 0 when none does. Those that do not know the server can tell by it that they are behind.
func (c *Core) NamedAt() Index {
	names := func(p placed) bool {
		m, is := p.Member(c.config.ID)
		return is && m.Incarnation != 0 && m.Incarnation == c.members.own
	}
	if names(c.members.placed) {
		return c.members.index
	}
	for _, p := range slices.Backward(c.members.earlier) {
		if names(p) {
			return p.index
		}
	}
	return 0
}

// isKnownAs reports whether what has an id is, as far as is known, the data directory that it means. A vote
// or an acknowledgement of another one would be counted for one that was never given: two quorums could then
// meet in a server that has forgotten what it promised to the first.
func (c *Core) isKnownAs(id NodeID, incarnation Incarnation) bool {
	m, _ := c.Known(id)
	return incarnation == 0 || m.Incarnation == 0 || m.Incarnation == incarnation
}

// Members returns the configuration in force. It must not be written to.
func (c *Core) Members() Configuration { return c.members.Configuration }

// MembersAt returns the configuration that was in force with the log up to an index, which is not below the
// newest snapshot, and the index of the entry that brought it: what a snapshot up to there must bear. It has
// no voters as long as a server that joins has not learned who the servers are. It must not be written to.
func (c *Core) MembersAt(index Index) (Configuration, Index) {
	p := c.members.at(index)
	return p.Configuration, p.index
}

// Settled returns the latest configuration that is known here to be committed, and the index of the entry
// that brought it. It must not be written to.
func (c *Core) Settled() (Configuration, Index) {
	p := c.members.settled(c.commitIndex)
	return p.Configuration, p.index
}

// takeConfigurations puts in force what newly appended entries carry.
func (c *Core) takeConfigurations(carried []placed) {
	for _, next := range carried {
		before := c.members.Configuration
		c.members.enter(next)
		c.emit(MembersChanged{Index: next.index, Members: next.Configuration})
		if c.role == Leader {
			c.updatePeers(before)
		}
	}
}

// revertMembers goes back to the configuration before a truncation. Only followers truncate.
func (c *Core) revertMembers(from Index) {
	if c.members.revert(from) {
		c.emit(MembersChanged{Index: c.members.index, Members: c.members.Configuration, Reverted: true})
	}
}

// beginMembers notes which configuration a snapshot bears.
func (c *Core) beginMembers(s Snapshot) {
	before := c.members.placed
	if c.members.begin(s); c.members.index != before.index {
		c.emit(MembersChanged{Index: c.members.index, Members: c.members.Configuration})
	}
	if c.role == Leader {
		c.updatePeers(before.Configuration)
	}
}

// changeMembership appends a new configuration at the leader, or refuses.
func (c *Core) changeMembership(in ChangeMembership) {
	answer := Answer{Ticket: in.Ticket}
	if answer.Entry, answer.Refusal = c.change(in.Change); answer.Refusal != Accepted {
		c.emit(ChangeRefused{Why: answer.Refusal, Leader: c.leader})
	}
	c.outbox.answers = append(c.outbox.answers, answer)
}

func (c *Core) change(change Change) (EntryID, Refusal) {
	switch {
	case c.role != Leader:
		return EntryID{}, NotLeader
	case c.transferring():
		return EntryID{}, Transferring
	case c.changeOpen():
		return EntryID{}, ChangeOpen
	case !c.committedInTerm():
		return EntryID{}, NotCommittedInTerm
	}
	next, why := c.members.with(change)
	c.setLeaseTime(&next)
	if why == Accepted {
		why = c.objection(next, change.Force)
	}
	if why != Accepted {
		return EntryID{}, why
	}
	return c.appendAsLeader(ConfigurationChange, next.AppendTo(nil)), Accepted
}

// objection tells why this leader should not go on with the next configuration.
func (c *Core) objection(next Configuration, force bool) Refusal {
	_, stays := next.Member(c.config.ID)
	switch {
	case next.Version > max(c.members.Version, c.config.Limits.Version):
		return VersionUnsupported
	case stays && !c.members.means(c.config.ID, next): // it would lead on as somebody else
		return IncarnationOfVoter
	case !Configuration{Voters: next.Voters}.HasQuorum(c.hasAnswered):
		return VotersSilent
	case force:
		return Accepted
	case !next.HasQuorum(c.answers):
		return VotersSilent
	case slices.ContainsFunc(next.Voters, c.comesTooSoon):
		return LearnerBehind
	}
	return Accepted
}

// comesTooSoon reports whether a server that is to vote has no vote yet and would have to be waited for by
// the commits that need it.
func (c *Core) comesTooSoon(id NodeID) bool {
	p := c.peer(id)
	return p != nil && !c.members.Voter(id) && !(c.answers(id) && c.closeBehind(p.match))
}

// changeOpen reports whether a change is not complete: the configuration in force is joint, or is not
// committed.
func (c *Core) changeOpen() bool {
	return c.members.Joint() || c.members.index > c.commitIndex
}

// answers reports whether a server has answered this leader within the minimum election timeout, or is this
// server. Unlike inContact it takes nobody for alive who has not been heard in this term.
func (c *Core) answers(id NodeID) bool {
	p := c.peer(id)
	return id == c.config.ID || p != nil && p.heard && !p.repairs && c.inContact(id)
}

// hasAnswered reports whether a server has ever answered this leader in its term, or is this server.
func (c *Core) hasAnswered(id NodeID) bool {
	p := c.peer(id)
	return id == c.config.ID || p != nil && p.heard && !p.repairs
}

// settleMembers takes a change further when its entry is committed: from the joint configuration to what
// follows it, and a leader without a vote to its end. A successor finishes what it finds in its log, once its
// own no-op is committed and the entry with it.
func (c *Core) settleMembers() {
	if c.role != Leader || c.members.index > c.commitIndex || !c.committedInTerm() {
		return
	}
	switch {
	case c.members.Joint():
		c.appendAsLeader(ConfigurationChange, c.members.left().AppendTo(nil))
	case c.retired() && c.handover.term == 0 && !c.handOver(handover{to: c.bestVoter()}, NoVote):
		c.follow(c.hard.Term, None, NoVote)
	}
}

// retired reports whether this server has no vote in a configuration that is complete.
func (c *Core) retired() bool { return !c.changeOpen() && !c.members.Voter(c.config.ID) }
