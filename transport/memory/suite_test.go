package memory

import (
	"fmt"
	"testing"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
)

func TestSuite(t *testing.T) {
	transporttest.Run(t, transporttest.Suite{
		Bubble: true,
		Cluster: func(t *testing.T, ids ...raft.NodeID) func(raft.NodeID) transport.Transport {
			network := NewNetwork()
			t.Cleanup(network.Close)
			for _, id := range ids {
				network.Node(id)
			}
			return network.Node
		},
		Land: func(t *testing.T) transporttest.Land {
			network, last := NewNetwork(), 0
			t.Cleanup(network.Close)
			return transporttest.Land{
				Address: func() string { last++; return fmt.Sprint("address ", last) },
				Open:    network.NodeAt,
			}
		},
	})
}
