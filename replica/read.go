package replica

import (
	"cmp"
	"slices"

	"balsa/raft"
)

// Reads. A caller reads the state machine of its own server; what it needs to know is when that is new
// enough. A linearizable read asks the leader for an index (ReadIndex, thesis §6.4), from wherever it is,
// and waits until this server has applied up to it.

// reads is what a server keeps of the reads that are not answered.
type reads struct {
	own     []raft.Ticket // put to the own core, in the order in which they came
	waiting []waitingRead // know their index, and wait for the state machine
	sent    []sentRead    // in the order of their numbers; wait for the leader's answer
}

type waitingRead struct {
	ticket raft.Ticket
	index  raft.Index
}

type sentRead struct {
	ticket raft.Ticket
	number uint64
	leader raft.Term
	until  raft.Time
}

// read asks for an index at which a read is linearizable: the own core if it leads, the leader otherwise.
func (r *Replica) read(now raft.Time, a Asked) {
	leader, term := r.Leader()
	if a.Local || leader == raft.None || leader == r.config.Core.ID {
		r.reads.own = append(r.reads.own, a.Ticket)
		r.core.Step(now, raft.ReadIndex{Ticket: a.Ticket, Lease: a.Lease})
		return
	}
	if len(r.reads.sent) >= maxForwarded {
		r.answer(Answer{Ticket: a.Ticket, Fate: Overloaded})
		return
	}
	r.origin.number++
	r.reads.sent = append(r.reads.sent, sentRead{
		ticket: a.Ticket, number: r.origin.number, leader: term, until: now + r.patience(),
	})
	r.send(raft.Letter{To: leader, Sequence: forwardSequence | r.life() | raft.Sequence(r.origin.number),
		Message: raft.ForwardRead{
			Leader: term, Start: r.config.Identity.Start, Number: r.origin.number,
			Lease: a.Lease && r.leases(),
		}})
}

// takeForwardedRead puts another server's read to the core. A read changes nothing: asked twice it is
// answered twice.
func (r *Replica) takeForwardedRead(now raft.Time, e raft.Envelope, m raft.ForwardRead) {
	f := foreign{node: e.From.Node, sequence: e.Sequence, leader: m.Leader, start: m.Start, number: m.Number}
	if !r.mayForward(e, f) {
		return
	}
	if r.core.Role() != raft.Leader || r.core.Term() != m.Leader {
		r.answerForeignRead(f, raft.Reading{Refusal: raft.NotLeader})
		return
	}
	r.core.Step(now, raft.ReadIndex{Ticket: r.ticketFor(f), Lease: m.Lease})
}

// leases reports whether the configuration knows of leases. As long as it does not, the leader may be of a
// program that cannot read a question for one.
func (r *Replica) leases() bool { return r.core.Members().LeaseDrift > 0 }

func (r *Replica) answerForeignRead(f foreign, a raft.Reading) {
	r.send(raft.Letter{To: f.node, Sequence: f.sequence, Message: raft.ForwardReadResponse{
		Leader: f.leader, Start: f.start, Number: f.number,
		Index: a.Index, Refused: a.Refusal != raft.Accepted,
		Overloaded: a.Refusal == raft.Overloaded,
	}})
}

// without removes one element. Answers come in the order of the questions, so it is almost always the
// first, and the others need not move.
func without[T any](list []T, at int) []T {
	if at == 0 {
		return list[1:]
	}
	return slices.Delete(list, at, at+1)
}

// readAnswered takes the core's answer to a read, of a caller here or of another server.
func (r *Replica) readAnswered(a raft.Reading) {
	if f, is := r.foreign[a.Ticket]; is {
		delete(r.foreign, a.Ticket)
		r.answerForeignRead(f, a)
		return
	}
	r.reads.own = without(r.reads.own, slices.Index(r.reads.own, a.Ticket))
	switch a.Refusal {
	case raft.Accepted:
		r.await(a.Ticket, a.Index)
	case raft.Overloaded:
		r.answer(Answer{Ticket: a.Ticket, Fate: Overloaded})
	default:
		r.answer(Answer{Ticket: a.Ticket, Fate: NotLeader})
	}
}

// forwardedReadAnswered takes the leader's answer to a read of a caller here. The number is that of one
// question: an answer to an earlier one, however late, confirms nothing for this.
func (r *Replica) forwardedReadAnswered(m raft.ForwardReadResponse) {
	sent := r.reads.sent
	at, open := slices.BinarySearchFunc(sent, m.Number,
		func(s sentRead, number uint64) int { return cmp.Compare(s.number, number) })
	if !open || sent[at].leader != m.Leader || m.Start != r.config.Identity.Start {
		return
	}
	ticket := sent[at].ticket
	r.reads.sent = without(sent, at)
	switch {
	case m.Refused && m.Overloaded:
		r.answer(Answer{Ticket: ticket, Fate: Overloaded})
	case m.Refused:
		r.answer(Answer{Ticket: ticket, Fate: NotLeader})
	default:
		r.await(ticket, m.Index)
	}
}

// await answers a caller once this server has applied up to an index.
func (r *Replica) await(ticket raft.Ticket, index raft.Index) {
	if index <= r.applied && !r.starting {
		r.answer(Answer{Ticket: ticket, Fate: Done, Entry: raft.EntryID{Index: index}})
		return
	}
	r.reads.waiting = append(r.reads.waiting, waitingRead{ticket: ticket, index: index})
}

// settleReads answers the reads whose index has been applied.
func (r *Replica) settleReads() {
	r.reads.waiting = slices.DeleteFunc(r.reads.waiting, func(w waitingRead) bool {
		if w.index > r.applied || r.starting {
			return false
		}
		r.answer(Answer{Ticket: w.ticket, Fate: Done, Entry: raft.EntryID{Index: w.index}})
		return true
	})
}

// forgetRead drops a read that waits for the state machine and whose caller does not. It may wait for an
// index that never comes: one that a caller made up would be kept for ever.
func (r *Replica) forgetRead(ticket raft.Ticket) {
	r.reads.waiting = slices.DeleteFunc(r.reads.waiting,
		func(w waitingRead) bool { return w.ticket == ticket })
}

// expireReads answers the reads to which the leader has not answered in time. Nothing was read; they may be
// asked again.
func (r *Replica) expireReads(now raft.Time) {
	r.reads.sent = slices.DeleteFunc(r.reads.sent, func(s sentRead) bool {
		if s.until > now {
			return false
		}
		r.answer(Answer{Ticket: s.ticket, Fate: Unanswered})
		return true
	})
}

// stopReads answers every read that waits, those too that the core holds.
func (r *Replica) stopReads() {
	for _, ticket := range r.reads.own {
		r.answer(Answer{Ticket: ticket, Fate: Refused})
	}
	for _, w := range r.reads.waiting {
		r.answer(Answer{Ticket: w.ticket, Fate: Refused})
	}
	for _, s := range r.reads.sent {
		r.answer(Answer{Ticket: s.ticket, Fate: Refused})
	}
	r.reads = reads{}
}
