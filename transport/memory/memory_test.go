package memory

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is a handler that keeps what it is given. Receive waits while gate is set and open.
type inbox struct {
	received chan raft.Envelope
	failed   chan failure
	gate     chan struct{}
}

func newInbox() *inbox {
	return &inbox{received: make(chan raft.Envelope, 1000), failed: make(chan failure, 1000)}
}

func (b *inbox) Receive(e raft.Envelope) {
	if b.gate != nil {
		<-b.gate
	}
	b.received <- e
}

func (b *inbox) Failed(to raft.NodeID, err error) { b.failed <- failure{to, err} }

// advance lets the bubble's clock run until everything that is due within d has happened.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// world is a network of three started servers inside a bubble.
type world struct {
	*Network
	t     *testing.T
	nodes map[raft.NodeID]transport.Transport
	boxes map[raft.NodeID]*inbox
}

// bubble runs a test on a fresh world, on a clock of its own.
func bubble(t *testing.T, test func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			Network: NewNetwork(), t: t,
			nodes: map[raft.NodeID]transport.Transport{}, boxes: map[raft.NodeID]*inbox{},
		}
		defer w.Close()
		for id := raft.NodeID(1); id <= 3; id++ {
			w.start(id)
		}
		test(w)
	})
}

func (w *world) start(id raft.NodeID) {
	w.t.Helper()
	w.nodes[id], w.boxes[id] = w.Node(id), newInbox()
	if err := w.nodes[id].Start(w.boxes[id]); err != nil {
		w.t.Fatal(err)
	}
}

// send sends messages that differ in their sequences.
func (w *world) send(from, to raft.NodeID, sequences ...raft.Sequence) {
	w.t.Helper()
	for _, s := range sequences {
		e := raft.Envelope{From: raft.Identity{Node: from}, To: to, Sequence: s, Message: raft.TimeoutNow{}}
		if err := w.nodes[from].Send(e); err != nil {
			w.t.Fatal(err)
		}
	}
}

// expect lets d pass and demands that a server then has received these sequences, no others, in this order.
func (w *world) expect(at raft.NodeID, d time.Duration, want ...raft.Sequence) {
	w.t.Helper()
	advance(d)
	var got []raft.Sequence
	for len(w.boxes[at].received) > 0 {
		got = append(got, (<-w.boxes[at].received).Sequence)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("server %d received %v, want %v", at, got, want)
	}
}

// expectFailures lets d pass and demands that a server then was told of that many losses of that sort.
func (w *world) expectFailures(at raft.NodeID, d time.Duration, want int, sort error) {
	w.t.Helper()
	advance(d)
	got := len(w.boxes[at].failed)
	for range got {
		if f := <-w.boxes[at].failed; !errors.Is(f.err, sort) {
			w.t.Errorf("server %d was told of %v, want %v", at, f.err, sort)
		}
	}
	if got != want {
		w.t.Errorf("server %d was told of %d losses, want %d", at, got, want)
	}
}

func TestMessagesOfOneSenderArriveInOrder(t *testing.T) {
	bubble(t, func(w *world) {
		var want []raft.Sequence
		for s := raft.Sequence(1); s <= queueLength; s++ {
			want = append(want, s)
		}
		w.send(1, 2, want...)
		w.expect(2, 0, want...)
	})
}

func TestACutLinkLosesOneDirection(t *testing.T) {
	bubble(t, func(w *world) {
		w.Delay(1, 2, time.Second)
		w.send(1, 2, 1) // is on its way when the link is cut
		w.Cut(1, 2)
		w.Delay(1, 2, 0)
		w.send(1, 2, 2)
		w.send(2, 1, 3)
		w.expect(1, 0, 3)
		w.expect(2, time.Minute)
		w.expectFailures(1, 0, 2, transport.ErrTimeout)
		w.Heal()
		w.send(1, 2, 4)
		w.expect(2, 0, 4)
	})
}

func TestALossIsReportedAfterTheTimeout(t *testing.T) {
	bubble(t, func(w *world) {
		w.Timeout(200 * time.Millisecond)
		w.Isolate(1)
		w.send(1, 2, 1)
		w.expectFailures(1, 199*time.Millisecond, 0, nil)
		w.expectFailures(1, time.Millisecond, 1, transport.ErrTimeout)
	})
}

