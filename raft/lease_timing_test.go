package raft_test

import (
	"testing"

	"balsa/raft"
)

// How long voters vote for nobody is what the configuration says, however patient each of them is by its own
// settings: a lease that rests on the leader's settings ends too late for a voter with less patience.

// TestALeaseEndsBeforeImpatientVotersElect: after the switch, the servers are started with other settings,
// the voters perhaps in the middle of a lease.
func TestALeaseEndsBeforeImpatientVotersElect(t *testing.T) {
	for name, test := range map[string]struct {
		leader, voters int
		late           bool // the voters are started again when the leader has been cut off
		timer          bool // the voters campaign by themselves, and nobody is asked to
	}{
		"voters wait for less":        {clockedMin, 5, false, false},
		"voters wait for longer":      {clockedMin, 15, false, false},
		"the leader waits for longer": {20, 10, false, false},
		"voters start with less":      {clockedMin, 4, true, false},
		"a voter campaigns early":     {clockedMin, 4, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			longest := int64(0)
			for phase := range 20 * clockedHeartbeat {
				lease, elected := outlivesImpatient(t, test.leader, test.voters, test.late, test.timer, phase)
				if lease >= elected {
					t.Fatalf("phase %d: a read by lease %d after the cut, another leader %d after it", phase,
						lease, elected)
				}
				longest = max(longest, lease)
			}
			if longest < clockedTick {
				t.Errorf("no lease lasts for longer than %d after the cut", longest)
			}
		})
	}
}

// outlivesImpatient is outlives with settings that differ. Leases are switched on by a server with the usual
// ones.
func outlivesImpatient(t *testing.T, leader, voters int, late, timer bool, phase int) (lease, elected int64) {
	c := newClocked(t, 3, 3, 0)
	c.rule(1)
	drift := uint32(500)
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.Accepted {
		t.Fatal(why)
	}
	c.wait(2 * clockedHeartbeat)
	c.at(1).min, c.at(2).min, c.at(3).min = leader, voters, voters
	c.boot(1)
	if !late {
		c.boot(2)
		c.boot(3)
	}
	c.wait(3 * clockedMax)
	c.rule(1)
	if timer { // the lease rests on a voter that campaigns, and is sure of the vote of one that heard nobody
		c.at(2).timer = true
		c.boot(2)
		c.wait(3 * clockedMax)
		c.isolate(3)
		c.wait(2 * clockedMax)
	}
	c.pass(8*clockedMax, func() bool { return c.leased(1) })
	for range phase {
		c.now += clockedTick / 20
		for id := raft.NodeID(1); id <= 3; id++ {
			c.step(id, nil)
		}
		c.deliver()
	}
	clear(c.cut)
	c.isolate(1)
	cut, led := c.now, len(c.elected)
	if late {
		c.boot(2)
		c.boot(3)
	}
	c.pass(10*clockedMax, func() bool {
		if !timer {
			c.step(3, raft.ElectionTimeout{})
			c.deliver()
		}
		if len(c.elected) > led && elected == 0 {
			elected = c.now - cut
		}
		if c.ask(1, true) != nil && c.at(1).core.Role() == raft.Leader {
			lease = c.now - cut
		}
		return elected > 0 && c.at(1).core.Role() != raft.Leader
	})
	if elected == 0 {
		t.Fatal("nobody is elected")
	}
	return lease, elected
}
