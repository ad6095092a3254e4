package balsa_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport/httpjson"
)

// This file holds the proofs of clauses of the origin (origin_test.go) that cross rooms, or that no room
// proves by itself.

// The timing of these tests, in ticks.
const (
	patienceMin = 10
	patienceMax = 20
)

// follower is a core of term 3 that has just begun to wait. It holds one entry of term 2.
func follower(t *testing.T, seed uint64) *raft.Core {
	t.Helper()
	core, err := raft.New(
		raft.Config{ID: 1, ElectionMin: patienceMin, ElectionMax: patienceMax, Heartbeat: 3, Seed: seed,
			NoPreVote: true},
		raft.Restored{
			HardState: raft.HardState{Term: 3},
			Entries:   []raft.Entry{{Term: 2, Index: 1, Kind: raft.Normal}},
			Members:   raft.NewConfiguration(map[raft.NodeID]string{1: "a", 2: "b", 3: "c"}),
		})
	if err != nil {
		t.Fatal(err)
	}
	return core
}

// campaignsAfter counts the ticks until a core begins a new term, and does with it what is said at some tick.
func campaignsAfter(core *raft.Core, at int, meanwhile raft.Message) (ticks int) {
	persist := func() {
		if out := core.Output(); out.Write != 0 {
			core.Step(0, raft.Persisted{Write: out.Write})
		}
	}
	for term := core.Term(); core.Term() == term && ticks < 10*patienceMax; ticks++ {
		if ticks == at && meanwhile != nil {
			core.Step(0, raft.Receive{From: 2, Sequence: 1, Message: meanwhile})
			term = core.Term()
			persist()
		}
		core.Step(0, raft.Tick{})
		persist()
	}
	return ticks
}

// The election timeout is reset by a valid AppendEntries, by granting a vote and by starting an election, and
// by nothing else; and nobody campaigns before it has passed (§5.2). A server that was reset by any message
// could be held off by one that keeps asking for votes, and by a leader that was deposed long ago.
func TestWhatResetsTheElectionTimeout(t *testing.T) {
	const at = patienceMin - 1
	end := raft.EntryID{Term: 2, Index: 1}
	for _, c := range []struct {
		name    string
		message raft.Message
		resets  bool
	}{
		{"nothing", nil, false},
		{"a heartbeat of this term's leader", raft.AppendEntries{Term: 3, Prev: end}, true},
		{"entries of this term's leader that do not join", raft.AppendEntries{Term: 3,
			Prev: raft.EntryID{Term: 3, Index: 9}}, true},
		{"a heartbeat of a stale leader", raft.AppendEntries{Term: 2, Prev: end}, false},
		{"a vote that is granted", raft.RequestVote{Term: 3, Last: end}, true},
		{"a vote that is denied, of an older term", raft.RequestVote{Term: 2, Last: end}, false},
		{"a vote that is denied for the log", raft.RequestVote{Term: 4}, false},
		{"a pre-vote", raft.PreVote{Term: 4, Last: end}, false},
		{"a late answer", raft.AppendEntriesResponse{Term: 3, Match: 1}, false},
	} {
		for seed := range uint64(200) {
			undisturbed := campaignsAfter(follower(t, seed), at, nil)
			got := campaignsAfter(follower(t, seed), at, c.message)
			if undisturbed < patienceMin || undisturbed > patienceMax {
				t.Fatalf("seed %d: campaigns after %d ticks", seed, undisturbed)
			}
			if !c.resets && got != undisturbed || c.resets && (got < at+patienceMin || got > at+patienceMax) {
				t.Errorf("seed %d, %s: campaigns after %d ticks, undisturbed after %d", seed, c.name, got,
					undisturbed)
			}
		}
	}
}

// A campaign that nobody answers is followed by another, after a timeout of its own.
func TestACampaignResetsTheElectionTimeout(t *testing.T) {
	different := map[int]bool{}
	for seed := range uint64(200) {
		core := follower(t, seed)
		for range 3 {
			again := campaignsAfter(core, -1, nil)
			if again < patienceMin || again > patienceMax {
				t.Errorf("seed %d: campaigns after %d ticks", seed, again)
			}
			different[again] = true
		}
	}
	if len(different) != patienceMax-patienceMin+1 {
		t.Errorf("of %d timeouts, only %v were drawn", patienceMax-patienceMin+1, different)
	}
}

// relay is a transport.Handler made of a function.
type relay func(raft.Envelope)

func (r relay) Receive(e raft.Envelope) { r(e) }
func (relay) Failed(raft.NodeID, error) {}

// Requests to a peer share connections: at most one for each that is under way, however many there are in
// all.
func TestConnectionsToPeersArePooled(t *testing.T) {
	cluster := raft.ClusterID{1}
	var server *httpjson.Transport
	server = newHTTPJSON(t, httpjson.Config{Self: raft.Identity{Node: 2, Cluster: cluster}},
		func(e raft.Envelope) {
			_ = server.Send(raft.Envelope{From: raft.Identity{Node: 2, Cluster: cluster}, To: 1,
				Sequence: e.Sequence,
				Message:  raft.PreVoteResponse{Term: 1}})
		})
	proxy := newCounter(t, server.Address())
	received := make(chan raft.Envelope, 1)
	self := raft.Identity{Node: 1, Cluster: cluster}
	client := newHTTPJSON(t, httpjson.Config{Self: self, Peers: map[raft.NodeID]string{2: proxy.address}},
		func(e raft.Envelope) { received <- e })
	for i := range 50 {
		err := client.Send(raft.Envelope{From: self, To: 2, Sequence: raft.Sequence(i + 1),
			Message: raft.PreVote{Term: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if e := <-received; e.Sequence != raft.Sequence(i+1) {
			t.Fatalf("received %+v", e)
		}
	}
	if n := proxy.connections.Load(); n < 1 || n > 10 {
		t.Errorf("50 requests made %d connections", n)
	}
}

func newHTTPJSON(t *testing.T, config httpjson.Config, receive relay) *httpjson.Transport {
	t.Helper()
	config.Listen = "127.0.0.1:0"
	made, err := httpjson.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Start(receive); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made
}

// counter passes connections on and counts them.
type counter struct {
	address     string
	connections atomic.Int64
}

func newCounter(t *testing.T, target string) *counter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &counter{address: listener.Addr().String()}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			c.connections.Add(1)
			to, err := net.DialTimeout("tcp", target, time.Second)
			if err != nil {
				_ = from.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					_ = pair[0].Close()
				}()
			}
		}
	}()
	return c
}
