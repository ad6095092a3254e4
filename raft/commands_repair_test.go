package raft_test

import (
	"slices"
	"strconv"
	"testing"

	"balsa/raft"
)

// What the commands about repair do in transcripts.

func (in *interpreter) doDamage(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	keeps := 0
	if len(args) == 3 && args[1] == "keeping" {
		keeps, _ = strconv.Atoi(args[2])
	}
	s.disk.Entries = slices.Clip(s.disk.Entries[:keeps])
	s.disk.HardState, s.disk.Repairing = raft.HardState{}, true
	if keeps > 0 {
		s.disk.HardState.Term = s.disk.Entries[keeps-1].Term
	}
	in.start(s)
}

func (in *interpreter) doRepair(t *testing.T, args []string) {
	for _, s := range in.chosen(args) {
		if s.core == nil {
			continue
		}
		r := s.core.Status().Repair
		text := "counts"
		if r.On {
			text = "repairs itself, floor " + strconv.FormatUint(uint64(r.Floor), 10)
		}
		if len(r.Servers) > 0 {
			text += ", knows that "
			for i, id := range r.Servers {
				if i > 0 {
					text += " and "
				}
				text += id.String()
			}
			text += " repair"
		}
		if r.Halts {
			text += ": no quorum is left"
		}
		in.print("%v  %s", s.id, text)
	}
}
