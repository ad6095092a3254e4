package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"balsa/raft"
	"balsa/replica"
)

// The administrator changes the membership and hands leadership over. It asks once, and is told once.

// alteration is a change of the membership in words.
type alteration struct {
	add, promote, demote, remove, update []raft.NodeID
	auto                                 string // on, off; "": as it is
	force                                bool
	drift                                *uint32 // of clocks, in millionths; nil: as it is
}

// parseAlteration reads "add 4 5 promote 2 demote 3 remove 1 update 3 auto on force drift 1000".
func parseAlteration(text string, servers int) (x alteration, err error) {
	lists := map[string]*[]raft.NodeID{"add": &x.add, "promote": &x.promote, "demote": &x.demote,
		"remove": &x.remove, "update": &x.update}
	var list *[]raft.NodeID
	words := strings.Fields(text)
	for i, word := range words {
		id, wrong := strconv.ParseUint(strings.TrimPrefix(word, "n"), 10, 8)
		switch {
		case lists[word] != nil:
			list = lists[word]
		case word == "auto" || word == "drift":
			list = nil
		case (word == "on" || word == "off") && i > 0 && words[i-1] == "auto":
			x.auto = word
		case i > 0 && words[i-1] == "drift":
			drift, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return x, fmt.Errorf("%q is no bound on the drift of clocks, in millionths", word)
			}
			x.drift = new(uint32(drift))
		case word == "force":
			list, x.force = nil, true
		case list == nil || wrong != nil || id == 0 || int(id) > servers:
			return x, fmt.Errorf("%q is no part of a change of the membership", word)
		default:
			*list = append(*list, raft.NodeID(id))
		}
	}
	if len(words) == 0 || words[len(words)-1] == "drift" {
		err = fmt.Errorf("it does not say what is to change")
	}
	return x, err
}

// change is what the leader is asked: a server that joins is named by the data directory that it has now.
func (w *World) change(x alteration) raft.Change {
	members := func(ids []raft.NodeID, named bool) (all []raft.Member) {
		for _, id := range ids {
			m := raft.Member{ID: id, Address: w.servers[id-1].address}
			if named {
				m.Incarnation = w.servers[id-1].store.incarnation
			}
			all = append(all, m)
		}
		return all
	}
	c := raft.Change{Add: members(x.add, true), Promote: x.promote, Demote: x.demote, Remove: x.remove,
		Update: members(x.update, false), Force: x.force, LeaseDrift: x.drift}
	if x.auto != "" {
		on := x.auto == "on"
		c.AutoPromote = &on
	}
	return c
}

// administer has a server asked, or whoever leads.
func (w *World) administer(cause uint64, op Op) {
	var s *server
	if op.Node != raft.None {
		s = w.servers[op.Node-1]
	} else {
		s = w.leads()
	}
	if s == nil || !s.up() || s.trouble.stalled || s.foreign != nil {
		return
	}
	x, _ := parseAlteration(op.Text, len(w.servers))
	if op.Mode == "careful" && !w.bears(s, x) {
		return
	}
	w.tickets++
	s.asked = append(s.asked, question{ticket: w.tickets, admin: &op, term: s.sight.term})
	if op.Kind == Transfer {
		w.attempt(s, cause, replica.TransferAsked{Ticket: w.tickets, To: op.Peer})
		return
	}
	s.ledger.asks(s.id, w.tickets, x)
	w.attempt(s, cause, replica.ChangeAsked{Ticket: w.tickets, Change: w.change(x)})
}

// leads returns who leads the latest term, as far as it knows itself.
func (w *World) leads() (leader *server) {
	for _, s := range w.servers {
		if s.up() && s.foreign == nil && s.sight.role == raft.Leader &&
			(leader == nil || s.sight.term > leader.sight.term) {
			leader = s
		}
	}
	return leader
}

