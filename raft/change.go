package raft

import (
	"cmp"
	"slices"
)

// What a change of membership makes of a configuration (§6, thesis §4).
//
// Any change of the voters goes through a joint configuration, however many of them change, and so does every
// change of one alone: two ways would need two proofs. A change that leaves the voters as they are takes one
// entry, as no quorum differs before and after.
//
//	             a change of the voters                 the entry is committed
//	old voters ──────────────────────────▶ joint: both ─────────────────────────▶ new voters
//	                                       halves decide   the leader appends
//	                                                       what follows
//
// What leaves in the joint configuration stays a member of it: it still decides. The configuration that
// follows can be read off the joint one alone, so that any leader can append it: who has no role left is
// gone.

// Change says how a configuration is to change. Each id stands at most once in Add, Promote, Demote and
// Remove together. The zero Change is none, and refused.
type Change struct {
	// Add are servers that join, as learners: a voter that holds nothing yet would have to be waited for.
	// Each needs its incarnation and its address: one that joins takes no configuration to mean it that does
	// not name its data directory, and would vote and never campaign.
	Add []Member
	// Promote are learners that become voters. They must answer, and lag no more than Limits.PromoteBytes.
	Promote []NodeID
	// Demote are voters that become learners. It is refused as long as learners are promoted by themselves.
	Demote []NodeID
	// Remove are voters and learners that leave.
	Remove []NodeID
	// Update replaces what is known of members: their addresses and their incarnations. What it leaves empty,
	// or 0, stays as it is known. The incarnation of a voter can be named once and not be changed: a data
	// directory that was wiped has forgotten its promises. To replace it, remove the member, and then add it.
	Update []Member
	// AutoPromote and Version replace what the configuration says, unless nil. Version never goes back.
	AutoPromote *bool
	Version     *uint32
	// LeaseDrift replaces the bound on the drift of clocks, unless nil: up to 200,000 parts per million; 0
	// switches leases off. They take a cluster version of at least 1: a program from before would vote right
	// after a restart.
	LeaseDrift *uint32
	// Met is whom the leader has met, by id. It is recorded with whatever else changes (Member.Start), and is
	// no change by itself.
	Met []Acquaintance
	// Force skips only the questions whether the voters answer now and lag little. If they never come,
	// nothing is committed any more, and the change cannot be taken back, which takes a quorum too: the
	// cluster is then as good as lost. So even with Force the new voters that this leader has heard at some
	// time in its term must be a majority of them.
	Force bool
}

// with returns the configuration that a change makes of one that is not joint, itself joint when the voters
// change, or why the change is refused.
func (c Configuration) with(change Change) (next Configuration, why Refusal) {
	next = c.Clone()
	if change.AutoPromote != nil {
		next.AutoPromote = *change.AutoPromote
	}
	if change.Version != nil {
		next.Version = *change.Version
	}
	if change.LeaseDrift != nil {
		next.LeaseDrift = *change.LeaseDrift
	}
	steps := []func(Change) Refusal{next.remove, next.demote, next.promote, next.add, next.update}
	for _, step := range steps {
		if why = step(change); why != Accepted {
			return Configuration{}, why
		}
	}
	switch {
	case change.namesTwice():
		why = NamedTwice
	case next.Version < c.Version:
		why = VersionLowered
	case next.LeaseDrift > maxLeaseDrift:
		why = DriftTooLarge
	case next.LeaseDrift > 0 && next.Version == 0:
		why = VersionTooLow
	case len(change.Demote) > 0 && next.AutoPromote:
		why = WouldBePromoted
	case len(next.Voters) == 0:
		why = NoVoterLeft
	case !sameIncarnations(c, next):
		why = IncarnationOfVoter
	case next.equal(c):
		why = NothingChanged
	}
	if why != Accepted {
		return Configuration{}, why
	}
	next.meet(change.Met)
	if !slices.Equal(c.Voters, next.Voters) {
		next = next.jointWith(c)
	}
	if next.Check() != nil {
		return Configuration{}, BadMember
	}
	return next, Accepted
}

func (change Change) namesTwice() bool {
	var ids, updated []NodeID
	for _, m := range change.Add {
		ids = append(ids, m.ID)
	}
	for _, m := range change.Update {
		updated = append(updated, m.ID)
	}
	ids = slices.Concat(ids, change.Promote, change.Demote, change.Remove)
	return repeats(ids) || repeats(updated)
}

func repeats(ids []NodeID) bool {
	slices.Sort(ids)
	return len(slices.Compact(ids)) < len(ids)
}

