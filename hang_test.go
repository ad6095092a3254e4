package balsa_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
)

// A disk that hangs, and a state machine that does: neither holds up the loop, so the node goes on to answer
// heartbeats and questions, and only who waits for that disk or that state waits.

// stall makes every write and sync of a node's disk wait until the function that it returns is called.
func (c *cluster) stall(id raft.NodeID) (release func()) {
	gate := make(chan struct{})
	c.disks[id].Intercept(func(call disk.Call) error {
		if call.Operation == disk.OpWrite || call.Operation == disk.OpSync {
			<-gate
		}
		return nil
	})
	return func() {
		close(gate)
		synctest.Wait()
		c.disks[id].Intercept(nil)
	}
}

// prompt demands that a node says at once what it knows.
func (c *cluster) prompt(id raft.NodeID) (s balsa.Status) {
	c.t.Helper()
	began := time.Now()
	s = c.nodes[id].Status()
	if took := time.Since(began); took > 0 { // the bubble's clock stands still while anybody can go on
		c.t.Errorf("the status of node %d took %v", id, took)
	}
	return s
}

// serves demands that a node takes writes and reads within half a second.
func (c *cluster) serves(id raft.NodeID, command string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := c.nodes[id].Propose(ctx, []byte(command)); err != nil {
		c.t.Errorf("node %d: a write: %v", id, err)
	}
	if _, err := c.nodes[id].Read(ctx, balsa.ReadMode{}); err != nil {
		c.t.Errorf("node %d: a read: %v", id, err)
	}
	if saw := c.machines[id].applied(); !slices.Contains(saw, command) {
		c.t.Errorf("node %d: a read that does not see %q: %v", id, command, saw)
	}
}

// TestALeaderWhoseDiskHangsForHalfAMinute steps down, and another one leads and serves. Meanwhile its own
// loop turns, and when the disk is back it follows.
func TestALeaderWhoseDiskHangsForHalfAMinute(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.known(all3...)
		c.mustPropose(old, "before")
		release := c.stall(old)
		answered := make(chan error, 1)
		go func() {
			_, err := c.nodes[old].Propose(c.t.Context(), []byte("during"))
			answered <- err
		}()
		advance(100 * time.Millisecond)
		if s := c.prompt(old); s.Role != raft.Leader {
			t.Errorf("after 100 ms of waiting it is %v already", s.Role)
		}
		next := c.leader(c.others(old)...)
		if took := c.prompt(next).Term; took == 0 || next == old {
			t.Errorf("node %d leads", next)
		}
		for i := range 28 {
			advance(time.Second)
			if s := c.prompt(old); s.Role != raft.Follower || s.Leader != next || s.Err != nil ||
				s.Contact > time.Second {
				t.Fatalf("after %d s the stalled node is %v of %d: %+v", i, s.Role, s.Leader, s)
			}
		}
		if s := c.prompt(next); s.Role != raft.Leader {
			t.Errorf("the new leader has become %v", s.Role)
		}
		for _, id := range c.others(old) {
			c.serves(id, "meanwhile at "+id.String())
		}
		recent := balsa.ReadMode{Consistency: balsa.Stale, MaxStale: time.Second}
		if _, _, err := c.read(old, recent); err != nil {
			t.Errorf("a stale read of the stalled node: %v", err)
		}
		release()
		c.within(5*time.Second, "the node has caught up", func() bool {
			return slices.Equal(c.machines[old].applied(), c.machines[next].applied())
		})
		c.heldTo(<-answered, "during", next)
		if s := c.prompt(old); s.Role != raft.Follower || s.Durable != s.Last.Index {
			t.Errorf("when its disk is back it is %+v", s)
		}
		c.serves(old, "after")
	})
}

// TestAFollowerWhoseDiskHangs holds up nobody.
func TestAFollowerWhoseDiskHangs(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		c.mustPropose(leader, "before")
		slow, other := c.others(leader)[0], c.others(leader)[1]
		term := c.prompt(leader).Term
		release := c.stall(slow)
		for range 10 {
			advance(3 * time.Second)
			c.serves(leader, "at the leader "+time.Now().String())
			c.serves(other, "at the other "+time.Now().String())
			if s := c.prompt(slow); s.Leader != leader || s.Term != term || s.Contact > time.Second {
				t.Fatalf("the stalled follower: %+v", s)
			}
		}
		if s := c.prompt(leader); s.Role != raft.Leader || s.Term != term {
			t.Errorf("a slow follower cost the leader its term: %+v", s)
		}
		release()
		c.within(5*time.Second, "the follower has caught up", func() bool {
			return slices.Equal(c.machines[slow].applied(), c.machines[leader].applied())
		})
	})
}

// TestAnApplyThatHangs at the leader holds up the leader's own callers and nobody else: the others commit and
// apply with it, and it goes on to lead.
func TestAnApplyThatHangs(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		c.mustPropose(leader, "before")
		gate := make(chan struct{})
		c.machines[leader].delay = func(string) { <-gate }
		answered := make(chan error, 1)
		go func() {
			_, err := c.nodes[leader].Propose(c.t.Context(), []byte("stuck"))
			answered <- err
		}()
		term := c.prompt(leader).Term
		for range 10 {
			advance(3 * time.Second)
			for _, id := range c.others(leader) {
				c.serves(id, "at node "+id.String()+" "+time.Now().String())
			}
			s := c.prompt(leader)
			if s.Role != raft.Leader || s.Term != term || s.Commit <= s.Applied {
				t.Fatalf("the leader whose state machine hangs: %+v", s)
			}
		}
		if len(answered) > 0 {
			t.Error("the command was answered without having been applied")
		}
		_, _, err := c.read(leader, balsa.ReadMode{}) // needs what is not applied
		c.kind(err, balsa.ErrTimeout, balsa.NotApplied)
		close(gate)
		if err := <-answered; err != nil {
			t.Error(err)
		}
		c.within(5*time.Second, "the leader has caught up", func() bool {
			return slices.Equal(c.machines[leader].applied(), c.machines[c.others(leader)[0]].applied())
		})
	})
}
