package balsa_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// session opens one at a node.
func (c *cluster) session(id raft.NodeID, ttl time.Duration) *balsa.Session {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	s, err := c.nodes[id].NewSession(ctx, ttl)
	if err != nil {
		c.t.Fatalf("open a session at node %d: %v", id, err)
	}
	return s
}

// once proposes under a key at one node and gives it a second.
func (c *cluster) once(id raft.NodeID, key, command string) (balsa.Applied, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	return c.nodes[id].ProposeOnce(ctx, key, time.Hour, []byte(command))
}

// A command whose answer was lost is proposed again under its number, at another node and under another
// leader: it is applied once, and answered with its first result.
func TestARetryUnderAnotherLeaderIsAppliedOnce(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		first := c.leader()
		s := c.session(first, time.Hour)
		a, err := s.ProposeAs(c.t.Context(), 1, []byte("x"))
		if err != nil || a.Replayed || !strings.HasPrefix(string(a.Result), "x@") {
			t.Fatalf("the first attempt: %+v, %v", a, err)
		}
		for _, id := range c.others(first) {
			c.network.Hold(id, first) // commands arrive, acknowledgements do not
		}
		_, err = s.Local().ProposeAs(c.t.Context(), 2, []byte("y"))
		c.kind(err, balsa.ErrLeadershipLost, balsa.Unknown)
		c.crash(first)
		second := c.leader(c.others(first)...)
		for _, id := range c.others(first) {
			again := c.nodes[id].Resume(s.ID(), 3)
			for number, command := range []string{"x", "y"} {
				b, err := again.ProposeAs(c.t.Context(), uint64(number)+1, []byte(command))
				if err != nil || !b.Replayed || !strings.HasPrefix(string(b.Result), command+"@") ||
					command == "x" && string(b.Result) != string(a.Result) {
					t.Errorf("again at node %d: %s, %+v, %v", id, b.Result, b, err)
				}
			}
		}
		result, err := c.nodes[second].Resume(s.ID(), 3).Propose(c.t.Context(), []byte("z"))
		if err != nil || !strings.HasPrefix(string(result), "z@") {
			t.Errorf("the next number: %s, %v", result, err)
		}
		for _, id := range c.others(first) {
			c.network.Release(id, first)
		}
		c.open(first)
		c.applied([]string{"x", "y", "z"}, all3...)
	})
}

// A caller who leaves it to Propose notices nothing of a leader that hears nobody any more, and whose command
// the next one commits.
func TestProposeInASessionTriesAgain(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		old := c.leader()
		s := c.session(old, time.Hour)
		for _, id := range c.others(old) {
			c.network.Hold(id, old)
		}
		var group sync.WaitGroup
		group.Go(func() {
			result, err := s.Propose(c.t.Context(), []byte("x"))
			if err != nil || !strings.HasPrefix(string(result), "x@") {
				t.Errorf("%s, %v", result, err)
			}
		})
		advance(5 * time.Second)
		c.applied([]string{"x"}, c.others(old)...)
		for _, id := range c.others(old) {
			c.network.Release(id, old)
		}
		group.Wait()
		c.applied([]string{"x"}, all3...)

		c.network.Partition([]raft.NodeID{1}, []raft.NodeID{2}, []raft.NodeID{3})
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		defer cancel()
		_, err := s.Propose(ctx, []byte("nobody hears it"))
		c.kind(err, balsa.ErrTimeout, balsa.Unknown)
		_, err = s.Local().ProposeAs(c.t.Context(), 3, []byte("y"))
		if e := c.kind(err, balsa.ErrNoLeader, balsa.NotApplied); e.Kind != balsa.ErrNoLeader {
			t.Error(e)
		}
	})
}

