package sim

import (
	"slices"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// oddity is a history that looks wrong and is not.
type oddity struct {
	name string
	play func(*stage)
}

// TestLedgerLetsPass plays what looks odd and is right: each of these was once excepted from a check on
// purpose, and would be accused without.
func TestLedgerLetsPass(t *testing.T) {
	for _, o := range slices.Concat(oddities(), odditiesOfLogs(), odditiesOfBounds()) {
		t.Run(o.name, func(t *testing.T) {
			s := settled()
			o.play(s)
			if v := s.violation(); v != nil {
				t.Error(v)
			}
		})
	}
}

func oddities() []oddity {
	return []oddity{
		{"a leader that leads again knows nothing of its followers", func(s *stage) {
			p := &s.at(1).progress[0]
			p.Match, p.Next = 3, 4
			s.see(1)
			s.elect(1, 2, 2, 3)
			s.append(1, 1)
			s.copyTo(1, 2)
			p = &s.at(1).progress[0]
			p.Match, p.Next = 2, 4
			s.see(1)
		}},
		{"a leader relies on a disk that was lost since", func(s *stage) {
			s.append(1, 1)
			s.copyTo(1, 2)
			s.die(2, nil)
			s.lost(2)
			s.at(2).disk.Entries = nil
			s.start(2)
			p := &s.at(1).progress[0]
			p.Match, p.Next = 4, 5
			s.see(1)
		}},
		{"a vote from a disk that was lost since", func(s *stage) {
			s.copyTo(1, 5)
			s.vote(5, 2, 2, 3)
			s.die(3, nil)
			s.lost(3)
			s.lead(5)
		}},
		{"another vote from another disk", func(s *stage) {
			s.vote(2, 5, 4)
			s.die(4, nil)
			s.lost(4)
			s.at(4).disk.State, s.at(4).disk.Entries = raft.HardState{}, nil
			s.start(4)
			s.promise(4, 3, 5)
			s.post(4, 3, raft.RequestVoteResponse{Term: 5, Granted: true})
		}},
		{"a vote that is told when a later term is durable", func(s *stage) {
			s.promise(4, 2, 5)
			s.promise(4, 3, 6)
			s.post(4, 2, raft.RequestVoteResponse{Term: 5, Granted: true})
		}},
	}
}

func odditiesOfLogs() []oddity {
	return []oddity{
		{"entries for a leader that leads no more", func(s *stage) {
			s.append(1, 1)
			s.promise(4, raft.None, 1)
			s.hold(4, s.entry(1, 1))
			s.save(4, 1)
			s.promise(1, raft.None, 2)
			s.hold(1, s.entry(4, 2))
			s.post(4, 1, raft.AppendEntriesResponse{Term: 1, Match: 1})
			s.hold(4, s.entry(2, 1), s.entry(3, 1), s.entry(4, 1))
			s.save(4, 2)
			s.post(4, 1, raft.AppendEntriesResponse{Term: 1, Match: 4})
		}},
		{"what was never committed is written over", func(s *stage) {
			s.promise(4, raft.None, 1)
			s.hold(4, s.entry(1, 0), s.entry(2, 0))
			s.save(4, 1)
			s.copyTo(1, 4)
		}},
		{"an old log is replaced in the step that wins an election", func(s *stage) {
			s.append(1, 1)
			s.vote(1, 2, 2, 3)
			a := s.at(1)
			a.log, a.durable = append(a.log[:3:3], s.entry(4, 2)), 3
			s.lead(1)
		}},
	}
}

func odditiesOfBounds() []oddity {
	return []oddity{
		{"what a new leader finds in its log is beyond the bound", func(s *stage) {
			s.limits.UncommittedBytes = 40
			s.vote(2, 2, 3, 4)
			a := s.at(2)
			a.log, a.uncommitted = append(a.log, s.entry(4, 1), s.entry(5, 1)), 80
			s.lead(2)
		}},
		{"a no-op is beyond the bound", func(s *stage) {
			s.limits.UncommittedBytes = 40
			e := raft.Entry{Index: 4, Term: 1, Time: 4, Kind: raft.NoOp, Command: make([]byte, 40)}
			s.at(1).uncommitted = 40 + e.Size()
			s.hold(1, e)
		}},
		{"one command is beyond the bound by itself", func(s *stage) {
			s.limits.UncommittedBytes = 4
			s.at(1).uncommitted = s.entry(4, 1).Size()
			s.hold(1, s.entry(4, 1))
		}},
		{"commands that are empty, and a configuration twice", func(s *stage) {
			s.hold(1,
				raft.Entry{Index: 4, Term: 1, Time: 5, Kind: raft.Normal},
				raft.Entry{Index: 5, Term: 1, Time: 5, Kind: raft.Normal},
				raft.Entry{Index: 6, Term: 1, Time: 5, Kind: raft.ConfigurationChange,
					Command: membersOf(5).AppendTo(nil)})
			s.save(1, 4)
			s.copyTo(1, 2, 3)
			s.commit(6, 1)
			s.hold(1, raft.Entry{Index: 7, Term: 1, Time: 5, Kind: raft.ConfigurationChange,
				Command: membersOf(5).AppendTo(nil)})
			s.save(1, 7)
			s.copyTo(1, 2, 3)
			s.commit(7, 1)
			s.acknowledged(s.next(), 4, 0)
		}},
		{"a no-op is applied without a state machine", func(s *stage) {
			s.hold(1, raft.Entry{Index: 4, Term: 1, Time: 4, Kind: raft.NoOp})
			s.save(1, 4)
			s.copyTo(1, 2, 3)
			s.commit(4, 1)
			s.apply(1, 1, 3)
			s.at(1).applied = 4
			s.see(1)
		}},
		{"a write that is under way twice", func(s *stage) {
			w := replica.Write{Entries: []raft.Entry{s.entry(4, 1)}}
			s.die(2, &w)
			s.die(2, nil) // it crashes again while it starts
			s.put(2, w)
			s.start(2)
		}},
	}
}

// TestLedgerRemembersAcrossRestarts holds that a witness names when an entry came to a server, and not its
// latest start.
func TestLedgerRemembersAcrossRestarts(t *testing.T) {
	s := settled()
	since := s.servers[1].disk.log[0].since
	s.die(2, nil)
	s.start(2)
	if now := s.servers[1].log[0].since; now != since || since == (Moment{}) {
		t.Errorf("n2 holds entry 1 since %v, want %v", now, since)
	}
}

// TestLedgerIsSilentAfterAViolation holds that the first violation stays.
func TestLedgerIsSilentAfterAViolation(t *testing.T) {
	s := settled()
	s.acknowledged(s.next(), 4, 0)
	first := s.violation()
	if first == nil {
		t.Fatal("an entry that is not committed was acknowledged, and nothing is found")
	}
	s.acknowledged(s.next(), 5, 0)
	s.at(1).term = 0
	s.see(1)
	s.write(1, replica.Write{State: &raft.HardState{}})
	s.applies(s.next(), 1, s.entry(9, 9), nil)
	s.post(1, 2, raft.RequestVote{Term: 9})
	s.started(s.next(), 1, recovered{Recovered: s.at(3).disk}, false)
	s.scan(s.next(), []disked{{id: 1}, {id: 2}, {id: 3}, {id: 4}, {id: 5}})
	if s.violation() != first {
		t.Errorf("the violation became %v", s.violation())
	}
}
