// Package httpjson carries messages as JSON over HTTP, so that a person can read them on the wire and send
// them with curl. Each request is a POST to /raft/ and the name of its message, and the answer to the POST is
// the response:
//
//	$ curl 127.0.0.1:7001/raft/request_vote \
//	    -d '{"term":1,"candidate_id":2,"last_log_index":0,"last_log_term":0}'
//	{"term":1,"vote_granted":true,…}
//
// The forms are those of package wire. A server answers a request when its disk has what the answer promises:
//
//	 node 1                                       node 2
//	┌────────────────────┐   POST /raft/…   ┌──────────────────────┐
//	│ Send ▶ queue ▶ one │ ───────────────▶ │ Receive ▶ exchange 5 │
//	│        of 8 workers│                  │           waits      │
//	│ Receive ◀──────────│ ◀─────────────── │ Send(response 5)     │
//	└────────────────────┘   200            └──────────────────────┘
//
// What answers no request is posted too: a follower reports with an append_entries_response of its own that
// it takes entries again, and with an install_snapshot_response that a snapshot is in force. The answer to a
// POST to which no response belongs is 202.
//
// Connections are kept and reused. Messages may overtake each other.
package httpjson

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// What Config's zero values stand for.
const (
	DefaultTimeout = time.Second
	DefaultMaxBody = 64 << 20
)

// Config says where a node listens and whom it knows.
type Config struct {
	// Self is the node itself. Its id is what counts; the rest is what a refusal says of the refusing node.
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
	// ByHand lets messages in that name no cluster, as a person writes them. Off, they get 403.
	ByHand bool
	// Timeout is how long a request may take from Send until its response is there, and how long the other
	// side keeps it. It must exceed the time that a follower's disk takes to sync, for a follower answers
	// entries only then; what exceeds it is sent again later. A request may take a microsecond more for each
	// byte of its body. 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxBody bounds the bytes of one message in JSON, sent or received. It must be the same on all nodes and
	// at least wire.JSONGrowth times the largest message of raft, plus wire.JSONOverhead: entries that never
	// fit would be sent again for ever. 0 is DefaultMaxBody.
	MaxBody int64
	// Log takes what net/http complains about. Nil: nobody hears it.
	Log *slog.Logger
}

func (c *Config) validate() error {
	if c.Self.Node == raft.None {
		return errors.New("the node's own id is missing")
	}
	if c.Timeout < 0 || c.MaxBody < 0 {
		return errors.New("timeout and size limit must not be negative")
	}
	if err := transport.CheckAddresses(c.Self.Node, c.Peers, c.Dial); err != nil {
		return err
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Transport implements transport.Transport over HTTP.
type Transport struct {
	config    Config
	exchanges exchanges
	slots     chan struct{} // one for each request that is being received, from its head to its answer
	bodies    room          // for the bodies that are being read and decoded
	server    *http.Server
	handler   transport.Handler // set before anything runs that uses it
	listener  net.Listener

	running context.Context // ends with Close
	end     context.CancelFunc

	mutex      sync.Mutex
	phase      phase
	peers      []*peer        // sorted by id; their workers run while phase is started
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
		return nil, fmt.Errorf("httpjson: %w", err)
	}
	t := &Transport{config: config, slots: make(chan struct{}, maxRequests)}
	t.bodies.left.Store(maxBodies * config.MaxBody)
	t.running, t.end = context.WithCancel(context.Background())
	t.server = t.newServer()
	t.Route(config.Peers)
	return t, nil
}

// Start implements transport.Transport. An error names the address and says what to do.
func (t *Transport) Start(handler transport.Handler) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch t.phase {
	case started:
		return errors.New("httpjson: started twice")
	case closed:
		return transport.ErrClosed
	}
	listener, err := transport.Listen(t.config.Listen)
	if err != nil {
		return err
	}
	t.phase, t.handler, t.listener = started, handler, listener
	t.goroutines.Go(func() { t.server.Serve(listener) }) // returns when Close closes the server
	for _, p := range t.peers {
		t.startWorkers(p)
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

// Send implements transport.Transport. A response goes to the request that it answers: ErrTimeout says that
// this one no longer waits.
func (t *Transport) Send(e raft.Envelope) error {
	t.mutex.Lock()
	phase, peers := t.phase, t.peers
	t.mutex.Unlock()
	if phase != started {
		return transport.ErrClosed
	}
	if raft.IsResponse(e.Message) && e.Sequence != 0 {
		return t.exchanges.answer(e)
	}
	at, known := find(peers, e.To)
	if !known {
		return fmt.Errorf("node %v: %w", e.To, transport.ErrUnknownNode)
	}
	return peers[at].enqueue(e, time.Now().Add(t.config.Timeout))
}

// enter lets a goroutine that net/http started take part until leave, unless the transport is closing.
func (t *Transport) enter() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.phase != started {
		return false
	}
	t.goroutines.Add(1)
	return true
}

func (t *Transport) leave() { t.goroutines.Done() }

// farewell is how long Close lets open requests read that the node is closing.
const farewell = 200 * time.Millisecond

// Close implements transport.Transport. Requests that wait here are answered with 503.
func (t *Transport) Close() error {
	t.closing.Do(func() {
		t.mutex.Lock()
		was := t.phase
		t.phase = closed
		t.mutex.Unlock()
		t.end()
		if was != started {
			return
		}
		patience, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		t.server.Shutdown(patience) // whoever is not done by then is cut off:
		t.server.Close()
		t.goroutines.Wait() // the last thing that each worker does is to close its connections
	})
	return nil
}
