package replica

import (
	"errors"
	"math"
	"slices"
	"testing"

	"balsa/raft"
)

// The leader's half of forwarding. The tests play the origins, servers 2 and 3.

func forwardOf(leader raft.Term, number uint64, command string) raft.ForwardProposal {
	return raft.ForwardProposal{Leader: leader, Start: 1, Number: number, Command: []byte(command)}
}

// from2 is what server 2 forwards in its first start.
var from2 = foreign{node: 2, of: identity(2).Incarnation, start: 1}

// verdicts are the answers to forwarded commands that were sent since the last call.
func (b *bench) verdicts() []raft.ForwardProposalResponse {
	all := messagesOf[raft.ForwardProposalResponse](b)
	b.sent = nil
	return all
}

// commands are those in the log, apart from no-ops.
func (b *bench) commandsInLog() (all []string) {
	for _, e := range b.log.entries {
		if e.Kind == raft.Normal {
			all = append(all, string(e.Command))
		}
	}
	return all
}

// depose makes the replica follow server 3 in a later term.
func (b *bench) depose(term raft.Term) {
	b.t.Helper()
	b.do(b.from(3, appends(term, 0, raft.EntryID{})))
	b.settle()
}

func ruler(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	b := hold(t, 3, &modelLog{}, change...)
	b.lead()
	b.acknowledge(2)
	b.acknowledge(3)
	b.settle()
	b.sent = nil
	return b
}

func TestAForwardedCommandIsTakenOnceAndAnsweredAlike(t *testing.T) {
	b := ruler(t)
	m := forwardOf(1, 7, "x")
	for range 3 {
		b.do(b.from(2, m))
	}
	b.do(b.from(3, m)) // another origin's command of that number
	b.settle()
	got := b.verdicts()
	if len(got) != 4 || got[0] != placed(m, entryAt(2, 1)) || got[1] != got[0] || got[2] != got[0] ||
		got[3] != placed(m, entryAt(3, 1)) {
		t.Errorf("answers %+v", got)
	}
	if log := b.commandsInLog(); !slices.Equal(log, []string{"x", "x"}) {
		t.Errorf("the log holds %q", log)
	}
}

// Each answer echoes the sequence of the request that it answers, the repeated one's too: the transport
// pairs them.
func TestARepeatedCommandIsAnsweredUnderItsOwnSequence(t *testing.T) {
	b := ruler(t)
	var asked []raft.Sequence
	for range 2 {
		e := b.from(2, forwardOf(1, 7, "x"))
		asked = append(asked, e.Envelope.Sequence)
		b.do(e)
	}
	var got []raft.Sequence
	for _, e := range b.sent {
		if _, is := e.Message.(raft.ForwardProposalResponse); is && e.To == 2 {
			got = append(got, e.Sequence)
		}
	}
	if !slices.Equal(got, asked) {
		t.Errorf("asked under %v, answered under %v", asked, got)
	}
}

// Between the moment at which a command is put to the core and the one at which its answer is known, a second
// delivery is passed over.
func TestASecondDeliveryBeforeTheAnswerIsPassedOver(t *testing.T) {
	b := ruler(t)
	m := forwardOf(1, 7, "x")
	b.do(b.from(2, m), b.from(2, m), b.from(2, m))
	if got := b.verdicts(); len(got) != 1 || got[0] != placed(m, entryAt(2, 1)) {
		t.Errorf("answers %+v", got)
	}
	b.settle()
	if log := b.commandsInLog(); len(log) != 1 {
		t.Errorf("the log holds %q", log)
	}
}

// A refusal too is an answer: the origin told its caller that the command was not applied.
func TestARefusedCommandIsRefusedAgainAndNeverTaken(t *testing.T) {
	b := ruler(t, func(c *Config) { c.Core.Limits.UncommittedBytes = 100 })
	filler, m := b.propose(string(make([]byte, 90))), forwardOf(1, 7, "x")
	b.do(b.from(2, m))
	b.acknowledge(2)
	b.settle()
	if a := b.answer(filler); a.Fate != Done {
		t.Fatalf("the leader has room again, it answered %+v", a)
	}
	b.do(b.from(2, m))
	overloaded := refusedAs(m, true)
	overloaded.Overloaded = true
	if got := b.verdicts(); len(got) != 2 || got[0] != overloaded || got[1] != got[0] {
		t.Errorf("answers %+v", got)
	}
	b.depose(2)
	b.do(b.from(2, m))
	if got := b.verdicts(); len(got) != 1 || got[0] != overloaded {
		t.Errorf("after its reign it answers %+v", got)
	}
	if log := b.commandsInLog(); len(log) != 1 {
		t.Errorf("the log holds %q", log)
	}
	next := forwardOf(1, 8, "y")
	b.do(b.from(2, next))
	if got := b.verdicts(); len(got) != 1 || got[0] != refusedAs(next, true) {
		t.Errorf("a command that it never saw while it led is answered %+v", got)
	}
}

