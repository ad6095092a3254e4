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

// reign lists what this server took as leader of one term.
type reign struct {
	term    raft.Term
	origins []taken // sorted by nothing: as many as there are servers
}

// taken lists what was forwarded by one start of one server.
type taken struct {
	node    raft.NodeID
	start   uint64
	floor   uint64 // numbers up to it may have been forgotten: they are passed over
	numbers map[uint64]verdict
	order   []uint64 // the numbers as they came: the first are forgotten first
}

// verdict is the answer that a number has got, and gets again.
type verdict struct {
	answered bool
	entry    raft.EntryID // zero when it was refused
}

// foreign is a question of another server that was put to the core.
type foreign struct {
	node     raft.NodeID
	sequence raft.Sequence
	leader   raft.Term
	start    uint64
	number   uint64
}

// foreignTicket sets the tickets of foreign questions apart from those of our own callers.
const foreignTicket raft.Ticket = 1 << 63

// takeForwarded takes a command from another server, if this one leads the term that was addressed.
func (r *Replica) takeForwarded(now raft.Time, e raft.Envelope, m raft.ForwardProposal) {
	f := foreign{node: e.From.Node, sequence: e.Sequence, leader: m.Leader, start: m.Start, number: m.Number}
	if r.core.Role() != raft.Leader || r.core.Term() != m.Leader {
		r.refuseForwarded(f)
		return
	}
	list := r.reign(m.Leader).list(f.node, f.start)
	if v, known := list.numbers[f.number]; known || f.number <= list.floor || list.start != f.start {
		if v.answered {
			r.answerForwarded(f, v)
		}
		return // forgotten, or its answer is on its way: silence is no refusal
	}
	list.take(f.number)
	r.core.Step(now, raft.Propose{Ticket: r.foreign(f), Command: m.Command})
}

// foreign gives a foreign question a ticket.
func (r *Replica) foreign(f foreign) raft.Ticket {
	r.foreigners++
	ticket := foreignTicket | r.foreigners
	r.asked[ticket] = f
	return ticket
}

// foreignAnswered records the core's answer to a forwarded command, and passes it on. A refusal is recorded
// too: the origin tells its caller that the command was not applied, so a second delivery must not be
// taken.
func (r *Replica) foreignAnswered(a raft.Answer) {
	f := r.asked[a.Ticket]
	delete(r.asked, a.Ticket)
	v := verdict{answered: true, entry: a.Entry}
	if list := r.reign(f.leader).list(f.node, f.start); list.start == f.start {
		list.numbers[f.number] = v
	}
	r.answerForwarded(f, v)
}

func (r *Replica) answerForwarded(f foreign, v verdict) {
	refused := v.entry == raft.EntryID{}
	r.send(raft.Letter{To: f.node, Sequence: f.sequence, Message: raft.ForwardProposalResponse{
		Leader: f.leader, Start: f.start, Number: f.number, Entry: v.entry, Refused: refused, NotAccepted: refused,
	}})
}

// refuseForwarded answers a command for a term in which this server does not lead, or no longer. If it took
// it while it did, it says where the command stands. It says that it did not take it only if it can know:
// it has seen that whole reign, if there was one, in this run; it remembers it; and it can never lead that
// term again.
func (r *Replica) refuseForwarded(f foreign) {
	answer := raft.ForwardProposalResponse{Leader: f.leader, Start: f.start, Number: f.number, Refused: true}
	at := slices.IndexFunc(r.reigns, func(g *reign) bool { return g.term == f.leader })
	over := r.core.Term() > f.leader || r.core.Term() == f.leader && at >= 0
	answer.NotAccepted = over && f.leader > r.bornIn && f.leader > r.forgotten
	if at >= 0 {
		list := r.reigns[at].list(f.node, f.start)
		if v, known := list.numbers[f.number]; known || f.number <= list.floor || list.start != f.start {
			if v.answered {
				r.answerForwarded(f, v)
			}
			return
		}
	}
	r.send(raft.Letter{To: f.node, Sequence: f.sequence, Message: answer})
}

// reign returns the list of a term in which this server leads or led, and makes it if there is none.
func (r *Replica) reign(term raft.Term) *reign {
	if at := slices.IndexFunc(r.reigns, func(g *reign) bool { return g.term == term }); at >= 0 {
		return r.reigns[at]
	}
	r.reigns = append(r.reigns, &reign{term: term})
	if len(r.reigns) > maxReigns {
		r.forgotten = r.reigns[0].term
		r.reigns = slices.Delete(r.reigns, 0, 1)
	}
	return r.reigns[len(r.reigns)-1]
}

// list returns what was taken from a server: from that start, or from a later one that was met already. An
// earlier start can send nothing any more, so its list goes.
func (g *reign) list(node raft.NodeID, start uint64) *taken {
	for i := range g.origins {
		if t := &g.origins[i]; t.node == node {
			if start > t.start {
				*t = taken{node: node, start: start, numbers: map[uint64]verdict{}}
			}
			return t
		}
	}
	g.origins = append(g.origins, taken{node: node, start: start, numbers: map[uint64]verdict{}})
	return &g.origins[len(g.origins)-1]
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