// Propose keeps no more numbers open than the cluster remembers: one more waits, and is not begun, for it
// would have the lowest forgotten.
func TestProposeInASessionKeepsToItsWindow(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		s := c.session(leader, time.Hour)
		for _, id := range c.others(leader) {
			c.network.Hold(leader, id)
		}
		var group sync.WaitGroup
		for range 256 {
			group.Go(func() {
				if _, err := s.Propose(c.t.Context(), []byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		advance(time.Millisecond)
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := s.Propose(ctx, []byte("one too many"))
		c.kind(err, balsa.ErrTimeout, balsa.NotApplied)
		for _, id := range c.others(leader) {
			c.network.Release(leader, id)
		}
		group.Wait()
		if _, err := s.Propose(c.t.Context(), []byte("y")); err != nil {
			t.Error(err)
		}
	})
}

// What a key was answered is part of the snapshot.
func TestAKeyOutlivesTheRestartOfAll(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		a, err := c.once(leader, "in the snapshot", "x")
		if err != nil || a.Replayed {
			t.Fatalf("%+v, %v", a, err)
		}
		c.applied([]string{"x"}, all3...)
		for _, id := range all3 {
			c.mustSnapshot(id)
		}
		b, err := c.once(c.others(leader)[0], "in the log", "y")
		if err != nil || b.Replayed {
			t.Fatalf("%+v, %v", b, err)
		}
		for _, id := range all3 {
			c.crash(id)
		}
		for _, id := range all3 {
			c.open(id)
		}
		leader = c.leader()
		for key, first := range map[string]struct {
			balsa.Applied
			command string
		}{"in the snapshot": {a, "x"}, "in the log": {b, "y"}} {
			again, err := c.once(leader, key, first.command)
			if err != nil || !again.Replayed || string(again.Result) != string(first.Result) {
				t.Errorf("%s: %s, %+v, %v", key, again.Result, again, err)
			}
			_, err = c.once(leader, key, "something else")
			c.kind(err, balsa.ErrKeyReused, balsa.NotApplied)
		}
		c.applied([]string{"x", "y"}, all3...)
	})
}

// A session ends by the time of the log, and that goes on though nobody writes: the leader appends an entry
// that carries nothing else.
func TestASessionEndsWithNobodyWriting(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named() // which takes an entry of the leader's own
		leader := c.leader()
		s := c.session(leader, 10*time.Second)
		if _, err := s.Propose(c.t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		last := c.nodes[leader].Status().Last.Index
		advance(9 * time.Second)
		if now := c.nodes[leader].Status().Last.Index; now != last {
			t.Errorf("the log went on from %d to %d before anything was due", last, now)
		}
		advance(2 * time.Second)
		for _, id := range all3 {
			if s := c.nodes[id].Status(); s.Last.Index != last+1 || s.Applied != last+1 {
				t.Errorf("node %d: %+v", id, s)
			}
		}
		advance(time.Minute)
		if now := c.nodes[leader].Status().Last.Index; now != last+1 {
			t.Errorf("the log goes on for ever: %d", now)
		}
		_, err := s.ProposeAs(c.t.Context(), 1, []byte("x"))
		c.kind(err, balsa.ErrSessionGone, balsa.Unknown)
		_, err = s.Propose(c.t.Context(), []byte("y"))
		c.kind(err, balsa.ErrSessionGone, balsa.Unknown)
		c.applied([]string{"x"}, all3...)
	})
}

// A number or key of another command is refused at each attempt, and the command is not applied.
func TestANumberOrKeyOfAnotherCommandIsRefused(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		s := c.session(leader, time.Hour)
		if _, err := s.Propose(c.t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.once(leader, "k", "y"); err != nil {
			t.Fatal(err)
		}
		for _, id := range all3 {
			_, err := c.nodes[id].Resume(s.ID(), 2).ProposeAs(c.t.Context(), 1, []byte("another"))
			if e := c.kind(err, balsa.ErrKeyReused, balsa.NotApplied); e.Retry != 0 {
				t.Errorf("another attempt is to help after %v", e.Retry)
			}
			_, err = c.nodes[id].Resume(s.ID(), 1).Propose(c.t.Context(), []byte("another"))
			c.kind(err, balsa.ErrKeyReused, balsa.NotApplied)
			_, err = c.once(id, "k", "another")
			c.kind(err, balsa.ErrKeyReused, balsa.NotApplied)
		}
		c.applied([]string{"x", "y"}, all3...)
	})
}

