package replica

import (
	"slices"

	"balsa/raft"
)

// Forwarding, the leader's half: take what others forward, each command once.
//
// A network may deliver a forwarded command twice, and minutes late. So a leader lists what it has taken in
// its term, by origin, start and number: what is on the list is answered as the first time and not appended
// again. The list also says what was *not* taken, which is the only ground on which an origin may tell its
// caller that a command was not applied: a server that leads that term no more, and can show that it never
// took the number, never will.

const (
	maxReigns  = 4       // terms whose lists are kept
	maxNumbers = 1 << 14 // numbers kept for each origin; below them, silence
)

// accepted is what this server has taken of what others forward.
type accepted struct {
	reigns     []*reign // of commands, by term
	forgotten  raft.Term
	bornIn     raft.Term               // the term in which this run began, or above all: it is not known
	foreign    map[raft.Ticket]foreign // questions that the core has not answered
	foreigners raft.Ticket
}

// reign lists what this server took as leader of one term.
type reign struct {
	term    raft.Term
	origins []taken // sorted by nothing: as many as there are servers
}

// taken lists what was forwarded by one start of one server. One whose disk was wiped, and that joins again
// under its id, counts starts and numbers from the beginning: without the incarnation it would be told of
// commands of its predecessor that they are its own.
type taken struct {
	node    raft.NodeID
	of      raft.Incarnation
	start   uint64
	floor   uint64 // numbers up to it may have been forgotten: they are passed over
	numbers map[uint64]verdict
	order   []uint64 // the numbers as they came: the first are forgotten first
}

// verdict is the answer that a number has got, and gets again.
type verdict struct {
	answered bool
	entry    raft.EntryID // zero when it was refused
	why      raft.Refusal // of one that was refused
}

// foreign is a question of another server that was put to the core.
type foreign struct {
	node     raft.NodeID
	of       raft.Incarnation
	sequence raft.Sequence
	leader   raft.Term
	start    uint64
	number   uint64
}

// foreignTicket sets the tickets of foreign questions apart from those of our own callers.
const foreignTicket raft.Ticket = 1 << 63

// takeForwarded takes a command from another server, if this one leads the term that was addressed.
func (r *Replica) takeForwarded(now raft.Time, e raft.Envelope, m raft.ForwardProposal) {
	f := foreign{node: e.From.Node, of: e.From.Incarnation, sequence: e.Sequence, leader: m.Leader,
		start: m.Start, number: m.Number}
	if !r.mayForward(e, f) || !acceptable(m) {
		return
	}
	if r.core.Role() != raft.Leader || r.core.Term() != m.Leader {
		r.refuseForwarded(f)
		return
	}
	g := r.reign(m.Leader)
	if g == nil {
		g = r.beginReign(m.Leader)
	}
	list := g.list(f)
	if v, met := list.recall(f); met {
		r.repeat(f, v)
		return
	}
	list.take(f.number)
	r.core.Step(now, raft.Propose{Ticket: r.ticketFor(f), Kind: m.Kind, Command: m.Command})
}

// mayForward reports whether a server may have something done here: it is a member, which keeps strangers
// from filling the lists, and it speaks for the start that sends.
func (r *Replica) mayForward(e raft.Envelope, f foreign) bool {
	m, is := r.core.Known(f.node)
	means := m.Incarnation == 0 || m.Incarnation == e.From.Incarnation
	return is && means && f.start == e.From.Start
}

// acceptable reports whether every server can carry out a forwarded command. One that none can would stop
// them all once it is committed, for good.
func acceptable(m raft.ForwardProposal) bool {
	switch m.Kind {
	case 0, raft.Normal:
		return true
	case raft.Session:
		_, _, err := decodeOnce(m.Command)
		return err == nil
	}
	return false
}

// repeat answers a command that was met before as it was answered then. If it was not, or nobody knows any
// more, silence is no refusal.
func (r *Replica) repeat(f foreign, v verdict) {
	if v.answered {
		r.answerForwarded(f, v)
	}
}

// ticketFor gives a foreign question a ticket.
func (r *Replica) ticketFor(f foreign) raft.Ticket {
	r.foreigners++
	ticket := foreignTicket | r.foreigners
	r.foreign[ticket] = f
	return ticket
}

