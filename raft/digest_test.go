package raft

import "testing"

// TestDigestSeesMembersAndTransfers changes one field at a time.
func TestDigestSeesMembersAndTransfers(t *testing.T) {
	demandDigestSees(t, map[string]func(*Core){
		"members":         func(c *Core) { c.members.Voters = c.members.Voters[:2] },
		"members' entry":  func(c *Core) { c.members.index++ },
		"cluster version": func(c *Core) { c.members.Version++ },
		"earlier members": func(c *Core) { c.members.earlier = []placed{c.members.placed} },
		"handover":        func(c *Core) { c.handover.left++ },
		"heard round":     func(c *Core) { c.heardRound++ },
		"departing":       func(c *Core) { c.leading.peers[0].departing = true },
		"farewell":        func(c *Core) { c.leading.peers[0].farewell++ },
		"what was told":   func(c *Core) { c.outbox.members.index++ },
		"who left":        func(c *Core) { c.leading.peers[0].left.idle++ },
		"heard":           func(c *Core) { c.leading.peers[0].heard = true },
		"study":           func(c *Core) { c.leading.peers[0].study.close++ },
	})
}

// TestDigestSeesRepair changes one field at a time.
func TestDigestSeesRepair(t *testing.T) {
	demandDigestSees(t, map[string]func(*Core){
		"repair":     func(c *Core) { c.repair.on = true },
		"floor":      func(c *Core) { c.repair.floor++ },
		"question":   func(c *Core) { c.repair.number++ },
		"wait":       func(c *Core) { c.repair.wait++ },
		"fit":        func(c *Core) { c.repair.fit = true },
		"last write": func(c *Core) { c.repair.until++ },
		"others":     func(c *Core) { c.repair.others = []repairer{{id: 2}} },
		"asked":      func(c *Core) { c.leading.floors = []floorAsked{{from: 2}} },
		"peer":       func(c *Core) { c.leading.peers[0].repairs = true },
		"uncounted":  func(c *Core) { c.leading.peers[0].uncounted++ },
	})
}

