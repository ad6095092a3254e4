package sim

import (
	"fmt"

	"balsa/raft"
)

// What is committed, applied and acknowledged: one entry for an index, everywhere and for ever (§5.4.3).

// commitment is an entry that a server was the first to know as committed.
type commitment struct {
	logged
	by      raft.NodeID
	in      raft.Term // the term in which by was: it was committed in that one or before
	at      Moment
	kind    raft.Kind
	command uint64 // hash; 0 for what is no command
	asked   uint64 // whose it is (askedFor); 0 for what is no client's
	verdict verdict
}

// outcome is what the first state machine that applied an entry made of it. Without a node: none did yet.
type outcome struct {
	hash uint64
	by   raft.NodeID
	at   Moment
}

// acknowledgement is what a client was told to be done.
type acknowledgement struct {
	index   raft.Index
	command uint64
	at      Moment
}

// commits takes that a server's commit index has risen.
func (l *ledger) commits(m Moment, o *observed, s *sight) bool {
	if int(s.commit) > len(o.log) {
		return l.accuse(StateMachineSafety, attest(o.at, o.id, "holds %d entries", len(o.log)),
			attest(m, o.id, "has commit index %d", s.commit),
			"n%v takes entry %d for committed, its log has %d", o.id, s.commit, len(o.log))
	}
	known := min(int(s.commit), len(l.committed))
	if known > 0 && o.log[known-1].chain != l.committed[known-1].chain {
		at := l.firstConflict(o.log)
		c := &l.committed[at-1]
		return l.accuse(StateMachineSafety, attest(c.at, c.by, "knows entry %d (term %d) to be committed", at,
			c.term), attest(m, o.id, "has commit index %d with %s", s.commit, heldAt(o.log, at)),
			"n%v and n%v take different entries %d for committed", c.by, o.id, at)
	}
	if known == int(s.commit) {
		return true
	}
	fresh := s.entries(raft.Index(known))
	for i := known; i < int(s.commit); i++ {
		if !l.commit(m, o, s.term, &fresh[i-known]) {
			return false
		}
	}
	return l.checkHeld(m, o, s) && l.checkLeaders(m, s.term)
}

// commit enters an entry. An ordinary command is committed once: clients never send the same one twice, but
// for those that repeats names. One of a session or under a key may be committed as often as it is asked for.
func (l *ledger) commit(m Moment, o *observed, term raft.Term, e *raft.Entry) bool {
	c := commitment{logged: o.log[e.Index-1], by: o.id, in: term, at: m, kind: e.Kind}
	if c.verdict, c.asked = l.table.enter(e); c.asked != 0 {
		c.command = hashBytes(e.Command)
	}
	if e.Kind == raft.Normal && c.asked != 0 {
		if at, twice := l.commands[c.command]; twice && (l.repeats == nil || !l.repeats(e.Command)) {
			was := &l.committed[at-1]
			return l.accuse(ExactlyOnce, attest(was.at, was.by,
				"knows the command to be committed as entry %d", at),
				attest(m, o.id, "knows it to be committed as entry %d", e.Index),
				"one command was committed twice, as entries %d and %d", at, e.Index)
		}
		l.commands[c.command] = e.Index
	}
	l.committed = append(l.committed, c)
	l.settleMembers(o.log, e)
	return true
}

// holding tells which members have the log up to an entry of a term on their disks. What a disk held that was
// lost since may have counted.
func (l *ledger) holding(c *standing, i raft.Index, chain uint64, term raft.Term) func(raft.NodeID) bool {
	return func(id raft.NodeID) bool {
		return l.counts(c, id, term, func(o *observed) bool { return o.disk.holds(i, chain) })
	}
}

// checkHeld holds that what is committed is on the disks of a quorum: of the configuration in force at the
// one that knows it, after this step or before it, for it may have committed, and then changed it.
func (l *ledger) checkHeld(m Moment, o *observed, s *sight) bool {
	c := &o.log[s.commit-1]
	now := l.inForce(&o.disk, o.log)
	holds := l.holding(now, s.commit, c.chain, c.term)
	if now.HasQuorum(holds) {
		return true
	}
	if at := o.members.Index; at != now.Index && int(at) <= len(o.log) {
		was := l.inForce(&o.disk, o.log[:at])
		if was.Index == at && was.HasQuorum(l.holding(was, s.commit, c.chain, c.term)) {
			return true
		}
	}
	count, all := now.count(holds)
	return l.accuse(Durability, attest(c.since, o.id, "holds entry %d (term %d)", s.commit, c.term),
		attest(m, o.id, "takes it for committed in term %d", s.term),
		"n%v takes entry %d (term %d) for committed, which is on the disks of %d of %d servers", o.id,
		s.commit, c.term, count, all)
}

