// Package transporttest holds the one suite that every transport passes: what package transport promises,
// tested from outside. A transport that passes it can stand under a cluster.
package transporttest

import (
	"testing"
	"testing/synctest"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// patience is how long the suite waits for what must happen. In a bubble it takes no time; elsewhere it is
// far above what a slow machine needs.
const patience = 10 * time.Second

// quiet is how long the suite waits for what must not happen.
const quiet = 250 * time.Millisecond // above what a transport gives open requests to say goodbye

// Suite says which transport is tested and how.
type Suite struct {
	// Cluster prepares a network for servers with these ids, and releases it when the test ends. The function
	// that it returns makes the transport of a server, not yet started; called again for a server whose
	// transport was closed, it makes a successor that the others reach as they reached the one before. All
	// transports know addresses for these ids, and for no others.
	Cluster func(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport
	// Land prepares a network without servers, and releases it when the test ends.
	Land func(t *testing.T) Land
	// Bubble runs each test inside a testing/synctest bubble.
	Bubble bool
}

// Run runs the suite, each promise as a subtest.
func Run(t *testing.T, s Suite) {
	for _, c := range []struct {
		promise string
		test    func(*cluster)
	}{
		{"messages arrive both ways", arriveBothWays},
		{"a response carries the sequence of its request", echoSequences},
		{"a response that answers nothing arrives", reportArrives},
		{"every message survives", everyMessageSurvives},
		{"a megabyte arrives", aMegabyteArrives},
		{"a received message belongs to its receiver", memoryIsNotShared},
		{"concurrent senders all get through", concurrentSenders},
		{"a node without an address is unknown", unknownNode},
		{"a node that is not there is unreachable", unreachableNode},
		{"a node that restarts is reached again", restart},
		{"a full queue drops and never blocks", fullQueue},
		{"a handler that blocks does not delay Send", blockedHandler},
		{"two nodes cannot share an address", sharedAddress},
		{"nothing is sent before Start or after Close", closedTransport},
		{"nothing is delivered after Close", quietAfterClose},
		{"Close waits for the handler", closeWaitsForTheHandler},
		{"Close does not wait for an answer", closeWithRequestsPending},
		{"a node that is routed to is reached", routedPeerIsReached},
		{"routes may be told before Start", routesBeforeStart},
		{"a node that is no longer routed to is unknown", droppedPeerIsUnknown},
		{"a node that moved is reached where it is", movedPeerIsReached},
		{"a node to whom there is no route is answered", strangersAreAnswered},
		{"routes change while they are used", routesChangeAtAnyTime},
	} {
		t.Run(c.promise, func(t *testing.T) {
			run := func(t *testing.T) {
				c.test(&cluster{T: t, open: s.Cluster(t, 1, 2, 3), land: s.Land(t)})
			}
			if s.Bubble {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}

// cluster is three servers, each started when a test asks for it and closed when the test ends.
type cluster struct {
	*testing.T
	open func(raft.NodeID) transport.Transport
	land Land
}

// server is a transport with a handler that records.
type server struct {
	transport.Transport
	*recorder
	id raft.NodeID
}

func (c *cluster) start(id raft.NodeID) server {
	c.Helper()
	s := server{c.open(id), newRecorder(), id}
	c.startWith(s, s.recorder)
	c.Cleanup(s.release) // before it is closed
	return s
}

func (c *cluster) startWith(t transport.Transport, h transport.Handler) {
	c.Helper()
	if err := t.Start(h); err != nil {
		c.Fatalf("Start: %v", err)
	}
	c.Cleanup(func() { c.close(t) })
}

func (c *cluster) close(t transport.Transport) {
	c.Helper()
	if err := t.Close(); err != nil {
		c.Errorf("Close: %v", err)
	}
}

// Identity is what a server of the suite says of itself.
func Identity(id raft.NodeID) raft.Identity {
	return raft.Identity{
		Cluster: raft.ClusterID{1: 0xc1}, Node: id,
		Incarnation: 0xfedc_ba98_7654_3210, Start: 7, Configuration: 3, API: "https://[::1]:8001",
	}
}

func envelope(from server, to raft.NodeID, sequence raft.Sequence, m raft.Message) raft.Envelope {
	return raft.Envelope{From: Identity(from.id), To: to, Sequence: sequence, Message: m}
}

// send sends a message that must be taken.
func (c *cluster) send(from server, to raft.NodeID, sequence raft.Sequence, m raft.Message) {
	c.Helper()
	if err := from.Send(envelope(from, to, sequence, m)); err != nil {
		c.Fatalf("Send from %v to %v: %v", from.id, to, err)
	}
}

// respond answers a request.
func (c *cluster) respond(by server, request raft.Envelope, m raft.Message) {
	c.Helper()
	c.send(by, request.From.Node, request.Sequence, m)
}

// next waits for the next message that a server receives.
func (c *cluster) next(s server) raft.Envelope {
	c.Helper()
	select {
	case e := <-s.received:
		return e
	case <-time.After(patience):
		c.Fatalf("node %v received nothing", s.id)
		return raft.Envelope{}
	}
}

// nextFailure waits for the next loss that a server is told of.
func (c *cluster) nextFailure(s server) failure {
	c.Helper()
	select {
	case f := <-s.failures:
		return f
	case <-time.After(patience):
		c.Fatalf("node %v was told of no loss", s.id)
		return failure{}
	}
}

// soon runs f and demands that it returns without waiting for anything.
func (c *cluster) soon(what string, f func()) {
	c.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		c.Fatalf("%s blocks", what)
	}
}

// never waits a moment and demands that cond does not hold after it.
func (c *cluster) never(what string, cond func() bool) {
	c.Helper()
	<-time.After(quiet)
	if cond() {
		c.Errorf("happened: %s", what)
	}
}
