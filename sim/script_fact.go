package sim

import (
	"fmt"
	"slices"
	"strings"

	"balsa/kv"
	"balsa/raft"
)

// holds reports whether every clause is.
func (p *player) holds(c condition) bool {
	for _, clause := range c.clauses {
		if clause.fact.holds(p) == clause.denied {
			return false
		}
	}
	return true
}

// instead says how those things stand that a condition names and that are not as it says.
func (p *player) instead(c condition) string {
	var sentences []string
	for _, clause := range c.clauses {
		if clause.fact.holds(p) == clause.denied {
			sentences = append(sentences, clause.fact.tells(p))
		}
	}
	return strings.Join(sentences, "; ")
}

// server is who plays a node of the story.
func (p *player) server(id raft.NodeID) *server { return p.world.servers[p.cast[id-1]-1] }

// named is the name in the story of a server.
func (p *player) named(id raft.NodeID) string {
	if at := slices.Index(p.cast, id); at >= 0 {
		return nodeName(raft.NodeID(at + 1))
	}
	return "nobody"
}

// status is what a node knows of itself, and false while it is down.
func (p *player) status(id raft.NodeID) (raft.Status, bool) {
	s := p.server(id)
	if !s.up() {
		return raft.Status{}, false
	}
	return s.engine.Status(), true
}

