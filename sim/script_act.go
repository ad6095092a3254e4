package sim

import (
	"fmt"
	"strconv"
	"strings"

	"balsa/raft"
)

// What statements say, one type each. Nodes are the story's: `let` may have given the names to other
// servers than those who bear the numbers. A nil list of nodes is `all`.
type (
	// remark is `# text`.
	remark struct{ text string }
	// label is `label (a)`, or `# (a) text` on a line of its own: a branch may begin where the next label
	// stands.
	label struct {
		name, text string
		inRemark   bool
	}

	// howMany is `nodes 5`; seeding is `seed 8`; options are `opt prevote=off timers=manual`.
	howMany struct{ count int }
	seeding struct{ seed uint64 }
	options struct{ settings []setting }

	// let is `let n1 = leader`: from here on the story calls n1 whoever leads, and calls that server's name
	// whoever was n1 before.
	let struct{ node raft.NodeID }

	// wait is `run 50ms`; waitUntil is `run until leader = n1 within 2s`, 0 being the usual patience.
	wait      struct{ length Time }
	waitUntil struct {
		goal   condition
		within Time
	}

	// settle is `settle`: every fault ends, and then there must be a leader in time, one log, and no unrest.
	settle struct{}

	// toNodes is a verb for some nodes: `kill n1 n2`, `timeout n1`, `restart all`.
	toNodes struct {
		verb  string
		nodes []raft.NodeID
	}
	// toDisk is `disk n1 stall`; toClock `clock n1 rate=0.5 jump=1s`; toMachine `apply n1 slow=100`.
	toDisk struct {
		node  raft.NodeID
		state string
	}
	toClock struct {
		node raft.NodeID
		rate int64 // in millionths; 0: as it is
		jump Time
	}
	toMachine struct {
		node  raft.NodeID
		state string // slow, panic, ok
		by    uint64 // of slow: how many times slower
	}
	// toKeeper is `snapshot n1 slow=100`; `snapshot n1` alone, which has one taken, is a verb for nodes.
	toKeeper struct {
		node raft.NodeID
		by   uint64 // how many times slower; 1: no longer
	}

	// cutGroups is `cut n1 | n2 n3`; toLinks is a verb for directed links, and for those messages on them
	// that are of the types named: `cut n1 -> n2`, `heal`, `hold n1 -> all type=append`, `release`, `drop
	// held`.
	cutGroups struct{ groups [][]raft.NodeID }
	toLinks   struct {
		verb  string
		links *between // nil: every link
		types []string // nil: every type
		by    Time     // of delay
	}

	// propose is `propose @ann to n1 number 3 put k v`; reading is `read @ann at n1 stale k`.
	propose struct {
		client string
		to     raft.NodeID // None: whom the client would ask
		once   once
		verb   string // put, delete, increment
		key    string
		value  string
	}
	reading struct {
		client string
		at     raft.NodeID
		mode   string
		key    string
	}

	// say is `say "text"`; predict is `predict "question" answer commit n1 >= 2`, or with several named
	// answers of which one is true,
	// each on a line of its own.
	say     struct{ text string }
	predict struct {
		question string
		answers  []choice
	}
	// expect is `expect commit n1 < 2 why CommitHeld.OldTerm`; expectViolation is `expect violation
	// LeaderCompleteness`, or `expect violations none`.
	expect          struct{ holds condition }
	expectViolation struct{ property Property } // empty: none

	// branch is `branch "e" from (c)`; withMutant `with mutant commit-old-term: expect violation
	// LeaderCompleteness`, or `with mutant no-step-back: expect failure`.
	branch     struct{ name, from string }
	withMutant struct {
		name     string
		property Property // empty: that the story does not come true
	}
)

type setting struct{ name, value string }

// between are the links from each of some nodes to each of others.
type between struct{ from, to []raft.NodeID }

// choice is one answer to a prediction. A single one has no name: yes or no.
type choice struct {
	name string
	when condition
}

func (a remark) String() string { return strings.TrimRight("# "+a.text, " ") }

func (a label) String() string {
	if a.inRemark {
		return strings.TrimRight("# ("+a.name+") "+a.text, " ")
	}
	return "label (" + a.name + ")"
}

