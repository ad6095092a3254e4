package raft_test

import (
	"cmp"
	"slices"
	"testing"

	"balsa/raft"
)

// Servers with clocks of their own, for what is promised in ticks and measured by the clock. Real time is
// that of the test. Each server's clock runs at its own rate; a server takes its ticks by that, those that
// are due before anything else. A message arrives in the instant in which it was sent, unless the test says
// otherwise; a disk has at once what is written, unless it is slow. Elections begin when the test says so.

// The timing of clocked servers: a tick takes a thousand units by a clock.
const (
	clockedTick      = 1000
	clockedHeartbeat = 3
	clockedMin       = 10
	clockedMax       = 20
	clockedRates     = 1_000_000 // a clock of this rate runs with real time
)

type clocked struct {
	t       *testing.T
	now     int64 // real time
	members raft.Configuration
	servers []*clockedServer // by id, from 1 on
	mail    []clockedLetter
	held    []clockedLetter
	cut     map[[2]raft.NodeID]bool
	hold    func(clockedLetter) bool // which messages wait; nil: none
	tickets raft.Ticket
	elected map[raft.Term]raft.NodeID
}

type clockedServer struct {
	id     raft.NodeID
	core   *raft.Core
	rate   int64
	began  int64 // what its clock shows at real time 0
	due    raft.Time
	start  uint64
	disk   raft.Restored
	slow   bool // its disk acknowledges nothing
	late   bool // it takes no ticks, and nothing from others
	min    int  // its ElectionMin; 0: clockedMin
	timer  bool // it campaigns by itself
	writes []raft.Output
	read   map[raft.Ticket]raft.Reading
	answer map[raft.Ticket]raft.Answer
	events []raft.Event
}

type clockedLetter struct {
	from, to raft.NodeID
	start    uint64
	sequence raft.Sequence
	message  raft.Message
}

// newClocked makes servers whose bootstrap configuration names the first of them as voters and knows of
// leases, with that bound on drift.
func newClocked(t *testing.T, servers, voters int, drift uint32) *clocked {
	c := &clocked{t: t, cut: map[[2]raft.NodeID]bool{}, elected: map[raft.Term]raft.NodeID{}}
	addresses := map[raft.NodeID]string{}
	for id := 1; id <= voters; id++ {
		addresses[raft.NodeID(id)] = "here"
	}
	c.members = raft.NewConfiguration(addresses)
	c.members.Version, c.members.LeaseDrift = 1, drift
	if drift > 0 {
		c.members.LeaseTime = clockedMin * clockedTick
	}
	for id := raft.NodeID(1); id <= raft.NodeID(servers); id++ {
		s := &clockedServer{id: id, rate: clockedRates, began: 1e9 * int64(id),
			disk: raft.Restored{Members: c.members}}
		if int(id) > voters {
			s.disk.Members, s.disk.Joins = raft.Configuration{}, true
		}
		c.servers = append(c.servers, s)
		c.boot(id)
	}
	return c
}

func (c *clocked) at(id raft.NodeID) *clockedServer { return c.servers[id-1] }

// boot starts a server, again perhaps, with what its disk has.
func (c *clocked) boot(id raft.NodeID) {
	s := c.at(id)
	s.start++
	s.disk.Start = s.start
	s.writes = nil
	s.read, s.answer = map[raft.Ticket]raft.Reading{}, map[raft.Ticket]raft.Answer{}
	least := cmp.Or(s.min, clockedMin)
	most := least + clockedMax - clockedMin
	if s.timer {
		most = least // as soon as it can
	}
	core, err := raft.New(raft.Config{ID: id, ElectionMin: least, ElectionMax: most,
		Heartbeat: clockedHeartbeat, Tick: clockedTick, Seed: uint64(id), Events: true,
		NoElectionTimer: !s.timer, Limits: raft.Limits{Version: 1, SnapshotBytes: -1}}, s.disk)
	if err != nil {
		c.t.Fatal(err)
	}
	s.core, s.due = core, s.shows(c.now)+clockedTick
}

// shows is what the server's clock shows at a real time.
func (s *clockedServer) shows(now int64) raft.Time {
	return raft.Time(s.began + now*s.rate/clockedRates)
}

// step lets a server take what is due, and then an input.
func (c *clocked) step(id raft.NodeID, in raft.Input) {
	s := c.at(id)
	for now := s.shows(c.now); s.due <= now; s.due += clockedTick {
		s.core.Step(s.due, raft.Tick{})
		c.collect(s)
	}
	if in != nil {
		c.onlyStep(id, in)
	}
}

// onlyStep gives a server an input without what is due: as if its ticks came late.
func (c *clocked) onlyStep(id raft.NodeID, in raft.Input) {
	s := c.at(id)
	s.core.Step(s.shows(c.now), in)
	c.collect(s)
}

