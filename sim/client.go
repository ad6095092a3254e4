package sim

import (
	"fmt"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
)

// client asks one thing after the other: it thinks, asks a server, and waits for the answer or until its
// patience ends. What it has no answer to it asks again only in a session or under a key: else it could be
// done twice.
type client struct {
	world  *World
	id     int          // counted from 1
	n      uint64       // requests so far, each attempt counted
	leader raft.NodeID  // whom it takes for the leader
	seen   raft.Index   // the newest revision that it was told
	open   *Operation   // what it waits for; nil while it thinks
	last   Operation    // the latest that ended, with its answer
	fate   replica.Fate // of its latest attempt, as a server has answered; Done when none has
	silent bool         // it asks no more
	repetition
}

// response is what a server answers.
type response struct {
	outcome Outcome
	reply   Reply
	leader  raft.NodeID // whom the server takes for the leader
}

// hash is one of all that the client is told.
func (r *response) hash() uint64 {
	h := uint64(0)
	reply := &r.reply
	for i, is := range [...]bool{reply.Created, reply.Deleted, reply.Found, reply.Replayed, reply.Gone,
		reply.Reused, reply.TooMany} {
		if is {
			h |= 1 << i
		}
	}
	h = mix(mix(h, uint64(r.outcome)), uint64(r.leader))
	h = mix(mix(mix(h, uint64(r.reply.Revision)), uint64(r.reply.Latest)), hashBytes(r.reply.Read))
	if r.reply.Number == 0 {
		return h
	}
	return mix(h, uint64(r.reply.Number))
}

// addClient adds the next client; a silent one asks what a script has it ask, and nothing by itself.
func (w *World) addClient(silent bool) *client {
	id := len(w.clients) + 1
	c := &client{world: w, id: id, leader: raft.NodeID(id%w.options.Nodes + 1), silent: silent}
	w.clients = append(w.clients, c)
	c.settleManner()
	c.think()
	return c
}

// after returns the server that a client asks next, where one has not served it. While faults are drawn it
// may be anybody; in the end it knows who the members are.
func (w *World) after(id raft.NodeID) raft.NodeID {
	for range w.servers {
		id = id%raft.NodeID(len(w.servers)) + 1
		if s := w.servers[id-1]; w.takesPart(s) || w.healed.at == 0 && s.founded {
			return id
		}
	}
	return id
}

func (w *World) client(id raft.NodeID) *client { return w.clients[id-1] }

// roll is a draw of this client, for its present request.
func (c *client) roll(p purpose) roll { return c.world.chance.draw(p, uint64(c.id), 0, c.n) }

// think lets the next request come after a while.
func (c *client) think() {
	w := c.world
	if c.silent {
		return
	}
	w.push(due{at: w.now + c.roll(forThinking).exponential(w.options.Thinking), task: request,
		node: raft.NodeID(c.id), n: c.n})
}

// request sends the next request.
func (c *client) request(d due) {
	if c.silent || d.n != c.n {
		return
	}
	c.n++
	o := c.world.options
	r := c.roll(forRequest)
	op := Operation{Kind: Put, Node: c.leader}
	if astray := r.again(); astray.perMille(o.Astray * 10) {
		op.Node = raft.NodeID(astray.again().below(uint64(o.Nodes+o.Spares)) + 1)
	}
	slot := int(mix(uint64(r), 3) % uint64(o.Keys))
	op.Key = c.world.history.key(slot)
	switch kind := mix(uint64(r), 4) % 100; {
	case int(kind) < o.Reads && c.world.readable():
		op.Kind = Get
		op.Mode = ReadMode(mix(uint64(r), 5) % 8)
		if op.Mode > AtLeast { // half of the reads
			op.Mode = Linearizable
		}
		if op.Mode == Linearizable && mix(uint64(r), 8)%100 < uint64(o.ByLease) {
			op.Mode = Leased
		}
	case kind >= 95 && c.world.readable():
		op.Kind = Delete
	default:
		op.Value = c.value(r)
	}
	c.vary(&op, r)
	c.inItsManner(&op, r)
	c.ask(op)
}

// value is one that nobody else writes.
func (c *client) value(r roll) []byte {
	value := fmt.Appendf(nil, "c%d.%d.", c.id, c.n)
	for extra := int(mix(uint64(r), 6) % uint64(c.world.options.Largest+1)); len(value) < extra; {
		value = append(value, value[:min(len(value), extra-len(value))]...)
	}
	return value
}

// ask sends a request and begins to wait.
func (c *client) ask(op Operation) {
	w := c.world
	op.ID = uint64(c.id)<<32 | c.n
	op.Client, op.Index = c.id, c.seen
	if w.parts.Command != nil && op.Kind == Put {
		op.Opaque = w.parts.Command(mix(uint64(w.chance), op.ID), op.ID)
	}
	op.Deadline = w.now + w.options.Patience
	c.open, c.tries, c.doubt, c.owed = &op, 0, false, false
	c.send(0, 0)
	op.Called = w.moment()
	w.history.call(op.Called, op)
}

