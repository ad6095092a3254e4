package replica

import (
	"errors"
	"math"
	"testing"

	"balsa/raft"
)

// beat lets a follower answer the newest heartbeat of the leader under test.
func (b *bench) beat(id raft.NodeID) {
	b.t.Helper()
	round := raft.Round(0)
	for _, m := range messagesOf[raft.AppendEntries](b) {
		round = max(round, m.Round)
	}
	b.do(b.from(id, raft.AppendEntriesResponse{Term: b.Status().Term, Round: round}))
}

func (b *bench) ask() raft.Ticket {
	b.t.Helper()
	b.tickets++
	b.do(Asked{Ticket: b.tickets})
	return b.tickets
}

func told(m raft.ForwardRead, index raft.Index) raft.ForwardReadResponse {
	return raft.ForwardReadResponse{
		Leader:  m.Leader,
		Start:   m.Start,
		Number:  m.Number,
		Index:   index,
		Refused: index == 0,
	}
}

func TestALeaderConfirmsItsOwnReads(t *testing.T) {
	b := ruler(t)
	b.propose("x")
	b.write()
	b.acknowledge(2)
	ticket := b.ask()
	b.settle() // x is applied, and still nobody has confirmed that this server leads
	b.waits(ticket)
	b.beat(2)
	if a := b.answer(ticket); a.Fate != Done || a.Entry.Index != 2 || b.Applied() != 2 {
		t.Errorf("answered %+v with %d applied", a, b.Applied())
	}
}

// The index is confirmed, and this server's machine is behind it.
func TestAConfirmedReadWaitsForTheMachine(t *testing.T) {
	b := ruler(t)
	b.propose("x")
	b.acknowledge(2)
	b.acknowledge(3)
	ticket := b.ask()
	b.beat(2)
	b.waits(ticket)
	b.settle()
	if a := b.answer(ticket); a.Fate != Done || a.Entry.Index != 2 {
		t.Errorf("answered %+v", a)
	}
}

// Each case asks server 1 and leads to the answer that its caller must get.
func TestEveryReadEndsInItsFate(t *testing.T) {
	stop := Wrote{Err: errors.New("input/output error")}
	answer := func(b *bench, index raft.Index) {
		reads := messagesOf[raft.ForwardRead](b)
		b.do(b.from(2, told(reads[len(reads)-1], index)))
	}
	for _, c := range []struct {
		name string
		at   func(t *testing.T, change ...func(*Config)) *bench
		run  func(b *bench)
		want Fate
	}{
		{"forwarded, and applied already", under, func(b *bench) { answer(b, 1) }, Done},
		{"forwarded, and applied later", under, func(b *bench) {
			answer(b, 3)
			b.waits(b.tickets)
			b.commits(2, 1, 1, 1)
		}, Done},
		{"forwarded and refused", under, func(b *bench) { answer(b, 0) }, NotLeader},
		{"forwarded and refused, because too much waits", under, func(b *bench) {
			reads := messagesOf[raft.ForwardRead](b)
			m := reads[len(reads)-1]
			b.do(b.from(2, raft.ForwardReadResponse{
				Leader: m.Leader, Start: m.Start, Number: m.Number, Refused: true, Overloaded: true,
			}))
		}, Overloaded},
		{"forwarded and never arrived", under, func(b *bench) {
			for _, e := range b.sent {
				b.do(Returned{Envelope: e})
			}
		}, NotLeader},
		{"forwarded and not answered", under, func(b *bench) {
			b.pass(19)
			b.waits(b.tickets)
			b.pass(1)
		}, Unanswered},
		{"forwarded, and the server stops", under, func(b *bench) { b.do(stop) }, Refused},
		{"told, and the server stops before it has applied", under, func(b *bench) {
			answer(b, 3)
			b.do(stop)
		}, Refused},
		{"at a leader that is deposed", ruler, func(b *bench) { b.depose(2) }, NotLeader},
		{"at a leader without a quorum", ruler, func(b *bench) { b.pass(5) }, NotLeader},
		{"at a leader that stops", ruler, func(b *bench) { b.do(stop) }, Refused},
		{"at a leader that stops when it has been confirmed", ruler, func(b *bench) {
			b.Step(b.now, b.from(2, raft.AppendEntriesResponse{Term: 1, Round: 2}))
			b.do(stop)
		}, Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.at(t)
			ticket := b.ask()
			b.waits(ticket)
			c.run(b)
			if a := b.answer(ticket); a.Fate != c.want {
				t.Errorf("answered %+v, want fate %d", a, c.want)
			}
			if reads := messagesOf[raft.ForwardRead](b); len(reads) > 0 {
				b.do(b.from(2, told(reads[0], 1)), b.from(2, told(reads[0], 0))) // again, or late
			}
			b.pass(50)
			b.answer(ticket) // still one
		})
	}
}

