package replica

import (
	"cmp"
	"fmt"
	"slices"

	"balsa/raft"
)

// Who may speak here. What decides is who the configurations that this server knows say that an id is:
//
//	they name the id   by the sender's incarnation      it is heard
//	                   by none yet, as bootstrap does   it is heard, if no other was met
//	                   by another, or another was met   OtherIncarnation, but …
//	they do not name it                                 NotAMember, but …
//	there is none: this server joins                    it is heard, if a configuration names it
//
// Known to this server are the configuration in force, those before it as far as they are in the log, and,
// while it leads, who leaves and is yet to be told. So a leader that has removed itself is heard until it has
// handed over, and who was removed until it is said goodbye to. But when it follows nobody it is told that it
// has left, and campaigns no more (dismissal.go).
//
// … but this server may be the one that is behind. So a request is heard too whose sender names, as the one
// that it is named by, a later configuration than the latest that is known to be committed here: a leader
// that was added meanwhile could otherwise never reach this server. (Not: later than the one in force here.
// That may be one that a deposed leader left and that nobody else has.) A request moves nobody but this
// server, which checks terms and logs for itself; a wiped disk is named by no configuration and names none.
// An answer is never heard so. It is counted, as the vote or the acknowledgement of the server that the
// configuration means, and if that is another data directory than the one that answers, two quorums may meet
// in nobody who remembers: here is who asks, and who asks is not behind.
//
// A server that joins hears nobody whom no configuration entry names: whoever knows it to be a member is
// named by one. Else it could vote for a wiped disk that takes itself for a first member; with others of its
// kind they would begin the cluster anew.
//
// Of one data directory the latest start counts that was met: an earlier one is an old copy, or a message
// from before. Who joins has met nobody yet, and may meet the copy first; so the configuration that it joins
// by says which starts the leader had met.
//
// What was met is durable before anything is acted upon of a member. Else this server could vote on the word
// of a disk, lose its power, and hear the word of another disk under the same id: two majorities would share
// a member that has forgotten what it promised to the first. For the same reason, one incarnation takes the
// place of another in that memory only when a configuration that is committed here names it. Whoever is heard
// only because this server may be behind is not written down at all: its word for it could otherwise silence
// the server that the configuration means, or, should the later configuration never come to be committed,
// have the answers of the new disk counted as those of the old.

// gate decides whose messages are looked at. It reads the sender's identity and nothing else.
type gate struct {
	self     raft.Identity
	byHand   bool
	met      []acquaintance  // sorted by node
	held     []raft.Envelope // from those whose acquaintance is not durable yet, as they came
	heard    []raft.Identity // of the members, as each was heard last in this run
	stranger raft.Identity   // heard last of those whom no configuration names here
	tidings  uint64          // how often one of the two has changed
	troubles []PeerRefused   // told already and not over: what is repeated for ever is told once
	shuns    []shun          // members that refused to listen to this server, each as it said last

	founding  founding
	dismissed bool // a member has said that this server is none, and no leader was heard since

	undigestible []Undigested // told already
	undigested   uint64       // messages
}

// shun is that another server does not listen to this one.
type shun struct {
	node raft.NodeID
	why  raft.IdentityReason
	at   raft.Time
}

const (
	// maxTroubles bounds what strangers who make up ids can make this server remember.
	maxTroubles = 64
	// maxHeld bounds how many messages of one peer wait for its acquaintance to be durable. What comes beyond
	// is dropped, as a network may: it is sent again.
	maxHeld = 16
)

// acquaintance is what this server has met of a node: its data directory and the latest start of it.
type acquaintance struct {
	raft.Acquaintance
	durable bool
}

// standing is what the configurations here say of the sender of a message.
type standing struct {
	member bool             // they name its id
	named  raft.Incarnation // by that incarnation; 0: by none
	start  uint64           // and as started that often, when the configuration was made
	bound  bool             // the latest that is committed names it by its very incarnation
	joins  bool             // there is none
	behind bool             // the sender names a later one than the latest that is committed
	left   bool             // the latest that is committed does not name its id
}

// PeerRefused is the event that this server does not listen to another, or another not to this one.
type PeerRefused struct {
	Node   raft.NodeID // the other server
	Why    raft.IdentityReason
	ByPeer bool // it is the other that does not listen
}

// String is one sentence that says what to do.
func (e PeerRefused) String() string {
	if e.ByPeer {
		return fmt.Sprintf("node %v does not listen to this node, which %v", e.Node, e.Why)
	}
	return fmt.Sprintf("does not listen to node %v, which %v", e.Node, e.Why)
}

func newGate(self raft.Identity, byHand bool, peers []raft.Acquaintance) gate {
	g := gate{self: self, byHand: byHand}
	for _, p := range peers {
		g.met = append(g.met, acquaintance{Acquaintance: p, durable: true})
	}
	return g
}

// judge returns why a message may not be looked at, or 0; and whether its sender is a stranger: heard, but
// perhaps not the server that is meant here by its id.
func (g *gate) judge(e raft.Envelope, s standing) (why raft.IdentityReason, stranger bool) {
	from, unnamed := e.From, e.From.Cluster == raft.ClusterID{}
	switch {
	case unnamed && !g.byHand, !unnamed && from.Incarnation == 0:
		return raft.NoIdentity, false
	case !unnamed && from.Cluster != g.self.Cluster:
		return raft.OtherCluster, false
	case from.Node == g.self.Node:
		return raft.SameID, false
	case e.To != g.self.Node:
		return raft.OtherReceiver, false
	case unnamed && !s.member && !s.joins:
		return raft.NotAMember, false
	case unnamed:
		return 0, false
	}
	at, known := g.find(from.Node)
	means := s.named
	if known && means == 0 {
		means = g.met[at].Incarnation
	}
	switch {
	case !s.member:
		why = raft.NotAMember
	case means != 0 && means != from.Incarnation:
		why = raft.OtherIncarnation
	case known && g.met[at].Incarnation == from.Incarnation && from.Start < g.met[at].Start,
		s.named == from.Incarnation && from.Start < s.start:
		return raft.OlderStart, false
	case s.left && !s.behind && leaderless(e.Message):
		why = raft.NotAMember
	}
	if why != 0 && s.behind && (s.joins || !raft.IsResponse(e.Message)) {
		return 0, true
	}
	return why, false
}

