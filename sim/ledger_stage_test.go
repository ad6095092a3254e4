package sim

import (
	"fmt"
	"slices"
	"strconv"

	"balsa/raft"
	"balsa/replica"
	"balsa/wal"
)

// stage plays histories to a ledger. Each server on it does what it is told: the tests decide what of that a
// correct one would do.
type stage struct {
	*ledger
	m     Moment
	cast  []actor // by id, from 1 on
	named map[raft.EntryID]raft.Entry
}

// actor is a server: what it has in memory, and what is on its disk.
type actor struct {
	sight
	log   []raft.Entry
	disk  wal.Recovered
	asked int // how often its log was shown
}

// membersOf is a cluster of so many voters.
func membersOf(nodes int) raft.Configuration {
	voters := map[raft.NodeID]string{}
	for id := range nodes {
		voters[raft.NodeID(id+1)] = fmt.Sprintf("n%d", id+1)
	}
	return raft.NewConfiguration(voters)
}

// newStage starts servers with empty disks.
func newStage(nodes int, limits raft.Limits) *stage {
	s := &stage{ledger: newLedger(nodes, membersOf(nodes), limits, replica.Limits{}),
		cast: make([]actor, nodes), named: map[raft.EntryID]raft.Entry{}}
	for id := raft.NodeID(1); int(id) <= nodes; id++ {
		s.at(id).entries = func(after raft.Index) []raft.Entry {
			a := s.at(id)
			a.asked++
			return a.log[min(int(after), len(a.log)):]
		}
		s.at(id).disk.Identity.Incarnation = raft.Incarnation(id)
		s.start(id)
	}
	return s
}

func (s *stage) at(id raft.NodeID) *actor { return &s.cast[id-1] }

// next is the moment of the next event.
func (s *stage) next() Moment {
	s.m.Position++
	s.m.Time += 1000
	return s.m
}

// entry makes the entry of an index and term: always the same one.
func (s *stage) entry(index raft.Index, term raft.Term) raft.Entry {
	id := raft.EntryID{Index: index, Term: term}
	if e, ok := s.named[id]; ok {
		return e
	}
	e := raft.Entry{Index: index, Term: term, Time: raft.Time(index), Kind: raft.Normal,
		Command: []byte("put " + id.String())}
	s.named[id] = e
	return e
}

// start starts a server with what is on its disk.
func (s *stage) start(id raft.NodeID) {
	a := s.at(id)
	a.disk.Start++
	s.started(s.next(), id, recovered{Recovered: a.disk}, false)
	a.sight = sight{entries: a.entries, term: a.disk.State.Term, vote: a.disk.State.Vote}
	a.log = slices.Clone(a.disk.Entries)
	a.durable = raft.Index(len(a.log))
	s.see(id)
}

// die ends a life; doubtful is under way.
func (s *stage) die(id raft.NodeID, doubtful *replica.Write) {
	s.died(s.next(), id, doubtful)
}

// restart has n2 die with a write under way, changes what is on its disk, and starts it.
func (s *stage) restart(doubtful *replica.Write, change func(a *actor)) {
	s.die(2, doubtful)
	change(s.at(2))
	s.start(2)
}

// see shows a server as it is.
func (s *stage) see(id raft.NodeID) {
	a := s.at(id)
	a.last = raft.EntryID{}
	if n := len(a.log); n > 0 {
		a.last = a.log[n-1].ID()
	}
	s.stepped(s.next(), id, &a.sight)
}

// hold puts entries into a log in memory, in place of everything from the first of them on, and shows that.
func (s *stage) hold(id raft.NodeID, entries ...raft.Entry) {
	a := s.at(id)
	from := entries[0].Index - 1
	a.log = append(slices.Clip(a.log[:from]), entries...)
	a.durable = min(a.durable, from)
	s.see(id)
}

// save makes a log durable, from an index on, and tells the server so.
func (s *stage) save(id raft.NodeID, from raft.Index) {
	a := s.at(id)
	s.write(id, replica.Write{Entries: a.log[from-1:]})
	a.durable = raft.Index(len(a.log))
	s.see(id)
}