// send sends what the client asks for, after a while, and begins to wait for the answer.
func (c *client) send(cause uint64, after Time) {
	w, op := c.world, c.open
	if s := w.servers[op.Node-1]; !c.silent && !s.founded || w.healed.at > 0 && !c.silent && !w.takesPart(s) {
		op.Node = w.after(op.Node)
	}
	c.fate = replica.Done
	p := w.note(Record{Kind: Called, Cause: cause, Node: op.Node, Peer: raft.NodeID(c.id), N: c.n,
		Hash: hashBytes([]byte(op.String())), Text: op.String()})
	w.push(due{at: w.now + after + c.latency(0), task: take, node: op.Node, peer: raft.NodeID(c.id), n: c.n,
		cause: p})
	w.push(due{at: min(op.Deadline, w.now+c.share()), task: deadline, node: raft.NodeID(c.id), n: c.n,
		cause: p})
}

func (c *client) latency(way uint64) Time {
	r := c.world.chance.draw(forClientLatency, uint64(c.id), way, c.n)
	return c.world.options.Latency + r.exponential(c.world.options.LatencyMean)
}

// takeRequest brings a request to a server.
func (w *World) takeRequest(d due) {
	s, c := w.servers[d.node-1], w.client(d.peer)
	q := question{client: c.id, n: d.n, taken: w.now}
	switch {
	case c.open == nil || c.n != d.n:
		return // the client has given up, and its connection is closed
	case !s.up() || s.foreign != nil:
		w.respond(d.cause, s, q, response{outcome: No}) // nobody listens
		return
	case s.trouble.stalled:
		s.backlog = append(s.backlog, d)
		return
	}
	p := w.note(Record{Kind: Taken, Cause: d.cause, Node: s.id, Peer: raft.NodeID(c.id), N: d.n})
	w.tickets++
	q.ticket = w.tickets
	s.asked = append(s.asked, q)
	w.attempt(s, p, c.event(s, q.ticket))
}

// event is what the server is asked.
func (c *client) event(s *server, ticket raft.Ticket) replica.Event {
	op := c.open
	switch {
	case op.Kind != Get:
		return replica.Proposed{Ticket: ticket, Command: op.Command(), Once: op.Once, Local: c.local()}
	case op.Mode == AtLeast:
		return replica.Awaited{Ticket: ticket, Index: op.Index}
	case op.Mode == Stale, op.Mode == FromLeader && s.leadsAndHasApplied():
		return replica.Awaited{Ticket: ticket} // nothing to wait for
	}
	return replica.Asked{Ticket: ticket, Local: c.local(), Lease: op.Mode == Leased}
}

// local reports whether the request forbids to forward it: one in eight of those that no script asks for
// does.
func (c *client) local() bool { return !c.silent && mix(uint64(c.roll(forRequest)), 7)%8 == 0 }

// leadsAndHasApplied reports whether a server leads, as far as it knows, and its state machine has an entry
// of its own term: the condition under which a node serves a read "from the leader".
func (s *server) leadsAndHasApplied() bool {
	return s.sight.role == raft.Leader && s.through.Term == s.sight.term
}

// readable reports whether the state machine is one that clients can read.
func (w *World) readable() bool { return w.parts.Command == nil }

// answer takes the answer that a server gives to a ticket.
func (s *server) answer(cause uint64, a replica.Answer) {
	q, known := s.question(a.Ticket)
	if !known {
		s.world.fail(Answered, "n%v answers ticket %d, which nobody has asked or which is answered", s.id,
			a.Ticket)
		return
	}
	if q.byHand {
		return
	}
	if q.admin != nil {
		s.world.settled(s, cause, q, a)
		return
	}
	c := s.world.client(raft.NodeID(q.client))
	r := response{outcome: Unknown, leader: s.sight.leader}
	r.reply.Gone, r.reply.Reused = a.Fate == replica.SessionGone, a.Fate == replica.KeyReused
	r.reply.TooMany = a.Fate == replica.TooManyKeys
	if r.reply.Gone || r.reply.Reused || r.reply.TooMany {
		s.ledger.refused(s.world.moment(), s.id, a)
	}
	applied, certain := a.Fate.Applied()
	if c.open != nil && c.n == q.n {
		c.fate = a.Fate
		s.world.sawAnswer(c.open, a.Fate)
		s.sawLease(c.open, q, a.Fate)
	}
	switch {
	case c.open == nil || c.n != q.n: // it waits no longer
		return
	case certain && applied:
		r.outcome = OK
		r.reply = s.world.replyOf(s, c.open, a)
	case certain:
		r.outcome = No
	}
	s.world.respond(cause, s, q, r)
}

// readableMachine is a kv.Store, or a machine that has one and spoils it.
type readableMachine interface {
	Read(key string) (kv.Item, kv.Revision, bool)
}

