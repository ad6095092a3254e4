package main

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"

	"balsa"
	"balsa/raft"
)

// balsaNode is a node of balsa with its default transport, opened as its examples do. Pre-vote and the
// leader's check of its quorum are always on; the log keeps everything, since SnapshotBytes is negative.
type balsaNode struct {
	node    *balsa.Node
	machine *balsaMachine
	reading balsa.ReadMode
	bounded atomic.Bool // the configuration states how far clocks drift
}

func openBalsa(p place) (member, error) {
	n := &balsaNode{machine: &balsaMachine{}}
	if p.Leases {
		n.reading = balsa.ReadMode{Consistency: balsa.Leased}
	}
	config := p.balsaConfig()
	config.Dir, config.StateMachine, config.SnapshotBytes = p.Dir, n.machine, -1
	node, err := balsa.Open(config)
	n.node = node
	return n, err
}

// balsaConfig says who the nodes are, and the timings that all systems have in common.
func (p place) balsaConfig() balsa.Config {
	peers := map[balsa.NodeID]string{}
	for i, address := range p.Addresses {
		peers[balsa.NodeID(i+1)] = address
	}
	return balsa.Config{ID: balsa.NodeID(p.ID), Peers: peers,
		Heartbeat: heartbeat, ElectionMin: electionMin, ElectionMax: electionMax}
}

func (n *balsaNode) Leads() bool { return n.node.Status().Role == raft.Leader }

func (n *balsaNode) Propose(ctx context.Context, command []byte) error {
	_, err := n.node.Propose(ctx, command)
	return err
}

func (n *balsaNode) Read(ctx context.Context) error {
	if n.reading.Consistency == balsa.Leased && !n.bounded.Load() {
		if err := n.bound(ctx); err != nil {
			return err
		}
	}
	_, err := n.node.Read(ctx, n.reading)
	return err
}

// bound states in the configuration that clocks drift by 500 ppm at most, without which there are no leases.
func (n *balsaNode) bound(ctx context.Context) error {
	drift := uint32(500)
	if members, _ := n.node.Members(); members.LeaseDrift != drift {
		if _, err := n.node.ChangeMembership(ctx, raft.Change{LeaseDrift: &drift}); err != nil {
			return err
		}
	}
	n.bounded.Store(true)
	return nil
}

func (n *balsaNode) Applied() uint64 { return n.machine.applied.Load() }
func (n *balsaNode) Close() error    { return n.node.Close() }

// balsaMachine counts.
type balsaMachine struct{ applied atomic.Uint64 }

// Apply counts a command.
func (m *balsaMachine) Apply(balsa.Entry) []byte {
	m.applied.Add(1)
	return nil
}

// Snapshot captures nothing: nobody takes one.
func (m *balsaMachine) Snapshot() (io.WriterTo, error) { return &bytes.Buffer{}, nil }

// Restore has nothing to do.
func (m *balsaMachine) Restore(io.Reader) error { return nil }
