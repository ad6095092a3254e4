package balsa_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
)

// backupOf writes a backup of a node.
func (c *cluster) backupOf(id raft.NodeID, mode balsa.ReadMode) (*balsa.Backup, []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	b, err := c.nodes[id].Backup(ctx, mode)
	if err != nil {
		c.t.Fatalf("backup of node %d: %v\n%s", id, err, c.logged())
	}
	var file bytes.Buffer
	if n, err := b.WriteTo(&file); err != nil || n != int64(file.Len()) {
		c.t.Fatalf("%d of %d bytes, %v", n, file.Len(), err)
	}
	return b, file.Bytes()
}

// viewed opens bytes as a snapshot file.
func viewed(t *testing.T, file []byte) (*snapshot.Reader, error) {
	m := disk.NewMemory()
	m.Plant("backup", file)
	dir, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.View(dir, "backup")
}

// A backup of any node holds everything acknowledged before, is bound to its cluster, and no bit of it
// can change unnoticed.
func TestABackupIsAWholeSnapshot(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, numbered(1, 20)...)
		for _, id := range all3 {
			b, file := c.backupOf(id, balsa.ReadMode{})
			r, err := viewed(t, file)
			if err != nil {
				t.Fatalf("node %d: %v", id, err)
			}
			info := r.Info()
			if info.Last != b.Last || info.Cluster != c.nodes[id].Status().Cluster ||
				info.Time != b.Time || len(b.Members.Voters) != 3 {
				t.Errorf("node %d: %+v, %+v", id, info, b)
			}
			state, err := r.Section(0)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(state)
			if err != nil || !bytes.Contains(content, []byte("command 20")) {
				t.Errorf("node %d: %v, %q", id, err, content)
			}
			for bit := 3; bit < 8*len(file); bit += 41 {
				file[bit/8] ^= 1 << (bit % 8)
				if _, err := viewed(t, file); err == nil {
					t.Errorf("bit %d was not missed", bit)
				}
				file[bit/8] ^= 1 << (bit % 8)
			}
			if _, err := viewed(t, file[:len(file)-1]); err == nil {
				t.Error("its last byte was not missed")
			}
			if len(c.snapshotFiles(id)) > 0 {
				t.Error("a snapshot was kept for it")
			}
		}
	})
}

// A backup takes the time that its rate demands, ends with the node, and holds up nobody.
func TestABackupGivesWay(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, numbered(1, 1000)...)
		b, err := c.nodes[leader].Backup(c.t.Context(), balsa.ReadMode{})
		if err != nil {
			t.Fatal(err)
		}
		b.Rate = 1000
		began := time.Now()
		n, err := b.WriteTo(io.Discard)
		if took := time.Since(began); err != nil || took < time.Duration(n-1000)*time.Millisecond {
			t.Errorf("%d bytes in %v, %v", n, took, err)
		}
		written := make(chan error)
		go func() {
			_, err := b.WriteTo(io.Discard)
			written <- err
		}()
		advance(time.Second)
		c.mustPropose(leader, "meanwhile")
		c.stop(leader)
		if err := <-written; err == nil {
			t.Error("it went on without its node")
		}
	})
}

// All nodes have the same hash at one index, whatever they are at; which was passed is said.
func TestHashesAgree(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, numbered(1, 10)...)
		c.applied(numbered(1, 10), all3...)
		index := c.nodes[leader].Status().Applied + 5
		var asked []*balsa.Hashing
		for _, id := range all3 {
			h, err := c.nodes[id].HashAt(c.t.Context(), index)
			if err != nil {
				t.Fatal(err)
			}
			asked = append(asked, h)
		}
		other := all3[slices.IndexFunc(all3, func(id raft.NodeID) bool { return id != leader })]
		if err := c.nodes[other].AdvanceTo(c.t.Context(), index); err != nil {
			t.Fatal(err)
		}
		c.mustPropose(leader, numbered(11, 12)...)
		var sums [][32]byte
		for _, h := range asked {
			got, err := h.Wait(c.t.Context())
			if err != nil || got.Last.Index != index || got.Bytes == 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			sums = append(sums, got.Sum)
		}
		if sums[0] != sums[1] || sums[1] != sums[2] {
			t.Errorf("%x", sums)
		}
		late, err := c.nodes[leader].HashAt(c.t.Context(), index)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := late.Wait(c.t.Context()); !errors.Is(err, balsa.ErrPassed) {
			t.Errorf("too late: %v", err)
		}
		if _, err := asked[0].Wait(canceled()); !errors.Is(err, balsa.ErrTimeout) {
			t.Errorf("no time: %v", err)
		}
	})
}

// Whoever waits for a hash once more gets nothing, and takes nothing from a caller who came after it.
func TestAHashIsWaitedForOnce(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "before")
		h, err := c.nodes[leader].HashAt(c.t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Wait(c.t.Context()); !errors.Is(err, balsa.ErrPassed) {
			t.Fatal(err)
		}
		c.network.Isolate(leader)
		proposed := make(chan error, 1)
		go func() {
			_, err := c.nodes[leader].Propose(c.t.Context(), []byte("waits for a majority"))
			proposed <- err
		}()
		advance(time.Millisecond)
		if _, err := h.Wait(canceled()); !errors.Is(err, balsa.ErrTimeout) {
			t.Errorf("once more: %v", err)
		}
		c.network.Heal()
		advance(5 * time.Second)
		select {
		case err := <-proposed:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the other caller still waits")
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
