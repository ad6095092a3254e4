package sim

import (
	"slices"

	"balsa/raft"
)

// Who is counted (§6). Which configuration is in force at a server follows from its log alone, and what a
// configuration means by an id is a data directory: who has the id with another one counts for nothing, and
// neither does one that is damaged, put back from a copy, or runs beside its copy.

// standing is a configuration and where it stands in a log; at no entry, the one of the beginning.
type standing struct {
	raft.Configuration
	raft.EntryID
	by    raft.NodeID // the first that was seen to hold it
	since Moment
}

// membership is what the ledger knows of configurations.
type membership struct {
	bootstrap *standing
	nobody    *standing // what a server takes for the configuration that joins and has learned nothing
	standing  map[raft.EntryID]*standing
	// usable are the latest that is committed, and all behind it that may yet be: those by which something
	// may be decided from now on.
	usable  []*standing
	fresh   *standing // appended in this step and not judged
	former  []former
	demands []demand
	voted   map[raft.NodeID]bool // that some configuration, in force or not, has given a vote
}

// former is a data directory that is gone, and the highest term when it went: whoever led up to then may
// rest on what it had promised.
type former struct {
	node        raft.NodeID
	incarnation raft.Incarnation
	until       raft.Term
}

func newMembership(bootstrap raft.Configuration) membership {
	first := &standing{Configuration: bootstrap}
	l := membership{bootstrap: first, nobody: &standing{}, standing: map[raft.EntryID]*standing{},
		usable: []*standing{first}, voted: map[raft.NodeID]bool{}}
	l.votes(bootstrap)
	return l
}

// votes takes note of whom a configuration gives a vote.
func (l *membership) votes(c raft.Configuration) {
	for _, id := range slices.Concat(c.Voters, c.Outgoing) {
		l.voted[id] = true
	}
}

// latest is the latest configuration that is committed.
func (l *membership) latest() *standing { return l.usable[0] }

// inForce returns the configuration in force at a server whose log is this one.
func (l *membership) inForce(d *stored, log []logged) *standing {
	if n := len(log); n > 0 && log[n-1].members > 0 {
		at := log[n-1].members
		return l.standing[raft.EntryID{Index: at, Term: log[at-1].term}]
	}
	if d.joins {
		return l.nobody
	}
	return l.bootstrap
}

// enterMembers takes that an entry is there that nobody was seen to hold before.
func (l *ledger) enterMembers(m Moment, id raft.NodeID, e *raft.Entry) bool {
	c, rest, err := raft.DecodeConfiguration(e.Command)
	if err != nil || len(rest) > 0 {
		return l.accuse(QuorumOverlap, l.lastCommitted(), attest(m, id, "holds configuration entry %v",
			e.ID()), "the configuration of entry %v at n%v cannot be read: %v", e.ID(), id, err)
	}
	s := &standing{Configuration: c, EntryID: e.ID(), by: id, since: m}
	l.standing[e.ID()] = s
	l.usable = append(l.usable, s)
	l.fresh = s
	l.votes(c)
	return true
}

// checkChange judges a configuration that a leader has appended: it was allowed to, and no two quorums by
// which something may be decided now miss each other.
func (l *ledger) checkChange(m Moment, o *observed, s *sight) bool {
	c := l.fresh
	l.fresh = nil
	if c == nil || int(c.Index) > len(o.log) || o.log[c.Index-1].term != c.Term || !o.led(s, c.Term) {
		return true
	}
	here := attest(m, o.id, "appends a configuration as entry %v", c.EntryID)
	was := l.inForce(&o.disk, o.log[:c.Index-1])
	if was.Index > s.commit {
		return l.accuse(QuorumOverlap, attest(was.since, was.by, "holds the configuration of entry %v",
			was.EntryID), here, "n%v changed the membership while the change of entry %v was not committed",
			o.id, was.EntryID)
	}
	if s.commit == 0 || o.log[s.commit-1].term < c.Term {
		return l.accuse(QuorumOverlap, attest(o.elected, o.id, "leads term %d", c.Term), here,
			"n%v changed the membership before it had committed anything in its term %d", o.id, c.Term)
	}
	for _, u := range l.usable {
		if u != c && !overlap2(u.Configuration, c.Configuration) {
			return l.accuse(QuorumOverlap, attest(u.since, u.by, "holds the configuration of entry %v",
				u.EntryID), here, "the configurations of entries %v and %v can decide without each other",
				u.EntryID, c.EntryID)
		}
	}
	return l.checkCause(o, was, c, here)
}

// led reports whether a server leads a term, or has led it until now: it may have appended something and
// been deposed in one moment.
func (o *observed) led(s *sight, term raft.Term) bool {
	return s.role == raft.Leader && s.term == term || o.role == raft.Leader && o.term == term
}

// overlap2 reports whether every quorum of one configuration meets every quorum of another: no set of
// servers is one while all the others are the other.
func overlap2(a, b raft.Configuration) bool {
	ids := slices.Concat(a.Voters, a.Outgoing, b.Voters, b.Outgoing)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for set := range 1 << len(ids) {
		in := func(id raft.NodeID) bool {
			at, _ := slices.BinarySearch(ids, id)
			return set>>at&1 == 1
		}
		out := func(id raft.NodeID) bool {
			return !in(id) || !sameServer(a, b, id)
		}
		if a.HasQuorum(in) && b.HasQuorum(out) {
			return false
		}
	}
	return true
}

// sameServer reports whether an id may mean one data directory in two configurations.
func sameServer(a, b raft.Configuration, id raft.NodeID) bool {
	ma, _ := a.Member(id)
	mb, _ := b.Member(id)
	return ma.Incarnation == mb.Incarnation || ma.Incarnation == 0 || mb.Incarnation == 0
}

// settleMembers takes that an entry is committed: configurations before it count no more, and neither do
// those of earlier terms that the log of the one who knows does not hold, for nobody can be elected by them.
func (l *ledger) settleMembers(log []logged, e *raft.Entry) {
	if len(l.usable) == 1 {
		return
	}
	latest := l.usable[0]
	if s := l.standing[e.ID()]; s != nil {
		latest = s
	}
	kept := []*standing{latest}
	for _, u := range l.usable {
		if u.Index <= latest.Index {
			continue
		}
		held := int(u.Index) <= len(log) && log[u.Index-1].members == u.Index &&
			log[u.Index-1].term == u.Term
		if held || u.Term >= e.Term {
			kept = append(kept, u)
		}
	}
	l.usable = kept
}

// meant returns the server that has the data directory that a member stands for; nil when it is gone.
func (l *ledger) meant(m raft.Member) *observed {
	for i := range l.servers {
		d := &l.servers[i].disk
		if !d.gone && d.node == m.ID && (m.Incarnation == 0 || m.Incarnation == d.incarnation) {
			return &l.servers[i]
		}
	}
	return nil
}

// counts reports whether a member has done something, or, if its data directory is gone, may have done it in
// a term.
func (l *ledger) counts(c *standing, id raft.NodeID, in raft.Term, did func(*observed) bool) bool {
	m, _ := c.Member(id)
	if o := l.meant(m); o != nil && did(o) {
		return true
	}
	return slices.ContainsFunc(l.former, func(f former) bool {
		return f.node == m.ID && f.until >= in && (m.Incarnation == 0 || m.Incarnation == f.incarnation)
	})
}

// count is how many of the voters have done something, and of how many.
func (c *standing) count(did func(raft.NodeID) bool) (yes, all int) {
	for _, m := range c.Members {
		if c.Voter(m.ID) {
			all++
			if did(m.ID) {
				yes++
			}
		}
	}
	return yes, all
}
