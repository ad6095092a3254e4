package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// adding is the change that adds the server of a data directory.
func adding(v *volume) raft.Change {
	return raft.Change{Add: []raft.Member{{ID: v.self.Node, Incarnation: v.self.Incarnation,
		Address: v.self.Address, API: v.self.API}}}
}

func (c *company) volumeOf(id raft.NodeID) *volume {
	b := c.server(id)
	return &volume{log: b.log, disk: b.disk, self: b.config.Identity}
}

// refusedFor returns for what reasons a server has been told that it is not listened to.
func refusedFor(b *bench) (why []raft.IdentityReason) {
	for _, e := range b.events {
		if e, is := e.(PeerRefused); is && e.ByPeer && !slices.Contains(why, e.Why) {
			why = append(why, e.Why)
		}
	}
	return why
}

// promote lets a learner catch up and gives it a vote.
func (c *company) promote(id raft.NodeID) {
	c.t.Helper()
	for range 20 {
		if a := c.change(raft.Change{Promote: []raft.NodeID{id}}); a.Fate == Done {
			return
		}
		c.pass(5)
	}
	c.t.Fatalf("server %v is not promoted", id)
}

// follows demands that a server has applied all that is committed.
func (c *company) follows(id raft.NodeID) {
	c.t.Helper()
	c.pass(20)
	l := c.leader()
	if b := c.server(id); b.Applied() != l.core.Commit() || b.Applied() == 0 {
		c.t.Fatalf("server %v has applied %d of %d: %+v", id, b.Applied(), l.core.Commit(), b.Status())
	}
}

// One that joins knows nobody, and learns all by being added; it may start again at any time meanwhile.
func TestAServerJoins(t *testing.T) {
	for founders := 1; founders <= 3; founders++ {
		for _, byLog := range []bool{true, false} {
			c := gather(t, founders)
			c.settled()
			if !byLog { // what it needs first is in the snapshots alone
				for _, b := range c.servers {
					b.config.Core.Limits.TrailingBytes = -1
				}
			}
			c.serves()
			joiner := found(4, 104, true)
			c.start(joiner)
			c.pass(30)
			b := c.start(joiner) // before it has learned anything
			if s := b.Status(); s.Term != 0 || s.Role != raft.Follower {
				t.Fatalf("before it was added: %+v", s)
			}
			c.must(adding(joiner))
			if !byLog {
				l := c.leader()
				l.do(TakeSnapshot{Ticket: 1 << 40})
				c.await(l, 1<<40)
			}
			c.start(joiner)
			c.follows(4)
			c.start(joiner) // and after
			c.follows(4)
			c.promote(4)
			c.serves()
			c.follows(4)
			b = c.server(4)
			if !b.Members().Voter(4) || b.config.Identity.Configuration == 0 || len(refusedFor(b)) > 0 {
				t.Errorf("of %d, by the log %v: names itself by %d, refused for %v, members %+v", founders,
					byLog, b.config.Identity.Configuration, refusedFor(b), b.Members())
			}
			if !slices.ContainsFunc(c.server(1).Replica.routes,
				func(m raft.Member) bool { return m.ID == 4 }) {
				t.Errorf("server 1 reaches %+v", c.server(1).Replica.routes)
			}
		}
	}
}

// A server that is removed is told, whoever it is; when it comes back with its old ways it disturbs nobody
// and is told again, and what it remembers to answer counts for nothing.
func TestARemovedServerIsToldAndDisturbsNobody(t *testing.T) {
	for _, leads := range []bool{false, true} {
		c := gather(t, 3)
		l := c.settled()
		leaves := l.id()
		if !leads {
			leaves = l.id()%3 + 1
		}
		before := c.volumeOf(leaves).clone() // it was down, and has heard nothing of it
		c.must(raft.Change{Remove: []raft.NodeID{leaves}})
		c.pass(50)
		left := c.server(leaves)
		if left.Members().Voter(leaves) {
			t.Errorf("leads %v: was not told of its removal: %+v", leads, left.Members())
		}
		c.serves()
		for _, b := range c.servers {
			if b.id() == leaves {
				continue
			}
			for _, m := range b.Replica.routes {
				if m.ID == leaves {
					t.Errorf("leads %v: server %v still reaches it", leads, b.id())
				}
			}
		}
		term := c.leader().Status().Term
		b := c.start(before)
		c.pass(20)
		for _, other := range c.servers { // as it would without pre-vote, and in every term
			for high := term; high < term+50; high += 7 {
				e := raft.Envelope{From: b.config.Identity, To: other.id(), Sequence: 9,
					Message: raft.RequestVote{Term: high, Last: at(100, high)}}
				if other != b && other.id() != leaves {
					other.do(Received{e})
				}
			}
		}
		c.pass(50)
		c.serves()
		if now := c.leader().Status().Term; now != term {
			t.Errorf("leads %v: term %d became %d", leads, term, now)
		}
	}
}

