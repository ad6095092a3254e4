package httpjson

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"balsa/raft"
)

// TestBodiesAreBoundedTogether: bodies without an end take all the room there is, and the next one is told
// so at once; when they are gone there is room again.
func TestBodiesAreBoundedTogether(t *testing.T) {
	var r room
	r.left.Store(10)
	if !r.take(6) || r.take(5) || !r.take(4) || r.take(1) {
		t.Error("more was taken than there is, or less")
	}
	if r.give(5); !r.take(5) || r.take(1) {
		t.Error("what was given back cannot be taken, or more than that")
	}
}

// TestAStrangerLearnsNoIdentity: with cluster, incarnation and start it could pass itself off as a member.
func TestAStrangerLearnsNoIdentity(t *testing.T) {
	self := raft.Identity{Cluster: raft.ClusterID{0xab}, Node: 1, Incarnation: 424242, Start: 171717}
	tr, err := New(Config{Self: self, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(deaf{}); err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	body := strings.NewReader(`{"term":1,"candidate_id":2,"last_log_index":0,"last_log_term":0}`)
	answer, err := http.Post("http://"+tr.Address()+"/raft/request_vote", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", answer.StatusCode)
	}
	for _, secret := range []string{self.Cluster.String(), "424242", "171717"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the refusal tells %s: %s", secret, text)
		}
	}
}

// deaf is a handler that does nothing.
type deaf struct{}

func (deaf) Receive(raft.Envelope)     {}
func (deaf) Failed(raft.NodeID, error) {}
