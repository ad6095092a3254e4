package balsa_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/raft"
)

// TestLeadershipChangesAreSeenByWhoeverWaits, without polling.
func TestLeadershipChangesAreSeenByWhoeverWaits(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		first := c.known(all3...)
		follower := c.others(first)[0]
		now, changed := c.nodes[follower].LeadershipChanged()
		if now.Leader != first || now.Term != c.nodes[first].Status().Term {
			t.Errorf("now %+v, node %d leads", now, first)
		}
		advance(5 * time.Second)
		select {
		case <-changed:
			t.Error("it changed while nothing happened")
		default:
		}
		c.crash(first)
		var seen []balsa.Leadership
		for now.Leader == first || now.Leader == raft.None {
			<-changed // a test that waits for ever here is stopped by the bubble: everybody would wait
			now, changed = c.nodes[follower].LeadershipChanged()
			seen = append(seen, now)
		}
		if now.Leader != c.leader(c.others(first)...) {
			t.Errorf("saw %+v", seen)
		}
	})
}

// events takes what a stream holds at the moment.
func events(stream <-chan raft.Event) (taken []raft.Event, open bool) {
	for {
		select {
		case e, more := <-stream:
			if !more {
				return taken, false
			}
			taken = append(taken, e)
		default:
			return taken, true
		}
	}
}

// TestEventsTellWhatANodeDecides, to each reader all of it.
func TestEventsTellWhatANodeDecides(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		one := c.nodes[leader].Events(c.t.Context(), 1000)
		two := c.nodes[leader].Events(c.t.Context(), 1000)
		c.mustPropose(leader, "x")
		synctest.Wait()
		first, _ := events(one)
		second, _ := events(two)
		if len(first) == 0 || len(first) != len(second) {
			t.Errorf("one reader got %d events, the other %d", len(first), len(second))
		}
		appended, committed := false, false
		for _, e := range first {
			switch e.(type) {
			case raft.Appended:
				appended = true
			case raft.CommitAdvanced:
				committed = appended
			case balsa.Missed:
				t.Errorf("%v although there was room", e)
			}
		}
		if !appended || !committed {
			t.Errorf("no entry was appended and then committed: %v", first)
		}
	})
}

// TestASlowReaderMissesEventsAndIsTold: the node waits for nobody, and what a reader got and missed together
// is everything.
func TestASlowReaderMissesEventsAndIsTold(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		quick := c.nodes[leader].Events(c.t.Context(), 10_000)
		slow := c.nodes[leader].Events(c.t.Context(), 0) // holds one
		c.mustPropose(leader, "a", "b", "c")
		synctest.Wait()
		got, _ := events(slow)
		if len(got) != 1 {
			t.Errorf("a stream for one event held %d", len(got))
		}
		count := uint64(len(got))
		told := false
		for range 5 {
			advance(10 * time.Millisecond)
			more, _ := events(slow)
			for _, e := range more {
				if missed, ok := e.(balsa.Missed); ok {
					told, count = true, count+missed.Events
				} else {
					count++
				}
			}
		}
		if !told {
			t.Error("nobody told the slow reader that it missed something")
		}
		if all, _ := events(quick); count != uint64(len(all)) {
			t.Errorf("it got and missed %d events, there were %d", count, len(all))
		}
	})
}

// TestStreamsEnd with the reader's context and with the node; goleak sees to it that nothing remains.
func TestStreamsEnd(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		node := c.nodes[leader]
		ctx, cancel := context.WithCancel(c.t.Context())
		cancelled, lasting := node.Events(ctx, 100), node.Events(c.t.Context(), 100)
		cancel()
		synctest.Wait()
		if _, open := events(cancelled); open {
			t.Error("the stream goes on after its context has ended")
		}
		if _, open := events(lasting); !open {
			t.Error("another stream ended with it")
		}
		c.stop(leader)
		if _, open := events(lasting); open {
			t.Error("the stream goes on after the node has ended")
		}
		synctest.Wait()
		late := node.Events(c.t.Context(), 100)
		synctest.Wait()
		if _, open := events(late); open {
			t.Error("a stream of a node that has ended never ends")
		}
	})
}

// TestStatsCount what the node has done.
func TestStatsCount(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		follower := c.others(leader)[0]
		before := c.nodes[leader].Stats()
		c.mustPropose(leader, "a", "b")
		c.mustPropose(follower, "c")
		for range 2 {
			if _, _, err := c.read(follower, balsa.ReadMode{}); err != nil {
				t.Fatal(err)
			}
		}
		c.applied([]string{"a", "b", "c"}, all3...)
		s := c.nodes[leader].Stats()
		for what, got := range map[string][2]uint64{
			"terms led":        {s.TermsLed, 1},
			"elections":        {s.Elections, 1},
			"proposals taken":  {s.ProposalsTaken - before.ProposalsTaken, 3},
			"reads confirmed":  {s.ReadsConfirmed - before.ReadsConfirmed, 2},
			"read rounds":      {s.ReadRounds - before.ReadRounds, 2},
			"entries written":  {s.EntriesWritten - before.EntriesWritten, 3},
			"entries applied":  {s.EntriesApplied - before.EntriesApplied, 3},
			"messages refused": {s.MessagesRefused, 0},
		} {
			if got[0] != got[1] {
				t.Errorf("the leader counts %d %s, want %d", got[0], what, got[1])
			}
		}
		idle := s.MessagesSent <= before.MessagesSent || s.MessagesReceived <= before.MessagesReceived
		if idle || s.Writes == 0 || s.Applies == 0 || s.MessagesLost != 0 {
			t.Errorf("the leader counts %+v", s)
		}
		f := c.nodes[follower].Stats()
		if f.EntriesAppended != 4 || f.LeaderChanges == 0 || f.TermsLed != 0 {
			t.Errorf("the follower counts %+v", f)
		}
		c.network.Isolate(leader)
		advance(2 * time.Second)
		if lost := c.nodes[leader].Stats().MessagesLost; lost == 0 {
			t.Error("a leader that nobody hears has lost no message")
		}
		_, err := c.propose(leader, "x")
		c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
		now := c.nodes[leader].Stats()
		if now.ProposalsRefused == 0 {
			t.Error("a refusal is not counted")
		}
		node := c.nodes[leader]
		c.stop(leader)
		if after := node.Stats(); after.ProposalsRefused != now.ProposalsRefused ||
			after.MessagesSent < now.MessagesSent {
			t.Errorf("after its end the node counts %+v, before %+v", after, now)
		}
	})
}