// foreignAnswered records the core's answer to a forwarded command, and passes it on. A refusal is recorded
// too: the origin tells its caller that the command was not applied, so a second delivery must not be
// taken.
func (r *Replica) foreignAnswered(a raft.Answer) {
	f := r.foreign[a.Ticket]
	delete(r.foreign, a.Ticket)
	v := verdict{answered: true, entry: a.Entry, why: a.Refusal}
	if g := r.reign(f.leader); g != nil {
		g.list(f).note(f, v)
	}
	r.answerForwarded(f, v)
}

func (r *Replica) answerForwarded(f foreign, v verdict) {
	refused := v.entry == raft.EntryID{}
	r.send(raft.Letter{To: f.node, Sequence: f.sequence, Message: raft.ForwardProposalResponse{
		Leader: f.leader, Start: f.start, Number: f.number,
		Entry: v.entry, Refused: refused, NotAccepted: refused, Overloaded: v.why == raft.Overloaded,
		HandingOver: v.why == raft.Transferring,
	}})
}

// refuseForwarded answers a command for a term in which this server does not lead, or no longer. If it took
// it while it did, it says where the command stands. It says that it did not take it only if it can know:
// it has seen that whole reign, if there was one, in this run; it remembers it; and it can never lead that
// term again.
func (r *Replica) refuseForwarded(f foreign) {
	g := r.reign(f.leader)
	if g != nil {
		if v, met := g.list(f).recall(f); met {
			r.repeat(f, v)
			return
		}
	}
	over := r.core.Term() > f.leader || r.core.Term() == f.leader && g != nil
	r.send(raft.Letter{To: f.node, Sequence: f.sequence, Message: raft.ForwardProposalResponse{
		Leader: f.leader, Start: f.start, Number: f.number, Refused: true,
		NotAccepted: over && f.leader > r.bornIn && f.leader > r.forgotten,
	}})
}

// reign returns the list of a term in which this server leads or led, nil if there is none.
func (r *Replica) reign(term raft.Term) *reign {
	for _, g := range r.reigns {
		if g.term == term {
			return g
		}
	}
	return nil
}

// beginReign makes the list of the term in which this server leads, which is later than all others.
func (r *Replica) beginReign(term raft.Term) *reign {
	g := &reign{term: term}
	r.reigns = append(r.reigns, g)
	if len(r.reigns) > maxReigns {
		r.forgotten = r.reigns[0].term
		r.reigns = slices.Delete(r.reigns, 0, 1)
	}
	return g
}

// list returns what was taken from a server: from that start, or from a later one that was met already. An
// earlier start can send nothing any more, so its list goes.
func (g *reign) list(f foreign) *taken {
	for i := range g.origins {
		if t := &g.origins[i]; t.node == f.node && t.of == f.of {
			if f.start > t.start {
				*t = taken{node: f.node, of: f.of, start: f.start, numbers: map[uint64]verdict{}}
			}
			return t
		}
	}
	g.origins = append(g.origins,
		taken{node: f.node, of: f.of, start: f.start, numbers: map[uint64]verdict{}})
	return &g.origins[len(g.origins)-1]
}

// recall tells what was answered to a command, and whether it may have been met before: an earlier start can
// send nothing any more, and numbers up to the floor may have been forgotten.
func (t *taken) recall(f foreign) (v verdict, met bool) {
	if t.start != f.start {
		return verdict{}, true
	}
	v, met = t.numbers[f.number]
	return v, met || f.number <= t.floor
}

// note records the answer to a command, unless the command is forgotten by now.
func (t *taken) note(f foreign, v verdict) {
	if _, known := t.numbers[f.number]; known && t.start == f.start {
		t.numbers[f.number] = v
	}
}

// take notes that a number was put to the core. When too many are kept the oldest goes, and with it the
// right to take any number up to it.
func (t *taken) take(number uint64) {
	t.numbers[number] = verdict{}
	t.order = append(t.order, number)
	if len(t.order) > maxNumbers {
		t.floor = max(t.floor, t.order[0])
		delete(t.numbers, t.order[0])
		t.order = t.order[1:]
	}
}
