package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// members is a configuration of voters that names the incarnations of the tests' servers.
func members(ids ...raft.NodeID) raft.Configuration {
	addresses := map[raft.NodeID]string{}
	for _, id := range ids {
		addresses[id] = "server:" + id.String()
	}
	c := raft.NewConfiguration(addresses)
	for i := range c.Members {
		c.Members[i].Incarnation = identity(c.Members[i].ID).Incarnation
	}
	c.Version = 1
	return c
}

// as gives a member of a configuration another incarnation.
func as(c raft.Configuration, id raft.NodeID, incarnation raft.Incarnation) raft.Configuration {
	c = c.Clone()
	for i := range c.Members {
		if c.Members[i].ID == id {
			c.Members[i].Incarnation = incarnation
		}
	}
	return c
}

// learn lets server 3, leader of this term, bring configurations as the entries that come next, and say how
// many entries are committed.
func (b *bench) learn(commit raft.Index, configurations ...raft.Configuration) {
	b.t.Helper()
	last := b.Status().Last
	term := max(1, b.Status().Term)
	m := raft.AppendEntries{Term: term, Prev: last, Commit: commit}
	for i, c := range configurations {
		m.Entries = append(m.Entries, raft.Entry{Term: term, Index: last.Index + 1 + raft.Index(i),
			Kind: raft.ConfigurationChange, Command: c.AppendTo(nil)})
	}
	b.do(b.from(3, m))
	b.settle()
	last.Index += raft.Index(len(configurations))
	if got := b.Status(); got.Commit != commit || got.Last.Index != last.Index {
		b.t.Fatalf("has learned %+v", got)
	}
}

// heard reports whether a request, and an answer, of a server is acted upon, and for what the request was
// refused. Neither leaves anything behind.
func (b *bench) hears(from raft.Identity) (request, answer bool, why raft.IdentityReason) {
	b.t.Helper()
	b.sent = nil
	b.do(Received{raft.Envelope{From: from, To: 1, Sequence: 41, Message: raft.PreVote{Term: 1}}})
	b.settle()
	for _, e := range b.sent {
		if m, is := e.Message.(raft.IdentityRefused); is {
			why = m.Why
		}
	}
	request = why == 0 && len(b.sent) == 1
	// A denial by a newer term makes a server step down, whoever it believes it to be.
	term := b.Status().Term
	b.do(Received{raft.Envelope{From: from, To: 1, Sequence: 41 | b.life(),
		Message: raft.PreVoteResponse{Term: term + 1}}})
	b.settle()
	return request, b.Status().Term > term, why
}

// life is another life of a server: of another data directory when the incarnation is not its own.
func life(id raft.NodeID, incarnation raft.Incarnation, start uint64, named raft.Index) raft.Identity {
	who := identity(id)
	who.Incarnation, who.Start, who.Configuration = incarnation, start, named
	return who
}

