package replica

import (
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

// founders makes a company of three that have met and are named by no configuration yet.
func founders(t *testing.T) *company {
	c := gather(t, 3)
	for _, b := range c.servers { // as programs do that name nobody
		for i := range b.gate.heard {
			b.gate.heard[i].Version = 0
		}
	}
	old := func(config *Config) { config.Identity.Version, config.Core.Limits.Version = 0, 0 }
	for id := raft.NodeID(1); id <= 3; id++ {
		c.start(c.volumeOf(id), old)
	}
	c.serves()
	return c
}

// halted returns by whose word a server has told that it does not found the cluster.
func halted(b *bench) (by []raft.NodeID) {
	for _, e := range b.events {
		if e, is := e.(FoundingHalted); is {
			by = append(by, e.By)
		}
	}
	return by
}

// A majority that was wiped and is started as at the first time founds no empty cluster beside the survivor,
// in whatever order they come.
func TestAWipedMajorityFoundsNothingBesideTheSurvivor(t *testing.T) {
	for _, first := range []raft.NodeID{1, 2} {
		c := founders(t)
		survivor := c.volumeOf(3)
		c.pass(20)
		c.end(1)
		c.end(2)
		c.start(survivor)
		c.start(found(first, 1000, false))
		c.pass(40)
		c.start(found(3-first, 2000, false))
		c.pass(200)
		for _, b := range c.servers {
			if b.core.Role() == raft.Leader {
				t.Errorf("server %v leads in term %v with %v", b.id(), b.core.Term(), b.Status().Last)
			}
			if got := halted(b); b.id() == 3 && len(got) > 0 || b.id() != 3 && !slices.Equal(got,
				[]raft.NodeID{3}) {
				t.Errorf("server %v tells that it is halted by %v", b.id(), got)
			}
		}
	}
}

// One that was wiped hears the leader of those who go on, although it must not help to found anything; and
// when something is committed it is a follower as any.
func TestWhoIsHaltedFollows(t *testing.T) {
	c := founders(t)
	c.end(1)
	b := c.start(found(1, 1000, false))
	c.cut = func(from, to raft.NodeID) bool { return from == 2 || from == 1 && to == 2 }
	c.pass(30)
	if got := halted(b); len(got) == 0 {
		t.Fatal("it is not halted")
	}
	c.cut = nil
	heartbeat := b.from(3, raft.AppendEntries{Term: 90, Entries: []raft.Entry{{Index: 1, Term: 90,
		Kind: raft.NoOp}}, Commit: 1, Round: 1})
	heartbeat.Envelope.From = c.server(3).config.Identity
	b.do(heartbeat)
	b.settle()
	if b.core.Commit() != 1 || b.foundingHalted() {
		t.Errorf("commit %d, still halted: %v", b.core.Commit(), b.foundingHalted())
	}
}

// Whose word counts: that of a first member, of this cluster, about the data directory.
func TestWhoseWordHaltsAFounding(t *testing.T) {
	for _, c := range []struct {
		name   string
		why    raft.IdentityReason
		change func(*raft.Envelope)
		log    *modelLog
		want   bool
	}{
		{"a first member's", raft.OtherIncarnation, func(*raft.Envelope) {}, &modelLog{}, true},
		{"of another reason", raft.OlderStart, func(*raft.Envelope) {}, &modelLog{}, false},
		{"a stranger's", raft.OtherIncarnation, func(e *raft.Envelope) { e.From.Node = 9 },
			&modelLog{}, false},
		{"another cluster's", raft.OtherIncarnation, func(e *raft.Envelope) { e.From.Cluster[0]++ },
			&modelLog{}, false},
		{"to one that has a log", raft.OtherIncarnation, func(*raft.Envelope) {},
			&modelLog{entries: []raft.Entry{{Index: 1, Term: 1, Kind: raft.NoOp}},
				state: raft.HardState{Term: 1}}, false},
	} {
		b := hold(t, 3, c.log)
		b.do(envelope(raft.IdentityRefused{Why: c.why}, c.change))
		b.sent = nil
		b.do(b.from(3, question(1)))
		b.settle()
		for range 100 {
			b.pass(1)
		}
		asks := slices.ContainsFunc(b.sent, func(e raft.Envelope) bool { return asksForVote(e.Message) })
		votes := slices.ContainsFunc(b.sent, func(e raft.Envelope) bool {
			_, is := e.Message.(raft.PreVoteResponse)
			return is
		})
		if asks == c.want || votes == c.want || (len(halted(b)) == 1) != c.want {
			t.Errorf("%s: it asks for votes %v, answers %v, tells of %v", c.name, asks, votes, halted(b))
		}
	}
	if says := (FoundingHalted{By: 3}).String(); !strings.Contains(says, "balsa recover") ||
		!strings.Contains(says, "with empty data directories") || strings.Contains(says, "\n") {
		t.Error(says)
	}
}
