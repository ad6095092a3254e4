package sim

import (
	"slices"
	"strings"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// ledgerCase is a history that is clean, and with one thing wrong breaks a property. first and second are the
// servers whose facts cannot both be; says is part of the sentence.
type ledgerCase struct {
	name          string
	property      Property
	first, second raft.NodeID
	says          string
	play          func(s *stage, wrong bool)
}

func TestLedgerLeaders(t *testing.T) {
	checkCases(t, slices.Concat(leaderCases(), completenessCases()))
}
func TestLedgerLogs(t *testing.T)   { checkCases(t, logCases()) }
func TestLedgerVitals(t *testing.T) { checkCases(t, vitalCases()) }
func TestLedgerPromises(t *testing.T) {
	checkCases(t, slices.Concat(promiseCases(), acceptanceCases()))
}
func TestLedgerProgress(t *testing.T) { checkCases(t, progressCases()) }
func TestLedgerBounds(t *testing.T)   { checkCases(t, boundCases()) }
func TestLedgerCommits(t *testing.T)  { checkCases(t, commitCases()) }
func TestLedgerApplies(t *testing.T)  { checkCases(t, slices.Concat(applyCases(), resultCases())) }
func TestLedgerDisks(t *testing.T)    { checkCases(t, diskCases()) }
func TestLedgerRecovery(t *testing.T) { checkCases(t, slices.Concat(recoveryCases(), doubtfulCases())) }
func TestLedgerScan(t *testing.T)     { checkCases(t, slices.Concat(scanCases(), knownCases())) }

func checkCases(t *testing.T, cases []ledgerCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := settled()
			c.play(s, false)
			if v := s.violation(); v != nil {
				t.Fatalf("the clean history is accused: %v", v)
			}
			s = settled()
			c.play(s, true)
			v := s.violation()
			if v == nil {
				t.Fatalf("nothing is found, want %s", c.property)
			}
			if v.Property != c.property || !strings.Contains(v.Sentence, c.says) {
				t.Errorf("found %v\nwant %s: … %s …", v, c.property, c.says)
			}
			w := v.Witnesses
			if len(w) != 2 || w[0].Node != c.first || w[1].Node != c.second {
				t.Errorf("the witnesses of %v\nare not n%v and n%v", v, c.first, c.second)
			}
			if w[0].Position == 0 || w[0].Position > w[1].Position || v.Position != w[1].Position {
				t.Errorf("the witnesses of %v\nare not in their order", v)
			}
		})
	}
}

// is chooses between what is right and what is wrong.
func is[T any](wrong bool, what, otherwise T) T {
	if wrong {
		return what
	}
	return otherwise
}

func leaderCases() []ledgerCase {
	return []ledgerCase{
		{"two leaders", ElectionSafety, 1, 5, "term 1 has two leaders, n1 and n5", func(s *stage,
			wrong bool) {
			s.promise(5, 5, is[raft.Term](wrong, 1, 2))
			if wrong {
				s.lead(5)
			}
		}},
		{"two that send entries", ElectionSafety, 1, 5, "term 1 has two leaders", func(s *stage, wrong bool) {
			s.promise(5, 5, 1)
			s.post(is[raft.NodeID](wrong, 5, 1), 2, raft.AppendEntries{Term: 1})
		}},
		{"another leader is followed", ElectionSafety, 1, 2, "n2 follows n4 in term 1, which n1 leads",
			func(s *stage, wrong bool) {
				s.at(2).leader = raft.None
				s.see(2)
				s.at(2).leader = is[raft.NodeID](wrong, 4, 1)
				s.see(2)
			}},
		{"too few votes", ElectionSafety, 5, 5, "n5 leads term 2 with 2 votes of 5 servers",
			func(s *stage, wrong bool) {
				s.copyTo(1, 5)
				s.vote(5, 2, 2)
				if !wrong {
					s.promise(3, 5, 2)
					s.post(3, 5, raft.RequestVoteResponse{Term: 2, Granted: true})
				}
				s.lead(5)
			}},
		{"a vote for somebody else", ElectionSafety, 5, 5, "n5 leads term 2 with 2 votes of 5 servers",
			func(s *stage, wrong bool) {
				s.copyTo(1, 5)
				s.vote(is[raft.NodeID](wrong, 4, 5), 2, 3)
				s.vote(5, 2, 2)
				s.lead(5)
			}},
		{"its own vote is not durable", PromiseDurable, 2, 2, "its own vote is not durable",
			func(s *stage, wrong bool) {
				s.vote(2, 2, 3, 4)
				if wrong { // as if it had never been written
					s.servers[1].disk.state.Vote = raft.None
				}
				s.lead(2)
			}},
	}
}

