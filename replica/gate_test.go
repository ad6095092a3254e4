package replica

import (
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

// question is a request that every server answers at once, and that changes nothing in it.
func question(term raft.Term) raft.Message { return raft.PreVote{Term: term} }

// envelope is a message from server 2 to the first start of server 1, as change alters it.
func envelope(m raft.Message, change func(*raft.Envelope)) Received {
	e := raft.Envelope{From: identity(2), To: 1, Sequence: 41, Message: m}
	if raft.IsResponse(m) {
		e.Sequence |= lifeOf(identity(1))
	}
	change(&e)
	return Received{e}
}

func nobody(e *raft.Envelope) { e.From = raft.Identity{Node: e.From.Node} } // as a person writes it

func TestWhoMayNotSpeakIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		byHand bool
		change func(*raft.Envelope)
		want   raft.IdentityReason // 0: listened to
	}{
		{"a member", false, func(*raft.Envelope) {}, 0},
		{"another cluster", false, func(e *raft.Envelope) { e.From.Cluster[15]++ }, raft.OtherCluster},
		{"for another server", false, func(e *raft.Envelope) { e.To = 3 }, raft.OtherReceiver},
		{"for no server", false, func(e *raft.Envelope) { e.To = raft.None }, raft.OtherReceiver},
		{"our own id", false, func(e *raft.Envelope) { e.From.Node = 1 }, raft.SameID},
		{"our very identity", false, func(e *raft.Envelope) { e.From = identity(1) }, raft.SameID},
		{"another directory", false, func(e *raft.Envelope) { e.From.Incarnation++ }, raft.OtherIncarnation},
		{"an earlier start", false, func(e *raft.Envelope) { e.From.Start = 0 }, raft.OlderStart},
		{"a later start", false, func(e *raft.Envelope) { e.From.Start = 2 }, 0},
		{"a stranger of this cluster", false, func(e *raft.Envelope) { e.From = identity(9) },
			raft.NotAMember},
		{"nobody", false, nobody, raft.NoIdentity},
		{"a cluster without an incarnation", true, func(e *raft.Envelope) { e.From.Incarnation = 0 },
			raft.NoIdentity},
		{"by hand", true, nobody, 0},
		{"by hand, for another", true, func(e *raft.Envelope) { nobody(e); e.To = 3 }, raft.OtherReceiver},
		{"by hand, our own id", true, func(e *raft.Envelope) { nobody(e); e.From.Node = 1 }, raft.SameID},
		{"not quite by hand", true, func(e *raft.Envelope) { e.From.Cluster[0] = 9 }, raft.OtherCluster},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{}, func(config *Config) { config.ByHand = c.byHand })
			b.do(b.from(2, question(1))) // meets incarnation 102, start 1
			b.sent, b.events = nil, nil
			before := b.core.Digest()

			request := envelope(question(1), c.change)
			b.do(request)
			b.settle()
			checkGateAnswer(t, b, request.Envelope, c.want)
			checkGateReport(t, b, request.Envelope, c.want)

			b.sent = nil
			b.do(envelope(raft.AppendEntriesResponse{Term: 5, Match: 3}, c.change))
			forgot := c.want == raft.OtherIncarnation || c.want == raft.OlderStart
			if told := len(b.sent) == 1 && forgot; !told && len(b.sent) != 0 {
				t.Errorf("a response was answered by %+v", b.sent)
			}
			if b.core.Digest() != before && c.want != 0 {
				t.Error("what was refused changed the core")
			}
			if b.Status().Term == 0 && c.want == 0 {
				t.Error("what was not refused did not reach the core")
			}
		})
	}
}

// checkGateAnswer demands one answer that echoes the sequence: the core's, or a refusal with the reason.
func checkGateAnswer(t *testing.T, b *bench, request raft.Envelope, want raft.IdentityReason) {
	t.Helper()
	if len(b.sent) != 1 {
		t.Fatalf("answered by %+v", b.sent)
	}
	answer := b.sent[0]
	if answer.From != identity(1) || answer.To != request.From.Node || answer.Sequence != request.Sequence {
		t.Errorf("the answer %+v does not go back to %+v", answer, request)
	}
	refusal, refused := answer.Message.(raft.IdentityRefused)
	if refused != (want != 0) || refusal.Why != want {
		t.Errorf("answered %T %+v, want reason %d", answer.Message, answer.Message, want)
	}
}

func checkGateReport(t *testing.T, b *bench, request raft.Envelope, want raft.IdentityReason) {
	t.Helper()
	var told []PeerRefused
	for _, e := range b.events {
		if e, ok := e.(PeerRefused); ok {
			told = append(told, e)
		}
	}
	if want == 0 && len(told) > 0 {
		t.Errorf("told of trouble: %v", told)
	}
	if want != 0 && !slices.Equal(told, []PeerRefused{{Node: request.From.Node, Why: want}}) {
		t.Errorf("told of %v, want reason %d", told, want)
	}
}

