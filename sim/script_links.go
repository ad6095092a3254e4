package sim

import (
	"slices"
	"strings"

	"balsa/raft"
)

// cut takes groups between which nothing passes, or links.
func (p *parser) cut(verb token) (act, error) {
	start := p.at
	group, err := p.someNodes()
	if err != nil {
		return nil, err
	}
	if p.peek().is("->") {
		p.at = start
		return p.toLinks(verb)
	}
	a := cutGroups{[][]raft.NodeID{group}}
	for p.word("|") {
		at := p.peek()
		if group, err = p.someNodes(); err != nil {
			return nil, err
		}
		for _, other := range a.groups {
			for _, id := range group {
				if slices.Contains(other, id) {
					return nil, at.wrong("n%v stands on two sides of the cut", id)
				}
			}
		}
		if group == nil || a.groups[0] == nil {
			return nil, at.wrong("all on one side of a cut leaves nobody for the other")
		}
		a.groups = append(a.groups, group)
	}
	if len(a.groups) < 2 {
		t := p.peek()
		return nil, t.wrong("a cut has two sides: cut n1 n2 | n3, or cut n1 -> n2 for one direction; "+
			"here is %v", t)
	}
	return a, nil
}

// toLinks takes a verb for links. Which of them may go without naming any, and which read types and by, is
// the table here.
func (p *parser) toLinks(verb token) (act, error) {
	a := toLinks{verb: verb.text}
	if verb.text == "drop" && p.word("held") {
		a.verb = "drop held"
	}
	required := !slices.Contains([]string{"heal", "release", "drop held"}, a.verb)
	typed := slices.Contains([]string{"hold", "drop", "dup", "delay"}, a.verb)
	var err error
	if k := p.peek().kind; required || k != endToken && k != remarkToken {
		a.links, err = p.between()
	}
	for err == nil && p.peek().kind == wordToken {
		t := p.take()
		switch {
		case t.text == "type" && typed && a.types == nil:
			a.types, err = p.types()
		case t.text == "by" && (a.verb == "delay" || a.verb == "dup") && a.by == 0:
			if err = p.sign("="); err == nil {
				a.by, err = p.time("how much later")
			}
		default:
			err = t.wrong("%v does not belong here: %s", t, usageOf(verb.text))
		}
	}
	if err == nil && a.verb == "delay" && a.by == 0 {
		t := p.peek()
		err = t.wrong("a delay needs by=, like by=1s")
	}
	return a, err
}

func usageOf(name string) string {
	for _, o := range operations() {
		if o.name == name {
			return "write " + o.usage
		}
	}
	return ""
}

// types takes `=append|vote`.
func (p *parser) types() (types []string, err error) {
	if err := p.sign("="); err != nil {
		return nil, err
	}
	for {
		name, err := p.oneOf("a type of message", messageTypes()...)
		if err != nil {
			return nil, err
		}
		types = append(types, name)
		if !p.word("|") {
			return types, nil
		}
	}
}

// messageTypes are the words for messages, in the order of isOfType.
func messageTypes() []string {
	return strings.Fields(`append append-response entries heartbeat vote vote-response prevote
		prevote-response snapshot snapshot-response chunk forward forward-response forward-read
		forward-read-response refusal timeout-now`)
}

// isOfType reports whether a message is what one of the words names. An append is any AppendEntries;
// entries are one that has some, a heartbeat is one that has none. A snapshot is any InstallSnapshot, a chunk
// one that has data.
func isOfType(m raft.Message, types []string) bool {
	name := ""
	switch m := m.(type) {
	case raft.AppendEntries:
		if len(m.Entries) > 0 && slices.Contains(types, "entries") ||
			len(m.Entries) == 0 && slices.Contains(types, "heartbeat") {
			return true
		}
		name = "append"
	case raft.AppendEntriesResponse:
		name = "append-response"
	case raft.RequestVote:
		name = "vote"
	case raft.RequestVoteResponse:
		name = "vote-response"
	case raft.PreVote:
		name = "prevote"
	case raft.PreVoteResponse:
		name = "prevote-response"
	case raft.InstallSnapshot:
		if len(m.Data) > 0 && slices.Contains(types, "chunk") {
			return true
		}
		name = "snapshot"
	case raft.InstallSnapshotResponse:
		name = "snapshot-response"
	case raft.ForwardProposal:
		name = "forward"
	case raft.ForwardProposalResponse:
		name = "forward-response"
	case raft.ForwardRead:
		name = "forward-read"
	case raft.ForwardReadResponse:
		name = "forward-read-response"
	case raft.IdentityRefused:
		name = "refusal"
	case raft.TimeoutNow:
		name = "timeout-now"
	}
	return slices.Contains(types, name)
}
