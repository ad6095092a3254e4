package balsa_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// recordOf returns what a node's disk remembers of another.
func (c *cluster) recordOf(id, other raft.NodeID) raft.Acquaintance {
	c.t.Helper()
	copied := c.disks[id].Clone()
	dir, err := copied.Open()
	if err != nil {
		c.t.Fatal(err)
	}
	found, err := wal.Inspect(dir)
	if err = errors.Join(err, dir.Close()); err != nil {
		c.t.Fatal(err)
	}
	for _, p := range found.Peers {
		if p.Node == other {
			return p
		}
	}
	return raft.Acquaintance{}
}

// acquaint lets every node meet every other: while one is away, the two others talk.
func (c *cluster) acquaint() {
	c.t.Helper()
	for _, away := range all3 {
		c.stop(away)
		c.leader(c.others(away)...)
		c.open(away)
		advance(time.Second)
	}
	for _, id := range all3 {
		for _, other := range c.others(id) {
			if p := c.recordOf(id, other); p.Incarnation == 0 {
				c.t.Fatalf("node %v remembers %+v of node %v", id, p, other)
			}
		}
	}
}

// A node whose disk was wiped comes back under its old id. It has forgotten its votes, so nobody listens to
// it: not those who ran all the time, and not those who were started again since. The cluster goes on
// without it.
func TestAWipedDiskIsRefused(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.acquaint()
		leader := c.leader()
		c.mustPropose(leader, "a")
		wiped := c.others(leader)[0]
		rest := c.others(wiped)
		c.stop(wiped)
		c.disks[wiped] = disk.NewMemory()
		c.open(wiped)
		c.doesNotCount(wiped)
		c.mustPropose(c.leader(rest...), "b")

		for _, id := range rest {
			c.crash(id)
		}
		for _, id := range rest {
			c.open(id)
		}
		c.doesNotCount(wiped)
		c.mustPropose(c.leader(rest...), "c")
		c.applied([]string{"a", "b", "c"}, rest...)
		if !strings.Contains(c.logged(), raft.OtherIncarnation.String()) {
			t.Error("nobody is told what to do")
		}
	})
}

// doesNotCount leaves a node alone with each of the others in turn: if its vote counted, they would elect
// somebody.
func (c *cluster) doesNotCount(id raft.NodeID) {
	c.t.Helper()
	for _, away := range c.others(id) {
		c.stop(away)
		advance(3 * time.Second)
		for other, node := range c.nodes {
			if s := node.Status(); s.Role == raft.Leader {
				c.t.Errorf("node %v became leader with the vote of node %v", other, id)
			}
		}
		c.open(away)
		c.leader(c.others(id)...)
	}
}

// A data directory that is put back as it was two starts ago is recognised by its start number, by those too
// who were started again since.
func TestADirectoryPutBackIsRefused(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.acquaint()
		c.mustPropose(c.leader(), "a")
		old := c.others(c.leader())[0]
		c.stop(old)
		backup := c.disks[old].Clone()
		for range 2 {
			c.open(old)
			advance(time.Second)
			c.stop(old)
		}
		c.open(old) // the others must have heard the latest start: only the leader has so far
		c.acquaintAgain(old)
		c.stop(old)
		c.disks[old] = backup
		c.open(old)
		c.doesNotCount(old)
		c.mustPropose(c.leader(c.others(old)...), "b")
		if !strings.Contains(c.logged(), raft.OlderStart.String()) {
			t.Error("nobody is told why")
		}
	})
}

// acquaintAgain lets the others meet a node that was started again.
func (c *cluster) acquaintAgain(id raft.NodeID) {
	c.t.Helper()
	for _, away := range c.others(id) {
		c.stop(away)
		c.leader(c.others(away)...)
		c.open(away)
		advance(time.Second)
	}
}

// A full disk is told while there is still room in the segment in use, and stops nothing before that is full.
func TestAFullDiskIsAnnounced(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		if err := c.tryOpen(1, func(config *balsa.Config) { config.SegmentBytes = 4096 }); err != nil {
			t.Fatal(err)
		}
		c.leader()
		c.disks[1].Limit(c.disks[1].Used())
		for range 6 {
			c.mustPropose(1, strings.Repeat("x", 100))
			advance(20 * time.Millisecond)
		}
		if n := strings.Count(c.logged(), "Could not prepare the next segment"); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
		if err := c.nodes[1].Err(); err != nil {
			t.Errorf("the node stopped: %v", err)
		}
	})
}

// What a clean stop leaves behind is sealed, though it was not idle before: a bit that rots under the seal is
// not taken for an unfinished write.
func TestACleanStopSeals(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		c.open(1)
		c.mustPropose(c.leader(), "a", "b", "ccccccccccccccc")
		c.stop(1)
		const segment = "0000000001.wal"
		content := c.disks[1].Read(segment)
		last := bytes.LastIndex(content, []byte("ccccccccccccccc"))
		if last < 0 {
			t.Fatal("the last command is not in the log")
		}
		c.disks[1].Flip(segment, int64(last)*8)
		if err := c.tryOpen(1, nil); !errors.Is(err, wal.ErrCorrupt) {
			t.Errorf("a log that rotted under its seal: %v", err)
		}
	})
}

// A busy node prepares the next segment beside its writes, and an idle one seals its log.
func TestTheLogIsLookedAfter(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		small := func(config *balsa.Config) { config.SegmentBytes = 4096 }
		if err := c.tryOpen(1, small); err != nil {
			t.Fatal(err)
		}
		c.leader()
		named, created := map[string]int{}, 0
		c.disks[1].Intercept(func(call disk.Call) error {
			switch call.Operation {
			case disk.OpCreate:
				created++
				named[call.Name]++
			}
			return nil
		})
		for range 100 {
			c.mustPropose(1, strings.Repeat("x", 100))
			advance(20 * time.Millisecond)
		}
		if created < 4 || named["next.wal.tmp"] != created {
			t.Errorf("created %v: every segment should have been prepared", named)
		}
		c.disks[1].Intercept(nil)
		before := c.disks[1].Calls()
		advance(99 * time.Millisecond)
		advance(time.Second)
		if sealing := c.disks[1].Calls() - before; sealing != 2 {
			t.Errorf("%d operations in an idle second, want the write and the sync of one seal", sealing)
		}
	})
}
