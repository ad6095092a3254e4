package sim

import "balsa/raft"

// Leaders: one in a term, elected by votes that were given, complete, and truthful about its followers.

// checkElected judges a leader when it is first seen in its term.
func (l *ledger) checkElected(m Moment, o *observed, s *sight) bool {
	if !l.lead(m, o.id, s.term, "leads") || !l.checkVotes(m, o, s) {
		return false
	}
	o.elected = m
	clear(o.matches)
	for i := len(l.committed); i > 0; i-- { // the last one decides: a chain speaks for what is before it
		if l.committed[i-1].in < s.term {
			return l.checkComplete(o, i, s.term, m)
		}
	}
	return true
}

// lead notes who leads a term, and holds that it is nobody else (§5.2). What a server sends, or whom it
// follows, tells as much as its role.
func (l *ledger) lead(m Moment, id raft.NodeID, term raft.Term, how string) bool {
	was, known := l.leaders[term]
	if !known {
		l.leaders[term] = leadership{node: id, at: m}
		return true
	}
	return was.node == id || l.accuse(ElectionSafety, attest(was.at, was.node, "leads term %d", term),
		attest(m, id, "%s in term %d", how, term), "term %d has two leaders, n%v and n%v", term, was.node, id)
}

// checkFollows holds that a server follows the leader of its term and nobody else.
func (l *ledger) checkFollows(m Moment, o *observed, s *sight) bool {
	if s.leader == raft.None || s.leader == o.leader && s.term == o.term {
		return true
	}
	was, known := l.leaders[s.term]
	return !known || was.node == s.leader || l.accuse(ElectionSafety,
		attest(was.at, was.node, "leads term %d", s.term),
		attest(m, o.id, "follows n%v in term %d", s.leader, s.term),
		"n%v follows n%v in term %d, which n%v leads", o.id, s.leader, s.term, was.node)
}

// checkVotes holds that a quorum of the configuration in force at it voted for a leader: itself by what is on
// its disk, the others by what they sent. A vote on a disk that was lost since may have been given.
func (l *ledger) checkVotes(m Moment, o *observed, s *sight) bool {
	if d := &o.disk; !d.voted(s.term, d.node) {
		return l.accuse(PromiseDurable, attest(d.stateAt, o.id, "has %s on its disk", d.hard()),
			attest(m, o.id, "leads term %d", s.term), "n%v leads term %d and its own vote is not durable",
			o.id, s.term)
	}
	c, latest := l.inForce(&o.disk, o.log), o.disk.stateAt
	gave := func(id raft.NodeID) bool {
		return l.counts(c, id, s.term, func(v *observed) bool {
			given, voted := l.ballots[ballot{node: v.id, disk: v.disk.times, term: s.term}]
			if voted = voted && given.candidate == o.disk.node; voted && v != o {
				latest = given.at
			}
			return v == o || voted
		})
	}
	if c.HasQuorum(gave) {
		return true
	}
	votes, all := c.count(gave)
	return l.accuse(ElectionSafety, attest(latest, o.id, "has %d votes", votes),
		attest(m, o.id, "leads term %d", s.term), "n%v leads term %d with %d votes of %d servers", o.id,
		s.term, votes, all)
}

// checkComplete holds that the leader of a term holds what was committed up to an index, in earlier terms
// (§5.4). Commits in later terms do not bind it: it may come to lead an old term by votes that were late.
func (l *ledger) checkComplete(o *observed, upTo int, term raft.Term, now Moment) bool {
	if len(o.log) >= upTo && o.log[upTo-1].chain == l.committed[upTo-1].chain {
		return true
	}
	lacks := l.firstConflict(o.log) // an entry at or below upTo: the chains differ there
	c := &l.committed[lacks-1]
	first := attest(c.at, c.by, "knows entry %d (term %d) to be committed, in term %d", lacks, c.term, c.in)
	second := attest(now, o.id, "leads term %d with %s", term, heldAt(o.log, lacks))
	if now == c.at && o.elected != now { // it was elected before that was known
		first, second = attest(o.elected, o.id, "leads term %d with %s", term, heldAt(o.log, lacks)), first
	}
	return l.accuse(LeaderCompleteness, first, second,
		"n%v leads term %d without entry %d (term %d), committed by n%v at e%d", o.id, term, lacks, c.term,
		c.by, c.at.Position)
}

