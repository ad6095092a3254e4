package tcp

import (
	"testing"

	"go.uber.org/goleak"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	transporttest.Run(t, suite(nil))
}

// suite tests transports, all of them changed in the same way.
func suite(change func(*Config)) transporttest.Suite {
	open := func(t *testing.T, id raft.NodeID, listen string, peers map[raft.NodeID]string) *Transport {
		config := Config{Self: transporttest.Identity(id), Listen: listen, Peers: peers}
		if change != nil {
			change(&config)
		}
		made, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	return transporttest.Suite{
		Cluster: func(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport {
			peers := map[raft.NodeID]string{}
			for _, id := range ids {
				peers[id] = transporttest.FreeAddress(t)
			}
			return func(id raft.NodeID) transport.Transport { return open(t, id, peers[id], peers) }
		},
		Land: func(t *testing.T) transporttest.Land {
			return transporttest.Land{
				Address: func() string { return transporttest.FreeAddress(t) },
				Open: func(id raft.NodeID, address string) transport.Transport {
					return open(t, id, address, nil)
				},
			}
		},
	}
}
