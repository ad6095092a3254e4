package raft

import "testing"

// TestOvertakenEntriesAreNotSentTooOften: where messages overtake each other all the time, a follower rejects
// what has overtaken, and the leader sends anew. Each entry must not be sent as often as the window is wide;
// and once messages come in order again the window is as wide as before.
func TestOvertakenEntriesAreNotSentTooOften(t *testing.T) {
	const window, entries = 32, 400
	limits := Limits{Window: window, AppendBytes: 1}
	server := func(id NodeID) *Core {
		c, err := New(Config{ID: id, NoPreVote: true, Limits: limits}, Restored{Members: three()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	l, f := server(1), server(2)
	leadNow(t, l)
	sent, widest, swaps := 0, 0, true
	pass := func() { // what is on the way arrives, each second message before the first
		var mail []Letter
		out := l.Output()
		l.Step(0, Persisted{Write: out.Write})
		for _, letter := range append(out.Messages, l.Output().Messages...) {
			if m, is := letter.Message.(AppendEntries); is && letter.To == f.config.ID {
				mail = append(mail, letter)
				sent += min(len(m.Entries), 1)
			}
		}
		widest = max(widest, len(l.peer(f.config.ID).onTheWay))
		for i := 1; swaps && i < len(mail); i += 2 {
			mail[i-1], mail[i] = mail[i], mail[i-1]
		}
		for _, letter := range mail {
			f.Step(0, Receive{From: 1, Sequence: letter.Sequence, Message: letter.Message})
			out := f.Output()
			f.Step(0, Persisted{Write: out.Write})
			for _, answer := range append(out.Messages, f.Output().Messages...) {
				l.Step(0, Receive{From: f.config.ID, Sequence: answer.Sequence, Message: answer.Message})
			}
		}
	}
	for range entries {
		l.Step(0, Propose{Command: []byte("x")})
	}
	last := l.log.last().Index
	for round := 0; l.peer(f.config.ID).match < last && round < 50*entries; round++ {
		for range l.config.Heartbeat {
			l.Step(0, Tick{})
		}
		pass()
	}
	if match := l.peer(f.config.ID).match; match < last || sent > 6*entries {
		t.Errorf("%d messages brought %d of %d entries", sent, match, last)
	}
	widest, swaps = 0, false
	for range entries {
		l.Step(0, Propose{Command: []byte("x")})
	}
	for range 40 {
		pass()
	}
	if match := l.peer(f.config.ID).match; match < l.log.last().Index || widest != window {
		t.Errorf("in order %d of %d entries came, at most %d at once", match, l.log.last().Index, widest)
	}
}

// TestALateAnswerOfARepairForgetsNothing: an answer that a follower gave while it repaired itself comes after
// one by which it counts again. In a later start it may have lost what it held, and is believed.
func TestALateAnswerOfARepairForgetsNothing(t *testing.T) {
	l, err := New(Config{ID: 1, NoPreVote: true}, Restored{Members: three()})
	if err != nil {
		t.Fatal(err)
	}
	leadNow(t, l)
	last := l.log.last().Index
	hear := func(start uint64, m Message) {
		l.Step(0, Receive{From: 2, Start: start, Sequence: 1, Message: m})
	}
	counts := AppendEntriesResponse{Term: l.hard.Term, Round: l.leading.round, Match: last, Holds: last}
	repairs := counts
	repairs.Match, repairs.Holds, repairs.Repairing = 0, 0, true
	late := []Message{repairs, InstallSnapshotResponse{Term: l.hard.Term, Repairing: true}}
	hear(7, repairs)
	if p := l.peer(2); !p.repairs {
		t.Fatalf("one that repairs itself is taken for %+v", p)
	}
	hear(7, counts)
	for _, m := range late {
		hear(7, m)
		if p := l.peer(2); p.match != last || p.repairs {
			t.Errorf("after a late %T the leader takes it for %+v", m, p)
		}
	}
	for i, m := range late {
		hear(8+uint64(i), counts)
		hear(9+uint64(i), m)
		if p := l.peer(2); p.match != 0 || !p.repairs {
			t.Errorf("after a %T of a later start the leader takes it for %+v", m, p)
		}
	}
}
