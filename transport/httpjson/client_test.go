package httpjson

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// facing starts node 1 with a peer 2 at the address; what it receives goes to the channel.
func facing(t *testing.T, address string, tune func(*Config)) (*node, <-chan raft.Envelope) {
	t.Helper()
	config := Config{Peers: map[raft.NodeID]string{1: "ignored", 2: address}}
	if tune != nil {
		tune(&config)
	}
	received := make(chan raft.Envelope, 1000)
	return start(t, config, func(_ *node, e raft.Envelope) { received <- e }), received
}

// host returns the address of a stranger that answers every request alike.
func host(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func (n *node) mustSend(m raft.Message) {
	n.t.Helper()
	if err := n.Send(identified(1, 2, m)); err != nil {
		n.t.Fatal(err)
	}
}

// Whatever sits at a peer's address: its answer becomes a failure that names the address, never a message.
func TestAStrangersAnswersAreFailures(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error
		words  string
	}{
		{200, `hello`, transport.ErrRefused, "makes no sense"},
		{200, `{"term":-1}`, transport.ErrRefused, "makes no sense"},
		{200, ``, transport.ErrRefused, "makes no sense"},
		{200, `{"term":1` + strings.Repeat(" ", maxResponse) + `}`, transport.ErrRefused, "too early"},
		{204, ``, transport.ErrRefused, "No Content"},
		{307, ``, transport.ErrRefused, "Temporary Redirect"},
		{400, `{"error":"what is this"}`, transport.ErrRefused, "what is this"},
		{403, `<html>`, transport.ErrRefused, "Forbidden"},
		{403, `{"error":"go away"}`, transport.ErrRefused, "go away"},
		{404, ``, transport.ErrRefused, "Not Found"},
		{413, ``, transport.ErrRefused, "Too Large"},
		{500, ``, transport.ErrRefused, "Internal"},
		{503, `{"error":"busy"}`, transport.ErrUnreachable, "busy"},
		{504, ``, transport.ErrTimeout, "Timeout"},
	} {
		address := host(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://"+r.Host+r.URL.Path)
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		n, _ := facing(t, address, nil)
		n.mustSend(raft.PreVote{Term: 1})
		err := next(t, n.failures)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%d %.40s: %v", c.status, c.body, err)
		}
		if !strings.Contains(err.Error(), "node 2 at "+address) {
			t.Errorf("the failure does not say where: %v", err)
		}
	}
}

func TestARefusalThatNamesNobodyComesFromThatPeer(t *testing.T) {
	address := host(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		io.WriteString(w, `{"error":"refused","reason":6}`)
	})
	n, received := facing(t, address, nil)
	n.mustSend(raft.PreVote{Term: 1})
	want := raft.Envelope{
		From: raft.Identity{Node: 2}, To: 1, Sequence: 9,
		Message: raft.IdentityRefused{Why: raft.NoIdentity},
	}
	if e := next(t, received); e != want {
		t.Errorf("received %+v", e)
	}
}

func TestAnUnansweredRequestIsATimeout(t *testing.T) {
	silent := start(t, Config{Self: two}, keepSilent)
	n, _ := facing(t, silent.Address(), func(c *Config) { c.Timeout = 300 * time.Millisecond })
	n.mustSend(raft.PreVote{Term: 1})
	if err := next(t, n.failures); !errors.Is(err, transport.ErrTimeout) {
		t.Error(err)
	}
}

// A large message gets the time that its bytes take, or it would be given up each time that it is sent.
func TestALargeMessageMayTakeLonger(t *testing.T) {
	slow := start(t, Config{Self: two}, func(n *node, e raft.Envelope) {
		time.AfterFunc(600*time.Millisecond, func() { n.respond(e, raft.AppendEntriesResponse{Term: 7}) })
	})
	n, received := facing(t, slow.Address(), func(c *Config) { c.Timeout = 300 * time.Millisecond })
	n.mustSend(raft.AppendEntries{Entries: []raft.Entry{{Term: 1, Index: 1, Kind: raft.Normal,
		Command: make([]byte, 5<<20)}}})
	if e := next(t, received); e.Message != raft.Message(raft.AppendEntriesResponse{Term: 7}) {
		t.Errorf("received %+v", e)
	}
}

