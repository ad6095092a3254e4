package httpjson

import (
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
			Address: func() string { return transporttest.FreeAddress(t) },
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
// test does, or dials after it: see FreeAddress.
func loopback(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport {
	peers := map[raft.NodeID]string{}
	for _, id := range ids {
		peers[id] = transporttest.FreeAddress(t)
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
