package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/client"
	"balsa/kv"
)

// serve runs the server that cmd runs, and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Server(h)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return l.Addr().String()
}

// onPipe connects to the server that cmd runs without a socket, in a synctest bubble, where no busy machine
// can make a timeout come early.
func onPipe(t *testing.T, test func(*testing.T, *fakeNode, net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, h := newNode(t)
		near, far := net.Pipe()
		l := &once{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- far
		s := Server(h)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		test(t, n, near)
		near.Close()
		s.Close()
		<-served
	})
}

// once is a net.Listener with one connection.
type once struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error   { close(l.closed); return nil }
func (l *once) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// raw sends bytes over a connection of its own and returns the answer.
func raw(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, request) // fails where the server answers before it has read everything
	return receive(t, conn)
}

func receive(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// TestBodiesThatNeverEnd: whatever the route does with a body, its client gets an answer within the
// request's time.
func TestBodiesThatNeverEnd(t *testing.T) {
	for what, status := range map[string]int{
		"PUT /v1/kv/k?timeout=3s":            408,
		"POST /client/submit?timeout=3s":     408,
		"GET /v1/kv/k?timeout=3s":            404,
		"DELETE /v1/kv/k?timeout=3s":         200,
		"POST /v1/kv/k?timeout=3s":           405,
		"PUT /v1/kv/k?timeout=3s&wait=3s":    400,
		"POST /client/submit?timeout=3s&x=1": 400,
		"PUT /nowhere":                       404,
	} {
		for length, part := range map[string]string{
			"Content-Length: 100": "abc", "Transfer-Encoding: chunked": "3\r\nabc\r\n",
		} {
			onPipe(t, func(t *testing.T, n *fakeNode, conn net.Conn) {
				began := time.Now()
				fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n%s", what, length, part)
				answer, body := receive(t, conn)
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("%s, %s: the answer took %v", what, length, took)
				}
				if answer.StatusCode != status || answer.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s, %s: %d %s, want %d", what, length, answer.StatusCode, body, status)
				}
				if n.store.Len() != 0 {
					t.Errorf("%s, %s: half a body was stored", what, length)
				}
			})
		}
	}
}