// When no more can be remembered of keys, a new one is refused until old ones have ended, while old ones and
// sessions go on.
func TestANewKeyIsRefusedWhenThereIsNoRoom(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		node, ctx := c.nodes[c.leader()], c.t.Context()
		large := strings.Repeat("x", 4<<20)
		for i := range 16 { // the results are as large as their commands
			if _, err := node.ProposeOnce(ctx, fmt.Sprint(i), time.Minute, []byte(large)); err != nil {
				t.Fatal(i, err)
			}
		}
		_, err := node.ProposeOnce(ctx, "new", time.Minute, []byte("y"))
		if e := c.kind(err, balsa.ErrTooManyKeys, balsa.NotApplied); e.Retry <= 0 {
			t.Error("another attempt is to be of no use")
		}
		again, err := node.ProposeOnce(ctx, "0", time.Minute, []byte(large))
		if err != nil || !again.Replayed {
			t.Errorf("an old one: %v", err)
		}
		if _, err := c.session(1, time.Minute).Propose(ctx, []byte("in a session")); err != nil {
			t.Error(err)
		}
		advance(2 * time.Minute)
		if a, err := node.ProposeOnce(ctx, "new", time.Minute, []byte("y")); err != nil || a.Replayed {
			t.Errorf("when the old ones have ended: %+v, %v", a, err)
		}
	})
}

func TestASessionThatWasClosedIsGone(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		follower := c.others(leader)[0]
		c.mustPropose(follower, "warm")
		s := c.session(follower, time.Hour)
		if err := s.Close(c.t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := s.ProposeAs(c.t.Context(), 1, []byte("x"))
		c.kind(err, balsa.ErrSessionGone, balsa.Unknown)
		c.kind(s.Close(c.t.Context()), balsa.ErrSessionGone, balsa.Unknown)
		_, err = c.nodes[follower].NewSessionLocal(c.t.Context(), time.Hour)
		c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
		_, err = c.nodes[follower].ProposeOnceLocal(c.t.Context(), "k", time.Hour, []byte("x"))
		c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
		_, err = c.nodes[follower].Resume(1, 1).Local().ProposeAs(c.t.Context(), 1, []byte("x"))
		c.kind(err, balsa.ErrNotLeader, balsa.NotApplied)
		local, err := c.nodes[leader].NewSessionLocal(c.t.Context(), time.Hour)
		if err != nil || local.ID() <= s.ID() {
			t.Errorf("session %v after %v, %v", local, s.ID(), err)
		}
	})
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		node, ctx := c.nodes[c.leader()], c.t.Context()
		_, noTime := node.NewSession(ctx, 0)
		_, noKey := node.ProposeOnce(ctx, "", time.Hour, nil)
		_, longKey := node.ProposeOnce(ctx, strings.Repeat("k", 129), time.Hour, nil)
		_, negative := node.ProposeOnce(ctx, "k", -time.Second, nil)
		_, noNumber := node.Resume(1, 1).ProposeAs(ctx, 0, nil)
		_, noSession := node.Resume(0, 1).Propose(ctx, nil)
		for i, err := range []error{noTime, noKey, longKey, negative, noNumber, noSession} {
			t.Log(i, err)
			c.kind(err, balsa.ErrInvalid, balsa.NotApplied)
		}
		if a, err := node.ProposeOnce(ctx, strings.Repeat("k", 128), 1, []byte("x")); err != nil {
			t.Error(a, err)
		}
	})
}

// Increments that are not repeated by their caller: each goes through Propose of a session of its own, while
// leaders fall and return, and is applied once.
func TestManyRetriesUnderFallingLeadersAreAppliedOnceEach(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.change = func(config *balsa.Config) { config.SnapshotBytes = 2 << 10 }
		anchor := raft.NodeID(2) // never falls: whoever falls is another one
		c.leader()
		var group sync.WaitGroup
		for worker := range 4 {
			s := c.session(anchor, time.Hour)
			group.Go(func() {
				for i := range 50 {
					command := fmt.Sprintf("%d-%d", worker, i)
					if _, err := s.Propose(c.t.Context(), []byte(command)); err != nil {
						t.Errorf("%s: %v", command, err)
					}
					<-time.After(50 * time.Millisecond)
				}
			})
		}
		done := make(chan struct{})
		go func() { group.Wait(); close(done) }()
		for i := 0; ; i++ {
			fallen := []raft.NodeID{1, 3}[i%2]
			if leader := c.leader(); leader != anchor {
				fallen = leader
			}
			c.crash(fallen)
			advance(time.Second)
			c.open(fallen)
			advance(time.Second)
			select {
			case <-done:
				c.within(10*time.Second, "each applied once, everywhere", func() bool {
					for _, id := range all3 {
						seen := map[string]int{}
						for _, command := range c.machines[id].applied() {
							if seen[command]++; seen[command] > 1 {
								c.t.Fatalf("node %d applied %s twice", id, command)
							}
						}
						if len(seen) != 200 {
							return false
						}
					}
					return true
				})
				return
			default:
			}
		}
	})
}
