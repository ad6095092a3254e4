package replica

import (
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

// learn lets server 3, leader of term 1, bring configurations as the entries that come next, and say how many
// entries are committed.
func (b *bench) learn(commit raft.Index, configurations ...raft.Configuration) {
	b.t.Helper()
	last := b.Status().Last
	m := raft.AppendEntries{Term: 1, Prev: last, Commit: commit}
	for i, c := range configurations {
		m.Entries = append(m.Entries, raft.Entry{Term: 1, Index: last.Index + 1 + raft.Index(i),
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
		{"being removed", []raft.Configuration{all, without}, 1, life(2, own, 1, 1), true, true, 0},
		{"removed, and perhaps not told", []raft.Configuration{all, without}, 2, life(2, own, 1, 1), true,
			true, 0},
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
