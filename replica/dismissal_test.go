package replica

import (
	"testing"

	"balsa/raft"
)

// One that was removed while it could not hear of it, and campaigns without asking first, raises the term of
// those that are to elect a leader once and not for ever. Added again, it campaigns as all do.
func TestWhoIsToldThatItIsNoMemberCampaignsNoMore(t *testing.T) {
	c := gather(t, 4)
	leader := c.settled().id()
	id := leader%4 + 1
	removed := c.volumeOf(id)
	rash := func(config *Config) { config.Core.NoPreVote = true }
	c.end(id)
	c.must(raft.Change{Remove: []raft.NodeID{id}})
	c.pass(20)
	b := c.start(removed, rash)
	c.pass(30)
	term := b.Status().Term
	c.pass(100)
	if now := b.Status(); now.Term > term+1 || now.Role != raft.Follower {
		t.Errorf("in term %v it is %v, in term %v before", now.Term, now.Role, term)
	}
	c.must(raft.Change{Add: []raft.Member{{ID: id, Incarnation: removed.self.Incarnation,
		Address: removed.self.Address}}})
	c.pass(30)
	c.must(raft.Change{Promote: []raft.NodeID{id}})
	if b.Status().Leader == raft.None || b.isDismissed() {
		t.Errorf("added again it has %+v", b.Status())
	}
	c.cut = func(from, to raft.NodeID) bool { return to == id || from == id }
	term = b.Status().Term
	c.pass(40)
	if now := b.Status().Term; now < term+2 {
		t.Errorf("from term %v it has come to %v without a leader", term, now)
	}
}

// A refusal that was long on its way is of a time when this server was no member. Added again, it must not be
// kept from campaigning by it: it may be the only one whose log can win.
func TestALateWordDoesNotDismissWhoWasAddedAgain(t *testing.T) {
	c := gather(t, 4)
	leader := c.settled().id()
	id := leader%4 + 1
	removed := c.volumeOf(id)
	c.end(id)
	c.must(raft.Change{Remove: []raft.NodeID{id}})
	c.pass(20)
	var late []raft.Envelope
	c.cut = func(_, to raft.NodeID) bool { return to == id }
	c.seen = func(e raft.Envelope) {
		if _, is := e.Message.(raft.IdentityRefused); is && e.To == id {
			late = append(late, e)
		}
	}
	b := c.start(removed)
	c.pass(20)
	c.cut, c.seen = nil, nil
	if len(late) == 0 {
		t.Fatal("nobody has refused it")
	}
	c.must(raft.Change{Add: []raft.Member{{ID: id, Incarnation: removed.self.Incarnation,
		Address: removed.self.Address}}})
	c.pass(30)
	c.must(raft.Change{Promote: []raft.NodeID{id}})
	c.pass(10)
	c.cut = func(from, to raft.NodeID) bool { return to == id || from == id }
	c.pass(20)
	for _, e := range late {
		b.do(Received{e})
	}
	if b.isDismissed() {
		t.Error("it campaigns no more")
	}
}

// A leader that was heard while something else kept this server from campaigning ends it too.
func TestWhoHearsALeaderWhileItRestoresIsDismissedNoMore(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	member := identity(2)
	member.Configuration = 7
	none := raft.IdentityRefused{Why: raft.NotAMember}
	b.do(Received{raft.Envelope{From: member, To: b.id(), Message: none}})
	if !b.isDismissed() {
		t.Fatal("it campaigns")
	}
	b.restoring = true
	b.do(b.from(3, raft.AppendEntries{Term: 9, Round: 1}))
	b.settle()
	if b.Status().Leader != 3 {
		t.Fatalf("it hears no leader: %+v", b.Status())
	}
	for range 50 {
		b.pass(1)
	}
	if b.restoring = false; b.Status().Leader != raft.None || b.isDismissed() {
		t.Errorf("it campaigns no more: %+v", b.Status())
	}
}

// A stranger's word, and that of another cluster, moves nobody; nor does another reason.
func TestWhoseWordDismisses(t *testing.T) {
	member := identity(2)
	member.Configuration = 7
	with := func(change func(*raft.Identity)) raft.Identity {
		from := member
		change(&from)
		return from
	}
	for _, c := range []struct {
		name string
		from raft.Identity
		why  raft.IdentityReason
		want bool
	}{
		{"a member's", member, raft.NotAMember, true},
		{"of another data directory", member, raft.OtherIncarnation, false},
		{"of one that joins, and knows nobody", with(func(i *raft.Identity) { i.Configuration = 0 }),
			raft.NotAMember, false},
		{"of one that begins anew under a member's id", with(func(i *raft.Identity) { i.Incarnation = 999 }),
			raft.NotAMember, false},
		{"of a member's older start", with(func(i *raft.Identity) { i.Start = 0 }), raft.NotAMember, false},
		{"a stranger's", with(func(i *raft.Identity) { i.Node = 9 }), raft.NotAMember, false},
		{"another cluster's", with(func(i *raft.Identity) { i.Cluster[0]++ }), raft.NotAMember, false},
	} {
		b := hold(t, 3, &modelLog{})
		b.do(Received{raft.Envelope{From: c.from, To: b.id(), Message: raft.IdentityRefused{Why: c.why}}})
		if b.isDismissed() != c.want {
			t.Errorf("by the word %s (%v) it is dismissed: %v", c.name, c.why, !c.want)
		}
	}
}
