package sim

import (
	"slices"

	"balsa/raft"
	"balsa/replica"
)

func progressCases() []ledgerCase {
	learns := func(s *stage, id raft.NodeID, match raft.Index) {
		p := &s.at(1).progress[id-2]
		p.Match, p.Next = match, match+1
		s.see(1)
	}
	return []ledgerCase{
		{"more than it holds", ProgressTruth, 2, 1, "takes n2 to hold entry 4 durably, which it does not",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				learns(s, 2, is[raft.Index](wrong, 4, 3))
			}},
		{"another entry", ProgressTruth, 4, 1, "takes n4 to hold entry 3 durably", func(s *stage,
			wrong bool) {
			s.promise(4, raft.None, 1)
			s.hold(4, s.entry(1, 1), s.entry(2, 1), s.entry(3, is[raft.Term](wrong, 0, 1)))
			s.save(4, 1)
			learns(s, 4, 3)
		}},
		{"in an older term", ProgressTruth, 4, 1, "takes n4 to hold entry 3 durably", func(s *stage,
			wrong bool) {
			if !wrong {
				s.promise(4, raft.None, 1)
			}
			s.hold(4, s.at(1).log...)
			s.save(4, 1)
			learns(s, 4, 3)
		}},
		{"cut off in a later term", ProgressTruth, 2, 1, "takes n2 to hold entry 4 durably",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 2)
				if !wrong {
					s.promise(2, raft.None, 2)
				}
				s.write(2, replica.Write{Entries: []raft.Entry{s.entry(4, 0)}})
				learns(s, 2, 4)
			}},
		{"match goes back", ProgressTruth, 1, 1, "the match index of n2 at leader n1 went back from 3 to 2",
			func(s *stage, wrong bool) {
				learns(s, 2, 3)
				learns(s, 2, is[raft.Index](wrong, 2, 3))
			}},
		{"next is not above match", ProgressTruth, 1, 1, "the next index of n3 is 3 and its match index 3",
			func(s *stage, wrong bool) {
				s.at(1).progress[1] = raft.Progress{ID: 3, Match: 3, Next: is[raft.Index](wrong, 3, 4)}
				s.see(1)
			}},
	}
}

func boundCases() []ledgerCase {
	limited := func(s *stage) {
		s.limits = raft.Limits{AppendBytes: 150, Window: 4, UncommittedBytes: 40, InFlightBytes: 1000,
			BacklogBytes: 1000}
	}
	return []ledgerCase{
		{"uncommitted bytes", Bounds, 1, 1, "with 33 uncommitted, at most 40 are allowed",
			func(s *stage, wrong bool) {
				limited(s)
				s.at(1).uncommitted = is(wrong, 33, 0) + s.entry(4, 1).Size()
				s.hold(1, s.entry(4, 1))
			}},
		{"messages on their way", Bounds, 1, 1, "n1 has 5 messages on their way to n2, at most 4 are allowed",
			func(s *stage, wrong bool) {
				limited(s)
				s.at(1).progress[0].OnTheWay = is(wrong, 5, 4)
				s.see(1)
			}},
		{"bytes on their way", Bounds, 1, 1, "n1 has 160 bytes of entries on their way to n2, at most 140",
			func(s *stage, wrong bool) {
				limited(s)
				s.limits.InFlightBytes, s.limits.AppendBytes, s.limits.UncommittedBytes = 100, 40, 1000
				s.append(1, 4)
				s.at(1).progress[0].Match, s.at(1).progress[0].Next = 3, is[raft.Index](wrong, 8, 7)
				s.see(1)
			}},
		{"entries for a slow disk", Bounds, 4, 4, "n4 took entries while 120 bytes were not durable",
			func(s *stage, wrong bool) {
				s.limits.BacklogBytes = is(wrong, 110, 120)
				s.promise(4, raft.None, 1)
				s.hold(4, s.at(1).log...)
				s.hold(4, s.entry(4, 1))
			}},
		{"entries for a slow machine", Bounds, 2, 2, "n2 took entries while 0 bytes were not durable and 120",
			func(s *stage, wrong bool) {
				s.limits.BacklogBytes = is(wrong, 110, 120)
				s.hold(2, s.entry(4, 1))
			}},
		{"a command at a leader that is behind", Bounds, 1, 1, "n1 took entries while 0 bytes", func(s *stage,
			wrong bool) {
			s.limits.BacklogBytes = 110
			e := s.entry(4, 1)
			e.Kind = is(wrong, raft.Normal, raft.NoOp)
			s.hold(1, e)
		}},
		{"bytes in one message", Bounds, 1, 1, "n1 sent 160 bytes of entries in one message, at most 150",
			func(s *stage, wrong bool) {
				limited(s)
				count := is(wrong, 4, 3)
				entries := []raft.Entry{s.entry(1, 1), s.entry(2, 1), s.entry(3, 1), s.entry(4, 1)}
				s.post(1, 2, raft.AppendEntries{Term: 1, Entries: entries[:count]})
			}},
	}
}

