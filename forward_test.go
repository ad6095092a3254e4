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

// Forwarding between nodes: a write or a read works at every node. Its rules are tested in package replica,
// message by message; here whole nodes do it.

func TestEveryNodeTakesCommandsAndReturnsItsOwnResult(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "at the leader")
		c.applied([]string{"at the leader"}, all3...)
		want := []string{"at the leader"}
		for _, id := range c.others(leader) {
			command := fmt.Sprintf("at node %v", id)
			c.mustPropose(id, command) // which checks the result
			if want = append(want, command); !slices.Equal(c.machines[id].applied(), want) {
				t.Errorf("node %v answered before it applied: it has %v", id, c.machines[id].applied())
			}
		}
		c.applied(want, all3...)
	})
}

func TestAForwardedCommandOutlivesItsLeader(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "before")
		c.applied([]string{"before"}, all3...)
		origin, other := c.others(leader)[0], c.others(leader)[1]
		c.network.Hold(other, leader) // no acknowledgement reaches the leader
		c.network.Delay(leader, origin, 30*time.Millisecond)
		answered := make(chan error, 1)
		go func() { // the two who are left may well need some elections
			ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
			defer cancel()
			_, err := c.nodes[origin].Propose(ctx, []byte("passed on"))
			answered <- err
		}()
		advance(20 * time.Millisecond)
		c.network.Hold(origin, leader)
		advance(20 * time.Millisecond) // the origin now knows where its command stands, and holds it
		if len(answered) > 0 || len(c.machines[leader].applied()) > 1 {
			t.Fatal("it was committed under the first leader already")
		}
		c.crash(leader)
		if err := <-answered; err != nil {
			t.Errorf("the entry survived on both others, and the caller got %v", err)
		}
		c.applied([]string{"before", "passed on"}, c.others(leader)...)
	})
}

func TestAForwardedCommandThatIsLostIsUnknown(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "before")
		c.applied([]string{"before"}, all3...)
		origin := c.others(leader)[0]
		c.network.Hold(origin, leader)
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, err := c.nodes[origin].Propose(ctx, []byte("late"))
		c.kind(err, balsa.ErrNoAnswer, balsa.Unknown)
		if waited := time.Since(began); waited > 2*time.Second {
			t.Errorf("the caller waited %v for an answer that cannot come", waited)
		}
		c.network.Release(origin, leader) // it was on its way all the time: unknown was the truth
		c.applied([]string{"before", "late"}, all3...)
	})
}

func TestReadsAtEveryNodeSeeWhatWasAcknowledgedElsewhere(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		for i := range 10 {
			writer, reader := all3[i%3], all3[(i+1)%3]
			command := fmt.Sprint("command ", i)
			c.mustPropose(writer, command)
			state, err := c.nodes[reader].Read(c.t.Context(), balsa.ReadMode{})
			if err != nil {
				t.Fatalf("read at node %v: %v", reader, err)
			}
			if applied := c.machines[reader].applied(); !slices.Contains(applied, command) ||
				state.Leader != leader {
				t.Errorf(
					"node %v read %v after node %v had acknowledged %q",
					reader,
					applied,
					writer,
					command,
				)
			}
		}
	})
}

func TestADeposedLeaderConfirmsNoRead(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		c.mustPropose(old, "before")
		c.network.Isolate(old)
		answered := make(chan error, 1)
		go func() {
			_, err := c.nodes[old].Read(c.t.Context(), balsa.ReadMode{})
			answered <- err
		}()
		c.mustPropose(c.leader(c.others(old)...), "after")
		c.kind(<-answered, balsa.ErrNoLeader, balsa.NotApplied)
		_, err := c.nodes[old].Read(c.t.Context(), balsa.ReadMode{})
		c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
	})
}

func TestALocalReadIsRefusedWhereNobodyLeads(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "x")
		c.applied([]string{"x"}, all3...)
		for _, id := range c.others(leader) {
			_, err := c.nodes[id].Read(c.t.Context(), balsa.ReadMode{Local: true})
			if e := c.kind(err, balsa.ErrNotLeader, balsa.NotApplied); e.Leader != leader {
				t.Errorf("node %v names node %v, node %v leads", id, e.Leader, leader)
			}
		}
	})
}

func TestALeaderThatSleptServesNoStaleRead(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		c.mustPropose(old, "before")
		c.applied([]string{"before"}, all3...)
		for _, id := range c.others(old) { // it hears nothing of what happens meanwhile, and nobody hears it
			c.network.Hold(old, id)
			c.network.Hold(id, old)
		}
		next := c.leader(c.others(old)...)
		c.mustPropose(next, "after")
		for _, id := range c.others(old) {
			c.network.Release(old, id) // heartbeats and answers of long ago
			c.network.Release(id, old)
		}
		c.network.Heal()
		state, err := c.nodes[old].Read(c.t.Context(), balsa.ReadMode{})
		if err == nil && !slices.Contains(c.machines[old].applied(), "after") {
			t.Errorf(
				"it read %v, without what was acknowledged before: %+v",
				c.machines[old].applied(),
				state,
			)
		}
		c.within(3*time.Second, "it reads what it missed", func() bool {
			_, err := c.nodes[old].Read(c.t.Context(), balsa.ReadMode{})
			return err == nil && slices.Contains(c.machines[old].applied(), "after")
		})
	})
}

func TestAReadWaitsForTheNoOpOfANewLeader(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		first := c.leader()
		c.mustPropose(first, "a", "b")
		c.crash(first)
		next := c.leader(c.others(first)...)
		if _, err := c.nodes[next].Read(c.t.Context(), balsa.ReadMode{}); err != nil {
			t.Fatal(err)
		}
		if got := c.machines[next].applied(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("the new leader read %v", got)
		}
		if id := c.nodes[next].Status().Leader; id != raft.NodeID(next) {
			t.Errorf("node %v leads", id)
		}
	})
}
