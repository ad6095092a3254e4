package balsa_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
)

func TestACommandIsReplicatedCommittedAndAppliedEverywhere(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "one")
		c.applied([]string{"one"}, all3...)
	})
}

func TestSeveralCommandsAreAppliedInTheirOrder(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		commands := strings.Split("a b c d e f g h", " ")
		c.mustPropose(leader, commands...)
		c.applied(commands, all3...)
	})
}

func TestFollowersRefuseAndNameTheLeader(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "known")
		c.applied([]string{"known"}, all3...)
		for _, id := range c.others(leader) {
			_, err := c.nodes[id].ProposeLocal(c.t.Context(), []byte("elsewhere"))
			e := c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
			if e.Leader != leader || e.Address != c.peers[leader] {
				t.Errorf("node %d names leader %d at %q, it is %d at %q", id, e.Leader, e.Address, leader,
					c.peers[leader])
			}
		}
		c.applied([]string{"known"}, all3...)
	})
}

func TestACandidateRefusesAndNamesNobody(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "x")
		cut := c.others(leader)[0]
		c.network.Isolate(cut)
		c.within(2*time.Second, "the isolated node asks for votes", func() bool {
			return c.nodes[cut].Status().Role == raft.PreCandidate
		})
		_, err := c.propose(cut, "y")
		if e := c.kind(err, balsa.ErrNoLeader, balsa.NotApplied); e.Leader != raft.None || e.Retry == 0 {
			t.Errorf("names leader %d, retry %v", e.Leader, e.Retry)
		}
	})
}

func TestAnotherLeaderTakesOverAndNothingIsLost(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		first := c.leader()
		c.mustPropose(first, "before")
		c.crash(first)
		second := c.leader(c.others(first)...)
		c.mustPropose(second, "after")
		c.applied([]string{"before", "after"}, c.others(first)...)
		c.open(first)
		c.applied([]string{"before", "after"}, all3...)
		if s := c.nodes[first].Status(); s.Role != raft.Follower {
			t.Errorf("the former leader returned as %v", s.Role)
		}
	})
}

func TestAnIsolatedLeaderCommitsNothing(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		c.mustPropose(old, "before")
		c.applied([]string{"before"}, all3...)
		c.network.Isolate(old)
		_, err := c.propose(old, "lost")
		c.kind(err, balsa.ErrLeadershipLost, balsa.Unknown)
		if got := c.machines[old].applied(); len(got) != 1 {
			t.Errorf("the isolated leader applied %v", got)
		}
	})
}

func TestSplitBrainEndsWithOneHistory(t *testing.T) {
	inCluster(t, 5, func(c *cluster) {
		old := c.leader()
		c.mustPropose(old, "before")
		others := c.others(old)
		c.network.Partition([]raft.NodeID{old, others[0]}, others[1:])
		answered := make(chan error, 1)
		go func() {
			_, err := c.propose(old, "minority")
			answered <- err
		}()
		leader := c.leader(others[1:]...)
		if leader == old {
			t.Fatal("the minority elected a leader")
		}
		c.mustPropose(leader, "majority")
		c.kind(<-answered, balsa.ErrLeadershipLost, balsa.Unknown)
		c.network.Heal()
		c.applied([]string{"before", "majority"}, 1, 2, 3, 4, 5)
	})
}

func TestAStaleLeaderStepsDownAndAnswersItsClient(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		c.network.Isolate(old)
		answered := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
			defer cancel()
			_, err := c.nodes[old].Propose(ctx, []byte("stale"))
			answered <- err
		}()
		leader := c.leader(c.others(old)...)
		c.mustPropose(leader, "fresh")
		c.network.Heal()
		err := <-answered
		c.kind(err, balsa.ErrLeadershipLost, balsa.Unknown)
		if !strings.Contains(err.Error(), "unknown") {
			t.Errorf("the error does not say that the outcome is unknown: %v", err)
		}
		c.applied([]string{"fresh"}, all3...)
		if s := c.nodes[old].Status(); s.Role != raft.Follower || s.Leader != leader {
			t.Errorf("the stale leader is %v and follows %d", s.Role, s.Leader)
		}
	})
}

