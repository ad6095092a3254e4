package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// strangers makes a server that has met nobody.
func strangers(t *testing.T, log *modelLog) *bench {
	t.Helper()
	return hold(t, 3, log, func(c *Config) { c.Peers = log.peers })
}

// asks is a request of server 2 for a vote, in some life of it.
func asks(incarnation raft.Incarnation, start uint64, term raft.Term) Received {
	return envelope(raft.RequestVote{Term: term}, func(e *raft.Envelope) {
		e.From.Incarnation, e.From.Start = incarnation, start
	})
}

// votes are the votes that were given to server 2, refusals the reasons for which it was refused.
func (b *bench) votes() (terms []raft.Term) {
	for _, e := range b.sent {
		if m, ok := e.Message.(raft.RequestVoteResponse); ok && m.Granted {
			terms = append(terms, m.Term)
		}
	}
	return terms
}

func (b *bench) refusals() (why []raft.IdentityReason) {
	for _, e := range b.sent {
		if m, ok := e.Message.(raft.IdentityRefused); ok {
			why = append(why, m.Why)
		}
	}
	return why
}

// Nothing of a first message is acted upon before it is durable who sent it; one write serves that and
// whatever else is to be written.
func TestAFirstMessageWaitsForTheDisk(t *testing.T) {
	log := &modelLog{}
	b := strangers(t, log)
	before := b.core.Digest()
	b.do(asks(102, 1, 5))
	if b.core.Digest() != before || len(b.sent) > 0 {
		t.Fatalf("acted upon before it was durable: %+v", b.sent)
	}
	want := []raft.Acquaintance{{Node: 2, Incarnation: 102, Start: 1}}
	if len(b.writes) != 1 || b.writes[0].Number != 0 || !slices.Equal(b.writes[0].Peers, want) {
		t.Fatalf("writes %+v", b.writes)
	}
	b.do(b.from(3, question(1))) // while that write is under way: the next one will have it
	b.write()
	if b.Status().Vote != 2 || len(b.votes()) > 0 {
		t.Fatalf("voted for %v, sent %+v", b.Status().Vote, b.sent)
	}
	w := b.writes[0]
	if w.State == nil || len(w.Peers) != 1 || w.Peers[0].Node != 3 {
		t.Fatalf("the second write is %+v: it should have both the vote and server 3", w)
	}
	b.settle()
	if !slices.Equal(b.votes(), []raft.Term{5}) || len(log.peers) != 2 {
		t.Fatalf("voted in %v, the log has %v", b.votes(), log.peers)
	}
}

// The power goes between the first message and its record: nothing was promised to that disk, so another one
// may come. Had it got a vote, two disks under one id could count in two majorities.
func TestACrashBeforeTheRecord(t *testing.T) {
	log := &modelLog{}
	b := strangers(t, log)
	b.do(asks(102, 1, 5))
	if len(b.sent) > 0 {
		t.Fatalf("promised %+v before the crash", b.sent)
	}
	b = strangers(t, log)
	b.do(asks(999, 1, 5))
	b.settle()
	if !slices.Equal(b.votes(), []raft.Term{5}) {
		t.Fatalf("voted in %v", b.votes())
	}
	b.do(asks(102, 1, 6))
	if !slices.Equal(b.refusals(), []raft.IdentityReason{raft.OtherIncarnation}) || b.Status().Term != 5 {
		t.Fatalf("refused for %v, term %v", b.refusals(), b.Status().Term)
	}
}

// What was met is remembered by the next start.
func TestARestartRemembersWhomItMet(t *testing.T) {
	log := &modelLog{}
	b := strangers(t, log)
	b.do(asks(102, 7, 1))
	b.settle()
	for _, c := range []struct {
		name        string
		incarnation raft.Incarnation
		start       uint64
		want        []raft.IdentityReason
	}{
		{"a wiped disk", 999, 1, []raft.IdentityReason{raft.OtherIncarnation}},
		{"a wiped disk that was started often", 999, 100, []raft.IdentityReason{raft.OtherIncarnation}},
		{"a copy that was put back", 102, 6, []raft.IdentityReason{raft.OlderStart}},
		{"a copy from the latest start, which cannot be told", 102, 7, nil},
		{"a later start", 102, 8, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := strangers(t, &modelLog{peers: slices.Clone(log.peers)})
			b.do(asks(c.incarnation, c.start, 9))
			b.settle()
			if got := b.refusals(); !slices.Equal(got, c.want) {
				t.Errorf("refused for %v, want %v", got, c.want)
			}
			if voted := len(b.votes()) > 0; voted != (c.want == nil) {
				t.Errorf("voted: %v", voted)
			}
			b.do(envelope(raft.AppendEntriesResponse{Term: 50}, func(e *raft.Envelope) {
				e.From.Incarnation, e.From.Start = c.incarnation, c.start
			}))
			if moved := b.Status().Term == 50; moved != (c.want == nil) {
				t.Errorf("a response was heard: %v", moved)
			}
		})
	}
}

// Messages wait in the order in which they came, so many of each peer, and those of an earlier start than was
// met meanwhile are refused.
func TestHeldMessagesAreBoundedAndInOrder(t *testing.T) {
	b := strangers(t, &modelLog{})
	for term := range raft.Term(1000) {
		b.do(asks(102, 1, term+1))
	}
	b.do(b.from(3, question(1)))
	if len(b.gate.held) != maxHeld+1 {
		t.Fatalf("%d messages are held", len(b.gate.held))
	}
	b.write()
	if got := b.Status().Term; got != maxHeld {
		t.Errorf("term %v after messages of terms 1 to %d", got, maxHeld)
	}
	b.settle()
	if len(b.gate.held) != 0 {
		t.Errorf("%d messages are still held", len(b.gate.held))
	}

	b.sent = nil
	b.do(asks(102, 2, 100))
	b.do(asks(102, 3, 101)) // a later start, while the record of start 2 is being written
	b.write()
	if b.Status().Term >= 100 {
		t.Error("start 3 was heard before its record was durable, or start 2 after start 3 was met")
	}
	b.settle()
	if got := b.refusals(); b.Status().Term != 101 ||
		!slices.Equal(got, []raft.IdentityReason{raft.OlderStart}) {
		t.Errorf("term %v, refused for %v", b.Status().Term, got)
	}
}

// A failed write of a record ends the server like any other, and nothing that was held is acted upon.
func TestARecordThatCannotBeWritten(t *testing.T) {
	log := &modelLog{fail: errGap}
	b := strangers(t, log)
	b.do(asks(102, 1, 5))
	b.write()
	b.do(Awake{})
	if len(b.stops) != 1 || len(b.sent) > 0 || b.Status().Term != 0 {
		t.Errorf("stopped %v, sent %+v, term %v", b.stops, b.sent, b.Status().Term)
	}
}
