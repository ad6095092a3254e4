package tcp

import (
	"io"
	"net"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport/transporttest"
)

// greeter says that it is node 2 to whoever connects, and hands the connection over.
func greeter(t *testing.T, took func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", transporttest.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write(introduced(transporttest.Identity(2), 1))
			took(conn)
		}
	}()
	return listener.Addr().String()
}

// A peer that takes everything and answers nothing is given up for a new connection, whatever it is asked.
func TestAMutePeerIsDialledAnew(t *testing.T) {
	command := raft.ForwardProposal{Leader: 1, Start: 1}
	for _, asks := range []raft.Message{raft.RequestVote{Term: 1}, command} {
		came := make(chan net.Conn, 10)
		address := greeter(t, func(conn net.Conn) { came <- conn })
		n := start(t, 1, func(c *Config) {
			c.Timeout, c.Peers = 50*time.Millisecond, map[raft.NodeID]string{2: address}
		})
		transporttest.Eventually(t, "it is dialled anew", func() bool {
			n.say(t, 2, asks)
			return len(came) >= 2
		})
		n.Close()
		for len(came) > 0 {
			(<-came).Close()
		}
	}
}

// A peer that says who it is and hangs up is left alone for longer each time: each greeting costs both.
func TestAPeerThatHangsUpIsLeftAlone(t *testing.T) {
	came := make(chan time.Time, 1<<16)
	address := greeter(t, func(conn net.Conn) {
		conn.Close()
		came <- time.Now()
	})
	n := start(t, 1, func(c *Config) { c.Peers = map[raft.NodeID]string{2: address} })
	transporttest.Eventually(t, "it is dialled some times", func() bool {
		n.ask(t, 2)
		return len(came) >= 6
	})
	first := <-came
	for range 4 {
		<-came
	}
	if took := (<-came).Sub(first); took < 31*firstPause {
		t.Errorf("dialled 6 times within %v", took)
	}
}

// A peer has the whole of its time to answer what took long to be written.
func TestALongMessageIsAnsweredInTime(t *testing.T) {
	came := make(chan net.Conn, 10)
	address := greeter(t, func(conn net.Conn) { came <- conn })
	const timeout = 300 * time.Millisecond
	n := start(t, 1, func(c *Config) {
		c.Timeout, c.Peers = timeout, map[raft.NodeID]string{2: address}
	})
	entry := raft.Entry{Term: 1, Index: 1, Kind: raft.Normal, Command: make([]byte, 32<<20)}
	long := raft.Envelope{From: n.config.Self, To: 2, Sequence: 7,
		Message: raft.AppendEntries{Term: 1, Entries: []raft.Entry{entry}}}
	if err := n.Send(long); err != nil {
		t.Fatal(err)
	}
	conn := <-came
	defer conn.Close()
	<-time.After(2 * timeout) // while it is written
	go io.Copy(io.Discard, conn)
	transporttest.Eventually(t, "the next one is taken", func() bool { return n.Send(long) == nil })
	select {
	case err := <-n.failed:
		t.Errorf("it was given up before it could answer: %v", err)
	case <-time.After(timeout / 2):
	}
}
