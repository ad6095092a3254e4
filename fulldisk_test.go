package balsa_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// A snapshot that does not fit on a follower's disk is refused and costs the follower nothing: it lives,
// its log has room, and when the disk has, too, the snapshot comes.
func TestASnapshotThatDoesNotFitIsRefused(t *testing.T) {
	away(t, func(c *cluster, leader, away raft.NodeID, commands []string) {
		disk := c.disks[away]
		used := disk.Used()
		disk.Limit(used + 68<<20) // the last of the reserve, a segment, would not stay
		c.network.Heal()
		advance(20 * time.Second)
		s := c.nodes[away].Status()
		if s.Err != nil || s.Leader != leader || s.Stats.SnapshotsInstalled != 0 {
			t.Errorf("the follower: %+v", s)
		}
		if now := disk.Used(); now > used+1<<20 {
			t.Errorf("%d bytes were used of the disk, and now %d are", used, now)
		}
		if n := strings.Count(c.logged(), "Cannot take the snapshot that the leader sends"); n != 1 {
			t.Errorf("told %d times", n)
		}
		disk.Limit(0)
		c.within(time.Minute, "the follower has everything", func() bool {
			return slices.Equal(c.machines[away].applied(), commands)
		})
	})
}

// A disk that never has room for the whole reserve beside a snapshot is no disk without snapshots: else the
// log would reach its limit, and the node take no command for ever.
func TestASmallDiskHasSnapshots(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.SnapshotBytes = 4 << 20 }
		c.open(1)
		leader := c.leader()
		c.mustPropose(leader, "before")
		disk := c.disks[1]
		disk.Limit(disk.Used() + 250<<20) // less than four segments
		large := strings.Repeat("x", 1<<20)
		for range 20 {
			c.within(time.Minute, "a command is taken", func() bool {
				_, err := c.nodes[leader].Propose(c.t.Context(), []byte(large))
				return err == nil
			})
		}
		c.within(time.Minute, "a snapshot is there", func() bool {
			s := c.nodes[leader].Status()
			return s.LastSnapshot.Size > 4<<20 && s.LogBytes < 4<<20 && s.SnapshotError == nil
		})
	})
}
