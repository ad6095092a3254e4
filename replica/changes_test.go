package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

func (b *bench) askChange(change raft.Change) raft.Ticket {
	b.t.Helper()
	b.tickets++
	b.do(ChangeAsked{Ticket: b.tickets, Change: change})
	return b.tickets
}

func (b *bench) askTransfer(to raft.NodeID) raft.Ticket {
	b.t.Helper()
	b.tickets++
	b.do(TransferAsked{Ticket: b.tickets, To: to})
	return b.tickets
}

// chair makes server 1 the leader of term 2 behind a committed configuration, with all entries committed.
func chair(t *testing.T, log *modelLog) *bench {
	t.Helper()
	b := hold(t, 3, log, func(c *Config) { c.Identity.Version = 1 })
	b.learn(1, members(1, 2, 3))
	b.lead()
	b.acknowledge(2)
	b.acknowledge(3)
	b.settle()
	return b
}

var (
	removal  = raft.Change{Remove: []raft.NodeID{3}}
	learner  = raft.Member{ID: 4, Incarnation: 104, Address: "server:4"}
	addition = raft.Change{Add: []raft.Member{learner}}
)

func TestAChangeIsDoneWhenWhatItBeganIsCommitted(t *testing.T) {
	b := chair(t, &modelLog{})
	ticket := b.askChange(removal)
	b.settle()
	b.waits(ticket)
	joint := b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term, Match: 3})
	joint.Envelope.Sequence = b.lastAppend(2).Sequence
	b.do(joint)
	b.settle()
	b.waits(ticket)
	if got := b.Status(); got.Commit != 3 || got.Last.Index != 4 {
		t.Fatalf("the joint configuration is not committed: %+v", got)
	}
	b.acknowledge(2) // what follows it
	b.settle()
	last := b.Status().Last
	if a := b.answer(ticket); a.Fate != Done || a.Entry != last || last.Index != 4 {
		t.Errorf("answered %+v, the log ends in %v", a, last)
	}

	ticket = b.askChange(addition)
	b.acknowledge(2)
	b.settle()
	if a := b.answer(ticket); a.Fate != Done || a.Entry.Index != 5 {
		t.Errorf("answered %+v", a)
	}
}

func TestWhatIsAskedOfTheWrongServerOrAtTheWrongTimeIsRefused(t *testing.T) {
	fresh := hold(t, 3, &modelLog{})
	for _, ticket := range []raft.Ticket{fresh.askChange(removal), fresh.askTransfer(2)} {
		if a := fresh.answer(ticket); a.Fate != NotLeader {
			t.Errorf("who does not lead answers %+v", a)
		}
	}
	b := chair(t, &modelLog{})
	for _, c := range []struct {
		ticket raft.Ticket
		want   raft.Refusal
	}{
		{b.askChange(raft.Change{}), raft.NothingChanged},
		{b.askChange(raft.Change{Remove: []raft.NodeID{9}}), raft.UnknownMember},
		{b.askTransfer(1), raft.NoTarget},
		{b.askTransfer(9), raft.NoTarget},
	} {
		if a := b.answer(c.ticket); a.Fate != Rejected || a.Refusal != c.want {
			t.Errorf("%+v, want %v", a, c.want)
		}
	}
	open := b.askChange(addition)
	if a := b.answer(b.askChange(removal)); a.Fate != Rejected || a.Refusal != raft.ChangeOpen {
		t.Errorf("while a change is open: %+v", a)
	}
	b.waits(open)
}

