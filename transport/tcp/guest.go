package tcp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// The limits of what strangers can hold on to.
const (
	maxGuests        = 256 // connections at a time; who comes then is turned away, or a stranger is
	handshakeTimeout = 5 * time.Second
	// maxOpen is how many requests of one connection may wait for an answer; those before are given up.
	maxOpen = 4096
	// maxTold bounds how many different things wrong with strangers are logged.
	maxTold = 64
)

// guest is a connection that somebody made to this node. What he asks is answered on it.
//
// Each request gets a number of its own, which the handler sees as its sequence and echoes: that of the
// guest, and a count. By the requester's own numbers two processes that share an id by mistake, or two lives
// of one process, could get each other's answers.
type guest struct {
	number uint64
	conn   net.Conn
	queue  *queue
	gone   context.Context
	leave  context.CancelFunc
	met    bool // he has introduced himself, and is heard; guarded by that of the guests

	mutex sync.Mutex
	asked uint64 // how many requests there were
	open  [maxOpen]exchange
}

// exchange is a request that waits for its answer.
type exchange struct {
	count    uint64 // which one it is; 0: none
	from     raft.NodeID
	sequence raft.Sequence // the requester's
}

const countBits = 24

// begin opens an exchange and returns its number.
func (g *guest) begin(from raft.NodeID, sequence raft.Sequence) raft.Sequence {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.asked++; g.asked&(1<<countBits-1) == 0 {
		g.asked++ // its last digits would be none
	}
	g.open[g.asked%maxOpen] = exchange{g.asked & (1<<countBits - 1), from, sequence}
	return raft.Sequence(g.number<<countBits | g.asked&(1<<countBits-1))
}

// end closes the exchange that an answer belongs to, and returns the requester's sequence. Only the first
// answer counts.
func (g *guest) end(e raft.Envelope) (raft.Sequence, bool) {
	count := uint64(e.Sequence) & (1<<countBits - 1)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	x := &g.open[count%maxOpen]
	if x.count != count || x.from != e.To {
		return 0, false
	}
	x.count = 0
	return x.sequence, true
}

// guests are all who are here.
type guests struct {
	mutex sync.RWMutex
	last  uint64
	here  map[uint64]*guest
	met   int // of those who are here
	told  map[string]bool
}

// answer passes a response to the guest who asked.
func (g *guests) answer(e raft.Envelope, size int) error {
	g.mutex.RLock()
	asker := g.here[uint64(e.Sequence)>>countBits]
	g.mutex.RUnlock()
	waits := false
	if asker != nil {
		e.Sequence, waits = asker.end(e)
	}
	if !waits {
		return fmt.Errorf("node %v: its request no longer waits: %w", e.To, transport.ErrTimeout)
	}
	return asker.queue.put(e, size)
}

// welcome makes a guest of a connection, or nil when there are too many.
func (g *guests) welcome(running context.Context, conn net.Conn) *guest {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.here) >= maxGuests && !g.makeRoom() {
		return nil
	}
	if g.here == nil {
		g.here, g.told = map[uint64]*guest{}, map[string]bool{}
	}
	g.last++
	came := &guest{number: g.last, conn: conn, queue: newQueue()}
	came.gone, came.leave = context.WithCancel(running)
	g.here[g.last] = came
	return came
}

// makeRoom has the first of those leave who have not said yet who they are: silence is no way to keep peers
// out. It reports false when there is none.
func (g *guests) makeRoom() bool {
	if g.met == len(g.here) {
		return false
	}
	var first *guest
	for _, who := range g.here {
		if !who.met && (first == nil || who.number < first.number) {
			first = who
		}
	}
	first.leave()
	delete(g.here, first.number)
	return true
}

// meet notes that a guest has introduced himself; it reports false when he had to leave.
func (g *guests) meet(who *guest) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.here[who.number] == nil {
		return false
	}
	who.met = true
	g.met++
	return true
}

