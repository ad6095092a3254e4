package balsa_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
	"balsa/transport/memory"
)

// at opens a node at an address, which it says itself, as a later start: told of nobody.
func at(network *memory.Network, address string) func(*balsa.Config) {
	return func(config *balsa.Config) {
		config.Peers, config.Advertise = nil, address
		config.Transport = network.NodeAt(config.ID, address)
	}
}

// addressed waits until every node's configuration says that a member is at an address.
func (c *cluster) addressed(id raft.NodeID, address string) {
	c.t.Helper()
	c.within(10*time.Second, fmt.Sprintf("node %v is known to be at %s", id, address), func() bool {
		for _, n := range c.nodes {
			members, _ := n.Members()
			if m, _ := members.Member(id); m.Address != address {
				return false
			}
		}
		return true
	})
}

// A node comes back at another address, from which it alone knows the others: it is heard, answered there,
// and the configuration follows. Once it does, all others are found by it when they start anew.
func TestANodeMoves(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		for id, address := range c.peers {
			err := c.tryOpen(id, func(config *balsa.Config) {
				at(c.network, address)(config)
				config.Peers = c.peers
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		c.named()
		for round, id := range []raft.NodeID{c.leader(), c.others(c.leader())[0]} {
			address := fmt.Sprintf("moved%d:1", round)
			c.stop(id)
			c.leader()
			if err := c.tryOpen(id, at(c.network, address)); err != nil {
				t.Fatal(err)
			}
			c.addressed(id, address)
			c.mustPropose(id, fmt.Sprint("from ", address))
			if s := c.nodes[id].Status(); s.Address != address {
				t.Errorf("it says that it is at %s", s.Address)
			}
		}
		members, _ := c.nodes[1].Members()
		for id := range c.nodes {
			c.stop(id)
		}
		for _, m := range members.Members {
			if err := c.tryOpen(m.ID, at(c.network, m.Address)); err != nil {
				t.Fatal(err)
			}
		}
		c.known(all3...)
		c.mustPropose(1, "all anew")
	})
}

// The hint names where clients reach the leader as the configuration says, where the leader itself was not
// heard to say it.
func TestHintsComeFromTheConfiguration(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.API = fmt.Sprintf("http://node%d:8000", config.ID) }
		for id := range c.peers {
			c.open(id)
		}
		c.within(10*time.Second, "every API is in the configuration", func() bool {
			for _, n := range c.nodes {
				members, _ := n.Members()
				for _, m := range members.Members {
					if m.API != fmt.Sprintf("http://node%d:8000", m.ID) {
						return false
					}
				}
			}
			return true
		})
		asked := c.others(c.leader())[0]
		c.stop(asked)
		c.network.Isolate(asked)
		if err := c.tryOpen(asked, func(config *balsa.Config) { config.Peers = nil }); err != nil {
			t.Fatal(err)
		}
		for _, p := range c.nodes[asked].Status().Peers {
			if want := fmt.Sprintf("http://node%d:8000", p.ID); p.API != want {
				t.Errorf("node %v is said to be at %q", p.ID, p.API)
			}
		}
	})
}

// freeAddresses are addresses of this machine that nobody listens on.
func freeAddresses(t *testing.T, n int) (addresses []string) {
	t.Helper()
	var taken []io.Closer // until all are chosen, or one could be chosen twice
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses, taken = append(addresses, l.Addr().String()), append(taken, l)
	}
	for _, l := range taken {
		_ = l.Close()
	}
	return addresses
}

// All nodes come back at other addresses, where none finds another, but for one that is told where to dial
// them. A second such start needs to be told nothing.
func TestAWholeClusterMoves(t *testing.T) {
	addresses := freeAddresses(t, 6)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	nodes := make([]*balsa.Node, 3)
	open := func(change func(*balsa.Config)) {
		t.Helper()
		for i := range nodes {
			config := balsa.Config{ID: raft.NodeID(i + 1), Dir: dirs[i], StateMachine: &recorder{},
				ElectionMin: 500 * time.Millisecond, ElectionMax: time.Second}
			change(&config)
			n, err := balsa.Open(config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = n.Close() })
			nodes[i] = n
		}
	}
	shut := func() {
		for _, n := range nodes {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	told := func(what string, addresses []string) {
		t.Helper()
		eventually(t, 30*time.Second, what, func() bool {
			for _, n := range nodes {
				members, _ := n.Members()
				for i, address := range addresses {
					m, _ := members.Member(raft.NodeID(i + 1))
					if m.Address != address || m.Incarnation == 0 {
						return false
					}
				}
			}
			return true
		})
	}
	old, fresh := addresses[:3], addresses[3:]
	open(func(config *balsa.Config) {
		config.Peers = map[raft.NodeID]string{1: old[0], 2: old[1], 3: old[2]}
	})
	told("the first addresses are known", old)
	shut()
	open(func(config *balsa.Config) {
		config.Listen = fresh[config.ID-1]
		if config.ID == 1 {
			config.Dial = map[raft.NodeID]string{2: fresh[1], 3: fresh[2]}
		}
	})
	told("the new addresses are known", fresh)
	shut()
	open(func(*balsa.Config) {})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, err := nodes[2].Propose(ctx, []byte("at home"))
		if err == nil {
			break
		}
		e := (*balsa.Error)(nil)
		if !errors.As(err, &e) || e.Outcome != balsa.NotApplied || ctx.Err() != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
