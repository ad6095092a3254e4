package sim

import (
	"slices"
	"strings"

	"balsa/raft"
)

// comparison takes two quantities and a sign between them.
func (p *parser) comparison() (fact, error) {
	var f compares
	var err error
	if f.left, err = p.quantity(); err != nil {
		return nil, err
	}
	t := p.take()
	if t.kind != signToken || !slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, t.text) {
		return nil, t.wrong("here one of = != < <= > >= must stand, not %v", t)
	}
	f.sign = t.text
	f.right, err = p.quantity()
	return f, err
}

// quantity takes a number, or `term n1`, `match n1 n2`, `log(n1 2)`.
func (p *parser) quantity() (q quantity, err error) {
	t := p.peek()
	known := append([]string{"leaders", "match", "log"}, quantities()...)
	if t.kind != wordToken || !slices.Contains(known, t.text) {
		q.number, err = p.number("a number or a quantity (" + strings.Join(known, ", ") + ")")
		return q, err
	}
	p.at++
	q.name = t.text
	if q.name == "leaders" {
		return q, nil
	}
	open := p.word("(")
	if !p.word("all") {
		id, err := p.node()
		if err != nil {
			return q, err
		}
		q.nodes = []raft.NodeID{id}
	}
	switch q.name {
	case "match":
		q.peer, err = p.node()
	case "log":
		q.number, err = p.number("an index")
	}
	if err == nil && open {
		err = p.sign(")")
	}
	return q, err
}
