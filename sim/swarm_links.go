package sim

import "balsa/raft"

// between are all links between two groups, one way.
func (s *swarm) between(from, to func(raft.NodeID) bool) (links []Link) {
	for _, a := range s.world.servers {
		for _, b := range s.world.servers {
			if a != b && from(a.id) && to(b.id) {
				links = append(links, Link{From: a.id, To: b.id})
			}
		}
	}
	return links
}

// cut cuts links for a while. It mends exactly those, so that two cuts may overlap.
func (s *swarm) cut(shape string, links ...[]Link) {
	var all []Link
	for _, l := range links {
		all = append(all, l...)
	}
	if len(all) == 0 {
		return
	}
	s.do(Op{Kind: Cut, Mode: shape, Links: all})
	s.plan(s.soon(), Op{Kind: Heal, Links: all})
}

func only(o *server) func(raft.NodeID) bool   { return func(id raft.NodeID) bool { return id == o.id } }
func allBut(o *server) func(raft.NodeID) bool { return func(id raft.NodeID) bool { return id != o.id } }

func isolateOne(s *swarm) {
	o := s.one()
	s.cut("isolate", s.between(only(o), allBut(o)), s.between(allBut(o), only(o)))
}

// some is a set of servers by chance.
func (s *swarm) some() func(raft.NodeID) bool {
	mask := uint64(s.roll())
	return func(id raft.NodeID) bool { return mask>>id&1 == 1 }
}

func inverse(of func(raft.NodeID) bool) func(raft.NodeID) bool {
	return func(id raft.NodeID) bool { return !of(id) }
}

func cutHalves(s *swarm) {
	a := s.some()
	s.cut("halves", s.between(a, inverse(a)), s.between(inverse(a), a))
}

func cutOneWay(s *swarm) {
	a := s.some()
	s.cut("one-way", s.between(a, inverse(a)))
}

// cutBridge leaves one server that hears both halves.
func cutBridge(s *swarm) {
	bridge, a := s.one(), s.some()
	left := func(id raft.NodeID) bool { return id != bridge.id && a(id) }
	right := func(id raft.NodeID) bool { return id != bridge.id && !a(id) }
	s.cut("bridge", s.between(left, right), s.between(right, left))
}

// cutRing leaves each server its neighbours in a ring, and so another majority than each other one has.
func cutRing(s *swarm) {
	n := len(s.world.servers)
	if n < 4 {
		return
	}
	var links []Link
	for a := range n {
		for b := range n {
			if apart := (a - b + n) % n; apart > 1 && apart < n-1 {
				links = append(links, Link{From: raft.NodeID(a + 1), To: raft.NodeID(b + 1)})
			}
		}
	}
	s.cut("ring", links)
}

// muteLeader lets a leader hear and not be heard; deafLeader the other way round.
func muteLeader(s *swarm) {
	if l := s.leader(); l != nil {
		s.cut("leader-mute", s.between(only(l), allBut(l)))
	}
}

func deafLeader(s *swarm) {
	if l := s.leader(); l != nil {
		s.cut("leader-deaf", s.between(allBut(l), only(l)))
	}
}

func clogLinks(s *swarm) {
	a, b := s.some(), s.some()
	if links := s.between(a, b); len(links) > 0 {
		s.do(Op{Kind: Clog, Links: links, For: s.roll().between(Millisecond, 5*Second)})
	}
}

// swizzle clogs one server after the other, and lets them go in another order.
func swizzle(s *swarm) {
	in := Time(0)
	if len(s.world.servers) == 1 {
		return
	}
	for range len(s.world.servers) {
		o := s.one()
		in += s.roll().between(Millisecond, Second)
		s.plan(
			in,
			Op{
				Kind:  Clog,
				Mode:  "swizzle",
				Links: append(s.between(only(o), allBut(o)), s.between(allBut(o), only(o))...),
				For:   s.roll().between(Second, 5*Second),
			},
		)
	}
}

// wideArea has the servers stand far apart for a while: each link has a delay of its own, and there and back
// take different times.
func wideArea(s *swarm) {
	in := s.roll().between(Second, Minute)
	for _, a := range s.world.servers {
		for _, b := range s.world.servers {
			if a != b {
				l := []Link{{From: a.id, To: b.id}}
				s.do(Op{Kind: Lag, Links: l, For: s.roll().between(5*Millisecond, 150*Millisecond)})
				s.plan(in, Op{Kind: Lag, Links: l})
			}
		}
	}
}

// slowLinks has one server hear late what the others say, or be heard late.
func slowLinks(s *swarm) {
	o := s.one()
	links := s.between(only(o), allBut(o))
	if s.roll().below(2) == 0 {
		links = s.between(allBut(o), only(o))
	}
	if len(links) > 0 {
		s.do(Op{Kind: Lag, Links: links, For: s.roll().between(Millisecond, 3*Second)})
		s.plan(s.soon(), Op{Kind: Lag, Links: links})
	}
}
