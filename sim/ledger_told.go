package sim

import (
	"slices"

	"balsa/raft"
	"balsa/replica"
)

// What administrators ask for and are told (§6; thesis §3.10): a change that is done is in the committed log
// and says what was asked for; one that was refused is in no log; and the membership changes for a reason.
//
// What a change says of members alone, where they are and which data directories they have, is not asked
// after: a leader writes that into the configuration by itself.

// demand is a change that a server was asked for and has not answered.
type demand struct {
	ticket raft.Ticket
	node   raft.NodeID // that was asked
	what   alteration
	began  *standing // by what it has begun it; nil: it has not
}

// asks takes that a server is asked for a change, before it is.
func (l *ledger) asks(id raft.NodeID, ticket raft.Ticket, x alteration) {
	l.demands = append(l.demands, demand{ticket: ticket, node: id, what: x})
}

// forgetDemands takes that nobody will hear any more what a server was to tell him.
func (l *ledger) forgetDemands(id raft.NodeID) {
	l.demands = slices.DeleteFunc(l.demands, func(r demand) bool { return r.node == id })
}

// checkCause holds that a leader changes the membership when it was asked to, promotes learners by itself
// only where the configuration says so, and makes nothing else of a joint configuration than what follows.
func (l *ledger) checkCause(o *observed, was, c *standing, here Witness) bool {
	now := difference(was.Configuration, c.Configuration)
	if now.same(alteration{}) {
		return true
	}
	itself := was.AutoPromote && now.same(alteration{promote: now.promote})
	asked := itself
	for i := range l.demands {
		r := &l.demands[i]
		if r.node == o.id && r.began == nil && now.same(r.what.beside(was.Configuration)) {
			if asked = true; !itself {
				r.began = c
			}
		}
	}
	if asked && !was.Joint() {
		return true
	}
	return l.accuse(Linearizability, attest(was.since, was.by, "holds the configuration of entry %v",
		was.EntryID), here, "n%v changes the membership by entry %v as nobody has asked it to", o.id,
		c.EntryID)
}

// difference is the change that makes one configuration of another, without what it says of members alone.
func difference(was, now raft.Configuration) (x alteration) {
	for _, m := range now.Members {
		_, old := was.Member(m.ID)
		voted, votes := slices.Contains(was.Voters, m.ID), slices.Contains(now.Voters, m.ID)
		learns := slices.Contains(now.Learners, m.ID)
		switch {
		case !old:
			x.add = append(x.add, m.ID)
		case votes && !voted:
			x.promote = append(x.promote, m.ID)
		case learns && voted:
			x.demote = append(x.demote, m.ID)
		}
	}
	for _, id := range slices.Concat(was.Voters, was.Learners) {
		if !slices.Contains(now.Voters, id) && !slices.Contains(now.Learners, id) {
			x.remove = append(x.remove, id)
		}
	}
	if was.AutoPromote != now.AutoPromote {
		x.auto = "off"
		if now.AutoPromote {
			x.auto = "on"
		}
	}
	if was.LeaseDrift != now.LeaseDrift {
		x.drift = &now.LeaseDrift
	}
	return x
}

// beside is a change without what a configuration says already.
func (x alteration) beside(c raft.Configuration) alteration {
	if c.AutoPromote && x.auto == "on" || !c.AutoPromote && x.auto == "off" {
		x.auto = ""
	}
	if x.drift != nil && *x.drift == c.LeaseDrift {
		x.drift = nil
	}
	return x
}

// same reports whether two changes do the same to who is a member, who votes, and how.
func (x alteration) same(y alteration) bool {
	equal := func(a, b []raft.NodeID) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	return equal(x.add, y.add) && equal(x.promote, y.promote) && equal(x.demote, y.demote) &&
		equal(x.remove, y.remove) && x.auto == y.auto && (x.drift == nil) == (y.drift == nil) &&
		(x.drift == nil || *x.drift == *y.drift)
}

