package memory

import (
	"fmt"
	"maps"
	"sync"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// node is one server's end of the network. What the network's goroutine owns of it is marked.
type node struct {
	id         raft.NodeID
	address    string // empty: it is reached at every address
	network    *Network
	handler    transport.Handler // set before the goroutines that use it are started
	stop       chan struct{}     // closed when the node is detached
	failures   chan failure
	goroutines sync.WaitGroup

	started bool                   // the network's: was started, or was closed before that
	inlets  []*inlet               // the network's: one for each sender that was heard
	routes  map[raft.NodeID]string // the network's: whom it reaches, and where; nil: everybody
}

// inlet delivers what one sender sends, one message at a time, so that a handler that blocks on one sender's
// message does not keep it from the others.
type inlet struct {
	from      raft.NodeID
	envelopes chan raft.Envelope // holds one, and busy says whether it is free: it never blocks the network
	busy      bool               // the network's
}

type failure struct {
	to  raft.NodeID
	err error
}

func newNode(network *Network, id raft.NodeID, address string) *node {
	return &node{
		id: id, address: address, network: network,
		stop: make(chan struct{}), failures: make(chan failure, queueLength),
	}
}

// Start implements transport.Transport. It fails when another transport of the same id is running.
func (n *node) Start(handler transport.Handler) error {
	err := transport.ErrClosed
	n.network.ask(func(f *fabric) {
		n.handler = handler
		err = f.attach(n)
	})
	return err
}

// Send implements transport.Transport. A message that has no binary form is refused with an error that wraps
// wire.ErrMalformed: it could not have travelled anywhere else.
func (n *node) Send(e raft.Envelope) error {
	if size := wire.EnvelopeSize(e); size > wire.MaxFrame {
		return fmt.Errorf("node %v: about %d bytes: %w", e.To, size, transport.ErrTooLarge)
	}
	copied, err := wire.DecodeEnvelope(wire.AppendEnvelope(nil, e))
	if err != nil {
		return fmt.Errorf("node %v: %w", e.To, err)
	}
	err = transport.ErrClosed
	n.network.ask(func(f *fabric) { err = f.send(n, copied) })
	return err
}

// Route implements transport.Transport.
func (n *node) Route(peers map[raft.NodeID]string) {
	routes := maps.Clone(peers)
	if routes == nil {
		routes = map[raft.NodeID]string{}
	}
	n.network.ask(func(f *fabric) { f.route(n, routes) })
}

// Close implements transport.Transport.
func (n *node) Close() error {
	n.network.ask(func(f *fabric) { f.detach(n) })
	n.goroutines.Wait()
	return nil
}

// take hands a message to the inlet of its sender and reports whether that was free. The network calls it.
func (n *node) take(from raft.NodeID, e raft.Envelope) bool {
	in := n.inlet(from)
	if in.busy {
		return false
	}
	in.busy = true
	in.envelopes <- e
	return true
}

// inlet returns the inlet of a sender, which it makes if there was none. The network calls it.
func (n *node) inlet(from raft.NodeID) *inlet {
	for _, in := range n.inlets {
		if in.from == from {
			return in
		}
	}
	in := &inlet{from: from, envelopes: make(chan raft.Envelope, 1)}
	n.inlets = append(n.inlets, in)
	n.goroutines.Go(func() { n.deliver(in) })
	return in
}

// deliver passes what arrives at an inlet to the handler.
func (n *node) deliver(in *inlet) {
	for {
		select {
		case <-n.stop:
			return
		case e := <-in.envelopes:
			n.handler.Receive(e)
			n.network.ask(func(*fabric) { in.busy = false })
		}
	}
}

// failed queues a report for the handler; when the handler is too slow for reports, they are dropped. The
// network calls it.
func (n *node) failed(to raft.NodeID, err error) {
	select {
	case n.failures <- failure{to: to, err: err}:
	default:
	}
}

// report passes failures to the handler.
func (n *node) report() {
	for {
		select {
		case <-n.stop:
			return
		case failure := <-n.failures:
			n.handler.Failed(failure.to, fmt.Errorf("node %v: %w", failure.to, failure.err))
		}
	}
}
