package wal

import (
	"cmp"
	"fmt"
	"slices"

	"balsa/raft"
)

// peers is what the log says of the other servers that this one has met, by node. What Append accepts and
// what recovery accepts are judged by the same method, as with outline.
type peers []raft.Acquaintance

// accept takes news of some peers, by node, each at most once. A start number of one data directory never
// goes back: who believed the lower one would listen to a copy that was put back. Another directory under
// the same id is possible; whether it may speak is not for the log to say. An error says what is wrong;
// peers is then of no more use.
func (p *peers) accept(news []raft.Acquaintance) error {
	last := raft.None
	for _, n := range news {
		if n.Node <= last {
			return fmt.Errorf("peer %d comes after peer %d", n.Node, last)
		}
		last = n.Node
		at, known := slices.BinarySearchFunc(*p, n.Node, byNode)
		switch {
		case !known:
			*p = slices.Insert(*p, at, n)
		case (*p)[at].Incarnation == n.Incarnation && n.Start < (*p)[at].Start:
			return fmt.Errorf("the start number of peer %d goes back from %d to %d", n.Node, (*p)[at].Start,
				n.Start)
		default:
			(*p)[at] = n
		}
	}
	return nil
}

func byNode(a raft.Acquaintance, node raft.NodeID) int { return cmp.Compare(a.Node, node) }
