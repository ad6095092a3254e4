package raft

import (
	"cmp"
	"slices"
)

// Reads by lease (thesis §6.4.1): a leader answers a read at once, without asking anybody, as long as nobody
// else can have been elected. It is switched on in the configuration, because it rests on rules that every
// voter keeps, and on a bound ρ on how far clocks err (Configuration.LeaseDrift). How long voters vote for
// nobody, P, is said there too (LeaseTime): by their settings some may have less patience than the leader.
//
//	         round r begins
//	leader     ├───────────────── lease ─────────────────┤    by its own Now: (P − 2 ticks) × (1−ρ)/(1+ρ)
//	           │      a quorum has answered r
//	voter      └──▶ hears r ────── votes for nobody ─────────────┤    by its own ticks: as many as P takes
//
// Why it holds. Say leader L of term T answers a read by lease at the real time t, by a round r that a quorum
// Q of the configuration in force at L answered, and some server C was elected in a later term before t; let
// that be the first such election.
//
//  1. L has committed an entry of its term, so whoever can win has that entry in its log, and with it no
//     configuration but one of L's log, of which one change at a time is open. So the quorum that elected C
//     meets Q, in a voter v (§6), and v is not L, which would be no leader any more.
//  2. v heard round r before it voted, for its term is a later one since. It gives no vote before it has
//     counted P in ticks since: not when it comes to know of a higher term and so of no leader, and not
//     after a restart, of whose time it knows nothing and from which it counts anew. That it has to do so
//     it knows after a restart by its log: only voters whose log is known to hold, durably, the
//     configuration that switched leases on count in Q.
//  3. The first of these ticks may come right after r was heard, so they take more than P less one tick by
//     v's clock, and in real time no less than 1/(1+ρ) of that. (A tick is as long everywhere.) They began no
//     earlier than r, for the beginning of r is noted before anything of it is sent. A tick that comes late
//     makes v wait longer; none comes early, for the driver counts them by the clock.
//  4. L compares Now, which is read after the read has come, with the beginning of r by the same clock: no
//     more than 1/(1−ρ) of the lease's length has passed in real time. The lease is one tick shorter than
//     item 3 admits. A tick of L that comes late, as after a pause, prolongs nothing.
//  5. Votes that TimeoutNow brings about are given all the same. L holds no lease while it hands over, and
//     none afterwards before the target has answered a round that is newer than every order to campaign that
//     L gave it. The target has then heard that round, and obeys no older order; nor does it after a restart,
//     for an order names the run of the target for which it is (TimeoutNow.Start). An order of a leader of
//     an earlier term brings about no election in a term later than T, which others have begun already.
//
//  6. So are votes for who needs a later term so that a server can end its repair: that one leads no more
//     when it asks for them. A server that has lost its promises votes for nobody until it returns under a
//     leader of a term later than T; so it is not v (repair.go).
//
// Who holds no lease asks a quorum, as for every other read: nothing is refused for want of one.

// maxLeaseDrift is the largest Configuration.LeaseDrift: clocks that run a fifth too fast or too slow.
const maxLeaseDrift uint32 = 200_000

// million is one, in parts per million.
const million Time = 1_000_000

// lease is what a leader keeps to know whether it holds one.
type lease struct {
	begun   []begunRound // the latest ones, in their order; none while leases are off
	orders  []order      // to campaign, which may yet be obeyed
	spoiled bool         // whether an order is obeyed can no longer be learned: no lease in this term
}

// begunRound is when a round began, by Now.
type begunRound struct {
	round Round
	at    Time
}

// order is a TimeoutNow: the latest one to its target.
type order struct {
	to    NodeID
	round Round
}

// maxBegun bounds the rounds of which the beginning is known: one for reads and some heartbeats may be
// without the answers of a quorum, and whatever is older is no lease any more.
const maxBegun = 32

func (l lease) clone() lease {
	l.begun, l.orders = slices.Clone(l.begun), slices.Clone(l.orders)
	return l
}

// noteRound notes when the newest round began. It is called before anything of that round is sent.
func (c *Core) noteRound() {
	l := &c.leading.lease
	if c.members.LeaseDrift == 0 {
		l.begun = nil
		return
	}
	if len(l.begun) == maxBegun {
		l.begun = slices.Delete(l.begun, 0, 1)
	}
	l.begun = append(l.begun, begunRound{round: c.leading.round, at: c.clock.now})
}

// HoldsLease reports whether this server leads and, as of the latest input, nobody else can have been elected
// (thesis §6.4.1).
func (c *Core) HoldsLease() bool {
	l := &c.leading.lease
	if c.role != Leader || c.transferring() || l.spoiled || len(l.orders) > 0 {
		return false
	}
	length, since := c.leaseLength(), c.members.leasedSince()
	if length <= 0 || since > c.commitIndex || !c.committedInTerm() {
		return false
	}
	at, known := slices.BinarySearchFunc(l.begun, c.leaseRound(since),
		func(b begunRound, r Round) int { return cmp.Compare(b.round, r) })
	return known && c.clock.now-l.begun[at].at < length
}

