package replica

import (
	"cmp"
	"slices"
	"testing"

	"balsa/raft"
)

// company is a few servers by id, each with its disk, and a network that brings everything at once. What a
// test does with disks, lives and links is its own.
type company struct {
	t        *testing.T
	founders int
	servers  []*bench // sorted by id; those that run
	cut      func(from, to raft.NodeID) bool
	seen     func(raft.Envelope)
	now      raft.Time
	tickets  raft.Ticket
}

// volume is the data directory of a server.
type volume struct {
	log   *modelLog
	disk  *modelSnapshots
	self  raft.Identity // of the latest start
	joins bool
}

// found makes the data directory of a server that has met nobody.
func found(id raft.NodeID, incarnation raft.Incarnation, joins bool) *volume {
	who := identity(id)
	who.Incarnation, who.Start, who.Version = incarnation, 0, 1
	who.Address, who.API = "server:"+id.String(), "http://server:"+id.String()
	return &volume{log: &modelLog{}, disk: &modelSnapshots{}, self: who, joins: joins}
}

// clone is a copy of a data directory as it is now.
func (v *volume) clone() *volume {
	c := *v
	log, disk := *v.log, *v.disk
	log.entries, log.peers = slices.Clone(v.log.entries), slices.Clone(v.log.peers)
	disk.kept = slices.Clone(v.disk.kept)
	c.log, c.disk = &log, &disk
	return &c
}

// gather makes a cluster of founders, with the incarnations of identity, and starts it.
func gather(t *testing.T, founders int) *company {
	t.Helper()
	c := &company{t: t, founders: founders, now: 1000 * aTick}
	for id := raft.NodeID(1); id <= raft.NodeID(founders); id++ {
		c.start(found(id, identity(id).Incarnation, false))
	}
	return c
}

// start starts a server from its data directory, and ends whatever ran under its id.
func (c *company) start(v *volume, change ...func(*Config)) *bench {
	c.t.Helper()
	v.self.Start++
	id := v.self.Node
	members := voters(c.founders)
	if v.joins {
		members = raft.Configuration{}
	}
	restored, err := Recover(members, v.log.state, v.log.base, slices.Clone(v.log.entries), v.disk.List())
	if err != nil {
		c.t.Fatal(err)
	}
	restored.Joins = v.joins
	config := Config{
		Core: raft.Config{ID: id, Heartbeat: 2, ElectionMin: 5, ElectionMax: 10, Seed: uint64(id),
			Events: true},
		Identity: v.self, Tick: aTick, Peers: v.log.peers, Snapshots: true,
	}
	for _, f := range change {
		f(&config)
	}
	r, err := New(config, restored)
	if err != nil {
		c.t.Fatal(err)
	}
	machine := &recorder{}
	b := &bench{Replica: r, t: c.t, now: c.now, log: v.log, machine: machine, front: NewMachine(machine),
		others: others{disk: v.disk}}
	c.end(id)
	c.servers = append(c.servers, b)
	slices.SortFunc(c.servers, func(a, b *bench) int { return cmp.Compare(a.id(), b.id()) })
	return b
}

func (b *bench) id() raft.NodeID { return b.config.Identity.Node }

// end ends a server, as a crash does.
func (c *company) end(id raft.NodeID) {
	c.servers = slices.DeleteFunc(c.servers, func(b *bench) bool { return b.id() == id })
}

func (c *company) server(id raft.NodeID) *bench {
	for _, b := range c.servers {
		if b.id() == id {
			return b
		}
	}
	return nil
}

// pass lets ticks go by, in each of which everything is done and delivered.
func (c *company) pass(ticks int) {
	c.t.Helper()
	for range ticks {
		c.now += aTick
		for _, b := range c.servers {
			b.now = c.now
			b.do(Awake{})
		}
		c.calm()
	}
}

// calm does and delivers all that is to be.
func (c *company) calm() {
	c.t.Helper()
	for round := 0; ; round++ {
		if round > 1000 {
			c.t.Fatal("the servers never come to rest")
		}
		var mail []raft.Envelope
		for _, b := range c.servers {
			b.settle()
			mail, b.sent = append(mail, b.sent...), nil
		}
		for _, e := range mail {
			if c.seen != nil {
				c.seen(e)
			}
			if b := c.server(e.To); b != nil && (c.cut == nil || !c.cut(e.From.Node, e.To)) {
				b.do(Received{e})
			}
		}
		if len(mail) == 0 {
			return
		}
	}
}

// leader lets time pass until somebody leads whom everybody that runs and is a member follows.
func (c *company) leader() *bench {
	c.t.Helper()
	for range 200 {
		for _, b := range c.servers {
			if b.core.Role() == raft.Leader && b.Failure() == nil {
				return b
			}
		}
		c.pass(1)
	}
	c.t.Fatal("nobody leads")
	return nil
}

// settled lets time pass until the configuration of the leader names everybody.
func (c *company) settled() *bench {
	c.t.Helper()
	for range 300 {
		l := c.leader()
		members, index := l.core.MembersAt(l.core.Commit())
		unnamed := slices.ContainsFunc(members.Members,
			func(m raft.Member) bool { return m.Incarnation == 0 })
		if index > 0 && !unnamed && !members.Joint() {
			return l
		}
		c.pass(1)
	}
	c.t.Fatal("the members are not named")
	return nil
}

// change has the leader change the membership, and waits for the answer.
func (c *company) change(change raft.Change) Answer {
	c.t.Helper()
	c.tickets++
	l := c.leader()
	l.do(ChangeAsked{Ticket: c.tickets, Change: change})
	return c.await(l, c.tickets)
}

func (c *company) await(b *bench, ticket raft.Ticket) Answer {
	c.t.Helper()
	for range 300 {
		for _, a := range b.answers {
			if a.Ticket == ticket {
				return a
			}
		}
		c.pass(1)
	}
	c.t.Fatalf("server %v does not answer ticket %d", b.id(), ticket)
	return Answer{}
}

// must fails the test unless the change is done.
func (c *company) must(change raft.Change) Answer {
	c.t.Helper()
	a := c.change(change)
	if a.Fate != Done {
		c.t.Fatalf("the change %+v ends as %+v", change, a)
	}
	return a
}

// serves demands that the cluster carries out a command.
func (c *company) serves() {
	c.t.Helper()
	for range 5 {
		c.tickets++
		l := c.leader()
		l.do(Proposed{Ticket: c.tickets, Command: []byte("x"), Local: true})
		if a := c.await(l, c.tickets); a.Fate == Done {
			return
		}
		c.pass(20)
	}
	c.t.Fatal("the cluster carries out no command")
}
