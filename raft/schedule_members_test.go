package raft_test

import (
	"slices"

	"balsa/raft"
)

// Membership in random schedules: servers join, are promoted, demoted and removed, several at once, by
// whoever takes itself for the leader and by others; and leaders hand over. All of it is judged by arithmetic
// of its own, which knows nothing of quorum.go.

// The tickets of changes and transfers, apart from those of commands.
const (
	changeTickets   raft.Ticket = 1 << 40
	transferTickets raft.Ticket = 1 << 41
)

// configurationAt is the configuration in force with a log, and the index of its entry. Each is decoded once.
func (w *world) configurationAt(log chain) (raft.Configuration, raft.Index) {
	for i := len(log); i > 0; i-- {
		if e := log[i-1].entry; e.Kind == raft.ConfigurationChange {
			return w.decoded(e), e.Index
		}
	}
	return w.members, 0
}

func (w *world) decoded(e raft.Entry) raft.Configuration {
	if c, known := w.configurations[string(e.Command)]; known {
		return c
	}
	c, rest, err := raft.DecodeConfiguration(e.Command)
	if err != nil || len(rest) > 0 {
		failf("entry %v carries no configuration: %v", e.ID(), err)
	}
	w.configurations[string(e.Command)] = c
	return c
}

// most reports whether a set of servers includes a majority of the voters, of both halves when joint.
func most(c raft.Configuration, is func(raft.NodeID) bool) bool {
	for _, half := range halves(c) {
		n := 0
		for _, id := range half {
			if is(id) {
				n++
			}
		}
		if 2*n <= len(half) {
			return false
		}
	}
	return true
}

func halves(c raft.Configuration) [][]raft.NodeID {
	if len(c.Outgoing) > 0 {
		return [][]raft.NodeID{c.Voters, c.Outgoing}
	}
	return [][]raft.NodeID{c.Voters}
}