func (g *guests) farewell(who *guest) {
	who.leave()
	g.mutex.Lock()
	defer g.mutex.Unlock()
	delete(g.here, who.number)
	if who.met {
		g.met--
	}
}

// news reports whether something wrong with strangers has not been told yet.
func (g *guests) news(what string) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.told[what] || len(g.told) >= maxTold {
		return false
	}
	g.told[what] = true
	return true
}

// accept lets guests in, until Close.
func (t *Transport) accept() {
	for {
		conn, err := t.listener.Accept()
		switch {
		case t.running.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil: // too many open files: it passes
			t.config.Log.Warn("Cannot accept a connection of a peer; tries again", "error", err)
			select {
			case <-t.running.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		g := t.guests.welcome(t.running, conn)
		if g == nil || !t.enter(func() { t.host(g) }) {
			conn.Close()
		}
	}
}

// host hears a guest until he leaves.
func (t *Transport) host(g *guest) {
	defer t.guests.farewell(g)
	defer g.conn.Close()
	defer context.AfterFunc(g.gone, func() { g.conn.Close() })()
	deadline, cancel := context.WithTimeout(g.gone, handshakeTimeout)
	defer cancel()
	conn, certified, err := t.admit(deadline, g.conn)
	r, p := newReader(conn, &t.crowd), &pen{conn: conn, timeout: t.config.Timeout}
	var first wire.Streamed
	if err == nil {
		conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
		first, err = r.next()
	}
	if g.gone.Err() != nil {
		return
	}
	if err != nil || first.Message != nil {
		t.strange(g.conn, r.buffer[:r.end], err)
		return
	}
	r.greet()
	who := first.Introduction.From
	if err := p.introduce(wire.Introduction{From: t.config.Self, To: who.Node}); err != nil {
		return
	}
	if why := t.judge(first.Introduction, certified); why != 0 {
		if t.guests.news(fmt.Sprint(why, who.Node, who.Cluster)) {
			what := "Does not listen to a node, " + against(who.Node, certified, why)
			t.config.Log.Warn(what, "node", who.Node)
		}
		p.write([]raft.Envelope{{From: t.config.Self, To: who.Node, Message: raft.IdentityRefused{Why: why}}})
		return
	}
	if t.guests.meet(g) && t.enter(func() { g.answers(p) }) {
		t.hear(g, r, who, certified)
	}
}

// judge returns why somebody is not heard at all, or 0. Whether a node of this cluster may speak is decided
// by whoever gets its messages.
func (t *Transport) judge(i wire.Introduction, certified certificate) raft.IdentityReason {
	switch {
	case i.From.Node == raft.None || i.From.Cluster == (raft.ClusterID{}) || !certified.names(i.From.Node):
		return raft.NoIdentity
	case i.From.Cluster != t.config.Self.Cluster:
		return raft.OtherCluster
	case i.To != t.config.Self.Node:
		return raft.OtherReceiver
	case i.From.Node == t.config.Self.Node:
		return raft.SameID
	}
	return 0
}

// hear gives the handler what a guest sends, until he leaves.
func (t *Transport) hear(g *guest, r *reader, who raft.Identity, certified certificate) {
	for {
		s, err := r.next()
		if g.gone.Err() != nil || err != nil {
			return
		}
		if s.Message == nil {
			if who = s.Introduction.From; t.judge(s.Introduction, certified) != 0 {
				return
			}
			continue
		}
		e := raft.Envelope{From: who, To: t.config.Self.Node, Message: s.Message}
		if !raft.IsResponse(s.Message) { // a report answers nothing, whatever number it bears
			e.Sequence = g.begin(who.Node, s.Sequence)
		}
		t.handler.Receive(e)
	}
}

// answers writes what waits for a guest, until he leaves.
func (g *guest) answers(p *pen) {
	defer g.leave()
	var batch []raft.Envelope
	for {
		select {
		case <-g.gone.Done():
			return
		case <-g.queue.ready:
			batch = g.queue.take(batch)
			if _, err := p.write(batch); err != nil {
				return
			}
			g.queue.written()
		}
	}
}
