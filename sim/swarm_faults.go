package sim

import "balsa/raft"

// The ideas of a swarm. Each looks for somebody to whom it can happen, and plans how it ends.

// one returns a server by chance: in a third of the cases the leader.
func (s *swarm) one() *server {
	if s.roll().below(3) == 0 {
		if l := s.leader(); l != nil {
			return l
		}
	}
	return s.world.servers[s.roll().below(uint64(len(s.world.servers)))]
}

// leader returns a server that leads, or thinks so.
func (s *swarm) leader() *server {
	for _, o := range s.world.servers {
		if o.up() && o.sight.role == raft.Leader {
			return o
		}
	}
	return nil
}

// soon is a time in which something may recover, be it a moment or half a minute.
func (s *swarm) soon() Time { return s.roll().between(Millisecond, 30*Second) >> s.roll().below(8) }

func killOne(s *swarm)   { s.kill(s.one(), "", 0) }
func killPower(s *swarm) { s.kill(s.one(), "power", 0) }

// killInCall ends a process in the middle of one of its next calls of the disk.
func killInCall(s *swarm) {
	mode := [...]string{"", "power"}[s.roll().below(2)]
	s.kill(s.one(), mode, 1+s.roll().below(40))
}

func (s *swarm) kill(o *server, mode string, nth uint64) {
	if !o.up() {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: mode, Nth: nth})
	for in := s.soon(); ; in += s.soon() { // twice, as it may not be down by then
		s.plan(in, Op{Kind: Restart, Node: o.id})
		if nth == 0 || in > Minute {
			return
		}
	}
}

// restartAll kills every process at once.
func restartAll(s *swarm) {
	mode := [...]string{"", "power"}[s.roll().below(2)]
	for _, o := range s.world.servers {
		s.kill(o, mode, 0)
	}
}

// crashLoop has a server lose its power again and again while it recovers.
func crashLoop(s *swarm) {
	o := s.one()
	if !o.up() {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	in := s.soon()
	for range 1 + s.roll().below(5) {
		s.plan(in, Op{Kind: Restart, Node: o.id, Nth: 1 + s.roll().below(30)})
		in += s.roll().between(Millisecond, Second)
	}
	s.plan(in, Op{Kind: Restart, Node: o.id})
}

func stallOne(s *swarm) {
	o := s.one()
	s.do(Op{Kind: Stall, Node: o.id})
	s.plan(s.roll().between(Millisecond, Minute)>>s.roll().below(8), Op{Kind: Resume, Node: o.id})
}

func slowOne(s *swarm) {
	o := s.one()
	s.do(Op{Kind: Slow, Node: o.id, Value: 10 << s.roll().below(7)})
	s.plan(s.soon(), Op{Kind: Slow, Node: o.id, Value: 1})
}

// flagsOne restarts a server with other flags, as a rolling upgrade does.
func flagsOne(s *swarm) {
	o := s.one()
	mode := [...]string{"", "prevote", "checkquorum", "prevote checkquorum"}[s.roll().below(4)]
	s.do(Op{Kind: Flags, Node: o.id, Mode: mode})
	s.kill(o, "", 0)
}

func slowApply(s *swarm) {
	o := s.one()
	s.do(Op{Kind: ApplySlow, Node: o.id, Value: 100 << s.roll().below(14)})
	s.plan(s.soon(), Op{Kind: ApplySlow, Node: o.id, Value: 1})
}

func panicApply(s *swarm) {
	o := s.one()
	s.do(Op{Kind: ApplyPanic, Node: o.id})
	for range 3 {
		s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
	}
}

func clockRate(s *swarm) {
	o := s.one()
	s.do(Op{Kind: Clock, Node: o.id, Value: 800_000 + int64(s.roll().below(400_001))})
}

func clockJump(s *swarm) { s.do(Op{Kind: Clock, Node: s.one().id, For: s.soon()}) }

// wallJump sets the wall clock, which a process looks at when it starts.
func wallJump(s *swarm) {
	by := s.roll().between(Second, Hour)
	if s.roll().below(2) == 0 {
		by = -by
	}
	s.do(Op{Kind: Clock, Node: s.one().id, Mode: "wall", For: by})
}

func stallDisk(s *swarm) { s.do(Op{Kind: DiskStall, Node: s.one().id, For: s.soon()}) }
func failWrite(s *swarm) { s.failDisk("write") }
func failSync(s *swarm)  { s.failDisk("sync") }

// failDisk has a call fail: the process must stop.
func (s *swarm) failDisk(mode string) {
	o := s.one()
	if !o.up() {
		return
	}
	s.do(Op{Kind: DiskFail, Node: o.id, Mode: mode, Nth: 1 + s.roll().below(20)})
	in := s.soon()
	s.plan(in, Op{Kind: DiskOK, Node: o.id})
	s.plan(in+Millisecond, Op{Kind: Restart, Node: o.id})
}

func fillDisk(s *swarm) {
	o := s.one()
	if !o.up() {
		return
	}
	s.do(Op{Kind: DiskFull, Node: o.id, Value: int64(s.roll().below(64 << 10))})
	in := s.soon()
	s.plan(in, Op{Kind: DiskOK, Node: o.id})
	s.plan(in+Millisecond, Op{Kind: Restart, Node: o.id})
}

// mayLose reports whether the cluster survives that one more disk is gone for good.
func (s *swarm) mayLose(o *server) bool {
	gone := 0
	for _, o := range s.world.servers {
		if o.trouble.gone || o.trouble.rotten {
			gone++
		}
	}
	return !o.trouble.gone && !o.trouble.rotten && 2*(gone+1) < len(s.world.servers)
}

func rotDisk(s *swarm) {
	o := s.one()
	if !s.mayLose(o) {
		return
	}
	mode := [...]string{"flip", "zero", "truncate", "lose", "misdirect"}[s.roll().below(5)]
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Rot, Node: o.id, Mode: mode, Nth: uint64(s.roll())})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}

// wipeDisk gives a server an empty disk, when all the others know the one that it had.
func wipeDisk(s *swarm) {
	o := s.one()
	if !s.mayLose(o) || !s.world.known(o, 0) {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Wipe, Node: o.id})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}

// rollBack keeps a copy of a disk, and puts it back when the others have met what came after it.
func rollBack(s *swarm) {
	o := s.one()
	if o.store.image == nil {
		s.do(Op{Kind: Image, Node: o.id})
		return
	}
	if !s.mayLose(o) || !s.world.known(o, o.store.imageStart+1) {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Rollback, Node: o.id})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}

// links are all links between two groups, one way.
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
