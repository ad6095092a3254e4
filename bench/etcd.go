package main

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// etcdNode is a node of etcd-io/raft, which brings neither storage nor network: the log goes to etcd's own
// WAL package and, as in etcd, into a raft.MemoryStorage; messages go over the transport in etcd_wire.go. One
// loop drives a raft.RawNode: all proposals that came while it was busy are one proposal of many entries, and
// all reads one ReadIndex. The library's channel interface, which takes proposals one by one and sends each
// alone, is several times slower under load.
//
// Settings: 512 messages in flight, as in etcd, of up to 1 MiB; up to 64 MiB of entries applied at once; no
// limit on what is not committed yet; proposals are not forwarded.
type etcdNode struct {
	id        uint64
	core      *raft.RawNode // of the loop alone
	storage   *raft.MemoryStorage
	wal       *wal.WAL
	transport *etcdTransport
	inbox     *queue[etcdEvent]
	proposals waiters
	reads     etcdReads // of the loop alone

	last    atomic.Uint64 // proposal that was given a number
	leads   atomic.Bool
	applied atomic.Uint64 // commands
	index   atomic.Uint64 // of the last entry that was applied

	stop    chan struct{}
	running sync.WaitGroup
}

// etcdEvent is something for the loop: one of its fields is set, or none for a tick.
type etcdEvent struct {
	proposal *raftpb.Entry
	message  *raftpb.Message
	read     chan error
	change   *raftpb.ConfChange // was committed
}

func openEtcdClassic(p place) (member, error) { return openEtcd(p, false) }
func openEtcdAsync(p place) (member, error)   { return openEtcd(p, true) }

func openEtcd(p place, async bool) (member, error) {
	n := &etcdNode{id: uint64(p.ID), storage: raft.NewMemoryStorage(), stop: make(chan struct{}),
		inbox: newQueue[etcdEvent]()}
	// Numbers go on where no earlier process of this node can have been.
	n.last.Store(uint64(p.ID)<<56 | uint64(rand.Uint32())<<24)
	dir := filepath.Join(p.Dir, "wal")
	again := wal.Exist(dir)
	if err := n.openLog(dir, again); err != nil {
		return nil, err
	}
	var err error
	if n.core, err = raft.NewRawNode(n.config(p, async)); err == nil && !again {
		var peers []raft.Peer
		for i := range p.Addresses {
			peers = append(peers, raft.Peer{ID: uint64(i + 1)})
		}
		err = n.core.Bootstrap(peers)
	}
	if err == nil {
		n.transport, err = listenEtcd(n, p)
	}
	if err != nil {
		return nil, errors.Join(err, n.wal.Close())
	}
	n.transport.start()
	n.running.Go(n.tick)
	if async {
		n.runAsync()
	} else {
		n.running.Go(func() { n.run(n.classic) })
	}
	return n, nil
}

func (n *etcdNode) config(p place, async bool) *raft.Config {
	reading := raft.ReadOnlySafe
	if p.Leases {
		reading = raft.ReadOnlyLeaseBased
	}
	return &raft.Config{
		ID:            n.id,
		ElectionTick:  int(electionMin / tick), // drawn from this to twice as much
		HeartbeatTick: int(heartbeat / tick),
		Storage:       n.storage,
		MaxSizePerMsg: messageBytes, MaxInflightMsgs: 512, MaxCommittedSizePerReady: 64 << 20,
		CheckQuorum: true, PreVote: true,
		ReadOnlyOption:            reading,
		AsyncStorageWrites:        async,
		DisableProposalForwarding: true,
		Logger:                    &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	}
}

// openLog creates the log, or reads it into memory.
func (n *etcdNode) openLog(dir string, again bool) (err error) {
	if !again {
		n.wal, err = wal.Create(nil, dir, nil)
		return err
	}
	if n.wal, err = wal.Open(nil, dir, &walpb.Snapshot{}); err != nil {
		return err
	}
	_, state, entries, err := n.wal.ReadAll()
	if err != nil {
		return errors.Join(err, n.wal.Close())
	}
	return errors.Join(n.storage.SetHardState(state), n.storage.Append(entries))
}

func (n *etcdNode) tick() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			n.inbox.add(etcdEvent{})
		case <-n.stop:
			return
		}
	}
}

func (n *etcdNode) Leads() bool     { return n.leads.Load() }
func (n *etcdNode) Applied() uint64 { return n.applied.Load() }

// Propose numbers a copy of the command in its first eight bytes, by which apply finds who waits.
func (n *etcdNode) Propose(ctx context.Context, command []byte) error {
	number := n.last.Add(1)
	done := n.proposals.add(number)
	n.inbox.add(etcdEvent{proposal: &raftpb.Entry{Data: numbered(command, number)}})
	select {
	case err := <-done:
		n.proposals.recycle(done)
		return err
	case <-ctx.Done():
		n.proposals.remove(number)
		return ctx.Err()
	case <-n.stop:
		return errStopped
	}
}

// Read waits for the answer to the next ReadIndex.
func (n *etcdNode) Read(ctx context.Context) error {
	done := make(chan error, 1)
	n.inbox.add(etcdEvent{read: done})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stop:
		return errStopped
	}
}

func (n *etcdNode) Close() error {
	close(n.stop)
	n.inbox.close()
	err := n.transport.close()
	n.running.Wait()
	return errors.Join(err, n.wal.Close())
}

// apply counts what was committed, and wakes who waits for it.
func (n *etcdNode) apply(entries []*raftpb.Entry) {
	if len(entries) == 0 {
		return
	}
	commands := uint64(0)
	for _, e := range entries {
		switch {
		case e.GetType() == raftpb.EntryConfChange:
			n.reconfigure(e)
		case len(e.GetData()) > 0:
			commands++
		}
	}
	n.applied.Add(commands)
	n.index.Store(entries[len(entries)-1].GetIndex())
	for _, e := range entries {
		if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 {
			n.proposals.wake(numberOf(e.GetData()), nil)
		}
	}
}

// save makes entries durable and then visible to the core.
func (n *etcdNode) save(state *raftpb.HardState, entries []*raftpb.Entry) {
	err := n.wal.Save(state, entries)
	if err == nil && !raft.IsEmptyHardState(state) {
		err = n.storage.SetHardState(state)
	}
	if err == nil {
		err = n.storage.Append(entries)
	}
	n.check(err)
}

// check ends the process, which holds one measurement, at the first error of the disk.
func (n *etcdNode) check(err error) {
	if err != nil {
		panic("etcd-raft: " + err.Error())
	}
}
