package raft

import (
	"slices"
	"testing"
)

// TestAConfigurationComesWithItsSnapshot: the entries that changed the configuration lie before the snapshot,
// so nothing else tells a server who the members are. One that went on with those from before would count its
// votes among servers that are none any more (redisraft#48).
func TestAConfigurationComesWithItsSnapshot(t *testing.T) {
	four := NewConfiguration(map[NodeID]string{1: "a", 2: "b", 3: "c", 4: "d"})
	s := snapshotAt(5, 2)
	s.Members, s.MembersIndex = four, 4
	demand := func(claim string, c *Core, want Configuration) {
		t.Helper()
		if got := c.Members(); !slices.Equal(got.Voters, want.Voters) {
			t.Errorf("%s: the voters are %v, not %v", claim, got.Voters, want.Voters)
		}
	}
	c := newCore(t, Restored{HardState: HardState{Term: 2}, Snapshot: s, Before: s.Last})
	demand("started behind it", c, four)
	c = newCore(t, Restored{HardState: HardState{Term: 2}})
	demand("before it came", c, three())
	c.Step(0, Installed{Snapshot: s})
	demand("installed", c, four)
	settle(c)
}