// Who leads another term, or none, refuses. Whether it may say that it never took the command is a matter
// of what it has seen.
func TestOnlyTheLeaderThatIsAddressedTakesACommand(t *testing.T) {
	for _, c := range []struct {
		name        string
		run         func(b *bench)
		leader      raft.Term
		notAccepted bool
	}{
		{"a leader, of an earlier term that another one led", func(b *bench) {
			b.depose(2)
			b.lead()
		}, 2, true},
		{"a leader, of a later term", func(b *bench) { b.lead() }, 2, false},
		{"a deposed leader, of its own term", func(b *bench) {
			b.lead()
			b.depose(2)
		}, 1, true},
		{"a follower, of an earlier term", func(b *bench) { b.depose(3) }, 2, true},
		{"a follower, of the present term", func(b *bench) { b.depose(3) }, 3, false},
		{"a follower, of a later term", func(b *bench) { b.depose(3) }, 4, false},
		{"a follower, of term 0", func(b *bench) { b.depose(3) }, 0, false},
		{"a follower, of the highest term", func(b *bench) { b.depose(3) }, math.MaxUint64, false},
		{"a leader that lost its quorum, of its term", func(b *bench) {
			b.lead()
			b.pass(5)
		}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{})
			c.run(b)
			b.sent = nil
			m := forwardOf(c.leader, 7, "x")
			b.do(b.from(2, m))
			b.settle()
			if got := b.verdicts(); len(got) != 1 || got[0] != refusedAs(m, c.notAccepted) {
				t.Errorf("answers %+v, want a refusal, not accepted: %v", got, c.notAccepted)
			}
			if log := b.commandsInLog(); len(log) != 0 {
				t.Errorf("the log holds %q", log)
			}
		})
	}
}

func TestADeposedLeaderSaysWhereItsCommandsStand(t *testing.T) {
	for name, end := range map[string]func(b *bench){
		"deposed by another one": func(b *bench) { b.depose(2) },
		"without a quorum":       func(b *bench) { b.pass(5) },
	} {
		t.Run(name, func(t *testing.T) {
			b := ruler(t)
			taken, late := forwardOf(1, 7, "x"), forwardOf(1, 8, "y")
			b.do(b.from(2, taken))
			end(b)
			b.sent = nil
			b.do(b.from(2, taken), b.from(2, late))
			if got := b.verdicts(); len(got) != 2 || got[0] != placed(taken, entryAt(2, 1)) ||
				got[1] != refusedAs(late, true) {
				t.Errorf("answers %+v", got)
			}
		})
	}
}

// Who has started in a term, or later, does not know what an earlier run of it took in that term.
func TestARestartedLeaderDeniesNothingOfItsEarlierRun(t *testing.T) {
	for leader, notAccepted := range map[raft.Term]bool{1: false, 4: false, 5: false, 6: true} {
		b := hold(t, 3, &modelLog{state: raft.HardState{Term: 5, Vote: 1}})
		b.depose(7)
		b.sent = nil
		m := forwardOf(leader, 7, "x")
		b.do(b.from(2, m))
		if got := b.verdicts(); len(got) != 1 || got[0] != refusedAs(m, notAccepted) {
			t.Errorf("of term %d, born in term 5, it answers %+v", leader, got)
		}
	}
}