// told takes what an administrator is told of the change that he has asked a server for.
func (l *ledger) told(m Moment, id raft.NodeID, x alteration, a replica.Answer) {
	if l.found != nil {
		return
	}
	at := slices.IndexFunc(l.demands, func(r demand) bool { return r.node == id && r.ticket == a.Ticket })
	var began *standing
	if at >= 0 {
		began = l.demands[at].began
		l.demands = slices.Delete(l.demands, at, at+1)
	}
	switch a.Fate {
	case replica.Done:
		l.changed(m, id, a.Entry, x)
	case replica.Replaced:
		l.replaced(m, id, began)
	case replica.NotLeader, replica.Overloaded, replica.Rejected, replica.HandingOver:
		l.rejected(m, id, began)
	}
}

// changed takes that an administrator is told that a change is done: the configuration that it has led to is
// committed, not joint, and says what was asked for.
func (l *ledger) changed(m Moment, id raft.NodeID, entry raft.EntryID, x alteration) {
	here := attest(m, id, "answers that the change is done as entry %v", entry)
	c := l.standing[entry]
	if !l.knows(entry) || c == nil || c.Joint() {
		l.accuse(Durability, l.lastCommitted(), here,
			"n%v answers that a change is done as entry %v, which is no configuration that is committed and "+
				"complete", id, entry)
		return
	}
	wrong := func(ids []raft.NodeID, is func(raft.NodeID) bool) bool {
		return slices.ContainsFunc(ids, func(id raft.NodeID) bool { return !is(id) })
	}
	member := func(id raft.NodeID) bool { _, is := c.Member(id); return is }
	left := func(id raft.NodeID) bool { return !member(id) }
	learner := func(id raft.NodeID) bool { return slices.Contains(c.Learners, id) }
	if wrong(x.add, member) || wrong(x.promote, c.Voter) || wrong(x.remove, left) ||
		wrong(x.demote, learner) || x.beside(c.Configuration).auto != "" ||
		x.beside(c.Configuration).drift != nil {
		l.accuse(Durability, attest(c.since, c.by, "holds the configuration of entry %v", entry), here,
			"n%v answers that a change is done as entry %v, which does not say so", id, entry)
	}
}

// rejected takes that an administrator is told that nothing has changed: so nothing was begun, unless by
// another one who has asked for the very same in the same moment.
func (l *ledger) rejected(m Moment, id raft.NodeID, began *standing) {
	if began == nil || slices.ContainsFunc(l.demands, func(r demand) bool { return r.began == began }) {
		return
	}
	l.accuse(Linearizability, attest(began.since, began.by, "appends what was asked for as entry %v",
		began.EntryID), attest(m, id, "answers that nothing has changed"),
		"n%v answers that nothing has changed, and has begun the change by entry %v", id, began.EntryID)
}

// replaced takes that an administrator is told that another entry was committed in place of the first of his
// change.
func (l *ledger) replaced(m Moment, id raft.NodeID, began *standing) {
	if began == nil || int(began.Index) <= len(l.committed) && !l.knows(began.EntryID) {
		return
	}
	l.accuse(Linearizability, attest(began.since, began.by, "appends what was asked for as entry %v",
		began.EntryID), attest(m, id, "answers that another entry was committed in its place"),
		"n%v answers that entry %v was replaced, in whose place no other one is committed", id, began.EntryID)
}

// handedOver takes that an administrator is told that a server which led a term has handed over: somebody has
// led a later one, up to that in which it is now.
func (l *ledger) handedOver(m Moment, id raft.NodeID, led raft.Term) {
	if l.found != nil {
		return
	}
	o := &l.servers[id-1]
	for term := o.term; term > led; term-- {
		if _, known := l.leaders[term]; known {
			return
		}
	}
	first := attest(o.elected, id, "is asked to hand over in term %d", led)
	if was, known := l.leaders[led]; known {
		first = attest(was.at, was.node, "leads term %d", led)
	}
	l.accuse(Answered, first, attest(m, id, "answers that it has handed over"),
		"n%v answers that it has handed over in term %d, and nobody has led a later one", id, led)
}
