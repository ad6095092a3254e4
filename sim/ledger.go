package sim

import (
	"cmp"
	"fmt"

	"balsa/raft"
	"balsa/replica"
)

// ledger holds the properties of Figure 3, and those beside them, against all servers after every event. It
// believes no server: what is durable it knows from the writes that were acknowledged, what is committed from
// the first server that said so, and whatever a server says later is compared with that.
//
// It is incremental. A call costs as much as has changed since the call before it; a log is walked as a whole
// only now and then (audit), because what a server changes behind its last entry shows nowhere else.
//
// What the world tells, and in which order:
//
//	a write has ended ──▶ wrote ───┐
//	an entry was applied ▶ applies ┤ then the server is told, by replica.Step
//	a message arrives, a tick ... ─┴▶ stepped ──▶ sends, for each message that it hands out
//
// The first violation is kept. Everything after it may follow from it, so nothing more is looked at.
type ledger struct {
	limits  raft.Limits
	found   *Violation
	servers []observed // by id, from 1 on
	highest raft.Term  // that any server was seen in

	leaders   map[raft.Term]leadership
	entries   []witnessed                // the last one that was first seen at an index, from 1 on
	older     map[raft.EntryID]witnessed // those of other terms there
	ballots   map[ballot]ballotFor
	committed []commitment              // by index, from 1 on
	images    map[raft.Index]outcome    // of state machines, by the last entry applied
	table     table                     // of sessions and keys
	commands  map[uint64]raft.Index     // where a command was committed, by its hash
	results   []outcome                 // of applying, by index, from 1 on
	acks      []acknowledgement         // what clients were told, in that order
	largest   int                       // of all entries, in bytes
	repeats   func(command []byte) bool // which commands clients may send twice; nil: none
	membership
}

// sight is what the checks see of a server after a step. The same value may be used again for the next call.
type sight struct {
	role                     raft.Role
	term                     raft.Term
	vote, leader             raft.NodeID
	commit, applied, durable raft.Index
	last                     raft.EntryID
	before                   raft.Index      // the log in memory begins behind it
	progress                 []raft.Progress // of a leader; read during the call only
	// entries shows the log in memory. A method of the server does, bound once for each of its lives: to bind
	// it for each call would allocate.
	entries     func(after raft.Index) []raft.Entry
	uncommitted int
}

// disked is what one disk holds when a run has ended. Disks that were damaged on purpose are left out.
type disked struct {
	id    raft.NodeID
	found recovered
}

// observed is one server as it was last seen.
type observed struct {
	id      raft.NodeID
	at      Moment // when something of it was last seen to change
	role    raft.Role
	term    raft.Term
	vote    raft.NodeID
	leader  raft.NodeID
	commit  raft.Index
	applied raft.Index
	durable raft.Index
	last    raft.EntryID

	uncommitted int
	log         []logged   // in memory, by index from 1 on
	machine     raft.Index // how far its state machine has come in this life
	matches     []matched  // of a leader: what it knows of each server, by id from 1 on
	members     *standing  // the configuration in force
	elected     Moment     // of a leader
	steps       int        // since the whole log was last walked
	disk        stored
}

// logged is an entry as the checks remember it.
type logged struct {
	chain   uint64     // a hash of this entry and of all before it
	content uint64     // a hash of this entry alone
	bytes   int        // of this entry and of all before it
	members raft.Index // of the configuration in force here; 0: that of the beginning
	term    raft.Term
	time    raft.Time
	since   Moment // when it came to stand there
}

// witnessed is an entry and the server that was first seen to hold it.
type witnessed struct {
	logged
	node raft.NodeID
}

// matched is up to where a leader knows the log of a server to be its own, and whose data directory that is
// by the configuration that was looked at last.
type matched struct {
	index   raft.Index
	of      raft.Incarnation
	by      *standing
	repairs bool
}

// leadership is who leads a term.
type leadership struct {
	node raft.NodeID
	at   Moment
}

func newLedger(servers int, members raft.Configuration, limits raft.Limits,
	remembered replica.Limits) *ledger {
	limits.AppendBytes = cmp.Or(limits.AppendBytes, 1<<20)
	limits.UncommittedBytes = cmp.Or(limits.UncommittedBytes, 64<<20)
	limits.Window = cmp.Or(limits.Window, 64)
	limits.InFlightBytes = cmp.Or(limits.InFlightBytes, 8<<20)
	limits.BacklogBytes = cmp.Or(limits.BacklogBytes, 64<<20)
	l := &ledger{
		limits:   limits,
		servers:  make([]observed, servers),
		leaders:  map[raft.Term]leadership{},
		older:    map[raft.EntryID]witnessed{},
		ballots:  map[ballot]ballotFor{},
		commands: map[uint64]raft.Index{},
		images:   map[raft.Index]outcome{},
		table:    newTable(remembered),

		membership: newMembership(members),
	}
	for i := range l.servers {
		l.servers[i].disk.ledger = l
		l.servers[i].id = raft.NodeID(i + 1)
		l.servers[i].matches = make([]matched, servers)
		l.servers[i].members = l.bootstrap
		if _, is := members.Member(raft.NodeID(i + 1)); is {
			l.servers[i].disk.node = raft.NodeID(i + 1)
		}
	}
	return l
}

// violation returns the first one; nil while there is none. Calls after it change nothing.
func (l *ledger) violation() *Violation { return l.found }