// everyone is who a nil list stands for: all that are up, by their names in the story.
func (p *player) everyone(ids []raft.NodeID) []raft.NodeID {
	if ids != nil {
		return ids
	}
	for i := range p.cast {
		if id := raft.NodeID(i + 1); p.server(id).up() {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *player) leaders() (leaders []raft.NodeID) {
	for _, id := range p.everyone(nil) {
		if s, _ := p.status(id); s.Role == raft.Leader {
			leaders = append(leaders, id)
		}
	}
	return leaders
}

func (p *player) tellLeaders() string {
	var texts []string
	for _, id := range p.leaders() {
		s, _ := p.status(id)
		texts = append(texts, fmt.Sprintf("%s leads term %d", nodeName(id), s.Term))
	}
	if texts == nil {
		return "nobody leads"
	}
	return strings.Join(texts, " and ")
}

func (f leads) holds(p *player) bool {
	s, up := p.status(f.node)
	if !up || s.Role != raft.Leader {
		return false
	}
	for _, id := range p.leaders() {
		if other, _ := p.status(id); other.Term > s.Term {
			return false
		}
	}
	return true
}

func (f leads) tells(p *player) string { return p.tellLeaders() }

func (someLeader) holds(p *player) bool   { return p.leaders() != nil }
func (someLeader) tells(p *player) string { return p.tellLeaders() }

func (f noLeader) holds(p *player) bool {
	if f.node == raft.None {
		return p.leaders() == nil
	}
	return !slices.Contains(p.leaders(), f.node)
}

func (f noLeader) tells(p *player) string { return p.tellLeaders() }

func (f roleIs) holds(p *player) bool {
	s, up := p.status(f.node)
	return up && s.Role == f.role
}

func (f roleIs) tells(p *player) string { return p.tellStatus(f.node) }

func (f votedFor) holds(p *player) bool {
	s, up := p.status(f.node)
	if f.candidate == raft.None {
		return up && s.Vote == raft.None
	}
	return up && s.Vote == p.cast[f.candidate-1]
}

func (f votedFor) tells(p *player) string {
	s, up := p.status(f.node)
	if !up {
		return p.tellStatus(f.node)
	}
	return fmt.Sprintf("%s has voted for %s in term %d", nodeName(f.node), p.named(s.Vote), s.Term)
}

func (f running) holds(p *player) bool   { return p.server(f.node).up() == f.up }
func (f running) tells(p *player) string { return p.tellStatus(f.node) }

func (p *player) tellStatus(id raft.NodeID) string {
	s, up := p.status(id)
	if !up {
		return nodeName(id) + " is down"
	}
	return fmt.Sprintf("%s is a %v in term %d with commit %d and last %v", nodeName(id), s.Role, s.Term,
		s.Commit, s.Last)
}

// holds compares each that is meant on the left with each on the right. Of a node that is down nothing is
// known, so nothing is true.
func (f compares) holds(p *player) bool {
	left, right := p.numbers(f.left), p.numbers(f.right)
	for _, l := range left {
		for _, r := range right {
			if !l.known || !r.known || !compare(l.number, f.sign, r.number) {
				return false
			}
		}
	}
	return len(left) > 0 && len(right) > 0
}

func compare(a uint64, sign string, b uint64) bool {
	switch sign {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}

func (f compares) tells(p *player) string {
	var texts []string
	for _, q := range []quantity{f.left, f.right} {
		for _, n := range p.numbers(q) {
			switch {
			case q.name == "" || q.name == "leaders" && n.known:
			case !n.known:
				texts = append(texts, n.name+" is not known")
			default:
				texts = append(texts, fmt.Sprintf("%s is %d", n.name, n.number))
			}
		}
	}
	if f.left.name == "leaders" {
		texts = append(texts, p.tellLeaders())
	}
	return strings.Join(texts, ", ")
}

// number is what a quantity comes to at one server.
type number struct {
	name   string
	number uint64
	known  bool
}

func (p *player) numbers(q quantity) (numbers []number) {
	switch q.name {
	case "":
		return []number{{number: q.number, known: true}}
	case "leaders":
		return []number{{name: q.name, number: uint64(len(p.leaders())), known: true}}
	}
	for _, id := range p.everyone(q.nodes) {
		one := q
		one.nodes = []raft.NodeID{id}
		n := number{name: one.String()}
		if s, up := p.status(id); up {
			n.number, n.known = p.quantity(id, q, &s)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func (p *player) quantity(id raft.NodeID, q quantity, s *raft.Status) (uint64, bool) {
	switch q.name {
	case "term":
		return uint64(s.Term), true
	case "commit":
		return uint64(s.Commit), true
	case "applied":
		return uint64(s.Applied), true
	case "last":
		return uint64(s.Last.Index), true
	case "durable":
		return uint64(s.Durable), true
	case "log":
		if raft.Index(q.number) < max(s.First, 1) || raft.Index(q.number) > s.Last.Index {
			return 0, true
		}
		return uint64(p.server(id).engine.EntriesAfter(raft.Index(q.number - 1))[0].Term), true
	case "snapshot":
		return uint64(s.Snapshot.Index), true
	case "first":
		return uint64(s.First), true
	}
	for _, progress := range s.Progress {
		if progress.ID == p.cast[q.peer-1] {
			return uint64(progress.Match), true
		}
	}
	return 0, false // only a leader knows
}

func (f holdsValue) holds(p *player) bool {
	ids := p.everyone(f.nodes)
	for _, id := range ids {
		item, found, known := p.item(id, f.key)
		if !known || found != f.found || found && string(item) != f.value {
			return false
		}
	}
	return len(ids) > 0
}

func (p *player) item(id raft.NodeID, key string) (value []byte, found, known bool) {
	store, known := p.server(id).machine.(*kv.Store)
	if !known {
		return nil, false, false
	}
	item, found := store.Get(key)
	return item.Value, found, true
}

func (f holdsValue) tells(p *player) string {
	var texts []string
	for _, id := range p.everyone(f.nodes) {
		item, found, known := p.item(id, f.key)
		switch {
		case !known:
			texts = append(texts, nodeName(id)+" is down")
		case !found:
			texts = append(texts, fmt.Sprintf("%s holds nothing under %s", nodeName(id), written(f.key)))
		default:
			texts = append(texts, fmt.Sprintf("%s holds %s under %s", nodeName(id), shown(item),
				written(f.key)))
		}
	}
	return strings.Join(texts, ", ")
}

func (f outcomeIs) holds(p *player) bool {
	if e := p.errand(f.client); e != nil {
		return e.wasTold(f.outcome)
	}
	o, asked := p.latest(f.client)
	return asked && o.wasTold(f.outcome)
}

func (f outcomeIs) tells(p *player) string {
	if e := p.errand(f.client); e != nil {
		return e.tells()
	}
	o, asked := p.latest(f.client)
	if !asked {
		return "@" + f.client + " has asked nothing"
	}
	return fmt.Sprintf("the outcome of %v by @%s is %v%s", &o, f.client, o.Outcome, o.besides())
}

func (f sawValue) holds(p *player) bool {
	o, saw := p.latestRead(f.client)
	return saw && o.Found == f.found && (!f.found || string(o.Read) == f.value)
}

func (f sawValue) tells(p *player) string {
	o, saw := p.latestRead(f.client)
	if !saw {
		return "no read of @" + f.client + " was answered"
	}
	return "@" + f.client + " was told: " + o.told()
}

func (f decided) holds(p *player) bool {
	return slices.ContainsFunc(p.decisions, func(m made) bool {
		return m.event == f.event && (f.reason == "" || m.reason == f.reason) &&
			(f.node == raft.None || m.node == p.cast[f.node-1])
	})
}

func (f decided) tells(p *player) string {
	reasons := []string{}
	for _, m := range p.decisions {
		text := p.named(m.node) + " " + m.event + "." + m.reason
		if m.event == f.event && !slices.Contains(reasons, text) && len(reasons) < 8 {
			reasons = append(reasons, text)
		}
	}
	if len(reasons) == 0 {
		return fmt.Sprintf("since the last label nobody decided %s", f.event)
	}
	return "since the last label there was " + strings.Join(reasons, ", ")
}
