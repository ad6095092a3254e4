package sim

import (
	"slices"
	"testing"

	"balsa/raft"
	"balsa/replica"
	"balsa/wal"
)

// Who is counted (§6): by which configuration, and which data directories.

func TestLedgerMembers(t *testing.T) {
	checkCases(t, slices.Concat(changeCases(), lateChangeCases(), causeCases(), laterCauseCases()))
}
func TestLedgerCountsMembers(t *testing.T) {
	checkCases(t, slices.Concat(memberCommitCases(), memberVoteCases(), memberMatchCases(),
		memberScanCases()))
}

// all are the servers of the stage.
var all = []raft.NodeID{1, 2, 3, 4, 5}

// roles is a configuration in which all have their data directories.
func roles(voters, outgoing, learners []raft.NodeID) raft.Configuration {
	c := raft.Configuration{Voters: voters, Outgoing: outgoing, Learners: learners}
	for _, id := range all {
		if slices.Contains(slices.Concat(voters, outgoing, learners), id) {
			c.Members = append(c.Members, raft.Member{ID: id, Incarnation: raft.Incarnation(id),
				Address: "n" + id.String()})
		}
	}
	return c
}

// carry makes the entry of an index and term one that carries a configuration.
func (s *stage) carry(index raft.Index, term raft.Term, c raft.Configuration) raft.Entry {
	e := raft.Entry{Index: index, Term: term, Time: raft.Time(index), Kind: raft.ConfigurationChange,
		Command: c.AppendTo(nil)}
	s.named[e.ID()] = e
	return e
}

// change has a leader append a configuration, for which it was asked unless it follows a joint one.
func (s *stage) change(leader raft.NodeID, c raft.Configuration) {
	a := s.at(leader)
	o := &s.servers[leader-1]
	if was := s.inForce(&o.disk, o.log); !was.Joint() {
		s.asks(leader, 0, difference(was.Configuration, c))
	}
	s.carry(raft.Index(len(a.log)+1), a.term, c)
	s.append(leader, 1)
}

// enact has a leader change the configuration and commit that, when some others have it.
func (s *stage) enact(leader raft.NodeID, c raft.Configuration, ids ...raft.NodeID) {
	s.change(leader, c)
	s.copyTo(leader, ids...)
	s.commit(raft.Index(len(s.at(leader).log)), leader)
}

// name has entry 4 name the data directories of all.
func (s *stage) name() { s.enact(1, roles(all, nil, nil), 2, 3) }

// depose has a leader come to know of a later term, in which nobody leads; it is not looked at yet.
func (s *stage) depose(id raft.NodeID, term raft.Term) {
	a := s.at(id)
	a.role, a.leader, a.term, a.vote = raft.Follower, raft.None, term, raft.None
}

// anew gives a server another data directory, which is empty.
func (s *stage) anew(id raft.NodeID) {
	s.die(id, nil)
	s.founds(id)
	a := s.at(id)
	a.disk = wal.Recovered{}
	a.disk.Identity.Incarnation = raft.Incarnation(id) * 11
	s.start(id)
}

func changeCases() []ledgerCase {
	drift := func(d uint32) raft.Configuration {
		c := roles(all, nil, nil)
		c.LeaseDrift = d
		return c
	}
	return []ledgerCase{
		{"a configuration that is none", QuorumOverlap, 1, 1, "of entry 4/t1 at n1 cannot be read",
			func(s *stage, wrong bool) {
				e := s.carry(4, 1, roles(all, nil, nil))
				e.Command = append(e.Command, []byte(is(wrong, "and more", ""))...)
				s.hold(1, e)
			}},
		{"two changes at once", QuorumOverlap, 1, 1, "while the change of entry 5/t1 was not committed",
			func(s *stage, wrong bool) {
				s.name()
				s.change(1, drift(100))
				if !wrong {
					s.copyTo(1, 2, 3)
					s.commit(5, 1)
				}
				s.change(1, drift(200))
			}},
		{"a change before a commit", QuorumOverlap, 2, 2, "before it had committed anything in its term 2",
			func(s *stage, wrong bool) {
				s.name()
				s.elect(2, 2, 3, 4)
				s.append(2, 1)
				s.copyTo(2, 3, 4)
				s.commit(is[raft.Index](wrong, 4, 5), 2)
				s.change(2, drift(100))
			}},
		{"a direct switch", QuorumOverlap, 1, 1,
			"the configurations of entries 4/t1 and 5/t1 can decide without each other",
			func(s *stage, wrong bool) {
				s.name()
				s.change(1, roles([]raft.NodeID{4, 5}, is(wrong, nil, all), nil))
			}},
		{"an exchange in place", QuorumOverlap, 1, 1, "can decide without each other",
			func(s *stage, wrong bool) {
				s.name()
				c := roles(all, nil, nil)
				c.Members[4].Incarnation = is[raft.Incarnation](wrong, 55, 5)
				c.Members[4].Address = "elsewhere"
				s.change(1, c)
			}},
	}
}

