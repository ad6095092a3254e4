package balsa_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// read reads at one node and gives it a second. It returns what the state machine held when it was allowed
// to.
func (c *cluster) read(id raft.NodeID, mode balsa.ReadMode) (balsa.ReadState, []string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	state, err := c.nodes[id].Read(ctx, mode)
	return state, c.machines[id].applied(), err
}

// TestALinearizableReadSeesEverythingAcknowledgedBefore, at whichever node both happen, while others write.
func TestALinearizableReadSeesEverythingAcknowledgedBefore(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		c.network.Delay(leader, c.others(leader)[0], 15*time.Millisecond) // one hears everything late
		for i := range 30 {
			at, by := all3[i%3], all3[(i/3)%3]
			command := fmt.Sprintf("write %d", i)
			c.mustPropose(at, command)
			state, saw, err := c.read(by, balsa.ReadMode{})
			if err != nil || !slices.Contains(saw, command) {
				t.Fatalf("written at node %d, read at node %d: %v, saw %v", at, by, err, saw)
			}
			if state.Consistency != balsa.Linearizable || state.Leader != leader || state.Contact < 0 ||
				int(state.Applied) < i+2 {
				t.Errorf("the state is %+v", state)
			}
		}
	})
}

// TestACutOffLeaderGivesNoLinearizableRead, and does not keep anybody waiting for one.
func TestACutOffLeaderGivesNoLinearizableRead(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.known(all3...)
		c.mustPropose(old, "before")
		c.network.Isolate(old)
		began := time.Now()
		state, err := c.nodes[old].Read(c.t.Context(), balsa.ReadMode{})
		if err == nil {
			t.Errorf("it read %+v", state)
		}
		c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
		if took := time.Since(began); took > 600*time.Millisecond {
			t.Errorf("it took %v to notice that nobody answers", took)
		}
		c.mustPropose(c.leader(c.others(old)...), "after")
		for _, consistency := range []balsa.Consistency{balsa.Linearizable, balsa.FromLeader} {
			_, _, err = c.read(old, balsa.ReadMode{Consistency: consistency})
			c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
		}
		state, saw, err := c.read(old, balsa.ReadMode{Consistency: balsa.Stale})
		if err != nil || !slices.Equal(saw, []string{"before"}) || state.Contact >= 0 ||
			state.Leader != raft.None {
			t.Errorf("a stale read: %v, %+v, %v", err, state, saw)
		}
		_, _, err = c.read(old, balsa.ReadMode{Consistency: balsa.Stale, MaxStale: time.Hour})
		if e := c.kind(err, balsa.ErrStale, balsa.NotApplied); e.Retry <= 0 {
			t.Errorf("no word on when to come again: %+v", e)
		}
	})
}

// TestAStaleReadKeepsItsBound: the age of what a follower holds is the time since it heard its leader.
func TestAStaleReadKeepsItsBound(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		c.mustPropose(leader, "x")
		c.applied([]string{"x"}, all3...)
		follower := c.others(leader)[0]
		mode := balsa.ReadMode{Consistency: balsa.Stale, MaxStale: 200 * time.Millisecond}
		state, saw, err := c.read(follower, mode)
		if err != nil || len(saw) != 1 || state.Contact > mode.MaxStale || state.Leader != leader ||
			state.Consistency != balsa.Stale {
			t.Errorf("in touch: %v, %+v, %v", err, state, saw)
		}
		c.network.Cut(leader, follower)
		advance(250 * time.Millisecond) // it has not given the leader up yet
		_, _, err = c.read(follower, mode)
		if e := c.kind(err, balsa.ErrStale, balsa.NotApplied); e.Leader != leader ||
			e.Address != c.peers[leader] {
			t.Errorf("the error names node %d at %q", e.Leader, e.Address)
		}
		mode.MaxStale = 10 * time.Second
		if state, _, err := c.read(follower, mode); err != nil || state.Contact < 250*time.Millisecond {
			t.Errorf("out of touch for 250 ms: %v, %+v", err, state)
		}
		mode.MaxStale = 300 * time.Millisecond
		if state, _, err := c.read(leader, mode); err != nil {
			t.Errorf("the leader, which the other follower answers: %v, %+v", err, state)
		}
	})
}

// TestAReadFromTheLeader is unconfirmed there, and confirmed elsewhere.
func TestAReadFromTheLeader(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		c.mustPropose(leader, "x")
		rounds := c.nodes[leader].Stats().ReadRounds
		state, saw, err := c.read(leader, balsa.ReadMode{Consistency: balsa.FromLeader})
		if err != nil || state.Consistency != balsa.FromLeader || len(saw) != 1 {
			t.Errorf("at the leader: %v, %+v, %v", err, state, saw)
		}
		if now := c.nodes[leader].Stats().ReadRounds; now != rounds {
			t.Errorf("it took %d rounds", now-rounds)
		}
		state, saw, err = c.read(c.others(leader)[0], balsa.ReadMode{Consistency: balsa.FromLeader})
		if err != nil || state.Consistency != balsa.Linearizable || len(saw) != 1 {
			t.Errorf("at a follower: %v, %+v, %v", err, state, saw)
		}
		_, _, err = c.read(c.others(leader)[0], balsa.ReadMode{Local: true})
		c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
	})
}