func commitCases() []ledgerCase {
	return []ledgerCase{
		{"two different entries", StateMachineSafety, 1, 4,
			"n1 and n4 take different entries 3 for committed",
			func(s *stage, wrong bool) {
				s.copyTo(1, 4)
				if wrong {
					s.promise(4, raft.None, 2)
					s.hold(4, s.entry(3, 2))
				}
				s.commit(3, 4)
			}},
		{"beyond the log", StateMachineSafety, 2, 2, "n2 takes entry 4 for committed, its log has 3",
			func(s *stage, wrong bool) { s.commit(is[raft.Index](wrong, 4, 3), 2) }},
		{"on a minority", Durability, 1, 1, "entry 4 (term 1) for committed, which is on the disks of 2 of 5",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 2)
				if wrong {
					s.hold(3, s.entry(4, 1)) // in memory only
				} else {
					s.copyTo(1, 3)
				}
				s.commit(4, 1)
			}},
		{"on a minority, a disk was lost", Durability, 1, 1, "which is on the disks of 2 of 5",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 2)
				if !wrong { // it may have had the entry
					s.lost(3)
				}
				s.commit(4, 1)
			}},
		{"a command twice", ExactlyOnce, 1, 1, "one command was committed twice, as entries 2 and 4",
			func(s *stage, wrong bool) {
				e := s.entry(4, 1)
				if wrong {
					e.Command = s.entry(2, 1).Command
				}
				s.hold(1, e)
				s.save(1, 4)
				s.copyTo(1, 2, 3)
				s.commit(4, 1)
			}},
		{"acknowledged, not committed", Durability, 3, 0, "entry 4 was acknowledged and is not committed",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 2, 3)
				s.commit(3, 3)
				if !wrong {
					s.commit(4, 1)
				} else { // the last commit that is known
					s.ledger.committed[2].by = 3
				}
				s.acknowledged(s.next(), 4, plainly(s.entry(4, 1).Command))
			}},
		{"acknowledged where another one is", Durability, 1, 0,
			"acknowledged as entry 3, where another one is",
			func(s *stage, wrong bool) {
				s.acknowledged(s.next(), 3, plainly(s.entry(is[raft.Index](wrong, 2, 3), 1).Command))
			}},
	}
}