// Who was removed long ago, when a snapshot has overtaken that, is no member any more.
func TestWhoWasRemovedLongAgoIsNoMember(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	leaves := l.id()%3 + 1
	old := c.volumeOf(leaves).clone()
	c.end(leaves)
	c.must(raft.Change{Remove: []raft.NodeID{leaves}})
	c.serves()
	c.pass(30)
	for i, b := range c.servers {
		b.do(TakeSnapshot{Ticket: 1<<40 + raft.Ticket(i)})
		c.await(b, 1<<40+raft.Ticket(i))
	}
	c.pass(2)
	for _, b := range c.servers {
		if b.gate.said(leaves).Node != raft.None {
			t.Errorf("server %v remembers what one said who left", b.id())
		}
	}
	b := c.start(old)
	c.pass(40)
	if got := refusedFor(b); !slices.Equal(got, []raft.IdentityReason{raft.NotAMember}) {
		t.Errorf("it is told %v", got)
	}
	if b.Status().Role == raft.Leader {
		t.Error("it leads")
	}
	c.serves()
}

// A disk that was wiped is refused under its old id, started by its old command line or to join, by
// everybody, also by who has met nobody in that id; and member replace puts it in its place: it is removed,
// and added with the incarnation that it has now.
func TestAWipedServerIsReplaced(t *testing.T) {
	for _, founders := range []int{2, 3} {
		for _, joins := range []bool{false, true} {
			c := gather(t, founders)
			l := c.settled()
			wiped := l.id()%raft.NodeID(founders) + 1
			c.serves()
			fresh := found(wiped, 999, joins)
			b := c.start(fresh)
			for _, other := range c.servers {
				if other != b { // a start that has forgotten whom it met
					v := c.volumeOf(other.id())
					v.log.peers = nil
					c.start(v)
				}
			}
			votes := 0
			c.seen = func(e raft.Envelope) {
				if m, is := e.Message.(raft.RequestVoteResponse); is && m.Granted && e.To == wiped {
					votes++
				}
			}
			c.pass(100)
			if votes > 0 || b.Status().Role == raft.Leader || b.Status().Role == raft.Candidate {
				t.Errorf("%d, joins %v: gets %d votes, is a %v", founders, joins, votes, b.Status().Role)
			}
			if founders == 2 { // its answers must not make a quorum with the other
				if l := c.server(3 - wiped); l.core.Role() == raft.Leader {
					t.Error("leads by the answers of a wiped disk")
				}
				continue
			}
			if got := refusedFor(b); !slices.Contains(got, raft.OtherIncarnation) {
				t.Errorf("%d, joins %v: it is told %v", founders, joins, got)
			}
			c.serves()
			c.must(raft.Change{Remove: []raft.NodeID{wiped}})
			if !joins { // what it has done as a founder is not to be built upon
				fresh = found(wiped, 1000, true)
				c.start(fresh)
			}
			c.must(adding(fresh))
			c.follows(wiped)
			c.promote(wiped)
			c.end(c.leader().id()) // now it is needed
			c.serves()
			c.follows(wiped)
		}
	}
}

// A copy of a data directory that is started beside the original silences it, and both are told.
func TestOfACloneOnlyTheLaterStartIsHeard(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	id := l.id()%3 + 1
	original := c.server(id)
	clone := c.start(c.volumeOf(id).clone())
	c.pass(20)
	c.servers = append(c.servers, original) // found first by nobody: only what it sends matters
	original.now = c.now
	for range 60 {
		c.pass(1)
		if original.Status().Role == raft.Leader {
			t.Fatal("the original leads")
		}
	}
	told := false
	for _, b := range c.servers[:3] {
		for _, e := range b.events {
			if e, is := e.(PeerRefused); is && !e.ByPeer && e.Node == id && e.Why == raft.OlderStart {
				told = true
			}
		}
	}
	if !told || clone.Status().Leader == raft.None {
		t.Errorf("told: %v, the clone follows %v", told, clone.Status().Leader)
	}
	c.serves()
}

