package replica

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"balsa/raft"
)

// The origin's half of forwarding. The tests play the leader, server 2.

// under makes the replica a follower of server 2 in term 1 that has applied one entry.
func under(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	b := hold(t, 3, &modelLog{}, change...)
	b.do(b.from(2, appends(1, 1, raft.EntryID{}, 1)))
	b.settle()
	b.do(b.from(2, appends(1, 1, entryAt(1, 1))))
	b.settle()
	if b.Applied() != 1 {
		t.Fatalf("applied %d", b.Applied())
	}
	return b
}

// messagesOf are those of one type that were sent, in order.
func messagesOf[M raft.Message](b *bench) (all []M) {
	for _, e := range b.sent {
		if m, is := e.Message.(M); is {
			all = append(all, m)
		}
	}
	return all
}

// placed is the leader's answer that a forwarded command stands at an entry.
func placed(m raft.ForwardProposal, at raft.EntryID) raft.ForwardProposalResponse {
	return raft.ForwardProposalResponse{Leader: m.Leader, Start: m.Start, Number: m.Number, Entry: at}
}

func refusedAs(m raft.ForwardProposal, notAccepted bool) raft.ForwardProposalResponse {
	return raft.ForwardProposalResponse{
		Leader: m.Leader, Start: m.Start, Number: m.Number, Refused: true, NotAccepted: notAccepted,
	}
}

// commits lets the leader of a term append entries after index 1, committed, and this server apply them.
func (b *bench) commits(leader raft.NodeID, term raft.Term, terms ...raft.Term) {
	b.t.Helper()
	last := raft.Index(1 + len(terms))
	b.do(b.from(leader, appends(term, last, entryAt(1, 1), terms...)))
	b.settle()
}

// forwardEnd is one way in which a forwarded command can end; the test has just sent it.
type forwardEnd struct {
	name string
	run  func(b *bench, m raft.ForwardProposal)
	want end
}

func forwardEnds() []forwardEnd {
	return []forwardEnd{
		{"placed and applied", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, entryAt(3, 1))))
			b.commits(2, 1, 1, 1, 1)
		}, end{Done, entryAt(3, 1), "#3 3/t1 3/t1"}},
		{"refused, because too much waits", func(b *bench, m raft.ForwardProposal) {
			refusal := refusedAs(m, true)
			refusal.Overloaded = true
			b.do(b.from(2, refusal))
		}, end{fate: Overloaded}},
		{"never arrived, and no late answer counts", func(b *bench, m raft.ForwardProposal) {
			for _, e := range b.sent {
				b.do(Returned{Envelope: e}) // the core's messages among them mean nothing to it
			}
			b.do(b.from(2, placed(m, entryAt(2, 1))))
		}, end{fate: NotLeader}},
		{"applied before the answer comes", func(b *bench, m raft.ForwardProposal) {
			b.commits(2, 1, 1, 1, 1)
			b.do(b.from(2, placed(m, entryAt(3, 1))))
		}, end{Done, entryAt(3, 1), "#3 3/t1 3/t1"}},
		{"placed, and applied under the next leader", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, entryAt(2, 1))))
			b.commits(3, 2, 1, 2)
		}, end{Done, entryAt(2, 1), "#2 2/t1 2/t1"}},
		{"replaced at its place", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, entryAt(2, 1))))
			b.commits(3, 2, 2)
		}, end{fate: Replaced, entry: entryAt(2, 1)}},
		{"replaced before its place", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, entryAt(9, 1))))
			b.commits(3, 2, 2)
		}, end{fate: Replaced, entry: entryAt(9, 1)}},
		{"replaced before the answer comes", func(b *bench, m raft.ForwardProposal) {
			b.commits(3, 2, 1, 2)
			b.do(b.from(2, placed(m, entryAt(9, 1))))
		}, end{fate: Replaced, entry: entryAt(9, 1)}},
		{"not accepted", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, refusedAs(m, true)))
		}, end{fate: NotLeader}},
		{"refused by one who does not know", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, refusedAs(m, false)))
		}, end{fate: Unanswered}},
		{"not answered", func(b *bench, m raft.ForwardProposal) {
			b.pass(20)
		}, end{fate: Unanswered}},
		{
			"placed where something else was applied before it was sent",
			func(b *bench, m raft.ForwardProposal) {
				b.commits(2, 1, 1)
				b.do(b.from(2, placed(m, entryAt(1, 1))))
			},
			end{fate: Unanswered, entry: entryAt(1, 1)},
		},
		{"placed nowhere", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, raft.EntryID{})))
		}, end{fate: Unanswered}},
		{"the log fails before the answer", func(b *bench, m raft.ForwardProposal) {
			b.do(Wrote{Err: errors.New("input/output error")})
		}, end{fate: Stopped}},
		{"the log fails after the answer", func(b *bench, m raft.ForwardProposal) {
			b.do(b.from(2, placed(m, entryAt(2, 1))), Wrote{Err: errors.New("input/output error")})
		}, end{fate: Stopped, entry: entryAt(2, 1)}},
	}
}

