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

	like   uint32   // equal for messages that differ in their sequence alone
	paired sequence // 0 if it has none
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
	p.numbers[string(frame)] = n
	heard := letter{From: got.From.Node, To: got.To, Sequence: got.Sequence, Message: got.Message, like: n}
	switch l.Message.(type) {
	case raft.AppendEntries:
		heard.paired = pairing(from, l.To, l.Sequence)
	case raft.AppendEntriesResponse:
		heard.paired = pairing(l.To, from, l.Sequence)
	}
	p.letters = append(p.letters, heard)
	if heard.paired != 0 {
		p.letters[n].like = p.like(e, n)
	}
	return n, nil
}

// like returns the number of the first message that differed from this one in its sequence alone.
func (p *post) like(e raft.Envelope, n uint32) uint32 {
	e.Sequence = 0
	key := "like" + string(wire.AppendEnvelope(nil, e))
	if first, known := p.numbers[key]; known {
		return first
	}
	p.numbers[key] = n
	return n
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
