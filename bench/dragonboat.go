package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	"github.com/lni/dragonboat/v4/plugin/tan"
	"github.com/lni/dragonboat/v4/statemachine"
)

const shard = 1

// dragonboatNode is a node of dragonboat v4. Settings: the library's own for its log and its workers, a round
// trip of 10 ms as the unit of its timings, no queue limits, no sessions of clients, and a state machine that
// takes batches. It has no reads by lease.
type dragonboatNode struct {
	host    *dragonboat.NodeHost
	id      uint64
	session *client.Session
	machine *dragonboatMachine
}

func openDragonboatTan(p place) (member, error) {
	return openDragonboat(p, config.ExpertConfig{LogDBFactory: tan.Factory})
}

// openDragonboatPebble opens the library's default.
func openDragonboatPebble(p place) (member, error) { return openDragonboat(p, config.ExpertConfig{}) }

func openDragonboat(p place, expert config.ExpertConfig) (member, error) {
	silenceDragonboat()
	expert.Engine = config.GetDefaultEngineConfig()
	expert.LogDB = config.GetDefaultLogDBConfig()
	host, err := dragonboat.NewNodeHost(config.NodeHostConfig{
		NodeHostDir:    filepath.Join(p.Dir, "host"),
		RTTMillisecond: uint64(tick.Milliseconds()),
		RaftAddress:    p.address(),
		Expert:         expert,
	})
	if err != nil {
		return nil, err
	}
	n := &dragonboatNode{host: host, id: uint64(p.ID), machine: &dragonboatMachine{}}
	members := map[uint64]dragonboat.Target{}
	for i, address := range p.Addresses {
		members[uint64(i+1)] = address
	}
	create := func(uint64, uint64) statemachine.IConcurrentStateMachine { return n.machine }
	err = host.StartConcurrentReplica(members, false, create, config.Config{
		ReplicaID: n.id, ShardID: shard,
		ElectionRTT: uint64(electionMin / tick), HeartbeatRTT: uint64(heartbeat / tick),
		CheckQuorum: true, PreVote: true,
	})
	if err != nil {
		host.Close()
		return nil, err
	}
	n.session = host.GetNoOPSession(shard)
	return n, nil
}

func (n *dragonboatNode) Leads() bool {
	leader, _, known, err := n.host.GetLeaderID(shard)
	return err == nil && known && leader == n.id
}

func (n *dragonboatNode) Propose(ctx context.Context, command []byte) error {
	_, err := n.host.SyncPropose(ctx, n.session, command)
	return err
}

func (n *dragonboatNode) Read(ctx context.Context) error {
	_, err := n.host.SyncRead(ctx, shard, nil)
	return err
}

func (n *dragonboatNode) Applied() uint64 { return n.machine.applied.Load() }

func (n *dragonboatNode) Close() error {
	n.host.Close()
	return nil
}

// dragonboatMachine counts.
type dragonboatMachine struct{ applied atomic.Uint64 }

// Update counts commands.
func (m *dragonboatMachine) Update(entries []statemachine.Entry) ([]statemachine.Entry, error) {
	m.applied.Add(uint64(len(entries)))
	return entries, nil
}

// Lookup answers a read.
func (m *dragonboatMachine) Lookup(any) (any, error) { return nil, nil }

// PrepareSnapshot is called when somebody asks for a snapshot, which nobody does.
func (m *dragonboatMachine) PrepareSnapshot() (any, error) { return nil, errors.ErrUnsupported }

// SaveSnapshot is never called.
func (m *dragonboatMachine) SaveSnapshot(any, io.Writer, statemachine.ISnapshotFileCollection,
	<-chan struct{}) error {
	return errors.ErrUnsupported
}

// RecoverFromSnapshot is never called.
func (m *dragonboatMachine) RecoverFromSnapshot(io.Reader, []statemachine.SnapshotFile,
	<-chan struct{}) error {
	return errors.ErrUnsupported
}

// Close has nothing to close.
func (m *dragonboatMachine) Close() error { return nil }

// silenceDragonboat may be called once in a process, says the library.
var silenceDragonboat = sync.OnceFunc(func() {
	logger.SetLoggerFactory(func(string) logger.ILogger { return silentDragonboat{} })
})

type silentDragonboat struct{}

func (silentDragonboat) SetLevel(logger.LogLevel)  {}
func (silentDragonboat) Debugf(string, ...any)     {}
func (silentDragonboat) Infof(string, ...any)      {}
func (silentDragonboat) Warningf(string, ...any)   {}
func (silentDragonboat) Errorf(string, ...any)     {}
func (silentDragonboat) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
