package httpjson

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"balsa/raft"
)

// patience is how long tests wait for what must happen.
const patience = 10 * time.Second

// The nodes that most tests need.
var one, two = raft.Identity{Node: 1}, raft.Identity{Node: 2}

// script is a handler that does what a test says.
type script struct {
	receive  func(raft.Envelope)
	failures chan error
}

func (s *script) Receive(e raft.Envelope)         { s.receive(e) }
func (s *script) Failed(_ raft.NodeID, err error) { s.failures <- err }

// node is a started transport with its handler, closed when the test ends.
type node struct {
	*Transport
	*script
	t *testing.T
}

// start starts a node; tune changes its configuration before. Its handler passes what it receives to receive.
func start(t *testing.T, config Config, receive func(*node, raft.Envelope)) *node {
	t.Helper()
	if config.Self.Node == raft.None {
		config.Self = one
	}
	if config.Listen == "" {
		config.Listen = "127.0.0.1:0"
	}
	made, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Transport: made, t: t, script: &script{failures: make(chan error, 1000)}}
	n.script.receive = func(e raft.Envelope) { receive(n, e) }
	if err := n.Start(n.script); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// respond answers a request as a server of cluster c1 would.
func (n *node) respond(request raft.Envelope, m raft.Message) {
	e := identified(n.config.Self.Node, request.From.Node, m)
	e.Sequence = request.Sequence
	if err := n.Send(e); err != nil {
		n.t.Errorf("Send of %+v: %v", m, err)
	}
}

// curl does what curl -d does.
func (n *node) curl(path, body string) (status int, answer string) {
	n.t.Helper()
	return n.do(http.MethodPost, path, strings.NewReader(body), nil)
}

func (n *node) do(method, path string, body io.Reader, header http.Header) (status int, answer string) {
	n.t.Helper()
	r, err := http.NewRequest(method, "http://"+n.Address()+path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for k, v := range header {
		r.Header[k] = v
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(r)
	if err != nil {
		n.t.Errorf("%s %s: %v", method, path, err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		n.t.Errorf("%s %s: %v", method, path, err)
	}
	return response.StatusCode, string(text)
}

// wantProblem demands a status and a JSON body whose one sentence has the words in it.
func wantProblem(t *testing.T, what string, status int, answer string, want int, words string) {
	t.Helper()
	var body struct{ Error string }
	err := json.Unmarshal([]byte(answer), &body)
	if status != want || err != nil || !strings.Contains(body.Error, words) {
		t.Errorf("%s: %d %s, want %d and a JSON error with %q", what, status, answer, want, words)
	}
}

// identified is a message from a server of cluster c1.
func identified(from, to raft.NodeID, m raft.Message) raft.Envelope {
	return raft.Envelope{
		From: raft.Identity{Cluster: raft.ClusterID{0xc1}, Node: from, Incarnation: 1 << 60, Start: 1},
		To:   to, Sequence: 9, Message: m,
	}
}

func receiveNothing(n *node, e raft.Envelope) { n.t.Errorf("the handler was given %+v", e) }

func keepSilent(*node, raft.Envelope) {}

// next waits for a value.
func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}
