package sim

import (
	"slices"

	"balsa/raft"
)

// The ideas of a swarm. Each looks for somebody to whom it can happen, and plans how it ends.

// one returns a server by chance: in a third of the cases the leader.
func (s *swarm) one() *server {
	if s.roll().below(3) == 0 {
		if l := s.leader(); l != nil {
			return l
		}
	}
	founded := s.founded()
	return founded[s.roll().below(uint64(len(founded)))]
}

// founded are the servers that have a data directory.
func (s *swarm) founded() []*server {
	return slices.DeleteFunc(slices.Clone(s.world.servers), func(o *server) bool { return !o.founded })
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

// restartMost kills a majority at once, and not all.
func restartMost(s *swarm) {
	n := len(s.world.servers)
	mode, first := [...]string{"", "power"}[s.roll().below(2)], int(s.roll().below(uint64(n)))
	for i := range n/2 + 1 {
		s.kill(s.world.servers[(first+i)%n], mode, 0)
	}
}

// killInSend ends a process when some of the messages of a moment have left and others have not.
func killInSend(s *swarm) {
	if o := s.one(); o.up() {
		s.do(Op{Kind: Kill, Node: o.id, Mode: "send", Nth: 1 + s.roll().below(20)})
		s.plan(s.soon()+Second, Op{Kind: Restart, Node: o.id})
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
	s.do(Op{Kind: Slow, Node: o.id, Value: 10 << s.roll().below(8)})
	s.plan(s.soon(), Op{Kind: Slow, Node: o.id, Value: 1})
}

// flagsOne restarts a server with other flags, as a rolling upgrade does.
func flagsOne(s *swarm) {
	o := s.one()
	mode := [...]string{"", "prevote", "checkquorum", "prevote checkquorum"}[s.roll().below(4)]
	s.do(Op{Kind: Flags, Node: o.id, Mode: mode})
	s.kill(o, "", 0)
}

// flagsAll restarts one server after the other, each with flags of its own.
func flagsAll(s *swarm) {
	in := Time(1)
	for _, o := range s.world.servers {
		mode := [...]string{"", "prevote", "checkquorum", "prevote checkquorum"}[s.roll().below(4)]
		s.plan(in, Op{Kind: Flags, Node: o.id, Mode: mode})
		s.plan(in+1, Op{Kind: Kill, Node: o.id})
		in += s.roll().between(Millisecond, Second)
		s.plan(in, Op{Kind: Restart, Node: o.id})
		in += s.roll().between(Millisecond, Second)
	}
}

// burst has clients ask many times more often for a while.
func burst(s *swarm) {
	s.do(Op{Kind: Load, Value: 10 << s.roll().below(8)})
	s.plan(s.roll().between(100*Millisecond, 5*Second), Op{Kind: Load, Value: 1})
}

func slowApply(s *swarm) {
	o := s.one()
	s.do(Op{Kind: ApplySlow, Node: o.id, Value: 100 << s.roll().below(14)})
	s.plan(s.soon(), Op{Kind: ApplySlow, Node: o.id, Value: 1})
}

// slowKeeping has all that is done with snapshots take longer than any timeout.
func slowKeeping(s *swarm) {
	o := s.one()
	s.do(Op{Kind: SnapshotSlow, Node: o.id, Value: 10 << s.roll().below(14)})
	s.plan(s.soon(), Op{Kind: SnapshotSlow, Node: o.id, Value: 1})
}

func takeOne(s *swarm) { s.do(Op{Kind: TakeSnapshot, Node: s.one().id}) }

func panicApply(s *swarm) {
	o := s.one()
	s.do(Op{Kind: ApplyPanic, Node: o.id})
	for range 3 {
		s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
	}
}

func clockRate(s *swarm) {
	o, r := s.one(), s.roll()
	rate := exact - leaseDrift + int64(r.below(2*leaseDrift+1))
	if s.world.options.ByLease > 0 && r.again().below(2) == 0 { // there clocks differ most
		rate = exact - leaseDrift + int64(r.again().again().below(2))*2*leaseDrift
	}
	s.do(Op{Kind: Clock, Node: o.id, Value: rate})
}

// freezeClock has a clock stand still for a while, nearly.
func freezeClock(s *swarm) {
	o := s.one()
	if s.world.options.ByLease > 0 {
		return
	}
	s.do(Op{Kind: Clock, Node: o.id, Value: frozen})
	s.plan(s.soon(), Op{Kind: Clock, Node: o.id, Value: exact})
}

func clockJump(s *swarm) {
	o, ahead := s.one(), s.soon()
	if s.world.options.ByLease == 0 {
		s.do(Op{Kind: Clock, Node: o.id, For: ahead})
	}
}

// wallJump sets the wall clock, which a process looks at when it starts.
func wallJump(s *swarm) {
	by := s.roll().between(Second, Hour)
	if s.roll().below(2) == 0 {
		by = -by
	}
	s.do(Op{Kind: Clock, Node: s.one().id, Mode: "wall", For: by})
}

// stallDisk has a disk stand still for a while: in half of the cases that of the leader, for so long that it
// must give up.
func stallDisk(s *swarm) {
	o, long := s.one(), s.soon()
	if leader := s.leader(); leader != nil && s.roll().below(2) == 0 {
		o, long = leader, long+2*Time(s.world.options.ElectionMax)*s.world.options.Tick
	}
	s.do(Op{Kind: DiskStall, Node: o.id, For: long})
}

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

// failStart has a call fail while a server recovers: it must refuse to start, and start when the disk is
// well.
func failStart(s *swarm) {
	o := s.one()
	if !o.up() || o.trouble.gone {
		return
	}
	mode := [...]string{"read", "open", "list", "create", "rename", "remove", "sync-directory", "write",
		"sync"}[s.roll().below(9)]
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: DiskFail, Node: o.id, Mode: mode, Nth: 1 + s.roll().below(3)})
	in := s.soon()
	s.plan(in, Op{Kind: Restart, Node: o.id})
	in += s.soon()
	s.plan(in, Op{Kind: DiskOK, Node: o.id})
	s.plan(in+Millisecond, Op{Kind: Restart, Node: o.id})
}

