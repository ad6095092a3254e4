package replica

import (
	"testing"

	"balsa/raft"
)

// A follower whose disk was wiped hears its leader and only ever answers. It must be told that its answers
// do not count, or it would call itself well for ever; and it must not be answered when it says that
// itself.
func TestAWipedFollowerIsToldThatItsAnswersDoNotCount(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, question(1)))
	b.sent = nil
	wiped := func(e *raft.Envelope) { e.From.Incarnation++ }
	b.do(envelope(raft.AppendEntriesResponse{Term: 1}, wiped))
	want := raft.IdentityRefused{Why: raft.OtherIncarnation}
	if len(b.sent) != 1 || b.sent[0].To != 2 || b.sent[0].Sequence != 0 || b.sent[0].Message != want {
		t.Errorf("it is told %+v", b.sent)
	}
	b.sent = nil
	b.do(envelope(raft.IdentityRefused{Why: raft.OtherIncarnation}, wiped))
	if len(b.sent) != 0 {
		t.Errorf("a refusal was answered by %+v: two servers could go on for ever", b.sent)
	}
}

// So is a learner that runs an older copy of its disk: it asks nobody for anything.
func TestAnOlderStartIsToldThatItsAnswersDoNotCount(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(envelope(question(1), func(e *raft.Envelope) { e.From.Start = 5 }))
	b.settle()
	b.sent = nil
	older := func(e *raft.Envelope) { e.From.Start = 4 }
	b.do(envelope(raft.AppendEntriesResponse{Term: 1}, older))
	want := raft.IdentityRefused{Why: raft.OlderStart}
	if len(b.sent) != 1 || b.sent[0].To != 2 || b.sent[0].Sequence != 0 || b.sent[0].Message != want {
		t.Errorf("it is told %+v", b.sent)
	}
}

// That a member does not listen holds as long as it goes on to say so; strangers say nothing.
func TestWhoDoesNotListenIsKnownForAWhile(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(
		Awake{},
		envelope(raft.IdentityRefused{Why: raft.OtherIncarnation}, func(*raft.Envelope) {}),
		envelope(raft.IdentityRefused{Why: raft.OtherIncarnation},
			func(e *raft.Envelope) { e.From.Node = 9 }),
	)
	if got := b.Shuns(2); got != raft.OtherIncarnation {
		t.Errorf("node 2 refuses with %v", got)
	}
	if b.Shuns(3) != 0 || b.Shuns(9) != 0 {
		t.Error("who said nothing, and who is no member, is believed to refuse")
	}
	b.gate.shuns[0].at -= b.config.Tick * raft.Time(2*b.config.Core.ElectionMax+2)
	if b.Shuns(2) != 0 {
		t.Error("it is still believed to refuse")
	}
}