func TestAReadWithoutALeaderIsRefused(t *testing.T) {
	alone := hold(t, 3, &modelLog{})
	if a := alone.answer(alone.ask()); a.Fate != NotLeader {
		t.Errorf("without a leader: %+v", a)
	}
	b := under(t)
	b.do(Asked{Ticket: 9, Local: true})
	if a := b.answer(9); a.Fate != NotLeader || len(messagesOf[raft.ForwardRead](b)) != 0 {
		t.Errorf("a local read at a follower: %+v", a)
	}
}

// What does not answer this very question confirms nothing, however late it comes.
func TestAnswersToOtherReadsConfirmNothing(t *testing.T) {
	for name, change := range map[string]func(*raft.ForwardReadResponse){
		"an earlier start":  func(m *raft.ForwardReadResponse) { m.Start-- },
		"another term":      func(m *raft.ForwardReadResponse) { m.Leader-- },
		"an earlier number": func(m *raft.ForwardReadResponse) { m.Number-- },
		"the highest":       func(m *raft.ForwardReadResponse) { m.Number = math.MaxUint64 },
	} {
		t.Run(name, func(t *testing.T) {
			b := under(t, func(c *Config) { c.Identity.Start = 5 })
			answered := b.ask()
			b.do(b.from(2, told(messagesOf[raft.ForwardRead](b)[0], 1)))
			b.answer(answered)
			ticket := b.ask()
			m := told(messagesOf[raft.ForwardRead](b)[1], 1)
			change(&m)
			refusal := m
			refusal.Index, refusal.Refused = 0, true
			b.do(b.from(2, m), b.from(2, refusal))
			b.waits(ticket)
		})
	}
}

// Reads and commands of one origin are numbered together: an answer to one is none to the other.
func TestReadsAndCommandsShareNoNumber(t *testing.T) {
	b := under(t)
	command, read := b.propose("x"), b.ask()
	m, r := messagesOf[raft.ForwardProposal](b)[0], messagesOf[raft.ForwardRead](b)[0]
	if m.Number == r.Number {
		t.Fatalf("both have the number %d", m.Number)
	}
	b.do(b.from(2, raft.ForwardReadResponse{Leader: 1, Start: 1, Number: m.Number, Index: 1}),
		b.from(2, placed(raft.ForwardProposal{Leader: 1, Start: 1, Number: r.Number}, entryAt(2, 1))))
	b.waits(command)
	b.waits(read)
}

func TestForwardedReadsAreBounded(t *testing.T) {
	b := under(t)
	for range maxForwarded + 3 {
		b.tickets++
		b.Step(b.now, Asked{Ticket: b.tickets})
	}
	b.collect()
	if len(b.answers) != 3 || b.answer(b.tickets).Fate != Overloaded {
		t.Fatalf("%d were answered: %+v", len(b.answers), b.answers)
	}
	b.pass(20)
	if len(b.answers) != maxForwarded+3 {
		t.Errorf("%d of %d are answered in time", len(b.answers), maxForwarded+3)
	}
}

// A leader answers others' reads as its own, one answer for each question: a read changes nothing.
func TestALeaderConfirmsTheReadsOfOthers(t *testing.T) {
	b := ruler(t)
	ask := raft.ForwardRead{Leader: 1, Start: 1, Number: 4}
	b.do(b.from(2, ask), b.from(2, ask), b.from(3, ask))
	if got := messagesOf[raft.ForwardReadResponse](b); len(got) != 0 {
		t.Fatalf("answered %+v before anybody confirmed", got)
	}
	b.beat(3)
	if got := messagesOf[raft.ForwardReadResponse](b); len(got) != 3 || got[0] != told(ask, 1) ||
		got[1] != told(ask, 1) {
		t.Errorf("answered %+v", got)
	}
	if len(b.asked) != 0 {
		t.Errorf("%d questions are kept", len(b.asked))
	}
}