// Entries wait for the peer's disk; what a leader lives by must not wait with them.
func TestUrgentMessagesPassEntries(t *testing.T) {
	arrived := make(chan bool, 1000)
	slow := start(t, Config{Self: two}, func(n *node, e raft.Envelope) {
		if m, ok := e.Message.(raft.AppendEntries); ok && len(m.Entries) == 0 {
			n.respond(e, raft.AppendEntriesResponse{Term: 7})
			return
		}
		arrived <- true
	})
	n, received := facing(t, slow.Address(), func(c *Config) { c.Timeout = patience })
	entries := []raft.Entry{{Term: 1, Index: 1, Kind: raft.Normal}}
	const all = 4 * bulkWorkers
	for range all {
		n.mustSend(raft.AppendEntries{Entries: entries})
	}
	for range bulkWorkers {
		next(t, arrived)
	}
	if waiting := len(n.peers[0].bulk); waiting != all-bulkWorkers {
		t.Errorf("%d messages with entries wait, want %d", waiting, all-bulkWorkers)
	}
	begin := time.Now()
	n.mustSend(raft.AppendEntries{})
	if e := next(t, received); e.Message != raft.Message(raft.AppendEntriesResponse{Term: 7}) {
		t.Errorf("received %+v", e)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("a heartbeat took %v", took)
	}
}

// What has waited in the queue beyond its time is not sent any more: a peer that comes back is not made to
// read what everybody has forgotten.
func TestWhatWaitedTooLongIsNotSent(t *testing.T) {
	arrived := make(chan raft.Envelope, 1000)
	silent := start(t, Config{Self: two, Timeout: patience}, func(_ *node, e raft.Envelope) { arrived <- e })
	n, _ := facing(t, silent.Address(), func(c *Config) { c.Timeout = 300 * time.Millisecond })
	const all = 4 * bulkWorkers
	for range all {
		n.mustSend(raft.ForwardProposal{})
	}
	stale := 0
	for range all {
		err := next(t, n.failures)
		if !errors.Is(err, transport.ErrTimeout) {
			t.Error(err)
		}
		if strings.Contains(err.Error(), "waited too long to be sent") {
			stale++
		}
	}
	if stale == 0 {
		t.Error("everything was sent")
	}
	if sent := len(arrived); sent > all/2 { // a few more than there are workers may just be in time
		t.Errorf("%d of %d messages were sent, and %d could be at once", sent, all, bulkWorkers)
	}
}

func TestAMessageBeyondTheLimitIsNotSent(t *testing.T) {
	n, _ := facing(t, "127.0.0.1:1", func(c *Config) { c.MaxBody = 1000 })
	n.mustSend(raft.ForwardProposal{Command: make([]byte, 1000)})
	if err := next(t, n.failures); !errors.Is(err, transport.ErrTooLarge) {
		t.Error(err)
	}
}

func TestDialOverridesAPeersAddress(t *testing.T) {
	peer := start(t, Config{Self: two}, func(n *node, e raft.Envelope) {
		n.respond(e, raft.PreVoteResponse{Term: 5})
	})
	n, received := facing(t, "127.0.0.1:1", func(c *Config) {
		c.Dial = map[raft.NodeID]string{2: peer.Address()}
	})
	n.mustSend(raft.PreVote{Term: 1})
	if e := next(t, received); e.Message != raft.Message(raft.PreVoteResponse{Term: 5}) {
		t.Errorf("received %+v", e)
	}
}

func TestAResponseNeedsARequestThatWaits(t *testing.T) {
	n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
		respond := func(to raft.NodeID, s raft.Sequence, m raft.Message) error {
			r := identified(1, to, m)
			r.Sequence = s
			return n.Send(r)
		}
		for what, err := range map[string]error{
			"to somebody else":   respond(e.From.Node+1, e.Sequence, raft.PreVoteResponse{}),
			"to another request": respond(e.From.Node, e.Sequence+1, raft.PreVoteResponse{}),
			"of another sort":    respond(e.From.Node, e.Sequence, raft.RequestVoteResponse{}),
		} {
			if !errors.Is(err, transport.ErrTimeout) {
				t.Errorf("a response %s: %v", what, err)
			}
		}
		if err := respond(e.From.Node, e.Sequence, raft.PreVoteResponse{Term: 1}); err != nil {
			t.Error(err)
		}
		if err := respond(e.From.Node, e.Sequence, raft.PreVoteResponse{Term: 2}); err == nil {
			t.Error("a request was answered twice")
		}
	})
	status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`)
	if status != 200 || !strings.HasPrefix(answer, `{"term":1,`) {
		t.Errorf("%d %s", status, answer)
	}
}