func lateChangeCases() []ledgerCase {
	return []ledgerCase{
		{"a change of one who is deposed in that moment", QuorumOverlap, 1, 1,
			"entries 4/t1 and 5/t1 can decide without each other",
			func(s *stage, wrong bool) {
				s.name()
				c := roles([]raft.NodeID{4, 5}, is(wrong, nil, all), nil)
				s.asks(1, 1, difference(roles(all, nil, nil), c))
				s.depose(1, 2)
				s.hold(1, s.carry(5, 1, c))
			}},
		{"what an earlier leader has left", QuorumOverlap, 1, 3,
			"entries 11/t1 and 9/t2 can decide without each other",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(1, 2), 2, 3)
				s.append(1, 5)
				s.change(1, after(1, 2)) // no other one has it
				s.elect(3, 2, 1, 2, 4)
				s.append(3, 1)
				s.copyTo(3, 1, 2)
				s.commit(6, 3) // nobody can be elected by what n1 had appended
				s.enact(3, after(1, 2), 1, 2)
				few := []raft.NodeID{1, 2}
				s.enact(3, roles([]raft.NodeID{3, 4, 5}, few, few), 1, 2, 4)
				if wrong { // as if somebody could
					s.usable = append(s.usable, s.standing[raft.EntryID{Index: 11, Term: 1}])
				}
				s.enact(3, after(3, 4, 5), 4, 5)
			}},
	}
}

func causeCases() []ledgerCase {
	fewer := joint(1, 2, 3, 4)
	appends := func(s *stage, c raft.Configuration) {
		s.carry(5, 1, c)
		s.append(1, 1)
	}
	const nobody = "n1 changes the membership by entry 5/t1 as nobody has asked it to"
	return []ledgerCase{
		{"nobody has asked", Linearizability, 1, 1, nobody, func(s *stage, wrong bool) {
			s.name()
			if !wrong {
				s.asks(1, 1, demote5)
			}
			appends(s, fewer)
		}},
		{"something else was asked for", Linearizability, 1, 1, nobody, func(s *stage, wrong bool) {
			s.name()
			s.asks(1, 1, alteration{demote: []raft.NodeID{is[raft.NodeID](wrong, 4, 5)}})
			appends(s, fewer)
		}},
		{"somebody else was asked", Linearizability, 1, 1, nobody, func(s *stage, wrong bool) {
			s.name()
			s.asks(is[raft.NodeID](wrong, 2, 1), 1, demote5)
			appends(s, fewer)
		}},
		{"begun when it was refused long ago", Linearizability, 1, 1, nobody, func(s *stage, wrong bool) {
			s.name()
			s.asks(1, 1, demote5)
			s.see(1)
			s.tells(1, 1, replica.Rejected, raft.EntryID{}, demote5)
			if !wrong {
				s.asks(1, 2, demote5)
			}
			appends(s, fewer)
		}},
		{"asked in an earlier life", Linearizability, 1, 1, "by entry 6/t2 as nobody has asked",
			func(s *stage, wrong bool) {
				s.name()
				s.asks(1, 1, demote5)
				s.die(1, nil)
				s.start(1)
				s.elect(1, 2, 2, 3)
				s.append(1, 1)
				s.copyTo(1, 2, 3)
				s.commit(5, 1)
				if !wrong {
					s.asks(1, 2, demote5)
				}
				s.carry(6, 2, fewer)
				s.append(1, 1)
			}},
	}
}