// The configurations decide who an id is: the one in force before it is committed, and the ones before it
// until it is.
func TestTheConfigurationsSayWhoIsHeard(t *testing.T) {
	const own = 102 // the incarnation of server 2
	all, without := members(1, 2, 3), members(1, 3)
	wiped := as(all, 2, 999)
	started := members(1, 2, 3)
	started.Members[1].Start = 4
	for _, c := range []struct {
		name    string
		entries []raft.Configuration // from index 1 on
		commit  raft.Index
		sender  raft.Identity
		request bool
		answer  bool
		why     raft.IdentityReason
	}{
		{"named", []raft.Configuration{all}, 1, life(2, own, 1, 1), true, true, 0},
		{"not yet named, met", nil, 0, life(2, own, 1, 0), true, true, 0},
		{"not yet named, another was met", nil, 0, life(2, 999, 1, 0), false, false, raft.OtherIncarnation},
		{"wiped", []raft.Configuration{all}, 1, life(2, 999, 7, 0), false, false, raft.OtherIncarnation},
		{"wiped, not committed", []raft.Configuration{all}, 0, life(2, 999, 7, 0), false, false,
			raft.OtherIncarnation},
		{"put back", []raft.Configuration{all}, 1, life(2, own, 0, 1), false, false, raft.OlderStart},
		{"put back, and only the leader has met what was later", []raft.Configuration{started}, 1,
			life(2, own, 3, 1), false, false, raft.OlderStart},
		{"put back, and names what comes later", []raft.Configuration{started}, 1, life(2, own, 3, 9), false,
			false, raft.OlderStart},
		{"started as often as the leader has met", []raft.Configuration{started}, 1, life(2, own, 4, 1), true,
			true, 0},
		{"being removed", []raft.Configuration{all, without}, 1, life(2, own, 1, 1), true, true, 0},
		{"removed, and perhaps not told", []raft.Configuration{all, without}, 2, life(2, own, 1, 1), false,
			true, raft.NotAMember}, // the request is one for a vote
		{"never a member", []raft.Configuration{all}, 1, life(9, 109, 1, 0), false, false, raft.NotAMember},
		{"a member by what is committed here", []raft.Configuration{all}, 1, life(9, 109, 1, 1), false, false,
			raft.NotAMember},
		{"a member by what comes later", []raft.Configuration{all}, 1, life(9, 109, 1, 2), true, false, 0},
		{"a member by what stands where nothing is committed here", []raft.Configuration{all, without}, 1,
			life(9, 109, 1, 2), true, false, 0},
		{"another directory by what comes later", []raft.Configuration{all}, 1, life(2, 999, 1, 2), true,
			false, 0},
		{"another directory that is in force", []raft.Configuration{all, without, wiped}, 2,
			life(2, 999, 1, 3), true, true, 0},
		{"the one before it", []raft.Configuration{all, without, wiped}, 2, life(2, own, 1, 1), false, false,
			raft.OtherIncarnation},
		{"the one before it, once it is committed", []raft.Configuration{all, without, wiped}, 3,
			life(2, own, 1, 1), false, false, raft.OtherIncarnation},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{})
			b.learn(c.commit, c.entries...)
			if request, answer, why := b.hears(c.sender); request != c.request || answer != c.answer ||
				why != c.why {
				t.Errorf("hears its request: %v, its answer: %v, reason %d; want %v, %v, %d", request, answer,
					why, c.request, c.answer, c.why)
			}
		})
	}
}

// Whoever is heard only because this server may be behind leaves nothing behind: neither does he take the
// place of the disk that the configuration means, nor does the memory grow.
func TestAStrangerIsHeardAndNotRemembered(t *testing.T) {
	log := &modelLog{}
	b := hold(t, 3, log)
	b.learn(1, members(1, 2, 3))
	met, peers := slices.Clone(b.gate.met), slices.Clone(log.peers)
	for id := raft.NodeID(2); id < 500; id++ {
		if id == 3 {
			continue
		}
		who := life(id, 999, 50, 2)
		if request, answer, _ := b.hears(who); !request || answer {
			t.Fatalf("hears a request of %v: %v, an answer: %v", who, request, answer)
		}
	}
	if !slices.Equal(b.gate.met, met) || !slices.Equal(log.peers, peers) || len(b.gate.heard) > 2 {
		t.Errorf("remembers %v, on its disk %v, heard %v", b.gate.met, log.peers, b.gate.heard)
	}
	if request, answer, why := b.hears(identity(2)); !request || !answer {
		t.Errorf("server 2 is silenced by what a stranger says: %v, %v, reason %d", request, answer, why)
	}
}

// The memory of one disk gives way to that of another when it is committed that the id means the other; the
// other is heard before, and is not acted upon until it is written down from then on.
func TestTheCommittedConfigurationDecidesWhoIsRemembered(t *testing.T) {
	log := &modelLog{}
	b := hold(t, 3, log)
	all := members(1, 2, 3)
	b.do(Received{raft.Envelope{From: life(2, 102, 9, 0), To: 1, Sequence: 41, Message: question(1)}})
	b.settle()
	b.learn(2, all, members(1, 3))
	b.learn(2, as(all, 2, 999))
	if request, answer, _ := b.hears(life(2, 999, 1, 3)); !request || !answer {
		t.Error("who is in force is not heard")
	}
	if at, _ := b.gate.find(2); b.gate.met[at].Incarnation != 102 {
		t.Errorf("remembers %+v before it is committed", b.gate.met[at])
	}
	b.learn(3)
	b.sent = nil
	b.do(Received{raft.Envelope{From: life(2, 999, 1, 3), To: 1, Sequence: 41, Message: question(1)}})
	if len(b.sent) > 0 {
		t.Errorf("acted before it is written down: %+v", b.sent)
	}
	b.settle()
	want := raft.Acquaintance{Node: 2, Incarnation: 999, Start: 1}
	if len(b.sent) != 1 || !slices.Contains(log.peers, want) {
		t.Errorf("sent %+v, the disk has %v", b.sent, log.peers)
	}
	if request, answer, why := b.hears(life(2, 102, 10, 1)); request || answer ||
		why != raft.OtherIncarnation {
		t.Errorf("the one before is heard: %v, %v, reason %d", request, answer, why)
	}

	again := hold(t, 3, log) // what its disk remembers of an id does not bind who has it now
	again.learn(3)
	if request, answer, _ := again.hears(life(2, 999, 2, 3)); !request || !answer {
		t.Error("not heard after a restart")
	}
}

