package sim

import (
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
)

// The ideas of administrators: who joins, who leaves, who has a vote, who leads, and where servers are. Each
// looks at the configuration that is in force at the leader, and wants something of it that makes sense. What
// it asks may be refused, or its answer lost with the leader; it asks for the next thing all the same.

// members is the configuration in force at whoever leads, or else the latest that is committed.
func (s *swarm) members() raft.Configuration {
	l := s.world.ledger
	if leader := s.world.leads(); leader != nil {
		o := &l.servers[leader.id-1]
		return l.inForce(&o.disk, o.log).Configuration
	}
	return l.latest().Configuration
}

// ask has the leader of the moment asked, in a while.
func (s *swarm) ask(in Time, format string, args ...any) {
	s.plan(in, Op{Kind: Change, Mode: "careful", Text: fmt.Sprintf(format, args...)})
}

// pick returns one of some ids by chance; raft.None if there is none.
func (s *swarm) pick(ids []raft.NodeID) raft.NodeID {
	if len(ids) == 0 {
		return raft.None
	}
	return ids[s.roll().below(uint64(len(ids)))]
}

// outside are the servers that could join: they are no members, and no others' copies.
func (s *swarm) outside(founded bool) (ids []raft.NodeID) {
	c := s.members()
	for _, o := range s.world.servers {
		_, is := c.Member(o.id)
		if !is && o.founded == founded && o.node == o.id && o.foreign == nil {
			ids = append(ids, o.id)
		}
	}
	return ids
}

// addOne has a spare join, or one that was removed join anew, and become a voter in the end.
func addOne(s *swarm) {
	id := s.pick(s.outside(false))
	if id == raft.None || s.roll().below(2) == 0 {
		if again := s.pick(s.outside(true)); again != raft.None && s.mayForgetOutsider(again) {
			s.do(Op{Kind: Kill, Node: again})
			id = again
		}
	}
	if id == raft.None {
		return
	}
	s.do(Op{Kind: Join, Node: id})
	in := s.soon()
	for range 3 {
		s.ask(in, "add %v", id)
		in += s.soon()
	}
	if s.roll().below(4) > 0 {
		s.promoteIn(in, id)
	}
}

// mayForgetOutsider reports whether the disk of a server that is no member may be emptied.
func (s *swarm) mayForgetOutsider(id raft.NodeID) bool {
	o := s.world.servers[id-1]
	return !o.trouble.rotten && (o.trouble.gone || s.world.known(o, 0)) && s.noneMeans(id)
}

// noneMeans reports whether no configuration by which something may be decided names a server.
func (s *swarm) noneMeans(id raft.NodeID) bool {
	return !slices.ContainsFunc(s.world.ledger.usable, func(c *standing) bool {
		_, is := c.Member(id)
		return is
	})
}

func (s *swarm) promoteIn(in Time, id raft.NodeID) {
	for range 4 {
		s.ask(in, "promote %v", id)
		in += s.soon()
	}
}

func promoteOne(s *swarm) {
	if id := s.pick(s.members().Learners); id != raft.None {
		s.promoteIn(1, id)
	}
}

func demoteOne(s *swarm) {
	if id := s.pick(s.members().Voters); id != raft.None {
		s.ask(1, "demote %v", id)
		s.promoteIn(s.soon(), id)
	}
}

// removeOne removes a member: in a third of the cases the leader, often one that is cut off, and now and then
// one that never learns of it.
func removeOne(s *swarm) {
	c := s.members()
	id := s.pick(slices.Concat(c.Voters, c.Learners))
	if leader := s.leader(); leader != nil && s.roll().below(3) == 0 {
		id = leader.id
	}
	if id == raft.None || len(c.Voters) < 2 {
		return
	}
	if o := s.world.servers[id-1]; s.roll().below(3) == 0 {
		s.cut("isolate", s.between(only(o), allBut(o)), s.between(allBut(o), only(o)))
	}
	s.ask(1+s.roll().below2(s.soon()), "remove %v", id)
	s.ask(s.soon(), "remove %v", id)
}

// below2 is nothing in half of the cases.
func (r roll) below2(t Time) Time {
	if r.below(2) == 0 {
		return 0
	}
	return t
}

// changeMany changes several voters at once.
func changeMany(s *swarm) {
	c := s.members()
	var words []string
	for _, id := range c.Learners {
		if s.roll().below(3) > 0 {
			words = append(words, fmt.Sprintf("promote %v", id))
		}
	}
	for _, id := range c.Voters {
		switch s.roll().below(4) {
		case 0:
			words = append(words, fmt.Sprintf("remove %v", id))
		case 1:
			words = append(words, fmt.Sprintf("demote %v", id))
		}
	}
	if len(words) > 0 {
		in := Time(1)
		for range 2 {
			s.ask(in, "%s", strings.Join(words, " "))
			in += s.soon()
		}
	}
}