// checkProgress holds that what a leader believes of its followers is so (§5.3): they hold its own log
// durably up to match, and match never goes back. A follower that is in a later term by now may have cut off
// what it had acknowledged; one whose disk was lost has broken its word for a reason.
//
// It is asked at each event of a leader, so what is as it was by the same configuration is passed over.
func (l *ledger) checkProgress(m Moment, o *observed, s *sight, c *standing) bool {
	if c.Index != o.members.Index {
		for i := range o.matches { // who leaves and comes back begins anew
			if _, is := c.Member(raft.NodeID(i + 1)); !is {
				o.matches[i] = matched{}
			}
		}
	}
	for i := range s.progress {
		p := &s.progress[i]
		if p.Next <= p.Match || p.OnTheWay > l.limits.Window {
			return l.accuseProgress(m, o, p)
		}
		if !l.checkFlight(m, o, p) {
			return false
		}
		was := &o.matches[p.ID-1]
		if was.by == c && was.index == p.Match && !p.Repairing && !was.repairs {
			continue
		}
		member, is := was.means(p.ID, c)
		if p.Repairing || was.repairs { // it may have lost what it held, and does not count
			was.index, was.repairs = min(was.index, p.Match), p.Repairing
		}
		if !is || p.Match == was.index {
			continue
		}
		if p.Match < was.index {
			return l.accuse(ProgressTruth, attest(o.at, o.id, "knows n%v to hold its log up to %d", p.ID,
				was.index), attest(m, o.id, "takes it for %d", p.Match),
				"the match index of n%v at leader n%v went back from %d to %d", p.ID, o.id, was.index,
				p.Match)
		}
		if !l.checkMatch(m, o, s.term, p, member) {
			return false
		}
		was.index = p.Match
	}
	return true
}

// means returns whom a follower's id means in the configuration in force, unless it leaves. What was known of
// it is nothing when that is another data directory by now.
func (was *matched) means(id raft.NodeID, c *standing) (m raft.Member, is bool) {
	if m, is = c.Member(id); is {
		if was.of != 0 && was.of != m.Incarnation {
			*was = matched{}
		}
		was.of = m.Incarnation
	}
	was.by = c
	return m, is
}

func (l *ledger) accuseProgress(m Moment, o *observed, p *raft.Progress) bool {
	if p.Next <= p.Match {
		return l.accuse(ProgressTruth, attest(m, o.id, "knows n%v to hold its log up to %d", p.ID, p.Match),
			attest(m, o.id, "is to send it entry %d next", p.Next),
			"at leader n%v the next index of n%v is %d and its match index %d", o.id, p.ID, p.Next, p.Match)
	}
	return l.accuse(Bounds, attest(o.elected, o.id, "leads"),
		attest(m, o.id, "has %d messages on their way to n%v", p.OnTheWay, p.ID),
		"n%v has %d messages on their way to n%v, at most %d are allowed", o.id, p.OnTheWay, p.ID,
		l.limits.Window)
}

func (l *ledger) checkMatch(m Moment, o *observed, term raft.Term, p *raft.Progress, of raft.Member) bool {
	c := &standing{Configuration: raft.Configuration{Members: []raft.Member{of}}}
	if l.counts(c, of.ID, term, func(v *observed) bool {
		f := &v.disk
		return f.state.Term > term || f.state.Term == term && int(p.Match) <= len(o.log) &&
			f.holds(p.Match, o.log[p.Match-1].chain)
	}) {
		return true
	}
	f := &l.servers[p.ID-1].disk
	on := f.end()
	return l.accuse(ProgressTruth, attest(on.since, p.ID, "has %s and a log that ends in %v on its disk",
		f.hard(), on.EntryID), attest(m, o.id, "takes n%v to hold its log up to %d", p.ID, p.Match),
		"n%v leads term %d and takes n%v to hold entry %d durably, which it does not", o.id, term, p.ID,
		p.Match)
}
