// Package tcp carries messages as binary frames over TCP, in the order in which they are sent. A node dials
// each peer and sends it requests and reports; what the peer answers comes back on the same connection:
//
//	 node 1                                                        node 2
//	┌─────────────────────────┐  introduction, requests    ┌──────────────────────────┐
//	│ Send ▶ queue ▶ link ────│───────────────────────────▶│ guest ▶ Receive          │
//	│                         │  introduction, responses   │   ▲                      │
//	│ Receive ◀─── link ◀─────│◀───────────────────────────│── queue ◀ Send(response) │
//	└─────────────────────────┘                            └──────────────────────────┘
//
// There are two such links to each peer. Snapshots, and messages of more than a MiB, have one of their own: a
// heartbeat that waited behind them would come too late. On neither does a message overtake another one.
// Whatever waits when a link is ready to write goes with one system call.
//
// A connection begins with who its two ends are (wire.Introduction): who belongs to another cluster, or takes
// this node for another one, is told so and cut off before any field of Raft is read. Whether a member may
// speak is not decided here. With Config.TLS both ends prove who they are. The frames are those of package
// wire; a person reads them better with transport/httpjson.
package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// DefaultTimeout is what a Config.Timeout of 0 stands for.
const DefaultTimeout = 2 * time.Second

// Config says where a node listens and whom it knows.
type Config struct {
	// Self is the node itself, as it introduces itself to whom it answers.
	Self raft.Identity
	// Listen is the address for the node's own listener, as host:port. Port 0 lets the system choose one; see
	// Transport.Address.
	Listen string
	// Peers are the addresses of the other nodes, as host:port, until Route names others. An entry for Self
	// is ignored.
	Peers map[raft.NodeID]string
	// Dial overrides where this node reaches a peer, as host:port, whatever Peers and Route say: for proxies.
	// It is nobody else's business.
	Dial map[raft.NodeID]string
	// TLS has both ends prove who they are by certificates: see Secure. Nil: whoever reaches the address can
	// say that it is a member.
	TLS *tls.Config
	// Timeout is how long a peer may be silent that was asked something, or take nothing of what it is sent,
	// until its connection is given up for a new one. Dialling takes half of it at most. 0 is DefaultTimeout.
	Timeout time.Duration
	// Log takes what is wrong with those who connect. Nil: nobody hears it.
	Log *slog.Logger
}

func (c *Config) validate() error {
	if c.Self.Node == raft.None {
		return errors.New("the node's own id is missing")
	}
	if c.Timeout < 0 {
		return errors.New("the timeout must not be negative")
	}
	if err := transport.CheckAddresses(c.Self.Node, c.Peers, c.Dial); err != nil {
		return err
	}
	if c.TLS != nil {
		secured, err := Secure(c.TLS)
		if err != nil {
			return err
		}
		c.TLS = secured
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Transport implements transport.Transport over TCP.
type Transport struct {
	config   Config
	handler  transport.Handler // set before anything runs that uses it
	listener net.Listener
	guests   guests
	crowd    atomic.Int64 // bytes of long frames that are being received

	running context.Context // ends with Close
	end     context.CancelFunc

	mutex      sync.Mutex
	phase      phase
	peers      []*peer        // sorted by id; their links run while phase is started
	goroutines sync.WaitGroup // joined only while phase is started, under the mutex
	closing    sync.Once
}

type phase uint8

const (
	fresh phase = iota
	started
	closed
)

// New makes a transport that is not yet started. It opens nothing. An error is a sentence about the
// configuration.
func New(config Config) (*Transport, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("tcp: %w", err)
	}
	t := &Transport{config: config}
	t.running, t.end = context.WithCancel(context.Background())
	t.Route(config.Peers)
	return t, nil
}

// Start implements transport.Transport. An error names the address and says what to do.
func (t *Transport) Start(handler transport.Handler) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch t.phase {
	case started:
		return errors.New("tcp: started twice")
	case closed:
		return transport.ErrClosed
	}
	listener, err := transport.Listen(t.config.Listen)
	if err != nil {
		return err
	}
	t.phase, t.handler, t.listener = started, handler, listener
	t.goroutines.Go(t.accept)
	for _, p := range t.peers {
		t.startLinks(p)
	}
	return nil
}

// Address returns the address that the transport listens on, with the actual port; empty before Start.
func (t *Transport) Address() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.listener == nil {
		return ""
	}
	return t.listener.Addr().String()
}

// Send implements transport.Transport. A response goes back to where its request came from: ErrTimeout says
// that nobody waits there any more.
func (t *Transport) Send(e raft.Envelope) error {
	t.mutex.Lock()
	phase, peers := t.phase, t.peers
	t.mutex.Unlock()
	if phase != started {
		return transport.ErrClosed
	}
	size := wire.EnvelopeSize(e)
	if size > wire.MaxFrame {
		return fmt.Errorf("%w: %d bytes", transport.ErrTooLarge, size)
	}
	if raft.IsResponse(e.Message) && e.Sequence != 0 {
		return t.guests.answer(e, size)
	}
	at, known := find(peers, e.To)
	if !known {
		return fmt.Errorf("node %v: %w", e.To, transport.ErrUnknownNode)
	}
	return peers[at].put(e, size)
}

// enter lets a goroutine take part until it ends, unless the transport is closing.
func (t *Transport) enter(run func()) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.phase != started {
		return false
	}
	t.goroutines.Go(run)
	return true
}

// Close implements transport.Transport.
func (t *Transport) Close() error {
	t.closing.Do(func() {
		t.mutex.Lock()
		was, listener := t.phase, t.listener
		t.phase = closed
		t.mutex.Unlock()
		t.end()
		if was != started {
			return
		}
		listener.Close() // and nobody is let in any more
		t.goroutines.Wait()
	})
	return nil
}