// While it hands over a leader refuses everything for that one reason, which passes.
func TestALeaderThatHandsOverRefuses(t *testing.T) {
	b := chair(t, &modelLog{})
	transfer := b.askTransfer(2)
	b.waits(transfer)
	for _, ticket := range []raft.Ticket{b.propose("x"), b.askChange(addition), b.askTransfer(3)} {
		if a := b.answer(ticket); a.Fate != HandingOver || a.Refusal != raft.Transferring {
			t.Errorf("%+v", a)
		}
	}
	term := b.Status().Term
	b.do(b.from(3, raft.ForwardProposal{Leader: term, Start: 1, Number: 5, Command: []byte("x")}))
	last := b.sent[len(b.sent)-1].Message
	want := raft.ForwardProposalResponse{Leader: term, Start: 1, Number: 5, Refused: true, NotAccepted: true,
		HandingOver: true}
	if last != raft.Message(want) {
		t.Errorf("a forwarded command is answered %+v", last)
	}
	b.pass(5)
	if a := b.answer(transfer); a.Fate != Rejected || a.Refusal != raft.TransferExpired {
		t.Errorf("after a minimum election timeout: %+v", a)
	}

	b = chair(t, &modelLog{})
	transfer = b.askTransfer(2)
	b.do(b.from(2, raft.RequestVote{Term: term + 1, Last: b.Status().Last, Forced: true}))
	b.settle()
	b.waits(transfer)
	b.do(b.from(2, raft.AppendEntries{Term: term + 1, Prev: b.Status().Last}))
	if a := b.answer(transfer); a.Fate != Done {
		t.Errorf("when the next leader is heard: %+v", a)
	}
	if got := b.Status().Uncommitted; got != 0 || len(b.changes.asked) > 0 {
		t.Errorf("keeps %+v", b.changes.asked)
	}
}

// The origin of a forwarded command tells its caller that it was not applied, and why.
func TestAForwardedCommandIsRefusedBecauseTheLeaderHandsOver(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(3, raft.AppendEntries{Term: 1}))
	ticket := b.propose("x")
	answer := b.from(3, raft.ForwardProposalResponse{Leader: 1, Start: 1, Number: 1, Refused: true,
		NotAccepted: true, HandingOver: true})
	answer.Envelope.Sequence = b.sent[len(b.sent)-1].Sequence
	b.do(answer)
	if a := b.answer(ticket); a.Fate != HandingOver {
		t.Errorf("%+v", a)
	}
}

// Who loses its leadership cannot say what becomes of an entry that is not committed; what is committed in
// its place, it can.
func TestAChangeAndTheLossOfLeadership(t *testing.T) {
	deposed := func(b *bench) raft.Term {
		term := b.Status().Term + 1
		b.do(b.from(3, raft.RequestVote{Term: term, Forced: true}))
		return term
	}
	b := chair(t, &modelLog{})
	ticket := b.askChange(addition)
	deposed(b)
	if a := b.answer(ticket); a.Fate != LeadershipLost || a.Entry.Index != 3 {
		t.Errorf("deposed before it is committed: %+v", a)
	}

	b = chair(t, &modelLog{})
	ticket = b.askChange(removal)
	b.settle()
	late := b.lastAppend(2)
	term := b.Status().Term
	answer := b.from(2, raft.AppendEntriesResponse{Term: term, Match: 3, Round: 0})
	answer.Envelope.Sequence = late.Sequence
	b.do(answer)
	deposed(b)
	if a := b.answer(ticket); a.Fate != LeadershipLost || a.Entry != at(3, term) {
		t.Errorf("deposed while it is joint: %+v", a)
	}

	// All in one batch, before it was collected: deposed, overwritten, and that committed.
	b = chair(t, &modelLog{})
	ticket = b.askChange(addition)
	b.settle()
	term = b.Status().Term + 1
	b.Step(b.now, b.from(3, raft.AppendEntries{Term: term, Prev: at(2, term-1), Commit: 3,
		Entries: []raft.Entry{{Term: term, Index: 3, Kind: raft.NoOp}}}))
	b.collect()
	if a := b.answer(ticket); a.Fate != Replaced || a.Entry != at(3, term-1) {
		t.Errorf("overwritten: %+v", a)
	}
}