// One whose place was taken is not heard by a server that has just started either, and knows nothing to be
// committed yet: the log tells that the configuration that took it out is.
func TestWhosePlaceWasTakenIsNotHeardAfterARestart(t *testing.T) {
	c := gather(t, 3)
	l := c.settled()
	id := l.id()%3 + 1
	old := c.server(id).config.Identity
	c.end(id)
	c.must(raft.Change{Remove: []raft.NodeID{id}})
	fresh := found(id, 999, true)
	c.must(adding(fresh))
	c.pass(2)
	b := c.start(c.volumeOf(l.id()))
	if commit := b.core.Commit(); commit > 0 || old.Configuration == 0 {
		t.Fatalf("%d is known to be committed, and %d names the old one", commit, old.Configuration)
	}
	b.do(Received{raft.Envelope{From: old, To: b.id(), Sequence: 9,
		Message: raft.RequestVote{Term: 100, Last: raft.EntryID{Term: 100, Index: 100}}}})
	if now := b.Status(); now.Term >= 100 {
		t.Errorf("its word counts: %+v", now)
	}
	_, fresh.self.Configuration = l.core.Settled()
	b.do(Received{raft.Envelope{From: fresh.self, To: b.id(), Sequence: 9, Message: raft.PreVote{Term: 100}}})
	b.settle()
	if len(b.gate.heard) != 1 || b.gate.heard[0] != fresh.self {
		t.Errorf("heard are %+v", b.gate.heard)
	}
}

// Who left long ago and is added again is one whose starts were counted: an old copy of its directory is
// refused, and nobody stops because the log knows of a later start.
func TestAnOldCopyOfWhoLeftLongAgoIsRefused(t *testing.T) {
	c := gather(t, 3)
	id := c.settled().id()%3 + 1
	old := c.volumeOf(id).clone()
	for range 3 {
		c.start(c.volumeOf(id))
		c.pass(20)
	}
	c.end(id)
	c.must(raft.Change{Remove: []raft.NodeID{id}})
	c.pass(30)
	for i, b := range c.servers {
		b.do(TakeSnapshot{Ticket: 1<<40 + raft.Ticket(i)})
		c.await(b, 1<<40+raft.Ticket(i))
	}
	c.pass(2)
	c.must(adding(old))
	c.start(old)
	c.pass(60)
	for _, b := range c.servers {
		if b.Failure() != nil {
			t.Errorf("server %v stops: %v", b.id(), b.Failure())
		}
	}
	why := raft.Event(PeerRefused{Node: id, Why: raft.OlderStart})
	if !slices.Contains(c.leader().events, why) {
		t.Error("nobody is told")
	}
	c.serves()
}

// Who has joined has met nobody, and may meet an old copy of a member before the member: the configuration
// says which start the others have met, or the word of the copy would elect somebody who lacks what the
// member has promised.
func TestWhoJoinsKnowsWhichStartsWereMet(t *testing.T) {
	c := gather(t, 3)
	leader := c.settled().id()
	id, replaced := leader%3+1, (leader+1)%3+1
	old := c.volumeOf(id).clone()
	for range 3 {
		c.start(c.volumeOf(id))
		c.pass(20)
	}
	c.end(replaced)
	c.must(raft.Change{Remove: []raft.NodeID{replaced}})
	c.cut = func(from, to raft.NodeID) bool { return from == id && to == replaced }
	fresh := found(replaced, 999, true)
	c.must(adding(fresh))
	b := c.start(fresh)
	c.pass(60)
	c.must(raft.Change{Promote: []raft.NodeID{replaced}})
	copied := c.volumeOf(id).self
	copied.Start = old.self.Start + 1
	for _, m := range []raft.Message{raft.RequestVote{Term: 100}, raft.RequestVoteResponse{Term: 100}} {
		b.do(Received{raft.Envelope{From: copied, To: replaced, Sequence: 9, Message: m}})
	}
	why := raft.Event(PeerRefused{Node: id, Why: raft.OlderStart})
	if !slices.Contains(b.events, why) || b.Status().Term >= 100 {
		t.Errorf("in term %v, and told is %v", b.Status().Term, b.events)
	}
	c.cut = nil
	c.serves()
}
