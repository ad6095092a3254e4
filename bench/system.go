package main

import (
	"context"
	"time"
)

// What every system is set to.
const (
	heartbeat    = 50 * time.Millisecond
	electionMin  = 150 * time.Millisecond
	electionMax  = 300 * time.Millisecond
	tick         = 10 * time.Millisecond // of the libraries that count in ticks
	messageBytes = 1 << 20               // of entries in one message
)

// place says which node of a cluster to open, and where.
type place struct {
	ID        int      // 1 to len(Addresses)
	Dir       string   // of this node alone
	Addresses []string // of all nodes, by id
	Leases    bool     // reads are going to be by lease
}

func (p place) address() string { return p.Addresses[p.ID-1] }

// member is one running node of a system.
type member interface {
	// Leads reports whether the node believes that it leads. It may be wrong for a moment.
	Leads() bool
	// Propose returns nil once the command is committed and applied on this node, which leads. The command
	// must not be changed afterwards.
	Propose(ctx context.Context, command []byte) error
	// Read returns nil once the node may answer a read from its state machine: a linearizable one, after a
	// round of messages, or one by lease if the node was opened for that.
	Read(ctx context.Context) error
	// Applied is how many commands this process has applied to the node's state machine.
	Applied() uint64
	// Close stops the node. Its directory can be opened again.
	Close() error
}

// system is one library with one storage.
type system struct {
	name    string
	modules []string // whose versions the table states
	leases  bool     // whether it has reads by lease, or what takes their place
	open    func(place) (member, error)
}

// ours is the name of the system that the others are compared with.
const ours = "balsa"

func systems() []system {
	const (
		hashicorp  = "github.com/hashicorp/raft"
		etcd       = "go.etcd.io/raft/v3"
		dragonboat = "github.com/lni/dragonboat/v4"
		storage    = "go.etcd.io/etcd/server/v3"
		boltdb     = "github.com/hashicorp/raft-boltdb/v2"
	)
	return []system{
		{ours, nil, true, openBalsa},
		{"etcd-raft", []string{etcd, storage}, true, openEtcdClassic},
		{"etcd-raft-async", []string{etcd, storage}, true, openEtcdAsync},
		{"hashicorp-wal", []string{hashicorp, "github.com/hashicorp/raft-wal"}, true, openHashicorpWAL},
		{"hashicorp-bolt", []string{hashicorp, boltdb}, true, openHashicorpBolt},
		{"dragonboat-tan", []string{dragonboat}, false, openDragonboatTan},
		{"dragonboat-pebble", []string{dragonboat}, false, openDragonboatPebble},
	}
}

func systemNamed(name string) (system, bool) {
	for _, s := range systems() {
		if s.name == name {
			return s, true
		}
	}
	return system{}, false
}
