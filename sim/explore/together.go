package explore

import (
	"fmt"

	"balsa/raft"
)

// The properties of Figure 3 that no server can see alone, for one world. The changed server is held against
// the others and against what has happened.

func broken(property, format string, args ...any) *violation {
	return &violation{Property: property, Sentence: fmt.Sprintf(format, args...)}
}

// checkTogether returns what does not hold in a world.
func (e *explorer) checkTogether(w *world) *violation {
	h := &e.ledger.all[w.history]
	for i := range w.size {
		s := e.servers[w.servers[i]]
		if v := checkFacts(s, h); v != nil {
			return v
		}
		for j := range w.size {
			if other := e.servers[w.servers[j]]; j != i {
				if v := checkPair(s, other); v != nil {
					return v
				}
			}
		}
	}
	return e.checkDurable(w, h)
}

// checkFacts holds a server against what has happened.
func checkFacts(s *server, h *history) *violation {
	if s.role == raft.Leader && h.leader(s.term) != s.id {
		return broken("Election Safety", "%v leads term %d, which %v led before", s.id, s.term,
			h.leader(s.term))
	}
	if s.commit > 0 && s.prefix[s.commit] != h.committed[s.commit-1].prefix {
		return broken("State Machine Safety", "%v takes its log up to %v for committed, "+
			"and another one was committed up to there", s.id, s.log[s.commit-1].ID())
	}
	if s.role != raft.Leader {
		return nil
	}
	for i := len(h.committed); i > 0; i-- {
		if f := h.committed[i-1]; f.in < s.term {
			if i > len(s.log) || s.prefix[i] != f.prefix {
				return broken("Leader Completeness", "%v leads term %d without the entry at %d, "+
					"which was committed in term %d", s.id, s.term, i, f.in)
			}
			return nil
		}
	}
	return nil
}

// checkPair holds two servers against each other: Log Matching, and what a leader believes of a follower.
func checkPair(s, other *server) *violation {
	for i := min(len(s.log), len(other.log)); i > 0 && s.id < other.id; i-- {
		if s.log[i-1].Term == other.log[i-1].Term {
			if s.prefix[i] != other.prefix[i] {
				return broken("Log Matching", "%v and %v both hold %v, and differ up to there", s.id,
					other.id, s.log[i-1].ID())
			}
			break // equal here is equal before
		}
	}
	if s.role != raft.Leader || other.term > s.term {
		return nil
	}
	for _, p := range s.match {
		if p.ID != other.id {
			continue
		}
		if int(p.Match) > len(other.disk) || other.stored[p.Match] != s.prefix[p.Match] {
			return broken("Match is durable", "%v, leading term %d, believes its log to be durable at %v "+
				"up to %d, and it is not", s.id, s.term, other.id, p.Match)
		}
	}
	return nil
}

// checkDurable demands that what was committed is on the disks of a majority from then on.
func (e *explorer) checkDurable(w *world, h *history) *violation {
	last := len(h.committed)
	if last == 0 {
		return nil
	}
	have := 0
	for i := range w.size {
		s := e.servers[w.servers[i]]
		if last <= len(s.disk) && s.stored[last] == h.committed[last-1].prefix {
			have++
		}
	}
	if have <= w.size/2 {
		return broken("Durability", "the log was committed up to %d, and %d of %d disks have it", last, have,
			w.size)
	}
	return nil
}
