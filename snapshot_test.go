package balsa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
)

// snapshotOf takes a snapshot at a node and gives it a minute.
func (c *cluster) snapshotOf(id raft.NodeID) (raft.Index, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	return c.nodes[id].Snapshot(ctx)
}

func (c *cluster) mustSnapshot(id raft.NodeID) raft.Index {
	c.t.Helper()
	index, err := c.snapshotOf(id)
	if err != nil {
		c.t.Fatalf("snapshot of node %d: %v\n%s", id, err, c.logged())
	}
	return index
}

// snapshotFiles are the names of a node's snapshots, the oldest first.
func (c *cluster) snapshotFiles(id raft.NodeID) (names []string) {
	for _, name := range c.disks[id].Names() {
		if strings.HasSuffix(name, ".snapshot") {
			names = append(names, name)
		}
	}
	return names
}

// numbered are commands that can be told apart.
func numbered(from, to int) (commands []string) {
	for i := from; i <= to; i++ {
		commands = append(commands, fmt.Sprint("command ", i))
	}
	return commands
}

// What the snapshot includes is restored, and only what the log holds behind it is applied again. That the
// log is gone on the disk too shows when it is too short to begin with.
func TestANodeRestartsFromItsSnapshotAndTheLogBehindIt(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		for i := range 4 {
			c.mustPropose(leader, numbered(5*i+1, 5*i+5)...)
			c.applied(numbered(1, 5*i+5), all3...)
			for _, id := range all3 {
				c.mustSnapshot(id)
			}
		}
		c.mustPropose(leader, numbered(21, 23)...)
		c.applied(numbered(1, 23), all3...)
		for _, id := range all3 {
			if files := c.snapshotFiles(id); len(files) != 2 {
				t.Errorf("node %d keeps %v", id, files)
			}
			if id == leader {
				c.stop(id)
			} else {
				c.crash(id)
			}
		}
		for _, id := range all3 {
			c.open(id)
			// The older of the two snapshots ends at the no-op and 15 commands: the log begins behind it.
			if s := c.nodes[id].Status(); s.First < 16 || s.Snapshot.Index < 21 || s.Role != raft.Follower {
				t.Errorf("node %d begins with %+v", id, s)
			}
		}
		c.applied(numbered(1, 23), all3...)
		for _, id := range all3 {
			if n := c.machines[id].applies; n != 3 {
				t.Errorf("node %d applied %d commands again, want 3", id, n)
			}
		}
		c.mustPropose(c.leader(), "after")
		c.applied(append(numbered(1, 23), "after"), all3...)
	})
}

func TestASnapshotByHand(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		leader := c.leader()
		if s := c.nodes[leader].Status(); s.Snapshot.Index != 0 || s.First != 1 || s.LogBytes == 0 {
			t.Errorf("before: %+v", s)
		}
		c.mustPropose(leader, "a", "b")
		index := c.mustSnapshot(leader)
		s := c.nodes[leader].Status()
		if index != s.Applied || s.Snapshot.Index != index || s.LastSnapshot.Index != index ||
			s.LogBytes != 0 || s.LastSnapshot.Size == 0 ||
			!s.LastSnapshot.At.Equal(time.Now()) || s.Stats.SnapshotsTaken != 1 {
			t.Errorf("snapshot %d: %+v", index, s)
		}
		_, err := c.snapshotOf(leader)
		c.kind(err, balsa.ErrNothingNew, balsa.NotApplied)
		c.mustPropose(leader, "c")
		if again := c.mustSnapshot(leader); again != index+1 {
			t.Errorf("snapshot %d after %d", again, index)
		}
		node := c.nodes[leader]
		c.stop(leader)
		_, err = node.Snapshot(c.t.Context())
		c.kind(err, balsa.ErrClosed, balsa.NotApplied)
		if s := node.Status(); s.LastSnapshot.Index != index+1 {
			t.Errorf("at its end: %+v", s)
		}
	})
}

func TestSnapshotsAreTakenByThemselves(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.SnapshotBytes = 1 << 10 }
		for _, id := range all3 {
			c.open(id)
		}
		leader := c.leader()
		commands := numbered(1, 300)
		for some := range slices.Chunk(commands, 10) {
			c.mustPropose(leader, some...)
			advance(time.Millisecond) // whoever writes faster than snapshots are written is refused
		}
		c.applied(commands, all3...)
		for _, id := range all3 {
			s := c.nodes[id].Status()
			if n := s.Stats.SnapshotsTaken; n < 2 || n > 100 || s.LogBytes > 1<<14 {
				t.Errorf("node %d took %d snapshots, and has %d bytes behind the last", id, n, s.LogBytes)
			}
		}
	})
}

