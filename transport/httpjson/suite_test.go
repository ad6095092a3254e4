package httpjson

import (
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	transporttest.Run(t, transporttest.Suite{Cluster: loopback, Land: func(t *testing.T) transporttest.Land {
		return transporttest.Land{
			Address: func() string { return freeAddress(t) },
			Open: func(id raft.NodeID, address string) transport.Transport {
				made, err := New(Config{
					Self: raft.Identity{Node: id}, Listen: address, Timeout: 2 * patience,
				})
				if err != nil {
					t.Fatal(err)
				}
				return made
			},
		}
	}})
}

// loopback prepares addresses that are free when they are given out, and that nobody else takes before the
// test does, or dials after it: see freeAddress.
func loopback(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport {
	peers := map[raft.NodeID]string{}
	for _, id := range ids {
		peers[id] = freeAddress(t)
	}
	return func(id raft.NodeID) transport.Transport {
		made, err := New(Config{
			Self: raft.Identity{Node: id}, Listen: peers[id], Peers: peers, Timeout: 2 * patience,
		})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
}

// freeAddress returns an address that nobody listens on, of a loopback host that is this process's own where
// the system has more than one: with 127.0.0.1 it happens that the tests of another package get the port in
// between.
func freeAddress(t *testing.T) string {
	t.Helper()
	pid := os.Getpid()
	own := net.IPv4(127, 1+byte(pid>>16)&0x3f, byte(pid>>8), byte(pid)).String()
	for _, host := range []string{own, "127.0.0.1"} {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no loopback address to listen on")
	return ""
}
