package balsa_test

import (
	"slices"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// bound states in the configuration by how much clocks may err, which is what leases rest on.
func (c *cluster) bound(drift uint32) {
	c.t.Helper()
	c.within(10*time.Second, "a configuration with leases", func() bool {
		_, err := c.nodes[c.known(all3...)].ChangeMembership(c.t.Context(), raft.Change{LeaseDrift: &drift})
		return err == nil
	})
	advance(time.Second)
}

// TestAReadByLease costs the leader nothing, and a follower one question to it.
func TestAReadByLease(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		mode := balsa.ReadMode{Consistency: balsa.Leased}
		state, _, err := c.read(leader, mode)
		if err != nil || state.Consistency != balsa.Linearizable {
			t.Errorf("without a bound on drift: %v, %+v", err, state)
		}
		c.bound(500)
		leader = c.known(all3...)
		if s := c.nodes[leader].Status(); s.LeaseDrift != 500 || s.LeaseTime != 300*time.Millisecond {
			t.Errorf("the status says %d ppm, %v", s.LeaseDrift, s.LeaseTime)
		}
		c.mustPropose(leader, "x")
		before := c.nodes[leader].Stats()
		for range 30 {
			for _, id := range all3 {
				state, saw, err := c.read(id, mode)
				if err != nil || state.Consistency != balsa.Leased || !slices.Equal(saw, []string{"x"}) {
					t.Fatalf("node %d: %v, %+v, %v", id, err, state, saw)
				}
			}
			advance(20 * time.Millisecond)
		}
		if after := c.nodes[leader].Stats(); after.ReadsConfirmed != before.ReadsConfirmed {
			t.Errorf("a quorum confirmed %d of the reads", after.ReadsConfirmed-before.ReadsConfirmed)
		}
	})
}

// TestALinearizableReadIsServedByAFollower from its own state machine, which by then has what was
// acknowledged anywhere before.
func TestALinearizableReadIsServedByAFollower(t *testing.T) {
	for _, consistency := range []balsa.Consistency{balsa.Linearizable, balsa.Leased} {
		t.Run(consistency.String(), func(t *testing.T) {
			inCluster(t, 3, func(c *cluster) {
				c.bound(500)
				leader := c.known(all3...)
				var want []string
				for _, command := range []string{"a", "b", "c", "d"} {
					c.mustPropose(leader, command)
					want = append(want, command)
					for _, id := range c.others(leader) {
						state, saw, err := c.read(id, balsa.ReadMode{Consistency: consistency})
						if err != nil || state.Leader != leader || !slices.Equal(saw, want) {
							t.Fatalf("follower %d: %v, %+v, %v, want %v", id, err, state, saw, want)
						}
					}
				}
			})
		})
	}
}

// TestACutOffLeaderReadsByItsLeaseForAsLongAsItLasts, and nothing that somebody has overwritten.
func TestACutOffLeaderReadsByItsLeaseForAsLongAsItLasts(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.bound(500)
		old := c.known(all3...)
		c.mustPropose(old, "before")
		c.network.Isolate(old)
		mode, served := balsa.ReadMode{Consistency: balsa.Leased}, 0
		began := time.Now()
		for {
			_, saw, err := c.read(old, mode)
			if err != nil {
				c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
				break
			}
			if !slices.Equal(saw, []string{"before"}) {
				t.Fatalf("it saw %v", saw)
			}
			served++
			advance(10 * time.Millisecond)
		}
		if took := time.Since(began); served < 5 || took > 700*time.Millisecond {
			t.Errorf("%d reads in %v", served, took)
		}
		c.mustPropose(c.leader(c.others(old)...), "after")
		if _, saw, err := c.read(old, mode); err == nil {
			t.Errorf("it saw %v", saw)
		}
	})
}