// TestBodyThatNeverEndsOverTCP is the same once with a real socket.
func TestBodyThatNeverEndsOverTCP(t *testing.T) {
	_, h := newNode(t)
	const put = "PUT /v1/kv/k?timeout=1s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
	answer, body := raw(t, serve(t, h), put)
	if answer.StatusCode != 408 || !strings.Contains(body, `"outcome":"not_applied"`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	n, h := newNode(t)
	address := serve(t, h)
	expect(t, h, "PUT /v1/kv/k", strings.Repeat("v", kv.MaxValue), 201, `{"created":true,"revision":5}`)
	expect(t, h, "PUT /v1/kv/k", strings.Repeat("v", kv.MaxValue+1), 413,
		bad("too_large", "the body is too large: at most 1048576 bytes"))
	expect(t, h, "POST /client/submit", strings.Repeat(" ", maxSubmit+1), 413,
		`{"error":"the body is too large: at most 6317152 bytes","leader_hint":2}`)
	endless := strings.Repeat("10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n", 17)
	const head = "PUT /v1/kv/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
	answer, body := raw(t, address, head+endless)
	if answer.StatusCode != 413 || !answer.Close {
		t.Errorf("an endless body: %d %s", answer.StatusCode, body)
	}
	if n.store.Revision() != 5 {
		t.Error("a body that was too large was stored")
	}
}

func TestBodiesThatBreakOff(t *testing.T) {
	n, h := newNode(t)
	r, err := http.NewRequest("PUT", "/v1/kv/k", io.MultiReader(strings.NewReader("half"), brokenReader{}))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 400 || n.store.Len() != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestSlowRequests: one that runs out of time takes nothing from the next one on its connection. A deadline
// for a body that has come, or that was never to come, would.
func TestSlowRequests(t *testing.T) {
	onPipe(t, func(t *testing.T, n *fakeNode, conn net.Conn) {
		n.set(func(n *fakeNode) { n.slow = true })
		const withBody, without = "PUT %s\r\nContent-Length: 1\r\n\r\nv", "DELETE %s\r\n\r\n"
		for _, request := range []string{withBody, without, withBody} {
			began := time.Now()
			fmt.Fprintf(conn, request, "/v1/kv/k?timeout=3s HTTP/1.1\r\nHost: localhost")
			answer, body := receive(t, conn)
			took, unknown := time.Since(began), strings.Contains(body, `"outcome":"unknown"`)
			if answer.StatusCode != 504 || !unknown || took != 3*time.Second {
				t.Errorf("%.10q: %d %s after %v", request, answer.StatusCode, body, took)
			}
		}
	})
}

func TestHeadersAreBounded(t *testing.T) {
	_, h := newNode(t)
	address := serve(t, h)
	longest := strings.Repeat("%FF", kv.MaxKey)
	answer, body := raw(t, address,
		"PUT /v1/kv/"+longest+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	if answer.StatusCode != 201 {
		t.Errorf("the longest key: %d %s", answer.StatusCode, body)
	}
	large := strings.Repeat("x", 2*maxHeader)
	answer, _ = raw(t, address, "GET /v1/kv/k HTTP/1.1\r\nHost: localhost\r\nX: "+large+"\r\n\r\n")
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: %d", answer.StatusCode)
	}
	s := Server(h)
	bounded := s.ReadHeaderTimeout > 0 && s.IdleTimeout > 0 && s.MaxHeaderBytes > 0
	if !bounded || s.WriteTimeout <= maxTimeout {
		t.Errorf("a limit is missing: %+v", s)
	}
}

// TestLogsOnlyBugs, on one line, without keys and values.
func TestLogsOnlyBugs(t *testing.T) {
	n, _ := newNode(t)
	var log bytes.Buffer
	h := New(Config{Node: n, Store: n.store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ask(h, "PUT /v1/kv/secret", "hidden")
	ask(h, "GET /v1/kv/%0Asecret?x", "")
	if log.Len() != 0 {
		t.Errorf("logged: %s", &log)
	}
	n.set(func(n *fakeNode) {
		n.err = &balsa.Error{Kind: balsa.ErrBug, Node: 2, Cause: fmt.Errorf("line\nlevel=ERROR forged")}
	})
	ask(h, "PUT /v1/kv/secret", "hidden")
	told := log.String()
	if strings.Count(told, "\n") != 1 || !strings.Contains(told, "invariant") {
		t.Errorf("a bug is to be told on one line: %s", told)
	}
	if strings.Contains(told, "forged") || strings.Contains(told, "secret") {
		t.Errorf("what a client sent stands in the log: %s", told)
	}
}

// TestWithTheClient lets the other side of the API speak to this one.
func TestWithTheClient(t *testing.T) {
	follower, h := newNode(t)
	follower.follow(3)
	leader, l := newNode(t)
	leader.set(func(n *fakeNode) { n.status.ID, n.status.Leader = 3, 3 })
	follower.set(func(n *fakeNode) { // it cannot reach the leader, and knows who that is
		n.err = &balsa.Error{Kind: balsa.ErrNotLeader, Outcome: balsa.NotApplied, Node: 2, Leader: 3, Term: 7}
	})
	c, err := client.New([]string{serve(t, h), serve(t, l)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, key := range []string{"k", "a//b", "..", ".", "\x00", "%2F", "\xff"} {
		if put, err := c.Put(t.Context(), key, []byte("v "+key)); err != nil || !put.Created {
			t.Errorf("Put %q: %+v, %v", key, put, err)
		}
		item, err := c.Get(t.Context(), key)
		if err != nil || string(item.Value) != "v "+key || item.ServedBy != 3 || item.Version != 1 {
			t.Errorf("Get %q: %+v, %v", key, item, err)
		}
		if deleted, err := c.Delete(t.Context(), key); err != nil || deleted.Deleted != 1 {
			t.Errorf("Delete %q: %+v, %v", key, deleted, err)
		}
	}
	s, err := c.Status(t.Context(), c.Endpoints()[0])
	if err != nil || s.ID != 2 || s.Leader != 3 {
		t.Errorf("Status: %+v, %v", s, err)
	}
}