// When the configuration that names another disk gives way to one that a later leader has, the disk before is
// heard again, with the starts that were met of it.
func TestATruncatedConfigurationChangesNobodysMemory(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	all := members(1, 2, 3)
	b.do(Received{raft.Envelope{From: life(2, 102, 9, 0), To: 1, Sequence: 41, Message: question(1)}})
	b.settle()
	learnt := all.Clone()
	learnt.Voters, learnt.Learners = []raft.NodeID{1, 3}, []raft.NodeID{2}
	b.learn(1, learnt, as(learnt, 2, 999))
	b.hears(life(2, 999, 70, 2))
	term := b.Status().Term + 1
	b.do(b.from(3, raft.AppendEntries{Term: term, Prev: at(1, 1), Entries: entriesOf(2, term)}))
	b.settle()
	if request, _, why := b.hears(life(2, 999, 70, 0)); request || why != raft.OtherIncarnation {
		t.Errorf("who is not in force any more is heard: %v, reason %d", request, why)
	}
	if request, _, why := b.hears(life(2, 102, 8, 1)); request || why != raft.OlderStart {
		t.Errorf("an older start is heard: %v, reason %d", request, why)
	}
	if request, answer, why := b.hears(life(2, 102, 9, 1)); !request || !answer {
		t.Errorf("who is in force again is not heard: %v, %v, reason %d", request, answer, why)
	}
}

// By which configuration a server says that it is named follows its log, back too.
func TestAServerSaysByWhichConfigurationItIsNamed(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	says := func() raft.Index {
		b.sent = nil
		b.do(b.from(3, question(1)))
		return b.sent[0].From.Configuration
	}
	demand := func(when string, want raft.Index) {
		t.Helper()
		if got := says(); got != want {
			t.Errorf("%s it says %d, want %d", when, got, want)
		}
	}
	all := members(1, 2, 3)
	demand("at bootstrap", 0)
	b.learn(1, all)
	demand("when it is named", 1)
	yes := all.Clone()
	yes.AutoPromote = true
	b.learn(1, yes)
	demand("before it is committed", 2)
	b.learn(1, members(2, 3))
	demand("when it is removed", 2)
	b.learn(1, as(all, 1, 999))
	demand("when another is named", 2)
	b.do(b.from(3, raft.AppendEntries{Term: 2, Prev: at(1, 1), Entries: entriesOf(2, 2)}))
	b.settle()
	demand("when all that is truncated", 1)
}

// A server that joins and has learned nothing hears everybody of its cluster whom a configuration entry
// names, and nobody else, and remembers nobody. A wiped disk that takes itself for a first member names none:
// with the votes of servers that join, such disks could begin the cluster anew.
func TestWhoJoinsHearsWhoIsNamed(t *testing.T) {
	c := &company{t: t, now: 1000 * aTick}
	joiner := found(1, 101, true)
	b := c.start(joiner)
	for _, who := range []raft.Identity{life(2, 102, 1, 1), life(2, 999, 3, 7), life(9, 109, 1, 2)} {
		if request, answer, why := b.hears(who); !request || !answer {
			t.Errorf("%+v: %v, %v, reason %d", who, request, answer, why)
		}
	}
	first := life(2, 999, 1, 0)
	if request, answer, why := b.hears(first); request || answer || why != raft.NotAMember {
		t.Errorf("one that takes itself for a first member: %v, %v, reason %d", request, answer, why)
	}
	other := life(2, 102, 1, 1)
	other.Cluster[3]++
	if request, answer, why := b.hears(other); request || answer || why != raft.OtherCluster {
		t.Errorf("another cluster: %v, %v, reason %d", request, answer, why)
	}
	if len(b.gate.met)+len(joiner.log.peers) > 0 {
		t.Errorf("remembers %v, on its disk %v", b.gate.met, joiner.log.peers)
	}
}
