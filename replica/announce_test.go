package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// afar has a company deliver only what is sent to where a server is.
func (c *company) afar(at map[raft.NodeID]string) {
	c.cut = func(from, to raft.NodeID) bool {
		for _, m := range c.server(from).Replica.routes {
			if m.ID == to {
				return m.Address != at[to]
			}
		}
		return true
	}
}

// A member without a vote that comes back elsewhere, untold, is found, and the configuration follows it. It
// moves nobody's term, speaks once in an election timeout, and is quiet as soon as it hears its leader.
func TestWhoMayNotCampaignSaysWhereItIs(t *testing.T) {
	c := gather(t, 3)
	c.settled()
	learner := found(4, 104, true)
	c.start(learner)
	c.must(adding(learner))
	c.follows(4)
	at := map[raft.NodeID]string{1: "server:1", 2: "server:2", 3: "server:3", 4: "elsewhere:4"}
	c.end(4)
	c.afar(at)
	term := c.leader().Status().Term
	learner.self.Address = "elsewhere:4"
	c.start(learner)
	said := 0
	c.seen = func(e raft.Envelope) {
		if m, is := e.Message.(raft.ForwardRead); is {
			if said++; e.From.Node != 4 || m.Leader != 0 {
				t.Errorf("server %v sends %+v", e.From.Node, m)
			}
		}
	}
	c.pass(40)
	if said == 0 || said > 2*3 {
		t.Errorf("it has said %d times where it is", said)
	}
	for _, b := range c.servers {
		m, _ := b.Members().Member(4)
		leader, now := b.Leader()
		if m.Address != "elsewhere:4" || leader == raft.None || now != term {
			t.Errorf("server %v has %+v, leader %v in term %v, not %v", b.id(), m, leader, now, term)
		}
	}
	before := said
	c.pass(100)
	if said != before {
		t.Errorf("it goes on to say where it is, although it hears its leader")
	}
}

// Alone it goes on, no more often than once in an election timeout, to each.
func TestWhereAServerIsIsSaidNotTooOften(t *testing.T) {
	c := gather(t, 3)
	c.settled()
	learner := found(4, 104, true)
	c.start(learner)
	c.must(adding(learner))
	c.follows(4)
	c.cut = func(from, to raft.NodeID) bool { return from == 4 || to == 4 }
	said := 0
	c.seen = func(e raft.Envelope) {
		if e.From.Node == 4 {
			said++
		}
	}
	c.pass(1000) // of which 5 to 10 are an election timeout
	if said < 3*1000/10-10 || said > 3*1000/5 {
		t.Errorf("%d messages to three servers in 1000 ticks", said)
	}
}

// One that joins may come back elsewhere before it has got the entry that adds it.
func TestWhoDoesNotKnowYetThatItWasAddedSaysWhereItIs(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	learner := found(4, 104, true)
	learner.log.entries = slices.Clone(c.volumeOf(l.id()).log.entries)
	learner.log.state.Term = l.core.Term()
	c.must(adding(learner))
	c.afar(map[raft.NodeID]string{1: "server:1", 2: "server:2", 3: "server:3", 4: "elsewhere:4"})
	learner.self.Address = "elsewhere:4"
	c.start(learner)
	c.pass(40)
	c.follows(4)
	if m, _ := c.leader().Members().Member(4); m.Address != "elsewhere:4" {
		t.Errorf("it is looked for at %q", m.Address)
	}
}

// So may one that takes the place of a member, and knows only that one yet.
func TestWhoTakesAPlaceAndDoesNotKnowItYetSaysWhereItIs(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	gone := l.id()%3 + 1
	next := found(gone, 1000, true)
	next.log.entries = slices.Clone(c.volumeOf(l.id()).log.entries)
	next.log.state.Term = l.core.Term()
	c.end(gone)
	c.must(raft.Change{Remove: []raft.NodeID{gone}})
	c.pass(20)
	c.must(adding(next))
	at := map[raft.NodeID]string{1: "server:1", 2: "server:2", 3: "server:3"}
	at[gone], next.self.Address = "elsewhere", "elsewhere"
	c.afar(at)
	b := c.start(next)
	if m, is := b.Members().Member(gone); !is || m.Incarnation == 1000 {
		t.Fatalf("it knows that it is %+v", m)
	}
	c.pass(40)
	c.follows(gone)
}

