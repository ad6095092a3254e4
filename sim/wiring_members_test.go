package sim

import (
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// Lies that are told to administrators.

// administered is a run of three servers and two that stand by, without clients: whoever is answered is an
// administrator.
func administered(script ...Op) Spec {
	s := small(0, script...)
	s.Options.Spares = 2
	return s
}

var (
	demotion = Op{At: 1500 * Millisecond, Kind: Change, Text: "demote 2"}
	handover = Op{At: 1500 * Millisecond, Kind: Transfer}
)

// says makes servers that answer administrators otherwise than they would.
func says(lie func(*replica.Answer)) Parts {
	repeats := func(_ *liar, w replica.Work) []replica.Work {
		if a, is := w.(*replica.Answer); is {
			lie(a)
		}
		return []replica.Work{w}
	}
	return Parts{Server: func(c replica.Config, r raft.Restored) (Server, error) {
		s, err := replica.New(c, r)
		return &chatty{liar: liar{Server: s, config: c}, repeats: repeats}, err
	}}
}

// Without a lie nothing is found, and what was asked for is done.
func TestWiringOfAnHonestAdministration(t *testing.T) {
	for _, op := range []Op{demotion, handover} {
		var fates []replica.Fate
		w := world(t, administered(op), says(func(a *replica.Answer) { fates = append(fates, a.Fate) }))
		if v := w.Run().Violation; v != nil || len(fates) == 0 || fates[0] != replica.Done {
			t.Errorf("%v comes to %v, with the answers %v", op, v, fates)
		}
	}
}

// What an administrator is told is held against the log.
func TestWiringTold(t *testing.T) {
	refused := handover
	refused.Peer = 4 // which stands by
	for _, c := range []struct {
		op       Op
		lie      replica.Answer
		property Property
		sentence string
	}{
		{demotion, replica.Answer{Fate: replica.Done}, Durability, "that a change is done as entry 0"},
		{demotion, replica.Answer{Fate: replica.Rejected}, Linearizability, "that nothing has changed"},
		{demotion, replica.Answer{Fate: replica.Replaced}, Linearizability, "was replaced, in whose place"},
		{refused, replica.Answer{Fate: replica.Done}, Answered, "and nobody has led a later one"},
	} {
		finds(t, world(t, administered(c.op), says(func(a *replica.Answer) {
			c.lie.Ticket = a.Ticket
			*a = c.lie
		})), c.property, c.sentence)
	}
}

// A leader changes the membership when it is asked to. This one does so without.
func TestWiringOfAChangeWithoutACause(t *testing.T) {
	meddles := func(l *liar, now raft.Time) {
		if l.past(1500*Millisecond) && l.Status().Role == raft.Leader {
			l.step = nil
			l.Server.Step(now, replica.ChangeAsked{Ticket: 1, Change: raft.Change{Demote: []raft.NodeID{2}}})
		}
	}
	finds(t, world(t, administered(), Parts{Server: lying(nil, meddles, nil)}), Linearizability,
		"as nobody has asked it to")
}
