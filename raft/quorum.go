package raft

import "slices"

// A decision takes a majority of the voters, and in a joint configuration a majority of both halves (§6).
// All arithmetic about majorities stands in this file, for one or two sets alike: counting anywhere else is
// how learners and removed servers came to count in other systems.

// HasQuorum reports whether the servers for which yes holds include a majority of the voters, of both
// halves when joint. An empty configuration has no quorum.
func (c Configuration) HasQuorum(yes func(NodeID) bool) bool {
	return majority(c.Voters, yes) && (len(c.Outgoing) == 0 || majority(c.Outgoing, yes))
}

// QuorumIndex returns the highest index that a quorum has reached, where reached tells how far one server is:
//
//	voters   1 ████████ 8
//	         2 █████ 5        ◀ two of three have at least 5
//	         3 ███ 3
func (c Configuration) QuorumIndex(reached func(NodeID) Index) Index {
	index := majorityIndex(c.Voters, reached)
	if len(c.Outgoing) > 0 {
		index = min(index, majorityIndex(c.Outgoing, reached))
	}
	return index
}

func majority(voters []NodeID, yes func(NodeID) bool) bool {
	count := 0
	for _, id := range voters {
		if yes(id) {
			count++
		}
	}
	return count > len(voters)/2
}

func majorityIndex(voters []NodeID, reached func(NodeID) Index) Index {
	if len(voters) == 0 {
		return 0
	}
	indexes := make([]Index, 0, 8) // on the stack for the usual sizes
	for _, id := range voters {
		indexes = append(indexes, reached(id))
	}
	slices.Sort(indexes)
	return indexes[(len(indexes)-1)/2] // a majority stands at this position or above
}