// It goes on to say so although a member has answered that it is none: one that has not got the entry either,
// or does not know yet that it is committed.
func TestWhoWasAddedMeanwhileIsNotSilenced(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	learner := found(4, 104, true)
	learner.log.entries = slices.Clone(c.volumeOf(l.id()).log.entries)
	learner.log.state.Term = l.core.Term()
	behind := l.id()%3 + 1
	c.cut = func(from, to raft.NodeID) bool { return to == behind || from == behind }
	c.must(adding(learner))
	learner.self.Address = "elsewhere:4"
	b := c.start(learner)
	c.cut = func(from, to raft.NodeID) bool {
		return from != 4 && from != behind || to != 4 && to != behind
	}
	c.pass(20)
	if why := refusedFor(b); !slices.Contains(why, raft.NotAMember) {
		t.Fatalf("server %v has told it %v", behind, why)
	}
	c.afar(map[raft.NodeID]string{1: "server:1", 2: "server:2", 3: "server:3", 4: "elsewhere:4"})
	c.pass(40)
	if m, _ := c.leader().Members().Member(4); m.Address != "elsewhere:4" {
		t.Errorf("it is looked for at %q", m.Address)
	}
}

// Whoever no configuration in force means has nobody to tell: one that joins, and one whose place another
// data directory has taken; one that was removed is told so when it asks, and asks no more.
func TestWhoIsNoMemberSaysNothing(t *testing.T) {
	c := gather(t, 3)
	c.settled()
	joiner := found(4, 104, true)
	c.start(joiner)
	quiet := func(what string) {
		t.Helper()
		c.seen = func(e raft.Envelope) {
			if _, is := e.Message.(raft.ForwardRead); is {
				t.Errorf("%s says where it is to %v", what, e.To)
			}
		}
		c.pass(50)
		c.seen = nil
	}
	quiet("one that joins")
	c.must(adding(joiner))
	c.follows(4)
	c.must(raft.Change{Remove: []raft.NodeID{4}})
	c.pass(20)
	c.start(joiner)
	c.pass(12)
	quiet("one that was removed")
	next := found(4, 1004, true)
	c.must(adding(next))
	c.start(next)
	c.follows(4)
	v := c.volumeOf(4)
	v.joins = true
	v.self.Incarnation = 104 // as if its log had come from there
	c.cut = func(from, to raft.NodeID) bool { return to == 4 }
	c.start(v)
	quiet("one in whose place another is")
}

// A voter that comes back elsewhere is found by a leader that it knows as a learner, and asks for no vote.
func TestAVoterThatMovesTellsThoseWithoutAVoteToo(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	learner := found(4, 104, true)
	c.start(learner)
	c.must(adding(learner))
	c.follows(4)
	moves := c.volumeOf(l.id()%3 + 1)
	c.end(moves.self.Node)
	c.promote(4)
	c.follows(4)
	c.leader().askTransfer(4)
	c.pass(20)
	if now := c.leader().id(); now != 4 {
		t.Fatalf("server %v leads", now)
	}
	at := map[raft.NodeID]string{1: "server:1", 2: "server:2", 3: "server:3", 4: "server:4"}
	at[moves.self.Node], moves.self.Address = "elsewhere", "elsewhere"
	c.afar(at)
	b := c.start(moves)
	if b.Members().Voter(4) {
		t.Fatal("it knows that server 4 votes")
	}
	c.pass(40)
	if m, _ := c.leader().Members().Member(b.id()); m.Address != "elsewhere" {
		t.Errorf("the leader looks for it at %q", m.Address)
	}
	c.follows(b.id())
}