// When a snapshot has jumped over the entry, the term of what it ends with may still tell.
func TestASnapshotThatJumpsOverAChange(t *testing.T) {
	for _, c := range []struct {
		name string
		last raft.Term
		want Fate
	}{
		{"by an entry of the same leader", 2, Done},
		{"by an entry of a later one", 3, LeadershipLost},
	} {
		b := chair(t, &modelLog{})
		ticket := b.askChange(addition)
		b.settle()
		with := addition.Add[0]
		s := raft.Snapshot{Last: at(9, c.last), Members: members(1, 2, 3), MembersIndex: 3, Size: 10}
		s.Members.Members = append(s.Members.Members, with)
		s.Members.Learners = []raft.NodeID{4}
		b.Step(b.now, b.from(3, raft.RequestVote{Term: 4, Last: at(20, 3), Forced: true}))
		b.core.Output()
		b.core.Step(b.now, raft.Installed{Snapshot: s})
		b.collect()
		if a := b.answer(ticket); a.Fate != c.want {
			t.Errorf("%s: %+v", c.name, a)
		}
	}
}

func TestWhoeverGaveUpGetsNoAnswer(t *testing.T) {
	b := chair(t, &modelLog{})
	tickets := []raft.Ticket{b.askChange(addition)}
	b.do(GaveUp{tickets[0]})
	b.acknowledge(2)
	b.settle()
	tickets = append(tickets, b.askTransfer(2))
	b.do(GaveUp{tickets[1]})
	b.pass(10)
	b.lead()
	b.settle()
	for _, ticket := range tickets {
		b.waits(ticket)
	}
	if len(b.changes.asked) > 0 {
		t.Errorf("still keeps %+v", b.changes.asked)
	}
	if m, _ := b.Members().Member(4); m != learner {
		t.Error("a change that nobody waits for was taken back")
	}
}

// A server that stops answers everybody, and whoever comes later.
func TestAStopAnswersChangesAndTransfers(t *testing.T) {
	log := &modelLog{}
	b := chair(t, log)
	open, forgotten := b.askChange(addition), b.askTransfer(2)
	b.do(GaveUp{forgotten})
	log.fail = errGap
	b.write()
	a := b.answer(open)
	if _, known := a.Fate.Applied(); known || a.Fate != Stopped {
		t.Errorf("%+v", a)
	}
	b.waits(forgotten)
	for _, ticket := range []raft.Ticket{b.askChange(removal), b.askTransfer(3)} {
		if a := b.answer(ticket); a.Fate != Refused {
			t.Errorf("after its stop: %+v", a)
		}
	}
}

// The transport reaches the members, who leaves until it was told, and nobody else; where they say they are.
func TestTheTransportIsToldWhomToReach(t *testing.T) {
	b := chair(t, &modelLog{})
	ids := func() (ids []raft.NodeID) {
		for _, m := range b.routes[len(b.routes)-1].Members {
			ids = append(ids, m.ID)
		}
		return ids
	}
	demand := func(when string, want ...raft.NodeID) {
		t.Helper()
		if !slices.Equal(ids(), want) {
			t.Errorf("%s: %v, want %v", when, ids(), want)
		}
	}
	demand("at first", 2, 3)
	b.askChange(removal)
	b.acknowledge(2)
	b.acknowledge(2)
	b.settle()
	demand("while the removed one is yet to be told", 2, 3)
	b.pass(1)
	for range 30 { // server 3 is silent, server 2 is not
		b.do(b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term, Match: b.Status().Last.Index}))
		b.pass(1)
		b.settle()
	}
	if b.Status().Role != raft.Leader {
		t.Fatal("leads no more")
	}
	demand("when it is given up", 2)
	b.askChange(addition)
	demand("with one more", 2, 4)

	moved := b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term})
	moved.Envelope.From.Address = "elsewhere:2"
	b.do(moved)
	if got := b.routes[len(b.routes)-1].Members[0].Address; got != "elsewhere:2" {
		t.Errorf("server 2 is at %q", got)
	}
	n := len(b.routes)
	b.pass(1)
	if len(b.routes) > n {
		t.Error("said again without need")
	}
}
