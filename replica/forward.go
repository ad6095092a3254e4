package replica

import (
	"cmp"
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

// forwardSequence sets the sequences of forwarded requests apart from the core's (lives.go draws them).
const forwardSequence raft.Sequence = 1 << 62

// maxForwarded bounds the commands of an origin that are not answered; beyond it callers are refused.
const maxForwarded = 1 << 14

// origin is what a server keeps of the commands that it has forwarded and not answered.
type origin struct {
	number uint64      // the last one given out in this start
	open   []forwarded // in the order of their numbers
	kept   results     // of the entries applied since the oldest open command was sent
}

// forwarded is a command on its way to the leader, or in its log.
type forwarded struct {
	ticket raft.Ticket
	number uint64
	leader raft.Term    // the term of the leader that was addressed
	since  raft.Index   // what was applied here when it was sent: its entry comes after that
	entry  raft.EntryID // zero until the leader has answered
	until  raft.Time    // when to give up waiting for that answer
}

func (f forwarded) placed() bool { return f.entry != raft.EntryID{} }

// forward sends a command to the leader. An answer is waited for as long as two maximal election timeouts.
func (r *Replica) forward(now raft.Time, p Proposed) {
	leader, term := r.Leader()
	o := &r.origin
	if len(o.open) >= maxForwarded {
		r.answer(Answer{Ticket: p.Ticket, Fate: Overloaded})
		return
	}
	kind, command := p.Once.encode(p.Command)
	o.number++
	o.open = append(o.open, forwarded{
		ticket: p.Ticket, number: o.number, leader: term, since: r.applied, until: now + r.patience(),
	})
	r.send(raft.Letter{To: leader, Sequence: forwardSequence | r.life() | raft.Sequence(o.number),
		Message: raft.ForwardProposal{
			Leader: term, Start: r.config.Identity.Start, Number: o.number, Kind: kind, Command: command,
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
	at, open := slices.BinarySearchFunc(o.open, m.Number,
		func(f forwarded, number uint64) int { return cmp.Compare(f.number, number) })
	if !open || m.Start != r.config.Identity.Start || o.open[at].leader != m.Leader || o.open[at].placed() {
		return
	}
	switch {
	case m.Refused && m.NotAccepted && m.Overloaded:
		r.closeForward(at, Answer{Fate: Overloaded})
	case m.Refused && m.NotAccepted && m.HandingOver:
		r.closeForward(at, Answer{Fate: HandingOver, Refusal: raft.Transferring})
	case m.Refused && m.NotAccepted:
		r.closeForward(at, Answer{Fate: NotLeader})
	case m.Refused:
		r.closeForward(at, Answer{Fate: Unanswered})
	default:
		o.open[at].entry = m.Entry
		if a, known := o.kept.judge(m.Entry); known {
			r.closeForward(at, a)
		}
	}
}

// settleForwards takes the results of a batch of applied entries to the forwarded commands.
func (r *Replica) settleForwards(ran Ran) {
	o := &r.origin
	if len(o.open) == 0 {
		return
	}
	o.kept.add(ran)
	r.closeForwards(func(f forwarded) (Answer, bool) {
		if !f.placed() {
			return Answer{}, false
		}
		return o.kept.judge(f.entry)
	})
	o.kept.bound()
}

// returned takes back what did not reach the leader. The command was sent once, so it was not taken and
// never will be: the caller may send it again. A read may be asked again in any case.
func (r *Replica) returned(e raft.Envelope) {
	switch m := e.Message.(type) {
	case raft.ForwardProposal:
		r.forwardAnswered(raft.ForwardProposalResponse{Leader: m.Leader, Start: m.Start, Number: m.Number,
			Refused: true, NotAccepted: true})
	case raft.ForwardRead:
		r.forwardedReadAnswered(raft.ForwardReadResponse{Leader: m.Leader, Start: m.Start, Number: m.Number,
			Refused: true})
	}
}

// expireForwards answers the commands whose leader has not said in time where they stand.
func (r *Replica) expireForwards(now raft.Time) {
	r.closeForwards(func(f forwarded) (Answer, bool) {
		return Answer{Fate: Unanswered}, f.until <= now && !f.placed()
	})
}

// closeForwards answers every open command of which something is known now.
func (r *Replica) closeForwards(know func(forwarded) (Answer, bool)) {
	o := &r.origin
	o.open = slices.DeleteFunc(o.open, func(f forwarded) bool {
		a, known := know(f)
		if known {
			a.Ticket = f.ticket
			r.answer(a)
		}
		return known
	})
	o.tidy()
}

func (r *Replica) closeForward(at int, a Answer) {
	o := &r.origin
	a.Ticket = o.open[at].ticket
	r.answer(a)
	o.open = without(o.open, at)
	o.tidy()
}

// tidy forgets the results that nobody can ask for any more.
func (o *origin) tidy() {
	if len(o.open) == 0 {
		o.kept = results{}
		return
	}
	o.kept.forget(o.open[0].since)
}
