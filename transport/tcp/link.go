package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// How long a peer that could not be reached is left alone: twice as long after each failure in a row.
const (
	firstPause = 10 * time.Millisecond
	longPause  = 500 * time.Millisecond
)

// link carries one lane to a peer, over one connection after the other.
type link struct {
	t     *Transport
	peer  *peer
	lane  uint8
	queue *queue

	line  *line // nil: there is none
	pause time.Duration
	again time.Time // not before it is dialled
	why   error     // of the last failure
}

// line is a connection to a peer that has said who it is.
type line struct {
	pen
	broken chan struct{} // closed: its reader has ended
	asked  atomic.Int64  // since when something was asked and nothing was heard; 0: nothing is open
	served atomic.Bool   // something was answered
}

func newLink(t *Transport, p *peer, lane uint8) *link {
	return &link{t: t, peer: p, lane: lane, queue: newQueue()}
}

// run carries what waits, until the peer is dismissed.
func (l *link) run() {
	var batch []raft.Envelope
	defer func() {
		if l.line != nil {
			l.hangUp()
		}
	}()
	for {
		select {
		case <-l.peer.routed.Done():
			return
		case <-l.queue.ready:
			batch = l.queue.take(batch)
			l.carry(batch)
			l.queue.written()
		}
	}
}

// carry writes messages, over a new connection when there is none.
func (l *link) carry(batch []raft.Envelope) {
	if len(batch) == 0 {
		return
	}
	now := time.Now()
	if l.line != nil && l.line.mute(now, l.t.config.Timeout) {
		l.hangUp()
		l.failed(now, fmt.Errorf("%w: no answer", transport.ErrTimeout))
	} else if l.line != nil && l.line.ended() {
		served := l.line.served.Load()
		l.hangUp()
		if !served { // else it may be back already
			l.failed(now, fmt.Errorf("%w: it hung up", transport.ErrRefused))
		}
	}
	if l.line == nil {
		if now.Before(l.again) {
			l.undelivered(batch, l.why)
			return
		}
		if err := l.dial(batch[0]); err != nil {
			l.failed(time.Now(), err)
			l.undelivered(batch, l.why)
			return
		}
	}
	l.line.ask(now, batch)
	if left, err := l.line.write(batch); err != nil {
		l.hangUp()
		l.failed(time.Now(), trouble(err))
		begun := len(batch) - left
		for range batch[:begun] {
			l.tell(l.why)
		}
		l.undelivered(batch[begun:], l.why)
		return
	}
	l.line.asked.CompareAndSwap(now.UnixNano(), time.Now().UnixNano()) // before, it could not answer
}

// mute reports whether a peer has been asked something, and said nothing for too long.
func (l *line) mute(now time.Time, timeout time.Duration) bool {
	asked := l.asked.Load()
	return asked != 0 && now.UnixNano()-asked > int64(timeout)
}

func (l *line) ended() bool {
	select {
	case <-l.broken:
		return true
	default:
		return false
	}
}

// ask notes that answers are waited for from now on.
func (l *line) ask(now time.Time, batch []raft.Envelope) {
	for _, e := range batch {
		switch e.Message.(type) {
		case raft.PreVote, raft.RequestVote, raft.AppendEntries, raft.ForwardRead, raft.ForwardProposal:
			l.asked.CompareAndSwap(0, now.UnixNano())
			return
		}
	}
}

// failed notes why there is no connection, and when the next one is tried.
func (l *link) failed(now time.Time, why error) {
	l.pause = min(max(2*l.pause, firstPause), longPause)
	l.again, l.why = now.Add(l.pause), why
}

// undelivered reports messages of which not a byte has left.
func (l *link) undelivered(batch []raft.Envelope, why error) {
	for _, e := range batch {
		l.tell(&transport.Undelivered{Envelope: e, Cause: why})
	}
}

func (l *link) tell(why error) {
	if l.peer.routed.Err() == nil { // dismissed: nobody wants to know
		l.t.handler.Failed(l.peer.id, fmt.Errorf("node %v at %s: %w", l.peer.id, l.peer.address, why))
	}
}