// accuse keeps a violation. It returns false, so that a check can end with it.
func (l *ledger) accuse(p Property, first, second Witness, format string, args ...any) bool {
	l.found = &Violation{Moment: second.Moment, Property: p, Sentence: fmt.Sprintf(format, args...),
		Witnesses: []Witness{first, second}}
	return false
}

// attest is one fact about one server.
func attest(m Moment, id raft.NodeID, format string, args ...any) Witness {
	return Witness{Moment: m, Node: id, Fact: fmt.Sprintf(format, args...)}
}

// auditEvery is how many steps of a server pass at least before its whole log is walked. With a longer log it
// is as many as there are entries, so that a step never costs more for it than one entry does.
const auditEvery = 1024

// stepped takes what a server is after an event: after wrote and applies for the same event, and before what
// it hands out is carried out.
func (l *ledger) stepped(m Moment, id raft.NodeID, s *sight) {
	if l.found != nil {
		return
	}
	o := &l.servers[id-1]
	o.steps++
	audit := o.steps >= max(auditEvery, len(o.log))
	quiet := s.last == o.last && s.term == o.term && s.role == o.role && s.commit == o.commit &&
		s.durable == o.durable && s.applied == o.applied && s.vote == o.vote && s.leader == o.leader
	if quiet && !audit {
		if s.role == raft.Leader {
			l.checkProgress(m, o, s, o.members) // the log is what it was, and so is what follows from it
		}
		return
	}
	if l.look(m, o, s, audit) {
		o.at, o.role, o.term, o.vote, o.leader = m, s.role, s.term, s.vote, s.leader
		o.commit, o.applied, o.durable, o.last = s.commit, s.applied, s.durable, s.last
		o.uncommitted, o.members = s.uncommitted, l.inForce(&o.disk, o.log)
		l.highest = max(l.highest, s.term)
	}
}

// look holds everything against a server in which something has changed.
func (l *ledger) look(m Moment, o *observed, s *sight, audit bool) bool {
	if !l.checkVitals(m, o, s) {
		return false
	}
	if (audit || s.last != o.last) && !l.followLog(m, o, s, audit) {
		return false
	}
	if !l.checkDurable(m, o, s) {
		return false
	}
	if s.role == raft.Leader {
		if (o.role != raft.Leader || o.term != s.term) && !l.checkElected(m, o, s) {
			return false
		}
		if !l.checkProgress(m, o, s, l.inForce(&o.disk, o.log)) {
			return false
		}
	} else if !l.checkFollows(m, o, s) {
		return false
	}
	return (s.commit == o.commit || l.commits(m, o, s)) && l.checkChange(m, o, s)
}

// checkVitals holds that nothing goes back within a life, and that a vote stands (Figure 2).
func (l *ledger) checkVitals(m Moment, o *observed, s *sight) bool {
	switch {
	case s.term < o.term:
		return l.accuse(Monotonicity, attest(o.at, o.id, "is in term %d", o.term),
			attest(m, o.id, "is in term %d", s.term), "n%v went back from term %d to %d", o.id, o.term,
			s.term)
	case s.term < o.disk.state.Term:
		return l.accuse(Monotonicity, attest(o.disk.stateAt, o.id, "has made term %d durable",
			o.disk.state.Term), attest(m, o.id, "is in term %d", s.term),
			"n%v is in term %d, although term %d is on its disk", o.id, s.term, o.disk.state.Term)
	case s.term == o.term && o.vote != raft.None && s.vote != o.vote:
		return l.accuse(OneVote, attest(o.at, o.id, "votes for n%v in term %d", o.vote, o.term),
			attest(m, o.id, "votes for n%v in term %d", s.vote, s.term),
			"n%v changed its vote in term %d from n%v to n%v", o.id, s.term, o.vote, s.vote)
	case s.commit < o.commit:
		return l.accuse(Monotonicity, attest(o.at, o.id, "has commit index %d", o.commit),
			attest(m, o.id, "has commit index %d", s.commit),
			"the commit index of n%v went back from %d to %d", o.id, o.commit, s.commit)
	case s.applied < o.applied:
		return l.accuse(Monotonicity, attest(o.at, o.id, "has applied index %d", o.applied),
			attest(m, o.id, "has applied index %d", s.applied),
			"the applied index of n%v went back from %d to %d", o.id, o.applied, s.applied)
	case s.applied > o.machine && l.commandBetween(o.machine, s.applied):
		return l.accuse(StateMachineSafety, attest(o.at, o.id, "has a state machine with entry %d",
			o.machine), attest(m, o.id, "says that entry %d is applied", s.applied),
			"n%v says that entry %d is applied, its state machine has %d", o.id, s.applied, o.machine)
	}
	return true
}

// checkDurable holds that what a server takes for durable is on its disk: entry by entry the same.
func (l *ledger) checkDurable(m Moment, o *observed, s *sight) bool {
	if s.durable == 0 || o.holdsDurably(s.durable) {
		return true
	}
	on := o.disk.end()
	return l.accuse(PromiseDurable, attest(on.since, o.id, "has a disk that ends in %v", on.EntryID),
		attest(m, o.id, "takes its log for durable up to %d", s.durable),
		"n%v takes entry %d for durable, which its disk does not hold", o.id, s.durable)
}

// holdsDurably reports whether the disk holds a server's own log, up to an index.
func (o *observed) holdsDurably(i raft.Index) bool {
	return int(i) <= len(o.log) && o.disk.holds(i, o.log[i-1].chain)
}
