package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
)

// forEver is longer than any story.
const forEver = 100 * Hour

// intervene turns a statement into operations of the world and carries them out now.
func (p *player) intervene(a act) error {
	switch a := a.(type) {
	case toNodes:
		return p.toNodes(a)
	case toDisk:
		p.toDisk(p.cast[a.node-1], a.state)
	case toClock:
		p.do(Op{Kind: Clock, Node: p.cast[a.node-1], Value: a.rate, For: a.jump})
	case toLeases:
		p.do(Op{Kind: Change, Text: fmt.Sprintf("drift %d", a.drift)})
	case toMachine:
		p.toMachine(p.cast[a.node-1], a)
	case toKeeper:
		p.do(Op{Kind: SnapshotSlow, Node: p.cast[a.node-1], Value: int64(a.by)})
	case cutGroups:
		p.cutGroups(a)
	case toLinks:
		p.toLinks(a)
	case changing:
		return p.administer(a.admin, a.at, Op{Kind: Change, Text: p.serverNames(a.change).String()})
	case handing:
		return p.administer(a.admin, a.at, Op{Kind: Transfer, Peer: p.member(a.to)})
	case cloning:
		return p.clone(a)
	case straying:
		return p.stray(a)
	case moving:
		return p.move(a)
	case propose:
		op := Op{Kind: Propose, Node: p.member(a.to), Mode: a.verb, Key: a.key, Text: a.value,
			Nth: a.once.number, Under: a.once.key}
		if op.Under != "" {
			op.For = cmp.Or(a.once.ttl, usualLife)
		}
		if op.Nth > 0 {
			if err := p.needsSession(a.client); err != nil {
				return err
			}
		}
		return p.ask(a.client, op)
	case arrange:
		return p.arrange(a)
	case reading:
		return p.ask(a.client, Op{Kind: Read, Node: p.member(a.at), Mode: a.mode, Key: a.key})
	default:
		panic(fmt.Sprintf("sim: the player does not know %T", a))
	}
	return nil
}

// toNodes does one thing with some nodes. All of them are all that have a data directory.
func (p *player) toNodes(a toNodes) error {
	if a.verb == "join" {
		return p.join(a.nodes)
	}
	for _, id := range p.members(a.nodes) {
		founded := p.world.servers[id-1].founded
		switch {
		case a.verb == "focus", a.nodes == nil && !founded:
		case !founded:
			return p.cannot("%s is a spare, and has no disk yet: it can join", id)
		default:
			p.do(Op{Kind: OpKind(a.verb), Node: id})
		}
	}
	return nil
}

func (p *player) do(op Op) {
	if p.world.violation == nil {
		p.world.Do(op)
	}
}

// member is the server that plays a node; None stays None.
func (p *player) member(id raft.NodeID) raft.NodeID {
	if id == raft.None {
		return raft.None
	}
	return p.cast[id-1]
}

// members are the servers that play some nodes, all for nil, in the order of the story.
func (p *player) members(ids []raft.NodeID) (members []raft.NodeID) {
	if ids == nil {
		return slices.Clone(p.cast)
	}
	for _, id := range ids {
		members = append(members, p.cast[id-1])
	}
	return members
}

func (p *player) toDisk(id raft.NodeID, state string) {
	switch state {
	case "stall":
		p.do(Op{Kind: DiskStall, Node: id, For: forEver})
	case "fail":
		p.do(Op{Kind: DiskFail, Node: id, Mode: "sync"})
	case "full":
		p.do(Op{Kind: DiskFull, Node: id})
	case "lose-unsynced":
		p.do(Op{Kind: Kill, Node: id, Mode: "power"})
	default:
		p.do(Op{Kind: DiskOK, Node: id})
	}
}

func (p *player) toMachine(id raft.NodeID, a toMachine) {
	switch a.state {
	case "slow":
		p.do(Op{Kind: ApplySlow, Node: id, Value: int64(a.by)})
	case "panic":
		p.do(Op{Kind: ApplyPanic, Node: id})
	default:
		p.do(Op{Kind: ApplySlow, Node: id, Value: 1})
	}
}

