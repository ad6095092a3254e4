package replica

import (
	"slices"

	"balsa/raft"
)

// Changes of membership and transfers of leadership that somebody here waits for (§6, thesis §3.10). Both are
// the leader's: nothing is forwarded, for the one that asks is a person or a program that follows the hint.
//
// A change is done when what it has begun is: a configuration that is not joint is committed at or behind its
// first entry. What is committed decides, and nothing else does: another entry in the place of the first, and
// it never was; no leadership any more, and nobody here can say whether the entry will be committed.

// changes are the questions that are open.
type changes struct{ asked []asked }

// asked is one of them.
type asked struct {
	ticket raft.Ticket
	what   askedFor
	entry  raft.EntryID // that began the change; zero until the core has answered
	gaveUp bool         // nobody waits any more, and the core has not answered
}

type askedFor uint8

const (
	aChange askedFor = iota
	aTransfer
)

func (c *changes) ask(ticket raft.Ticket, what askedFor) {
	c.asked = append(c.asked, asked{ticket: ticket, what: what})
}

func (c *changes) find(ticket raft.Ticket) int {
	return slices.IndexFunc(c.asked, func(q asked) bool { return q.ticket == ticket })
}

// forget drops a question. The core will still answer some: they are kept until then, or its answer would be
// taken for that of a proposal.
func (c *changes) forget(ticket raft.Ticket) {
	at := c.find(ticket)
	switch {
	case at < 0:
	case c.asked[at].entry != raft.EntryID{}:
		c.asked = slices.Delete(c.asked, at, at+1)
	default:
		c.asked[at].gaveUp = true
	}
}

// answered takes the core's answer, and reports whether it is to one of these.
func (c *changes) answered(r *Replica, a raft.Answer) bool {
	at := c.find(a.Ticket)
	if at < 0 {
		return false
	}
	q := &c.asked[at]
	if a.Refusal == raft.Accepted && q.what == aChange && !q.gaveUp {
		q.entry = a.Entry
		return true
	}
	answer := Answer{Ticket: a.Ticket, Fate: Done}
	if a.Refusal != raft.Accepted {
		answer = refused(a)
	}
	if !q.gaveUp {
		r.answer(answer)
	}
	c.asked = slices.Delete(c.asked, at, at+1)
	return true
}

// stopChanges answers whoever waits: what was begun may still come about.
func (r *Replica) stopChanges() {
	for _, q := range r.changes.asked {
		if !q.gaveUp {
			r.answer(Answer{Ticket: q.ticket, Fate: Stopped, Entry: q.entry})
		}
	}
	r.changes = changes{}
}

// settleChanges answers those whose change is complete, or of whose change nothing will be known here.
func (r *Replica) settleChanges() {
	r.changes.asked = slices.DeleteFunc(r.changes.asked, func(q asked) bool {
		if q.entry == (raft.EntryID{}) {
			return false
		}
		a, known := r.changeFate(q.entry)
		if known {
			a.Ticket = q.ticket
			r.answer(a)
		}
		return known
	})
}

// changeFate tells what became of a change that an entry began, if that is known or never will be here.
func (r *Replica) changeFate(began raft.EntryID) (a Answer, known bool) {
	commit := r.core.Commit()
	lost := Answer{Fate: LeadershipLost, Entry: began}
	leads := r.core.Role() == raft.Leader && r.core.Term() == began.Term
	if began.Index > commit {
		return lost, !leads
	}
	switch stands, is := r.core.Stands(began); {
	case !is: // a snapshot has jumped over it
		return lost, true
	case !stands:
		return Answer{Fate: Replaced, Entry: began}, true
	}
	members, index := r.core.MembersAt(commit)
	if members.Joint() {
		return lost, !leads
	}
	return Answer{Fate: Done, Entry: r.core.EntryAt(index)}, true
}
