package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"balsa/raft"
)

// Conditions of the script language. Several are joined with `and`; `not` denies the one that follows it.
//
//	leader = n1             n1 leads, and no server leads a later term
//	some leader             some server leads;  no leader: none does;  no leader n5: n5 does not
//	leaders = 2             so many servers lead at once, each in a term of its own
//	role n2 = candidate     follower, pre-candidate, candidate, leader
//	vote n3 = n1            whom n3 has voted for in its term; none
//	down n1, up n1          its process does not run, or does
//	term n3 < 9             also commit, applied, last (index), durable;  term n3 = term n1
//	snapshot n1 = 20        the last entry of its newest snapshot;  first n1: of its log in memory
//	applied all = 1         of every server that is up, and there is one
//	match n1 n2 = 2         how far n1 as leader knows that n2 holds its log
//	log n1 2 = 3            the term of n1's entry 2; 0: it has none
//	value n1 k = v          what n1's state machine holds under k;  no value n1 k
//	answer @ann = ok        how ann's latest request ended: ok, no, unknown; open while it has not; of who
//	                        changes members also why: refused ChangeOpen (script_members_fact.go)
//	voters n1 = n2 n3       whom n1 takes for the voters;  members, learners, outgoing, joint, changing
//	saw @ann = v            what her latest read that was answered found;  saw @ann nothing
//	why n1 CommitHeld.OldTerm   n1 decided so, for this reason, since the last label; without n1: any server

// condition is true when each of its clauses is.
type condition struct{ clauses []clause }

// clause is a fact, or its denial.
type clause struct {
	denied bool
	fact   fact
}

// fact is something that can be true of the world; script_fact.go tells whether it is. The set is closed.
type fact interface {
	String() string
	holds(*player) bool
	tells(*player) string // what is true instead
}

type (
	leads      struct{ node raft.NodeID }
	someLeader struct{}
	noLeader   struct{ node raft.NodeID } // None: nobody leads
	roleIs     struct {
		node raft.NodeID
		role raft.Role
	}
	votedFor struct{ node, candidate raft.NodeID }
	running  struct {
		node raft.NodeID
		up   bool
	}
	compares struct {
		left  quantity
		sign  string
		right quantity
	}
	holdsValue struct {
		nodes []raft.NodeID // nil: all that are up
		key   string
		found bool
		value string
	}
	outcomeIs struct{ client, outcome string }
	sawValue  struct {
		client string
		found  bool
		value  string
	}
	decided struct {
		node          raft.NodeID // None: any
		event, reason string      // reason empty: any
	}
)

// quantity is a number, or the name of one that a server knows.
type quantity struct {
	name   string        // empty: number itself
	nodes  []raft.NodeID // nil: all that are up
	peer   raft.NodeID   // of match
	number uint64        // of log: the index
}

// quantities that a server has, one each.
func quantities() []string {
	return []string{"term", "commit", "applied", "last", "durable", "snapshot", "first"}
}

func (c condition) String() string {
	text := ""
	for i, clause := range c.clauses {
		if _, is := clause.fact.(decided); i > 0 && is && !clause.denied {
			text += " "
		} else if i > 0 {
			text += " and "
		}
		if clause.denied {
			text += "not "
		}
		text += clause.fact.String()
	}
	return text
}

func (f leads) String() string    { return "leader = " + nodeName(f.node) }
func (someLeader) String() string { return "some leader" }

func (f noLeader) String() string {
	if f.node == raft.None {
		return "no leader"
	}
	return "no leader " + nodeName(f.node)
}

func (f roleIs) String() string { return "role " + nodeName(f.node) + " = " + f.role.String() }

func (f votedFor) String() string {
	if f.candidate == raft.None {
		return "vote " + nodeName(f.node) + " = none"
	}
	return "vote " + nodeName(f.node) + " = " + nodeName(f.candidate)
}

func (f running) String() string {
	if f.up {
		return "up " + nodeName(f.node)
	}
	return "down " + nodeName(f.node)
}

func (f compares) String() string { return f.left.String() + " " + f.sign + " " + f.right.String() }

func (q quantity) String() string {
	switch q.name {
	case "":
		return strconv.FormatUint(q.number, 10)
	case "leaders":
		return q.name
	case "match":
		return "match " + nodeNames(q.nodes) + " " + nodeName(q.peer)
	case "log":
		return fmt.Sprintf("log %s %d", nodeNames(q.nodes), q.number)
	}
	return q.name + " " + nodeNames(q.nodes)
}

func (f holdsValue) String() string {
	text := "value " + nodeNames(f.nodes) + " " + written(f.key)
	if !f.found {
		return "no " + text
	}
	return text + " = " + written(f.value)
}

func (f outcomeIs) String() string { return "answer @" + f.client + " = " + f.outcome }

func (f sawValue) String() string {
	if !f.found {
		return "saw @" + f.client + " nothing"
	}
	return "saw @" + f.client + " = " + written(f.value)
}

func (f decided) String() string {
	text := "why "
	if f.node != raft.None {
		text += nodeName(f.node) + " "
	}
	if f.reason == "" {
		return text + f.event
	}
	return text + f.event + "." + f.reason
}

