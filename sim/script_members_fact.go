package sim

import (
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
)

// Conditions about who the servers are, as one of them takes it: by the configuration that is in force there,
// which is the latest in its log.
//
//	voters n1 = n2 n3       those who are to vote;  also learners, members, which is everybody in it, and
//	outgoing n1 = n1 n2     those who voted until now, in a joint configuration;  outgoing n1 = none
//	joint n1                it is joint
//	changing n1             so it is, or n1 does not know it to be committed: no other change may begin
//	answer @ops = refused ChangeOpen   the administrator was refused, and why; that is also a `no`

type (
	// rollIs says who stands on one of the lists of a configuration.
	rollIs struct {
		roll  string        // members, voters, outgoing, learners
		nodes []raft.NodeID // by whose configuration; nil: by that of everyone who is up
		ids   []raft.NodeID // nil: none
	}
	isJoint    struct{ node raft.NodeID }
	isChanging struct{ node raft.NodeID }
	refusedFor struct{ admin, why string }
)

// rolls are the lists of a configuration.
func rolls() []string { return []string{"members", "voters", "outgoing", "learners"} }

func (f rollIs) String() string {
	if f.ids == nil {
		return f.roll + " " + nodeNames(f.nodes) + " = none"
	}
	return f.roll + " " + nodeNames(f.nodes) + " = " + nodeNames(f.ids)
}

func (f isJoint) String() string    { return "joint " + nodeName(f.node) }
func (f isChanging) String() string { return "changing " + nodeName(f.node) }
func (f refusedFor) String() string { return "answer @" + f.admin + " = refused " + f.why }

// roll takes `n1 = n2 n3`, or `all = none`.
func (p *parser) roll(name string) (fact, error) {
	f := rollIs{roll: name}
	if !p.word("all") {
		id, err := p.node()
		if err != nil {
			return nil, err
		}
		f.nodes = []raft.NodeID{id}
	}
	err := p.sign("=")
	if err != nil || p.word("none") {
		return f, err
	}
	f.ids, err = p.namedNodes()
	return f, err
}

// refused takes the reason for which an administrator was refused.
func (p *parser) refused(admin string) (fact, error) {
	why, err := p.oneOf("a reason", refusals()...)
	return refusedFor{admin, why}, err
}

// believed is the configuration in force at a node, false when it is down.
func (p *player) believed(id raft.NodeID) (raft.Configuration, bool) {
	s := p.server(id)
	if !s.up() {
		return raft.Configuration{}, false
	}
	o := &s.ledger.servers[s.id-1]
	return s.ledger.inForce(&o.disk, o.log).Configuration, true
}

// onRoll are those on one of the lists of a configuration, by their names in the story, sorted; the id of a
// server under which a copy of its disk runs too is its own.
func (p *player) onRoll(c raft.Configuration, roll string) (ids []raft.NodeID) {
	list := map[string][]raft.NodeID{"voters": c.Voters, "outgoing": c.Outgoing, "learners": c.Learners}[roll]
	if roll == "members" {
		for _, m := range c.Members {
			list = append(list, m.ID)
		}
	}
	for _, id := range list {
		ids = append(ids, raft.NodeID(slices.Index(p.cast, id)+1))
	}
	slices.Sort(ids)
	return ids
}

func (f rollIs) holds(p *player) bool {
	ids := p.everyone(f.nodes)
	for _, id := range ids {
		if c, up := p.believed(id); !up || !slices.Equal(p.onRoll(c, f.roll), f.ids) {
			return false
		}
	}
	return len(ids) > 0
}

func (f rollIs) tells(p *player) string {
	var texts []string
	for _, id := range p.everyone(f.nodes) {
		texts = append(texts, p.tellMembers(id))
	}
	return strings.Join(texts, ", ")
}

// tellMembers says who the servers are, as one of them takes it.
func (p *player) tellMembers(id raft.NodeID) string {
	c, up := p.believed(id)
	if !up {
		return nodeName(id) + " is down"
	}
	var texts []string
	for _, roll := range rolls()[1:] {
		if on := p.onRoll(c, roll); on != nil {
			texts = append(texts, roll+" "+nodeNames(on))
		}
	}
	if texts == nil {
		texts = []string{"nobody"}
	}
	s, _ := p.status(id)
	return fmt.Sprintf("%s has %s, by entry %d, with commit %d", nodeName(id), strings.Join(texts, ", "),
		s.Configuration, s.Commit)
}

func (f isJoint) holds(p *player) bool {
	s, up := p.status(f.node)
	return up && s.Joint
}

func (f isJoint) tells(p *player) string { return p.tellMembers(f.node) }

func (f isChanging) holds(p *player) bool {
	s, up := p.status(f.node)
	return up && (s.Joint || s.Configuration > s.Commit)
}

func (f isChanging) tells(p *player) string { return p.tellMembers(f.node) }

func (f refusedFor) holds(p *player) bool {
	e := p.errand(f.admin)
	return e != nil && e.wasTold("no") && nth(refusals(), int(e.why)) == f.why
}

func (f refusedFor) tells(p *player) string {
	if e := p.errand(f.admin); e != nil {
		return e.tells()
	}
	return "@" + f.admin + " has asked for no change"
}