// away has a cluster of three in which one node was cut off while so much was written that no log of the
// others reaches back to what it has. What the leader sends of snapshots is bounded.
func away(t *testing.T, test func(c *cluster, leader, away raft.NodeID, commands []string)) {
	t.Helper()
	inBubble(t, 3, func(c *cluster) {
		c.change = func(config *balsa.Config) {
			config.SnapshotBytes, config.SnapshotRate = 8<<20, 4<<20
		}
		for _, id := range all3 {
			c.open(id)
		}
		leader := c.leader()
		c.mustPropose(leader, "before")
		c.applied([]string{"before"}, all3...)
		away := c.others(leader)[0]
		c.network.Isolate(away)
		commands := []string{"before"}
		for i := range 48 {
			commands = append(commands, fmt.Sprint(i, strings.Repeat("x", 512<<10)))
			c.mustPropose(leader, commands[i+1])
		}
		c.mustSnapshot(leader)
		if s := c.nodes[leader].Status(); s.First < 10 {
			t.Fatalf("the log in memory still begins at %d", s.First)
		}
		test(c, leader, away, commands)
	})
}

// peerOf is what a leader says of a follower.
func (c *cluster) peerOf(leader, id raft.NodeID) (peer balsa.Peer) {
	for _, p := range c.nodes[leader].Status().Peers {
		if p.ID == id {
			peer = p
		}
	}
	return peer
}

func TestAFollowerThatWasAwayTooLongGetsASnapshot(t *testing.T) {
	away(t, func(c *cluster, leader, away raft.NodeID, commands []string) {
		began := time.Now()
		c.network.Heal()
		c.within(10*time.Second, "the snapshot is on its way", func() bool {
			p := c.peerOf(leader, away)
			return p.Installing && p.Offset > 0 && p.Size > 20<<20
		})
		c.mustPropose(leader, "meanwhile")
		commands = append(commands, "meanwhile")
		c.within(time.Minute, "the follower has everything", func() bool {
			return slices.Equal(c.machines[away].applied(), commands)
		})
		if took := time.Since(began); took < 5*time.Second {
			t.Errorf("24 MiB at 4 MiB in a second took %v", took)
		}
		if n := c.machines[away].applies; n > 10 {
			t.Errorf("the follower applied %d commands", n)
		}
		s := c.nodes[away].Status()
		if s.Stats.SnapshotsInstalled == 0 || s.First < 10 || s.Leader != leader {
			t.Errorf("the follower: %+v", s)
		}
		c.within(10*time.Second, "the leader knows", func() bool {
			p := c.peerOf(leader, away)
			return !p.Installing && p.Match == c.nodes[leader].Status().Last.Index
		})
	})
}

// A transfer goes on where it stopped: after a cut of the network, and after a crash of the follower, whose
// disk keeps what has arrived.
func TestASnapshotThatIsCutOffGoesOnWhereItStopped(t *testing.T) {
	away(t, func(c *cluster, leader, away raft.NodeID, commands []string) {
		c.network.Heal()
		half := func(least uint64) func() bool {
			return func() bool { return c.peerOf(leader, away).Offset >= least }
		}
		c.within(time.Minute, "a third has arrived", half(8<<20))
		c.network.Isolate(away)
		advance(5 * time.Second)
		c.network.Heal()
		c.within(time.Minute, "two thirds have arrived", half(16<<20))
		c.crash(away)
		advance(3 * time.Second)
		c.open(away)
		events := c.nodes[leader].Events(c.t.Context(), 1<<16)
		c.within(time.Minute, "the follower has everything", func() bool {
			return slices.Equal(c.machines[away].applied(), commands)
		})
		least := uint64(1 << 62)
		for len(events) > 0 {
			if e, is := (<-events).(raft.SnapshotSending); is && e.To == away {
				least = min(least, e.Offset)
			}
		}
		if least < 8<<20 || least == 1<<62 {
			t.Errorf("after the crash it was sent again from byte %d on", least)
		}
	})
}