// sameIncarnations reports whether nobody who votes, before or after, becomes another.
func sameIncarnations(before, after Configuration) bool {
	return !slices.ContainsFunc(after.Members, func(m Member) bool {
		was, is := before.Member(m.ID)
		return is && !was.mayBecome(m) && (before.Voter(m.ID) || after.Voter(m.ID))
	})
}

// mayBecome reports whether a member stays the same server: its incarnation is named or was not known.
func (m Member) mayBecome(next Member) bool {
	return m.Incarnation == 0 || m.Incarnation == next.Incarnation
}

func (c *Configuration) remove(change Change) Refusal {
	for _, id := range change.Remove {
		if _, is := c.Member(id); !is {
			return UnknownMember
		}
		c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return m.ID == id })
		c.Voters, c.Learners = without(c.Voters, id), without(c.Learners, id)
	}
	return Accepted
}

func (c *Configuration) demote(change Change) Refusal {
	for _, id := range change.Demote {
		if !slices.Contains(c.Voters, id) {
			return NoSuchVoter
		}
		c.Voters, c.Learners = without(c.Voters, id), including(c.Learners, id)
	}
	return Accepted
}

func (c *Configuration) promote(change Change) Refusal {
	for _, id := range change.Promote {
		if !slices.Contains(c.Learners, id) {
			return NoSuchLearner
		}
		c.Voters, c.Learners = including(c.Voters, id), without(c.Learners, id)
	}
	return Accepted
}

func (c *Configuration) add(change Change) Refusal {
	for _, m := range change.Add {
		if _, is := c.Member(m.ID); is {
			return AlreadyMember
		}
		if m.ID == None || m.Incarnation == 0 || m.Address == "" {
			return BadMember
		}
		m.Start = 0 // what was met says it
		c.Members = slices.Insert(c.Members, c.place(m.ID), m)
		c.Learners = including(c.Learners, m.ID)
	}
	return Accepted
}

func (c *Configuration) update(change Change) Refusal {
	for _, m := range change.Update {
		known, is := c.Member(m.ID)
		if !is {
			return UnknownMember
		}
		m.Incarnation = cmp.Or(m.Incarnation, known.Incarnation)
		m.Address, m.API = cmp.Or(m.Address, known.Address), cmp.Or(m.API, known.API)
		if m.Start = 0; m.Incarnation == known.Incarnation {
			m.Start = known.Start
		}
		c.Members[c.place(m.ID)] = m
	}
	return Accepted
}

// meet records the starts of data directories that the configuration names.
func (c *Configuration) meet(met []Acquaintance) {
	for _, a := range met {
		if m, is := c.Member(a.Node); is && m.Incarnation == a.Incarnation {
			m.Start = max(m.Start, a.Start)
			c.Members[c.place(a.Node)] = m
		}
	}
}

// place is where a member of that id stands, or would.
func (c *Configuration) place(id NodeID) int {
	at, _ := slices.BinarySearchFunc(c.Members, id,
		func(m Member, id NodeID) int { return cmp.Compare(m.ID, id) })
	return at
}

// jointWith returns the configuration with the voters of an earlier one as its second half.
func (c Configuration) jointWith(earlier Configuration) Configuration {
	c.Outgoing = slices.Clone(earlier.Voters)
	for _, id := range c.Outgoing {
		if _, is := c.Member(id); !is {
			m, _ := earlier.Member(id)
			c.Members = slices.Insert(c.Members, c.place(id), m)
		}
	}
	return c
}

// left returns what follows a joint configuration: its first half alone, and everybody who has a role in it.
func (c Configuration) left() Configuration {
	c = c.Clone()
	c.Outgoing = nil
	c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return c.roles(m.ID) == 0 })
	return c
}

func (c Configuration) equal(d Configuration) bool {
	return slices.Equal(c.Members, d.Members) && slices.Equal(c.Voters, d.Voters) &&
		slices.Equal(c.Outgoing, d.Outgoing) && slices.Equal(c.Learners, d.Learners) &&
		c.AutoPromote == d.AutoPromote && c.Version == d.Version && c.LeaseDrift == d.LeaseDrift &&
		c.LeaseTime == d.LeaseTime
}

// without and including return sorted ids with one less or more.
func without(ids []NodeID, id NodeID) []NodeID {
	return slices.DeleteFunc(ids, func(other NodeID) bool { return other == id })
}

func including(ids []NodeID, id NodeID) []NodeID {
	at, _ := slices.BinarySearch(ids, id)
	return slices.Insert(ids, at, id)
}
