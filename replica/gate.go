package replica

import (
	"cmp"
	"fmt"
	"slices"

	"balsa/raft"
)

// gate decides whose messages are looked at (DESIGN: "Who may speak"). It reads the sender's identity and
// nothing else.
//
// What it has met of each peer lasts for this run only: a wiped disk under an old id is recognised as long
// as somebody runs who met the old one.
type gate struct {
	self     raft.Identity
	byHand   bool
	met      []acquaintance // sorted by node
	apis     []apiAddress   // of the members, as each said last
	troubles []PeerRefused  // told already and not over: a message that is repeated for ever is reported once
}

// maxTroubles bounds what strangers who make up ids can make this server remember.
const maxTroubles = 64

// acquaintance is what this server has met of a node: its data directory and the latest start of it.
type acquaintance struct {
	node        raft.NodeID
	incarnation raft.Incarnation
	start       uint64
}

// apiAddress is where clients reach a node.
type apiAddress struct {
	node    raft.NodeID
	address string
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

func newGate(self raft.Identity, byHand bool) gate {
	return gate{self: self, byHand: byHand}
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
		case met.incarnation != from.Incarnation:
			return raft.OtherIncarnation
		case from.Start < met.start:
			return raft.OlderStart
		}
	}
	return 0
}

// meet remembers the sender of a message that was not refused. Strangers with a name of this cluster are
// listened to but not remembered: only members are, so that nobody can make the list grow.
//
// What was wrong with the sender is over. That it does not listen to this server is over only when it
// answers: else a message of its own between two refusals would have each of them told.
func (g *gate) meet(from raft.Identity, member, answers bool) {
	g.troubles = slices.DeleteFunc(g.troubles, func(t PeerRefused) bool {
		return t.Node == from.Node && (answers || !t.ByPeer)
	})
	if !member || from.Cluster == (raft.ClusterID{}) {
		return
	}
	g.remember(from.Node, from.API)
	a := acquaintance{node: from.Node, incarnation: from.Incarnation, start: from.Start}
	at, known := g.find(from.Node)
	if known {
		g.met[at] = a
		return
	}
	g.met = slices.Insert(g.met, at, a)
}

// remember notes where clients reach a member. Only what passed the gate is noted: a stranger could otherwise
// have this server send its clients anywhere.
func (g *gate) remember(node raft.NodeID, api string) {
	at := slices.IndexFunc(g.apis, func(a apiAddress) bool { return a.node == node })
	switch {
	case at >= 0:
		g.apis[at].address = api
	case api != "":
		g.apis = append(g.apis, apiAddress{node: node, address: api})
	}
}

// API returns where clients reach a member, as that member said last; empty when it has not been heard in
// this run, or does not say.
func (r *Replica) API(id raft.NodeID) string {
	if id == r.config.Identity.Node {
		return r.config.Identity.API
	}
	for _, a := range r.gate.apis {
		if a.node == id {
			return a.address
		}
	}
	return ""
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

func (g *gate) find(id raft.NodeID) (at int, known bool) {
	return slices.BinarySearchFunc(g.met, id,
		func(a acquaintance, id raft.NodeID) int { return cmp.Compare(a.node, id) })
}
