package httpjson

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"balsa/raft"
)

// TestDialGoesBeforeRoutes: a proxy stays in between, wherever its peer says that it is.
func TestDialGoesBeforeRoutes(t *testing.T) {
	got := make(chan raft.Envelope, 10)
	listening := start(t, Config{Self: two}, func(_ *node, e raft.Envelope) { got <- e })
	n := start(t, Config{Dial: map[raft.NodeID]string{2: listening.Address()}}, keepSilent)
	for term, address := range []string{"127.0.0.1:1", "127.0.0.1:2"} {
		n.Route(map[raft.NodeID]string{2: address})
		want := raft.TimeoutNow{Term: raft.Term(term)}
		if err := n.Send(identified(1, 2, want)); err != nil {
			t.Fatal(err)
		}
		if e := next(t, got); e.Message != raft.Message(want) {
			t.Errorf("received %+v", e)
		}
	}
	n.Route(nil)
	if err := n.Send(identified(1, 2, raft.TimeoutNow{})); err == nil {
		t.Error("Dial makes a route by itself")
	}
}

// TestConnectionsOfWhoLeftAreClosed counts what is open to a peer that idles, and to one that does not
// answer.
func TestConnectionsOfWhoLeftAreClosed(t *testing.T) {
	var open atomic.Int32
	hang := make(chan struct{})
	served := make(chan struct{}, 10)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.(http.Flusher).Flush()
			served <- struct{}{}
			if r.URL.Path == "/raft/request_vote" {
				select {
				case <-hang:
				case <-r.Context().Done(): // the other side hung up
				}
			}
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			}
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { close(hang); server.Close() })
	peers := map[raft.NodeID]string{2: listener.Addr().String()}
	n := start(t, Config{Peers: peers, Timeout: patience}, keepSilent)
	for _, m := range []raft.Message{raft.TimeoutNow{}, raft.RequestVote{}} {
		if err := n.Send(identified(1, 2, m)); err != nil {
			t.Fatal(err)
		}
		next(t, served)
	}
	if open.Load() == 0 {
		t.Fatal("no connection is open")
	}
	n.Route(nil)
	for deadline := time.Now().Add(patience / 2); ; { // well below the timeout of the request that hangs
		if open.Load() == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still open", open.Load())
		}
		<-time.After(time.Millisecond)
	}
	if len(n.failures) > 0 {
		t.Errorf("told of a loss to a peer that was dismissed: %v", <-n.failures)
	}
}
