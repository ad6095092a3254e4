package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
)

// slowSync is by how much longer a slow follower's disk takes for each sync: a hundred times and more what a
// virtual disk takes, and less than what makes a follower give up its leader.
const slowSync = 50 * time.Millisecond

// scaleNode is a node of balsa with the map that is shipped, and with snapshots.
type scaleNode struct {
	node *balsa.Node
	disk *slowDir
}

// openNode is a system's open: of balsa alone, with what the setting says.
func (s setting) openNode(p place) (member, error) {
	dir, err := disk.OS(p.Dir)
	if err != nil {
		return nil, err
	}
	n := &scaleNode{disk: &slowDir{Dir: dir}}
	config := p.balsaConfig()
	config.Disk, config.StateMachine, config.SnapshotBytes = n.disk, kv.New(), s.SnapshotBytes
	if n.node, err = balsa.Open(config); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return n, nil
}

func (n *scaleNode) Leads() bool { return n.node.Status().Role == raft.Leader }

func (n *scaleNode) Propose(ctx context.Context, command []byte) error {
	_, err := n.node.Propose(ctx, command)
	return err
}

func (n *scaleNode) Read(ctx context.Context) error {
	_, err := n.node.Read(ctx, balsa.ReadMode{})
	return err
}

// Applied is the last entry that is in the state machine: it counts those of earlier runs too.
func (n *scaleNode) Applied() uint64 { return uint64(n.node.Status().Applied) }

func (n *scaleNode) Close() error { return errors.Join(n.node.Close(), n.disk.Close()) }

// slowDir is a directory on a disk that can be made slow.
type slowDir struct {
	disk.Dir
	slow atomic.Bool
}

// Free is what snapshots ask for; the embedded directory may know it, and has no such method by its type.
func (d *slowDir) Free() (int64, bool) { return disk.Free(d.Dir) }

func (d *slowDir) Create(name string, size int64) (disk.File, error) {
	f, err := d.Dir.Create(name, size)
	return d.file(f, err)
}

func (d *slowDir) Open(name string) (disk.File, error) {
	f, err := d.Dir.Open(name)
	return d.file(f, err)
}

func (d *slowDir) file(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f, d}, nil
}

func (d *slowDir) pause() {
	if d.slow.Load() {
		time.Sleep(slowSync)
	}
}

// Sync makes names durable.
func (d *slowDir) Sync() error {
	d.pause()
	return d.Dir.Sync()
}

// slowFile is a file on such a disk.
type slowFile struct {
	disk.File
	dir *slowDir
}

// Sync makes the content durable.
func (f slowFile) Sync() error {
	f.dir.pause()
	return f.File.Sync()
}