// Incarnation and start in the course of time: what has been met decides about what comes.
func TestALaterStartSilencesTheEarlierOnes(t *testing.T) {
	b := hold(t, 3, &modelLog{}, func(c *Config) { c.ByHand, c.Peers = true, nil })
	for i, c := range []struct {
		incarnation raft.Incarnation
		start       uint64
		want        raft.IdentityReason
	}{
		{7, 5, 0}, {7, 5, 0}, {7, 4, raft.OlderStart}, {7, 6, 0}, {7, 5, raft.OlderStart},
		{8, 9, raft.OtherIncarnation}, {8, 1, raft.OtherIncarnation}, {0, 0, 0}, {7, 6, 0}, {7, 100, 0},
		{7, 99, raft.OlderStart},
	} {
		b.sent = nil
		b.do(envelope(question(1), func(e *raft.Envelope) {
			e.From.Incarnation, e.From.Start = c.incarnation, c.start
			if c.incarnation == 0 { // a message by hand, which is nobody's and teaches nothing
				nobody(e)
			}
		}))
		b.settle()
		refusal, _ := b.sent[0].Message.(raft.IdentityRefused)
		if refusal.Why != c.want {
			t.Errorf("%d: start %d of %d: reason %d, want %d", i, c.start, c.incarnation, refusal.Why, c.want)
		}
	}
	b.do(envelope(question(1), func(e *raft.Envelope) { e.From = identity(3) }))
	b.settle()
	want := []acquaintance{
		{raft.Acquaintance{Node: 2, Incarnation: 7, Start: 100}, true},
		{raft.Acquaintance{Node: 3, Incarnation: 103, Start: 1}, true},
	}
	if !slices.Equal(b.gate.met, want) {
		t.Errorf("remembers %v, want %v", b.gate.met, want)
	}
}

func TestStrangersCannotMakeTheMemoryGrow(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	for id := raft.NodeID(4); id < 1000; id++ {
		stranger := func(e *raft.Envelope) { e.From = identity(id) }
		b.do(envelope(question(1), stranger))
		b.do(envelope(question(1), func(e *raft.Envelope) { stranger(e); e.From.Cluster[0]++ }))
		b.do(envelope(question(1), func(e *raft.Envelope) { stranger(e); e.To = 3 }))
		b.do(envelope(raft.IdentityRefused{Why: raft.IdentityReason(id)}, stranger))
	}
	if len(b.gate.met) != 2 || len(b.gate.troubles) > maxTroubles {
		t.Errorf("remembers %d servers and %d troubles", len(b.gate.met), len(b.gate.troubles))
	}
	b.events = nil
	b.do(envelope(question(1), func(e *raft.Envelope) { e.From.Cluster[0]++ }))
	b.do(envelope(raft.IdentityRefused{Why: raft.SameID}, func(*raft.Envelope) {}))
	if len(b.events) != 2 {
		t.Errorf("told of %v: what strangers did hides the trouble with a member", b.events)
	}
}

func TestTroubleIsToldOnceAndAgainAfterItWasOver(t *testing.T) {
	wrong := envelope(question(1), func(e *raft.Envelope) { e.To = 3 })
	right := envelope(question(1), func(*raft.Envelope) {})
	answers := envelope(raft.PreVoteResponse{}, func(*raft.Envelope) {})
	complains := envelope(raft.IdentityRefused{Why: raft.OtherIncarnation}, func(*raft.Envelope) {})
	alsoComplains := envelope(raft.IdentityRefused{Why: raft.OlderStart}, func(*raft.Envelope) {})
	other := envelope(question(1), func(e *raft.Envelope) { e.From = identity(3); e.To = 2 })
	for _, c := range []struct {
		name   string
		events []Event
		want   int // how often trouble is told
	}{
		{"the same again and again", []Event{wrong, wrong, wrong}, 1},
		{"over and back", []Event{wrong, right, right, wrong, wrong}, 2},
		{"of two servers", []Event{wrong, other, wrong, other}, 2},
		{"another server's recovery", []Event{other, right, other}, 1},
		{"the peer does not listen", []Event{complains, complains}, 1},
		{"it does not listen but speaks", []Event{complains, right, complains, right, complains}, 1},
		{"it has listened meanwhile", []Event{complains, answers, complains}, 2},
		{"two reasons", []Event{complains, alsoComplains, complains}, 2},
		{"neither listens to the other", []Event{complains, wrong, complains, wrong}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &modelLog{state: raft.HardState{Term: 1}, entries: []raft.Entry{{Index: 1, Term: 1,
				Kind: raft.NoOp}}}
			b := hold(t, 3, log, func(config *Config) { config.Core.Events = false })
			b.do(c.events...)
			if len(b.events) != c.want {
				t.Errorf("told %d times, want %d: %v", len(b.events), c.want, b.events)
			}
			for _, m := range b.sent {
				if _, ok := m.Message.(raft.IdentityRefused); ok && m.Sequence != 41 {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

func TestTroubleIsTellableToAPerson(t *testing.T) {
	for _, c := range []struct {
		event PeerRefused
		says  []string
	}{
		{PeerRefused{Node: 2, Why: raft.OtherCluster}, []string{"does not listen to node 2", "--peers"}},
		{PeerRefused{Node: 3, Why: raft.SameID, ByPeer: true}, []string{"node 3 does not listen", "--id"}},
		{PeerRefused{Node: 3, Why: 200, ByPeer: true}, []string{"node 3", "reason 200"}},
	} {
		for _, word := range c.says {
			if got := c.event.String(); !strings.Contains(got, word) || strings.Contains(got, "\n") {
				t.Errorf("%q does not say %q in one line", got, word)
			}
		}
	}
}

// A vote that is refused at the door is no vote: the wiped disk of server 2 must not elect anybody.
func TestARefusedVoteElectsNobody(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, question(1)))
	for b.Status().Role != raft.PreCandidate {
		b.pass(1)
	}
	wiped := func(e *raft.Envelope) { e.From.Incarnation = 999 }
	b.do(envelope(raft.PreVoteResponse{Term: 1, Granted: true}, wiped))
	if got := b.Status().Role; got != raft.PreCandidate {
		t.Errorf("became %v by the word of a wiped disk", got)
	}
	b.do(envelope(raft.PreVoteResponse{Term: 1, Granted: true}, func(*raft.Envelope) {}))
	if got := b.Status().Role; got != raft.Candidate {
		t.Errorf("is a %v after the word of a member", got)
	}
}
