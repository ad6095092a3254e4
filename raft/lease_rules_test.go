package raft_test

import (
	"fmt"
	"testing"

	"balsa/raft"
)

// The rules that voters keep, and leaders that hand over.

// asksForVotes lets a server that everybody but one voter is cut off from ask for that one's vote, and
// reports whether it is elected.
func (c *clocked) asksForVotes(id raft.NodeID) bool {
	term := c.at(id).core.Term()
	for range 3 {
		c.step(id, raft.ElectionTimeout{})
		c.deliver()
	}
	return c.at(id).core.Role() == raft.Leader && c.at(id).core.Term() > term
}

// TestARestartedVoterVotesForNobodyForAWhile if leases are on: it does not know what it heard before.
func TestARestartedVoterVotesForNobodyForAWhile(t *testing.T) {
	for drift, votes := range map[uint32]bool{fifth: false, 0: true} {
		t.Run(fmt.Sprint("drift ", drift), func(t *testing.T) {
			c := newClocked(t, 3, 3, drift)
			c.rule(1)
			c.isolate(3)
			c.wait(2 * clockedMin)
			clear(c.cut)
			c.isolate(1)
			c.boot(2)
			if got := c.asksForVotes(3); got != votes {
				t.Fatalf("right after the restart of the other voter, 3 is elected: %v", got)
			}
			if votes {
				return
			}
			if !c.leased(1) {
				t.Error("the leader has lost its lease: nothing was tested")
			}
			c.wait(clockedMin + 1)
			if !c.asksForVotes(3) {
				t.Error("the restarted voter never votes")
			}
		})
	}
}

// TestARestartedVoterAnswersAForcedRequest: whoever forces an election has given up its lease.
func TestARestartedVoterAnswersAForcedRequest(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	c.boot(2)
	s := c.at(3).core.Status()
	for _, forced := range []bool{false, true} {
		c.mail = nil
		request := raft.RequestVote{Term: s.Term + 1, Last: s.Last, Forced: forced}
		c.step(2, raft.Receive{From: 3, Start: 1, Sequence: 9, Message: request})
		got := len(c.mail) > 0 && c.mail[0].message == raft.Message(
			raft.RequestVoteResponse{Term: s.Term + 1, Granted: true})
		if got != forced {
			t.Errorf("forced %v: the vote is given: %v", forced, got)
		}
	}
}

// TestAPromiseOutlivesTheTerm: a voter that comes to know of a higher term knows of no leader any more, and
// the lease of the leader that it heard runs on.
func TestAPromiseOutlivesTheTerm(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	c.isolate(3)
	c.wait(2 * clockedMin)
	term := c.at(2).core.Term()
	// 2 once asked 3, which was in a higher term; the denial comes now.
	c.step(2, raft.Receive{From: 3, Start: 1, Sequence: 7, Message: raft.PreVoteResponse{Term: term + 1}})
	if s := c.at(2).core.Status(); s.Term != term+1 || s.Leader != raft.None {
		t.Fatalf("the voter is %+v", s)
	}
	c.mail = nil
	last := c.at(2).core.Status().Last
	for name, m := range map[string]raft.Message{
		"a vote of that term":  raft.RequestVote{Term: term + 1, Last: last},
		"a vote of the next":   raft.RequestVote{Term: term + 2, Last: last},
		"a pre-vote":           raft.PreVote{Term: term + 2, Last: last},
		"a pre-vote of others": raft.PreVote{Term: term + 9, Last: last},
	} {
		c.step(2, raft.Receive{From: 3, Start: 1, Sequence: 8, Message: m})
		for _, l := range c.mail {
			switch a := l.message.(type) {
			case raft.RequestVoteResponse:
				if a.Granted {
					t.Errorf("%s is granted while the leader has a lease: %v", name, c.leased(1))
				}
			case raft.PreVoteResponse:
				if a.Granted {
					t.Errorf("%s is granted while the leader has a lease: %v", name, c.leased(1))
				}
			}
		}
		c.mail = nil
	}
	if !c.leased(1) {
		t.Error("the leader has no lease: nothing was tested")
	}
}

// TestALeaseRestsOnWhoKnowsOfLeases: a voter whose disk lacks the entry that switches them on would vote
// right after a restart.
func TestALeaseRestsOnWhoKnowsOfLeases(t *testing.T) {
	c := newClocked(t, 3, 3, 0)
	c.rule(1)
	c.isolate(3)
	c.at(2).slow = true
	drift := uint32(fifth)
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.Accepted {
		t.Fatal(why)
	}
	c.wait(2 * clockedHeartbeat)
	if c.leased(1) {
		t.Error("a lease rests on an entry that is not committed")
	}
	clear(c.cut)
	c.wait(2 * clockedHeartbeat) // 1 and 3 have it
	if !c.leased(1) {
		t.Fatal("there is no lease")
	}
	c.isolate(3)
	c.wait(7)
	if c.leased(1) {
		t.Error("a lease rests on a voter whose disk does not know of leases")
	}
	c.at(2).slow = false
	c.persist(2)
	c.wait(1)
	if !c.leased(1) {
		t.Error("there is no lease when its disk does")
	}
}

