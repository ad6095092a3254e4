package replica

import (
	"slices"

	"balsa/raft"
)

// Forwarding, the origin's half: a server that does not lead passes its callers' commands to the one that
// does. The leader's half is in accept.go.
//
//	caller ──▶ origin ──ForwardProposal{term, start, number, command}──▶ leader
//	             │    ◀─ForwardProposalResponse{entry}────────────────────┘
//	             └─ applies that entry itself, and answers with its own result
//
// Results never cross the wire: the origin learns only where the command stands, and waits until it has
// applied exactly that entry. A command is sent once. If no answer comes, nobody knows what became of it,
// and the caller is told so; sending it again could apply it twice.

// forwardSequence sets the sequences of forwarded requests apart from the core's.
const forwardSequence raft.Sequence = 1 << 62

// maxForwarded bounds the commands of an origin that are not answered; beyond it callers are refused.
const maxForwarded = 1 << 14

// maxResults bounds how many results an origin keeps for answers that are late.
const maxResults = 1 << 14

// origin is what a server keeps of the commands that it has forwarded and not answered.
type origin struct {
	number uint64      // the last one given out in this start
	open   []forwarded // in the order of their numbers
	// results are those of the entries applied since the oldest open command was sent: its entry may be
	// applied here before the leader's answer says which one it is. Those up to index dropped were more
	// than can be kept.
	results []applied
	dropped raft.Index
}

// forwarded is a command on its way to the leader, or in its log.
type forwarded struct {
	ticket raft.Ticket
	number uint64
	leader raft.Term    // the term of the leader that was addressed
	entry  raft.EntryID // zero until the leader has answered
	until  raft.Time    // when to give up waiting for that answer
}

type applied struct {
	entry  raft.EntryID
	result []byte
}

// forward sends a command to the leader. An answer is waited for as long as two maximal election timeouts.
func (r *Replica) forward(now raft.Time, p Proposed) {
	leader, term := r.Leader()
	o := &r.origin
	if len(o.open) >= maxForwarded {
		r.answer(Answer{Ticket: p.Ticket, Fate: Overloaded})
		return
	}
	o.number++
	o.open = append(o.open, forwarded{
		ticket: p.Ticket, number: o.number, leader: term, until: now + r.patience(),
	})
	r.send(raft.Letter{To: leader, Sequence: forwardSequence | raft.Sequence(o.number),
		Message: raft.ForwardProposal{
			Leader: term, Start: r.config.Identity.Start, Number: o.number, Command: p.Command,
		}})
}

// patience is how long a forwarded request may stay without an answer.
func (r *Replica) patience() raft.Time {
	return 2 * r.config.Tick * raft.Time(r.config.Core.ElectionMax)
}

// forwardAnswered takes the leader's answer to a forwarded command. An answer to another start, another
// term or a command that is no longer open says nothing.
func (r *Replica) forwardAnswered(m raft.ForwardProposalResponse) {
	o := &r.origin
	at := slices.IndexFunc(o.open, func(f forwarded) bool {
		return f.number == m.Number && f.leader == m.Leader && f.entry == raft.EntryID{}
	})
	if at < 0 || m.Start != r.config.Identity.Start {
		return
	}
	switch {
	case m.Refused && m.NotAccepted:
		r.closeForward(at, Answer{Fate: NotLeader})
	case m.Refused:
		r.closeForward(at, Answer{Fate: Unanswered})
	default:
		o.open[at].entry = m.Entry
		if a, known := o.judge(m.Entry); known {
			r.closeForward(at, a)
		}
	}
}

// judge tells what became of an entry, as far as what was applied here tells.
func (o *origin) judge(entry raft.EntryID) (a Answer, known bool) {
	if entry.Index <= o.dropped {
		return Answer{Fate: Unanswered, Entry: entry}, true
	}
	if len(o.results) == 0 {
		return Answer{}, false
	}
	first, last := o.results[0].entry, o.results[len(o.results)-1].entry
	switch {
	case entry.Index < first.Index: // applied before the command was sent: no answer of a correct leader
		return Answer{Fate: Unanswered, Entry: entry}, true
	case entry.Index > last.Index:
		// A later term before the entry's place: the log that held the entry has been replaced from there on.
		return Answer{Fate: Replaced, Entry: entry}, last.Term > entry.Term
	}
	there := o.results[entry.Index-first.Index]
	if there.entry != entry {
		return Answer{Fate: Replaced, Entry: entry}, true
	}
	return Answer{Fate: Done, Entry: entry, Result: there.result}, true
}

// settleForwards takes the results of a batch of applied entries to the forwarded commands.
func (r *Replica) settleForwards(ran Ran) {
	o := &r.origin
	if len(o.open) == 0 {
		return
	}
	for i, e := range ran.Entries {
		o.results = append(o.results, applied{entry: e.ID(), result: ran.Results[i]})
	}
	if excess := len(o.results) - maxResults; excess > 0 {
		o.dropped = o.results[excess-1].entry.Index
		o.results = slices.Delete(o.results, 0, excess)
	}
	for at := 0; at < len(o.open); {
		f := o.open[at]
		a, known := o.judge(f.entry)
		if (f.entry == raft.EntryID{}) || !known {
			at++
			continue
		}
		r.closeForward(at, a)
	}
}

// expireForwards answers the commands whose leader has not said in time where they stand.
func (r *Replica) expireForwards(now raft.Time) {
	for at := 0; at < len(r.origin.open); {
		if f := r.origin.open[at]; f.until > now || f.entry != (raft.EntryID{}) {
			at++
			continue
		}
		r.closeForward(at, Answer{Fate: Unanswered})
	}
}

func (r *Replica) closeForward(at int, a Answer) {
	o := &r.origin
	a.Ticket = o.open[at].ticket
	r.answer(a)
	o.open = slices.Delete(o.open, at, at+1)
	if len(o.open) == 0 {
		o.results, o.dropped = nil, 0
	}
}
