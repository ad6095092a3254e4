package transporttest

import (
	"bytes"
	"errors"
	"reflect"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// This file holds the promises: each function tests one on a fresh cluster.

func arriveBothWays(c *cluster) {
	one, two := c.start(1), c.start(2)
	c.send(one, 2, 1, raft.TimeoutNow{Term: 5})
	c.send(two, 1, 1, raft.TimeoutNow{Term: 6})
	if e := c.next(two); e.From != Identity(1) || e.To != 2 || e.Message != (raft.TimeoutNow{Term: 5}) {
		c.Errorf("node 2 received %+v", e)
	}
	if e := c.next(one); e.From != Identity(2) || e.To != 1 || e.Message != (raft.TimeoutNow{Term: 6}) {
		c.Errorf("node 1 received %+v", e)
	}
}

// echoSequences answers requests in the reverse of the order in which they came.
func echoSequences(c *cluster) {
	one, two := c.start(1), c.start(2)
	const requests = 3
	var received [requests]raft.Envelope
	for s := range requests {
		c.send(one, 2, raft.Sequence(100+s), raft.ForwardRead{Number: uint64(s)})
		received[s] = c.next(two)
	}
	for s := requests - 1; s >= 0; s-- {
		c.respond(two, received[s], raft.ForwardReadResponse{Number: uint64(s)})
		e := c.next(one)
		if m, ok := e.Message.(raft.ForwardReadResponse); !ok || m.Number != uint64(s) {
			c.Errorf("received %+v instead of the response to request %d", e, s)
		}
		if e.Sequence != raft.Sequence(100+s) {
			c.Errorf("the response has sequence %d, its request had %d", e.Sequence, 100+s)
		}
	}
}

// reportArrives sends reports in the shape of responses, beside a question that is open: none may get lost or
// be taken for the answer.
func reportArrives(c *cluster) {
	one, two := c.start(1), c.start(2)
	c.send(one, 2, 5, raft.AppendEntries{Term: 3})
	question := c.next(two)
	for _, report := range []raft.Message{
		raft.AppendEntriesResponse{Term: 3, Match: 8},
		raft.InstallSnapshotResponse{Term: 3, Last: raft.EntryID{Term: 2, Index: 8}, Complete: true},
	} {
		c.send(two, 1, 0, report)
		if e := c.next(one); e.Sequence != 0 || e.Message != report {
			c.Errorf("received %+v instead of the report", e)
		}
	}
	c.respond(two, question, raft.AppendEntriesResponse{Term: 3, Match: 9})
	if e := c.next(one); e.Sequence != 5 || e.Message != (raft.AppendEntriesResponse{Term: 3, Match: 9}) {
		c.Errorf("received %+v instead of the answer", e)
	}
}

func everyMessageSurvives(c *cluster) {
	one, two := c.start(1), c.start(2)
	for i, x := range exchanges() {
		want := envelope(one, 2, raft.Sequence(1000+i), x.request)
		c.send(one, 2, want.Sequence, want.Message)
		got := c.next(two)
		want.Sequence = got.Sequence // where it is received, a request may have another number
		if !reflect.DeepEqual(got, want) {
			c.Errorf("received %+v\nwant     %+v", got, want)
		}
		if x.response == nil {
			continue
		}
		c.respond(two, got, x.response)
		want = envelope(two, 1, raft.Sequence(1000+i), x.response)
		if got := c.next(one); !reflect.DeepEqual(got, want) {
			c.Errorf("received %+v\nwant     %+v", got, want)
		}
	}
}

func aMegabyteArrives(c *cluster) {
	one, two := c.start(1), c.start(2)
	m := raft.AppendEntries{Entries: []raft.Entry{
		{Term: 1, Index: 1, Kind: raft.Normal, Command: bytes.Repeat([]byte{0, 'x', 0xf0, '"'}, 1<<18)},
		{Term: 1, Index: 2, Kind: raft.Normal, Command: []byte("and what follows it")},
	}}
	c.send(one, 2, 1, m)
	e := c.next(two)
	if !reflect.DeepEqual(e.Message, m) {
		c.Errorf("an entry of a megabyte did not arrive unchanged")
	}
	c.respond(two, e, raft.AppendEntriesResponse{Match: 2})
	c.next(one)
}

func memoryIsNotShared(c *cluster) {
	one, two, three := c.start(1), c.start(2), c.start(3)
	command := []byte("untouched")
	m := raft.ForwardProposal{Command: command}
	c.send(one, 2, 1, m)
	c.send(one, 3, 2, m)
	first := c.next(two).Message.(raft.ForwardProposal)
	copy(first.Command, "scribbled")
	second := c.next(three).Message.(raft.ForwardProposal)
	if string(command) != "untouched" || string(second.Command) != "untouched" {
		c.Errorf("one receiver changed what others hold: sender %q, receiver %q", command, second.Command)
	}
}

func unknownNode(c *cluster) {
	one := c.start(1)
	if err := one.Send(envelope(one, 99, 1, raft.TimeoutNow{})); !errors.Is(err, transport.ErrUnknownNode) {
		c.Errorf("Send to an unknown node: %v", err)
	}
}

func unreachableNode(c *cluster) {
	one, two := c.start(1), c.start(2)
	c.close(two)
	for _, to := range []raft.NodeID{2, 3} { // one was closed, the other never started
		c.send(one, to, 1, raft.RequestVote{Term: 1})
		if f := c.nextFailure(one); f.to != to || !errors.Is(f.err, transport.ErrUnreachable) {
			c.Errorf("told of %+v, want that node %v is unreachable", f, to)
		}
	}
}

func restart(c *cluster) {
	one, two := c.start(1), c.start(2)
	c.send(one, 2, 1, raft.TimeoutNow{Term: 1})
	c.next(two)
	c.close(two)
	two = c.start(2)
	Eventually(c, "a message arrives after the restart", func() bool {
		one.Send(envelope(one, 2, 2, raft.TimeoutNow{Term: 2})) // may be refused: the queue is full
		return len(two.received) > 0
	})
	if m := c.next(two).Message; m != raft.Message(raft.TimeoutNow{Term: 2}) {
		c.Errorf("received %+v after the restart", m)
	}
	c.send(two, 1, 3, raft.TimeoutNow{Term: 3})
	c.next(one)
}

func fullQueue(c *cluster) {
	one, two := c.start(1), c.start(2)
	two.block()
	// In all 64 MiB: more than the system takes in on its own account.
	const sent, atLeast = 2000, 1000
	entries := []raft.Entry{{Term: 1, Index: 1, Kind: raft.Normal, Command: make([]byte, 32<<10)}}
	refused := 0
	for s := range raft.Sequence(sent) {
		begin := time.Now()
		err := one.Send(envelope(one, 2, s, raft.AppendEntries{Term: 1, Entries: entries}))
		if took := time.Since(begin); took > time.Second {
			c.Fatalf("Send took %v", took)
		}
		if errors.Is(err, transport.ErrFull) {
			refused++
		} else if err != nil {
			c.Errorf("Send: %v", err)
		}
	}
	if refused < atLeast {
		c.Errorf("%d of %d messages were taken for a node that takes nothing", sent-refused, sent)
	}
}

func blockedHandler(c *cluster) {
	one, two := c.start(1), c.start(2)
	two.block()
	c.send(one, 2, 1, raft.RequestVote{Term: 1})
	Eventually(c, "the handler blocks", func() bool { return len(two.entered) > 0 })
	c.soon("Send while the handler is blocked", func() {
		if err := two.Send(envelope(two, 1, 1, raft.TimeoutNow{Term: 2})); err != nil {
			c.Errorf("Send: %v", err)
		}
	})
	if e := c.next(one); e.Message != (raft.TimeoutNow{Term: 2}) {
		c.Errorf("received %+v", e)
	}
}

func sharedAddress(c *cluster) {
	c.start(1)
	second := c.open(1)
	if err := second.Start(newRecorder()); err == nil {
		c.Error("two transports listen at the address of node 1")
		second.Close()
	}
}

func closedTransport(c *cluster) {
	one := c.open(1)
	request := raft.Envelope{From: Identity(1), To: 2, Message: raft.TimeoutNow{}}
	if err := one.Send(request); !errors.Is(err, transport.ErrClosed) {
		c.Errorf("Send before Start: %v", err)
	}
	started := c.start(2)
	c.close(started)
	c.close(started)
	request.To = 1
	if err := started.Send(request); !errors.Is(err, transport.ErrClosed) {
		c.Errorf("Send after Close: %v", err)
	}
}