// Lists are bounded. What was dropped from one may have been taken: of it nothing is denied, and nothing is
// taken again.
func TestForgottenNumbersAreMetWithSilence(t *testing.T) {
	b := ruler(t)
	b.do(b.from(2, forwardOf(1, 10, "x")))
	list := b.reign(1).list(from2)
	for i := range uint64(maxNumbers) {
		list.take(1000 + i)
	}
	if len(list.numbers) != maxNumbers || len(list.order) != maxNumbers {
		t.Fatalf("%d numbers are kept", len(list.numbers))
	}
	b.sent = nil
	for _, number := range []uint64{10, 9, 0} { // dropped; below it, and perhaps dropped as well
		b.do(b.from(2, forwardOf(1, number, "x")))
	}
	b.depose(2)
	b.do(b.from(2, forwardOf(1, 10, "x")), b.from(2, forwardOf(1, 9, "x")))
	if got := b.verdicts(); len(got) != 0 {
		t.Errorf("answers %+v", got)
	}
	fresh := forwardOf(1, 11, "x") // above everything that was dropped
	b.do(b.from(2, fresh))
	if got := b.verdicts(); len(got) != 1 || got[0] != refusedAs(fresh, true) {
		t.Errorf("what was never taken is answered %+v", got)
	}
}

// Numbers come in any order: the highest one that was dropped counts, not the last.
func TestTheFloorOfAListNeverFalls(t *testing.T) {
	list := taken{start: 1, numbers: map[uint64]verdict{}}
	list.take(math.MaxUint64)
	for i := range uint64(maxNumbers + 5) {
		list.take(i + 1)
	}
	for _, number := range []uint64{1, 5, maxNumbers + 5, math.MaxUint64, math.MaxUint64 - 1} {
		if _, met := list.recall(foreign{start: 1, number: number}); !met {
			t.Errorf("the number %d would be taken again", number)
		}
	}
}

func TestForgottenReignsDenyNothing(t *testing.T) {
	b := ruler(t)
	b.do(b.from(2, forwardOf(1, 7, "x"))) // which stands in the list of term 1
	for term := raft.Term(2); term <= 1+maxReigns; term++ {
		b.beginReign(term)
	}
	if len(b.reigns) != maxReigns {
		t.Fatalf("%d reigns are kept", len(b.reigns))
	}
	b.depose(9)
	b.sent = nil
	for leader, notAccepted := range map[raft.Term]bool{1: false, 2: true, 8: true} {
		m := forwardOf(leader, 7, "x")
		b.do(b.from(2, m))
		if got := b.verdicts(); len(got) != 1 || got[0] != refusedAs(m, notAccepted) {
			t.Errorf("of term %d it answers %+v", leader, got)
		}
	}
}

// An answer of the core for a reign that was dropped meanwhile must not begin that reign anew: it would be
// dropped again before younger ones, and what was forgotten would go back.
func TestAForgottenReignDoesNotReturn(t *testing.T) {
	b := ruler(t)
	b.Step(b.now, b.from(2, forwardOf(1, 7, "x")))
	for term := raft.Term(2); term <= 1+maxReigns; term++ {
		b.beginReign(term)
	}
	b.collect()
	if b.reign(1) != nil || b.forgotten != 1 || len(b.reigns) != maxReigns {
		t.Errorf("%d reigns, forgotten up to %d", len(b.reigns), b.forgotten)
	}
	if got := b.verdicts(); len(got) != 1 || got[0].Entry != entryAt(2, 1) {
		t.Errorf("answers %+v", got)
	}
}

// An origin that starts again counts from 1. Its numbers are not those of its earlier start, which can send
// no more.
func TestEachStartOfAnOriginHasItsOwnNumbers(t *testing.T) {
	b := ruler(t)
	first := forwardOf(1, 1, "before")
	b.do(b.from(2, first))
	again := forwardOf(1, 1, "after")
	again.Start = 2
	e := b.from(2, again)
	e.Envelope.From.Start = 2
	b.do(e)
	b.settle()             // its start is on record
	b.do(b.from(2, first)) // whose sender's start is over
	b.settle()
	var refused int
	for _, s := range b.sent {
		if m, is := s.Message.(raft.IdentityRefused); is && m.Why == raft.OlderStart {
			refused++
		}
	}
	if got := b.verdicts(); len(got) != 2 || got[0] != placed(first, entryAt(2, 1)) ||
		got[1] != placed(again, entryAt(3, 1)) || refused != 1 {
		t.Errorf("answers %+v, refused %d as an older start", got, refused)
	}
	if list := b.reign(1).list(from2); list.start != 2 {
		t.Errorf("a late look at start 1 brought back its list, of start %d", list.start)
	}
	if _, met := b.reign(1).list(from2).recall(foreign{start: 1, number: 5}); !met {
		t.Error("a number of the earlier start would be taken")
	}
}