// settled takes the answer to an administrator.
func (w *World) settled(s *server, cause uint64, q question, a replica.Answer) {
	w.note(Record{Kind: Administered, Cause: cause, Node: s.id, Peer: q.admin.Peer,
		N: uint64(a.Fate)<<8 | uint64(a.Refusal), Hash: mix(uint64(a.Entry.Term), uint64(a.Entry.Index)),
		Ticket: q.ticket, Text: fmt.Sprintf("%v: %v %v", q.admin, a.Fate, a.Refusal)})
	kind := string(q.admin.Kind)
	x, _ := parseAlteration(q.admin.Text, len(w.servers))
	if q.admin.Kind == Change {
		s.ledger.told(w.moment(), s.id, x, a)
	}
	switch {
	case a.Fate == replica.Rejected || a.Fate == replica.HandingOver:
		w.saw(kind + " refused: " + a.Refusal.String())
	case a.Fate != replica.Done:
		w.saw(kind + " of unknown fate")
	case q.admin.Kind == Transfer:
		w.saw("leadership handed over")
		s.ledger.handedOver(w.moment(), s.id, q.term)
	default:
		w.sawChange(x)
	}
}

// sawChange counts what a change has done.
func (w *World) sawChange(x alteration) {
	for _, part := range []struct {
		ids  []raft.NodeID
		what string
	}{{x.add, "learner added"}, {x.promote, "learner promoted"}, {x.demote, "voter demoted"},
		{x.remove, "member removed"}, {x.update, "address of a member changed"}} {
		if len(part.ids) > 0 {
			w.saw(part.what)
		}
	}
	if x.drift != nil {
		w.saw(sawDrift)
	}
	if len(x.promote)+len(x.demote)+len(x.remove) > 1 {
		w.saw("several members changed at once")
	}
	if leader := w.leads(); leader != nil && slices.Contains(x.remove, leader.id) {
		w.saw("leader removed")
	}
}

// bears reports whether what a change makes of the configuration of a server has a quorum of servers that
// are neither damaged nor lost, and would have one if learners that are were promoted.
func (w *World) bears(s *server, x alteration) bool {
	o := &s.ledger.servers[s.id-1]
	c := s.ledger.inForce(&o.disk, o.log).Clone()
	c.Outgoing = nil
	if slices.ContainsFunc(x.add, func(id raft.NodeID) bool { return w.servers[id-1].trouble.gone }) {
		return false // it would bring back what was to be replaced
	}
	for _, id := range slices.Concat(x.remove, x.demote) {
		c.Voters = slices.DeleteFunc(c.Voters, func(v raft.NodeID) bool { return v == id })
	}
	c.Voters = append(c.Voters, x.promote...)
	for _, id := range slices.Concat(x.remove, x.promote) {
		c.Learners = slices.DeleteFunc(c.Learners, func(l raft.NodeID) bool { return l == id })
	}
	return survives(c, w.isGone)
}

// isGone reports whether what a member stands for can take no part any more.
func (w *World) isGone(m raft.Member) bool {
	if m.ID == raft.None || int(m.ID) > len(w.servers) {
		return true
	}
	s := w.servers[m.ID-1]
	return s.trouble.gone || s.trouble.rotten || s.trouble.repairs || !s.founded ||
		m.Incarnation != 0 && m.Incarnation != s.store.incarnation
}

// survives reports whether a configuration has a quorum of those that are not gone, even if the learners
// that are were promoted.
func survives(c raft.Configuration, gone func(raft.Member) bool) bool {
	for half, ids := range [][]raft.NodeID{c.Voters, c.Outgoing} {
		well := 0
		for _, id := range ids {
			m, _ := c.Member(id)
			if m.ID = id; gone(m) {
				well--
			} else {
				well++
			}
		}
		for _, id := range c.Learners {
			if m, _ := c.Member(id); half == 0 && gone(m) {
				well--
			}
		}
		if well <= 0 && len(ids) > 0 {
			return false
		}
	}
	return true
}

// takesPart reports whether a server must take part again: it is a member by the latest configuration that is
// committed, with the data directory that this means, and was not damaged on purpose.
func (w *World) takesPart(s *server) bool {
	m, is := w.ledger.latest().Member(s.id)
	return is && s.founded && s.node == s.id && s.foreign == nil && !s.trouble.gone &&
		(m.Incarnation == 0 || m.Incarnation == s.store.incarnation)
}

// quorate reports whether the servers that take part are a quorum.
func (w *World) quorate() bool {
	return w.ledger.latest().HasQuorum(func(id raft.NodeID) bool { return w.takesPart(w.servers[id-1]) })
}