func completenessCases() []ledgerCase {
	return []ledgerCase{
		{"what was committed is missing", LeaderCompleteness, 1, 5,
			"n5 leads term 2 without entry 1 (term 1), committed by n1 at e", func(s *stage, wrong bool) {
				if !wrong {
					s.copyTo(1, 5)
				}
				s.elect(5, 2, 3, 4)
			}},
		{"another entry is where one was committed", LeaderCompleteness, 1, 5, "without entry 3 (term 1)",
			func(s *stage, wrong bool) {
				s.promise(5, raft.None, 2)
				s.hold(5, s.entry(1, 1), s.entry(2, 1), s.entry(3, is[raft.Term](wrong, 2, 1)))
				s.save(5, 1)
				s.elect(5, 3, 3, 4)
			}},
		{"a commit that the later leader lacks", LeaderCompleteness, 2, 1, "n2 leads term 2 without entry 4",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.copyTo(1, 3, 4)
				if !wrong {
					s.copyTo(1, 2)
				}
				s.elect(2, 2, 3, 5)
				s.commit(4, 1) // it hears late that a majority has it
			}},
		{"a commit in a later term", LeaderCompleteness, 2, 5, "n5 leads term 4 without entry 4 (term 3)",
			func(s *stage, wrong bool) {
				s.copyTo(1, 5)
				if !wrong { // it comes to lead late: what a later term has committed does not bind it
					s.vote(5, 2, 3, 4)
				}
				s.elect(2, 3, 3, 4)
				s.append(2, 1)
				s.copyTo(2, 3, 4)
				s.commit(4, 2)
				if wrong {
					s.vote(5, 4, 3, 4)
				}
				s.lead(5)
			}},
	}
}

func logCases() []ledgerCase {
	return []ledgerCase{
		{"another entry", LogMatching, 1, 4, "n1 and n4 hold different entries 3 of term 1",
			func(s *stage, wrong bool) {
				e := s.entry(3, 1)
				e.Command = []byte(is(wrong, "else", string(e.Command)))
				s.hold(4, s.entry(1, 1), s.entry(2, 1), e)
			}},
		{"another time", LogMatching, 1, 4, "hold different entries 3", func(s *stage, wrong bool) {
			e := s.entry(3, 1)
			e.Time += is[raft.Time](wrong, 1, 0)
			s.hold(4, s.entry(1, 1), s.entry(2, 1), e)
		}},
		{"another history", LogMatching, 1, 4, "n1 and n4 both hold entry 3 of term 1, but not the same",
			func(s *stage, wrong bool) {
				s.promise(4, 4, 1)
				s.hold(4, s.entry(1, 1), s.entry(2, is[raft.Term](wrong, 7, 1)), s.entry(3, 1))
			}},
		{"a gap", LogMatching, 4, 4, "the log of n4 has a gap before entry 3/t1", func(s *stage, wrong bool) {
			if wrong {
				s.hold(4, s.entry(1, 1), s.entry(3, 1))
			} else {
				s.hold(4, s.entry(1, 1), s.entry(2, 1))
			}
		}},
		{"an end that is not there", LogMatching, 4, 4, "does not end in 5/t1 as it says",
			func(s *stage, wrong bool) {
				s.hold(4, s.entry(1, 1))
				a := s.at(4)
				a.last = is(wrong, raft.EntryID{Index: 5, Term: 1}, a.last)
				s.stepped(s.next(), 4, &a.sight)
			}},
		{"a change behind the end", LogMatching, 1, 4, "hold different entries 2", func(s *stage,
			wrong bool) {
			s.copyTo(1, 4)
			if wrong {
				s.at(4).log[1].Command = []byte("rotten")
			}
			for range auditEvery {
				s.see(4)
			}
		}},
		{"a leader cuts off its log", LeaderAppendOnly, 1, 1, "n1 leads term 1 and replaced its own entry 5",
			func(s *stage, wrong bool) {
				s.append(1, 2)
				if !wrong { // deposed, it may
					s.at(1).role, s.at(1).leader = raft.Follower, raft.None
					s.see(1)
				}
				s.at(1).log = s.at(1).log[:4]
				s.at(1).durable = 4
				s.see(1)
			}},
		{"a leader changes its log behind the end", LeaderAppendOnly, 1, 1, "replaced its own entry 2",
			func(s *stage, wrong bool) {
				if wrong {
					s.at(1).log[1].Command = []byte("rotten")
				}
				for range auditEvery {
					s.see(1)
				}
			}},
		{"what was committed is replaced", Monotonicity, 3, 3,
			"n3 replaced entry 3 (term 1), although it knew of commits up to 3", func(s *stage, wrong bool) {
				s.hold(3, s.entry(4, 1))
				s.promise(3, raft.None, 2)
				s.hold(3, s.entry(is[raft.Index](wrong, 3, 4), 2))
			}},
	}
}