func (a howMany) String() string { return fmt.Sprintf("nodes %d", a.count) }
func (a seeding) String() string { return fmt.Sprintf("seed %d", a.seed) }
func (a let) String() string     { return "let " + nodeName(a.node) + " = leader" }
func (a wait) String() string    { return fmt.Sprintf("run %v", a.length) }
func (settle) String() string    { return "settle" }

func (a options) String() string {
	text := "opt"
	for _, s := range a.settings {
		text += " " + s.name + "=" + written(s.value)
	}
	return text
}

func (a waitUntil) String() string {
	text := "run until " + a.goal.String()
	if a.within > 0 {
		text += fmt.Sprintf(" within %v", a.within)
	}
	return text
}

func (a toNodes) String() string { return a.verb + " " + nodeNames(a.nodes) }
func (a toDisk) String() string  { return "disk " + nodeName(a.node) + " " + a.state }

func (a toClock) String() string {
	text := "clock " + nodeName(a.node)
	if a.rate != 0 {
		text += " rate=" + strings.TrimRight(fmt.Sprintf("%d.%06d", a.rate/exact, a.rate%exact), "0")
		text = strings.TrimSuffix(text, ".")
	}
	if a.jump != 0 {
		text += fmt.Sprintf(" jump=%v", a.jump)
	}
	return text
}

func (a toMachine) String() string {
	text := "apply " + nodeName(a.node) + " " + a.state
	if a.by > 0 {
		text += "=" + strconv.FormatUint(a.by, 10)
	}
	return text
}

func (a toKeeper) String() string {
	if a.by == 1 {
		return "snapshot " + nodeName(a.node) + " ok"
	}
	return fmt.Sprintf("snapshot %s slow=%d", nodeName(a.node), a.by)
}

func (a cutGroups) String() string {
	var groups []string
	for _, g := range a.groups {
		groups = append(groups, nodeNames(g))
	}
	return "cut " + strings.Join(groups, " | ")
}

func (a toLinks) String() string {
	text := a.verb
	if a.links != nil {
		text += " " + nodeNames(a.links.from) + " -> " + nodeNames(a.links.to)
	}
	if a.types != nil {
		text += " type=" + strings.Join(a.types, "|")
	}
	if a.by > 0 {
		text += fmt.Sprintf(" by=%v", a.by)
	}
	return text
}

func (a propose) String() string {
	text := "propose" + clientName(a.client)
	if a.to != raft.None {
		text += " to " + nodeName(a.to)
	}
	text += a.once.String() + " " + a.verb + " " + written(a.key)
	if a.verb != "put" {
		return text
	}
	return text + " " + written(a.value)
}

func (a reading) String() string {
	text := "read" + clientName(a.client)
	if a.at != raft.None {
		text += " at " + nodeName(a.at)
	}
	return text + " " + a.mode + " " + written(a.key)
}

func (a say) String() string { return "say " + strconv.Quote(a.text) }

func (a predict) String() string {
	text := "predict " + strconv.Quote(a.question)
	for _, c := range a.answers {
		if len(a.answers) > 1 {
			text += "\n   "
		}
		text += " answer "
		if c.name != "" {
			text += strconv.Quote(c.name) + " "
		}
		text += c.when.String()
	}
	return text
}

func (a expect) String() string { return "expect " + a.holds.String() }

func (a expectViolation) String() string {
	if a.property == "" {
		return "expect violations none"
	}
	return "expect violation " + string(a.property)
}

func (a branch) String() string { return "branch " + strconv.Quote(a.name) + " from (" + a.from + ")" }

func (a withMutant) String() string {
	if a.property == "" {
		return "with mutant " + a.name + ": expect failure"
	}
	return "with mutant " + a.name + ": expect violation " + string(a.property)
}

func nodeName(id raft.NodeID) string { return "n" + id.String() }

func nodeNames(ids []raft.NodeID) string {
	if ids == nil {
		return "all"
	}
	var names []string
	for _, id := range ids {
		names = append(names, nodeName(id))
	}
	return strings.Join(names, " ")
}

func clientName(name string) string {
	if name == "" {
		return ""
	}
	return " @" + name
}