// checkLeaders holds that who leads a later term already holds what a term has committed just now.
func (l *ledger) checkLeaders(m Moment, in raft.Term) bool {
	for i := range l.servers {
		o := &l.servers[i]
		if o.role == raft.Leader && o.term > in && !l.checkComplete(o, len(l.committed), o.term, m) {
			return false
		}
	}
	return true
}

// firstConflict returns the first committed index that a log does not hold; 0 if it holds them all.
func (l *ledger) firstConflict(log []logged) int {
	for i := range l.committed {
		if i == len(log) || log[i].chain != l.committed[i].chain {
			return i + 1
		}
	}
	return 0
}

// heldAt says what a log has at an index.
func heldAt(log []logged, index int) string {
	if index <= len(log) {
		return fmt.Sprintf("another entry %d (term %d)", index, log[index-1].term)
	}
	return fmt.Sprintf("a log that ends at %d", len(log))
}

// applies takes what the state machine made of an entry, before the server is told so. State machines never
// see no-ops.
func (l *ledger) applies(m Moment, id raft.NodeID, e raft.Entry, result []byte) {
	if l.found != nil {
		return
	}
	o := &l.servers[id-1]
	if l.checkApplied(m, o, &e) && l.checkResult(m, id, e.Index, hashBytes(result)) {
		o.machine = e.Index
	}
}

func (l *ledger) checkApplied(m Moment, o *observed, e *raft.Entry) bool {
	here := func() Witness { return attest(m, o.id, "applies entry %d (term %d)", e.Index, e.Term) }
	switch {
	case int(e.Index) > len(l.committed) || e.Index > o.commit:
		return l.accuse(StateMachineSafety, attest(o.at, o.id, "has commit index %d", o.commit), here(),
			"n%v applied entry %d, which it does not know to be committed", o.id, e.Index)
	case e.Index <= o.machine || l.commandBetween(o.machine, e.Index-1):
		return l.accuse(StateMachineSafety, attest(o.at, o.id, "has a state machine with entry %d",
			o.machine), here(), "n%v applied entry %d after %d", o.id, e.Index, o.machine)
	}
	c := &l.committed[e.Index-1]
	switch {
	case chained(nil, e, m).content != c.content:
		return l.accuse(StateMachineSafety, attest(c.at, c.by, "knows entry %d (term %d) to be committed",
			e.Index, c.term), here(), "n%v applied another entry %d than n%v knows to be committed", o.id,
			e.Index, c.by)
	case !o.disk.holds(e.Index, c.chain):
		on := o.disk.end()
		return l.accuse(StateMachineSafety, attest(on.since, o.id, "has a disk that ends in %v", on.EntryID),
			here(), "n%v applied entry %d, which its own disk does not hold", o.id, e.Index)
	}
	return true
}

// commandBetween reports whether a state machine that has come to one index has something to do up to
// another.
func (l *ledger) commandBetween(after, through raft.Index) bool {
	for i := after; i < through; i++ {
		if int(i) >= len(l.committed) || l.committed[i].touches() {
			return true
		}
	}
	return false
}

// checkResult holds that every state machine makes the same of an entry, after a restart too.
func (l *ledger) checkResult(m Moment, id raft.NodeID, index raft.Index, hash uint64) bool {
	for int(index) > len(l.results) {
		l.results = append(l.results, outcome{})
	}
	was := &l.results[index-1]
	if was.by == raft.None {
		*was = outcome{hash: hash, by: id, at: m}
	}
	return was.hash == hash || l.accuse(ReplicaEquality, attest(was.at, was.by, "applies entry %d", index),
		attest(m, id, "applies it with another result"),
		"n%v and n%v applied entry %d with different results", was.by, id, index)
}

// acknowledged takes that a client was told that what it asked for (askedFor) is done, as the entry at an
// index.
func (l *ledger) acknowledged(m Moment, index raft.Index, asked uint64) {
	if l.found != nil {
		return
	}
	told := func() Witness {
		return attest(m, raft.None, "a client is told that its command is done as entry %d", index)
	}
	if index == 0 || int(index) > len(l.committed) {
		first := attest(Moment{}, raft.None, "nothing is committed")
		if n := len(l.committed); n > 0 {
			first = attest(l.committed[n-1].at, l.committed[n-1].by,
				"knows entry %d to be committed, the last one", n)
		}
		l.accuse(Durability, first, told(), "entry %d was acknowledged and is not committed", index)
		return
	}
	c := &l.committed[index-1]
	if asked != 0 && c.asked != asked {
		l.accuse(Durability, attest(c.at, c.by, "knows another command to be committed as entry %d (term %d)",
			index, c.term), told(), "a command was acknowledged as entry %d, where another one is committed",
			index)
		return
	}
	l.acks = append(l.acks, acknowledgement{index: index, command: c.command, at: m})
}
