package sim

import (
	"fmt"
	"slices"

	"balsa/disk"
	"balsa/raft"
)

// Where servers are. A message goes to an address and reaches whoever is there now, be it another than the
// one that was meant; an answer goes back on the connection on which its question came.
//
// A server of the world is a process with its disk. Its number is the id under which it runs, but for those
// that should not be there: the copy of another's data directory, and a node of another cluster.

// lodging is how a server was set up, and whom it finds where.
type lodging struct {
	node    raft.NodeID // the id under which it runs
	founded bool        // it has, or had, a data directory; a spare has none at first
	joins   bool        // its command line tells it to join
	address string      // where others reach it
	moved   bool        // since the last time that all were told of all addresses
	flags   string      // what of its command line is not as in the others
	tamed   bool        // it asks before it campaigns, whatever its flags are
	ledger  *ledger     // of the cluster to which it belongs
	foreign *foreign    // it belongs to another cluster; nil
	routes  []raft.Member
	told    []raft.Member // addresses that it was given by hand, which win

	exchanges []exchange // the requests that this life has received, as they came
}

// exchange is a request that was received. Its answer goes back to where it came from, whoever else speaks
// under that id: as in a transport, the server itself knows it by a number of its own, from 1 on.
type exchange struct {
	peer     raft.NodeID // the server that asked
	sequence raft.Sequence
}

// foreign is another cluster, one node of which has strayed.
type foreign struct {
	cluster raft.ClusterID
	members raft.Configuration
}

// addressOf is where a server is at the beginning.
func addressOf(id raft.NodeID) string { return fmt.Sprintf("n%v", id) }

// at returns the server at an address; nil when nobody is there.
func (w *World) at(address string) *server {
	for _, s := range w.servers {
		if s.address == address && s.founded {
			return s
		}
	}
	return nil
}

// begins has a server know a request by its number.
func (s *server) begins(e *raft.Envelope, peer raft.NodeID) {
	_, refusal := e.Message.(raft.IdentityRefused)
	if refusal || raft.IsResponse(e.Message) || e.Sequence == 0 {
		return
	}
	s.exchanges = append(s.exchanges, exchange{peer, e.Sequence})
	e.Sequence = raft.Sequence(len(s.exchanges))
}

// reached returns whom a message of a server gets to; nil when nobody is there. An answer gets back the
// sequence of what it answers.
func (w *World) reached(s *server, e *raft.Envelope) *server {
	_, refusal := e.Message.(raft.IdentityRefused)
	if e.Sequence != 0 && (refusal || raft.IsResponse(e.Message)) {
		x := s.exchanges[e.Sequence-1]
		e.Sequence = x.sequence
		return w.servers[x.peer-1]
	}
	for _, known := range [][]raft.Member{s.told, s.routes} {
		at := slices.IndexFunc(known, func(m raft.Member) bool { return m.ID == e.To })
		if at >= 0 {
			return w.at(known[at].Address)
		}
	}
	return nil
}

// move gives a server that is down another address: a new one, or that of another one that is down, which
// gets its own in exchange.
func (w *World) move(s *server, op Op) {
	address, old := op.Text, s.address
	if s.up() || !s.founded || address == old {
		return
	}
	if there := w.at(address); there != nil {
		if there.up() {
			return
		}
		there.address = old
		w.leaves(there)
	}
	s.address = address
	w.leaves(s)
	if op.Mode == "told" {
		w.tellAddresses()
	}
	w.saw(sawMoved)
}

// leaves takes that a server is not where it was: nobody has an address of it by hand any more.
func (w *World) leaves(s *server) {
	s.moved = true
	for _, o := range w.servers {
		o.told = slices.DeleteFunc(slices.Clone(o.told), func(m raft.Member) bool { return m.ID == s.id })
	}
}

// rash reports whether a server's flags have it campaign without asking first.
func (s *server) rash() bool { return s.world.options.NoPreVote != hasWord(s.flags, "prevote") }

// tame has a server that is no member, or the copy of one, ask before it campaigns from its next start on,
// and ends its run; so has it one that knows other voters than there are. Without that it may keep the others
// from electing for as long as they do not know of its removal (thesis §9.6), or as it is a little ahead of
// them with each campaign, of which it does not tell whoever could win: no cluster without pre-vote can be
// promised a leader in time while it is there.
func (w *World) tame(cause uint64, s *server) {
	latest, d := w.ledger.latest(), &w.ledger.servers[s.id-1].disk
	m, is := latest.Member(s.node)
	meant := is && s.node == s.id && (m.Incarnation == 0 || m.Incarnation == s.store.incarnation) &&
		slices.Equal(w.ledger.inForce(d, d.log).Voters, latest.Voters)
	if !s.rash() || s.tamed || meant || s.foreign != nil {
		return
	}
	if s.tamed = true; s.up() {
		s.die(cause, false, "it is to ask before it campaigns")
	}
}