func laterCauseCases() []ledgerCase {
	fewer := joint(1, 2, 3, 4)
	return []ledgerCase{
		{"begun twice", Linearizability, 1, 1, "by entry 9/t1 as nobody has asked", func(s *stage,
			wrong bool) {
			s.complete()
			for _, c := range []raft.Configuration{roles(all, all[:4], nil), roles(all, nil, nil)} {
				s.enact(1, c, 2, 3, 4)
			}
			if !wrong {
				s.asks(1, 2, demote5)
			}
			s.carry(9, 1, fewer)
			s.append(1, 1)
		}},
		{"promoted by itself", Linearizability, 1, 1, "by entry 7/t1 as nobody has asked",
			func(s *stage, wrong bool) {
				s.name()
				for _, c := range []raft.Configuration{fewer, after(1, 2, 3, 4)} {
					c.AutoPromote = !wrong
					s.enact(1, c, 2, 3, 4)
				}
				c := roles(all, all[:4], nil)
				c.AutoPromote = !wrong
				s.carry(7, 1, c)
				s.append(1, 1)
			}},
		{"what does not follow a joint one", Linearizability, 1, 1, "by entry 6/t1 as nobody has asked",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, fewer, 2, 3, 4)
				s.asks(1, 1, alteration{promote: []raft.NodeID{5}})
				s.carry(6, 1, roles(is(wrong, all, all[:4]), nil, is(wrong, nil, all[4:])))
				s.append(1, 1)
			}},
	}
}

// The two halves of a joint configuration in which a stage of five gives the votes to few, and what follows.
func joint(voters ...raft.NodeID) raft.Configuration { return roles(voters, all, others(voters)) }
func after(voters ...raft.NodeID) raft.Configuration { return roles(voters, nil, others(voters)) }

func others(voters []raft.NodeID) []raft.NodeID {
	return slices.DeleteFunc(slices.Clone(all),
		func(id raft.NodeID) bool { return slices.Contains(voters, id) })
}

func memberCommitCases() []ledgerCase {
	return []ledgerCase{
		{"by the old half alone", Durability, 1, 1,
			"entry 5 (term 1) for committed, which is on the disks of 3",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(3, 4, 5), is(wrong, []raft.NodeID{2, 3}, []raft.NodeID{3, 4})...)
			}},
		{"by the new half alone", Durability, 1, 1, "which is on the disks of 2 of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(1, 2, 3), is(wrong, []raft.NodeID{2}, []raft.NodeID{2, 4})...)
			}},
		{"by learners", Durability, 1, 1, "which is on the disks of 1 of 3 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(1, 2, 3), 2, 3)
				s.enact(1, after(1, 2, 3), is(wrong, []raft.NodeID{4, 5}, []raft.NodeID{2})...)
			}},
		{"by a leader without a vote", Durability, 1, 1, "which is on the disks of 1 of 2 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(2, 3), 2, 3)
				s.enact(1, after(2, 3), is(wrong, []raft.NodeID{2}, []raft.NodeID{2, 3})...)
			}},
		{"committed, and then changed", Durability, 1, 1, "which is on the disks of 2 of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.append(1, 1)
				s.copyTo(1, is(wrong, []raft.NodeID{2}, []raft.NodeID{2, 3})...)
				s.asks(1, 1, difference(after(all...), joint(4, 5)))
				s.at(1).commit = 5
				s.hold(1, s.carry(6, 1, joint(4, 5)))
			}},
		{"by another data directory", Durability, 2, 2, "which is on the disks of 2 of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.anew(3)
				s.elect(2, 2, 1, 4, 5)
				s.append(2, 1)
				s.copyTo(2, 1, is[raft.NodeID](wrong, 3, 4))
				s.commit(5, 2)
			}},
		{"by a copy beside", Durability, 2, 2, "which is on the disks of 2 of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.copyTo(1, 5)
				s.lost(3)
				s.at(3).disk = s.at(5).disk
				s.at(3).disk.Identity.Node = 5
				s.start(3)
				s.elect(2, 2, 1, 4)
				s.append(2, 1)
				s.copyTo(2, 1, is[raft.NodeID](wrong, 3, 4))
				s.commit(5, 2)
			}},
	}
}

