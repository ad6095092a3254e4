package replica

import (
	"slices"

	"balsa/raft"
)

// slots hold what lives until it was not used for its time: sessions by their id, keys by themselves. Each
// lies in a slot as long as it lives; which one is no matter of the state, and no output rests on it.
type slots[N comparable, T lasting[N]] struct {
	held   []T // by slot; the zero value: free
	free   []int
	byName map[N]int
	ending queue // the one that ends first is the first
}

// lasting is a pointer to what may lie in a slot.
type lasting[N comparable] interface {
	name() N
	ends() raft.Time     // log time from which on it is gone
	lastUse() raft.Index // the entry that used it last, which used no other
}

func newSlots[N comparable, T lasting[N]]() *slots[N, T] {
	s := &slots[N, T]{byName: map[N]int{}}
	s.ending.before = func(a, b int) bool {
		if x, y := s.held[a].ends(), s.held[b].ends(); x != y {
			return x < y
		}
		return s.held[a].lastUse() < s.held[b].lastUse()
	}
	return s
}

func (s *slots[N, T]) count() int { return len(s.byName) }

// nextExpiry returns the log time at which the next one ends by itself, and whether there is one.
func (s *slots[N, T]) nextExpiry() (at raft.Time, any bool) {
	if slot, any := s.ending.first(); any {
		return s.held[slot].ends(), true
	}
	return 0, false
}

// over returns one that was not used for its time by now, the time of an entry, and whether there is one.
func (s *slots[N, T]) over(now raft.Time) (slot int, any bool) {
	at, any := s.nextExpiry()
	if !any || at > now {
		return 0, false
	}
	return s.ending.first()
}

func (s *slots[N, T]) take(x T) (slot int) {
	slot = len(s.held)
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
		s.held[slot] = x
	} else {
		s.held = append(s.held, x)
	}
	s.byName[x.name()] = slot
	s.ending.push(slot)
	return slot
}

// clear frees a slot, and returns what lay there.
func (s *slots[N, T]) clear(slot int) T {
	s.ending.remove(slot)
	x := s.held[slot]
	delete(s.byName, x.name())
	var nothing T
	s.held[slot], s.free = nothing, append(s.free, slot)
	return x
}

// now returns all that are there, with nil for free slots.
func (s *slots[N, T]) now() []T { return slices.Clone(s.held) }