func TestAHigherDriftCountsAtOnceAndALowerOneWhenItIsCommitted(t *testing.T) {
	c := newClocked(t, 3, 3, 100_000)
	c.rule(1)
	lasts := func() int64 { // for how long, from a heartbeat on
		c.beat(1)
		c.hold = func(l clockedLetter) bool { return l.to == 1 }
		began := c.now
		c.pass(9, func() bool { return !c.at(1).core.HoldsLease() })
		c.release()
		c.wait(1)
		return c.now - clockedTick - began
	}
	long := lasts()
	for _, s := range c.servers[1:] {
		s.slow = true // nothing is committed
	}
	drift := uint32(fifth)
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.Accepted {
		t.Fatal(why)
	}
	if now := lasts(); now >= long {
		t.Errorf("with a higher drift a lease lasts %d, before it was %d", now, long)
	}
	for _, s := range c.servers[1:] {
		s.slow = false
		c.persist(s.id)
	}
	c.wait(1)
	short := lasts()
	for _, s := range c.servers[1:] {
		s.slow = true
	}
	drift = 100_000
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.Accepted {
		t.Fatal(why)
	}
	if now := lasts(); now > short+clockedTick/10 {
		t.Errorf("a lower drift that is not committed prolongs a lease from %d to %d", short, now)
	}
	for _, s := range c.servers[1:] {
		s.slow = false
		c.persist(s.id)
	}
	c.wait(1)
	if now := lasts(); now <= short {
		t.Errorf("a lower drift that is committed does not prolong a lease: %d, before %d", now, short)
	}
	drift = 0
	c.at(2).slow, c.at(3).slow = true, true
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.Accepted || c.leased(1) {
		t.Errorf("%v: leases that are off by an entry that is not committed are issued: %v", why, c.leased(1))
	}
}

func TestLeasesAreSwitchedOnWithinBounds(t *testing.T) {
	c := newClocked(t, 1, 1, 0)
	c.rule(1)
	for _, step := range []struct {
		drift uint32
		want  raft.Refusal
	}{{0, raft.NothingChanged}, {fifth + 1, raft.DriftTooLarge}, {fifth, raft.Accepted}} {
		if why := c.change(1, raft.Change{LeaseDrift: &step.drift}); why != step.want {
			t.Errorf("a drift of %d is answered: %v", step.drift, why)
		}
	}
	c = newClocked(t, 1, 1, 0)
	c.members.Version = 0
	c.at(1).disk.Members = c.members
	c.boot(1)
	c.rule(1)
	drift, version := uint32(500), uint32(1)
	if why := c.change(1, raft.Change{LeaseDrift: &drift}); why != raft.VersionTooLow {
		t.Errorf("leases are on in a cluster of programs that do not know them: %v", why)
	}
	if why := c.change(1, raft.Change{LeaseDrift: &drift, Version: &version}); why != raft.Accepted {
		t.Errorf("together with the version: %v", why)
	}
}

func (c *clocked) transfer(from, to raft.NodeID) {
	c.tickets++
	c.step(from, raft.Transfer{Ticket: c.tickets, To: to})
}

// TestWhoHandsOverHoldsNoLease, from before the target is told until it has answered a newer round.
func TestWhoHandsOverHoldsNoLease(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	c.hold = func(l clockedLetter) bool { return isOrder(l) || l.from == 3 }
	c.transfer(1, 3)
	if c.leased(1) {
		t.Error("a leader that hands over reads by its lease")
	}
	c.wait(clockedMin + 4) // it has given up, and hears its other follower
	if s := c.at(1).core.Status(); s.Role != raft.Leader || s.TransferTo != raft.None {
		t.Fatalf("the leader has not given up: %+v", s)
	}
	if c.leased(1) {
		t.Error("a leader reads by its lease though its target may still obey")
	}
	c.held = keepOrders(c.held)
	c.hold = isOrder
	c.wait(2 * clockedHeartbeat)
	if !c.leased(1) {
		t.Error("no lease when the target has answered a newer round")
	}
	c.release()
	if len(c.elected) > 1 {
		t.Errorf("the target obeys after all: %v", c.elected)
	}
}

func keepOrders(letters []clockedLetter) (orders []clockedLetter) {
	for _, l := range letters {
		if isOrder(l) {
			orders = append(orders, l)
		}
	}
	return orders
}

// TestAnOrderToAnEarlierRunIsNotObeyed: the target has answered a newer round, restarts, and first hears what
// was sent before the order. It cannot know of the newer round, on which a lease rests.
func TestAnOrderToAnEarlierRunIsNotObeyed(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	var earlier []clockedLetter
	c.hold = func(l clockedLetter) bool {
		if _, is := l.message.(raft.AppendEntries); is && l.to == 3 {
			earlier = append(earlier, l) // it arrives, and arrives again
		}
		return isOrder(l)
	}
	c.wait(2 * clockedHeartbeat)
	c.transfer(1, 3)
	c.wait(clockedMin + 2*clockedHeartbeat)
	orders := keepOrders(c.held)
	if len(orders) == 0 || !c.leased(1) {
		t.Fatalf("%d orders, and the lease is back: %v", len(orders), c.leased(1))
	}
	c.boot(3)
	c.hold = nil
	c.step(3, earlier[0].received())
	for _, o := range orders {
		c.step(3, o.received())
	}
	c.deliver()
	if len(c.elected) > 1 {
		t.Errorf("the restarted target obeys, and the leader reads by its lease: %v", c.elected)
	}
}

// TestALeaseDoesNotComeBackWhenItsTargetHasLeft: nobody can learn any more whether it obeys.
func TestALeaseDoesNotComeBackWhenItsTargetHasLeft(t *testing.T) {
	c := newClocked(t, 4, 4, fifth)
	c.rule(1)
	c.hold = func(l clockedLetter) bool { return isOrder(l) || l.from == 4 }
	c.transfer(1, 4)
	c.wait(clockedMin + 1)
	if why := c.change(1, raft.Change{Remove: []raft.NodeID{4}}); why != raft.Accepted {
		t.Fatal(why)
	}
	c.wait(2 * clockedMax)
	if s := c.at(1).core.Status(); s.Role != raft.Leader || len(s.Progress) != 2 {
		t.Fatalf("the target has not left: %+v", s)
	}
	if c.leased(1) {
		t.Error("a lease, though an order to campaign is about")
	}
}