// TestANewLeaderDoesNotServeAnEmptyState: after a restart of all, a leader's state machine is empty until its
// no-op commits, and everything before it with it (§8). A read in between must wait, not find nothing.
func TestANewLeaderDoesNotServeAnEmptyState(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.mustPropose(c.known(all3...), "a", "b")
		c.applied([]string{"a", "b"}, all3...)
		for _, id := range all3 {
			c.stop(id)
		}
		gate := make(chan struct{})
		for _, id := range all3 {
			c.open(id)
			c.machines[id].delay = func(string) { <-gate }
		}
		leader := c.known(all3...)
		type outcome struct {
			state balsa.ReadState
			saw   []string
			err   error
		}
		answered := make(chan outcome, 1)
		go func() {
			var o outcome
			o.state, o.saw, o.err = c.read(leader, balsa.ReadMode{Consistency: balsa.FromLeader})
			answered <- o
		}()
		advance(100 * time.Millisecond)
		if len(answered) > 0 {
			t.Error("answered without having applied anything")
		}
		close(gate)
		if o := <-answered; o.err != nil || !slices.Equal(o.saw, []string{"a", "b"}) {
			t.Errorf("%v, saw %v, %+v", o.err, o.saw, o.state)
		}
	})
}

// TestMinIndexWaitsForTheWrite: who knows where a write stands sees it at every node, however far behind.
func TestMinIndexWaitsForTheWrite(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		behind := c.others(leader)[0]
		c.network.Hold(leader, behind)
		c.mustPropose(leader, "x") // index 2, behind the no-op
		advance(50 * time.Millisecond)
		mode := balsa.ReadMode{Consistency: balsa.Stale, MinIndex: 2}
		answered := make(chan []string, 1)
		go func() {
			state, saw, err := c.read(behind, mode)
			if err != nil || state.Applied < 2 || state.Consistency != balsa.Stale {
				t.Errorf("%v, %+v", err, state)
			}
			answered <- saw
		}()
		advance(100 * time.Millisecond)
		if len(answered) > 0 {
			t.Error("answered before it had the write")
		}
		c.network.Release(leader, behind)
		if saw := <-answered; !slices.Equal(saw, []string{"x"}) {
			t.Errorf("saw %v", saw)
		}
		mode.MinIndex = 1000
		_, _, err := c.read(behind, mode)
		c.kind(err, balsa.ErrTimeout, balsa.NotApplied)
	})
}

// TestReadsOfANodeThatHasEnded are refused, whatever they would be content with.
func TestReadsOfANodeThatHasEnded(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		waiting := c.others(leader)[0]
		c.network.Isolate(waiting)
		answered := make(chan error, 2)
		for _, mode := range []balsa.ReadMode{{}, {Consistency: balsa.Stale, MinIndex: 1000}} {
			go func() {
				_, err := c.nodes[waiting].Read(c.t.Context(), mode)
				answered <- err
			}()
		}
		written := make(chan error, 1)
		go func() {
			_, err := c.nodes[waiting].Propose(c.t.Context(), []byte("on its way"))
			written <- err
		}()
		advance(10 * time.Millisecond)
		node := c.nodes[waiting]
		c.stop(waiting)
		for range cap(answered) {
			c.kind(<-answered, balsa.ErrClosed, balsa.NotApplied)
		}
		c.kind(<-written, balsa.ErrClosed, balsa.Unknown) // a write is told its own, whatever reads are told
		for _, consistency := range []balsa.Consistency{balsa.Linearizable, balsa.FromLeader, balsa.Stale} {
			_, err := node.Read(c.t.Context(), balsa.ReadMode{Consistency: consistency})
			c.kind(err, balsa.ErrClosed, balsa.NotApplied)
		}
	})
}

// TestAStaleReadIsJudgedAfterItsWait: it waits for an index that its node is applying. When that is done
// the node has heard nobody for longer than the read allows.
func TestAStaleReadIsJudgedAfterItsWait(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		id := c.others(leader)[0]
		c.machines[id].delay = func(string) { <-time.After(2 * time.Second) }
		c.mustPropose(leader, "slow here")
		advance(200 * time.Millisecond)
		index := c.nodes[id].Status().Commit
		c.network.Isolate(id)
		mode := balsa.ReadMode{Consistency: balsa.Stale, MaxStale: 400 * time.Millisecond, MinIndex: index}
		_, err := c.nodes[id].Read(c.t.Context(), mode)
		c.kind(err, balsa.ErrStale, balsa.NotApplied)
		c.network.Heal()
		c.applied([]string{"slow here"}, all3...)
	})
}
