package httpjson

import (
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	transporttest.Run(t, transporttest.Suite{Cluster: loopback})
}

// loopback prepares addresses that others are unlikely to take before the test does.
func loopback(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport {
	peers := map[raft.NodeID]string{}
	for _, id := range ids {
		peers[id] = freeAddress(t)
	}
	return func(id raft.NodeID) transport.Transport {
		made, err := New(Config{
			Self: raft.Identity{Node: id}, Listen: peers[id], Peers: peers, Timeout: 5 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
