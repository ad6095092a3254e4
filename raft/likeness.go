package raft

import "slices"

// Likeness tells servers apart by what they can still do, for who looks at all states that there are. Its
// Digest leaves out what decides nothing at a server whose election timer is run by hand
// (Config.NoElectionTimer), and counts writes from the last one acknowledged and ticks from now. Two servers
// with equal digests have, but for chance, the same future, if the sequences that they count by stand in the
// same order.
type Likeness struct {
	Digest uint64
	// Last is the sequence given last; the next request has the one after it.
	Last Sequence
	// Paired are the sequences by which answers are told apart, in an order that Digest determines. A server
	// compares those of its own requests to one peer among themselves alone, and those of a peer's requests
	// not at all.
	Paired []Pairing
}

// Pairing is one sequence that a server remembers: of a request of its own to a peer, or of the peer's
// request which it has yet to answer.
type Pairing struct {
	Asked, Answers NodeID
	Sequence       Sequence
}

// Likeness returns what this server is like.
func (c *Core) Likeness() Likeness {
	l := Likeness{Last: c.sequence}
	d := c.Clone()
	d.dice, d.timer.timeout, d.refused, d.sequence = 0, 0, 0, 0
	if d.role != Leader {
		d.timer.elapsed = min(d.timer.elapsed, d.config.ElectionMin)
		if d.leader == None { // patience with nobody
			d.timer.elapsed = 0
		}
	}
	if !d.members.leased() { // no promise is asked for
		d.quiet, d.leading.lease = 0, lease{}
	}
	for i := range d.leading.peers {
		p := &d.leading.peers[i]
		take := func(s *Sequence) {
			l.Paired = append(l.Paired, Pairing{c.config.ID, p.id, *s})
			*s = 0
		}
		take(&p.measuredAt)
		take(&p.farewell)
		for j := range p.onTheWay {
			take(&p.onTheWay[j].sequence)
			p.onTheWay[j].sent -= c.outbox.waited
		}
		if p.transfer.on() {
			take(&p.transfer.sequence)
			p.transfer.sent -= c.outbox.waited
		}
	}
	d.outbox.relate(func(to *Letter) {
		switch to.Message.(type) {
		case AppendEntriesResponse, InstallSnapshotResponse:
			l.Paired = append(l.Paired, Pairing{to.To, c.config.ID, to.Sequence})
		}
		to.Sequence = 0
	})
	for i := range d.outbox.chunks {
		chunk := &d.outbox.chunks[i]
		l.Paired = append(l.Paired, Pairing{chunk.From, c.config.ID, chunk.Sequence})
		chunk.Sequence = 0
	}
	for i := range d.log.flights {
		d.log.flights[i].write -= c.outbox.persisted
	}
	l.Digest = d.Digest()
	return l
}

// relate counts writes from the last one acknowledged, and ticks from now.
func (o *outbox) relate(letter func(*Letter)) {
	base := o.persisted
	since := func(w Write) Write { return max(w, base) - base }
	o.written, o.hardIn, o.entriesIn, o.persisted = since(o.written), since(o.hardIn), since(o.entriesIn), 0
	for i := range o.unacknowledged {
		w := &o.unacknowledged[i]
		w.write, w.since = since(w.write), w.since-o.waited
	}
	o.waited = 0
	for i := range o.held {
		o.held[i].until = since(o.held[i].until)
		letter(&o.held[i].Letter)
	}
	o.ready = slices.Clone(o.ready)
	for i := range o.ready {
		letter(&o.ready[i])
	}
}
