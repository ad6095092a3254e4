package raft

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestProposalsTogetherAreAsByThemselves: several proposals as one input come to the same log, answers and
// messages as one input for each, at a leader with room for some of them and at who does not lead.
func TestProposalsTogetherAreAsByThemselves(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	accepted, refused := 0, 0
	for range 300 {
		leads, room, all := dice.IntN(4) > 0, dice.IntN(20*entryOverhead), []Propose(nil)
		for n := dice.IntN(12); len(all) < n; {
			all = append(all, Propose{Ticket: Ticket(len(all) + 1), Kind: Kind(dice.IntN(2)) * Session,
				Command: make([]byte, dice.IntN(100))})
		}
		var outputs [2]Output
		for i := range outputs {
			c := newCore(t, Restored{})
			c.config.Events, c.config.Limits.UncommittedBytes = true, room
			if leads {
				leadNow(t, c)
			}
			c.Output()
			if i == 0 {
				c.Step(7, ProposeAll{Proposals: all})
			} else {
				for _, p := range all {
					c.Step(7, p)
				}
			}
			outputs[i] = c.Output()
			c.Audit()
		}
		together, alone := outputs[0], outputs[1]
		for _, a := range together.Answers {
			if a.Refusal == Accepted {
				accepted++
			} else {
				refused++
			}
		}
		if len(together.Answers) != len(all) || told(together) != told(alone) {
			t.Errorf("%d proposals, of which %d were told, have %d answers", len(all), told(together),
				len(together.Answers))
		}
		together.Events, alone.Events = nil, nil
		if !reflect.DeepEqual(together, alone) {
			t.Fatalf("%d proposals (leads: %v):\n%+v\none by one:\n%+v", len(all), leads, together, alone)
		}
	}
	if accepted < 300 || refused < 300 {
		t.Errorf("%d proposals were accepted, %d refused", accepted, refused)
	}
}

// told counts the entries that a leader has told of.
func told(o Output) (entries int) {
	for _, e := range o.Events {
		if a, is := e.(Appended); is {
			entries += a.New
		}
	}
	return entries
}
