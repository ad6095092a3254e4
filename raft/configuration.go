package raft

import (
	"cmp"
	"fmt"
	"slices"
)

// Member is one server of a configuration, named by id and incarnation: an id alone could be a wiped disk's.
type Member struct {
	ID          NodeID
	Incarnation Incarnation // 0 until the server has been heard
	Address     string      // where peers reach it
	API         string      // where clients reach it; empty when unknown
	// Start is the latest start of that data directory that the leader had met when it made the
	// configuration, 0 if none. Who joins later has met nobody: without it an old copy of the directory would
	// pass there for the member itself.
	Start uint64
}

// Configuration says who the servers are and who has a vote (§6). The bootstrap configuration stands at
// index 0; every later one is what an entry of kind ConfigurationChange carries. Voters, Outgoing and
// Learners are sorted by id. No learner is in Voters; one that is in Outgoing too is being demoted. A
// Configuration is a value: it is replaced, never changed in place.
type Configuration struct {
	Members []Member // everyone named below, sorted by id
	Voters  []NodeID
	// Outgoing is, in a joint configuration, the voter set being left: a decision then takes a majority of
	// both (§6).
	Outgoing []NodeID
	Learners []NodeID // receive entries, have no vote (thesis §4.2.1)
	// AutoPromote lets the leader turn learners that have caught up into voters.
	AutoPromote bool
	// Version is the cluster version: what entries and commands may be used that older programs do not know.
	// 0 is what every cluster begins with.
	Version uint32
	// LeaseDrift bounds by how much every server's clock runs too fast or too slow, in parts per million up
	// to 200,000; 0 switches leases off. A read by lease may be stale if a clock errs by more.
	LeaseDrift uint32
	// LeaseTime is for how long, in nanoseconds by its own clock, each voter votes for nobody after it has
	// heard a leader, as long as leases are on. It is the ElectionMin of the leader that switched them on,
	// and stays until they are off: servers' own settings may differ, and change at a restart.
	LeaseTime Time
}

// NewConfiguration makes a configuration of voters from their addresses, keyed by id.
func NewConfiguration(voters map[NodeID]string) Configuration {
	var c Configuration
	for id, address := range voters {
		c.Members = append(c.Members, Member{ID: id, Address: address})
		c.Voters = append(c.Voters, id)
	}
	slices.SortFunc(c.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(c.Voters)
	return c
}

// validate refuses a configuration that no server could act on: one that names a server for a role and not
// as a member would have it counted and never contacted.
func (c Configuration) validate() error {
	if len(c.Voters) == 0 {
		return fmt.Errorf("raft: the configuration names no voter")
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("raft: the configuration cannot be: %w", err)
	}
	return nil
}

// Joint reports whether the configuration is one through which a change of the voters goes (§6): decisions
// then take a majority of both halves.
func (c Configuration) Joint() bool { return len(c.Outgoing) > 0 }

// Member returns the member with that id, and whether there is one.
func (c Configuration) Member(id NodeID) (Member, bool) {
	for i := range c.Members {
		if c.Members[i].ID == id {
			return c.Members[i], true
		}
	}
	return Member{}, false
}

// Voter reports whether the server has a vote, in either half of a joint configuration.
func (c Configuration) Voter(id NodeID) bool {
	return slices.Contains(c.Voters, id) || slices.Contains(c.Outgoing, id)
}

// votesOn reports whether the server has a vote in the configuration, or when it is joint in what follows it.
func (c Configuration) votesOn(id NodeID) bool { return slices.Contains(c.Voters, id) }

// Clone returns a copy that shares no memory.
func (c Configuration) Clone() Configuration {
	c.Members = slices.Clone(c.Members)
	c.Voters = slices.Clone(c.Voters)
	c.Outgoing = slices.Clone(c.Outgoing)
	c.Learners = slices.Clone(c.Learners)
	return c
}
