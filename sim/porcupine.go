package sim

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// Porcupine looks for an order of the operations on one key that explains every answer. It believes no
// revision, so it finds what the main check cannot: an error in the revisions themselves, or in that check.
// The price is that a search may take time exponential in the operations that overlap. So keys are given up
// after some operations, and what cannot matter is left out (searchable).

// searchTime is how long, in nanoseconds of the real clock, a key may be searched. Only a run that is
// reported as failed meets it: what a run does never depends on it.
const searchTime = 10_000_000_000

// atOnce is how many operations on a key may overlap for it to be searched. With more of them a search may
// try millions of orders: the key is left to the main check, and counted as left.
const atOnce = 16

// judge has porcupine search an order for a key.
func (h *history) judge(m Moment, k *keyHistory) {
	if k == nil || h.found != nil {
		return
	}
	ops := k.searchable()
	if k.left || overlap(ops) > atOnce {
		h.tally.Left += uint64(len(ops))
		k.ops = nil
		return
	}
	h.tally.Keys++
	h.tally.Searched += uint64(len(ops))
	h.rule(m, k, ops, search(ops))
	k.ops = nil
}

// rule reports what the search came to, unless there is an order. Not to know is a failure: a check that may
// give up in silence is none.
func (h *history) rule(m Moment, k *keyHistory, ops []*searched, result porcupine.CheckResult) {
	switch result {
	case porcupine.Illegal:
		h.unexplained(k, ops)
	case porcupine.Unknown:
		h.report(Linearizability, fmt.Sprintf(
			"it was not found in time whether the %d operations on %s have an order", len(ops), k.name),
			Witness{Moment: m, Fact: "the search is given up"})
	}
}

// overlap is how many operations were under way at once, at most.
func overlap(ops []*searched) (most int) {
	type edge struct {
		at   int64
		step int
	}
	var edges []edge
	for _, s := range ops {
		edges = append(edges, edge{s.called, 1}, edge{s.returned, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.step, a.step))
	})
	now := 0
	for _, e := range edges {
		now += e.step
		most = max(most, now)
	}
	return most
}

// search says whether there is an order.
func search(ops []*searched) porcupine.CheckResult {
	list := make([]porcupine.Operation, len(ops))
	for i, s := range ops {
		list[i] = porcupine.Operation{Input: s, Call: s.called, Return: s.returned}
	}
	register := porcupine.Model{
		Init: func() any { return any(0) },
		Step: func(state, input, _ any) (bool, any) {
			s := input.(*searched)
			return s.op.Kind != Get || state == s.value, s.value
		},
	}
	return porcupine.CheckOperationsTimeout(register, list, searchTime)
}

// unexplained says which answer was the first that no order explains: with all reads up to it there is none,
// without it there was one.
func (h *history) unexplained(k *keyHistory, ops []*searched) {
	reads := slices.DeleteFunc(slices.Clone(ops), func(s *searched) bool { return s.op.Kind != Get })
	slices.SortFunc(reads, func(a, b *searched) int { return cmp.Compare(a.returned, b.returned) })
	culprit := reads[sort.Search(len(reads)-1, func(n int) bool {
		return search(until(ops, reads[n].returned)) == porcupine.Illegal
	})]
	before, latest := asked(culprit.op), int64(0)
	for _, s := range ops {
		// The last that was answered before the culprit was called, and that says something else.
		if s.returned < culprit.called && s.returned > latest && s.value != culprit.value {
			before, latest = answered(s.op), s.returned
		}
	}
	h.report(Linearizability, fmt.Sprintf("no order of the %d operations on %s explains what %v was told: %s",
		len(ops), k.name, culprit.op, culprit.op.told()), before, answered(culprit.op))
}

// until leaves out the reads that were answered later. What was written later explains none that are left.
func until(ops []*searched, now int64) []*searched {
	return slices.DeleteFunc(slices.Clone(ops), func(s *searched) bool {
		return s.op.Kind == Get && s.returned > now
	})
}
