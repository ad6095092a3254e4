package explore

import (
	"fmt"

	"balsa/raft"
)

// violation says which property does not hold, and by which witnesses.
type violation struct {
	Property string
	Sentence string
}

// The checks that look at one server alone: its promises against its own disk.

// wrong ends a step with a violation.
func (st *stride) wrong(property, format string, args ...any) {
	if st.habits.trusting {
		return
	}
	panic(&violation{Property: property, Sentence: fmt.Sprintf(format, args...)})
}

// checkPromise demands that what a message promises is on the disk of its sender (Figure 2: "updated on
// stable storage before responding to RPCs").
func (st *stride) checkPromise(l raft.Letter) {
	const property = "Promises rest on the disk"
	term := raft.Term(0)
	switch m := l.Message.(type) {
	case raft.RequestVote:
		term = m.Term
		if st.hard.Vote != st.id {
			st.wrong(property, "%v asks for votes in term %d, and its disk has a vote for %v", st.id,
				m.Term, st.hard.Vote)
		}
	case raft.RequestVoteResponse:
		term = m.Term
		if m.Granted && (st.hard.Vote != l.To || st.hard.Term != m.Term) {
			st.wrong(property, "%v votes for %v in term %d, and its disk has term %d and a vote for %v",
				st.id, l.To, m.Term, st.hard.Term, st.hard.Vote)
		}
	case raft.AppendEntries:
		term = m.Term
	case raft.AppendEntriesResponse:
		term = m.Term
		st.checkMatch(m)
	}
	if term > st.hard.Term {
		st.wrong(property, "%v sends a message of term %d, and its disk has term %d", st.id, term,
			st.hard.Term)
	}
}

func (st *stride) checkMatch(m raft.AppendEntriesResponse) {
	log, disk := hashes(st.core.EntriesAfter(0)), hashes(st.disk)
	if m.Match >= raft.Index(len(disk)) || m.Match >= raft.Index(len(log)) || log[m.Match] != disk[m.Match] {
		st.wrong("Promises rest on the disk",
			"%v acknowledges its log up to %d, and its disk does not have it", st.id, m.Match)
	}
}

// checkVote demands that the disk holds one vote in each term, for ever (§5.2), and that terms rise.
func (st *stride) checkVote(before raft.HardState) {
	switch {
	case st.hard.Term < before.Term:
		st.wrong("Terms rise", "term %d replaces term %d on the disk of %v", st.hard.Term, before.Term, st.id)
	case st.hard.Term == before.Term && before.Vote != raft.None && st.hard.Vote != before.Vote:
		st.wrong("One vote", "in term %d, a vote for %v replaces one for %v on the disk of %v", st.hard.Term,
			st.hard.Vote, before.Vote, st.id)
	}
}

// checkApply demands that what is applied is on the own disk, and without a gap.
func (st *stride) checkApply(committed []raft.Entry) {
	for i, e := range committed {
		at := st.applied + raft.Index(i) + 1
		if e.Index != at {
			st.wrong("State Machine Safety", "%v applies %v, and %d is next", st.id, e.ID(), at)
		}
		if int(at) > len(st.disk) || st.disk[at-1].ID() != e.ID() {
			st.wrong("Applied is durable", "%v applies %v, which is not on its disk", st.id, e.ID())
		}
	}
}

// checkAlone compares two states of a server.
func (st *stride) checkAlone(before *server) {
	hard, disk := st.hard, st.disk
	for _, w := range st.writes {
		hard, disk = w.onto(hard, disk)
	}
	handedOut := hashes(disk)
	if hard.Term != st.term || handedOut[len(handedOut)-1] != st.prefix[len(st.prefix)-1] {
		st.wrong("What is in memory is on its way to the disk",
			"the disk of %v will have term %d and %d entries; in memory are term %d and %d", st.id, hard.Term,
			len(disk), st.term, len(st.log))
	}
	if st.role == raft.Candidate && st.term == before.term && before.role != raft.Candidate {
		st.wrong("A campaign begins a term", "%v campaigns in term %d, in which it was a %v", st.id, st.term,
			before.role)
	}
	kept := min(before.commit, raft.Index(len(st.log)))
	if st.core.Commit() >= before.commit && st.prefix[kept] != before.prefix[kept] {
		st.wrong("Committed is for ever", "%v replaced what it called committed", st.id)
	}
}
