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

// searchTime is how long, in nanoseconds of the real clock, a key may be searched. Only a run that is reported
// as failed meets it: what a run does never depends on it.
const searchTime = 10_000_000_000

// judge has porcupine search an order for a key.
func (h *history) judge(m Moment, k *keyHistory) {
	if k == nil || h.found != nil {
		return
	}
	ops := k.searchable()
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

// unexplained says which answer was the first that no order explains: what was answered up to then has none,
// and what was answered before has one.
func (h *history) unexplained(k *keyHistory, ops []*searched) {
	byAnswer := slices.Clone(ops)
	slices.SortFunc(byAnswer, func(a, b *searched) int { return cmp.Compare(a.returned, b.returned) })
	at := sort.Search(len(byAnswer)-1, func(n int) bool {
		return search(until(ops, byAnswer[n].returned)) == porcupine.Illegal
	})
	culprit, other := byAnswer[at], byAnswer[0]
	for _, s := range byAnswer[:at] {
		if s.op.Outcome == OK && s.returned < culprit.called && s.value != culprit.value {
			other = s // the last that was answered something else before the culprit was called
		}
	}
	h.report(Linearizability, fmt.Sprintf("no order of the %d operations on %s explains what %v was told: %s",
		len(ops), k.name, culprit.op, culprit.op.told()), answered(other.op), answered(culprit.op))
}

// until is the history as it was known at a moment: what had not been answered by then may have been done.
func until(ops []*searched, now int64) (known []*searched) {
	for _, s := range ops {
		cut := *s
		switch {
		case s.called > now:
			continue
		case s.returned > now && s.op.Kind == Get:
			continue
		case s.returned > now:
			cut.returned = never
		}
		known = append(known, &cut)
	}
	return known
}