func TestOnlyTheLeaderThatIsAddressedConfirmsAForwardedRead(t *testing.T) {
	for name, c := range map[string]struct {
		leader raft.Term
		run    func(b *bench)
	}{
		"of an earlier term": {0, func(*bench) {}},
		"of a later term":    {2, func(*bench) {}},
		"deposed":            {1, func(b *bench) { b.depose(2) }},
		"without a quorum":   {1, func(b *bench) { b.pass(5) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []bool{true, false} { // the question comes before its end, or after it
				b := ruler(t)
				ask := raft.ForwardRead{Leader: c.leader, Start: 1, Number: 4}
				if before {
					b.do(b.from(2, ask))
				}
				c.run(b)
				if !before {
					b.do(b.from(2, ask))
				}
				if got := messagesOf[raft.ForwardReadResponse](b); len(got) != 1 || got[0] != told(ask, 0) {
					t.Errorf("answered %+v", got)
				}
			}
		})
	}
}

// Whoever knows the index of its own write reads it at any server, by waiting there.
func TestAnAwaitedIndexIsToldWhenItIsApplied(t *testing.T) {
	b := under(t)
	b.do(Awaited{Ticket: 1, Index: 0}, Awaited{Ticket: 2, Index: 1}, Awaited{Ticket: 3, Index: 3},
		Awaited{Ticket: 4, Index: 2}, Awaited{Ticket: 5, Index: math.MaxUint64})
	for _, ticket := range []raft.Ticket{1, 2} {
		if a := b.answer(ticket); a.Fate != Done {
			t.Errorf("what is applied already: %+v", a)
		}
	}
	b.waits(3)
	b.commits(2, 1, 1)
	b.answer(4)
	b.waits(3)
	b.commits(2, 1, 1, 1)
	if a := b.answer(3); a.Fate != Done || a.Entry.Index != 3 {
		t.Errorf("answered %+v", a)
	}
	b.waits(5)
	b.do(Wrote{Err: errors.New("input/output error")})
	if a := b.answer(5); a.Fate != Refused {
		t.Errorf("when the server stops: %+v", a)
	}
	b.do(Awaited{Ticket: 6, Index: 1}, Asked{Ticket: 7})
	if x, y := b.answer(6), b.answer(7); x.Fate != Refused || y.Fate != Refused {
		t.Errorf("after it has stopped: %+v, %+v", x, y)
	}
}

// What has been handed to the state machine is not applied yet.
func TestAReadWaitsForTheApplyInFlight(t *testing.T) {
	b := under(t)
	b.do(b.from(2, appends(1, 2, entryAt(1, 1), 1)))
	b.write()
	if len(b.applies) != 1 {
		t.Fatal("nothing is being applied")
	}
	b.do(Awaited{Ticket: 9, Index: 2})
	b.waits(9)
	b.apply()
	b.answer(9)
}

// Many reads are confirmed by one round, and each is answered.
func TestManyReadsAreAnsweredByOneRound(t *testing.T) {
	const many = 5000
	b := ruler(t)
	for range many {
		b.tickets++
		b.Step(b.now, Asked{Ticket: b.tickets})
	}
	b.collect()
	b.beat(2)
	if len(b.answers) != many || len(b.reads.own) != 0 {
		t.Errorf("%d of %d are answered, %d kept", len(b.answers), many, len(b.reads.own))
	}
}

// A caller may wait for an index that never comes. When it gives up nothing of it is kept, and the others
// wait on.
func TestAReadThatNobodyWaitsForIsForgotten(t *testing.T) {
	b := under(t)
	b.do(Awaited{Ticket: 7, Index: math.MaxUint64}, Awaited{Ticket: 8, Index: 2}, GaveUp{Ticket: 7})
	if n := len(b.reads.waiting); n != 1 {
		t.Fatalf("%d reads wait, want one", n)
	}
	b.commits(2, 1, 1)
	if a := b.answer(8); a.Fate != Done {
		t.Errorf("the other read ended as %+v", a)
	}
}
