package sim

import (
	"fmt"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// settledWith is a stage on which every server holds a log of some length, all of it committed.
func settledWith(entries int) *stage {
	s := settled()
	a := s.at(1)
	for i := range entries {
		a.log = append(a.log, s.entry(raft.Index(4+i), 1))
	}
	s.see(1)
	s.save(1, 4)
	s.copyTo(1, 2, 3, 4, 5)
	s.commit(raft.Index(len(a.log)), 1, 2, 3, 4, 5)
	for i := range a.progress {
		a.progress[i].Match, a.progress[i].Next = raft.Index(len(a.log)), raft.Index(len(a.log)+1)
	}
	s.see(1)
	return s
}

// TestLedgerIsFrugal holds that a step in which nothing has changed allocates nothing, and shows the log only
// for an audit.
func TestLedgerIsFrugal(t *testing.T) {
	s := settledWith(100)
	for id := raft.NodeID(1); id <= 2; id++ { // the leader, and a follower
		a, m := s.at(id), s.next()
		a.asked = 0
		if n := testing.AllocsPerRun(10*auditEvery, func() { s.stepped(m, id, &a.sight) }); n != 0 {
			t.Errorf("a step of n%v allocates %v times", id, n)
		}
		if a.asked > 2*10 {
			t.Errorf("the log of n%v was shown %d times in %d steps", id, a.asked, 10*auditEvery)
		}
	}
	if v := s.violation(); v != nil {
		t.Fatal(v)
	}
}

func BenchmarkLedgerQuiet(b *testing.B) {
	s := settledWith(10_000)
	m := s.next()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := raft.NodeID(i%5 + 1)
		s.stepped(m, id, &s.at(id).sight)
	}
	if v := s.violation(); v != nil {
		b.Fatal(v)
	}
}

// BenchmarkLedgerEntry is what one command costs on five servers, from its append to its acknowledgement.
func BenchmarkLedgerEntry(b *testing.B) {
	s := settledWith(10)
	for id := raft.NodeID(1); id <= 5; id++ {
		s.apply(id, 1, raft.Index(len(s.at(id).log)))
	}
	i, result := raft.Index(len(s.at(1).log)), []byte("done")
	b.ReportAllocs()
	for b.Loop() {
		i++
		e := raft.Entry{Index: i, Term: 1, Kind: raft.Normal, Command: fmt.Appendf(nil, "put %d", i)}
		w := replica.Write{Entries: []raft.Entry{e}}
		for id := raft.NodeID(1); id <= 5; id++ {
			a := s.at(id)
			a.log = append(a.log, e)
			s.see(id)
			s.wrote(s.next(), id, &w)
			a.durable = i
			s.see(id)
			if id > 1 {
				s.post(id, 1, raft.AppendEntriesResponse{Term: 1, Match: i})
			}
		}
		s.commit(i, 1, 2, 3, 4, 5)
		for id := raft.NodeID(1); id <= 5; id++ {
			s.applies(s.next(), id, e, result)
			s.at(id).applied = i
			s.see(id)
		}
		s.acknowledged(s.next(), i, plainly(e.Command))
	}
	if v := s.violation(); v != nil {
		b.Fatal(v)
	}
}