func TestEveryForwardEndsInItsFate(t *testing.T) {
	for _, c := range forwardEnds() {
		t.Run(c.name, func(t *testing.T) {
			b := under(t)
			ticket := b.propose("mine")
			sent := messagesOf[raft.ForwardProposal](b)
			if len(sent) != 1 || b.sent[len(b.sent)-1].To != 2 || string(sent[0].Command) != "mine" {
				t.Fatalf("sent %+v", sent)
			}
			b.waits(ticket)
			c.run(b, sent[0])
			a := b.answer(ticket)
			if got := (end{a.Fate, a.Entry, string(a.Result)}); got != c.want {
				t.Errorf("ended in %+v, want %+v", got, c.want)
			}
			b.do(b.from(2, placed(sent[0], entryAt(2, 1)))) // again, or late
			b.pass(50)
			b.answer(ticket) // still one
			if n := len(messagesOf[raft.ForwardProposal](b)); n != 1 {
				t.Errorf("the command was sent %d times", n)
			}
		})
	}
}

// A leader may need as long as an election to be heard again. Only then is it given up.
func TestAnAnswerIsWaitedForAsLongAsTwoElectionTimeouts(t *testing.T) {
	b := under(t)
	ticket := b.propose("mine")
	b.pass(19)
	b.waits(ticket)
	b.pass(1)
	if a := b.answer(ticket); a.Fate != Unanswered {
		t.Errorf("answered %+v", a)
	}
	placedInTime := b.propose("yours") // its leader has left, so it is refused, not sent
	if a := b.answer(placedInTime); a.Fate != NotLeader {
		t.Errorf("without a leader it answered %+v", a)
	}
}

// Once it is known where a command stands, its fate is decided by what is applied, however long that takes.
func TestAPlacedCommandIsNotGivenUp(t *testing.T) {
	b := under(t)
	ticket := b.propose("mine")
	b.do(b.from(2, placed(messagesOf[raft.ForwardProposal](b)[0], entryAt(2, 1))))
	b.pass(1000)
	b.waits(ticket)
	b.commits(2, 9, 1)
	if a := b.answer(ticket); a.Fate != Done {
		t.Errorf("answered %+v", a)
	}
}

// Whatever does not answer this very command, of this very start, says nothing about it.
func TestAnswersToOtherQuestionsSayNothing(t *testing.T) {
	for name, change := range map[string]func(*raft.ForwardProposalResponse){
		"an earlier start":  func(m *raft.ForwardProposalResponse) { m.Start-- },
		"a later start":     func(m *raft.ForwardProposalResponse) { m.Start++ },
		"another term":      func(m *raft.ForwardProposalResponse) { m.Leader++ },
		"another number":    func(m *raft.ForwardProposalResponse) { m.Number++ },
		"the number 0":      func(m *raft.ForwardProposalResponse) { m.Number = 0 },
		"the highest one":   func(m *raft.ForwardProposalResponse) { m.Number = math.MaxUint64 },
		"the highest start": func(m *raft.ForwardProposalResponse) { m.Start = math.MaxUint64 },
	} {
		t.Run(name, func(t *testing.T) {
			b := under(t, func(c *Config) { c.Identity.Start = 5 })
			ticket := b.propose("mine")
			m := messagesOf[raft.ForwardProposal](b)[0]
			for _, answer := range []raft.ForwardProposalResponse{
				refusedAs(m, true), refusedAs(m, false), placed(m, entryAt(2, 1)),
			} {
				change(&answer)
				b.do(b.from(2, answer))
			}
			b.commits(2, 1, 1)
			b.waits(ticket)
		})
	}
}

// The first word counts: a command that was placed is not refused afterwards by a repeated question's answer.
func TestASecondAnswerChangesNothing(t *testing.T) {
	b := under(t)
	ticket := b.propose("mine")
	m := messagesOf[raft.ForwardProposal](b)[0]
	b.do(b.from(2, placed(m, entryAt(3, 1))))
	b.do(b.from(2, refusedAs(m, true)), b.from(2, placed(m, entryAt(2, 1))))
	b.waits(ticket)
	b.commits(2, 1, 1, 1)
	if a := b.answer(ticket); a.Fate != Done || a.Entry != entryAt(3, 1) {
		t.Errorf("answered %+v", a)
	}
}

func TestALocalProposalIsNotForwarded(t *testing.T) {
	b := under(t)
	b.do(Proposed{Ticket: 9, Local: true})
	if a := b.answer(9); a.Fate != NotLeader || len(messagesOf[raft.ForwardProposal](b)) != 0 {
		t.Errorf("answered %+v, forwarded %d", a, len(messagesOf[raft.ForwardProposal](b)))
	}
}