// Nobody fills the lists but members, each for itself.
// A server whose disk was wiped and that joins again counts from the beginning: what its predecessor under
// that id has forwarded is not its own, and the predecessor's list stays as it is.
func TestEachDataDirectoryHasItsOwnNumbers(t *testing.T) {
	var g reign
	old := foreign{node: 2, of: 102, start: 1, number: 1}
	wiped := foreign{node: 2, of: 999, start: 1, number: 1}
	g.list(old).take(1)
	g.list(old).note(old, verdict{answered: true, entry: at(5, 1)})
	if v, met := g.list(wiped).recall(wiped); met {
		t.Errorf("the first command of a new data directory is answered with %v", v.entry)
	}
	g.list(wiped).take(1)
	if v, met := g.list(old).recall(old); !met || v.entry != at(5, 1) {
		t.Errorf("the old one's is recalled as %v, %v", v, met)
	}
}

func TestStrangersAreNotTakenFrom(t *testing.T) {
	b := ruler(t)
	for id := range raft.NodeID(100) {
		b.do(b.from(10+id, forwardOf(1, 7, "x")),
			b.from(10+id, raft.ForwardRead{Leader: 1, Start: 1, Number: 7}))
	}
	other := forwardOf(1, 7, "x")
	other.Start = 9
	b.do(b.from(2, other), b.from(2, raft.ForwardRead{Leader: 1, Start: 9, Number: 7}))
	if got := b.verdicts(); len(got) != 0 || len(b.reigns) != 0 || len(b.asked) != 0 {
		t.Errorf("answers %+v, %d reigns, %d asked", got, len(b.reigns), len(b.asked))
	}
	b.settle()
	if log := b.commandsInLog(); len(log) != 0 {
		t.Errorf("the log holds %q", log)
	}
}

// A hostile or broken member may number its commands as it likes: nothing breaks, and its later starts are
// heard.
func TestHugeNumbersBreakNothing(t *testing.T) {
	b := ruler(t)
	huge := forwardOf(1, math.MaxUint64, "x")
	huge.Start = math.MaxUint64
	e := b.from(2, huge)
	e.Envelope.From.Start = math.MaxUint64
	b.do(e, e)
	b.settle() // its start is on record
	b.do(b.from(3, forwardOf(1, math.MaxUint64, "y")), b.from(3, forwardOf(1, 0, "z")))
	b.settle()
	if got := b.verdicts(); len(got) != 2 {
		t.Errorf("answers %+v", got) // the number 0 is none: no origin begins there
	}
	if log := b.commandsInLog(); !slices.Equal(log, []string{"x", "y"}) {
		t.Errorf("the log holds %q", log)
	}
}

// A server that stops tells nobody elsewhere anything: what its disk has is unknown.
func TestAStoppedLeaderAnswersNoForward(t *testing.T) {
	b := ruler(t)
	b.do(b.from(2, forwardOf(1, 7, "x")), b.from(3, raft.ForwardRead{Leader: 1, Start: 1, Number: 1}),
		Wrote{Err: errors.New("input/output error")}, b.from(2, forwardOf(1, 8, "y")))
	if len(b.sent) != 0 || len(b.stops) != 1 {
		t.Errorf("sent %+v, stopped %d times", b.sent, len(b.stops))
	}
}

// The answers to a leader's own callers and to others' commands do not get into each other's way.
func TestOwnAndForeignCommandsAreToldApart(t *testing.T) {
	b := ruler(t)
	b.do(Proposed{Ticket: 1, Command: []byte("own")}, b.from(2, forwardOf(1, 1, "foreign")),
		Proposed{Ticket: 2, Command: []byte("own too")})
	b.acknowledge(2)
	b.settle()
	for ticket, want := range map[raft.Ticket]string{1: "#1 2/t1 own", 2: "#3 4/t1 own too"} {
		if a := b.answer(ticket); string(a.Result) != want {
			t.Errorf("ticket %d got %+v", ticket, a)
		}
	}
	if got := b.verdicts(); len(got) != 1 || got[0].Entry != entryAt(3, 1) || len(b.answers) != 2 {
		t.Errorf("the origin got %+v, callers %+v", got, b.answers)
	}
}
