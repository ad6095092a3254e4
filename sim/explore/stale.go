package explore

import (
	"fmt"

	"balsa/raft"
)

// An answer that comes too late can change nothing any more: it is of a term that is over, or to a question
// that was a candidate's which now leads or follows. Such answers are taken out of the world, for worlds that
// differ in them alone are the same.
//
// That they change nothing is what the core claims, so it is not assumed but checked: afterwards, each such
// answer is given to each server for which it would have been taken out (checkStale). Once stale is always
// stale, for terms on disk never fall, and a campaign begins a new term (checkAlone).

// stale reports whether a message can no longer change anything at its receiver.
func (l *letter) stale(s *server) bool {
	switch m := l.Message.(type) {
	case raft.PreVoteResponse:
		return m.Granted && m.Term <= s.hard.Term
	case raft.RequestVoteResponse:
		return m.Term <= s.hard.Term && !(s.term == m.Term && s.role == raft.Candidate)
	case raft.AppendEntriesResponse:
		waits := s.role == raft.Candidate || s.role == raft.Leader
		return m.Term <= s.hard.Term && !(s.term == m.Term && waits)
	}
	return false
}

// forget takes out of a world the answers that are stale since a server has changed, and those that were
// stale when it sent them.
func (e *explorer) forget(w *world, place int, sent []uint32) {
	if e.habits.plain {
		return
	}
	s := e.servers[w.servers[place]]
	kept := w.mail[:0]
	for _, n := range w.mail {
		if l := &e.post.letters[n]; l.To != s.id || !l.stale(s) {
			kept = append(kept, n)
		}
	}
	e.report.Stale += len(w.mail) - len(kept)
	w.mail = kept
	for _, n := range sent {
		if l := &e.post.letters[n]; l.stale(e.servers[w.servers[l.To-1]]) {
			w.take(n)
			e.report.Stale++
		}
	}
}

// mostStale bounds the pairs that checkStale looks at; beyond it, they are taken at even distances.
const mostStale = 400_000

// checkStale gives every stale answer to every server, and demands that nothing changes.
func (e *explorer) checkStale() error {
	pairs, stride := len(e.servers)*len(e.post.letters), 1
	if pairs > mostStale {
		stride = pairs/mostStale | 1
	}
	for at := 0; at < pairs; at += stride {
		s, n := e.servers[at/len(e.post.letters)], at%len(e.post.letters)
		l := &e.post.letters[n]
		if l.To != s.id || !l.stale(s) {
			continue
		}
		e.report.Checked++
		st, wrong := e.step(s, onLetter(deliver, uint32(n)))
		if wrong != nil || len(st.sent) > 0 || st.digest() != s.digest() {
			return &Violation{Property: "Late answers are ignored", Sentence: fmt.Sprintf(
				"%v, %v of term %d, takes notice of %v", s.id, s.role, s.term, l)}
		}
	}
	return nil
}