func fillDisk(s *swarm) {
	o := s.one()
	if !o.up() {
		return
	}
	s.do(Op{Kind: DiskFull, Node: o.id, Value: int64(s.roll().below(1 << s.roll().below(17)))})
	in := s.soon()
	s.plan(in, Op{Kind: DiskOK, Node: o.id})
	s.plan(in+Millisecond, Op{Kind: Restart, Node: o.id})
}

// mayLose reports whether the cluster survives that one more disk is gone for good.
func (s *swarm) mayLose(o *server) bool { return s.lost(o, false) }

// mayForget reports whether one more disk may remember less than it promised. Even where more may be damaged
// than can be survived, those that have forgotten must not be a majority among themselves, for nobody could
// tell them from a cluster at its beginning.
func (s *swarm) mayForget(o *server) bool { return s.lost(o, s.profile.beyond) }

// lost reports whether a disk may still be lost: without it, every configuration by which something may be
// decided has a quorum of servers that have forgotten nothing.
func (s *swarm) lost(o *server, forgotten bool) bool {
	if o.trouble.gone || o.trouble.rotten || o.trouble.repairs || !o.founded {
		return false
	}
	gone := func(m raft.Member) bool {
		t := s.world.servers[m.ID-1]
		return t == o || t.trouble.replaced ||
			m.Incarnation != 0 && m.Incarnation != t.store.incarnation ||
			!forgotten && s.world.isGone(m)
	}
	// Nobody could tell those that begin anew with the first configuration from a cluster at its beginning.
	began := 0
	for _, t := range s.world.servers {
		if !t.joins && t.foreign == nil && (t == o || t.trouble.replaced) {
			began++
		}
	}
	if 2*began >= len(s.world.members.Voters) {
		return false
	}
	return !slices.ContainsFunc(s.world.ledger.usable, func(c *standing) bool {
		return !survives(c.Configuration, gone)
	})
}

func rotDisk(s *swarm) {
	if o := s.one(); s.mayLose(o) {
		s.rot(o)
	}
}

// rotMany damages several disks at once, each in another place.
func rotMany(s *swarm) {
	for range 1 + s.roll().below(uint64(len(s.world.servers))) {
		if o := s.one(); !o.trouble.gone {
			s.rot(o)
		}
	}
}

func (s *swarm) rot(o *server) {
	if !s.world.reminded(o) {
		return
	}
	mode := [...]string{"flip", "zero", "truncate", "lose", "misdirect", "stale"}[s.roll().below(6)]
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Rot, Node: o.id, Mode: mode, Nth: uint64(s.roll())})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}

// wipeDisk gives a server an empty disk, when all the others know the one that it had.
func wipeDisk(s *swarm) {
	o := s.one()
	if !s.mayForget(o) || o.trouble.gone || !s.world.known(o, 0) {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Wipe, Node: o.id})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}
