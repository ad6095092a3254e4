package replica

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"balsa/raft"
)

// What a leader changes in the configuration without being asked: it has it say what the members say of
// themselves. So hints carry addresses of today, a node that has moved is found by those who never met it,
// and a wiped disk is told from the one that the configuration means.
//
// The cluster version is raised to the least that all members support. Before version 1 no entry of kind
// ConfigurationChange may stand in the log, of whomever it comes: a program from before them would stop at
// it, and with a majority of such programs the cluster. So the first waits until every member was heard in
// this run with a program that knows them, and names the incarnations of all: from then on, and not before,
// every member can tell a wiped disk from a late first start.
//
// One change at a time, one in a maximal election timeout, and none while somebody's own change is open: he
// would be refused for reasons that he cannot see.

// ErrVersion is wrapped when the cluster uses a version that is newer than raft.SupportedVersion: this
// program would take what it does not know for what it knows.
var ErrVersion = errors.New("the cluster uses a later version than this program supports")

// houseTicket is that of the changes that this server makes by itself.
const houseTicket raft.Ticket = 1 << 61

func checkVersion(c raft.Configuration) error {
	if c.Version > raft.SupportedVersion {
		return fmt.Errorf("%w: version %d, supported are those up to %d: run a later version of this program",
			ErrVersion, c.Version, raft.SupportedVersion)
	}
	return nil
}

// keepHouse begins a change, at a leader, if one is due and may be begun.
func (r *Replica) keepHouse(now raft.Time) {
	if r.core.Role() != raft.Leader || now < r.house.due || r.changes.open() {
		return
	}
	members, index := r.core.MembersAt(math.MaxUint64)
	if members.Joint() || index > r.core.Commit() {
		return
	}
	seen := tidy{r.core.Term(), index, r.gate.tidings}
	if seen == r.house.seen {
		return
	}
	if change, due := r.tidiedUp(members); due {
		r.house.due = now + r.config.Tick*raft.Time(r.config.Core.ElectionMax)
		change.Met = r.haveMet()
		r.core.Step(now, raft.ChangeMembership{Ticket: houseTicket, Change: change})
	} else {
		r.house.seen = seen
	}
}

// house is what a leader knows of its own changes.
type house struct {
	due  raft.Time // before it this server changes nothing by itself
	seen tidy      // nothing was to be changed then
}

// tidy is on what it rests that nothing is to be changed: the configuration in force at the leader of a term,
// and how often a server has said something else of itself.
type tidy struct {
	term    raft.Term
	index   raft.Index
	tidings uint64
}

// houseAnswered takes the core's answer to a change that nobody waits for. One that was refused, for too few
// answer yet or nothing of this term is committed, is tried again sooner.
func (r *Replica) houseAnswered(a raft.Answer) {
	if a.Refusal != raft.Accepted {
		r.house.due = r.hours.now + r.config.Tick*raft.Time(r.config.Core.Heartbeat)
	}
}

// tidiedUp returns the change after which a configuration says what its members say.
func (r *Replica) tidiedUp(members raft.Configuration) (change raft.Change, due bool) {
	for _, m := range members.Members {
		if news, is := r.newsOf(m); is {
			change.Update = append(change.Update, news)
		}
	}
	least := r.leastVersion(members)
	if least > members.Version {
		change.Version = &least
	}
	allowed := members.Version > 0 || least > 0
	return change, allowed && (len(change.Update) > 0 || change.Version != nil)
}

// newsOf returns what a member says of itself and the configuration does not, if there is anything.
func (r *Replica) newsOf(m raft.Member) (news raft.Member, is bool) {
	said, heard := r.saysOf(m)
	if !heard {
		return raft.Member{}, false
	}
	news.ID = m.ID
	if m.Incarnation == 0 {
		news.Incarnation = said.Incarnation
	}
	if said.Address != m.Address {
		news.Address = said.Address
	}
	if said.API != m.API {
		news.API = said.API
	}
	return news, news != raft.Member{ID: m.ID}
}

// saysOf returns what a member of a configuration has said of itself in this run, and whether it was heard.
// What another data directory has said under that id is not about it: who takes a place is elsewhere.
func (r *Replica) saysOf(m raft.Member) (said raft.Identity, heard bool) {
	if said = r.config.Identity; said.Node != m.ID {
		said = r.gate.said(m.ID)
	}
	means := m.Incarnation == 0 || m.Incarnation == said.Incarnation
	if said.Node != m.ID || !means {
		return raft.Identity{}, false
	}
	return said, true
}

// leastVersion is the newest version that all members support; 0 when one of them was not heard.
func (r *Replica) leastVersion(members raft.Configuration) uint32 {
	least := r.config.Identity.Version
	for _, m := range members.Members {
		said, heard := r.saysOf(m)
		if !heard {
			return 0
		}
		least = min(least, said.Version)
	}
	return least
}

// withoutAbsent completes the one change that is taken before version 1: the removal of members that were not
// heard, if all others were, with programs that know configurations. It names those and raises the version in
// the same entry. Without it a cluster one of whose founders never came up, or whose disk was lost before it
// was named, could not be rid of it, for the first entry waits for everybody.
func (r *Replica) withoutAbsent(c raft.Configuration, asked raft.Change) (change raft.Change, opens bool) {
	others := len(asked.Add) + len(asked.Promote) + len(asked.Demote) + len(asked.Update)
	if others > 0 || asked.AutoPromote != nil || asked.Version != nil || asked.LeaseDrift != nil {
		return asked, false
	}
	rest := c.Clone()
	rest.Members = slices.DeleteFunc(rest.Members, func(m raft.Member) bool {
		_, heard := r.saysOf(m)
		return !heard && slices.Contains(asked.Remove, m.ID)
	})
	if len(rest.Members)+len(asked.Remove) != len(c.Members) {
		return asked, false // one of those was heard, or is none
	}
	change, opens = r.tidiedUp(rest)
	change.Remove, change.Force = asked.Remove, asked.Force
	return change, opens && change.Version != nil
}

// change puts somebody's change to the core, unless some member would not know what to make of it.
func (r *Replica) change(now raft.Time, a ChangeAsked) {
	if members := r.core.Members(); r.core.Role() == raft.Leader {
		why := raft.Accepted
		var opens bool
		if members.Version == 0 {
			a.Change, opens = r.withoutAbsent(members, a.Change)
		}
		switch v := a.Change.Version; {
		case members.Version == 0 && !opens:
			why = raft.VersionTooLow
		case opens:
		case v != nil && *v > max(members.Version, r.leastVersion(members)):
			why = raft.VersionUnsupported
		}
		if why != raft.Accepted {
			r.answer(Answer{Ticket: a.Ticket, Fate: Rejected, Refusal: why})
			return
		}
	}
	a.Change.Met = r.haveMet()
	r.changes.ask(a.Ticket, aChange)
	r.core.Step(now, raft.ChangeMembership(a))
}

// haveMet are the starts that this server has met, its own among them. They must be durable, or a power cut
// here could have the configuration know of a start that nobody does.
func (r *Replica) haveMet() (met []raft.Acquaintance) {
	self := r.config.Identity
	met = append(met, raft.Acquaintance{Node: self.Node, Incarnation: self.Incarnation, Start: self.Start})
	for _, a := range r.gate.met {
		if a.durable {
			met = append(met, a.Acquaintance)
		}
	}
	return met
}

// open reports whether somebody waits for a change.
func (c *changes) open() bool {
	return slices.ContainsFunc(c.asked, func(q asked) bool { return q.what == aChange && !q.gaveUp })
}
