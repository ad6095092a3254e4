package sim

import (
	"testing"

	"balsa/raft"
	"balsa/replica"
)

func TestLedgerSnapshots(t *testing.T) { checkCases(t, snapshotCases()) }

func TestLedgerLogsBehindSnapshots(t *testing.T) { checkCases(t, behindCases()) }

// took is a snapshot up to an entry of term 1.
func (s *stage) took(index raft.Index) raft.Snapshot {
	return raft.Snapshot{Last: raft.EntryID{Term: 1, Index: index}, Time: raft.Time(index)}
}

func (s *stage) keep(id raft.NodeID, snap raft.Snapshot) { s.snapshotted(s.next(), id, snap) }

func snapshotCases() []ledgerCase {
	return []ledgerCase{
		{"of what is not committed", StateMachineSafety, 1, 1, "a snapshot up to 4/t1, which is not",
			func(s *stage, wrong bool) { s.keep(1, s.took(is[raft.Index](wrong, 4, 3))) }},
		{"of another entry", StateMachineSafety, 1, 2, "n2 has a snapshot up to 3/t2, which is not committed",
			func(s *stage, wrong bool) {
				snap := s.took(3)
				snap.Last.Term = is[raft.Term](wrong, 2, 1)
				s.keep(2, snap)
			}},
		{"of another time", StateMachineSafety, 1, 2, "of another log time than that entry's", func(s *stage,
			wrong bool) {
			snap := s.took(3)
			snap.Time += is[raft.Time](wrong, 1, 0)
			s.keep(2, snap)
		}},
		{"an older one", Monotonicity, 2, 2, "the newest snapshot of n2 went back from 3/t1 to 1/t1",
			func(s *stage, wrong bool) {
				s.keep(2, s.took(2))
				s.keep(2, s.took(3))
				s.keep(2, s.took(is[raft.Index](wrong, 1, 2))) // an old one that is kept may come again
			}},
		{"different states", ReplicaEquality, 1, 3, "n1 and n3 have different states after entry 2/t1",
			func(s *stage, wrong bool) {
				s.imaged(s.next(), 1, s.took(2).Last, 7, "saves")
				s.imaged(s.next(), 3, s.took(2).Last, is[uint64](wrong, 8, 7), "saves")
			}},
		{"restored to another state", ReplicaEquality, 1, 3, "n1 and n3 have different states after",
			func(s *stage, wrong bool) {
				s.imaged(s.next(), 1, s.took(2).Last, 7, "saves")
				s.restored(s.next(), 3, s.took(2).Last, is[uint64](wrong, 8, 7))
			}},
		{"restored to what was before", Monotonicity, 2, 2, "the state machine of n2 went back from",
			func(s *stage, wrong bool) {
				s.apply(2, 1, 3)
				s.restored(s.next(), 2, s.took(is[raft.Index](wrong, 2, 3)).Last, 7)
			}},
	}
}

func behindCases() []ledgerCase {
	return []ledgerCase{
		{"a log given up", Durability, 4, 4, "n4 gave up its log behind 3/t1, and no durable",
			func(s *stage, wrong bool) {
				s.promise(4, raft.None, 1)
				s.keep(4, s.took(is[raft.Index](wrong, 2, 3)))
				s.write(4, replica.Write{Restart: s.took(3).Last})
			}},
		{"a log let go of", Durability, 2, 2, "n2 let go of its log up to entry 3, to which",
			func(s *stage, wrong bool) {
				s.keep(2, s.took(2))
				s.keep(2, s.took(3))
				s.write(2, replica.Write{Release: is[raft.Index](wrong, 3, 2)})
			}},
		{"installed and not durable", PromiseDurable, 4, 4, "n4 says that it has everything up to 3/t1",
			func(s *stage, wrong bool) {
				s.promise(4, raft.None, 1)
				s.hold(4, s.at(1).log[0])
				s.save(4, 1)
				if !wrong {
					s.keep(4, s.took(3))
				}
				s.post(4, 1, raft.InstallSnapshotResponse{Term: 1, Last: s.took(3).Last, Complete: true})
			}},
		{"a snapshot that is gone", Durability, 2, 2, "n2 does not find its snapshot up to 3/t1",
			func(s *stage, wrong bool) {
				s.keep(2, s.took(3))
				s.die(2, nil)
				found := recovered{Recovered: s.at(2).disk}
				found.Start++
				if !wrong {
					found.snapshots = []raft.Snapshot{s.took(3)}
				}
				s.started(s.next(), 2, found, false)
			}},
		{"a log in memory behind what is not committed", StateMachineSafety, 1, 2,
			"the log of n2 begins behind entry 4, which is not committed", func(s *stage, wrong bool) {
				s.append(1, 1)
				s.hold(2, s.at(1).log[3])
				a := s.at(2)
				a.before = is[raft.Index](wrong, 4, 3)
				log := a.log
				a.entries = func(after raft.Index) []raft.Entry { return log[max(after, a.before):] }
				s.hold(2, s.entry(4, 1))
				a.log = append(a.log, s.entry(5, 1))
				log = a.log
				s.see(2)
			}},
	}
}
