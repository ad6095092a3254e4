package replica

import (
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

// ending is one way in which a proposal can end: what leads there, and what its caller is told.
type ending struct {
	name   string
	run    func(b *bench) raft.Ticket
	fate   Fate
	entry  raft.EntryID
	result string
}

func checkEndings(t *testing.T, endings []ending) {
	t.Helper()
	for _, c := range endings {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{}, func(config *Config) { config.Core.MaxUncommittedBytes = 1000 })
			a := b.answer(c.run(b))
			if a.Fate != c.fate || a.Entry != c.entry || string(a.Result) != c.result {
				t.Errorf("answered %+v, want %+v", a, c)
			}
			b.settle()
			b.answer(a.Ticket) // still one
		})
	}
}

func TestAProposalEndsAtTheEntranceOrWithItsResult(t *testing.T) {
	checkEndings(t, []ending{
		{"committed and applied", func(b *bench) raft.Ticket {
			b.lead()
			b.acknowledge(2)
			b.settle()
			ticket := b.propose("a")
			b.acknowledge(3)
			b.settle()
			return ticket
		}, Done, at(2, 1), "#1 2/t1 a"},
		{"a follower", func(b *bench) raft.Ticket { return b.propose("") }, NotLeader, raft.EntryID{}, ""},
		{"at a pre-candidate", func(b *bench) raft.Ticket {
			b.pass(11)
			return b.propose("a")
		}, NotLeader, raft.EntryID{}, ""},
		{"at a candidate", func(b *bench) raft.Ticket {
			b.pass(11)
			b.do(b.from(2, raft.PreVoteResponse{Term: 1, Granted: true}))
			return b.propose("a")
		}, NotLeader, raft.EntryID{}, ""},
		{"too much waits", func(b *bench) raft.Ticket {
			b.lead()
			return b.propose(string(make([]byte, 930)), "one too many for now")
		}, Overloaded, raft.EntryID{}, ""},
	})
}

func TestAProposalOfADeposedLeaderEndsInWhatIsKnownOfIt(t *testing.T) {
	checkEndings(t, []ending{
		{"a higher term in a request", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, raft.RequestVote{Term: 2}))
			return ticket
		}, LeadershipLost, at(2, 1), ""},
		{"a higher term in a response", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, raft.AppendEntriesResponse{Term: 5, Rejected: true}))
			return ticket
		}, LeadershipLost, at(2, 1), ""},
		{"deposed right after it was taken", func(b *bench) raft.Ticket {
			b.lead()
			b.do(Proposed{Ticket: 9}, b.from(3, raft.RequestVote{Term: 2}))
			return 9
		}, LeadershipLost, at(2, 1), ""},
		{"deposed after it was committed", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.acknowledge(2)
			b.acknowledge(3)
			b.do(b.from(3, raft.RequestVote{Term: 2}))
			b.settle()
			return ticket
		}, Done, at(2, 1), "#1 2/t1 a"},
		{"deposed, then committed by the next leader in the same message", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.settle()
			own := b.log.entries
			b.do(b.from(3, raft.AppendEntries{Term: 2, Prev: at(1, 1), Entries: own[1:2], Commit: 2}))
			b.settle()
			return ticket
		}, Done, at(2, 1), "#1 2/t1 a"},
		{"replaced by the next leader in one message", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, appends(2, 2, at(1, 1), 2)))
			b.settle()
			return ticket
		}, Replaced, at(2, 1), ""},
		{"replaced, and nothing committed yet", func(b *bench) raft.Ticket {
			b.lead()
			ticket := b.propose("a")
			b.do(b.from(3, appends(2, 1, at(1, 1), 2)))
			return ticket
		}, LeadershipLost, at(2, 1), ""},
	})
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
	b.do(b.from(2, raft.RequestVote{Term: 2, Last: raft.EntryID{Index: 2, Term: 1}})) // who holds it too
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
