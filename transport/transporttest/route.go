package transporttest

import (
	"errors"
	"fmt"
	"sync"

	"balsa/raft"
	"balsa/transport"
)

// Land is a network on which a test decides where servers are.
type Land struct {
	// Address returns an address at which nobody is, another one at each call.
	Address func() string
	// Open makes the transport of a server at an address, not yet started, which was told of nobody else.
	Open func(id raft.NodeID, address string) transport.Transport
}

type routes = map[raft.NodeID]string

// settle starts a server at an address.
func (c *cluster) settle(id raft.NodeID, address string) server {
	c.Helper()
	s := server{c.land.Open(id, address), newRecorder(), id}
	c.startWith(s, s.recorder)
	c.Cleanup(s.release)
	return s
}

// arrives demands that a message from one server reaches another.
func (c *cluster) arrives(from, to server, term raft.Term) {
	c.Helper()
	Eventually(c, fmt.Sprintf("a message from %v to %v arrives", from.id, to.id), func() bool {
		_ = from.Send(envelope(from, to.id, 1, raft.TimeoutNow{Term: term})) // some may be lost
		return len(to.received) > 0
	})
	for m := c.next(to).Message; len(to.received) > 0; m = c.next(to).Message {
		if m != (raft.Message(raft.TimeoutNow{Term: term})) {
			c.Errorf("received %+v, want term %d", m, term)
		}
	}
}

// unknown demands that a server is told at once that it knows of no such node.
func (c *cluster) unknown(from server, to raft.NodeID) {
	c.Helper()
	err := from.Send(envelope(from, to, 1, raft.TimeoutNow{}))
	if !errors.Is(err, transport.ErrUnknownNode) {
		c.Errorf("Send from %v to %v, to whom there is no route: %v", from.id, to, err)
	}
}

func routedPeerIsReached(c *cluster) {
	at := c.land.Address()
	one, two := c.settle(1, c.land.Address()), c.settle(2, at)
	one.Route(routes{})
	c.unknown(one, 2)
	told := routes{2: at}
	one.Route(told)
	delete(told, 2) // the caller's: nothing is read of it any more
	c.arrives(one, two, 1)
	one.Route(routes{2: at}) // the same again changes nothing
	c.send(one, 2, 2, raft.TimeoutNow{Term: 2})
	c.next(two)
}

func routesBeforeStart(c *cluster) {
	at := c.land.Address()
	two := c.settle(2, at)
	one := server{c.land.Open(1, c.land.Address()), newRecorder(), 1}
	one.Route(routes{2: c.land.Address(), 3: at})
	one.Route(routes{2: at})
	c.startWith(one, one.recorder)
	c.unknown(one, 3)
	c.arrives(one, two, 1)
}

// droppedPeerIsUnknown takes a route away while requests are on their way that nobody answers.
func droppedPeerIsUnknown(c *cluster) {
	at, third := c.land.Address(), c.land.Address()
	one, two, three := c.settle(1, c.land.Address()), c.settle(2, at), c.settle(3, third)
	one.Route(routes{2: at, 3: third})
	two.block()
	const sent = 60 // in all 15 MiB: more than the system takes in on its own account
	entries := []raft.Entry{{Term: 1, Index: 1, Kind: raft.Normal, Command: make([]byte, 256<<10)}}
	for s := range raft.Sequence(sent) {
		c.send(one, 2, s, raft.AppendEntries{Term: 1, Entries: entries})
	}
	Eventually(c, "the handler is at work", func() bool { return len(two.entered) > 0 })
	one.Route(routes{3: third})
	c.unknown(one, 2)
	c.arrives(one, three, 1)
	two.release()
	c.never("what waited for the node that left is sent to it", func() bool {
		return len(two.received) > sent/2
	})
	one.Route(routes{2: at, 3: third})
	for len(two.received) > 0 {
		<-two.received
	}
	c.arrives(one, two, 9)
}

// movedPeerIsReached moves a server, whose place another one takes.
func movedPeerIsReached(c *cluster) {
	from, to := c.land.Address(), c.land.Address()
	one, two := c.settle(1, c.land.Address()), c.settle(2, from)
	one.Route(routes{2: from})
	c.arrives(one, two, 1)
	c.close(two)
	settler, moved := c.settle(3, from), c.settle(2, to)
	_ = one.Send(envelope(one, 2, 6, raft.TimeoutNow{Term: 6})) // goes to where node 2 was
	c.never("a node is reached where it is not looked for", func() bool { return len(moved.received) > 0 })
	before := len(settler.received)
	one.Route(routes{2: to})
	c.send(one, 2, 7, raft.TimeoutNow{Term: 7}) // the very next one
	if e := c.next(moved); e.Message != (raft.Message(raft.TimeoutNow{Term: 7})) {
		c.Errorf("received %+v after the move", e)
	}
	c.never("a message for the node that moved goes to where it was", func() bool {
		return len(settler.received) > before
	})
}

// strangersAreAnswered has a server ask another that has no route to it.
func strangersAreAnswered(c *cluster) {
	at := c.land.Address()
	one, two := c.settle(1, c.land.Address()), c.settle(2, at)
	two.Route(routes{})
	one.Route(routes{2: at})
	c.send(one, 2, 5, raft.RequestVote{Term: 1})
	c.respond(two, c.next(two), raft.RequestVoteResponse{Term: 1})
	if e := c.next(one); e.Sequence != 5 || e.Message != (raft.Message(raft.RequestVoteResponse{Term: 1})) {
		c.Errorf("received %+v", e)
	}
}

// routesChangeAtAnyTime changes the routes while they are used, and when the transport closes.
func routesChangeAtAnyTime(c *cluster) {
	at := c.land.Address()
	one, two := c.settle(1, c.land.Address()), c.settle(2, at)
	var group sync.WaitGroup
	for s := range raft.Sequence(3) {
		group.Go(func() {
			for range 50 {
				_ = one.Send(envelope(one, 2, s, raft.TimeoutNow{Term: 1}))
			}
		})
		group.Go(func() {
			for range 50 {
				one.Route(routes{})
				one.Route(routes{2: at})
			}
		})
	}
	group.Wait()
	c.arrives(one, two, 1)
	for range 3 {
		group.Go(func() { one.Route(routes{2: at, 3: at}) })
		group.Go(func() { c.close(one) })
	}
	group.Wait()
	one.Route(routes{2: at})
	err := one.Send(envelope(one, 2, 1, raft.TimeoutNow{}))
	if !errors.Is(err, transport.ErrClosed) {
		c.Errorf("Send after Close and Route: %v", err)
	}
}