func applyCases() []ledgerCase {
	return []ledgerCase{
		{"a gap", StateMachineSafety, 2, 2, "n2 applied entry 3 after 1", func(s *stage, wrong bool) {
			s.apply(2, 1, 1)
			s.apply(2, is[raft.Index](wrong, 3, 2), 3)
		}},
		{"twice", StateMachineSafety, 2, 2, "n2 applied entry 2 after 3", func(s *stage, wrong bool) {
			s.apply(2, 1, 3)
			if !wrong { // a new life begins with an empty state machine
				s.die(2, nil)
				s.start(2)
				s.commit(3, 2)
				s.apply(2, 1, 1)
			}
			s.apply(2, 2, 2)
		}},
		{"no-ops are passed over", StateMachineSafety, 1, 1, "n1 applied entry 5 after 3",
			func(s *stage, wrong bool) {
				e := s.entry(4, 1)
				e.Kind, e.Command = is(wrong, raft.Normal, raft.NoOp), nil
				s.hold(1, e, s.entry(5, 1))
				s.save(1, 4)
				s.copyTo(1, 2, 3)
				s.commit(5, 1)
				s.apply(1, 1, 3)
				s.apply(1, 5, 5)
			}},
		{"not committed", StateMachineSafety, 1, 1,
			"n1 applied entry 4, which it does not know to be committed",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 2, 3)
				s.commit(is[raft.Index](wrong, 3, 4), 1)
				s.apply(1, 1, 4)
			}},
		{"committed elsewhere", StateMachineSafety, 4, 4, "n4 applied entry 3, which it does not know to be",
			func(s *stage, wrong bool) {
				s.copyTo(1, 4)
				s.commit(is[raft.Index](wrong, 2, 3), 4)
				s.apply(4, 1, 3)
			}},
		{"another entry", StateMachineSafety, 1, 2,
			"n2 applied another entry 3 than n1 knows to be committed",
			func(s *stage, wrong bool) {
				s.apply(2, 1, 2)
				e := s.entry(3, 1)
				e.Command = []byte(is(wrong, "else", string(e.Command)))
				s.applies(s.next(), 2, e, []byte("result 3"))
			}},
		{"not on its disk", StateMachineSafety, 4, 4, "n4 applied entry 3, which its own disk does not hold",
			func(s *stage, wrong bool) {
				s.hold(4, s.at(1).log...)
				if !wrong {
					s.save(4, 1)
				} else {
					s.write(4, replica.Write{Entries: s.at(1).log[:2]})
				}
				s.commit(3, 4)
				s.apply(4, 1, 3)
			}},
		{"said, not done", StateMachineSafety, 2, 2,
			"n2 says that entry 3 is applied, its state machine has 2",
			func(s *stage, wrong bool) {
				s.apply(2, 1, is[raft.Index](wrong, 2, 3))
				s.at(2).applied = 3
				s.see(2)
			}},
	}
}

func resultCases() []ledgerCase {
	return []ledgerCase{
		{"another result", ReplicaEquality, 1, 2, "n1 and n2 applied entry 1 with different results",
			func(s *stage, wrong bool) {
				s.apply(1, 1, 3)
				s.applies(s.next(), 2, s.entry(1, 1), []byte(is(wrong, "result 2", "result 1")))
			}},
		{"another result after a restart", ReplicaEquality, 2, 2,
			"n2 and n2 applied entry 1 with different results",
			func(s *stage, wrong bool) {
				s.apply(2, 1, 3)
				s.die(2, nil)
				s.start(2)
				s.commit(3, 2)
				s.applies(s.next(), 2, s.entry(1, 1), []byte(is(wrong, "result 2", "result 1")))
			}},
	}
}

func diskCases() []ledgerCase {
	return []ledgerCase{
		{"the term goes back", Monotonicity, 4, 4, "the durable term of n4 went back from 6 to 5",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: 6}})
				s.write(4, replica.Write{State: &raft.HardState{Term: is[raft.Term](wrong, 5, 7)}})
			}},
		{"the vote changes", OneVote, 2, 2, "n2 replaced its durable vote for n1 in term 1",
			func(s *stage, wrong bool) {
				s.write(2, replica.Write{State: &raft.HardState{Term: is[raft.Term](wrong, 1, 2)}})
			}},
		{"a gap", Durability, 2, 2, "n2 wrote entry 5 behind a log that ends at 3", func(s *stage,
			wrong bool) {
			e := is(wrong, s.entry(5, 1), s.entry(4, 1))
			s.write(2, replica.Write{Entries: []raft.Entry{e}})
		}},
		{"what is committed is overwritten", Durability, 1, 3,
			"n3 overwrote entry 3 (term 1), which is committed",
			func(s *stage, wrong bool) {
				e := is(wrong, s.entry(3, 2), s.entry(3, 1))
				s.write(3, replica.Write{Entries: []raft.Entry{e}})
			}},
		{"a copy that counted is overwritten", Durability, 1, 3,
			"n3 overwrote entry 3 (term 1), which is committed",
			func(s *stage, wrong bool) {
				if !wrong { // four disks have it, and n3 had given it up before its disk was done
					s.hold(4, s.at(1).log...)
					s.save(4, 1)
				}
				s.write(3, replica.Write{Entries: []raft.Entry{s.entry(3, 2)}})
			}},
		{"what is committed is cut off", Durability, 1, 3,
			"n3 overwrote entry 3 (term 1), which is committed",
			func(s *stage, wrong bool) {
				entries := []raft.Entry{s.entry(2, 1), s.entry(3, 1)}
				s.write(3, replica.Write{Entries: entries[:is(wrong, 1, 2)]})
			}},
		{"other entries than in memory", LogMatching, 1, 3, "n1 and n3 hold different entries 4",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				e := s.entry(4, 1)
				e.Command = []byte(is(wrong, "torn", string(e.Command)))
				s.write(3, replica.Write{Entries: []raft.Entry{e}})
			}},
	}
}

