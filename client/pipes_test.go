package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network without sockets, for tests in which time passes: inside a synctest bubble no busy
// machine can make a timeout come early. It is a Transport's dialer.
type pipes struct {
	t      *testing.T
	mu     sync.Mutex
	places map[string]*place
}

// place is a net.Listener on such a network.
type place struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *place) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *place) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *place) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	l, listens := p.places[address]
	p.mu.Unlock()
	if !listens {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve answers at an address, such as "a:1", until the test ends.
func (p *pipes) serve(address string, h http.Handler) {
	l := &place{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.mu.Lock()
	p.places[address] = l
	p.mu.Unlock()
	s := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	p.t.Cleanup(func() {
		_ = s.Close()
		serving.Wait()
	})
}

func (p *pipes) client(patience, perTry time.Duration, endpoints ...string) *Client {
	h := newHTTPClient()
	h.Transport.(*http.Transport).DialContext = p.dial
	c, err := New(endpoints, WithHTTPClient(h), WithPatience(patience), WithTryTimeout(perTry))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// advance lets time pass in a bubble.
func advance(d time.Duration) { time.Sleep(d) }

// onPipes runs a test in a bubble of its own.
func onPipes(t *testing.T, test func(*testing.T, *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, &pipes{t: t, places: map[string]*place{}})
	})
}
