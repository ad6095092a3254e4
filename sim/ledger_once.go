package sim

import (
	"balsa/raft"
	"balsa/replica"
)

// Exactly once (thesis §6.3): whether an entry is carried out or repeats an earlier one is settled when it is
// committed, by the entries before it alone. Every server must come to the same, whatever clock it has, and
// from whichever snapshot it went on.

// touches reports whether the state machine sees the entry.
func (c *commitment) touches() bool { return c.kind == raft.Normal || c.verdict.fate == carriesOut }

// ran takes what a server made of an entry that it has applied: whether its state machine saw it, and what is
// answered.
func (l *ledger) ran(m Moment, id raft.NodeID, index raft.Index, touched bool, r replica.Result) {
	if l.found != nil || int(index) > len(l.committed) {
		return
	}
	c := &l.committed[index-1]
	did, sentence := "", ""
	switch {
	case touched && !c.touches():
		did, sentence = "carries out", "n%v carried out entry %d, which %v"
	case !touched && c.touches():
		did, sentence = "does not carry out", "n%v did not carry out entry %d, which %v"
	case r.Replayed != (c.verdict.fate == repeats), r.Fate != c.verdict.fate.answer():
		did, sentence = "answers otherwise for", "n%v answers otherwise than it must for entry %d, which %v"
	case r.Replayed && !l.sameAsFirst(c, r.Bytes):
		did, sentence = "has another result for", "n%v has another result for entry %d, which %v"
	default:
		return
	}
	l.accuse(ExactlyOnce, attest(c.at, c.by, "knows entry %d to be committed, which %v", index, c.verdict),
		attest(m, id, "%s entry %d", did, index), sentence, id, index, c.verdict)
}

// answer is the fate of whoever asked for it.
func (f entryFate) answer() replica.Fate {
	switch f {
	case isGone, isForgotten:
		return replica.SessionGone
	case isReused:
		return replica.KeyReused
	case isTooMany:
		return replica.TooManyKeys
	}
	return replica.Done
}

// refused takes that a client is told, of an entry that is committed, that nothing was carried out. Where the
// session is gone, an earlier attempt may have been.
func (l *ledger) refused(m Moment, id raft.NodeID, a replica.Answer) {
	if l.found != nil {
		return
	}
	if _, certain := a.Fate.Applied(); certain != (a.Fate != replica.SessionGone) {
		l.accuse(ExactlyOnce, l.lastCommitted(), attest(m, id, "answers entry %v", a.Entry),
			"n%v answers entry %v with fate %v, and that it is %v that it was not done", id, a.Entry, a.Fate,
			certain)
		return
	}
	if !l.knows(a.Entry) {
		l.accuse(ExactlyOnce, l.lastCommitted(), attest(m, id, "answers for %v", a.Entry),
			"n%v answers entry %v with fate %v, and that is not committed", id, a.Entry, a.Fate)
		return
	}
	if c := &l.committed[a.Entry.Index-1]; c.verdict.fate.answer() != a.Fate {
		l.accuse(ExactlyOnce, attest(c.at, c.by, "knows entry %d to be committed, which %v", a.Entry.Index,
			c.verdict), attest(m, id, "answers it with fate %v", a.Fate),
			"n%v answers otherwise than it must for entry %d, which %v", id, a.Entry.Index, c.verdict)
	}
}

// sameAsFirst reports whether a repetition is answered with the result of the entry that was carried out.
func (l *ledger) sameAsFirst(c *commitment, result []byte) bool {
	first := &l.results[c.verdict.first-1]
	return first.by == raft.None || first.hash == hashBytes(result)
}
