// Package memory carries messages between the servers of one process, for tests and for programs that need no
// network: by channels, without sockets. A Network is a switchboard on which links are cut, held, delayed and
// drained. Every message passes through its binary form, so that no memory is shared between servers and
// nothing travels here that could not travel elsewhere.
//
// Messages from one server to another arrive in the order in which they were sent. All waiting is on channels
// and timers, so a network that is made inside a testing/synctest bubble follows the bubble's clock.
package memory

import (
	"time"

	"balsa/raft"
	"balsa/transport"
)

// queueLength is how many messages from one server to another may be on their way.
const queueLength = 256

// defaultTimeout is after how long a sender learns that a message got lost on its way.
const defaultTimeout = time.Second

// Network connects servers. One goroutine owns all of its state, and everything else asks that goroutine:
//
//	Send ─┐                       ┌─▶ inlet 1→2 ─▶ Receive ┐
//	Send ─┼─requests─▶ fabric ────┼─▶ inlet 3→2 ─▶ Receive ├ handler of server 2
//	Cut ──┘            links      └─▶ failures  ─▶ Failed  ┘
//
// Its methods may be called concurrently; once it is closed they do nothing.
type Network struct {
	requests chan func(*fabric)
	stopped  chan struct{} // closed when the goroutine has ended
}

// NewNetwork makes a network without servers, on which nothing is cut. It runs until it is closed.
func NewNetwork() *Network {
	n := &Network{requests: make(chan func(*fabric)), stopped: make(chan struct{})}
	go n.run()
	return n
}

func (n *Network) run() {
	defer close(n.stopped)
	f := &fabric{timeout: defaultTimeout}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !f.closed {
		select {
		case request := <-n.requests:
			request(f)
		case <-timer.C:
		}
		if next, some := f.turn(time.Now()); some {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
	}
}

// ask has the network's goroutine run f and waits until it has. It reports false, without running f, when the
// network is closed.
func (n *Network) ask(f func(*fabric)) bool {
	ran := make(chan struct{})
	select {
	case n.requests <- func(s *fabric) { f(s); close(ran) }:
		<-ran
		return true
	case <-n.stopped:
		return false
	}
}

// Node makes the transport of a server. From now on its id is known on the network; before the transport is
// started, and after it is closed, the server is unreachable. A server that starts again gets a new transport
// by calling Node once more.
//
// Until its Route is called it reaches everybody on the network. Addresses mean nothing to those who want to
// reach it: see NodeAt.
func (n *Network) Node(id raft.NodeID) transport.Transport { return n.NodeAt(id, "") }

// NodeAt is Node for a server that has an address, which may be any text: whoever routes to it at another
// one does not reach it.
func (n *Network) NodeAt(id raft.NodeID, address string) transport.Transport {
	n.ask(func(f *fabric) { f.know(id) })
	return newNode(n, id, address)
}

// Close closes the transports of all servers and stops the network.
func (n *Network) Close() {
	var nodes []*node
	n.ask(func(f *fabric) {
		nodes = f.running
		for _, node := range nodes {
			f.detach(node)
		}
		f.closed = true
	})
	for _, node := range nodes {
		node.goroutines.Wait()
	}
	<-n.stopped
}

// Cut loses what is on its way from one server to another, and whatever is sent there until Heal. The other
// direction stays as it is.
func (n *Network) Cut(from, to raft.NodeID) {
	n.ask(func(f *fabric) {
		f.link(from, to).cut = true
		f.sever()
	})
}

// Partition separates groups of servers: what is on its way between them is lost, and whatever is sent
// between them until Heal. The servers that no group names are one more group. It replaces the partition
// before.
func (n *Network) Partition(groups ...[]raft.NodeID) {
	n.ask(func(f *fabric) {
		f.groups = groups
		f.sever()
	})
}

// Isolate separates one server from all others: a partition whose one group has one member.
func (n *Network) Isolate(id raft.NodeID) { n.Partition([]raft.NodeID{id}) }

// Heal ends the partition and all cuts. Links that are held or slow remain so.
func (n *Network) Heal() {
	n.ask(func(f *fabric) {
		f.groups = nil
		for _, l := range f.links {
			l.cut = false
		}
	})
}

// Hold keeps back what travels from one server to another, until Release. Nothing is lost, unless more than
// the queue's 256 messages come together.
func (n *Network) Hold(from, to raft.NodeID) {
	n.ask(func(f *fabric) { f.link(from, to).held = true })
}

// Release delivers what Hold has kept back, in order, and lets everything after it pass.
func (n *Network) Release(from, to raft.NodeID) {
	n.ask(func(f *fabric) { f.link(from, to).held = false })
}

// Delay makes messages that are sent from now on take that long from one server to another. None overtakes
// one that was sent before it. 0 is the beginning: no delay.
func (n *Network) Delay(from, to raft.NodeID, d time.Duration) {
	n.ask(func(f *fabric) { f.link(from, to).delay = d })
}

// Drop loses what is on its way from one server to another and returns how many messages that were. What the
// receiver's handler has been given is no longer on its way.
func (n *Network) Drop(from, to raft.NodeID) (lost int) {
	n.ask(func(f *fabric) { lost = f.lose(f.link(from, to), transport.ErrTimeout) })
	return lost
}

// DropAll loses everything that is on its way and returns how many messages that were.
func (n *Network) DropAll() (lost int) {
	n.ask(func(f *fabric) {
		for _, l := range f.links {
			lost += f.lose(l, transport.ErrTimeout)
		}
	})
	return lost
}

// InFlight returns how many messages are on their way from one server to another: slow, held, or waiting for
// a handler that is busy.
func (n *Network) InFlight(from, to raft.NodeID) (count int) {
	n.ask(func(f *fabric) { count = len(f.link(from, to).queue) })
	return count
}

// Timeout sets after how long senders learn, as ErrTimeout, that a message got lost on its way. It is a
// second unless set, and concerns what gets lost from now on.
func (n *Network) Timeout(d time.Duration) {
	n.ask(func(f *fabric) { f.timeout = d })
}
