package replica

import (
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

// proposalEnd is one way in which a proposal can end: run leads to it.
type proposalEnd struct {
	name string
	run  func(b *bench) raft.Ticket
	want end
}

type end struct {
	fate   Fate
	entry  raft.EntryID
	result string
}

func entryAt(index raft.Index, term raft.Term) raft.EntryID {
	return raft.EntryID{Index: index, Term: term}
}

// plainEnds are those under one leader, or none.
func plainEnds() []proposalEnd {
	return []proposalEnd{
		{"committed and applied", func(b *bench) raft.Ticket {
			b.lead()
			b.acknowledge(2)
			b.settle()
			ticket := b.propose("a")
			b.acknowledge(3)
			b.settle()
			return ticket
		}, end{Done, entryAt(2, 1), "#1 2/t1 a"}},
		{"at a follower", func(b *bench) raft.Ticket { return b.propose("a") }, end{fate: NotLeader}},
		{"at a pre-candidate", func(b *bench) raft.Ticket {
			b.pass(11)
			return b.propose("a")
		}, end{fate: NotLeader}},
		{"at a candidate", func(b *bench) raft.Ticket {
			b.pass(11)
			b.do(b.from(2, raft.PreVoteResponse{Term: 1, Granted: true}))
			return b.propose("a")
		}, end{fate: NotLeader}},
		{"too much waits", func(b *bench) raft.Ticket {
			b.lead()
			return b.propose(string(make([]byte, 900)), "one too many, since no follower answers")
		}, end{fate: Overloaded}},
	}
}

// lostEnds are those of a leader that is deposed.
func lostEnds() []proposalEnd {
	return []proposalEnd{
		{"a higher term in a request", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, raft.RequestVote{Term: 2, Forced: true}))
			return ticket
		}, end{fate: LeadershipLost, entry: entryAt(2, 1)}},
		{"a higher term in a response", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, raft.AppendEntriesResponse{Term: 5, Rejected: true}))
			return ticket
		}, end{fate: LeadershipLost, entry: entryAt(2, 1)}},
		{"deposed right after it was taken", func(b *bench) raft.Ticket {
			b.lead()
			b.do(Proposed{Ticket: 9}, b.from(3, raft.RequestVote{Term: 2, Forced: true}))
			return 9
		}, end{fate: LeadershipLost, entry: entryAt(2, 1)}},
		{"deposed after it was committed", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.acknowledge(2)
			b.acknowledge(3)
			b.do(b.from(3, raft.RequestVote{Term: 2, Forced: true}))
			b.settle()
			return ticket
		}, end{Done, entryAt(2, 1), "#1 2/t1 a"}},
		{"deposed, then committed by the next leader in the same message", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.settle()
			own := b.log.entries
			b.do(b.from(3, raft.AppendEntries{Term: 2, Prev: entryAt(1, 1), Entries: own[1:2], Commit: 2}))
			b.settle()
			return ticket
		}, end{Done, entryAt(2, 1), "#1 2/t1 a"}},
		{"replaced by the next leader in one message", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, appends(2, 2, entryAt(1, 1), 2)))
			b.settle()
			return ticket
		}, end{fate: Replaced, entry: entryAt(2, 1)}},
		{"replaced, and nothing committed yet", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, appends(2, 1, entryAt(1, 1), 2)))
			return ticket
		}, end{fate: LeadershipLost, entry: entryAt(2, 1)}},
	}
}

// Each case leads to the answer that its caller must get.
func TestEveryProposalEndsInItsFate(t *testing.T) {
	for _, c := range slices.Concat(plainEnds(), lostEnds()) {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{}, func(config *Config) { config.Core.Limits.UncommittedBytes = 1000 })
			a := b.answer(c.run(b))
			if got := (end{a.Fate, a.Entry, string(a.Result)}); got != c.want {
				t.Errorf("ended in %+v, want %+v", got, c.want)
			}
			b.settle()
			b.answer(a.Ticket) // still one
		})
	}
}

// Callers of one term are answered in the order of their entries, each with the result of its own, also when
// another leader's entries stand between.
func TestEachCallerGetsTheResultOfItsOwnEntry(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead()
	var want []string
	for i := range 20 {
		b.propose(fmt.Sprint("command ", i))
		want = append(want, fmt.Sprintf("#%d %d/t1 command %d", i+1, i+2, i))
	}
	b.acknowledge(2)
	b.settle()
	var got []string
	for _, a := range b.answers {
		got = append(got, string(a.Result))
	}
	if !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
}

// A deposed leader that leads again must not take an entry of its own later term, at the index of an earlier
// proposal, for that proposal's end, nor the other way round.
func TestALeaderReturnsBetweenTwoProposals(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead() // term 1, no-op at 1
	old := []raft.Ticket{b.propose("a"), b.propose("b"), b.propose("c")}
	b.settle()
	b.do(b.from(3, appends(2, 0, raft.EntryID{Index: 1, Term: 1}, 2))) // replaces all three
	b.lead()                                                           // term 3, no-op at 3
	young := []raft.Ticket{b.propose("d"), b.propose("e")}             // at 4 and 5
	b.acknowledge(2)
	b.settle()
	for _, ticket := range old {
		if a := b.answer(ticket); a.Fate != LeadershipLost {
			t.Errorf("ticket %d of term 1 got %+v", ticket, a)
		}
	}
	for i, ticket := range young {
		want := fmt.Sprintf("#%d %d/t3 %s", i+2, i+4, []string{"d", "e"}[i])
		if a := b.answer(ticket); a.Fate != Done || string(a.Result) != want {
			t.Errorf("ticket %d of term 3 got %+v, want %q", ticket, a, want)
		}
	}
}

// LeadershipLost says that nothing is known, and that is all that can be said: the entry may come back.
func TestWhatWasGivenUpMayStillBeApplied(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead()
	ticket := b.propose("a")
	b.settle()
	b.do(
		b.from(2, raft.RequestVote{Term: 2, Forced: true, Last: raft.EntryID{Index: 2, Term: 1}}),
	) // who holds it too
	if a := b.answer(ticket); a.Fate != LeadershipLost {
		t.Fatalf("answered %+v", a)
	}
	b.settle()
	b.do(b.from(2, appends(2, 3, raft.EntryID{Index: 2, Term: 1}, 2)))
	b.settle()
	if got := b.machine.commands(); !slices.Equal(got, []string{"a", "3/t2"}) {
		t.Errorf("applied %q", got)
	}
	b.answer(ticket)
}