func memberVoteCases() []ledgerCase {
	votes := func(s *stage, id raft.NodeID, term raft.Term, voters ...raft.NodeID) {
		s.vote(id, term, voters...)
		s.lead(id)
	}
	return []ledgerCase{
		{"of one half", ElectionSafety, 2, 2, "n2 leads term 2 with 3 votes of 5 servers", func(s *stage,
			wrong bool) {
			s.name()
			s.change(1, joint(4, 5))
			s.copyTo(1, 2, 3)
			votes(s, 2, 2, is(wrong, []raft.NodeID{1, 3}, []raft.NodeID{4, 5, 3})...)
		}},
		{"of learners", ElectionSafety, 2, 2, "n2 leads term 2 with 1 votes of 3 servers", func(s *stage,
			wrong bool) {
			s.name()
			s.enact(1, joint(1, 2, 3), 2, 3)
			s.enact(1, after(1, 2, 3), 2, 3)
			votes(s, 2, 2, is(wrong, []raft.NodeID{4, 5}, []raft.NodeID{3, 4})...)
		}},
		{"by what was cut off", ElectionSafety, 2, 2, "n2 leads term 3 with 2 votes of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(1, 2, 3), 2, 3)
				s.change(1, after(1, 2, 3))
				s.copyTo(1, 2, 3)
				s.promise(2, raft.None, 2)
				if wrong {
					s.at(2).log, s.at(2).durable = s.at(2).log[:5], 5
					s.see(2)
				}
				votes(s, 2, 3, 3)
			}},
		{"of another data directory", ElectionSafety, 5, 5, "n5 leads term 2 with 2 votes of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.copyTo(1, 5)
				s.anew(3)
				votes(s, 5, 2, 4, is[raft.NodeID](wrong, 3, 1))
			}},
		{"of a disk that is lost", ElectionSafety, 5, 5, "n5 leads term 3 with 2 votes of 5 servers",
			func(s *stage, wrong bool) {
				s.name()
				s.copyTo(1, 5)
				s.promise(4, raft.None, is[raft.Term](wrong, 2, 3))
				s.lost(3) // it may have voted in all terms that there were
				votes(s, 5, 3, 4)
			}},
		{"of one data directory for two", OneVote, 4, 4, "n4 voted for both n2 and n3 in term 5",
			func(s *stage, wrong bool) {
				s.vote(2, 5, 4)
				s.anew(4)
				if wrong { // as if it were the same
					s.servers[3].disk.times = 0
				}
				s.promise(4, 3, 5)
				s.post(4, 3, raft.RequestVoteResponse{Term: 5, Granted: true})
			}},
	}
}

func memberMatchCases() []ledgerCase {
	learns := func(s *stage, leader, id raft.NodeID, match raft.Index) {
		for i := range s.at(leader).progress {
			if p := &s.at(leader).progress[i]; p.ID == id {
				p.Match, p.Next = match, match+1
			}
		}
		s.see(leader)
	}
	return []ledgerCase{
		{"of another data directory", ProgressTruth, 3, 2,
			"takes n3 to hold entry 5 durably, which it does not",
			func(s *stage, wrong bool) {
				s.name()
				if wrong {
					s.anew(3)
				}
				s.elect(2, 2, 1, 4, 5)
				s.append(2, 1)
				s.copyTo(2, 3)
				learns(s, 2, 3, 5)
			}},
		{"of one that has left", ProgressTruth, 1, 1, "of n5 at leader n1 went back from 4 to 0",
			func(s *stage, wrong bool) {
				s.name()
				s.copyTo(1, 5)
				learns(s, 1, 5, 4)
				s.enact(1, roles(all[:4], all, is(wrong, all[4:], nil)), 2, 3, 4)
				s.enact(1, roles(all[:4], nil, is(wrong, all[4:], nil)), 2, 3, 4)
				learns(s, 1, 5, 0)
			}},
	}
}

