package sim

import (
	"slices"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// What administrators are told.

func TestLedgerTells(t *testing.T)     { checkCases(t, slices.Concat(refusalCases(), doneCases())) }
func TestLedgerHandsOver(t *testing.T) { checkCases(t, handoverCases()) }

// tells has a server answer an administrator.
func (s *stage) tells(id raft.NodeID, ticket raft.Ticket, fate replica.Fate, entry raft.EntryID,
	x alteration) {
	s.told(s.next(), id, x, replica.Answer{Ticket: ticket, Fate: fate, Entry: entry})
}

var demote5 = alteration{demote: []raft.NodeID{5}}

// begin has n1 begin to demote n5 by entry 5, and others have that on their disks.
func (s *stage) begin(ids ...raft.NodeID) {
	s.name()
	s.asks(1, 1, demote5)
	s.carry(5, 1, joint(1, 2, 3, 4))
	s.append(1, 1)
	s.copyTo(1, ids...)
}

// complete has n1 demote n5, by entry 6.
func (s *stage) complete() {
	s.begin(2, 3, 4)
	s.commit(5, 1)
	s.enact(1, after(1, 2, 3, 4), 2, 3, 4)
}

func at(index raft.Index, term raft.Term) raft.EntryID { return raft.EntryID{Index: index, Term: term} }

func refusalCases() []ledgerCase {
	return []ledgerCase{
		{"refused, and begun", Linearizability, 1, 1,
			"n1 answers that nothing has changed, and has begun the change by entry 5/t1",
			func(s *stage, wrong bool) {
				s.begin()
				s.tells(1, 1, is(wrong, replica.Rejected, replica.LeadershipLost), raft.EntryID{}, demote5)
			}},
		{"not led, and begun", Linearizability, 1, 1, "n1 answers that nothing has changed", func(s *stage,
			wrong bool) {
			s.begin()
			s.tells(1, 1, is(wrong, replica.NotLeader, replica.Stopped), raft.EntryID{}, demote5)
		}},
		{"both refused, of which one was begun", Linearizability, 1, 1, "n1 answers that nothing has changed",
			func(s *stage, wrong bool) {
				s.name()
				s.asks(1, 1, demote5)
				s.asks(1, 2, demote5) // in the same moment
				s.carry(5, 1, joint(1, 2, 3, 4))
				s.append(1, 1)
				s.tells(1, 2, replica.Rejected, raft.EntryID{}, demote5)
				s.tells(1, 1, is(wrong, replica.Rejected, replica.LeadershipLost), raft.EntryID{}, demote5)
			}},
		{"refused later, and begun before", Linearizability, 1, 1, "n1 answers that nothing has changed",
			func(s *stage, wrong bool) {
				s.begin()
				s.see(1)
				s.asks(1, 2, demote5)
				s.see(1)
				s.tells(1, is[raft.Ticket](wrong, 1, 2), replica.Rejected, raft.EntryID{}, demote5)
			}},
		{"replaced, by nothing yet", Linearizability, 1, 1, "n1 answers that entry 5/t1 was replaced",
			func(s *stage, wrong bool) {
				s.begin()
				s.elect(2, 2, 3, 4)
				s.append(2, 1)
				s.copyTo(2, 3, 4)
				if !wrong {
					s.commit(5, 2)
				}
				s.tells(1, 1, replica.Replaced, at(5, 1), demote5)
			}},
		{"replaced, and committed", Linearizability, 1, 1, "n1 answers that entry 5/t1 was replaced",
			func(s *stage, wrong bool) {
				s.begin(2, 3, 4)
				s.commit(5, 1)
				s.tells(1, 1, is(wrong, replica.Replaced, replica.LeadershipLost), at(5, 1), demote5)
			}},
	}
}

func doneCases() []ledgerCase {
	return []ledgerCase{
		{"done, by what is no configuration", Durability, 1, 1,
			"done as entry 3/t1, which is no configuration",
			func(s *stage, wrong bool) {
				s.complete()
				s.tells(1, 1, replica.Done, is(wrong, at(3, 1), at(6, 1)), demote5)
			}},
		{"done, and joint", Durability, 1, 1, "done as entry 5/t1, which is no configuration that is",
			func(s *stage, wrong bool) {
				s.complete()
				s.tells(1, 1, replica.Done, is(wrong, at(5, 1), at(6, 1)), demote5)
			}},
		{"done, and not committed", Durability, 1, 1, "done as entry 6/t1, which is no configuration that is",
			func(s *stage, wrong bool) {
				s.begin(2, 3, 4)
				s.commit(5, 1)
				s.change(1, after(1, 2, 3, 4))
				s.copyTo(1, 2, 3, 4)
				if !wrong {
					s.commit(6, 1)
				}
				s.tells(1, 1, replica.Done, at(6, 1), demote5)
			}},
		{"done, and not as asked", Durability, 1, 1, "done as entry 6/t1, which does not say so",
			func(s *stage, wrong bool) {
				s.complete()
				demote4 := alteration{demote: []raft.NodeID{4}}
				s.tells(1, 1, replica.Done, at(6, 1), is(wrong, demote4, demote5))
			}},
	}
}

// Each part of a change that is done must be in the configuration that it is done by.
func TestLedgerHoldsDoneAgainstEachPart(t *testing.T) {
	ids := func(ids ...raft.NodeID) []raft.NodeID { return ids }
	fewer, fewest := joint(1, 2, 3, 4), after(1, 2, 3, 4)
	fewer.AutoPromote, fewest.AutoPromote = true, true
	for _, c := range []struct {
		right, wrong alteration
	}{
		{alteration{add: ids(5)}, alteration{add: ids(6)}},
		{alteration{promote: ids(4)}, alteration{promote: ids(5)}},
		{alteration{demote: ids(5)}, alteration{demote: ids(4)}},
		{alteration{remove: ids(6)}, alteration{remove: ids(5)}},
		{alteration{auto: "on"}, alteration{auto: "off"}},
		{alteration{drift: new(uint32(0))}, alteration{drift: new(uint32(1))}},
	} {
		for _, x := range []alteration{c.right, c.wrong} {
			s := settled()
			s.name()
			s.enact(1, fewer, 2, 3, 4)
			s.enact(1, fewest, 2, 3, 4)
			s.tells(1, 9, replica.Done, raft.EntryID{Index: 6, Term: 1}, x)
			if v := s.violation(); (v == nil) != x.same(c.right) {
				t.Errorf("that %+v is done by %v comes to %v", x, fewest, v)
			}
		}
	}
}

func handoverCases() []ledgerCase {
	return []ledgerCase{
		{"and nobody leads", Answered, 1, 1, "handed over in term 1, and nobody has led a later one",
			func(s *stage, wrong bool) {
				s.vote(2, 2, 3, 4)
				if !wrong {
					s.lead(2)
				}
				s.depose(1, 2)
				s.see(1)
				s.handedOver(s.next(), 1, 1)
			}},
		{"and it leads still", Answered, 1, 1, "handed over in term 1", func(s *stage, wrong bool) {
			s.elect(2, 2, 3, 4)
			if !wrong {
				s.depose(1, 2)
				s.see(1)
			}
			s.handedOver(s.next(), 1, 1)
		}},
	}
}