// introduce takes note of which member a message comes from that was not refused, and returns what of it must
// be made durable first, nil for nothing.
func (g *gate) introduce(from raft.Identity, s standing) *raft.Acquaintance {
	if from.Cluster == (raft.ClusterID{}) {
		return nil
	}
	now := raft.Acquaintance{Node: from.Node, Incarnation: from.Incarnation, Start: from.Start}
	at, known := g.find(from.Node)
	switch {
	case !known:
		g.met = slices.Insert(g.met, at, acquaintance{Acquaintance: now})
	case g.met[at].Acquaintance == now, g.met[at].Incarnation != now.Incarnation && !s.bound:
		return nil
	default:
		g.met[at] = acquaintance{Acquaintance: now}
	}
	news := now // allocated only when there are any: this is asked with every message
	return &news
}

// hold reports whether a message must not be acted upon yet, and keeps it for later.
func (g *gate) hold(e raft.Envelope) bool {
	at, known := g.find(e.From.Node)
	if !known || g.met[at].durable || g.met[at].Incarnation != e.From.Incarnation {
		return false
	}
	waiting := 0
	for i := range g.held {
		if g.held[i].From.Node == e.From.Node {
			waiting++
		}
	}
	if waiting < maxHeld {
		g.held = append(g.held, e)
	}
	return true
}

// written takes note of what is durable now, and returns the messages that waited for it. They are to be
// received anew: a later start may have been met since, and then they are an earlier one's.
func (g *gate) written(peers []raft.Acquaintance) (free []raft.Envelope) {
	if len(peers) == 0 {
		return nil
	}
	for _, p := range peers {
		if at, known := g.find(p.Node); known && g.met[at].Acquaintance == p {
			g.met[at].durable = true
		}
	}
	var held []raft.Envelope
	for _, e := range g.held {
		if at, known := g.find(e.From.Node); known && !g.met[at].durable {
			held = append(held, e)
		} else {
			free = append(free, e)
		}
	}
	g.held = held
	return free
}

// meet takes note of a message that was let through. What was wrong with its sender is over. That it does not
// listen to this server is over only when it answers: else a message of its own between two refusals would
// have each of them told.
func (g *gate) meet(from raft.Identity, stranger, answers bool) {
	g.troubles = slices.DeleteFunc(g.troubles, func(t PeerRefused) bool {
		return t.Node == from.Node && (answers || !t.ByPeer)
	})
	switch {
	case from.Cluster == raft.ClusterID{}:
		return
	case stranger:
		if g.stranger != from {
			g.stranger = from
			g.tidings++
		}
		return
	}
	at := slices.IndexFunc(g.heard, func(h raft.Identity) bool { return h.Node == from.Node })
	if at < 0 {
		at = len(g.heard)
		g.heard = append(g.heard, raft.Identity{})
	}
	if g.heard[at] != from {
		g.heard[at] = from
		g.tidings++
	}
}

// news reports whether this trouble has not been told yet. Of strangers only so many are told, or one who
// makes up ids could fill the memory and the log; trouble with a member is told whatever strangers do.
func (g *gate) news(e PeerRefused, member bool) bool {
	if slices.Contains(g.troubles, e) || !member && len(g.troubles) >= maxTroubles {
		return false
	}
	g.troubles = append(g.troubles, e)
	return true
}

// shunned notes that a member does not listen to this server.
func (g *gate) shunned(now raft.Time, by raft.NodeID, why raft.IdentityReason) {
	g.shuns = slices.DeleteFunc(g.shuns, func(s shun) bool { return s.node == by })
	g.shuns = append(g.shuns, shun{node: by, why: why, at: now})
}

// Shuns returns why a member does not listen to this server, or 0. It holds for two maximal election timeouts
// after that member has last said so: a leader says it at each heartbeat, and nobody says that it is over.
func (r *Replica) Shuns(id raft.NodeID) raft.IdentityReason {
	long := 2 * r.config.Tick * raft.Time(r.config.Core.ElectionMax)
	for _, s := range r.gate.shuns {
		if s.node == id && r.hours.due-s.at <= long {
			return s.why
		}
	}
	return 0
}

// forgetWhoLeft drops what was heard of members that no configuration names any more. Whom this server has
// met it goes on knowing, as its disk does: the same directory may be added again, and an old copy of it with
// fewer starts is not to be heard then. Nobody is silenced by that: who is added is named by its incarnation.
func (g *gate) forgetWhoLeft(known func(raft.NodeID) bool) {
	g.heard = slices.DeleteFunc(g.heard, func(h raft.Identity) bool { return !known(h.Node) })
	g.shuns = slices.DeleteFunc(g.shuns, func(s shun) bool { return !known(s.node) })
}

func (g *gate) find(id raft.NodeID) (at int, known bool) {
	return slices.BinarySearchFunc(g.met, id,
		func(a acquaintance, id raft.NodeID) int { return cmp.Compare(a.Node, id) })
}

func byNode(a raft.Acquaintance, id raft.NodeID) int { return cmp.Compare(a.Node, id) }