func vitalCases() []ledgerCase {
	return []ledgerCase{
		{"log time goes back", Monotonicity, 4, 4, "log time goes back at n4, before 4/t1", func(s *stage,
			wrong bool) {
			e := s.entry(4, 1)
			e.Time = is[raft.Time](wrong, 2, 4)
			s.hold(4, s.entry(1, 1), s.entry(2, 1), s.entry(3, 1), e)
			s.see(4)
		}},
		{"the term goes back", Monotonicity, 4, 4, "n4 went back from term 6 to 5", func(s *stage,
			wrong bool) {
			s.at(4).term = 6
			s.see(4)
			s.at(4).term = is[raft.Term](wrong, 5, 7)
			s.see(4)
		}},
		{"the term is below the disk's", Monotonicity, 4, 4,
			"n4 is in term 5, although term 6 is on its disk",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: 6}})
				s.at(4).term = is[raft.Term](wrong, 5, 6)
				s.see(4)
			}},
		{"the vote changes", OneVote, 4, 4, "n4 changed its vote in term 6 from n2 to n3",
			func(s *stage, wrong bool) {
				s.promise(4, 2, 6)
				s.at(4).term, s.at(4).vote = is[raft.Term](wrong, 6, 7), 3
				s.see(4)
			}},
		{"the commit index goes back", Monotonicity, 2, 2, "the commit index of n2 went back from 3 to 2",
			func(s *stage, wrong bool) { s.commit(is[raft.Index](wrong, 2, 3), 2) }},
		{"the applied index goes back", Monotonicity, 2, 2, "the applied index of n2 went back from 3 to 2",
			func(s *stage, wrong bool) {
				s.apply(2, 1, 3)
				s.at(2).applied = is[raft.Index](wrong, 2, 3)
				s.see(2)
			}},
	}
}

func promiseCases() []ledgerCase {
	return []ledgerCase{
		{"a vote for two", OneVote, 4, 4, "n4 voted for both n2 and n3 in term 5", func(s *stage,
			wrong bool) {
			s.vote(2, 5, 4)
			if wrong { // as if the disk had forgotten
				s.servers[3].disk.state.Vote, s.servers[3].vote = raft.None, raft.None
				s.promise(4, 3, 5)
			}
			s.post(4, is[raft.NodeID](wrong, 3, 2), raft.RequestVoteResponse{Term: 5, Granted: true})
		}},
		{"a vote for two in two lives", OneVote, 4, 4, "n4 voted for both n2 and n4 in term 5",
			func(s *stage, wrong bool) {
				s.vote(2, 5, 4)
				s.die(4, nil)
				s.start(4)
				if wrong {
					s.servers[3].disk.state.Vote, s.servers[3].vote = raft.None, raft.None
				}
				s.promise(4, 4, is[raft.Term](wrong, 5, 6))
				s.post(4, 1, raft.RequestVote{Term: is[raft.Term](wrong, 5, 6)})
			}},
		{"a vote that is not durable", PromiseDurable, 4, 4,
			"n4 let out its vote for n2 in term 5 before it was",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: 5, Vote: is[raft.NodeID](wrong, 0, 2)}})
				s.post(4, 2, raft.RequestVoteResponse{Term: 5, Granted: true})
			}},
		{"a request without the own vote", PromiseDurable, 4, 4, "n4 let out its vote for n4 in term 5",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: is[raft.Term](wrong, 4, 5), Vote: 4}})
				s.post(4, 2, raft.RequestVote{Term: 5})
			}},
		{"entries of a term that is not durable", PromiseDurable, 4, 4,
			"n4 let out its vote for n4 in term 5",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: 5, Vote: is[raft.NodeID](wrong, 2, 4)}})
				s.post(4, 2, raft.AppendEntries{Term: 5})
			}},
		{"a denial in a term that is not durable", PromiseDurable, 4, 4, "n4 answered in term 5 before",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: is[raft.Term](wrong, 4, 5)}})
				s.post(4, 2, raft.RequestVoteResponse{Term: 5})
			}},
		{"an answer in a term that is not durable", PromiseDurable, 4, 4, "n4 answered in term 5 before",
			func(s *stage, wrong bool) {
				s.write(4, replica.Write{State: &raft.HardState{Term: is[raft.Term](wrong, 4, 5)}})
				s.post(4, 2, raft.AppendEntriesResponse{Term: 5, Rejected: true})
			}},
	}
}

func acceptanceCases() []ledgerCase {
	return []ledgerCase{
		{"entries that are not durable", PromiseDurable, 2, 2, "n2 acknowledged entry 4, its disk ends at 3",
			func(s *stage, wrong bool) {
				s.append(1, 1)
				s.hold(2, s.entry(4, 1))
				if !wrong {
					s.save(2, 4)
				}
				s.post(2, 1, raft.AppendEntriesResponse{Term: 1, Match: 4})
			}},
		{"entries that are not the leader's", ProgressTruth, 4, 4,
			"n4 acknowledged entry 4 to n1 and holds another",
			func(s *stage, wrong bool) {
				s.copyTo(1, 4)
				s.append(1, 1)
				s.promise(4, raft.None, 1)
				s.hold(4, s.entry(4, is[raft.Term](wrong, 0, 1)))
				s.save(4, 4)
				s.post(4, 1, raft.AppendEntriesResponse{Term: 1, Match: 4})
			}},
		{"taken for durable", PromiseDurable, 2, 2,
			"n2 takes entry 4 for durable, which its disk does not hold",
			func(s *stage, wrong bool) {
				s.hold(2, s.entry(4, 1))
				s.at(2).durable = is[raft.Index](wrong, 4, 3)
				s.see(2)
			}},
	}
}
