package httpjson

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"balsa/raft"
)

// Each kind of bad input gets a status and a sentence, and the handler hears of none.
func TestBadRequestsGetASentence(t *testing.T) {
	n := start(t, Config{ByHand: true, MaxBody: 1000}, receiveNothing)
	const path, entries = "/raft/request_vote", "/raft/append_entries"
	for _, c := range []struct {
		method, path, body string
		status             int
		words              string
	}{
		{"POST", path, `{"term":`, 400, "it ends too early"},
		{"POST", path, `{"term" 1}`, 400, "not JSON at byte 9"},
		{"POST", path, ``, 400, "not a JSON object"},
		{"POST", path, `[]`, 400, "not a JSON object"},
		{"POST", path, `null`, 400, "not a JSON object"},
		{"POST", path, `{"term":1,"candidate_id":2} x`, 400, "something follows"},
		{"POST", path, `{"term":1}`, 400, `"candidate_id" is missing`},
		{"POST", path, `{"term":-1,"candidate_id":2}`, 400, `"term" cannot be this number -1`},
		{"POST", path, `{"term":18446744073709551616,"candidate_id":2}`, 400, `"term" cannot be`},
		{"POST", path, `{"term":1.5,"candidate_id":2}`, 400, `"term" cannot be`},
		{"POST", path, `{"term":"1","candidate_id":2}`, 400, `"term" cannot be this string`},
		{"POST", path, `{"trem":1,"candidate_id":2}`, 400, `request_vote: unknown field "trem"`},
		{"POST", path, "{\"term\":1,\"candidate_id\":2,\"x\":\"\xff\"}", 400, "not UTF-8"},
		{"POST", path, `{"candidate_id":2,"cluster":"c1"}`, 400, `"cluster" must be 32`},
		{"POST", path, `{"candidate_id":2,"node":3}`, 400, "different senders"},
		{"POST", path, `{"term":1,"x":"` + strings.Repeat("x", 1000) + `"}`, 413, "at most 1000 bytes"},
		{"POST", entries, `{"leader_id":2,"entries":[{}]}`, 400, `entry 1 has no "term"`},
		{"POST", entries, `{"leader_id":2,"entries":{}}`, 400, `must be an array`},
		{"POST", entries, `{"leader_id":2,"entries":[{"term":1,"kind":"x"}]}`, 400, "unknown kind"},
		{"GET", path, ``, 405, "only POST"},
		{"PUT", path, `{}`, 405, "only POST"},
		{"POST", "/", `{}`, 404, "POST to one of /raft/request_vote"},
		{"POST", "/raft/", `{}`, 404, "no such path"},
		{"POST", "/raft/request_vote/", `{}`, 404, "no such path"},
		{"POST", "/raft/request_vote_response", `{}`, 404, "no such path"},
		{"POST", "/raft/request_vote%20append_entries", `{}`, 404, "no such path"},
	} {
		status, answer := n.do(c.method, c.path, strings.NewReader(c.body), nil)
		wantProblem(t, c.method+" "+c.path+" "+c.body, status, answer, c.status, c.words)
	}
}

func TestWebPagesMayNotSpeak(t *testing.T) {
	n := start(t, Config{ByHand: true}, receiveNothing)
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
		body := strings.NewReader(`{"term":9,"leader_id":2}`)
		status, answer := n.do("POST", "/raft/timeout_now", body, http.Header{header: {"http://example.com"}})
		wantProblem(t, header, status, answer, 403, "web pages")
	}
}

func TestABodyThatNeverEndsIsCutOff(t *testing.T) {
	n := start(t, Config{ByHand: true, MaxBody: 1 << 20}, receiveNothing)
	conn, err := net.Dial("tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /raft/request_vote HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	go func() {
		chunk := "1000\r\n" + strings.Repeat(" ", 0x1000) + "\r\n"
		for {
			if _, err := io.WriteString(conn, chunk); err != nil {
				return // cut off
			}
		}
	}()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 413 {
		t.Errorf("status %d", response.StatusCode)
	}
}

// Whoever is slow is cut off, with whatever part of a request is missing. The limits are shortened here, for
// the real ones take seconds.
func TestASlowRequestIsCutOff(t *testing.T) {
	for _, part := range []string{
		"", "POST /raft/request_vote HTTP/1.1\r\nHost: x\r\n",
		"POST /raft/request_vote HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
	} {
		made, err := New(Config{Self: one, Listen: "127.0.0.1:0", ByHand: true})
		if err != nil {
			t.Fatal(err)
		}
		if s := made.server; s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 {
			t.Fatalf("a limit is missing: %+v", s)
		}
		made.server.ReadHeaderTimeout, made.server.ReadTimeout = 50*time.Millisecond, 50*time.Millisecond
		if err := made.Start(&script{}); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", made.Address())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, part)
		if _, err := io.ReadAll(conn); err != nil { // ends when the server hangs up
			t.Errorf("after %q: %v", part, err)
		}
		conn.Close()
		made.Close()
	}
}

func TestTheNumberOfRequestsIsBounded(t *testing.T) {
	n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
		n.respond(e, raft.PreVoteResponse{})
	})
	for range maxRequests {
		n.slots <- struct{}{}
	}
	status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`)
	wantProblem(t, "one request too many", status, answer, 503, "too many requests")
	<-n.slots
	for range 3 { // each gives its slot back
		if status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`); status != 200 {
			t.Errorf("%d %s", status, answer)
		}
	}
}

func TestARequestThatIsNotAnsweredTimesOut(t *testing.T) {
	n := start(t, Config{ByHand: true, Timeout: 50 * time.Millisecond}, keepSilent)
	status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`)
	wantProblem(t, "a silent node", status, answer, 504, "not answered in time")
	if len(n.exchanges.open) > 0 {
		t.Errorf("the exchange is still open")
	}
}

func TestCloseAnswersWhatIsPending(t *testing.T) {
	received := make(chan bool)
	n := start(t, Config{ByHand: true}, func(*node, raft.Envelope) { received <- true })
	done := make(chan bool)
	go func() {
		defer close(done)
		status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`)
		wantProblem(t, "a node that closes", status, answer, 503, "closing")
	}()
	next(t, received)
	n.Close()
	next(t, done)
}