// replyOf is what a client is told of what was done.
func (w *World) replyOf(s *server, op *Operation, a replica.Answer) Reply {
	r := Reply{Revision: a.Entry.Index, Replayed: a.Replayed}
	store, is := s.machine.(readableMachine)
	switch {
	case !is, op.Kind == Opening, op.Kind == Closing:
	case op.Kind == Get:
		item, latest, found := store.Read(op.Key)
		r.Revision, r.Latest, r.Found, r.Read = s.through.Index, raft.Index(latest), found, item.Value
	default:
		result, err := kv.DecodeResult(a.Result)
		if err != nil || result.Refusal != 0 {
			w.fail(ReplicaEquality, "n%v answers %v with no result of a map: %v %v", s.id, op, err, result)
		}
		r.Latest, r.Created, r.Deleted = raft.Index(result.Revision), result.Created, result.Deleted > 0
		r.Number = result.Value
	}
	return r
}

// respond sends an answer to a client.
func (w *World) respond(cause uint64, s *server, q question, r response) {
	c := w.client(raft.NodeID(q.client))
	p := w.note(Record{Kind: Replied, Cause: cause, Node: s.id, Peer: raft.NodeID(c.id), N: q.n,
		Hash: r.hash()})
	if c.open == nil || c.n != q.n {
		return
	}
	if r.outcome == OK && c.open.Kind != Get {
		w.ledger.acknowledged(w.moment(), r.reply.Revision, askedFor(c.open.Once, c.open.Command()))
	}
	if w.losesReply(c, q.n) {
		return
	}
	w.push(due{at: w.now + c.latency(1), task: reply, node: raft.NodeID(c.id), peer: s.id, n: q.n, cause: p,
		response: &r})
}

// losesReply reports whether the answer to a request is lost on its way.
func (w *World) losesReply(c *client, n uint64) bool {
	return len(w.faultsOf(raft.NodeID(c.id), 0, n)) > 0
}

// hear takes an answer.
func (c *client) hear(d due) {
	if c.open == nil || c.n != d.n {
		return
	}
	r := d.response
	p := c.world.note(Record{Kind: Heard, Cause: d.cause, Node: d.peer, Peer: raft.NodeID(c.id), N: d.n})
	if r.leader != raft.None {
		c.leader = r.leader
	} else if r.outcome != OK {
		c.leader = c.world.after(c.leader)
	}
	r.reply.Outcome = r.outcome
	if r.outcome == OK {
		c.seen = max(c.seen, r.reply.Revision)
	}
	if !c.askAgain(p, &r.reply) {
		c.end(p, r.reply)
	}
}

// giveUp ends the waiting. What was asked may have been done or not; a read is forgotten by the server.
func (c *client) giveUp(d due) {
	if c.open == nil || c.n != d.n {
		return
	}
	w := c.world
	p := w.note(Record{Kind: TimedOut, Cause: d.cause, Node: c.open.Node, Peer: raft.NodeID(c.id), N: d.n})
	s := w.servers[c.open.Node-1]
	for i, q := range s.asked {
		if q.client == c.id && q.n == c.n && !s.trouble.stalled {
			// An answer may still come, and finds nobody.
			s.asked[i].n, s.asked[i].read = 0, c.open.Kind == Get
			w.attempt(s, p, replica.GaveUp{Ticket: q.ticket})
			break
		}
	}
	c.leader = w.after(c.leader)
	if r := (Reply{Outcome: Unknown}); !c.askAgain(p, &r) {
		c.end(p, r)
	}
}

func (c *client) end(cause uint64, r Reply) {
	w := c.world
	op := c.open
	c.open = nil
	op.Reply, op.Returned = r, w.moment()
	c.last = *op
	c.remember(op)
	w.history.finish(w.moment(), op.ID, r)
	w.ended(*op, r, c.owed)
	c.think()
}

// doClient has a client that only a script moves ask something.
func (w *World) doClient(op Op) {
	for len(w.clients) < int(op.Peer) {
		w.addClient(true)
	}
	c := w.client(op.Peer)
	if c.open != nil { // a person who asks again does not wait any longer for the first answer
		c.giveUp(due{n: c.n})
	}
	c.n++
	if c.leader = op.Node; op.Node == raft.None {
		c.leader = 1
	}
	o := Operation{Kind: Put, Node: c.leader, Key: op.Key, Value: []byte(op.Text)}
	switch {
	case op.Kind == Read:
		o.Kind, o.Value = Get, nil
		for mode := range Leased + 1 {
			if mode.String() == op.Mode {
				o.Mode = mode
			}
		}
	case op.Mode == "delete":
		o.Kind, o.Value = Delete, nil
	case op.Mode == "increment":
		o.Kind, o.Value = Increment, nil
	}
	if c.underOnce(&o, op) {
		c.ask(o)
	}
}
