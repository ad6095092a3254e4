package sim

import (
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
	"balsa/replica"
)

// How a story changes who is a member, and who leads (§6; thesis §3.10, §4). Whoever leads is asked, or the
// server named with `at`, and the answer is that of the administrator who asked:
//
//	join n6                                       # a spare, or who was removed, starts with an empty disk
//	member @ops add n6;  run until answer @ops = ok
//	member @ops promote n6 demote n2 remove n1    # several at once; also update n3, auto on|off, force
//	transfer @ops to n2                           # or to the best, when none is named
//	run until answer @ops = refused ChangeOpen

type (
	// changing is `member @ops at n1 add n6 remove n1 force`.
	changing struct {
		admin  string      // may be empty: nobody asks for the answer
		at     raft.NodeID // None: whoever leads
		change alteration
	}
	// handing is `transfer @ops at n1 to n2`.
	handing struct {
		admin string
		at    raft.NodeID // None: whoever leads
		to    raft.NodeID // None: the best
	}
)

// parts are the words of a change that nodes follow, and those nodes.
func (x *alteration) parts() []enlisted {
	return []enlisted{{"add", &x.add}, {"promote", &x.promote}, {"demote", &x.demote}, {"remove", &x.remove},
		{"update", &x.update}}
}

// enlisted is one of them.
type enlisted struct {
	word string
	ids  *[]raft.NodeID
}

// String is the change in words, each node with an n before its number.
func (x alteration) String() string {
	var words []string
	for _, part := range x.parts() {
		if len(*part.ids) > 0 {
			words = append(words, part.word, nodeNames(*part.ids))
		}
	}
	if x.auto != "" {
		words = append(words, "auto", x.auto)
	}
	if x.force {
		words = append(words, "force")
	}
	return strings.Join(words, " ")
}

func (a changing) String() string { return "member" + askedOf(a.admin, a.at) + " " + a.change.String() }

func (a handing) String() string {
	text := "transfer" + askedOf(a.admin, a.at)
	if a.to != raft.None {
		text += " to " + nodeName(a.to)
	}
	return text
}

// askedOf is who asks, and whom, where the story says so.
func askedOf(admin string, at raft.NodeID) string {
	text := clientName(admin)
	if at != raft.None {
		text += " at " + nodeName(at)
	}
	return text
}

// member takes a change, of which each word stands once.
func (p *parser) member(token) (act, error) {
	var a changing
	var err error
	if a.admin, a.at, err = p.callerAnd("at"); err != nil {
		return nil, err
	}
	for first := true; first || p.peek().kind == wordToken; first = false {
		if err := p.alter(&a.change); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// alter takes one word of a change, with what belongs to it.
func (p *parser) alter(x *alteration) error {
	t := p.peek()
	word, err := p.oneOf("what becomes of the members", "add", "promote", "demote", "remove", "update",
		"auto", "force")
	twice := word == "auto" && x.auto != "" || word == "force" && x.force
	switch {
	case err != nil:
		return err
	case word == "auto":
		x.auto, err = p.oneOf("whether learners are promoted by themselves", "on", "off")
	case word == "force":
		x.force = true
	}
	for _, part := range x.parts() {
		if part.word == word {
			twice = *part.ids != nil
			*part.ids, err = p.namedNodes()
		}
	}
	if twice {
		return t.wrong("%s stands twice in one change: name all nodes behind the first", word)
	}
	return err
}

// namedNodes takes one node or more, each by its name.
func (p *parser) namedNodes() ([]raft.NodeID, error) {
	if t := p.peek(); p.word("all") {
		return nil, t.wrong("here nodes must stand by their names, not %v", t)
	}
	return p.someNodes()
}

func (p *parser) transfer(token) (act, error) {
	var a handing
	var err error
	if a.admin, a.at, err = p.callerAnd("at"); err == nil && p.word("to") {
		a.to, err = p.node()
	}
	return a, err
}

// errand is what an administrator of the story has asked for.
type errand struct {
	admin  string
	ticket raft.Ticket
	server *server
	over   bool // it was answered
	fate   replica.Fate
	why    raft.Refusal
}

// serverNames are servers in the words of operations of the world.
func (p *player) serverNames(x alteration) alteration {
	for _, part := range x.parts() {
		if *part.ids != nil {
			*part.ids = p.members(*part.ids)
		}
	}
	return x
}

// administer has an administrator ask for a change, or for a transfer.
func (p *player) administer(name string, at raft.NodeID, op Op) error {
	if e := p.errand(name); name != "" && e != nil && e.wasTold("open") {
		return &Unmet{Sentence: fmt.Sprintf("@%s has no answer yet and cannot ask for anything else", name)}
	}
	if slices.Contains(p.callers, name) && name != "" {
		return &Unmet{Sentence: fmt.Sprintf("@%s is a client already: give the administrator another name",
			name)}
	}
	asked := p.world.leads()
	if op.Node = p.member(at); at != raft.None {
		asked = p.server(at)
	}
	next := p.world.tickets + 1
	p.errands = append(p.errands, errand{admin: name, ticket: next, server: asked})
	if p.do(op); p.world.tickets != next && p.world.violation == nil {
		return &Unmet{Sentence: "there is nobody to ask: " + p.tellLeaders()}
	}
	return nil
}

// errand returns what an administrator has asked for last, nil when that is nothing.
func (p *player) errand(name string) *errand {
	for i := range slices.Backward(p.errands) {
		if p.errands[i].admin == name {
			return &p.errands[i]
		}
	}
	return nil
}

// hear takes the answer to an administrator.
func (p *player) hear(r Record) {
	for i := range p.errands {
		if e := &p.errands[i]; e.ticket == r.Ticket {
			e.over, e.fate, e.why = true, replica.Fate(r.N>>8), raft.Refusal(r.N&0xff)
		}
	}
}

// wasTold reports whether an errand ended as a word of the language says. Who dies has told nothing, and what
// it was asked for may yet come about.
func (e *errand) wasTold(word string) bool {
	if !e.over {
		waits := slices.ContainsFunc(e.server.asked, func(q question) bool { return q.ticket == e.ticket })
		return word == "open" && waits || word == "unknown" && !waits
	}
	switch e.fate {
	case replica.Done:
		return word == "ok"
	case replica.Rejected, replica.HandingOver, replica.NotLeader, replica.Overloaded, replica.Replaced,
		replica.Refused:
		return word == "no"
	}
	return word == "unknown"
}

// tells is what the administrator knows, for messages.
func (e *errand) tells() string {
	switch {
	case e.wasTold("open"):
		return "@" + e.admin + " has no answer yet"
	case e.why != raft.Accepted:
		return fmt.Sprintf("@%s was refused: %s (%v)", e.admin, nth(refusals(), int(e.why)), e.why)
	case e.wasTold("ok"):
		return "@" + e.admin + " was told that it is done"
	case e.over:
		return "@" + e.admin + " was told that it did not, or may not have, come about"
	}
	return "@" + e.admin + " was told nothing by a server that has died"
}
