package replica

import (
	"fmt"

	"balsa/raft"
)

// Proposals of callers here, put to the own core. Each caller waits for the result of exactly its own
// entry; what is passed to another server stands in forward.go.

// proposing is what is known of them.
type proposing struct {
	waiting  []waiting      // accepted proposals in the order of their entries
	commands []raft.Propose // memory for the next that are put to the core
}

// waiting is a caller whose command stands in the log.
type waiting struct {
	ticket raft.Ticket
	entry  raft.EntryID
}

// refuse answers whoever comes after this server has stopped.
func (r *Replica) refuse(event Event) {
	switch event := event.(type) {
	case Proposed:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case AllProposed:
		for _, p := range event.Proposals {
			r.answer(Answer{Ticket: p.Ticket, Fate: Refused})
		}
	case Asked:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case Awaited:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case ChangeAsked:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case TransferAsked:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case TakeSnapshot:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case ImageAsked:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	case TimePassed:
		r.answer(Answer{Ticket: event.Ticket, Fate: Refused})
	}
}

// propose puts commands to the core if it leads, and otherwise forwards them to the leader, if one is known.
func (r *Replica) propose(now raft.Time, all ...Proposed) {
	for i := range all {
		if err := all[i].Once.Check(); err != nil {
			panic(raft.Violation{Sentence: err.Error()})
		}
	}
	r.put(now, all...)
}

// put is propose without the check.
func (r *Replica) put(now raft.Time, all ...Proposed) {
	leader, _ := r.Leader()
	elsewhere := leader != raft.None && leader != r.config.Core.ID
	commands := r.commands[:0]
	for i := range all {
		p := &all[i]
		if elsewhere && !p.Local {
			r.forward(now, *p)
			continue
		}
		kind, command := p.Once.encode(p.Command)
		commands = append(commands, raft.Propose{Ticket: p.Ticket, Kind: kind, Command: command})
	}
	if len(commands) > 0 {
		r.core.Step(now, raft.ProposeAll{Proposals: commands})
	}
	clear(commands)
	r.commands = commands[:0]
}

// clockTicket is that of the entries that this server proposes by itself to let time pass in the log.
const clockTicket raft.Ticket = 1 << 62

// letTimePass proposes, at a leader, an entry that brings nothing but its log time, when something is due by
// then and no entry is on its way that would end it. Nothing ends on one server alone, so without that entry
// a quiet cluster would keep for ever what was to last a minute.
func (r *Replica) letTimePass(now raft.Time) {
	if r.due == 0 || r.core.Role() != raft.Leader || r.due > r.core.LogTime() {
		return
	}
	if r.due == r.clock.due && r.last == r.clock.entry {
		r.reportStuck()
		return
	}
	coming := r.core.EntriesAfter(r.applied)
	if n := len(coming); n > 0 && coming[n-1].Time >= r.due {
		return
	}
	kind, command := Once{What: passTime}.encode(nil)
	r.clock = clockEntry{due: r.due}
	r.core.Step(now, raft.Propose{Ticket: clockTicket, Kind: kind, Command: command})
}

// clockEntry is the latest entry that this server proposed to let time pass.
type clockEntry struct {
	due   raft.Time    // what it is to end
	entry raft.EntryID // zero until it stands in the log
}

// NotEnded is the event that the state machine calls something due that no entry ends: its NextExpiry must
// name another time once Expire was called with an entry of that time.
type NotEnded struct{ Due raft.Time }

// String is one sentence.
func (e NotEnded) String() string {
	return fmt.Sprintf("the state machine has not ended what was due at %d, and gets no entry for it", e.Due)
}

// reportStuck tells once that the entry applied last came to end what is due, and that it is due all the
// same. Another would not end it either, and one more would follow at each tick for ever. What a later entry
// has made due, even for a time long past, and the rest of what Expire ends in portions are no such case.
func (r *Replica) reportStuck() {
	if r.stuck != r.due {
		r.stuck = r.due
		r.ready = append(r.ready, Report{Events: []raft.Event{NotEnded{Due: r.due}}})
	}
}

func (r *Replica) takeAnswer(a raft.Answer) {
	if a.Ticket == clockTicket {
		r.clock.entry = a.Entry // nobody waits; if it was refused, it is proposed again at the next tick
		return
	}
	if _, is := r.foreign[a.Ticket]; is {
		r.foreignAnswered(a)
		return
	}
	if a.Ticket == houseTicket {
		r.houseAnswered(a)
		return
	}
	if r.changes.answered(r, a) {
		return
	}
	if a.Refusal == raft.Accepted {
		r.waiting = append(r.waiting, waiting{ticket: a.Ticket, entry: a.Entry})
		return
	}
	r.answer(refused(a))
}

// refused is what a caller is told whose question the core has refused.
func refused(a raft.Answer) Answer {
	fate := Rejected
	switch a.Refusal {
	case raft.NotLeader:
		fate = NotLeader
	case raft.Overloaded:
		fate = Overloaded
	case raft.Transferring:
		fate = HandingOver
	}
	return Answer{Ticket: a.Ticket, Fate: fate, Refusal: a.Refusal}
}

// settle answers those who waited for an entry up to the one applied: with the result if it is theirs.
// Another term at their index means that their entry was replaced; a result taken by index alone would be
// somebody else's.
func (r *Replica) settle(applied raft.EntryID, result Result) {
	for len(r.waiting) > 0 && r.waiting[0].entry.Index <= applied.Index {
		w := r.waiting[0]
		r.waiting = r.waiting[1:]
		a := Answer{Ticket: w.ticket, Fate: Replaced, Entry: w.entry}
		if w.entry == applied {
			a = result.answer(w.entry)
			a.Ticket = w.ticket
		}
		r.answer(a)
	}
}

// giveUpLost answers those whose entries this server can no longer follow as leader. What is committed
// already will still be applied here, so its callers keep waiting for their results.
func (r *Replica) giveUpLost() {
	if len(r.waiting) == 0 ||
		r.core.Role() == raft.Leader && r.core.Term() == r.waiting[len(r.waiting)-1].entry.Term {
		return
	}
	kept := 0
	for _, w := range r.waiting {
		if w.entry.Index <= r.core.Commit() {
			r.waiting[kept] = w
			kept++
			continue
		}
		r.answer(Answer{Ticket: w.ticket, Fate: LeadershipLost, Entry: w.entry})
	}
	r.waiting = r.waiting[:kept]
}
