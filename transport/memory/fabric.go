package memory

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// fabric is the state of a network. Only the network's goroutine touches it, so it needs no locks. Everything
// is kept sorted, so that the same requests always have the same effects in the same order.
type fabric struct {
	known   []raft.NodeID   // every id that Node was asked for, sorted
	running []*node         // started and not closed, at most one for each id
	links   []*link         // sorted by sender, then receiver
	groups  [][]raft.NodeID // the partition; nil when there is none
	losses  []loss          // not yet reported
	timeout time.Duration
	closed  bool
}

// link is the way from one server to another. It outlives both: what was set on it holds for their
// successors.
type link struct {
	from, to  raft.NodeID
	cut, held bool
	delay     time.Duration
	queue     []parcel // on their way; one that is due waits for those before it
}

// parcel is a message on its way, to where, and when it arrives.
type parcel struct {
	envelope raft.Envelope
	address  string // empty: wherever its receiver is
	due      time.Time
}

// reaches reports whether a server receives the parcel; there may be none.
func (p parcel) reaches(n *node) bool {
	return n != nil && (p.address == "" || n.address == "" || p.address == n.address)
}

// loss is a message whose sender will learn at some time that it did not arrive.
type loss struct {
	sender *node
	to     raft.NodeID
	at     time.Time
	err    error
}

func (f *fabric) know(id raft.NodeID) {
	if at, known := slices.BinarySearch(f.known, id); !known {
		f.known = slices.Insert(f.known, at, id)
	}
}

// link returns the link, which it makes if there was none.
func (f *fabric) link(from, to raft.NodeID) *link {
	at, found := slices.BinarySearchFunc(f.links, link{from: from, to: to}, func(a *link, b link) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	if !found {
		f.links = slices.Insert(f.links, at, &link{from: from, to: to})
	}
	return f.links[at]
}

// node returns the running server with that id, or nil.
func (f *fabric) node(id raft.NodeID) *node {
	for _, n := range f.running {
		if n.id == id {
			return n
		}
	}
	return nil
}

func (f *fabric) attach(n *node) error {
	if f.closed {
		return transport.ErrClosed
	}
	if n.started {
		return fmt.Errorf("node %v was started or closed before: ask the network for a new transport", n.id)
	}
	if f.node(n.id) != nil {
		return fmt.Errorf("node %v is already running on this network: close it first", n.id)
	}
	n.started = true
	f.running = append(f.running, n)
	n.goroutines.Go(n.report)
	return nil
}

// detach ends a server's part in the network, once. What is on its way to it and from it is lost; those who
// sent to it learn at once that it is gone.
func (f *fabric) detach(n *node) {
	n.started = true // and so cannot be started any more
	if !slices.Contains(f.running, n) {
		return
	}
	for _, l := range f.links {
		if l.from == n.id || l.to == n.id {
			f.lose(l, transport.ErrUnreachable)
		}
	}
	f.running = slices.DeleteFunc(slices.Clone(f.running), func(other *node) bool { return other == n })
	close(n.stop)
}

func (f *fabric) send(from *node, e raft.Envelope) error {
	if !slices.Contains(f.running, from) {
		return transport.ErrClosed
	}
	address, known := f.reach(from, e)
	if !known {
		return fmt.Errorf("node %v: %w", e.To, transport.ErrUnknownNode)
	}
	l := f.link(from.id, e.To)
	if f.severed(l) {
		f.lost(l, transport.ErrTimeout)
		return nil
	}
	if len(l.queue) >= queueLength {
		return fmt.Errorf("node %v: %w", e.To, transport.ErrFull)
	}
	l.queue = append(l.queue, parcel{envelope: e, address: address, due: time.Now().Add(l.delay)})
	return nil
}

// severed reports whether the link is cut or its ends are in different groups.
func (f *fabric) severed(l *link) bool {
	group := func(id raft.NodeID) int {
		return slices.IndexFunc(f.groups, func(g []raft.NodeID) bool { return slices.Contains(g, id) })
	}
	return l.cut || group(l.from) != group(l.to)
}

// sever loses what is on links that have just been cut.
func (f *fabric) sever() {
	for _, l := range f.links {
		if f.severed(l) {
			f.lose(l, transport.ErrTimeout)
		}
	}
}

// lose empties a link and returns how many messages were on it.
func (f *fabric) lose(l *link, err error) int {
	lost := len(l.queue)
	for range lost {
		f.lost(l, err)
	}
	l.queue = nil
	return lost
}

// lost notes that the sender is to learn of a loss: of a missing receiver at once, of anything else after the
// timeout, for a network does not say what it loses.
func (f *fabric) lost(l *link, err error) {
	sender := f.node(l.from)
	if sender == nil {
		return
	}
	at := time.Now()
	if err == transport.ErrTimeout {
		at = at.Add(f.timeout)
	}
	f.losses = append(f.losses, loss{sender: sender, to: l.to, at: at, err: err})
}

// turn does whatever can be done now and returns when something can be done next, if ever: every request and
// every completed delivery is followed by a turn.
func (f *fabric) turn(now time.Time) (next time.Time, some bool) {
	earliest := func(at time.Time) {
		if !some || at.Before(next) {
			next, some = at, true
		}
	}
	for _, l := range f.links {
		if at, waits := f.pump(l, now); waits {
			earliest(at)
		}
	}
	f.losses = slices.DeleteFunc(f.losses, func(l loss) bool {
		if l.at.After(now) {
			earliest(l.at)
			return false
		}
		l.sender.failed(l.to, l.err)
		return true
	})
	return next, some
}

// pump delivers what has arrived on a link, as far as the receiver takes it: one message at a time from each
// sender. It returns when the next one arrives, if time is all that it waits for.
func (f *fabric) pump(l *link, now time.Time) (at time.Time, waits bool) {
	for len(l.queue) > 0 && !l.held {
		head := l.queue[0]
		if head.due.After(now) {
			return head.due, true
		}
		receiver := f.node(l.to)
		if !head.reaches(receiver) {
			f.lost(l, transport.ErrUnreachable)
		} else if !receiver.take(l.from, head.envelope) {
			return at, false // its handler is busy; when it is done there is another turn
		}
		l.queue = l.queue[1:]
	}
	return at, false
}
