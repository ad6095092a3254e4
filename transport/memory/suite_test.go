package memory

import (
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
	})
}