func TestAPartitionInMidReplicationLosesNothingAcknowledged(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		c.mustPropose(old, "before")
		others := c.others(old)
		c.network.Hold(others[0], old) // the entries arrive, their acknowledgements do not
		c.network.Hold(others[1], old)
		answered := make(chan error, 1)
		go func() {
			_, err := c.propose(old, "half")
			answered <- err
		}()
		advance(50 * time.Millisecond)
		c.network.Isolate(old)
		leader := c.leader(others...)
		c.mustPropose(leader, "after")
		c.kind(<-answered, balsa.ErrLeadershipLost, balsa.Unknown)
		c.network.Heal()
		c.network.Release(others[0], old)
		c.network.Release(others[1], old)
		c.applied([]string{"before", "half", "after"}, all3...) // both others had it: it was bound to survive
	})
}

func TestWhatAMinorityHoldsIsCommittedThroughTheNextNoOp(t *testing.T) {
	inCluster(t, 5, func(c *cluster) {
		first := c.leader()
		c.mustPropose(first, "before")
		c.applied([]string{"before"}, 1, 2, 3, 4, 5)
		others := c.others(first)
		near, far := others[0], others[1:]
		c.network.Partition([]raft.NodeID{first, near}, far[:1], far[1:2], far[2:])
		_, err := c.propose(first, "two of five")
		c.kind(err, balsa.ErrLeadershipLost, balsa.Unknown)
		c.crash(first)
		c.network.Partition([]raft.NodeID{near, far[0], far[1]}, far[2:])
		// The only one of the three that the other two may elect.
		if leader := c.leader(others...); leader != near {
			c.t.Fatalf("node %d leads, without the entry that node %d holds", leader, near)
		}
		c.network.Heal()
		c.applied([]string{"before", "two of five"}, others...) // without any new write
	})
}

func TestANodeThatStartsLateAndEmptyCatchesUp(t *testing.T) {
	inBubble(t, 3, func(c *cluster) {
		c.open(1)
		c.open(2)
		c.mustPropose(c.leader(), "a", "b", "c")
		c.open(3)
		c.applied([]string{"a", "b", "c"}, all3...)
	})
}

func TestANodeThatRejoinsCatchesUpThroughHeartbeats(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		away := c.others(leader)[0]
		c.network.Isolate(away)
		c.mustPropose(leader, "a", "b")
		term := c.nodes[leader].Status().Term
		advance(3 * time.Second)
		c.network.Heal()
		c.applied([]string{"a", "b"}, all3...)
		if now := c.nodes[c.leader()].Status().Term; now != term {
			t.Errorf("its return moved the cluster from term %d to %d", term, now)
		}
	})
}

func TestEverythingSurvivesTheRestartOfAll(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.mustPropose(c.leader(), "a", "b", "c")
		term := c.nodes[c.leader()].Status().Term
		for _, id := range all3 {
			c.crash(id)
		}
		for _, id := range all3 {
			c.open(id)
			s := c.nodes[id].Status()
			if s.Term < term || s.Commit != 0 || s.Role != raft.Follower || s.Start != 2 {
				t.Errorf("node %d came back with %+v", id, s)
			}
		}
		c.applied([]string{"a", "b", "c"}, all3...) // without a new write: the no-op brings it back
	})
}

func TestANodeRestartedInPlaceGoesOn(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "a")
		id := c.others(leader)[0]
		c.stop(id)
		c.mustPropose(leader, "b")
		c.open(id)
		c.applied([]string{"a", "b"}, all3...)
	})
}

func TestANodeThatCannotWriteStopsAndTheOthersGoOn(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "before")
		broken := errors.New("the disk is on fire")
		c.disks[leader].Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpSync {
				return broken
			}
			return nil
		})
		_, err := c.propose(leader, "never durable here")
		c.kind(err, balsa.ErrStopped, balsa.Unknown)
		<-c.nodes[leader].Done()
		if why := c.nodes[leader].Err(); !errors.Is(why, broken) || !errors.Is(why, balsa.ErrStopped) {
			t.Errorf("it stopped for %v", why)
		}
		_, err = c.propose(leader, "too late")
		c.kind(err, balsa.ErrStopped, balsa.NotApplied)
		c.disks[leader].Intercept(nil)
		_ = c.nodes[leader].Close()
		delete(c.nodes, leader)
		next := c.leader(c.others(leader)...)
		c.mustPropose(next, "after")
	})
}