func TestAPartitionSeparatesGroups(t *testing.T) {
	bubble(t, func(w *world) {
		w.Partition([]raft.NodeID{3}, []raft.NodeID{1, 2})
		w.send(1, 2, 1)
		w.send(1, 3, 2)
		w.send(3, 2, 3)
		w.expect(2, 0, 1)
		w.expect(3, 0)
		w.Isolate(2) // replaces it: 1 and 3 are named by no group and so are together
		w.send(1, 3, 4)
		w.send(1, 2, 5)
		w.expect(3, 0, 4)
		w.expect(2, 0)
		w.Heal()
		w.send(3, 2, 6)
		w.expect(2, 0, 6)
	})
}

func TestAHeldLinkKeepsItsMessages(t *testing.T) {
	bubble(t, func(w *world) {
		w.Hold(1, 2)
		w.send(1, 2, 1, 2)
		w.send(3, 2, 3)
		w.expect(2, time.Minute, 3)
		if n := w.InFlight(1, 2); n != 2 {
			t.Errorf("%d in flight, want 2", n)
		}
		w.Release(1, 2)
		w.send(1, 2, 4)
		w.expect(2, 0, 1, 2, 4)
	})
}

func TestWhatIsInFlightCanBeDrained(t *testing.T) {
	bubble(t, func(w *world) {
		w.Hold(1, 2)
		w.Delay(3, 2, time.Second)
		w.send(1, 2, 1, 2)
		w.send(3, 2, 3)
		w.send(1, 3, 4)
		w.expect(3, 0, 4)
		if n := w.Drop(1, 2); n != 2 {
			t.Errorf("dropped %d, want 2", n)
		}
		if n := w.DropAll(); n != 1 {
			t.Errorf("dropped %d, want 1", n)
		}
		w.Release(1, 2)
		w.expect(2, time.Minute)
		w.expectFailures(1, 0, 2, transport.ErrTimeout)
	})
}

func TestADelayIsOnTheClockAndKeepsOrder(t *testing.T) {
	bubble(t, func(w *world) {
		w.Delay(1, 2, 100*time.Millisecond)
		w.send(1, 2, 1)
		w.Delay(1, 2, 10*time.Millisecond)
		w.send(1, 2, 2)
		w.expect(2, 99*time.Millisecond)
		w.expect(2, time.Millisecond, 1, 2)
		w.send(1, 2, 3)
		w.expect(2, 10*time.Millisecond, 3)
	})
}

func TestAHandlerThatBlocksHoldsUpOnlyItsSender(t *testing.T) {
	bubble(t, func(w *world) {
		gate := make(chan struct{})
		w.boxes[2].gate = gate
		w.send(1, 2, 1, 2)
		synctest.Wait()
		w.boxes[2].gate = nil // what follows passes
		w.send(3, 2, 3)
		w.expect(2, 0, 3)
		close(gate)
		w.expect(2, 0, 1, 2)
	})
}

func TestAMissingServerIsUnreachable(t *testing.T) {
	bubble(t, func(w *world) {
		w.Hold(1, 2)
		w.send(1, 2, 1)
		if err := w.nodes[2].Close(); err != nil {
			t.Fatal(err)
		}
		w.expectFailures(1, 0, 1, transport.ErrUnreachable)
		w.Release(1, 2)
		w.send(1, 2, 2)
		w.expectFailures(1, 0, 1, transport.ErrUnreachable)
		w.start(2)
		w.send(1, 2, 3)
		w.expect(2, 0, 3)
	})
}

func TestReportsThatNobodyTakesAreDropped(t *testing.T) {
	bubble(t, func(w *world) {
		w.boxes[1].failed = make(chan failure) // Failed blocks
		w.Isolate(1)
		for range 3 * queueLength {
			w.send(1, 2, 1)
		}
		advance(time.Minute)
		w.Heal()
		w.send(1, 2, 2)
		w.expect(2, 0, 2)
		for range 1 + queueLength { // the one that blocks, and those that wait
			<-w.boxes[1].failed
		}
		w.expectFailures(1, 0, 0, nil)
	})
}

func TestWhatHasNoBinaryFormDoesNotTravel(t *testing.T) {
	bubble(t, func(w *world) {
		e := raft.Envelope{To: 2, Message: raft.AppendEntries{Entries: []raft.Entry{{Term: 1, Index: 1}}}}
		if err := w.nodes[1].Send(e); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("an entry without a kind was sent: %v", err)
		}
		w.expect(2, 0)
	})
}

func TestAClosedNetworkDoesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		w.Close()
		w.Close()
		w.Heal()
		e := raft.Envelope{To: 2, Message: raft.TimeoutNow{}}
		if err := w.nodes[1].Send(e); err != transport.ErrClosed {
			t.Errorf("Send: %v", err)
		}
		if err := w.Node(4).Start(newInbox()); err != transport.ErrClosed {
			t.Errorf("Start: %v", err)
		}
		if err := w.nodes[1].Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
