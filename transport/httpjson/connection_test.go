package httpjson

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// peerSocket is a peer of which a test sees every connection.
type peerSocket struct {
	net.Listener
	t *testing.T
}

func listen(t *testing.T) peerSocket {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return peerSocket{l, t}
}

// accept waits for the next connection.
func (p peerSocket) accept() (net.Conn, *bufio.Reader) {
	p.t.Helper()
	p.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := p.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// read reads one request and its body.
func (p peerSocket) read(from *bufio.Reader) {
	p.t.Helper()
	request, err := http.ReadRequest(from)
	if err != nil {
		p.t.Fatal(err)
	}
	io.Copy(io.Discard, request.Body)
}

const granted = "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + `{"term":1,"vote_granted":true}`

// exchange asks the peer something and reads the answer, by way of a new connection.
func (p peerSocket) exchange(n *node, received <-chan raft.Envelope) (net.Conn, *bufio.Reader) {
	p.t.Helper()
	n.mustSend(raft.PreVote{Term: 1})
	conn, reader := p.accept()
	p.read(reader)
	io.WriteString(conn, granted)
	next(p.t, received)
	return conn, reader
}

// A peer that was started again hangs up on the connections of its former life: the first message to it must
// not be lost to that.
func TestAConnectionFromBeforeARestartCostsNothing(t *testing.T) {
	peer := listen(t)
	n, received := facing(t, peer.Addr().String(), nil)
	former, reader := peer.exchange(n, received)

	n.mustSend(raft.PreVote{Term: 2})
	peer.read(reader) // on the connection that was kept
	former.Close()
	fresh, reader := peer.accept()
	peer.read(reader)
	io.WriteString(fresh, granted)
	next(t, received)
	if len(n.failures) > 0 {
		t.Error(<-n.failures)
	}
}

func TestCloseHangsUp(t *testing.T) {
	peer := listen(t)
	n, received := facing(t, peer.Addr().String(), nil)
	_, reader := peer.exchange(n, received)
	n.Close()
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("after Close the connection gives %v", err)
	}
}

func TestCloseDoesNotWaitForASlowBody(t *testing.T) {
	n := start(t, Config{ByHand: true}, receiveNothing)
	conn, err := net.Dial("tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "POST /raft/pre_vote HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"+
		"Expect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil { // the node now reads the body
		t.Fatal(line, err)
	}
	begin := time.Now()
	n.Close()
	if took := time.Since(begin); took > bodyTimeout/2 {
		t.Errorf("Close took %v", took)
	}
}

// The deadline of a body is no deadline of the answer: the handler may take longer.
func TestTheAnswerMayTakeLongerThanTheBody(t *testing.T) {
	made, err := New(Config{Self: one, Listen: "127.0.0.1:0", ByHand: true, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	made.server.ReadTimeout = 50 * time.Millisecond
	n := &node{Transport: made, t: t, script: &script{}}
	n.script.receive = func(e raft.Envelope) {
		time.AfterFunc(200*time.Millisecond, func() { n.respond(e, raft.PreVoteResponse{Term: 1}) })
	}
	if err := made.Start(n.script); err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if status, answer := n.curl("/raft/pre_vote", `{"candidate_id":2}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestWhoCannotBeDialledIsUnreachable(t *testing.T) {
	slow := os.ErrDeadlineExceeded // what every operation of package net says that took too long
	for what, c := range map[string]struct {
		err, want error
	}{
		"dialling took too long": {&net.OpError{Op: "dial", Err: slow}, transport.ErrUnreachable},
		"reading took too long":  {&net.OpError{Op: "read", Err: slow}, transport.ErrTimeout},
		"hung up":                {io.ErrUnexpectedEOF, transport.ErrUnreachable},
	} {
		if err := failure(&url.Error{Op: "Post", Err: c.err}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// deadlines is a response whose write deadline a test can see.
type deadlines struct {
	*httptest.ResponseRecorder
	write time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.write = at
	return nil
}

// Whoever does not read what it asked for must not hold on to the node.
func TestAnAnswerHasADeadline(t *testing.T) {
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	closing().write(d)
	if left := time.Until(d.write); left <= 0 || left > writeTimeout {
		t.Errorf("the answer may take %v", left)
	}
}
