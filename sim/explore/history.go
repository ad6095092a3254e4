package explore

import (
	"encoding/binary"
	"slices"

	"balsa/raft"
)

// history is what has happened that no server need remember: who led which term, and what was committed. It
// is part of a world, since what happens next is judged by it. Equal ones are one and have one number.
type history struct {
	leaders   []raft.NodeID // by term
	committed []fact        // by index, from 1
}

// fact is an entry that was committed.
type fact struct {
	prefix uint64 // hash of the log up to and including it
	in     raft.Term
}

// ledger numbers histories.
type ledger struct {
	all     []history
	numbers map[string]uint32 // only looked up
}

func (l *ledger) number(h history) uint32 {
	var b []byte
	for _, id := range h.leaders {
		b = binary.AppendUvarint(b, uint64(id))
	}
	for _, f := range h.committed {
		b = binary.LittleEndian.AppendUint64(append(b, 0xff), f.prefix)
		b = binary.AppendUvarint(b, uint64(f.in))
	}
	if n, known := l.numbers[string(b)]; known {
		return n
	}
	n := uint32(len(l.all))
	l.all = append(l.all, h)
	l.numbers[string(b)] = n
	return n
}

// leader returns who led a term, None if nobody did.
func (h *history) leader(t raft.Term) raft.NodeID {
	if int(t) < len(h.leaders) {
		return h.leaders[t]
	}
	return raft.None
}

// after returns the history that follows once a server is in a state. What contradicts it is left to the
// checks.
func (l *ledger) after(n uint32, s *server) uint32 {
	h := &l.all[n]
	leads := s.role == raft.Leader && h.leader(s.term) == raft.None
	learns := int(s.commit) > len(h.committed)
	if !leads && !learns {
		return n
	}
	next := history{leaders: slices.Clone(h.leaders), committed: slices.Clip(h.committed)}
	if leads {
		for int(s.term) >= len(next.leaders) {
			next.leaders = append(next.leaders, raft.None)
		}
		next.leaders[s.term] = s.id
	}
	for i := len(h.committed) + 1; i <= int(s.commit); i++ {
		next.committed = append(next.committed, fact{s.prefix[i], s.term})
	}
	return l.number(next)
}