func recoveryCases() []ledgerCase {
	return []ledgerCase{
		{"entries are gone", Recovery, 2, 2,
			"n2 does not find what was durable: its log ends at 2 instead of 3",
			func(s *stage, wrong bool) {
				s.restart(nil, func(a *actor) { a.disk.Entries = a.disk.Entries[:is(wrong, 2, 3)] })
			}},
		{"another entry", Recovery, 2, 2, "it finds another entry 3 (term 0) than the durable one (term 1)",
			func(s *stage, wrong bool) {
				s.restart(nil, func(a *actor) {
					a.disk.Entries = slices.Clone(a.disk.Entries)
					a.disk.Entries[2] = s.entry(3, is[raft.Term](wrong, 0, 1))
				})
			}},
		{"the vote is gone", Recovery, 2, 2,
			"it finds term 1 without a vote instead of term 1 with a vote for n1",
			func(s *stage, wrong bool) {
				s.restart(nil, func(a *actor) { a.disk.State.Vote = is[raft.NodeID](wrong, 0, 1) })
			}},
		{"the term goes back", Monotonicity, 2, 2, "n2 starts in term 0, although term 1 was durable",
			func(s *stage, wrong bool) {
				s.restart(nil, func(a *actor) { a.disk.State = is(wrong, raft.HardState{}, a.disk.State) })
			}},
		{"a peer is forgotten", Recovery, 2, 2, "it remembers its peers as [] instead of [{3 3 1}]",
			func(s *stage, wrong bool) {
				s.write(2, replica.Write{Peers: []raft.Acquaintance{{Node: 3, Incarnation: 3, Start: 1}}})
				s.restart(nil, func(a *actor) { a.disk.Peers = a.disk.Peers[is(wrong, 1, 0):] })
			}},
		{"the start number stands still", Recovery, 2, 2, "n2 starts with number 1 after 1",
			func(s *stage, wrong bool) {
				s.restart(nil, func(a *actor) { a.disk.Start -= is[uint64](wrong, 1, 0) })
			}},
		{"another incarnation", Recovery, 2, 2, "n2 starts as another incarnation", func(s *stage,
			wrong bool) {
			s.restart(nil, func(a *actor) {
				a.disk.Identity.Incarnation += is[raft.Incarnation](wrong, 1,
					0)
			})
		}},
	}
}

func doubtfulCases() []ledgerCase {
	return []ledgerCase{
		{"half of a write", Recovery, 2, 2, "and the write under way explains it at most in part",
			func(s *stage, wrong bool) {
				w := replica.Write{State: &raft.HardState{Term: 2}, Peers: []raft.Acquaintance{{Node: 3,
					Incarnation: 3, Start: 1}},
					Entries: []raft.Entry{s.entry(3, 1), s.entry(4, 1)}}
				s.restart(&w, func(a *actor) { // all of it
					s.put(2, w)
					a.disk.Entries = a.disk.Entries[:is(wrong, 3, 4)]
				})
			}},
		{"none of a write", Recovery, 2, 2, "its log ends at 4 instead of 3", func(s *stage, wrong bool) {
			w := replica.Write{Entries: []raft.Entry{s.entry(4, 1)}}
			s.restart(&w, func(*actor) {})
			s.restart(nil, func(*actor) { // it was not there: it does not come back
				if wrong {
					s.put(2, w)
				}
			})
		}},
		{"a write that was found and is gone", Recovery, 2, 2, "its log ends at 3 instead of 4",
			func(s *stage, wrong bool) {
				w := replica.Write{Entries: []raft.Entry{s.entry(4, 1)}}
				s.restart(&w, func(*actor) { s.put(2, w) })
				s.restart(nil, func(a *actor) { a.disk.Entries = a.disk.Entries[:is(wrong, 3, 4)] })
			}},
		{"a wiped disk", Monotonicity, 2, 2, "n2 starts in term 0, although term 1 was durable",
			func(s *stage, wrong bool) {
				if !wrong {
					s.lost(2)
				}
				s.restart(nil, func(a *actor) { a.disk.State, a.disk.Entries = raft.HardState{}, nil })
			}},
	}
}