// A full disk is told as such to whoever waits while it fills up, to whoever comes later, and in the last
// word of the node, in which no command is spoken of.
func TestAFullDiskIsToldToWhoeverWaits(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.disks[leader].Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpWrite {
				return disk.ErrNoSpace
			}
			return nil
		})
		_, err := c.propose(leader, "no room for it")
		if e := c.kind(err, balsa.ErrNoSpace, balsa.Unknown); e.Kind != balsa.ErrNoSpace {
			t.Errorf("who waits is told %v", e.Kind)
		}
		<-c.nodes[leader].Done()
		_, err = c.propose(leader, "too late")
		c.kind(err, balsa.ErrNoSpace, balsa.NotApplied)
		why := c.nodes[leader].Err().Error()
		if strings.Contains(why, "command") || !strings.Contains(why, "make room and start it again") ||
			strings.Count(why, balsa.ErrNoSpace.Error()) != 1 {
			t.Errorf("its last word: %s", why)
		}
		c.disks[leader].Intercept(nil)
		_ = c.nodes[leader].Close()
		delete(c.nodes, leader)
	})
}

func TestAStateMachineThatPanicsStopsItsNodeWithACause(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.machines[leader].delay = func(command string) {
			if command == "poison" {
				panic("cannot digest this")
			}
		}
		_, err := c.propose(leader, "poison")
		c.kind(err, balsa.ErrApply, balsa.Unknown)
		<-c.nodes[leader].Done()
		why := c.nodes[leader].Err()
		if !errors.Is(why, balsa.ErrApply) || !strings.Contains(why.Error(), "cannot digest this") {
			t.Errorf("it stopped for %v", why)
		}
		_ = c.nodes[leader].Close()
		delete(c.nodes, leader)
		c.mustPropose(c.leader(c.others(leader)...), "after")
	})
}

func TestSlowApplyAndSlowDiskDoNotDelayHeartbeats(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		follower := c.others(leader)[0]
		term := c.nodes[leader].Status().Term
		c.machines[follower].delay = func(string) { <-time.After(30 * time.Second) }
		c.mustPropose(leader, "slow to apply")
		advance(10 * time.Second)
		if s := c.nodes[follower].Status(); s.Leader != leader || s.Term != term {
			t.Errorf("while it applies the follower is in term %d under %d", s.Term, s.Leader)
		}
		c.mustPropose(leader, "meanwhile")
		advance(60 * time.Second)
	})
}

func TestTooLargeACommandIsRefusedWhole(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		_, err := c.propose(leader, strings.Repeat("x", 4<<20+1))
		c.kind(err, balsa.ErrTooLarge, balsa.NotApplied)
		c.mustPropose(leader, strings.Repeat("y", 4<<20))
	})
}

func TestACancelledWaitDoesNotTakeTheCommandBack(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		for _, id := range c.others(leader) {
			c.network.Hold(leader, id)
		}
		ctx, cancel := context.WithCancel(c.t.Context())
		answered := make(chan error, 1)
		go func() {
			_, err := c.nodes[leader].Propose(ctx, []byte("still coming"))
			answered <- err
		}()
		advance(50 * time.Millisecond)
		cancel()
		c.kind(<-answered, balsa.ErrTimeout, balsa.Unknown)
		for _, id := range c.others(leader) {
			c.network.Release(leader, id)
		}
		c.applied([]string{"still coming"}, all3...)
		_, err := c.nodes[leader].Propose(ctx, []byte("ended before it began"))
		c.kind(err, balsa.ErrTimeout, balsa.NotApplied)
	})
}

func TestCloseAnswersEverybodyWhoWaits(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.network.Isolate(leader)
		answered := make(chan error, 10)
		for range cap(answered) {
			go func() {
				_, err := c.nodes[leader].Propose(c.t.Context(), []byte("x"))
				answered <- err
			}()
		}
		advance(10 * time.Millisecond)
		node := c.nodes[leader]
		c.stop(leader)
		for range cap(answered) {
			c.kind(<-answered, balsa.ErrClosed, balsa.Unknown)
		}
		_, err := node.Propose(c.t.Context(), []byte("x"))
		c.kind(err, balsa.ErrClosed, balsa.NotApplied)
		if node.Err() != nil || node.Close() != nil {
			t.Error("a clean close left an error")
		}
	})
}

func TestLogLinesKeepTheWordsOfTheOrigin(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "x")
		c.network.Isolate(leader)
		c.mustPropose(c.leader(c.others(leader)...), "y")
		c.network.Heal()
		c.applied([]string{"x", "y"}, all3...)
		for _, words := range []string{"Became CANDIDATE", "Became LEADER", "Stepped down to FOLLOWER",
			"Appended entry", "Replicated entry", "Committed entry"} {
			if !strings.Contains(c.logged(), words) {
				t.Errorf("no line says %q", words)
			}
		}
	})
}
