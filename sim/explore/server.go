package explore

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"

	"balsa/raft"
)

// server is one state of one server: its core, its disk, and what is between them. It is never changed: a
// step makes another one. Servers in equal states are one server, whatever world they stand in.
type server struct {
	id      raft.NodeID
	core    *raft.Core
	hard    raft.HardState // on disk
	disk    []raft.Entry
	writes  []write // handed out, not on disk
	applied raft.Index

	// What the checks look at, computed once.
	role   raft.Role
	term   raft.Term
	commit raft.Index
	log    []raft.Entry
	prefix []uint64 // prefix[i] is a hash of the first i entries of log
	stored []uint64 // the same of disk
	match  []raft.Progress
	like   uint64     // equal at servers that can do the same, if their pairings stand in the same order
	last   uint64     // the sequence given last
	paired []sequence // in a fixed order
}

// write is one write on its way to the disk.
type write struct {
	number  raft.Write
	hard    *raft.HardState
	entries []raft.Entry
}

// String says what a write carries.
func (w write) String() string {
	text := fmt.Sprintf("write %d", w.number)
	if w.hard != nil {
		text += fmt.Sprintf(", term %d and vote %v", w.hard.Term, w.hard.Vote)
	}
	for _, e := range w.entries {
		text += fmt.Sprintf(", entry %v", e.ID())
	}
	return text
}

// stored returns a disk with a write on it.
func (w write) onto(hard raft.HardState, disk []raft.Entry) (raft.HardState, []raft.Entry) {
	if w.hard != nil {
		hard = *w.hard
	}
	if len(w.entries) > 0 {
		disk = append(slices.Clip(disk[:w.entries[0].Index-1]), w.entries...)
	}
	return hard, disk
}

// copy returns a server that may be changed.
func (s *server) copy() *server {
	return &server{id: s.id, core: s.core.Clone(), hard: s.hard, disk: s.disk,
		writes: slices.Clone(s.writes), applied: s.applied}
}

// look computes what the checks look at.
func (s *server) look() {
	s.role, s.term, s.commit = s.core.Role(), s.core.Term(), s.core.Commit()
	s.log = s.core.EntriesAfter(0)
	s.prefix, s.stored = hashes(s.log), hashes(s.disk)
	if s.role == raft.Leader {
		s.match = s.core.Status().Progress
	}
	s.compare()
}

// hashes returns a hash for each prefix of a log, over all that an entry consists of.
func hashes(entries []raft.Entry) []uint64 {
	sums := []uint64{0}
	h := fnv.New64a()
	for _, e := range entries {
		putNumbers(h.Write, uint64(e.Term), uint64(e.Index), uint64(e.Time), uint64(e.Kind))
		_, _ = h.Write(e.Command)
		sums = append(sums, h.Sum64())
	}
	return sums
}

func putNumbers(write func([]byte) (int, error), numbers ...uint64) {
	var b [8]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], n)
		_, _ = write(b[:])
	}
}

// compare computes what servers are told apart by.
func (s *server) compare() {
	likeness := s.core.Likeness()
	h := fnv.New64a()
	putNumbers(h.Write, likeness.Digest, uint64(s.hard.Term), uint64(s.hard.Vote), uint64(len(s.disk)),
		s.stored[len(s.stored)-1], uint64(s.applied), uint64(len(s.writes)))
	for _, w := range s.writes {
		if w.hard != nil {
			putNumbers(h.Write, uint64(w.hard.Term), uint64(w.hard.Vote))
		}
		first := raft.Index(0)
		if len(w.entries) > 0 {
			first = w.entries[0].Index
		}
		entries := hashes(w.entries)
		putNumbers(h.Write, uint64(first), entries[len(entries)-1])
	}
	s.like, s.last = h.Sum64(), uint64(likeness.Last)
	for _, p := range likeness.Paired {
		s.paired = append(s.paired, pairing(p.Asked, p.Answers, p.Sequence))
	}
}

// digest tells states of servers apart by everything, the order of sequences apart.
func (s *server) digest() uint64 {
	h := fnv.New64a()
	putNumbers(h.Write, s.like, s.last)
	for _, q := range s.paired {
		putNumbers(h.Write, uint64(q))
	}
	return h.Sum64()
}
