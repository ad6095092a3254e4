package tcp

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"balsa/raft"
	"balsa/transport/transporttest"
)

// notes keeps what is logged.
type notes struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.text.Write(b)
}

func (n *notes) has(what string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return strings.Contains(n.text.String(), what)
}

// Whoever sets up nodes that speak in different ways reads in the log what the difference is.
func TestTheLogNamesTheMistake(t *testing.T) {
	a := newAuthority(t)
	says := func(id raft.NodeID) func(net.Conn) {
		c := a.issue("node-1")
		c.ServerName = NodeName(2)
		return func(conn net.Conn) { tls.Client(conn, c).Write(introduced(transporttest.Identity(id), 2)) }
	}
	for _, c := range []struct {
		tls  *tls.Config
		does func(net.Conn)
		want string
	}{
		{nil, func(c net.Conn) { c.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }, "it speaks HTTP"},
		{nil, func(c net.Conn) { c.Write([]byte("POST /raft/pre_vote HTTP/1.1\r\n\r\n")) }, "it speaks HTTP"},
		{nil, says(1), "it speaks TLS"},
		{nil, func(c net.Conn) { c.Write(make([]byte, 20)) }, "must be"},
		{a.issue("node-2"), func(c net.Conn) { c.Write(make([]byte, 20)) }, "without TLS"},
		{a.issue("node-2"), says(3), "whose certificate does not name node-3"},
	} {
		var log notes
		n := start(t, 2, func(config *Config) {
			config.TLS, config.Log = c.tls, slog.New(slog.NewTextHandler(&log, nil))
		})
		c.does(calls(t, n, nil))
		transporttest.Eventually(t, "the log says "+c.want, func() bool { return log.has(c.want) })
	}
}
