package sim

import "balsa/raft"

// The logs: Log Matching, Leader Append-Only, and that what is committed is never replaced (Figure 3).
//
// Each entry is chained to the one before it by a hash, so that one comparison speaks for a whole prefix:
//
//	entry   1        2        3
//	chain   h(0,e1)  h(·,e2)  h(·,e3)      equal at 3: equal up to 3

// chained makes the link that an entry is behind those before it.
func chained(before []logged, e *raft.Entry, m Moment) logged {
	content := mix(mix(uint64(e.Term), uint64(e.Index)), mix(uint64(e.Time), uint64(e.Kind)))
	content = mix(content, hashBytes(e.Command))
	k := logged{chain: mix(chainOf(before), content), content: content, term: e.Term, time: e.Time, since: m}
	if e.Kind == raft.ConfigurationChange {
		k.members = e.Index
	} else if n := len(before); n > 0 {
		k.members = before[n-1].members
	}
	return k
}

// chainOf returns the chain hash that the entry behind a prefix of a log is chained to.
func chainOf(log []logged) uint64 {
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].chain
}

// extend chains an entry to a log, and holds that wherever an entry of that index and term has been seen it
// was this one, behind the same entries.
func (l *ledger) extend(m Moment, id raft.NodeID, log []logged, e *raft.Entry) ([]logged, bool) {
	if e.Index != raft.Index(len(log)+1) {
		return log, l.accuse(LogMatching, attest(m, id, "holds %d entries in a row", len(log)),
			attest(m, id, "holds entry %v behind them", e.ID()), "the log of n%v has a gap before entry %v",
			id, e.ID())
	}
	k := chained(log, e, m)
	k.bytes = bytesOf(log, e.Index-1) + e.Size()
	l.largest = max(l.largest, e.Size())
	if n := len(log); n > 0 && e.Time < log[n-1].time {
		return log, l.accuse(Monotonicity, attest(log[n-1].since, id, "has an entry %d of log time %d", n,
			log[n-1].time), attest(m, id, "has an entry %d of log time %d behind it", n+1, e.Time),
			"log time goes back at n%v, before %v", id, e.ID())
	}
	was := l.witness(e.ID(), k, id)
	switch {
	case was.chain == k.chain:
		if k.members == e.Index && l.standing[e.ID()] == nil && !l.enterMembers(m, id, e) {
			return log, false
		}
		return append(log, k), true
	case was.content == k.content:
		return log, l.accuse(LogMatching, attest(was.since, was.node, "holds entry %d of term %d", e.Index,
			e.Term), attest(m, id, "holds the same entry behind other ones"),
			"n%v and n%v both hold entry %d of term %d, but not the same entries before it", was.node, id,
			e.Index, e.Term)
	}
	return log, l.accuse(LogMatching, attest(was.since, was.node, "holds an entry %d of term %d", e.Index,
		e.Term), attest(m, id, "holds another entry %d of term %d", e.Index, e.Term),
		"n%v and n%v hold different entries %d of term %d", was.node, id, e.Index, e.Term)
}

// witness returns what was first seen under the name of an entry: this one, if nothing was. All servers take
// up the same entries one after the other, so that the last one of an index is nearly always the one sought.
func (l *ledger) witness(name raft.EntryID, k logged, id raft.NodeID) *witnessed {
	for int(name.Index) > len(l.entries) {
		l.entries = append(l.entries, witnessed{})
	}
	at := &l.entries[name.Index-1]
	if at.node != raft.None && at.term == name.Term {
		return at
	}
	was, known := l.older[name]
	if known {
		return &was
	}
	if at.node != raft.None {
		l.older[raft.EntryID{Term: at.term, Index: name.Index}] = *at
	}
	*at = witnessed{logged: k, node: id}
	return at
}

// followLog takes over what has changed in a log: it finds how far the log is what it was, from its end, by
// the terms; in an audit, from its beginning, by the hashes.
func (l *ledger) followLog(m Moment, o *observed, s *sight, audit bool) bool {
	if !l.begins(m, o, s) {
		return false
	}
	same, before := min(len(o.log), int(s.last.Index)), int(s.before)
	if audit {
		o.steps = 0
		same = unchanged(o.log[:same], before, s.entries(s.before))
	} else {
		for same > before && termOf(s, same) != o.log[same-1].term {
			same--
		}
	}
	if same < len(o.log) && !l.checkReplaced(m, o, s, same) {
		return false
	}
	o.log = o.log[:same]
	added := s.entries(raft.Index(same))
	for i := range added {
		var ok bool
		if o.log, ok = l.extend(m, o.id, o.log, &added[i]); !ok {
			return false
		}
	}
	if n := len(o.log); raft.Index(n) != s.last.Index || n > 0 && o.log[n-1].term != s.last.Term {
		return l.accuse(LogMatching, attest(m, o.id, "says that its log ends in %v", s.last),
			attest(m, o.id, "holds %d entries", n), "the log of n%v does not end in %v as it says", o.id,
			s.last)
	}
	return l.checkAppended(m, o, s, added) && l.checkRoom(m, o, s, same, added)
}

// termOf returns the term of an entry that a server holds; 0 when it does not show it.
func termOf(s *sight, index int) raft.Term {
	if tail := s.entries(raft.Index(index - 1)); len(tail) > 0 {
		return tail[0].Term
	}
	return 0
}

// unchanged counts the entries that are what they were. The log is shown behind an index.
func unchanged(log []logged, before int, entries []raft.Entry) int {
	for i := before; i < len(log); i++ {
		at := i - before
		if at == len(entries) || chained(log[:i], &entries[at], Moment{}).chain != log[i].chain {
			return i
		}
	}
	return len(log)
}

// checkReplaced judges that everything behind the first few entries of a log has been cut off or replaced.
func (l *ledger) checkReplaced(m Moment, o *observed, s *sight, same int) bool {
	gone := o.log[same]
	first := attest(gone.since, o.id, "holds entry %d (term %d)", same+1, gone.term)
	second := attest(m, o.id, "has cut it off; its log ends in %v", s.last)
	if s.last.Index > raft.Index(same) {
		second = attest(m, o.id, "holds another entry %d (term %d)", same+1, termOf(s, same+1))
	}
	switch {
	case o.role == raft.Leader && s.role == raft.Leader && o.term == s.term:
		return l.accuse(LeaderAppendOnly, first, second,
			"n%v leads term %d and replaced its own entry %d (term %d)", o.id, s.term, same+1, gone.term)
	case raft.Index(same) < o.commit:
		return l.accuse(Monotonicity, first, second,
			"n%v replaced entry %d (term %d), although it knew of commits up to %d", o.id, same+1, gone.term,
			o.commit)
	}
	return true
}