// changeInSnapshot changes a member while somebody takes a snapshot, or is sent one.
func changeInSnapshot(s *swarm) {
	o := s.one()
	s.do(Op{Kind: SnapshotSlow, Node: o.id, Value: 10 << s.roll().below(10)})
	s.plan(s.soon()+Second, Op{Kind: SnapshotSlow, Node: o.id, Value: 1})
	s.do(Op{Kind: TakeSnapshot, Node: o.id})
	switch s.roll().below(3) {
	case 0:
		removeOne(s)
	case 1:
		demoteOne(s)
	default:
		addOne(s)
	}
}

// forceOne changes the voters whatever they answer.
func forceOne(s *swarm) {
	if id := s.pick(s.members().Learners); id != raft.None {
		s.ask(1, "promote %v force", id)
	} else if id := s.pick(s.members().Voters); id != raft.None && len(s.members().Voters) > 1 {
		s.ask(1, "remove %v force", id)
	}
}

func switchPromotion(s *swarm) {
	s.ask(1, "auto %s", [...]string{"on", "off"}[s.roll().below(2)])
}

// transferOne hands leadership over, now and then several times at once, and to somebody who cannot take it.
func transferOne(s *swarm) {
	for range 1 + s.roll().below(3) {
		to := raft.None
		if s.roll().below(2) == 0 {
			to = s.one().id
		}
		s.plan(1+s.roll().below2(s.roll().between(Millisecond, Second)), Op{Kind: Transfer, Peer: to})
	}
}

// replaceOne wipes the disk of a member, and has the administrator do what is to be done about it.
func replaceOne(s *swarm) {
	m := s.toReplace()
	o, id := s.world.servers[max(m.ID, 1)-1], m.ID
	if id == raft.None || !o.trouble.gone && (!s.mayForget(o) || !s.world.known(o, 0)) {
		return
	}
	s.do(Op{Kind: Kill, Node: id, Mode: "power"})
	s.do(Op{Kind: Wipe, Node: id})
	in := s.soon()
	if s.roll().below(2) == 0 { // under its old command line
		s.plan(in, Op{Kind: Restart, Node: id})
		in += s.soon()
	}
	for range 2 {
		s.ask(in, "remove %v", id)
		in += s.soon()
	}
	s.plan(in, Op{Kind: Kill, Node: id})
	s.plan(in+1, Op{Kind: Join, Node: id, Mode: "careful"})
	s.plan(in+2, Op{Kind: Restart, Node: id})
	for range 2 {
		in += s.soon()
		s.ask(in, "add %v", id)
	}
	s.promoteIn(in+s.soon(), id)
}

// toReplace is a member whose data directory the latest committed configuration names: one that is gone, if
// there is any.
func (s *swarm) toReplace() (chosen raft.Member) {
	for _, m := range s.world.ledger.latest().Members {
		gone := s.world.isGone(m)
		if m.Incarnation == 0 || gone && !s.world.servers[m.ID-1].trouble.gone {
			continue
		}
		if chosen.ID == raft.None || gone || s.roll().below(3) == 0 {
			chosen = m
		}
		if gone {
			break
		}
	}
	return chosen
}

// moveOne has a server come back at another address, that of somebody else who is down, or a new one.
func moveOne(s *swarm) {
	o := s.one()
	if o.node != o.id || o.foreign != nil {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id})
	s.do(Op{Kind: Move, Node: o.id, Text: s.address()})
	in := s.soon()
	s.plan(in, Op{Kind: Restart, Node: o.id})
	if s.roll().below(2) == 0 {
		s.ask(in+s.soon(), "update %v", o.id)
	}
}

func (s *swarm) address() string { return fmt.Sprintf("a%d", s.roll().below(12)) }

// moveAll starts the whole cluster at new addresses, of which everybody is told.
func moveAll(s *swarm) {
	for _, o := range s.founded() {
		s.do(Op{Kind: Kill, Node: o.id})
	}
	for _, o := range s.founded() {
		s.do(Op{Kind: Move, Node: o.id, Text: s.address(), Mode: "told"})
	}
	for _, o := range s.founded() {
		s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
	}
}

// spare is one that has no data directory; nil if there is none.
func (s *swarm) spare() *server {
	if id := s.pick(s.outside(false)); id != raft.None {
		return s.world.servers[id-1]
	}
	return nil
}

// strayOne has a node of another cluster stand where a server was.
func strayOne(s *swarm) {
	o, c := s.one(), s.spare()
	if c == nil || o.foreign != nil || o.node != o.id {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id})
	s.do(Op{Kind: Stray, Node: o.id, Peer: c.id})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}
