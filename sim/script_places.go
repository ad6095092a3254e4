package sim

import (
	"fmt"

	"balsa/raft"
)

// How a story moves servers, and lets those speak that should not (DESIGN.md §4):
//
//	join n6                    # a spare, or who was removed, starts with an empty disk
//	image n3;  clone n3 as n6  # the copy of n3's disk runs beside it, in the place of a spare
//	stray n6 at n3             # a spare runs a node of another cluster where n3 was, which is down
//	move n3 to east-3 [told]   # who is down comes back elsewhere; told: and all are told where everybody is
//	move n3 to n2              # to where n2 is, which must be down and gets the place of n3

type (
	cloning  struct{ node, as raft.NodeID }
	straying struct{ node, at raft.NodeID }
	moving   struct {
		node raft.NodeID
		to   string
		of   raft.NodeID // whose address it is; None: to
		told bool
	}
)

func (a cloning) String() string { return "clone " + nodeName(a.node) + " as " + nodeName(a.as) }

func (a straying) String() string { return "stray " + nodeName(a.node) + " at " + nodeName(a.at) }

func (a moving) String() string {
	text := "move " + nodeName(a.node) + " to "
	if a.of != raft.None {
		text += nodeName(a.of)
	} else {
		text += written(a.to)
	}
	if a.told {
		text += " told"
	}
	return text
}

// two takes `n3 as n6`.
func (p *parser) two(preposition string) (first, second raft.NodeID, err error) {
	if first, err = p.node(); err == nil {
		err = p.sign(preposition)
	}
	if err != nil {
		return first, second, err
	}
	t := p.peek()
	if second, err = p.node(); err == nil && first == second {
		err = t.wrong("here another node must stand than n%v", first)
	}
	return first, second, err
}

func (p *parser) clone(token) (act, error) {
	node, as, err := p.two("as")
	return cloning{node, as}, err
}

func (p *parser) stray(token) (act, error) {
	node, at, err := p.two("at")
	return straying{node, at}, err
}

func (p *parser) move(token) (act, error) {
	var a moving
	var err error
	if a.node, err = p.node(); err == nil {
		err = p.sign("to")
	}
	if err != nil {
		return nil, err
	}
	t := p.peek()
	if _, is := nodeNumber(t); is {
		a.of, err = p.node()
	} else if a.to, err = p.text("an address"); err == nil && (a.to == "" || len(a.to) >= maxAddress) {
		err = t.wrong("an address has 1 to %d bytes", maxAddress-1)
	}
	a.told = err == nil && p.word("told")
	return a, err
}

// join starts servers with empty disks. The world takes no notice of what cannot be; a story must not read as
// if it had been.
func (p *player) join(ids []raft.NodeID) error {
	for _, id := range p.members(ids) {
		s := p.world.servers[id-1]
		switch {
		case s.up():
			return p.cannot("%s runs: kill it first", id)
		case s.foreign != nil || s.node != s.id:
			return p.cannot("%s stands for something else already", id)
		}
		p.do(Op{Kind: Join, Node: id})
	}
	return nil
}

func (p *player) clone(a cloning) error {
	s, c := p.server(a.node), p.server(a.as)
	switch {
	case s.store.image == nil:
		return p.cannot("there is no copy of the disk of %s: image it before", s.id)
	case s.store.imageAlone:
		return p.cannot("%s was the only voter when its disk was copied, and both could decide alone", s.id)
	case c.founded:
		return p.cannot("%s is no spare any more", c.id)
	}
	p.do(Op{Kind: Clone, Node: s.id, Peer: c.id})
	if !c.up() {
		return p.cannot("not everybody has met a later start of %s than the copy knows of", s.id)
	}
	return nil
}

func (p *player) stray(a straying) error {
	s, c := p.server(a.at), p.server(a.node)
	switch {
	case c.founded:
		return p.cannot("%s is no spare any more", c.id)
	case !s.founded || s.up():
		return p.cannot("%s is not down, and so nobody else is where it was", s.id)
	}
	p.do(Op{Kind: Stray, Node: s.id, Peer: c.id})
	return nil
}

func (p *player) move(a moving) error {
	s, to := p.server(a.node), a.to
	if a.of != raft.None {
		to = p.server(a.of).address
	}
	there := p.world.at(to)
	switch {
	case !s.founded || s.up():
		return p.cannot("%s must be down, and have a data directory, to come back elsewhere", s.id)
	case there == s:
		return p.cannot("%s is there already", s.id)
	case there != nil && there.up():
		return p.cannot("%s is there and runs", there.id)
	}
	op := Op{Kind: Move, Node: s.id, Text: to}
	if a.told {
		op.Mode = "told"
	}
	p.do(op)
	return nil
}

// cannot says of a server why something cannot be done with it.
func (p *player) cannot(format string, id raft.NodeID) error {
	return &Unmet{Sentence: fmt.Sprintf(format, p.named(id))}
}
