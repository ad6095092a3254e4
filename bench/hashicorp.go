package main

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"
)

// hashicorpStore is a log and the few values beside it in one.
type hashicorpStore interface {
	raft.LogStore
	raft.StableStore
	io.Closer
}

// hashicorpNode is a node of hashicorp/raft. Settings: batches of as many entries as the library admits
// (1,024) with BatchApplyCh and a state machine that takes batches, a cache of the log before the store, as
// Consul has it, the library's own two calls in flight. It sends heartbeats at a tenth to a fifth of the
// timeout of its followers, 15 to 30 ms, which cannot be set. Its leases are checked in the background;
// VerifyLeader, which stands for both kinds of reads, asks a majority for a heartbeat, but does not wait
// until what was committed is applied, so that it is weaker than a linearizable read.
type hashicorpNode struct {
	raft      *raft.Raft
	store     hashicorpStore
	transport *raft.NetworkTransport
	machine   *hashicorpMachine
}

// hashicorpWAL is a log that also closes the file beside it, which the library's own Close leaves locked.
type hashicorpWAL struct {
	*wal.WAL
	beside *metadb.BoltMetaDB
}

// Close closes both.
func (w hashicorpWAL) Close() error { return errors.Join(w.WAL.Close(), w.beside.Close()) }

func openHashicorpWAL(p place) (member, error) {
	beside := &metadb.BoltMetaDB{}
	log, err := wal.Open(p.Dir, wal.WithLogger(hclog.NewNullLogger()), wal.WithMetaStore(beside))
	if err != nil {
		return nil, err
	}
	return openHashicorp(p, hashicorpWAL{log, beside})
}

// openHashicorpBolt leaves the list of free pages out of each commit, as Consul and Nomad do. The store is of
// version 2.3.0: 2.3.1 wants a package of go-metrics that is gone from the version that raft 1.8 demands.
func openHashicorpBolt(p place) (member, error) {
	store, err := boltdb.New(boltdb.Options{
		Path:        filepath.Join(p.Dir, "raft.db"),
		BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
	})
	if err != nil {
		return nil, err
	}
	return openHashicorp(p, store)
}

func openHashicorp(p place, store hashicorpStore) (member, error) {
	n := &hashicorpNode{store: store, machine: &hashicorpMachine{}}
	cached, err := raft.NewLogCache(8192, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	n.transport, err = raft.NewTCPTransportWithConfig(p.address(), nil, &raft.NetworkTransportConfig{
		MaxPool: 3, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	config := hashicorpConfig(p)
	snapshots := raft.NewDiscardSnapshotStore()
	var all raft.Configuration
	for i, address := range p.Addresses {
		all.Servers = append(all.Servers,
			raft.Server{ID: raft.ServerID(strconv.Itoa(i + 1)), Address: raft.ServerAddress(address)})
	}
	err = raft.BootstrapCluster(config, store, store, snapshots, n.transport, all)
	if err == nil || errors.Is(err, raft.ErrCantBootstrap) { // the second start finds what the first left
		n.raft, err = raft.NewRaft(config, n.machine, cached, store, snapshots, n.transport)
	}
	if err != nil {
		return nil, errors.Join(err, n.transport.Close(), store.Close())
	}
	return n, nil
}

func hashicorpConfig(p place) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(strconv.Itoa(p.ID))
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = electionMin, electionMin, electionMin
	c.CommitTimeout = heartbeat
	c.MaxAppendEntries, c.BatchApplyCh = 1024, true
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = 24*time.Hour, math.MaxUint64, math.MaxUint64
	c.Logger, c.NoLegacyTelemetry = hclog.NewNullLogger(), true
	return c
}

func (n *hashicorpNode) Leads() bool { return n.raft.State() == raft.Leader }

func (n *hashicorpNode) Propose(_ context.Context, command []byte) error {
	return n.raft.Apply(command, 10*time.Second).Error()
}

func (n *hashicorpNode) Read(context.Context) error { return n.raft.VerifyLeader().Error() }
func (n *hashicorpNode) Applied() uint64            { return n.machine.applied.Load() }

func (n *hashicorpNode) Close() error {
	return errors.Join(n.raft.Shutdown().Error(), n.transport.Close(), n.store.Close())
}

// hashicorpMachine counts.
type hashicorpMachine struct{ applied atomic.Uint64 }

// Apply counts a command.
func (m *hashicorpMachine) Apply(*raft.Log) any {
	m.applied.Add(1)
	return nil
}

// ApplyBatch counts those of the entries that are commands.
func (m *hashicorpMachine) ApplyBatch(logs []*raft.Log) []any {
	n := uint64(0)
	for _, l := range logs {
		if l.Type == raft.LogCommand {
			n++
		}
	}
	m.applied.Add(n)
	return make([]any, len(logs))
}

// Snapshot is never called.
func (m *hashicorpMachine) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.ErrUnsupported }

// Restore is never called.
func (m *hashicorpMachine) Restore(from io.ReadCloser) error { return from.Close() }
