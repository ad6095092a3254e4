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
	"balsa/raft"
)

// known waits until each of the nodes knows the leader and returns it.
func (c *cluster) known(ids ...raft.NodeID) (leader raft.NodeID) {
	c.t.Helper()
	c.within(5*time.Second, "a leader that everybody knows", func() bool {
		leader = raft.None
		for _, id := range ids {
			s := c.nodes[id].Status()
			if s.Leader == raft.None || leader != raft.None && leader != s.Leader {
				return false
			}
			leader = s.Leader
		}
		return slices.Contains(ids, leader) && c.nodes[leader].Status().Role == raft.Leader
	})
	return leader
}

// TestTheResultIsTheOriginsOwn: results never cross the wire, so the origin's pace is what its callers see.
func TestTheResultIsTheOriginsOwn(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		origin, quick := c.others(leader)[0], c.others(leader)[1]
		c.machines[origin].delay = func(string) { <-time.After(300 * time.Millisecond) }
		began := time.Now()
		c.mustPropose(origin, "slow at the origin")
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("answered after %v, before the origin had applied it", took)
		}
		began = time.Now()
		c.mustPropose(quick, "quick elsewhere")
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("answered after %v: it waited for another node's state machine", took)
		}
		c.applied([]string{"slow at the origin", "quick elsewhere"}, all3...)
	})
}

// TestManyForwardedCommandsGetTheirOwnResults, from all nodes at once: each result names its command.
func TestManyForwardedCommandsGetTheirOwnResults(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.known(all3...)
		const callers = 60
		wrong := make(chan string, callers)
		for i := range callers {
			go func() {
				command := fmt.Sprintf("command %d", i)
				result, err := c.propose(all3[i%3], command)
				if err != nil || !strings.HasPrefix(result, command+"@") {
					wrong <- fmt.Sprintf("%q got %q, %v", command, result, err)
					return
				}
				wrong <- ""
			}()
		}
		for range callers {
			if w := <-wrong; w != "" {
				t.Error(w)
			}
		}
		for _, m := range c.machines {
			applied := m.applied()
			slices.Sort(applied)
			if n := len(slices.Compact(applied)); n != len(applied) {
				t.Errorf("of %d commands only %d are different: one was applied twice", len(applied), n)
			}
		}
	})
}

func TestLocalProposalsStay(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		defer cancel()
		if result, err := c.nodes[leader].ProposeLocal(ctx, []byte("here")); err != nil ||
			string(result) != "here@2" {
			t.Errorf("at the leader: %q, %v", result, err)
		}
		for _, id := range c.others(leader) {
			_, err := c.nodes[id].ProposeLocal(ctx, []byte("elsewhere"))
			e := c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
			if e.Leader != leader || e.Address != c.peers[leader] {
				t.Errorf("node %d names leader %d at %q", id, e.Leader, e.Address)
			}
		}
		c.applied([]string{"here"}, all3...)
	})
}

// TestALeaderThatDiesWithAForwardedCommand: the leader has taken it, and nobody hears of it any more. Whether
// the others have it is open, so the origin must not say that it was not applied.
func TestALeaderThatDiesWithAForwardedCommand(t *testing.T) {
	for name, others := range map[string]bool{"nobody else has it": false, "the others have it": true} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, 3, func(c *cluster) {
				leader := c.known(all3...)
				origin := c.others(leader)[0]
				for _, id := range c.others(leader) {
					if others {
						c.network.Hold(id, leader) // acknowledgements do not arrive
					} else {
						c.network.Hold(leader, id) // entries do not arrive
					}
				}
				if others { // the command itself must
					c.network.Release(origin, leader)
				}
				answered := make(chan error, 1)
				go func() {
					_, err := c.nodes[origin].Propose(c.t.Context(), []byte("in the balance"))
					answered <- err
				}()
				c.within(time.Second, "the leader has taken the command", func() bool {
					return c.nodes[leader].Status().Last.Index > 1
				})
				c.crash(leader)
				c.network.DropAll()
				err := <-answered
				c.leader(c.others(leader)...)
				c.network.Heal()
				for _, id := range c.others(leader) {
					c.network.Release(id, leader)
					c.network.Release(leader, id)
				}
				c.open(leader)
				c.known(all3...)
				c.mustPropose(origin, "after")
				c.heldTo(err, "in the balance", origin)
				var e *balsa.Error
				if errors.As(err, &e) && e.Outcome == balsa.NotApplied {
					t.Errorf("nobody can know that: %v", err)
				}
			})
		})
	}
}

// heldTo holds what a caller was told against what became of its command.
func (c *cluster) heldTo(err error, command string, at raft.NodeID) {
	c.t.Helper()
	applied := slices.Contains(c.machines[at].applied(), command)
	var e *balsa.Error
	switch {
	case err == nil && !applied:
		c.t.Errorf("%q was acknowledged and is not there", command)
	case errors.As(err, &e) && e.Outcome == balsa.NotApplied && applied:
		c.t.Errorf("%q is there, and the caller was told: %v", command, err)
	}
	c.t.Logf("the caller was told %v; applied: %v", err, applied)
}

// TestForwardingWhileLeadersComeAndGo: every caller is answered, nothing is applied twice, and what each was
// told is true.
func TestForwardingWhileLeadersComeAndGo(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.known(all3...)
		const callers = 40
		told := make([]error, callers)
		done := make(chan struct{}, callers)
		for i := range callers {
			go func() {
				<-time.After(time.Duration(i) * 50 * time.Millisecond)
				_, told[i] = c.propose(all3[i%3], fmt.Sprintf("command %d", i))
				done <- struct{}{}
			}()
		}
		for range 4 {
			advance(350 * time.Millisecond)
			for _, id := range all3 {
				if c.nodes[id].Status().Role == raft.Leader {
					c.network.Isolate(id)
				}
			}
			advance(450 * time.Millisecond)
			c.network.Heal()
		}
		for range callers {
			<-done
		}
		leader := c.known(all3...)
		c.mustPropose(leader, "last")
		c.within(5*time.Second, "all are level", func() bool {
			a := c.machines[1].applied()
			return slices.Contains(a, "last") && slices.Equal(a, c.machines[2].applied()) &&
				slices.Equal(a, c.machines[3].applied())
		})
		c.heldToAll(told)
		if failed := len(slices.DeleteFunc(told, func(err error) bool { return err == nil })); failed == 0 {
			t.Error("every command succeeded: the leaders did not come and go")
		}
	})
}

func (c *cluster) heldToAll(told []error) {
	c.t.Helper()
	applied := c.machines[1].applied()
	for i, err := range told {
		command := fmt.Sprintf("command %d", i)
		times := 0
		for _, a := range applied {
			if a == command {
				times++
			}
		}
		var e *balsa.Error
		refused := errors.As(err, &e) && e.Outcome == balsa.NotApplied
		if times > 1 || err == nil && times != 1 || refused && times != 0 {
			c.t.Errorf("%q was applied %d times, and its caller was told: %v", command, times, err)
		}
	}
}
