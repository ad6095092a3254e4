package explore

import (
	"fmt"
	"strings"

	"balsa/raft"
	"balsa/wire"
)

// post numbers messages: equal ones, which are equal in every byte on the wire, have one number.
type post struct {
	letters []letter
	numbers map[string]uint32 // by the bytes on the wire; only looked up
}

// letter is a message under way, as its receiver decodes it.
type letter struct {
	From, To raft.NodeID
	Sequence raft.Sequence
	Message  raft.Message
}

// number encodes a message and returns its number.
//
// The core pairs answers with requests by their sequence for AppendEntries alone. The others bear none here,
// or worlds would be told apart by a number that nobody looks at.
func (p *post) number(from raft.NodeID, l raft.Letter) (uint32, error) {
	e := raft.Envelope{From: raft.Identity{Node: from}, To: l.To, Sequence: l.Sequence, Message: l.Message}
	switch l.Message.(type) {
	case raft.PreVote, raft.PreVoteResponse, raft.RequestVote, raft.RequestVoteResponse:
		e.Sequence = 0
	}
	frame := wire.AppendEnvelope(nil, e)
	if n, known := p.numbers[string(frame)]; known {
		return n, nil
	}
	got, err := wire.DecodeEnvelope(frame)
	if err != nil {
		return 0, fmt.Errorf("a message that its receiver cannot read: %w", err)
	}
	n := uint32(len(p.letters))
	if n == maxLetters {
		return 0, fmt.Errorf("more than %d different messages", maxLetters)
	}
	p.letters = append(p.letters, letter{got.From.Node, got.To, got.Sequence, got.Message})
	p.numbers[string(frame)] = n
	return n, nil
}

// String shows a message as a story tells it: from, to, what.
func (l letter) String() string {
	return fmt.Sprintf("%v→%v %s", l.From, l.To, describe(l.Message))
}

func describe(m raft.Message) string {
	a, ok := m.(raft.AppendEntries)
	if !ok {
		return strings.TrimPrefix(fmt.Sprintf("%T%+v", m, m), "raft.")
	}
	var ids []string
	for _, e := range a.Entries {
		ids = append(ids, e.ID().String())
	}
	return fmt.Sprintf("AppendEntries{Term:%d Prev:%v Entries:[%s] Commit:%d Round:%d}", a.Term, a.Prev,
		strings.Join(ids, " "), a.Commit, a.Round)
}

// asksForVote reports whether a follower may refuse the message because it hears a leader.
func (l letter) asksForVote() bool {
	switch l.Message.(type) {
	case raft.PreVote, raft.RequestVote:
		return true
	}
	return false
}