// TestDigestSeesEveryFieldThatADecisionCanRestOn changes one field at a time.
func TestDigestSeesEveryFieldThatADecisionCanRestOn(t *testing.T) {
	demandDigestSees(t, map[string]func(*Core){
		"term":           func(c *Core) { c.hard.Term++ },
		"vote":           func(c *Core) { c.hard.Vote++ },
		"role":           func(c *Core) { c.role = PreCandidate },
		"leader":         func(c *Core) { c.leader++ },
		"commit index":   func(c *Core) { c.commitIndex++ },
		"applied index":  func(c *Core) { c.appliedIndex++ },
		"verified":       func(c *Core) { c.verified++ },
		"elapsed":        func(c *Core) { c.timer.elapsed++ },
		"timeout":        func(c *Core) { c.timer.timeout++ },
		"ballots":        func(c *Core) { c.ballots = []ballot{{id: 2}} },
		"match":          func(c *Core) { c.leading.peers[0].match++ },
		"next":           func(c *Core) { c.leading.peers[0].next++ },
		"on the way":     func(c *Core) { c.leading.peers[0].onTheWay[0].sequence++ },
		"closed":         func(c *Core) { c.leading.peers[0].closed++ },
		"probing":        func(c *Core) { c.leading.peers[0].probing = !c.leading.peers[0].probing },
		"busy":           func(c *Core) { c.leading.peers[0].busy = true },
		"answered round": func(c *Core) { c.leading.peers[0].round++ },
		"silent":         func(c *Core) { c.leading.peers[0].silent++ },
		"reads":          func(c *Core) { c.leading.reads = append(c.leading.reads, read{ticket: 9}) },
		"load":           func(c *Core) { c.load.unapplied++ },
		"ticks waited":   func(c *Core) { c.outbox.waited++ },
		"told":           func(c *Core) { c.leading.peers[0].told++ },
		"round":          func(c *Core) { c.leading.round++ },
		"sequence":       func(c *Core) { c.sequence++ },
		"uncommitted":    func(c *Core) { c.leading.uncommitted++ },
		"now":            func(c *Core) { c.clock.now++ },
		"behind":         func(c *Core) { c.clock.behind++ },
		"dice":           func(c *Core) { c.dice++ },
		"refused":        func(c *Core) { c.refused++ },
		"log":            func(c *Core) { c.log.entries.keep(1) },
		"an entry":       func(c *Core) { c.log.entries.at(0).Command = []byte("other") },
		"base":           func(c *Core) { c.log.base.Term++ },
		"time at base":   func(c *Core) { c.log.baseTime++ },
		"bytes":          func(c *Core) { c.log.bytes++ },
		"restart":        func(c *Core) { c.log.restart.Index++ },
		"snapshot":       func(c *Core) { c.snapshot.Size++ },
		"older snapshot": func(c *Core) { c.previous.Index++ },
		"transfer":       func(c *Core) { c.leading.peers[0].transfer.offset++ },
		"bytes applied":  func(c *Core) { c.load.applied++ },
		"readiness":      func(c *Core) { c.load.unready = true },
		"a chunk":        func(c *Core) { c.outbox.chunks = []Chunk{{From: 2}} },
		"a question":     func(c *Core) { c.outbox.ready[0].Ask = true },
		"held question":  func(c *Core) { c.outbox.held[0].Ask = true },
		"saved":          func(c *Core) { c.log.saved++ },
		"durable":        func(c *Core) { c.log.durable++ },
		"flights":        func(c *Core) { c.log.flights[0].last++ },
		"handed out":     func(c *Core) { c.outbox.hard.Term++ },
		"committed":      func(c *Core) { c.outbox.committed++ },
		"written":        func(c *Core) { c.outbox.written++ },
		"persisted":      func(c *Core) { c.outbox.persisted++ },
		"hard state in":  func(c *Core) { c.outbox.hardIn++ },
		"entries in":     func(c *Core) { c.outbox.entriesIn++ },
		"held until":     func(c *Core) { c.outbox.held[0].until++ },
		"held letter":    func(c *Core) { c.outbox.held[0].To++ },
		"ready letter":   func(c *Core) { c.outbox.ready[0].Message = AppendEntries{Term: 7} },
		"ready sequence": func(c *Core) { c.outbox.ready[0].Sequence++ },
	})
}

func demandDigestSees(t *testing.T, changes map[string]func(*Core)) {
	t.Helper()
	for name, change := range changes {
		c := busyCore(t)
		before := c.Digest()
		if before != busyCore(t).Digest() {
			t.Fatal("the same inputs made two servers")
		}
		if change(c); c.Digest() == before {
			t.Errorf("the digest does not see a change of %s", name)
		}
	}
}

// TestCloneSharesNothing writes into everything that a server writes to in place, and looks at its clone.
func TestCloneSharesNothing(t *testing.T) {
	c := busyCore(t)
	c.ballots = []ballot{{id: 2}}
	c.outbox.chunks = []Chunk{{From: 2}}
	c.members.earlier = []placed{c.members.placed}
	d := c.Clone()
	want := d.Digest()
	c.members.earlier[0].index++
	c.ballots[0].granted = true
	c.leading.peers[0].match++
	c.log.entries.append([]Entry{{}})
	c.log.flights[0].last++
	c.outbox.held[0].until++
	c.outbox.ready[0].To++
	c.outbox.chunks[0].From++
	c.leading.peers[0].transfer.offset++
	c.outbox.answers[0].Ticket++
	c.outbox.events[0] = BecameLeader{Term: 99}
	if d.Digest() != want {
		t.Error("a clone changed with the server it was made of")
	}
	if d.outbox.answers[0].Ticket != 1 || d.outbox.events[0] == (BecameLeader{Term: 99}) {
		t.Error("a clone shares answers or events with the server it was made of")
	}
}

// busyCore is a leader with writes in flight, and letters, answers and events that were not collected.
func busyCore(t *testing.T) *Core {
	c := newCore(t, Restored{})
	leadNow(t, c)
	c.Output()
	c.Step(7, Propose{Ticket: 1, Command: []byte("x")})
	c.outbox.send(Letter{To: 2, Message: AppendEntries{Term: 1}}, 0)
	c.outbox.send(Letter{To: 3, Message: RequestVote{Term: 1}}, 9)
	return c
}
