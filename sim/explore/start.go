package explore

import (
	"fmt"

	"balsa/raft"
)

// Start is the situation that an exploration begins in.
type Start struct {
	Name    string // Fresh, Elected, Figure7 or Figure8
	PreVote bool
}

// The situations, each of three servers.
const (
	// Fresh: nothing has happened.
	Fresh = "fresh"
	// Elected: server 1 leads term 1, its no-op is committed as everybody knows, and nothing is under way.
	Elected = "elected"
	// Figure7: the logs of the paper's Figure 7 in small, all servers just restarted. Entry 1 was committed
	// in term 1. Server 2 lacks what 1 appended alone in term 4; server 3 led terms 2 and 3 and appended
	// alone in both.
	//
	//	1  1 4
	//	2  1
	//	3  1 2 3
	Figure7 = "figure7"
	// Figure8: situation (c) of the paper's Figure 8 in small. Server 1 appended entry 2 alone in term 2 and
	// crashed, 3 led term 3 and appended another entry 2 alone; now 1 leads term 4, with the vote of 2, and
	// has nothing under way but what a new leader sends.
	//
	//	1  1 2 4
	//	2  1
	//	3  1 3
	Figure8 = "figure8"
)

// Starts are all situations, with and without pre-vote.
func Starts() []Start {
	var all []Start
	for _, name := range []string{Fresh, Elected, Figure7, Figure8} {
		all = append(all, Start{name, true}, Start{name, false})
	}
	return all
}

// String names the situation as the report does.
func (s Start) String() string {
	if s.PreVote {
		return s.Name + " with pre-vote"
	}
	return s.Name + " without pre-vote"
}

// found is what a server finds on its disk: its term and vote, and the terms of its entries.
type found struct {
	term  raft.Term
	vote  raft.NodeID
	terms []raft.Term
}

// begin makes the first world: servers that start with what is on their disks, and then what the situation
// says has happened since.
func (e *explorer) begin() (world, error) {
	e.members = raft.NewConfiguration(map[raft.NodeID]string{1: "one", 2: "two", 3: "three"})
	w := world{size: 3}
	switch e.start.Name {
	case Fresh, Elected:
		w.history = e.ledger.number(history{})
		e.place(&w, found{}, found{}, found{})
	case Figure7:
		e.place(&w, found{4, 1, []raft.Term{1, 4}}, found{4, 1, []raft.Term{1}},
			found{3, 3, []raft.Term{1, 2, 3}})
		w.history = e.ledger.number(history{leaders: []raft.NodeID{0, 1, 3, 3, 1},
			committed: []fact{{e.servers[w.servers[1]].prefix[1], 1}}})
	case Figure8:
		e.place(&w, found{3, 1, []raft.Term{1, 2}}, found{3, 3, []raft.Term{1}},
			found{3, 3, []raft.Term{1, 3}})
		w.history = e.ledger.number(history{leaders: []raft.NodeID{0, 2, 1, 3},
			committed: []fact{{e.servers[w.servers[1]].prefix[1], 1}}})
	default:
		return w, fmt.Errorf("explore: there is no situation %q: it is %s, %s, %s or %s", e.start.Name, Fresh,
			Elected, Figure7, Figure8)
	}
	return w, e.lead(&w)
}

func (e *explorer) place(w *world, disks ...found) {
	for i, d := range disks {
		s := &server{id: raft.NodeID(i + 1), hard: raft.HardState{Term: d.term, Vote: d.vote}}
		for at, term := range d.terms {
			s.disk = append(s.disk, raft.Entry{Term: term, Index: raft.Index(at + 1), Kind: raft.NoOp})
		}
		st := stride{server: s}
		st.restart(e)
		st.look()
		w.servers[i] = e.number(s)
	}
}

// lead takes the actions that have happened when server 1 leads already.
func (e *explorer) lead(w *world) error {
	switch e.start.Name {
	case Elected:
		if err := e.happen(w, onServer(timeout, 0, 0)); err != nil {
			return err
		}
		return e.settle(w, func() bool { return false })
	case Figure8:
		if err := e.happen(w, onServer(timeout, 0, 0)); err != nil {
			return err
		}
		leads := func() bool { return e.servers[w.servers[0]].role == raft.Leader }
		return e.settle(w, leads)
	}
	return nil
}

// settle finishes every write and delivers every message, until nothing is left or something is reached.
func (e *explorer) settle(w *world, until func() bool) error {
	for !until() {
		var a action
		switch place := e.busy(w); {
		case place >= 0:
			a = onServer(persist, place, 0)
		case len(w.mail) > 0:
			a = onLetter(deliver, w.mail[0])
		default:
			return nil
		}
		if err := e.happen(w, a); err != nil {
			return err
		}
	}
	return nil
}

// busy returns the place of a server with an unfinished write, -1 if there is none.
func (e *explorer) busy(w *world) int {
	for i := range w.size {
		if len(e.servers[w.servers[i]].writes) > 0 {
			return i
		}
	}
	return -1
}

// happen takes an action on the way to a situation, outside of all bounds.
func (e *explorer) happen(w *world, a action) error {
	place := a.place()
	if a.kind() == deliver {
		place = int(e.post.letters[a.letter()].To) - 1
	}
	o := e.outcome(w.servers[place], a)
	if o.wrong != nil {
		return &Violation{Property: o.wrong.Property, Sentence: o.wrong.Sentence,
			Story: "it happened on the way to the situation"}
	}
	from := *w
	from.mail = append([]uint32(nil), w.mail...)
	w.become(&from, a, place, o)
	w.used = from.used
	w.history = e.ledger.after(w.history, e.servers[o.next])
	return nil
}