// condition reads clauses up to a word that no clause begins with. The word `why` needs no `and` before it.
func (p *parser) condition() (condition, error) {
	var c condition
	for {
		denied := p.word("not")
		f, err := p.fact()
		if err != nil {
			return c, err
		}
		c.clauses = append(c.clauses, clause{denied, f})
		if next := p.peek(); next.kind == wordToken && next.text == "why" {
			continue
		}
		if !p.word("and") {
			return c, nil
		}
	}
}

func (p *parser) fact() (fact, error) {
	t := p.take()
	known := append([]string{"leader", "leaders", "some", "no", "role", "vote", "up", "down", "match", "log",
		"value", "answer", "saw", "why", "joint", "changing"}, slices.Concat(rolls(), quantities())...)
	if t.kind != wordToken || !slices.Contains(known, t.text) {
		return nil, t.wrong("a condition begins with one of %s, not with %v%s", strings.Join(known, ", "), t,
			perhaps(t.text, known))
	}
	switch t.text {
	case "leader":
		return p.leader()
	case "some":
		return someLeader{}, p.sign("leader")
	case "no":
		return p.no()
	case "role":
		return p.role()
	case "vote":
		return p.vote()
	case "up", "down":
		id, err := p.bracketedNode()
		return running{id, t.text == "up"}, err
	case "value":
		return p.value(true)
	case "answer":
		return p.answer()
	case "saw":
		return p.saw()
	case "why":
		return p.why()
	case "joint":
		id, err := p.bracketedNode()
		return isJoint{id}, err
	case "changing":
		id, err := p.bracketedNode()
		return isChanging{id}, err
	}
	if slices.Contains(rolls(), t.text) {
		return p.roll(t.text)
	}
	p.at--
	return p.comparison()
}

func (p *parser) leader() (fact, error) {
	if err := p.sign("="); err != nil {
		return nil, err
	}
	id, err := p.node()
	return leads{id}, err
}

func (p *parser) no() (fact, error) {
	if p.word("value") {
		return p.value(false)
	}
	if err := p.sign("leader"); err != nil {
		return nil, err
	}
	if _, is := nodeNumber(p.peek()); !is {
		return noLeader{}, nil
	}
	id, err := p.node()
	return noLeader{id}, err
}

func (p *parser) role() (fact, error) {
	id, err := p.bracketedNode()
	if err == nil {
		err = p.sign("=")
	}
	if err != nil {
		return nil, err
	}
	name, err := p.oneOf("a role", "follower", "pre-candidate", "candidate", "leader")
	f := roleIs{node: id}
	for f.role < raft.Leader && f.role.String() != name {
		f.role++
	}
	return f, err
}

func (p *parser) vote() (fact, error) {
	id, err := p.bracketedNode()
	if err == nil {
		err = p.sign("=")
	}
	if err != nil || p.word("none") {
		return votedFor{node: id}, err
	}
	candidate, err := p.node()
	return votedFor{id, candidate}, err
}

// bracketedNode takes `n1` or `(n1)`.
func (p *parser) bracketedNode() (raft.NodeID, error) {
	open := p.word("(")
	id, err := p.node()
	if err == nil && open {
		err = p.sign(")")
	}
	return id, err
}

func (p *parser) value(found bool) (fact, error) {
	f := holdsValue{found: found}
	var err error
	if !p.word("all") {
		id, err := p.node()
		if err != nil {
			return nil, err
		}
		f.nodes = []raft.NodeID{id}
	}
	if f.key, err = p.text("a key"); err != nil || !found {
		return f, err
	}
	if err = p.sign("="); err != nil {
		return nil, err
	}
	f.value, err = p.text("a value")
	return f, err
}

func (p *parser) client() (string, error) {
	t := p.take()
	name, is := strings.CutPrefix(t.text, "@")
	if t.kind != wordToken || !is || !plainName(name) {
		return "", t.wrong("here a client must stand, like @ann, not %v", t)
	}
	return name, nil
}

func (p *parser) answer() (fact, error) {
	client, err := p.client()
	if err == nil {
		err = p.sign("=")
	}
	if err != nil {
		return nil, err
	}
	outcome, err := p.oneOf("an outcome", append(answerWords(), "refused")...)
	if err == nil && outcome == "refused" {
		return p.refused(client)
	}
	return outcomeIs{client, outcome}, err
}

func (p *parser) saw() (fact, error) {
	client, err := p.client()
	if err != nil || p.word("nothing") {
		return sawValue{client: client}, err
	}
	if err := p.sign("="); err != nil {
		return nil, err
	}
	value, err := p.text("a value")
	return sawValue{client, true, value}, err
}

func (p *parser) why() (fact, error) {
	var f decided
	if _, is := nodeNumber(p.peek()); is {
		id, err := p.node()
		if err != nil {
			return nil, err
		}
		f.node = id
	}
	t := p.take()
	f.event, f.reason, _ = strings.Cut(t.text, ".")
	if t.kind != wordToken || !slices.Contains(eventNames(), f.event) {
		return nil, t.wrong("here the name of a decision must stand, one of %s, not %v%s",
			strings.Join(eventNames(), ", "), t, perhaps(f.event, eventNames()))
	}
	if f.reason != "" && !slices.Contains(reasonNames(), f.reason) {
		return nil, t.wrong("%q is no reason%s; the reasons are %s", f.reason,
			perhaps(f.reason, reasonNames()), strings.Join(reasonNames(), ", "))
	}
	return f, nil
}