func TestOpenForwardsAreBounded(t *testing.T) {
	b := under(t)
	var tickets []raft.Ticket
	for range maxForwarded + 10 {
		b.tickets++
		tickets = append(tickets, b.tickets)
		b.Step(b.now, Proposed{Ticket: b.tickets, Command: []byte("x")})
	}
	b.collect()
	if len(b.answers) != 10 || b.answer(tickets[maxForwarded]).Fate != Overloaded {
		t.Fatalf("%d of %d were answered, the first beyond the bound %+v", len(b.answers), len(tickets),
			b.answers[0])
	}
	b.pass(20)
	if len(b.answers) != len(tickets) || len(b.origin.open) != 0 {
		t.Errorf("%d of %d were answered in time", len(b.answers), len(tickets))
	}
	// The sequences of forwarded requests are apart from the core's, and none is used twice.
	seen := map[raft.Sequence]bool{}
	for _, e := range b.sent {
		if _, is := e.Message.(raft.ForwardProposal); is &&
			(seen[e.Sequence] || e.Sequence < forwardSequence) {
			t.Fatalf("sequence %d", e.Sequence)
		}
		seen[e.Sequence] = true
	}
}

// Results are kept for answers that are late: as long as somebody may need them, and no longer.
func TestResultsAreKeptSinceTheOldestOpenCommand(t *testing.T) {
	b := under(t)
	b.commits(2, 1, 1)
	if n := len(b.origin.kept.entries); n != 0 {
		t.Fatalf("%d results are kept, and nobody waits", n)
	}
	first := b.propose("first")
	b.commits(2, 1, 1, 1, 1) // 3 and 4
	second := b.propose("second")
	b.commits(2, 1, 1, 1, 1, 1) // 5
	m := messagesOf[raft.ForwardProposal](b)
	if n := len(b.origin.kept.entries); n != 3 {
		t.Errorf("%d results are kept for the first command, want 3", n)
	}
	b.do(b.from(2, placed(m[0], entryAt(4, 1))))
	if a := b.answer(first); string(a.Result) != "#4 4/t1 4/t1" {
		t.Errorf("the first got %+v", a)
	}
	if n := len(b.origin.kept.entries); n != 1 {
		t.Errorf("%d results are kept for the second command, want 1", n)
	}
	b.do(b.from(2, placed(m[1], entryAt(5, 1))))
	if a := b.answer(second); string(a.Result) != "#5 5/t1 5/t1" {
		t.Errorf("the second got %+v", a)
	}
	if n := len(b.origin.kept.entries); n != 0 {
		t.Errorf("%d results are kept, and nobody waits", n)
	}
}

func ranOf(first raft.Index, size int, terms ...raft.Term) Ran {
	ran := Ran{Entries: entriesOf(first, terms...)}
	for range terms {
		ran.Results = append(ran.Results, Result{Bytes: make([]byte, size)})
	}
	return ran
}

func TestResultsAreBoundedByCountAndByBytes(t *testing.T) {
	for _, c := range []struct {
		name    string
		results int
		size    int
		kept    int
	}{
		{"few", 10, 100, 10},
		{"too many", maxResults + 10, 1, maxResults},
		{"too large together", 20, 1 << 20, maxResultBytes >> 20},
		{"one alone too large", 1, maxResultBytes + 1, 1},
		{"the last alone too large", 5, maxResultBytes + 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var k results
			for i := range c.results {
				k.add(ranOf(raft.Index(11+i), c.size, 1))
				k.bound()
			}
			if len(k.entries) != c.kept || k.bytes != c.kept*c.size {
				t.Fatalf("%d results of %d bytes are kept, want %d", len(k.entries), k.bytes, c.kept)
			}
			first, last := raft.Index(11+c.results-c.kept), raft.Index(10+c.results)
			for index, want := range map[raft.Index]Fate{first - 1: Unanswered, first: Done, last: Done} {
				if a, known := k.judge(entryAt(index, 1)); !known || a.Fate != want {
					t.Errorf("of %d it says %+v, %v, want fate %d", index, a, known, want)
				}
			}
			if a, known := k.judge(entryAt(last+1, 1)); known {
				t.Errorf("of what comes later it says %+v", a)
			}
			if a, known := k.judge(entryAt(math.MaxUint64, 0)); !known || a.Fate != Replaced {
				t.Errorf("of an entry of an earlier term it says %+v", a)
			}
		})
	}
}

// Many commands of one origin are answered with one look at them, in whatever order the leader's answers
// came.
func TestManyForwardsEndInOneBatch(t *testing.T) {
	const many = 2000
	b := under(t)
	for range many {
		b.propose("x")
	}
	m := messagesOf[raft.ForwardProposal](b)
	slices.Reverse(m)
	for i, p := range m {
		b.do(b.from(2, placed(p, entryAt(raft.Index(2+i), 1))))
	}
	b.commits(2, 1, slices.Repeat([]raft.Term{1}, many)...)
	for ticket := range raft.Ticket(many) {
		id := entryAt(raft.Index(1+many-ticket), 1)
		if a := b.answer(ticket + 1); a.Fate != Done ||
			string(a.Result) != fmt.Sprintf("#%d %v %v", id.Index, id, id) {
			t.Fatalf("ticket %d got %+v, want the result of %v", ticket+1, a, id)
		}
	}
}
