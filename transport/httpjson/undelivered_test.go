package httpjson

import (
	"errors"
	"net"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// TestOnlyWhatNeverLeftIsCalledUndelivered: nobody listens, so the message did not arrive. A connection
// that was had and lost proves nothing: the other side may have read it all.
func TestOnlyWhatNeverLeftIsCalledUndelivered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { // takes every connection and hangs up
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	n := start(t, Config{Peers: map[raft.NodeID]string{2: listener.Addr().String()}},
		func(*node, raft.Envelope) {})
	send := func() error {
		e := identified(1, 2, raft.PreVote{Term: 1})
		e.Sequence = 77
		if err := n.Send(e); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-n.failures:
			return err
		case <-time.After(patience):
			t.Fatal("no failure was reported")
			return nil
		}
	}
	var back *transport.Undelivered
	if err := send(); errors.As(err, &back) {
		t.Errorf("a connection was had, and still: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	err = send()
	if !errors.As(err, &back) || back.Envelope.Sequence != 77 || !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("nobody listened, and the failure is %v (%+v)", err, back)
	}
}