// cutGroups cuts every link between two of the groups. Who is in none is not concerned.
func (p *player) cutGroups(a cutGroups) {
	var links []Link
	for i, group := range a.groups {
		for j, other := range a.groups {
			if i != j {
				links = append(links, p.links(&between{group, other})...)
			}
		}
	}
	p.do(Op{Kind: Cut, Links: links})
}

// links are all that a statement names, nil for nil, which is all that there are.
func (p *player) links(named *between) (links []Link) {
	if named == nil {
		return nil
	}
	for _, from := range p.members(named.from) {
		for _, to := range p.members(named.to) {
			if from != to {
				links = append(links, Link{From: from, To: to})
			}
		}
	}
	return links
}

func (p *player) toLinks(a toLinks) {
	op := Op{Links: p.links(a.links), Mode: strings.Join(a.types, " ")}
	switch a.verb {
	case "cut":
		op.Kind = Cut
	case "heal":
		op.Kind = Heal
	case "hold":
		op.Kind = Hold
	case "release":
		op.Kind = Release
	case "drop held":
		op.Kind = Discard
	default: // drop, dup, delay
		for _, link := range op.Links {
			p.meddlers = append(p.meddlers, meddler{link, OpKind(a.verb), a.types, a.by})
		}
		return
	}
	p.do(op)
}

// meddler waits for the next message of some types on a link.
type meddler struct {
	link  Link
	kind  OpKind
	types []string // nil: any
	by    Time
}

// meddle has a message that was just sent meet the first meddler that waits for one like it.
func (p *player) meddle(r Record) {
	link := Link{From: r.Node, To: r.Peer}
	at := slices.IndexFunc(p.meddlers, func(m meddler) bool {
		return m.link == link && (m.types == nil || isOfType(r.Message, m.types))
	})
	if at < 0 {
		return
	}
	m, key := p.meddlers[at], messageKey{r.Node, r.Peer, r.N}
	p.meddlers = slices.Delete(p.meddlers, at, at+1)
	p.world.script.messages[key] = append(p.world.script.messages[key],
		Op{At: r.Time, Kind: m.kind, Node: r.Node, Peer: r.Peer, Nth: r.N, For: m.by})
}

// ask has a client of the story ask. To nobody in particular: whom it takes for the leader.
func (p *player) ask(name string, op Op) error {
	if o, asked := p.latest(name); asked && o.Outcome == Open {
		return &Unmet{Sentence: fmt.Sprintf("@%s has no answer to %v yet and cannot ask for anything else",
			name, &o)}
	}
	if name != "" && p.errand(name) != nil {
		return &Unmet{Sentence: fmt.Sprintf("@%s is an administrator: give the client another name", name)}
	}
	at := slices.Index(p.callers, name)
	if at < 0 {
		at = len(p.callers)
		p.callers = append(p.callers, name)
	}
	op.Peer = p.caller(at)
	if op.Node == raft.None && int(op.Peer) <= len(p.world.clients) {
		op.Node = p.world.client(op.Peer).leader
	}
	p.do(op)
	return nil
}

// caller is the world's number of the story's nth client: they come after those that ask by themselves.
func (p *player) caller(nth int) raft.NodeID { return raft.NodeID(p.world.options.Clients + nth + 1) }

// latest returns what a client of the story asked for last, with its answer, and whether it has asked.
func (p *player) latest(name string) (Operation, bool) {
	at := slices.Index(p.callers, name)
	if at < 0 || int(p.caller(at)) > len(p.world.clients) {
		return Operation{}, false
	}
	c := p.world.client(p.caller(at))
	if c.open != nil {
		return *c.open, true
	}
	return c.last, true
}

// latestRead returns the client's latest request if it was a read that is answered.
func (p *player) latestRead(name string) (Operation, bool) {
	o, asked := p.latest(name)
	return o, asked && o.Kind == Get && o.Outcome == OK
}