// Whatever is under way, Close gives it up: a snapshot of which each piece takes a second, on its way to the
// disk, and one on its way back into the state machine.
func TestCloseDoesNotWaitForASnapshot(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, numbered(1, 600)...)
		c.applied(numbered(1, 600), all3...)
		slow := func() { <-time.After(time.Second) }
		for _, m := range c.machines {
			m.slow = slow
		}
		asked := make(chan error, 1)
		node := c.nodes[leader]
		go func() {
			_, err := node.Snapshot(c.t.Context())
			asked <- err
		}()
		advance(10 * time.Second)
		began := time.Now()
		c.stop(leader)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("closing while a snapshot was written took %v", took)
		}
		c.kind(<-asked, balsa.ErrClosed, balsa.NotApplied)
		for _, name := range c.disks[leader].Names() {
			if strings.Contains(name, ".snapshot") {
				t.Errorf("it left %s", name)
			}
		}
		c.open(leader)
		c.applied(numbered(1, 600), leader)
		c.mustSnapshot(leader)
		c.stop(leader)
		err := c.tryOpen(leader, func(config *balsa.Config) { config.StateMachine.(*recorder).slow = slow })
		if err != nil {
			t.Fatal(err)
		}
		advance(1500 * time.Millisecond)
		if s := c.nodes[leader].Status(); s.Applied != 0 {
			t.Fatalf("it has been restored already: %+v", s)
		}
		read := make(chan error, 1)
		reading := c.nodes[leader]
		go func() {
			_, err := reading.Read(c.t.Context(), balsa.ReadMode{Consistency: balsa.Stale})
			read <- err
		}()
		advance(10 * time.Millisecond)
		if len(read) > 0 {
			t.Fatalf("an empty state machine was read: %v", <-read)
		}
		began = time.Now()
		c.stop(leader)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("closing while a snapshot was restored took %v", took)
		}
		c.kind(<-read, balsa.ErrClosed, balsa.NotApplied)
		delete(c.machines, leader)
	})
}

// A full disk costs the snapshot and not the node, which tries again.
func TestASnapshotThatFindsNoRoomIsTriedAgain(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		c.leader()
		c.mustPropose(1, numbered(1, 10)...)
		c.disks[1].Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpWrite && strings.Contains(call.Name, "snapshot") {
				return disk.ErrNoSpace
			}
			return nil
		})
		_, err := c.snapshotOf(1)
		if e := c.kind(err, balsa.ErrNotSaved, balsa.NotApplied); e.Retry == 0 {
			t.Error("it does not say when to try again")
		}
		if !strings.Contains(c.logged(), "level=WARN msg=\"Could not deal with a snapshot") {
			t.Errorf("nobody was told:\n%s", c.logged())
		}
		c.mustPropose(1, "still here")
		if s := c.nodes[1].Status(); s.Stats.SnapshotsFailed != 1 || s.Snapshot.Index != 0 {
			t.Errorf("%+v", s)
		}
		c.disks[1].Intercept(nil)
		c.mustSnapshot(1)
	})
}

// damaged has a node of one with snapshots after each 10 commands, of which the last so many are damaged, and
// returns what Open says.
func damaged(c *cluster, snapshots, broken int) error {
	c.open(1)
	c.leader()
	for i := range snapshots {
		c.mustPropose(1, numbered(10*i+1, 10*i+10)...)
		c.mustSnapshot(1)
	}
	c.mustPropose(1, "last")
	c.stop(1)
	files := c.snapshotFiles(1)
	for _, name := range files[len(files)-broken:] {
		c.disks[1].Flip(name, 8*100)
	}
	return c.tryOpen(1, nil)
}

func TestADamagedSnapshotIsToldAndTheOneBeforeItServes(t *testing.T) {
	for _, test := range []struct{ snapshots, broken, applied int }{
		{snapshots: 3, broken: 1, applied: 11}, // from the second snapshot on
		{snapshots: 1, broken: 1, applied: 11}, // the log holds everything
		{snapshots: 2, broken: 1, applied: 11},
	} {
		inBubble(t, 1, func(c *cluster) {
			if err := damaged(c, test.snapshots, test.broken); err != nil {
				t.Fatal(err)
			}
			c.applied(append(numbered(1, 10*test.snapshots), "last"), 1)
			if n := c.machines[1].applies; n != test.applied {
				t.Errorf("%d snapshots: it applied %d commands", test.snapshots, n)
			}
			if !strings.Contains(c.logged(), "level=WARN msg=\"A snapshot is damaged") {
				t.Errorf("nobody was told:\n%s", c.logged())
			}
			c.mustSnapshot(1) // takes the place of the damaged one
		})
	}
}