// leaseRound is the highest round that a quorum has answered of those whose logs hold an entry for certain:
// they know after a restart that they must not vote at once.
func (c *Core) leaseRound(since Index) Round {
	return Round(c.members.QuorumIndex(func(id NodeID) Index {
		if p := c.peer(id); p != nil && p.match < since {
			return 0
		}
		return Index(c.answeredRound(id))
	}))
}

// leaseLength is how long a lease runs from the beginning of its round, by Now; 0 when leases are off. A
// lower bound on drift counts once it is committed, a higher one at once, and so does that there are none.
func (c *Core) leaseLength() Time {
	if c.members.LeaseDrift == 0 || c.config.Tick == 0 {
		return 0
	}
	drift := Time(max(c.members.LeaseDrift, c.members.at(c.commitIndex).LeaseDrift))
	if drift >= million {
		return 0
	}
	longest := c.members.LeaseTime - 2*c.config.Tick
	slow, fast := million-drift, million+drift
	return longest/fast*slow + longest%fast*slow/fast // the product of the whole may be too large
}

// leasedSince is the index of the entry from which on leases have been on, as far as is known, without a
// break. It is asked only where they are on.
func (m *membership) leasedSince() Index {
	since := m.index
	for _, p := range slices.Backward(m.earlier) {
		if p.LeaseDrift == 0 {
			break
		}
		since = p.index
	}
	return since
}

// leased reports whether leases are on in any configuration that the log may go back to: one that switches
// them off may be of a leader that was deposed, and be truncated.
func (m *membership) leased() bool {
	return m.LeaseDrift > 0 ||
		slices.ContainsFunc(m.earlier, func(p placed) bool { return p.LeaseDrift > 0 })
}

// promised reports whether a lease may rest on this server's voting for nobody: it has not been for long that
// it heard a leader, or that it has been up, and it may have heard one before.
func (c *Core) promised() bool { return c.quiet < c.promise() && c.members.leased() }

// promise is for how many ticks this server votes for nobody after it has heard a leader, when leases are on:
// its own minimum election timeout, and no less than any configuration says that the log may go back to.
func (c *Core) promise() int {
	longest := c.members.LeaseTime
	for _, p := range c.members.earlier {
		longest = max(longest, p.LeaseTime)
	}
	if c.config.Tick == 0 {
		return c.config.ElectionMin
	}
	ticks := longest / c.config.Tick
	if longest%c.config.Tick > 0 {
		ticks++
	}
	return max(c.config.ElectionMin, int(ticks))
}

// setLeaseTime has the configuration that switches leases on say for how long voters promise to vote for
// nobody: it stays as it is until leases are off, so that a voter whose log holds the one keeps the other.
func (c *Core) setLeaseTime(next *Configuration) {
	switch {
	case next.LeaseDrift == 0:
		next.LeaseTime = 0
	case c.members.LeaseDrift == 0:
		next.LeaseTime = Time(c.config.ElectionMin) * c.config.Tick
	}
}

// ordered notes that a server is told to campaign.
func (l *lease) ordered(to NodeID, round Round) {
	l.orders = slices.DeleteFunc(l.orders, func(o order) bool { return o.to == to })
	l.orders = append(l.orders, order{to: to, round: round})
}

// answered notes that a server has heard a round: it obeys no order of an earlier one.
func (l *lease) answered(from NodeID, round Round) {
	l.orders = slices.DeleteFunc(l.orders, func(o order) bool { return o.to == from && o.round < round })
}

// parted notes that a server's answers do not count any more, or that another one answers under its id.
func (l *lease) parted(id NodeID) {
	l.spoiled = l.spoiled || slices.ContainsFunc(l.orders, func(o order) bool { return o.to == id })
}

// noteStart remembers in which of its runs a follower answers.
func (c *Core) noteStart(in Receive) {
	if p := c.peer(in.From); p != nil && IsResponse(in.Message) {
		p.start = max(p.start, in.Start)
	}
}

// startOf is the run of a follower for which an order is. As long as programs may be about that know of no
// leases it is not said.
func (c *Core) startOf(id NodeID) uint64 {
	if p := c.peer(id); p != nil && c.members.Version > 0 {
		return p.start
	}
	return 0
}

// ofAnotherRun reports whether an order is not for this run of this server.
func (c *Core) ofAnotherRun(m TimeoutNow) bool {
	return m.Start != c.members.start && (m.Start != 0 || c.members.leased())
}