// hangUp closes the connection, and waits until nothing comes from it any more. Who did not even answer on it
// is left alone for longer.
func (l *link) hangUp() {
	l.line.conn.Close()
	<-l.line.broken
	if l.line.served.Load() {
		l.pause = 0
	}
	l.line = nil
}

// dial connects to the peer, says who this node is, and hears who answers.
func (l *link) dial(first raft.Envelope) error {
	patience, cancel := context.WithTimeout(l.peer.routed, l.t.config.Timeout/2)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(patience, "tcp", l.peer.address)
	if err != nil {
		return trouble(err)
	}
	stop := context.AfterFunc(l.peer.routed, func() { raw.Close() }) // whoever waits for it ends
	conn, err := l.t.secured(patience, raw, l.peer.id)
	if err != nil {
		stop()
		raw.Close()
		return trouble(err)
	}
	n := &line{broken: make(chan struct{}), pen: pen{conn: conn, timeout: l.t.config.Timeout}}
	r := newReader(conn, &l.t.crowd)
	who, err := l.greet(n, r, first)
	if err == nil && !l.t.enter(func() { l.hear(n, r, who); stop() }) {
		err = transport.ErrClosed
	}
	if err != nil {
		stop()
		conn.Close()
		return err
	}
	l.line = n
	return nil
}

// greet exchanges introductions. What the other end has against this node is given to the handler.
func (l *link) greet(n *line, r *reader, first raft.Envelope) (raft.Identity, error) {
	n.conn.SetReadDeadline(time.Now().Add(l.t.config.Timeout))
	defer r.greet()
	if err := n.introduce(wire.Introduction{From: first.From, To: l.peer.id, Lane: l.lane}); err != nil {
		return raft.Identity{}, trouble(err)
	}
	answer, err := r.next()
	if err != nil {
		return raft.Identity{}, trouble(err)
	}
	who := answer.Introduction.From
	switch {
	case answer.Message != nil:
		return who, fmt.Errorf("%w: it does not say who it is", transport.ErrRefused)
	case who.Node == l.peer.id && who.Cluster == first.From.Cluster:
		return who, nil
	}
	if why, err := r.next(); err == nil && l.peer.routed.Err() == nil {
		if _, is := why.Message.(raft.IdentityRefused); is {
			l.t.handler.Receive(raft.Envelope{
				From: who, To: first.From.Node, Sequence: first.Sequence, Message: why.Message,
			})
		}
	}
	return who, fmt.Errorf("%w: node %v of cluster %x answers there", transport.ErrRefused, who.Node,
		who.Cluster)
}

// hear gives the handler what comes back, until the connection ends.
func (l *link) hear(n *line, r *reader, who raft.Identity) {
	defer close(n.broken)
	defer n.conn.Close()
	for {
		s, err := r.next()
		switch {
		case l.peer.routed.Err() != nil || err != nil:
			return
		case s.Message == nil:
			now := s.Introduction.From
			if now.Node != who.Node || now.Cluster != who.Cluster {
				return // whoever this is, it is not the one who was greeted
			}
			who = now
			continue
		case !raft.IsResponse(s.Message):
			return // who is dialled answers, and asks nothing
		}
		n.asked.Store(0)
		if _, refused := s.Message.(raft.IdentityRefused); !refused {
			n.served.Store(true)
		}
		l.t.handler.Receive(raft.Envelope{
			From: who, To: l.t.config.Self.Node, Sequence: s.Sequence, Message: s.Message,
		})
	}
}

// trouble says what went wrong with a connection.
func trouble(err error) error {
	var operation *net.OpError
	var network net.Error
	switch {
	case errors.As(err, &operation) && operation.Op == "dial":
		return fmt.Errorf("%w: %v", transport.ErrUnreachable, operation.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%w: no answer", transport.ErrTimeout)
	case errors.Is(err, wire.ErrMalformed):
		return fmt.Errorf("%w: its answer makes no sense: %v", transport.ErrRefused, err)
	}
	return fmt.Errorf("%w: %v", transport.ErrUnreachable, err)
}