func scanCases() []ledgerCase {
	disks := func(s *stage, ids ...raft.NodeID) (found []disked) {
		for _, id := range ids {
			found = append(found, disked{id: id, found: recovered{Recovered: s.at(id).disk}})
		}
		return found
	}
	return []ledgerCase{
		{"a committed entry on a minority", Durability, 1, 5,
			"entry 3 (term 1) was committed and is on 2 disks of 5, at least 3 must have it",
			func(s *stage, wrong bool) {
				d := disks(s, 1, 2, 3, 4, 5)
				d[1].found.Entries = d[1].found.Entries[:is(wrong, 2, 3)]
				s.scan(s.next(), d)
			}},
		{"the disks of the others were lost", Durability, 1, 2, "is on 0 disks of 3, at least 1 must have it",
			func(s *stage, wrong bool) {
				d := disks(s, 4, 5, 2)
				d[2].found.Entries = d[2].found.Entries[:is(wrong, 2, 3)]
				s.scan(s.next(), d)
			}},
		{"an acknowledged command on a minority", Durability, 0, 5,
			"entry 2 was acknowledged and its command is on 2 disks of 5", func(s *stage, wrong bool) {
				s.acknowledged(s.next(), 2, plainly(s.entry(2, 1).Command))
				d := disks(s, 1, 2, 3, 4, 5)
				if wrong {
					s.committed = s.committed[:1]
					d[1].found.Entries = d[1].found.Entries[:1]
				}
				s.scan(s.next(), d)
			}},
		{"a disk that could win without it", LeaderCompleteness, 1, 4,
			"n4 could be elected with the votes of 5 disks, without entry 1 (term 1)",
			func(s *stage, wrong bool) {
				if !wrong {
					s.write(4, replica.Write{Entries: []raft.Entry{s.entry(1, 0)}})
				}
				d := disks(s, 1, 2, 3, 4, 5)
				if wrong {
					d[3].found.Entries = []raft.Entry{s.entry(1, 2)}
				}
				s.scan(s.next(), d)
			}},
	}
}

func knownCases() []ledgerCase {
	disks := func(s *stage) (found []disked) {
		for id := raft.NodeID(1); id <= 5; id++ {
			found = append(found, disked{id: id, found: recovered{Recovered: s.at(id).disk}})
		}
		return found
	}
	return []ledgerCase{
		{"a vote is gone", Recovery, 2, 2, "it finds term 1 without a vote instead of",
			func(s *stage, wrong bool) {
				d := disks(s)
				d[1].found.State.Vote = is(wrong, raft.None, 1)
				s.scan(s.next(), d)
			}},
		{"a term is gone", Monotonicity, 2, 2, "n2 starts in term 0, although term 1 was durable",
			func(s *stage, wrong bool) {
				d := disks(s)
				if wrong {
					d[1].found.State = raft.HardState{}
				}
				s.scan(s.next(), d)
			}},
		{"an entry that is not committed is gone", Recovery, 1, 1, "its log ends at 3 instead of 4",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				d := disks(s)
				d[0].found.Entries = d[0].found.Entries[:is(wrong, 3, 4)]
				s.scan(s.next(), d)
			}},
		{"a start is forgotten", Recovery, 3, 3, "the start number of n3 went back from 1 to 0",
			func(s *stage, wrong bool) {
				d := disks(s)
				d[2].found.Start -= is[uint64](wrong, 1, 0)
				s.scan(s.next(), d)
			}},
	}
}
