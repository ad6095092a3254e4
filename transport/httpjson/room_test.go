package httpjson

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport/transporttest"
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

// TestWhatIsOnlyAnnouncedTakesNoRoom: four that announce the largest body and send none of it keep nobody
// out. Bodies that have come do: the next large one is refused, a small one is not.
func TestWhatIsOnlyAnnouncedTakesNoRoom(t *testing.T) {
	const largest = 2 * freeBytes
	n := start(t, Config{MaxBody: largest, ByHand: true}, func(n *node, e raft.Envelope) {
		n.respond(e, raft.PreVoteResponse{Term: 1})
	})
	post := func(send string) string {
		c, err := net.Dial("tcp", n.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		head := "POST /raft/pre_vote HTTP/1.1\r\nHost: x\r\n" +
			"Content-Length: " + strconv.Itoa(largest) + "\r\n\r\n"
		if _, err := c.Write([]byte(head + send)); err != nil {
			t.Fatal(err)
		}
		if len(send) < largest {
			return ""
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line
	}
	for range 2 * maxBodies {
		post("")
	}
	large := strings.Repeat(" ", largest)
	for range 4 * maxBodies { // one after the other: each gives back what it took
		if line := post(large); !strings.Contains(line, "400") { // read to its end: it is no JSON
			t.Fatalf("with announcements only, a large body is answered %q", line)
		}
	}
	n.hasRoom(maxBodies * largest) // what was answered may not have given back yet
	// All but a byte of it, which takes nearly half of the largest. One after the other: together they would
	// keep each other out, and all of them be gone.
	const takes = largest - 1 - freeBytes
	for i := int64(1); i <= maxBodies*largest/takes; i++ {
		post(large[:largest-1])
		n.hasRoom(maxBodies*largest - i*takes)
	}
	if line := post(large); !strings.Contains(line, "503") {
		t.Errorf("with the room full, a large body is answered %q", line)
	}
	small := strings.NewReader(`{"term":1,"candidate_id":2,"last_log_index":0,"last_log_term":0}`)
	answer, err := http.Post("http://"+n.Address()+"/raft/pre_vote", "application/json", small)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode == http.StatusServiceUnavailable {
		t.Error("a small body is kept out")
	}
}

// hasRoom waits until so many bytes are free for bodies.
func (n *node) hasRoom(want int64) {
	n.t.Helper()
	transporttest.Eventually(n.t, fmt.Sprintf("%d bytes are free", want), func() bool {
		return n.bodies.left.Load() == want
	})
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
