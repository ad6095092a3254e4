package balsa_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"balsa/raft"
)

// A snapshot that does not fit on a follower's disk is refused and costs the follower nothing: it lives,
// its log has room, and when the disk has, too, the snapshot comes.
func TestASnapshotThatDoesNotFitIsRefused(t *testing.T) {
	away(t, func(c *cluster, leader, away raft.NodeID, commands []string) {
		disk := c.disks[away]
		used := disk.Used()
		disk.Limit(used + 260<<20) // a little more than four segments
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
