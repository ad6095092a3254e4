package explore

import (
	"slices"

	"balsa/raft"
)

// A server numbers its requests from 1 on, over all peers, so the numbers depend on everything that it has
// ever sent. What it does depends on less: whether an answer is to this request or to a later one, among
// those to one peer. Worlds in which these sequences stand in the same order, pair by pair, are the same.

// sequence is a raft.Sequence together with the pair of servers between which it means something. It is 0 for
// none.
//
//	┌───────────┬──────────────┬──────────┐
//	│ asked 8   │ answers 8    │ sequence │
//	└───────────┴──────────────┴──────────┘
type sequence uint64

const sequenceBits = 48

func pairing(asked, answers raft.NodeID, s raft.Sequence) sequence {
	return sequence(asked)<<(sequenceBits+8) | sequence(answers)<<sequenceBits | sequence(s)
}

func (q sequence) pair() uint64   { return uint64(q >> sequenceBits) }
func (q sequence) asked() int     { return int(q >> (sequenceBits + 8)) }
func (q sequence) number() uint64 { return uint64(q & (1<<sequenceBits - 1)) }

// order is the sequences of one world, kept from one world to the next for its memory.
type order struct {
	sequences []sequence // sorted, each once
	ranks     []uint64   // of each, within its pair
	mail      []uint64
}

// arrange puts the sequences of a world in order and ranks them.
//
// A server that has restarted counts anew, so what it will send may bear a number that is under way already.
// Order is not enough then, and the numbers themselves stay.
func (o *order) arrange(e *explorer, w *world) {
	o.sequences = o.sequences[:0]
	for _, n := range w.servers[:w.size] {
		for _, q := range e.servers[n].paired {
			o.insert(q)
		}
	}
	for _, n := range w.mail {
		if q := e.post.letters[n].paired; q != 0 {
			o.insert(q)
		}
	}
	o.ranks = o.ranks[:0]
	for i := 0; i < len(o.sequences); {
		end, pair := i+1, o.sequences[i].pair()
		for end < len(o.sequences) && o.sequences[end].pair() == pair {
			end++
		}
		last := e.servers[w.servers[o.sequences[i].asked()-1]].last
		anew := o.sequences[end-1].number() > last || e.habits.plain
		for j := i; j < end; j++ {
			rank := uint64(j-i) + 1
			if anew {
				rank = 1<<32 | o.sequences[j].number()<<16 | last
			}
			o.ranks = append(o.ranks, rank)
		}
		i = end
	}
}

// insert keeps the sequences sorted; there are a dozen or two.
func (o *order) insert(q sequence) {
	at := len(o.sequences)
	for at > 0 && o.sequences[at-1] > q {
		at--
	}
	if at > 0 && o.sequences[at-1] == q {
		return
	}
	o.sequences = slices.Insert(o.sequences, at, q)
}

func (o *order) rank(q sequence) uint64 {
	for i := range o.sequences {
		if o.sequences[i] == q {
			return o.ranks[i]
		}
	}
	return 0
}

// hash tells worlds apart; it is never 0.
func (e *explorer) hash(w *world) uint64 {
	o := &e.order
	o.arrange(e, w)
	h := uint64(w.history)
	for _, n := range w.servers[:w.size] {
		s := e.servers[n]
		if h = mix(h, s.like); e.habits.plain {
			h = mix(h, uint64(n))
		}
		for _, q := range s.paired {
			h = mix(h, o.rank(q))
		}
	}
	for _, n := range w.used[duplicate:] {
		h = mix(h, uint64(n))
	}
	o.mail = o.mail[:0]
	for _, n := range w.mail {
		l := &e.post.letters[n]
		o.mail = append(o.mail, mix(uint64(l.like), o.rank(l.paired)))
	}
	slices.Sort(o.mail)
	for _, m := range o.mail {
		h = mix(h, m)
	}
	return h | 1
}