func (c *clocked) collect(s *clockedServer) {
	out := s.core.Output()
	s.core.Audit()
	for _, e := range out.Events {
		if e, is := e.(raft.BecameLeader); is {
			c.elected[e.Term] = s.id
		}
	}
	s.events = append(s.events, out.Events...)
	for _, l := range out.Messages {
		c.mail = append(c.mail, clockedLetter{s.id, l.To, s.start, l.Sequence, l.Message})
	}
	for _, r := range out.Readings {
		s.read[r.Ticket] = r
	}
	for _, a := range out.Answers {
		s.answer[a.Ticket] = a
	}
	if out.Write > 0 {
		if s.writes = append(s.writes, out); !s.slow {
			c.persist(s.id)
		}
	}
}

// persist lets a disk have what was written.
func (c *clocked) persist(id raft.NodeID) {
	s := c.at(id)
	for len(s.writes) > 0 {
		w := s.writes[0]
		s.writes = s.writes[1:]
		if w.HardState != nil {
			s.disk.HardState = *w.HardState
		}
		if len(w.Entries) > 0 {
			kept := s.disk.Entries[:w.Entries[0].Index-1]
			s.disk.Entries = append(slices.Clone(kept), w.Entries...)
		}
		c.onlyStep(id, raft.Persisted{Write: w.Write})
	}
}

// deliver delivers everything, until nothing is on its way.
func (c *clocked) deliver() {
	for len(c.mail) > 0 {
		l := c.mail[0]
		c.mail = c.mail[1:]
		switch {
		case c.cut[[2]raft.NodeID{l.from, l.to}]:
		case c.hold != nil && c.hold(l) || c.at(l.to).late:
			c.held = append(c.held, l)
		default:
			c.step(l.to, l.received())
		}
	}
}

func (l clockedLetter) received() raft.Receive {
	return raft.Receive{From: l.from, Start: l.start, Sequence: l.sequence, Message: l.message}
}

// release lets what was held arrive, and holds no more.
func (c *clocked) release() {
	c.hold = nil
	c.mail, c.held = append(c.mail, c.held...), nil
	c.deliver()
}

// pass lets real time pass, a twentieth of a tick at a time, until something has come about.
func (c *clocked) pass(ticks int, until func() bool) {
	for range ticks * 20 {
		if until() {
			return
		}
		c.now += clockedTick / 20
		for _, s := range c.servers {
			if !s.late {
				c.step(s.id, nil)
			}
		}
		c.deliver()
	}
}

// beat lets time pass until a leader has sent a heartbeat and everybody has answered.
func (c *clocked) beat(leader raft.NodeID) {
	sent := false
	c.hold = func(l clockedLetter) bool {
		m, is := l.message.(raft.AppendEntries)
		sent = sent || is && l.from == leader && len(m.Entries) == 0
		return false
	}
	c.pass(2*clockedHeartbeat, func() bool { return sent })
	c.hold = nil
}

func (c *clocked) wait(ticks int) { c.pass(ticks, func() bool { return false }) }

// isolate cuts all links of servers to the others.
func (c *clocked) isolate(ids ...raft.NodeID) {
	for _, s := range c.servers {
		for _, id := range ids {
			if !slices.Contains(ids, s.id) {
				c.cut[[2]raft.NodeID{id, s.id}], c.cut[[2]raft.NodeID{s.id, id}] = true, true
			}
		}
	}
}

// rule makes a server the leader, and lets everybody follow it for a while.
func (c *clocked) rule(id raft.NodeID) {
	c.t.Helper()
	c.pass(10*clockedMax, func() bool {
		c.step(id, raft.ElectionTimeout{})
		c.deliver()
		return c.at(id).core.Role() == raft.Leader
	})
	c.wait(2 * clockedHeartbeat)
	if c.at(id).core.Role() != raft.Leader {
		c.t.Fatalf("server %d does not lead: %+v", id, c.at(id).core.Status())
	}
}

// ask asks a server for an index to read at, and returns what it says at once; nil: nothing yet.
func (c *clocked) ask(id raft.NodeID, lease bool) *raft.Reading {
	c.tickets++
	c.onlyStep(id, raft.ReadIndex{Ticket: c.tickets, Lease: lease})
	if r, answered := c.at(id).read[c.tickets]; answered {
		return &r
	}
	return nil
}

// leased reports whether a server serves a read by its lease.
func (c *clocked) leased(id raft.NodeID) bool {
	c.t.Helper()
	says := c.at(id).core.HoldsLease()
	r := c.ask(id, true)
	served := r != nil && r.Refusal == raft.Accepted
	if served != c.at(id).core.HoldsLease() || !says && served {
		c.t.Errorf("server %d serves a read by lease: %v; it says that it may: %v, before %v", id, served,
			c.at(id).core.HoldsLease(), says)
	}
	return served
}

func (c *clocked) change(id raft.NodeID, change raft.Change) raft.Refusal {
	c.tickets++
	c.step(id, raft.ChangeMembership{Ticket: c.tickets, Change: change})
	return c.at(id).answer[c.tickets].Refusal
}

// isOrder reports whether a message tells its receiver to campaign.
func isOrder(l clockedLetter) bool {
	_, is := l.message.(raft.TimeoutNow)
	return is
}
