package replica

import (
	"cmp"
	"fmt"
	"slices"

	"balsa/raft"
)

// gate decides whose messages are looked at. It reads the sender's identity and
// nothing else.
//
// What it has met of each member is durable before anything of it is acted upon. Else this server could
// vote on the word of a disk, lose its power, and hear the word of another disk under the same id: two
// majorities would share a member that has forgotten what it promised to the first.
type gate struct {
	self     raft.Identity
	byHand   bool
	met      []acquaintance  // sorted by node
	held     []raft.Envelope // from those whose acquaintance is not durable yet, as they came
	heard    []raft.Identity // of the members, as each was heard last in this run
	stranger raft.Identity   // heard last of those whom no configuration names here
	troubles []PeerRefused   // told already and not over: what is repeated for ever is told once
	shuns    []shun          // members that refused to listen to this server, each as it said last

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
		g.met = append(g.met, acquaintance{p, true})
	}
	return g
}

// judge returns why a message may not be looked at, or 0.
func (g *gate) judge(e raft.Envelope) raft.IdentityReason {
	from, unnamed := e.From, e.From.Cluster == raft.ClusterID{}
	switch {
	case unnamed && !g.byHand, !unnamed && from.Incarnation == 0:
		return raft.NoIdentity
	case !unnamed && from.Cluster != g.self.Cluster:
		return raft.OtherCluster
	case from.Node == g.self.Node:
		return raft.SameID
	case e.To != g.self.Node:
		return raft.OtherReceiver
	case unnamed:
		return 0
	}
	if at, known := g.find(from.Node); known {
		switch met := g.met[at]; {
		case met.Incarnation != from.Incarnation && from.Configuration <= g.self.Configuration:
			return raft.OtherIncarnation
		case met.Incarnation == from.Incarnation && from.Start < met.Start:
			return raft.OlderStart
		}
	}
	return 0
}

// introduce takes note of who the sender of a message is that was not refused, and returns what of it must
// be made durable first, nil for nothing. An incarnation other than the one met gets here only with the
// word of a configuration that is newer than this server's. Strangers with a name of this cluster are
// listened to but not remembered: only members are, so that nobody can make the list grow.
func (g *gate) introduce(from raft.Identity, member bool) *raft.Acquaintance {
	if !member || from.Cluster == (raft.ClusterID{}) {
		return nil
	}
	now := raft.Acquaintance{Node: from.Node, Incarnation: from.Incarnation, Start: from.Start}
	at, known := g.find(from.Node)
	switch {
	case !known:
		g.met = slices.Insert(g.met, at, acquaintance{Acquaintance: now})
	case g.met[at].Acquaintance == now:
		return nil
	default:
		g.met[at] = acquaintance{Acquaintance: now}
	}
	return &now
}

// hold reports whether a message must not be acted upon yet, and keeps it for later.
func (g *gate) hold(e raft.Envelope) bool {
	at, known := g.find(e.From.Node)
	if !known || g.met[at].durable || e.From.Cluster == (raft.ClusterID{}) {
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
		if at, known := g.find(e.From.Node); known && g.met[at].durable {
			free = append(free, e)
		} else {
			held = append(held, e)
		}
	}
	g.held = held
	return free
}

// meet takes note of a message that was let through. What was wrong with its sender is over. That it does not
// listen to this server is over only when it answers: else a message of its own between two refusals would
// have each of them told.
func (g *gate) meet(from raft.Identity, member, answers bool) {
	g.troubles = slices.DeleteFunc(g.troubles, func(t PeerRefused) bool {
		return t.Node == from.Node && (answers || !t.ByPeer)
	})
	if from.Cluster == (raft.ClusterID{}) {
		return
	}
	if !member {
		g.stranger = from
		return
	}
	at := slices.IndexFunc(g.heard, func(h raft.Identity) bool { return h.Node == from.Node })
	if at < 0 {
		g.heard = append(g.heard, from)
	} else {
		g.heard[at] = from
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

func (g *gate) find(id raft.NodeID) (at int, known bool) {
	return slices.BinarySearchFunc(g.met, id,
		func(a acquaintance, id raft.NodeID) int { return cmp.Compare(a.Node, id) })
}

func byNode(a raft.Acquaintance, id raft.NodeID) int { return cmp.Compare(a.Node, id) }