// write makes a write durable.
func (s *stage) write(id raft.NodeID, w replica.Write) {
	if s.wrote(s.next(), id, &w); s.violation() == nil {
		s.put(id, w)
	}
}

// put puts a write on a disk without telling anybody.
func (s *stage) put(id raft.NodeID, w replica.Write) {
	d := &s.at(id).disk
	if w.State != nil {
		d.State = *w.State
	}
	if len(w.Entries) > 0 {
		d.Entries = append(slices.Clip(d.Entries[:w.Entries[0].Index-1]), w.Entries...)
	}
	d.Peers = merged(slices.Clone(d.Peers), w.Peers)
}

// promise has a server vote, in memory and on its disk.
func (s *stage) promise(id, candidate raft.NodeID, term raft.Term) {
	a := s.at(id)
	a.role, a.term, a.vote, a.leader = raft.Follower, term, candidate, raft.None
	s.see(id)
	s.write(id, replica.Write{State: &raft.HardState{Term: term, Vote: candidate}})
}

// vote has servers vote for one, which asks them.
func (s *stage) vote(candidate raft.NodeID, term raft.Term, voters ...raft.NodeID) {
	s.promise(candidate, candidate, term)
	s.post(candidate, raft.None, raft.RequestVote{Term: term})
	for _, id := range voters {
		s.promise(id, candidate, term)
		s.post(id, candidate, raft.RequestVoteResponse{Term: term, Granted: true})
	}
}

// elect has a server lead a term by the votes of some others, and follow it by them.
func (s *stage) elect(id raft.NodeID, term raft.Term, voters ...raft.NodeID) {
	s.vote(id, term, voters...)
	s.lead(id)
	for _, v := range voters {
		s.at(v).leader = id
		s.see(v)
	}
}

// lead has a server take itself for the leader of its term.
func (s *stage) lead(id raft.NodeID) {
	a := s.at(id)
	a.role, a.leader, a.progress = raft.Leader, id, nil
	for i := range s.cast {
		if to := raft.NodeID(i + 1); to != id {
			a.progress = append(a.progress, raft.Progress{ID: to, Next: raft.Index(len(a.log) + 1)})
		}
	}
	s.see(id)
}

// post hands out a message.
func (s *stage) post(from, to raft.NodeID, m raft.Message) {
	s.sends(s.next(), from, raft.Envelope{From: raft.Identity{Node: from}, To: to, Message: m})
}

// copyTo has servers hold the log of another one, durably, and acknowledge it.
func (s *stage) copyTo(leader raft.NodeID, ids ...raft.NodeID) {
	a := s.at(leader)
	for _, id := range ids {
		if s.at(id).disk.State.Term < a.term {
			s.promise(id, raft.None, a.term)
		}
		s.hold(id, a.log...)
		s.save(id, 1)
		s.post(id, leader, raft.AppendEntriesResponse{Term: a.term, Match: raft.Index(len(a.log))})
	}
}

// append has a leader append entries of its term to its log, and make them durable.
func (s *stage) append(leader raft.NodeID, count int) {
	a := s.at(leader)
	for range count {
		s.hold(leader, s.entry(raft.Index(len(a.log)+1), a.term))
		s.save(leader, raft.Index(len(a.log)))
	}
}

// commit has servers take entries for committed.
func (s *stage) commit(through raft.Index, ids ...raft.NodeID) {
	for _, id := range ids {
		s.at(id).commit = through
		s.see(id)
	}
}

// apply has a server apply entries.
func (s *stage) apply(id raft.NodeID, from, through raft.Index) {
	for i := from; i <= through; i++ {
		e := s.at(id).log[i-1]
		s.applies(s.next(), id, e, []byte("result "+strconv.Itoa(int(i))))
		s.at(id).applied = i
		s.see(id)
	}
}

// settled is a stage on which n1 leads term 1 and has three entries committed, on the disks of n1, n2 and n3.
func settled() *stage {
	s := newStage(5, raft.Limits{})
	s.elect(1, 1, 2, 3)
	s.append(1, 3)
	s.copyTo(1, 2, 3)
	s.commit(3, 1, 2, 3)
	return s
}
