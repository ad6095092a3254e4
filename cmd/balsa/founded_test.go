package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// A plan that is not that of the cluster in the directory is refused before any process is started, and
// leaves no directories of nodes that this cluster does not have.
func TestDevOverAnotherClusterSaysWhichOneItIs(t *testing.T) {
	p := plan{data: t.TempDir(), Nodes: 3, HTTPPort: 18001, RaftPort: 17001}
	peers := map[raft.NodeID]string{1: p.raft(1), 2: p.raft(2), 3: p.raft(3)}
	if err := p.fitsFounders(); err != nil || founders(p.data) != nil {
		t.Errorf("an empty directory: %v", err)
	}
	dir, err := disk.OS(p.nodeDir(2)) // that of node 1 was lost
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := wal.Open(dir, wal.Options{Identity: wal.Identity{Cluster: raft.ClusterID{1}, Node: 2,
		Incarnation: 3, Bootstrap: raft.NewConfiguration(peers)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.Close(), dir.Close()); err != nil {
		t.Fatal(err)
	}
	if err := p.fitsFounders(); err != nil {
		t.Errorf("the plan that it was founded with: %v", err)
	}
	more, elsewhere := p, p
	more.Nodes, elsewhere.RaftPort = 5, 17011
	want := p.data + " holds a cluster of 3 nodes with --raft-port 17001: use these, another --data, or " +
		"balsa dev --ephemeral"
	for _, other := range []plan{more, elsewhere} {
		if err := other.vacant(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v", other, err)
		}
	}
	if _, err := os.Stat(more.nodeDir(4)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory of node 4: %v", err)
	}
}