func memberScanCases() []ledgerCase {
	disks := func(s *stage) (found []disked) {
		for _, id := range all {
			found = append(found, disked{id: id, found: recovered{Recovered: s.at(id).disk}})
		}
		return found
	}
	return []ledgerCase{
		{"on the disks of learners", Durability, 1, 3, "is on 1 disks of 3, at least 2 must have it",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(1, 2, 3), 2, 3)
				s.enact(1, after(1, 2, 3), 2, 4, 5)
				d := disks(s)
				if wrong {
					d[1].found.Entries = d[1].found.Entries[:5]
				}
				s.scan(s.next(), d)
			}},
		{"on the disks of one half", Durability, 1, 5, "is on 1 disks of 3, at least 2 must have it",
			func(s *stage, wrong bool) {
				s.name()
				s.enact(1, joint(3, 4, 5), 2, 3, 4)
				d := disks(s)
				if wrong {
					d[3].found.Entries = d[3].found.Entries[:4]
				}
				s.scan(s.next(), d)
			}},
	}
}

// Two configurations can decide without each other when a quorum of one is no part of every quorum of the
// other: of the same ids too, when they mean other data directories.
func TestOverlapOfConfigurations(t *testing.T) {
	renamed := after(1, 2, 3)
	renamed.Members[2].Incarnation = 33
	unnamed := after(1, 2, 3)
	for i := range unnamed.Members {
		unnamed.Members[i].Incarnation = 0
	}
	for i, c := range []struct {
		a, b raft.Configuration
		meet bool
	}{
		{after(1, 2, 3), after(1, 2, 3), true},
		{after(1, 2, 3), after(2, 3), true},
		{after(1, 2, 3), after(1, 2, 3, 4), true},
		{after(1, 2, 3), after(1, 2, 3, 4, 5), false},
		{after(1, 2, 3), after(3, 4, 5), false},
		{after(1, 2, 3, 4, 5), joint(4, 5), true},
		{joint(4, 5), after(4, 5), true},
		{joint(4, 5), joint(1, 2, 3), true},
		{after(4, 5), joint(1, 2, 3), false},
		{after(1, 2, 3), renamed, false},
		{after(1, 2, 3), unnamed, true},
	} {
		if overlap2(c.a, c.b) != c.meet || overlap2(c.b, c.a) != c.meet {
			t.Errorf("%d: that %v and %v meet is %v, want %v", i, c.a, c.b, !c.meet, c.meet)
		}
	}
}

func TestDifferenceOfConfigurations(t *testing.T) {
	drift := after(1, 2, 3)
	drift.LeaseDrift, drift.AutoPromote = 7, true
	ids := func(ids ...raft.NodeID) []raft.NodeID { return ids }
	for i, c := range []struct {
		was, now raft.Configuration
		want     alteration
	}{
		{after(1, 2, 3), after(1, 2, 3), alteration{}},
		{joint(1, 2, 3), after(1, 2, 3), alteration{}},
		{roles(ids(1, 2), nil, nil), roles(ids(1, 2), nil, ids(3)), alteration{add: ids(3)}},
		{roles(ids(1, 2), nil, ids(3)), roles(ids(1, 2), nil, nil), alteration{remove: ids(3)}},
		{roles(ids(1, 2), nil, nil), roles(ids(1), ids(1, 2), nil), alteration{remove: ids(2)}},
		{roles(ids(1, 2), nil, nil), roles(ids(1), ids(1, 2), ids(2)), alteration{demote: ids(2)}},
		{roles(ids(1), nil, ids(2, 3)), roles(ids(1, 3), ids(1), ids(2)), alteration{promote: ids(3)}},
		{after(1, 2, 3), drift, alteration{auto: "on", drift: new(uint32(7))}},
		{drift, after(1, 2, 3), alteration{auto: "off", drift: new(uint32(0))}},
	} {
		if got := difference(c.was, c.now); !got.same(c.want) || !c.want.same(got) {
			t.Errorf("%d: %v becomes %v by %+v, want %+v", i, c.was, c.now, got, c.want)
		}
	}
	for _, x := range []alteration{{add: ids(1)}, {promote: ids(1)}, {demote: ids(1)}, {remove: ids(1)},
		{auto: "on"}, {drift: new(uint32(0))}} {
		if x.same(alteration{}) {
			t.Errorf("%+v passes for nothing", x)
		}
	}
}
