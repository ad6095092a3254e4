package raft

import "testing"

// TestLikeness changes one thing at a time: what decides nothing must not be seen, the rest must.
func TestLikeness(t *testing.T) {
	for name, change := range map[string]func(*Core){
		"the dice":           func(c *Core) { c.dice++ },
		"the timeout drawn":  func(c *Core) { c.timer.timeout++ },
		"refused messages":   func(c *Core) { c.refused++ },
		"the count of ticks": laterBy(7),
		"the sequence of a chunk": func(c *Core) {
			c.outbox.chunks[0].Sequence++
			c.leading.peers[0].transfer.sequence++
		},
		"the count of writes": func(c *Core) {
			o := &c.outbox
			o.written, o.persisted = o.written+3, o.persisted+3
			o.hardIn, o.entriesIn = o.hardIn+3, o.entriesIn+3
			for i := range o.unacknowledged {
				o.unacknowledged[i].write += 3
			}
			for i := range o.held {
				o.held[i].until += 3
			}
			for i := range c.log.flights {
				c.log.flights[i].write += 3
			}
		},
	} {
		c := busyCore(t)
		c.outbox.chunks = []Chunk{{From: 2}}
		c.leading.peers[0].transfer = transfer{last: EntryID{1, 1}}
		before := c.Likeness()
		if change(c); c.Likeness().Digest != before.Digest {
			t.Errorf("it sees %s", name)
		}
	}
	for name, change := range map[string]func(*Core){
		"a write to wait for": func(c *Core) { c.outbox.held[0].until++ },
		"a tick":              func(c *Core) { c.outbox.waited++ },
		"match":               func(c *Core) { c.leading.peers[0].match++ },
		"elapsed":             func(c *Core) { c.timer.elapsed++ },
		"the log":             func(c *Core) { c.log.entries.keep(1) },
		"the vote":            func(c *Core) { c.hard.Vote++ },
		"a write in flight":   func(c *Core) { c.outbox.written++ },
		"a handover":          func(c *Core) { c.handover.to++ },
		"who departs":         func(c *Core) { c.leading.peers[0].departing = true },
		"a transfer":          func(c *Core) { c.leading.peers[0].transfer.offset++ },
		"a chunk":             func(c *Core) { c.outbox.chunks = []Chunk{{From: 2}} },
	} {
		c := busyCore(t)
		full, before := c.Digest(), c.Likeness()
		if c.Digest() != full {
			t.Fatal("to look changed the server")
		}
		if change(c); c.Likeness().Digest == before.Digest {
			t.Errorf("it does not see %s", name)
		}
	}
}

// laterBy lets a number of ticks have passed before everything that a server remembers.
func laterBy(ticks int) func(*Core) {
	return func(c *Core) {
		c.outbox.waited += ticks
		for i := range c.outbox.unacknowledged {
			c.outbox.unacknowledged[i].since += ticks
		}
		for i := range c.leading.peers {
			for j := range c.leading.peers[i].onTheWay {
				c.leading.peers[i].onTheWay[j].sent += ticks
			}
			if c.leading.peers[i].transfer.on() {
				c.leading.peers[i].transfer.sent += ticks
			}
		}
	}
}

// TestLikenessNamesEverySequence finds what was left out of the digest among the pairings.
func TestLikenessNamesEverySequence(t *testing.T) {
	c := busyCore(t)
	c.leading.peers[0].transfer = transfer{last: EntryID{1, 1}, sequence: 3}
	c.outbox.chunks = []Chunk{{From: 2, Sequence: 4}}
	c.outbox.ready = append(c.outbox.ready, Letter{To: 2, Sequence: 5, Message: InstallSnapshotResponse{}})
	before := c.Likeness()
	c.leading.peers[0].transfer.sequence++
	c.outbox.chunks[0].Sequence++
	c.outbox.ready[len(c.outbox.ready)-1].Sequence++
	c.leading.peers[0].onTheWay[0].sequence++
	c.leading.peers[1].measuredAt++
	c.leading.peers[1].farewell++
	c.sequence++
	after := c.Likeness()
	if before.Digest != after.Digest || after.Last != before.Last+1 ||
		len(before.Paired) != len(after.Paired) {
		t.Fatalf("%+v became %+v", before, after)
	}
	changed := 0
	for i, p := range after.Paired {
		if p.Sequence != before.Paired[i].Sequence {
			changed++
		}
	}
	if changed != 6 {
		t.Errorf("%d of 6 sequences changed: %+v became %+v", changed, before, after)
	}
}