// apart reports whether servers have moved that the others cannot find by themselves: one of them says where
// it is, but two do not find each other, and one that does not know somebody who may come to lead, such as
// one that joins and has not heard who the others are, cannot tell him.
func (w *World) apart() bool {
	moved := 0
	for _, s := range w.servers {
		if s.moved && s.foreign == nil {
			d := &w.ledger.servers[s.id-1].disk
			known := w.ledger.inForce(d, d.log)
			if moved++; slices.ContainsFunc(w.ledger.latest().Voters, func(id raft.NodeID) bool {
				_, is := known.Member(id)
				return !is
			}) {
				moved++
			}
		}
	}
	return moved > 1
}

// tellAddresses has every server be told, by hand, where all the others are.
func (w *World) tellAddresses() {
	var all []raft.Member
	for _, s := range w.servers {
		if s.founded && s.foreign == nil && s.node == s.id {
			all = append(all, raft.Member{ID: s.id, Address: s.address})
		}
		s.moved = false
	}
	for _, s := range w.servers {
		s.told = all
	}
}

// join gives a server that is down an empty disk, and starts it to join the cluster. Who is careful does not
// take one for it that is a member as it is.
func (w *World) join(s *server, cause uint64, op Op) {
	if s.up() || s.foreign != nil || s.node != s.id || op.Mode == "careful" && w.inUse(s) {
		return
	}
	s.founded, s.joins = true, true
	s.anew()
	s.start(cause, 0)
}

// anew gives a server that joins an empty disk: it says by itself that it knows nothing.
func (s *server) anew() {
	s.world.ledger.founds(s.id)
	s.store.disk, s.store.sealed, s.store.image = disk.NewMemory(), false, nil
	s.store.start, s.store.incarnation = 0, 0
	s.store.repair()
	s.trouble = trouble{}
	s.met = make([]raft.Acquaintance, len(s.world.servers))
}

// inUse reports whether a configuration by which something may be decided means the data directory of a
// server.
func (w *World) inUse(s *server) bool {
	return s.founded && !s.trouble.gone && slices.ContainsFunc(w.ledger.usable, func(c *standing) bool {
		m, is := c.Member(s.id)
		return is && (m.Incarnation == 0 || m.Incarnation == s.store.incarnation)
	})
}

// alone reports whether a server is the only voter by some configuration that its disk may hold in force.
func (s *server) alone() bool {
	d := &s.ledger.servers[s.id-1].disk
	return len(s.world.members.Voters) == 1 || len(s.ledger.inForce(d, d.log).Voters) == 1
}

// clone runs the copy of a server's disk beside it, as another process at an address of its own.
func (w *World) clone(s *server, cause uint64, op Op) {
	c := w.servers[op.Peer-1]
	if c.founded || s.store.image == nil || s.store.imageAlone {
		return
	}
	w.ledger.lost(c.id)
	c.store.disk, c.store.start = s.store.image.Clone(), s.store.imageStart
	c.store.incarnation = s.store.incarnation
	c.store.repair()
	c.trouble = trouble{gone: true, replaced: true, rolledBack: true}
	c.founded, c.node, c.joins = true, s.node, s.joins
	if w.mayStart(c) {
		c.start(cause, 0)
	}
}

// stray starts a node of another cluster where a server was, which is down and moves elsewhere.
func (w *World) stray(s *server, cause uint64, op Op) {
	c := w.servers[op.Peer-1]
	if c.founded || s.up() || !s.founded {
		return
	}
	f := &foreign{members: w.members.Clone(), cluster: w.cluster}
	f.cluster[0] ^= byte(c.id) // one of its own
	c.founded, c.foreign, c.node = true, f, s.node
	c.trouble.gone = true
	c.address, s.address = s.address, c.address
	w.leaves(s)
	c.ledger = newLedger(len(w.servers), f.members, w.options.Limits, w.options.remembered())
	c.ledger.servers[s.id-1].disk.gone = true // it is here that it runs
	c.start(cause, 0)
	w.saw(sawStray)
}
