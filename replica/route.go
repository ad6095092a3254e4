package replica

import (
	"cmp"
	"slices"

	"balsa/raft"
)

// Whom the transport reaches. It follows what the servers say of themselves: one that has moved is spoken to
// where it says that it is, long before a configuration says so, which may take the moved one's vote.

// routing is the Route handed out last.
type routing struct {
	routes   []raft.Member
	spare    []raft.Member // memory for the next
	leader   raft.NodeID   // at that time, as what follows
	tidings  uint64        // of the gate
	nextLook raft.Time     // of the next look whether it must change; 0: there was none
}

// said is what a member has said of itself last, in this run; zero when it was not heard. Only what has
// passed the gate is kept: a stranger could otherwise have this server send its clients, and its messages,
// anywhere.
func (g *gate) said(node raft.NodeID) raft.Identity {
	for _, h := range g.heard {
		if h.Node == node {
			return h
		}
	}
	return raft.Identity{}
}

// moved drops what members have said of where they are when a configuration says since that they are
// elsewhere: a person knows better where those are that cannot speak. Whoever is still where it was says so
// again.
func (g *gate) moved(before, now raft.Configuration) {
	g.tidings++
	for i := range g.heard {
		h := &g.heard[i]
		was, _ := before.Member(h.Node)
		is, _ := now.Member(h.Node)
		if h.Address == was.Address && is.Address != was.Address {
			h.Address = ""
		}
		if h.API == was.API && is.API != was.API {
			h.API = ""
		}
	}
}

// API returns where clients reach a server: as it says itself, or when it does not or was not heard in this
// run, as the configuration says; empty when neither does.
func (r *Replica) API(id raft.NodeID) string {
	if id == r.config.Identity.Node {
		return r.config.Identity.API
	}
	m, _ := r.core.Known(id)
	said, _ := r.saysOf(m)
	return cmp.Or(said.API, m.API)
}

// keepInTouch has the others be reached, and reach this server.
func (r *Replica) keepInTouch(out raft.Output) {
	r.reroute(out.Members != nil)
	if out.Unheard {
		r.announce()
	}
}

// announce tells everybody whom this server knows where it is. Those whom it asks for their votes hear it by
// that; whoever has none by what this server knows may lead by now, and one that has moved and may not
// campaign would speak to nobody: nobody would find it. It is done once in an election timeout, until a
// leader is heard. One that joins may have been added by an entry that it has not got yet, whatever those say
// that have not got it either, also where another data directory had its id before; one that was named once,
// and removed, is told so, and is quiet from then on.
//
// A question for a read, put to the leader of no term, says it: every program knows it, and answers that it
// does not lead. It moves no term and no timer, and the answer finds nobody who waits for it.
func (r *Replica) announce() {
	self := r.config.Identity
	m, is := r.core.Members().Member(self.Node)
	another := is && m.Incarnation != 0 && m.Incarnation != self.Incarnation
	if named := r.core.NamedAt() > 0; named && (another || !is && r.gate.dismissed) {
		return // those whom it knows would not listen
	}
	campaigns := r.core.Role() == raft.PreCandidate || r.core.Role() == raft.Candidate
	for _, to := range r.routes {
		if campaigns && r.core.Members().Voter(to.ID) {
			continue
		}
		r.origin.number++
		r.send(raft.Letter{To: to.ID, Sequence: forwardSequence | r.life() | raft.Sequence(r.origin.number),
			Message: raft.ForwardRead{Start: self.Start, Number: r.origin.number}})
	}
}

// reroute hands out whom this server may have to speak to, when that has changed, and has its messages say by
// which configuration it is named. It is asked at each Work, so it looks only when there is something new:
// another configuration, another leader, or what a server says of itself. That somebody has left for good may
// be noticed a heartbeat later: nothing is sent to him any more.
func (r *Replica) reroute(otherMembers bool) {
	leader, _ := r.Leader()
	if !otherMembers && leader == r.leader && r.tidings == r.gate.tidings && r.hours.now < r.nextLook {
		return
	}
	r.leader, r.tidings = leader, r.gate.tidings
	first := r.nextLook == 0
	r.nextLook = r.hours.now + r.config.Tick*raft.Time(r.config.Core.Heartbeat)
	r.config.Identity.Configuration = r.core.NamedAt()
	now := r.core.AppendReached(r.spare[:0])
	for i := range now {
		said, _ := r.saysOf(now[i])
		now[i].Address = cmp.Or(said.Address, now[i].Address)
	}
	if s := r.gate.stranger; s.Node == leader && leader != raft.None && s.Address != "" {
		at, known := slices.BinarySearchFunc(now, leader,
			func(m raft.Member, id raft.NodeID) int { return cmp.Compare(m.ID, id) })
		if !known {
			m := raft.Member{ID: s.Node, Incarnation: s.Incarnation, Address: s.Address, API: s.API}
			now = slices.Insert(now, at, m)
		}
	}
	r.spare = now
	if !first && slices.Equal(now, r.routes) {
		return
	}
	r.routes = slices.Clone(now)
	r.ready = append(r.ready, Route{Members: slices.Clone(now)})
}
