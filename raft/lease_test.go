package raft_test

import (
	"fmt"
	"testing"

	"balsa/raft"
)

const fifth = 200_000 // the bound on drift, in parts per million

func TestALeaderReadsByItsLease(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	for range 40 { // at every phase of its heartbeats
		c.wait(1)
		sent := len(c.mail)
		if r := c.ask(1, true); r == nil || r.Index != c.at(1).core.Commit() || r.Refusal != raft.Accepted {
			t.Fatalf("a read by lease is answered %+v", r)
		}
		if len(c.mail) > sent {
			t.Fatal("a read by lease costs messages")
		}
	}
	if r := c.ask(1, false); r != nil {
		t.Errorf("a read that does not ask for a lease is answered at once: %+v", r)
	}
	if r := c.ask(2, true); r == nil || r.Refusal != raft.NotLeader {
		t.Errorf("who does not lead answers a read by lease: %+v", r)
	}
}

// TestWithoutALeaseAReadIsConfirmedByAQuorum: nothing is refused for want of one.
func TestWithoutALeaseAReadIsConfirmedByAQuorum(t *testing.T) {
	for name, drift := range map[string]uint32{
		"leases are off": 0, "nothing is committed in the term": fifth,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, 3, 3, drift)
			c.hold = func(l clockedLetter) bool { // votes and rounds go round, entries only without leases
				m, is := l.message.(raft.AppendEntries)
				return is && len(m.Entries) > 0 && drift > 0
			}
			c.rule(1)
			if r := c.ask(1, true); r != nil {
				t.Fatalf("a read is answered at once: %+v", r)
			}
			c.release()
			if r, answered := c.at(1).read[c.tickets]; !answered || r.Refusal != raft.Accepted {
				t.Errorf("the read is answered %+v, %v", r, answered)
			}
		})
	}
}

// outlives cuts a leader off together with its lease, while a server that has long been cut off from it asks
// the voter on which the lease rests for its vote all the time. It returns for how long the lease lasted and
// when the other was elected, from the cut on.
func outlives(t *testing.T, leader, voter int64, phase int) (lease, elected int64) {
	c := newClocked(t, 3, 3, fifth)
	c.at(1).rate, c.at(2).rate, c.at(3).rate = leader, voter, voter
	c.rule(1)
	c.isolate(3)
	for range 20*clockedMax + phase {
		c.now += clockedTick / 20
		c.step(1, nil)
		c.step(2, nil)
		c.step(3, nil)
		c.deliver()
	}
	clear(c.cut)
	c.isolate(1)
	cut := c.now
	c.pass(10*clockedMax, func() bool {
		c.step(3, raft.ElectionTimeout{})
		c.deliver()
		if len(c.elected) > 1 && elected == 0 {
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

// TestALeaseEndsBeforeAnybodyElseIsElected with clocks that err by as much as the configuration admits, and
// does not with clocks that err by more, or the test could not tell.
func TestALeaseEndsBeforeAnybodyElseIsElected(t *testing.T) {
	const slow, fast = clockedRates - fifth, clockedRates + fifth
	for _, rates := range [][2]int64{
		{slow, fast}, {fast, slow}, {slow, slow}, {fast, fast}, {clockedRates, fast},
	} {
		longest := int64(0)
		for phase := range 20 * clockedHeartbeat {
			lease, elected := outlives(t, rates[0], rates[1], phase)
			if lease >= elected {
				t.Fatalf("rates %v, phase %d: a read by lease %d after the cut, another leader %d after it",
					rates, phase, lease, elected)
			}
			longest = max(longest, lease)
		}
		if longest < clockedTick {
			t.Errorf("rates %v: no lease lasts for longer than %d after the cut", rates, longest)
		}
	}
	beyond := false
	for phase := range 20 * clockedHeartbeat {
		lease, elected := outlives(t, clockedRates*4/10, clockedRates*18/10, phase)
		beyond = beyond || lease >= elected
	}
	if !beyond {
		t.Error("with clocks far beyond the bound leases still end in time: nothing is tested here")
	}
}

// TestALeaseRunsFromTheSendingOfItsRound: an answer that comes late prolongs nothing.
func TestALeaseRunsFromTheSendingOfItsRound(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	c.isolate(3)
	c.beat(1)
	c.hold = func(l clockedLetter) bool { return l.to == 1 }
	c.wait(9)
	if s := c.at(1).core.Status(); s.Role != raft.Leader || c.leased(1) {
		t.Fatalf("the lease of before has not ended, or the leader has not waited: %+v", s)
	}
	if c.step(1, c.held[0].received()); c.leased(1) {
		t.Errorf("an answer to what was asked six ticks ago is worth a lease: %+v", c.held[0].message)
	}
	if c.release(); !c.leased(1) {
		t.Error("an answer to what was asked just now is worth no lease")
	}
}

// TestAPauseEndsALease: a leader that was stopped is asked before it has taken the ticks that are due.
func TestAPauseEndsALease(t *testing.T) {
	c := newClocked(t, 3, 3, fifth)
	c.rule(1)
	if !c.leased(1) {
		t.Fatal("there is no lease")
	}
	c.at(1).late = true
	c.wait(6)
	if c.at(1).core.Role() != raft.Leader || c.leased(1) {
		t.Error("a leader that overslept reads by its lease")
	}
}

func TestASoleVoterReadsByItsLease(t *testing.T) {
	c := newClocked(t, 1, 1, fifth)
	c.rule(1)
	if !c.leased(1) {
		t.Error("it does not")
	}
}

// TestTheLeaseTakesBothHalvesOfAJointConfiguration, and those of each half who have what says that leases are
// on.
func TestTheLeaseTakesBothHalvesOfAJointConfiguration(t *testing.T) {
	for _, silent := range [][]raft.NodeID{nil, {2, 3}, {4, 5}} {
		t.Run(fmt.Sprint("silent ", silent), func(t *testing.T) {
			c := newClocked(t, 5, 3, fifth)
			c.rule(1)
			var add []raft.Member
			for _, id := range []raft.NodeID{4, 5} {
				add = append(add, raft.Member{ID: id, Incarnation: 1, Address: "there"})
			}
			if why := c.change(1, raft.Change{Add: add}); why != raft.Accepted {
				t.Fatal(why)
			}
			c.wait(2 * clockedHeartbeat)
			c.hold = func(l clockedLetter) bool { // no entry gets through: the configuration stays joint
				m, is := l.message.(raft.AppendEntries)
				return is && len(m.Entries) > 0
			}
			change := raft.Change{Promote: []raft.NodeID{4, 5}, Remove: []raft.NodeID{2, 3}}
			if why := c.change(1, change); why != raft.Accepted {
				t.Fatal(why)
			}
			c.isolate(silent...)
			c.wait(7)
			if s := c.at(1).core.Status(); !s.Joint || s.Role != raft.Leader {
				t.Fatalf("the leader is %+v", s)
			}
			if got := c.leased(1); got != (silent == nil) {
				t.Errorf("it serves a read by lease: %v", got)
			}
		})
	}
}
