package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
	"balsa/replica"
	"balsa/wire"
)

// network is what lies between the servers: for each directed link a way that delays, loses, repeats,
// damages, and may be cut.
type network struct {
	nodes int
	links []link // from × to
	held  []due
}

// link is one direction between two servers.
type link struct {
	sent  uint64 // messages, counted from 1
	cut   bool
	until Time   // nothing passes before
	lag   Time   // on top of what a message takes
	hold  string // which messages wait for a release: "all", a type, "" none
}

func newNetwork(nodes int) network {
	return network{nodes: nodes, links: make([]link, nodes*nodes)}
}

func (n *network) link(from, to raft.NodeID) *link {
	return &n.links[int(from-1)*n.nodes+int(to-1)]
}

// send puts a message on its way.
func (w *World) send(s *server, cause uint64, e raft.Envelope) {
	s.ledger.sends(w.moment(), s.id, e)
	if e.To == raft.None || int(e.To) > len(w.servers) {
		w.fail(Assertion, "n%v sends to n%v, which does not exist", s.id, e.To)
		return
	}
	to := w.reached(s, &e)
	if to == nil {
		w.note(Record{Kind: Dropped, Cause: cause, Node: e.To, Peer: s.id, Text: "nobody is there"})
		w.saw(sawNobody)
		return
	}
	l := w.network.link(s.id, to.id)
	l.sent++
	n := l.sent
	frame := wire.AppendEnvelope(nil, e)
	p := w.note(Record{Kind: Sent, Cause: cause, Node: s.id, Peer: to.id, N: n, Hash: hashBytes(frame),
		Message: e.Message})
	d := due{task: deliver, node: to.id, peer: s.id, n: n, cause: p, frame: frame}
	d.at = w.now + s.slowed(w.latency(s.id, to.id, n, 0)) + l.lag
	w.sawMessage(e.Message)
	for _, op := range w.faultsOf(s.id, to.id, n) {
		switch op.Kind {
		case Drop:
			w.note(Record{Kind: Dropped, Cause: p, Node: to.id, Peer: s.id, N: n, Text: "lost"})
			w.saw(sawLost)
			return
		case Duplicate:
			d.copied = true
			second := d
			second.at = w.now + w.latency(s.id, to.id, n, 1) + l.lag + op.For
			second.stale = w.now + staleAfter
			w.push(second)
		case Delay:
			d.at += op.For
		case Corrupt:
			d.frame, d.damaged = bytes.Clone(frame), true
			if op.Mode == "cut" {
				half := w.chance.draw(forCorruption, uint64(s.id), uint64(to.id), n).below(uint64(len(frame)))
				d.frame = d.frame[:half]
				continue
			}
			bit := w.chance.draw(forCorruption, uint64(s.id), uint64(to.id), n).below(uint64(len(frame)) * 8)
			d.frame[bit/8] ^= 1 << (bit % 8)
		}
	}
	w.push(d)
}

// latency is how long a message, or its second copy, is on its way.
func (w *World) latency(from, to raft.NodeID, n, copy uint64) Time {
	r := w.chance.draw(forLatency, uint64(from), uint64(to), n<<1|copy)
	return w.options.Latency + r.exponential(w.options.LatencyMean)
}

// arrive brings a message to its receiver, if there is still a way.
func (w *World) arrive(d due) {
	l := w.network.link(d.peer, d.node)
	to := w.servers[d.node-1]
	switch {
	case l.cut:
		w.note(Record{Kind: Dropped, Cause: d.cause, Node: d.node, Peer: d.peer, N: d.n, Text: "cut"})
		w.saw(sawCut)
		return
	case l.until > w.now:
		d.at = l.until
		w.push(d)
		return
	case l.hold != "" && w.holds(l.hold, d.frame):
		w.network.held = append(w.network.held, d)
		return
	case !to.up():
		w.bounce(d)
		return
	case to.trouble.stalled:
		to.backlog = append(to.backlog, d)
		return
	}
	w.hand(to, d)
}

// hand gives a message to a server that can take it.
func (w *World) hand(to *server, d due) {
	e, err := wire.DecodeEnvelope(d.frame)
	if err != nil {
		w.note(Record{Kind: Dropped, Cause: d.cause, Node: d.node, Peer: d.peer, N: d.n, Text: err.Error()})
		w.saw(sawDamage)
		if !d.damaged {
			w.fail(Assertion, "message %d from n%v to n%v cannot be decoded: %v", d.n, d.peer, d.node, err)
		}
		return
	}
	if d.damaged {
		w.fail(HaltNeverLie, "message %d from n%v to n%v was changed on its way and is taken for whole", d.n,
			d.peer, d.node)
	}
	if d.stale > 0 && w.now >= d.stale {
		w.saw(sawStale)
	}
	p := w.note(Record{Kind: Delivered, Cause: d.cause, Node: d.node, Peer: d.peer, N: d.n,
		Message: e.Message})
	w.sawArrival(to, e)
	to.begins(&e, d.peer)
	w.attempt(to, p, replica.Received{Envelope: e})
}

// bounce is what becomes of a message to a machine on which nobody listens: a connection refused tells the
// sender that it never left, a machine without power says nothing.
func (w *World) bounce(d due) {
	w.note(Record{Kind: Dropped, Cause: d.cause, Node: d.node, Peer: d.peer, N: d.n, Text: "it is down"})
	if from := w.servers[d.peer-1]; from.up() && !d.copied &&
		w.chance.draw(forRefusal, uint64(d.peer), uint64(d.node), d.n).perMille(500) {
		w.push(due{at: w.now + w.options.Latency, task: returned, node: d.peer, life: from.life, peer: d.node,
			n: d.n, cause: d.cause, frame: d.frame, damaged: d.damaged})
	}
}

func (w *World) giveBack(d due) {
	e, err := wire.DecodeEnvelope(d.frame)
	if err != nil {
		return // damaged on its way: nobody can tell whose it was
	}
	p := w.note(Record{Kind: Returned, Cause: d.cause, Node: d.node, Peer: d.peer, N: d.n})
	w.attempt(w.servers[d.node-1], p, replica.Returned{Envelope: e})
}

// holds reports whether a hold of that type keeps a message.
func (w *World) holds(hold string, frame []byte) bool {
	if hold == "all" {
		return true
	}
	e, err := wire.DecodeEnvelope(frame)
	return err == nil && isOfType(e.Message, strings.Fields(hold))
}

// MessageType names a message as scripts do: by the name of its Go type.
func MessageType(m raft.Message) string {
	name := fmt.Sprintf("%T", m)
	return name[len("raft."):]
}

// setFree takes what is held on the links out, all if none are named, and delivers it or drops it.
func (w *World) setFree(cause uint64, links []Link, deliver bool) {
	named := func(from, to raft.NodeID) bool {
		return len(links) == 0 || slices.Contains(links, Link{From: from, To: to})
	}
	if !deliver {
		w.freeze(named)
	}
	for i := range w.network.links {
		from, to := raft.NodeID(i/w.network.nodes+1), raft.NodeID(i%w.network.nodes+1)
		if named(from, to) {
			w.network.links[i].hold = ""
		}
	}
	held := w.network.held
	w.network.held = nil
	for _, d := range held {
		switch {
		case !named(d.peer, d.node):
			w.network.held = append(w.network.held, d)
		case deliver:
			d.at, d.cause = w.now, cause
			w.push(d)
		default:
			w.note(Record{Kind: Dropped, Cause: cause, Node: d.node, Peer: d.peer, N: d.n, Text: "discarded"})
		}
	}
}