// meet reports whether every quorum of one configuration has a server in common with every quorum of another:
// it tries all sets that could decide for the first while the rest decides for the second.
func meet(a, b raft.Configuration) bool {
	var ids []raft.NodeID
	for _, half := range append(halves(a), halves(b)...) {
		ids = append(ids, half...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for set := range 1 << len(ids) {
		in := func(id raft.NodeID) bool { return set>>slices.Index(ids, id)&1 == 1 }
		if most(a, in) && most(b, func(id raft.NodeID) bool { return !in(id) }) {
			return false
		}
	}
	return true
}

// changeSomewhere asks somebody, mostly a leader, for any change at all.
func (w *world) changeSomewhere() {
	n := w.someLeader()
	if n.core == nil {
		return
	}
	w.changes++
	ticket := changeTickets + raft.Ticket(w.changes)
	w.asked[ticket] = n.id
	w.step(n, raft.ChangeMembership{Ticket: ticket, Change: w.drawChange(n.core.Members())})
}

func (w *world) drawChange(c raft.Configuration) (change raft.Change) {
	change.Force = w.percent(40)
	for _, n := range w.nodes {
		_, member := c.Member(n.id)
		learner := slices.Contains(c.Learners, n.id)
		switch roll := w.dice.IntN(100); {
		case !member && roll < 40:
			change.Add = append(change.Add, raft.Member{ID: n.id, Incarnation: n.life, Address: "here"})
		case learner && roll < 50:
			change.Promote = append(change.Promote, n.id)
		case member && roll > 85:
			change.Remove = append(change.Remove, n.id)
		case member && !learner && roll > 75:
			change.Demote = append(change.Demote, n.id)
		case member && roll > 70:
			change.Update = append(change.Update, raft.Member{ID: n.id, Address: "moved",
				Incarnation: raft.Incarnation(w.dice.IntN(2)) * n.life})
		}
	}
	w.drawDrift(&change)
	if w.percent(15) {
		auto := w.percent(60)
		change.AutoPromote = &auto
	}
	return change
}

// transferSomewhere asks somebody to hand over, to anybody or to whom it thinks best.
func (w *world) transferSomewhere() {
	n := w.someLeader()
	if n.core == nil {
		return
	}
	w.changes++
	ticket := transferTickets + raft.Ticket(w.changes)
	w.asked[ticket] = n.id
	to := raft.None
	if w.percent(50) {
		to = w.anyone().id
	}
	w.step(n, raft.Transfer{Ticket: ticket, To: to})
}

// wipeSomebody replaces the disk of a server that has left, by what is committed and by what may yet be: it
// has forgotten what it promised, and joins again as another one. Others may not have heard of any of this,
// and take it for a voter.
func (w *world) wipeSomebody() {
	n := w.anyone()
	if _, member := w.settled.Member(n.id); member {
		return
	}
	for _, other := range w.nodes {
		for i := len(other.log); i > len(w.committed); i-- {
			c, index := w.configurationAt(other.log[:i])
			if _, member := c.Member(n.id); member {
				return
			}
			i = int(index)
		}
	}
	w.tally.note("disk wiped")
	w.trace("the disk of %v is wiped", n.id)
	w.forgetReads(n)
	w.forgetAsked(n)
	n.joins, n.life, n.ruin = true, n.life+1, ruin{}
	n.hard, n.disk, n.log, n.shelf = raft.HardState{}, nil, nil, shelf{}
	w.start(n)
}

// nameIncarnations has the bootstrap configuration name the data directories, most of the time. Where it does
// not, nobody can tell a wiped one, and none is wiped.
func (w *world) nameIncarnations() {
	if w.odds.change == 0 || w.percent(20) {
		w.odds.wipe = 0
		return
	}
	for i := range w.members.Members {
		w.members.Members[i].Incarnation = 1
	}
}

// isNamedBy reports whether it is this disk that another server's configuration names.
func (n *node) isNamedBy(other *node) bool {
	return lifeOf(other.core.Members(), n.id) == n.life
}

// lifeOf is which disk of a server a configuration means: the first as long as none is named.
func lifeOf(c raft.Configuration, id raft.NodeID) raft.Incarnation {
	m, _ := c.Member(id)
	return max(m.Incarnation, 1)
}

// changeAnswered demands that every change and transfer is answered once, by whom it was asked of.
func (w *world) changeAnswered(n *node, a raft.Answer) {
	if at, open := w.asked[a.Ticket]; !open || at != n.id {
		failf("server %v answers ticket %d twice, or for another server", n.id, a.Ticket)
	}
	delete(w.asked, a.Ticket)
	switch {
	case a.Ticket >= transferTickets:
		if a.Refusal == raft.Accepted {
			w.tally.note("transfer done")
		}
	case a.Refusal != raft.Accepted:
	default:
		if e := n.log[a.Entry.Index-1].entry; e.ID() != a.Entry || e.Kind != raft.ConfigurationChange {
			failf("server %v answers that a change stands at %v, where %v is a %v", n.id, a.Entry, e.ID(),
				e.Kind)
		}
	}
}

// forgetAsked is what a crash does to whoever asked that server.
func (w *world) forgetAsked(n *node) {
	for ticket, at := range w.asked {
		if at == n.id {
			delete(w.asked, ticket)
		}
	}
}

// lookAtMembers demands that the configuration in force is the latest in the log, whatever happened to that.
func (w *world) lookAtMembers(n *node, s raft.Status) {
	want, index := w.configurationAt(n.log)
	got := n.core.Members()
	if n.joins && index == 0 && s.Snapshot.Index == 0 { // nothing has told it
		want = raft.Configuration{}
	}
	if index != s.Configuration || string(got.AppendTo(nil)) != string(want.AppendTo(nil)) {
		failf("server %v has the configuration of entry %d in force, %+v; the latest in its log is %d: %+v",
			n.id, s.Configuration, got, index, want)
	}
}

func (w *world) lookAtChanges(n *node, entries []raft.Entry) {
	for _, e := range entries {
		if e.Kind == raft.ConfigurationChange && n.before.Role == raft.Leader && e.Term == n.before.Term {
			w.lookAtChange(n, e.Term, e)
		}
	}
}

// lookAtChange takes a configuration that a leader has just appended. There is one change at a time, none
// before the leader has committed an entry of its term, and whoever decides by the old one meets whoever
// decides by the new one.
func (w *world) lookAtChange(n *node, term raft.Term, e raft.Entry) {
	before, index := w.configurationAt(n.log[:e.Index-1])
	after := w.decoded(e)
	if index > raft.Index(len(w.committed)) {
		failf("leader %v appends configuration %v, and that of %d is not committed", n.id, e.ID(), index)
	}
	own := len(w.committed)
	for own > 0 && w.terms[own-1] > term {
		own--
	}
	if own == 0 || w.terms[own-1] != term {
		failf("leader %v appends configuration %v, and has committed nothing of its term", n.id, e.ID())
	}
	if !meet(before, after) {
		failf("leader %v appends configuration %v, which does not meet the one before: %+v, %+v",
			n.id, e.ID(), before, after)
	}
	if len(before.Outgoing) > 0 {
		w.tally.note("joint configuration left")
		if index > n.before.Commit {
			failf("leader %v leaves the joint configuration of %d before it is committed", n.id, index)
		}
	}
	if len(after.Outgoing) > 0 {
		w.tally.note("joint configuration entered")
	}
}

// lookAtElection demands that the voters of the configuration in force elected a new leader.
func (w *world) lookAtElection(n *node, s raft.Status) {
	c, _ := w.configurationAt(n.log)
	voted := func(id raft.NodeID) bool {
		paper := ballotPaper{lifeOf(c, id), id, s.Term}
		return w.votes[paper] == n.id || w.forgotten[paper] == n.id
	}
	if !most(c, voted) {
		failf("server %v leads term %d without a majority of %+v", n.id, s.Term, c)
	}
	if !c.Voter(n.id) {
		w.tally.note("election of a server without a vote")
	}
}

// lookAtQuorum demands that the voters of the configuration in force at a leader hold on their disks what it
// calls committed.
func (w *world) lookAtQuorum(n *node, index raft.Index) {
	c, _ := w.configurationAt(n.log)
	mine, _ := n.log.at(index)
	held := func(id raft.NodeID) bool {
		return w.nodes[id-1].hasHeld(index, mine) && w.nodes[id-1].life == lifeOf(c, id)
	}
	if !most(c, held) {
		failf("leader %v commits %d, which no majority of %+v holds on disk", n.id, index, c)
	}
	if !c.Voter(n.id) {
		w.tally.note("commit by a leader without a vote")
	}
}

func (w *world) countMembers(n *node, e raft.Event) {
	switch e := e.(type) {
	case raft.MembersChanged:
		if e.Reverted {
			w.tally.note("configuration reverted")
		}
	case raft.LearnersPromoted:
		w.tally.note("learner promoted by itself")
	case raft.PeerLeft:
		if e.Told {
			w.tally.note("removed server told")
		} else {
			w.tally.note("removed server silent")
		}
	case raft.ChangeRefused:
		switch e.Why {
		case raft.ChangeOpen:
			w.tally.note("change refused while one is open")
		case raft.NotCommittedInTerm:
			w.tally.note("change refused before the no-op")
		case raft.VotersSilent:
			w.tally.note("change refused for silent voters")
		}
	case raft.TransferBegun:
		if e.Why == raft.NoVote {
			w.tally.note("leader without a vote hands over")
		}
	case raft.TransferEnded:
		if e.Why == raft.TransferExpired {
			w.tally.note("transfer given up")
		}
	case raft.ToldToCampaign:
		w.tally.note("told to campaign")
	case raft.BecameFollower:
		if e.Was == raft.Leader && e.Why == raft.NoVote {
			w.tally.note("leader without a vote steps down")
		}
	}
}

// agreedLeader returns the leader whom all members of its own configuration follow, holding and knowing as
// committed the same log, or nil. Who is no member leads nobody.
func (w *world) agreedLeader() *node {
	var leader *node
	for _, n := range w.nodes {
		if n.before.Role == raft.Leader && (leader == nil || n.before.Term > leader.before.Term) {
			leader = n
		}
	}
	if leader == nil || leader.before.Joint || leader.before.TransferTo != raft.None {
		return nil
	}
	first := leader.before
	for _, n := range w.membersOf(leader) {
		s := n.before
		if s.Leader != leader.id || s.Term != first.Term ||
			s.Last != first.Last || s.Commit != first.Last.Index {
			return nil
		}
	}
	return leader
}

// membersOf are the servers of a leader's configuration, itself included, but for those that were wiped while
// the entry that was to add them was only in a message.
func (w *world) membersOf(leader *node) (nodes []*node) {
	for _, m := range leader.core.Members().Members {
		if n := w.nodes[m.ID-1]; n.isNamedBy(leader) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