// A node that cannot know what it has acknowledged does not start.
func TestDamageThatNothingMakesUpForIsRefused(t *testing.T) {
	refused := func(c *cluster, what string, err error) {
		t.Helper()
		if !errors.Is(err, snapshot.ErrCorrupt) || strings.Count(err.Error(), "replace this node") != 1 {
			t.Errorf("%s: %v", what, err)
		}
	}
	inBubble(t, 1, func(c *cluster) {
		refused(c, "no snapshot is good", damaged(c, 3, 2))
		for _, name := range c.snapshotFiles(1) {
			c.disks[1].Delete(name)
		}
		err := c.tryOpen(1, nil)
		refused(c, "no snapshot is there", err)
		if !errors.Is(err, replica.ErrGap) {
			t.Errorf("it does not say what is missing: %v", err)
		}
	})
	inBubble(t, 1, func(c *cluster) {
		c.open(1)
		c.leader()
		c.mustPropose(1, "x")
		c.stop(1)
		// It came from a leader and was acknowledged; the log has not begun anew behind it yet.
		c.disks[1].Plant("00000000000000000500-t00000000000000000007.snapshot", []byte("rotten"))
		refused(c, "a damaged snapshot is newer than the log", c.tryOpen(1, nil))
	})
}

// A leader whose snapshot never ends goes on to serve, until its log is too long, and says why. A follower
// whose own snapshots fail does not take that for the reason why the leader refuses.
func TestASnapshotThatNeverEnds(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.SnapshotBytes = 1 << 10 }
		for _, id := range all3 {
			c.open(id)
		}
		leader := c.leader()
		follower := c.others(leader)[0]
		gate := make(chan struct{})
		c.machines[leader].slow = func() { <-gate }
		c.disks[follower].Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpWrite && strings.Contains(call.Name, "snapshot") {
				return disk.ErrNoSpace
			}
			return nil
		})
		for i := 0; c.nodes[follower].Status().SnapshotError == nil && i < 1000; i++ {
			_, _ = c.propose(leader, strings.Repeat("x", 100))
			advance(time.Millisecond)
		}
		c.serves(leader, "meanwhile")
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			_, err = c.propose(follower, strings.Repeat("x", 100))
		}
		if e := c.kind(err, balsa.ErrOverloaded, balsa.NotApplied); e.Cause != nil {
			t.Errorf("the leader refuses, and the follower gives its own reason: %v", e.Cause)
		}
		advance(6 * time.Minute)
		_, err = c.propose(leader, strings.Repeat("x", 1<<10))
		e := c.kind(err, balsa.ErrOverloaded, balsa.NotApplied)
		if s := c.prompt(leader); s.SnapshotError == nil ||
			!strings.Contains(e.Reason(), "snapshots fail: "+s.SnapshotError.Error()) {
			t.Errorf("its status says %v, and it refuses for %v", s.SnapshotError, e.Cause)
		}
		if _, err := c.nodes[leader].Read(c.t.Context(), balsa.ReadMode{}); err != nil {
			t.Errorf("a read: %v", err)
		}
		close(gate)
		advance(2 * time.Second)
		if s := c.prompt(leader); s.SnapshotError != nil || s.Snapshot.Index == 0 {
			t.Errorf("it has ended, and its status says %v", s.SnapshotError)
		}
	})
}

// A leader whose log grows too long because its snapshots fail says that they do, why, and when to come back.
func TestARefusalSaysThatSnapshotsFail(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.SnapshotBytes = 1 << 10 }
		c.open(1)
		c.leader()
		c.disks[1].Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpWrite && strings.Contains(call.Name, "snapshot") {
				return disk.ErrNoSpace
			}
			return nil
		})
		var err error
		for i := 0; c.nodes[1].Status().SnapshotError == nil && i < 1000; i++ {
			_, _ = c.propose(1, strings.Repeat("x", 100))
			advance(time.Millisecond)
		}
		for i := 0; err == nil && i < 1000; i++ {
			_, err = c.propose(1, strings.Repeat("x", 100))
		}
		e := c.kind(err, balsa.ErrOverloaded, balsa.NotApplied)
		if !strings.Contains(e.Reason(), "snapshots fail: ") || e.Retry < 500*time.Millisecond {
			t.Errorf("it says %q, and to come again after %v", e.Reason(), e.Retry)
		}
		if s := c.nodes[1].Status(); !errors.Is(s.SnapshotError, disk.ErrNoSpace) {
			t.Errorf("its status says %v", s.SnapshotError)
		}
		c.disks[1].Intercept(nil)
		advance(e.Retry + time.Second)
		c.mustPropose(1, "there is room again")
		if s := c.nodes[1].Status(); s.SnapshotError != nil || s.Snapshot.Index == 0 {
			t.Errorf("a snapshot was taken, and its status says %v", s.SnapshotError)
		}
	})
}
