package sim

import (
	"slices"
	"strings"

	"balsa/raft"
)

// operation is one row of the language.
type operation struct {
	name    string
	usage   string
	setting bool // stands before everything that happens
	parse   func(p *parser, at token) (act, error)
}

// operations is the language.
func operations() []operation {
	return []operation{
		{"nodes", "nodes 5", true, (*parser).howMany},
		{"seed", "seed 8", true, (*parser).seeding},
		{"opt", "opt prevote=off checkquorum=off timers=manual latency=10ms", true, (*parser).options},
		{"label", "label (c)", false, (*parser).label},
		{"with", "with mutant NAME: expect violation PROPERTY; with mutant NAME: expect failure", false,
			(*parser).withMutant},

		{"run", "run 50ms; run until leader = n1 [within 2s]", false, (*parser).run},
		{"settle", "settle", false, func(*parser, token) (act, error) { return settle{}, nil }},
		{"let", "let n1 = leader", false, (*parser).let},
		{"timeout", "timeout n1", false, (*parser).toNodes},
		{"kill", "kill n1 n2; kill all", false, (*parser).toNodes},
		{"restart", "restart n1; restart all", false, (*parser).toNodes},
		{"stall", "stall n1", false, (*parser).toNodes},
		{"resume", "resume n1", false, (*parser).toNodes},
		{"wipe", "wipe n1", false, (*parser).toNodes},
		{"image", "image n1", false, (*parser).toNodes},
		{"rollback", "rollback n1", false, (*parser).toNodes},
		{"disk", "disk n1 stall|fail|full|ok|lose-unsynced", false, (*parser).toDisk},
		{"clock", "clock n1 rate=0.5 jump=1s", false, (*parser).toClock},
		{"join", "join n6", false, (*parser).toNodes},
		{"clone", "clone n3 as n6", false, (*parser).clone},
		{"stray", "stray n6 at n3", false, (*parser).stray},
		{"move", "move n1 to ADDRESS [told]", false, (*parser).move},
		{"leases", "leases drift=0.2; leases off", false, (*parser).leases},
		{"apply", "apply n1 slow=100|panic|ok", false, (*parser).toMachine},
		{"snapshot", "snapshot n1; snapshot n1 slow=100|ok", false, (*parser).snapshot},

		{"propose", "propose [@ann] [to n1] [number 3] put KEY VALUE; propose [@ann] [to n1] " +
			"[under K [ttl=1h]] delete KEY|increment KEY", false, (*parser).propose},
		{"member", "member [@ops] [at n1] add n6 n7 promote n4 demote n3 remove n1 update n3 auto on|off " +
			"force", false, (*parser).member},
		{"transfer", "transfer [@ops] [at n1] [to n2]", false, (*parser).transfer},
		{"session", "session @ann open [to n1] [ttl=1h]; session @ann close [to n1]", false,
			(*parser).arrange},
		{"read", "read [@ann] [at n1] [linearizable|lease|leader|stale] KEY", false, (*parser).read},

		{"cut", "cut n1 n2 | n3 n4; cut n1 -> n2", false, (*parser).cut},
		{"heal", "heal; heal n1 -> n2", false, (*parser).toLinks},
		{"hold", "hold n1 -> n2 n3 [type=append|vote]; hold n1 -> all", false, (*parser).toLinks},
		{"release", "release; release n1 -> n2", false, (*parser).toLinks},
		{"drop", "drop held [n1 -> n2]; drop n1 -> n2 [type=append]", false, (*parser).toLinks},
		{"dup", "dup n1 -> n2 [type=append] [by=1s]", false, (*parser).toLinks},
		{"delay", "delay n1 -> n2 [type=append] by=1s", false, (*parser).toLinks},

		{"say", `say "text"`, false, (*parser).say},
		{"focus", "focus n1", false, (*parser).toNodes},
		{"predict", `predict "question" answer commit n1 >= 2`, false, (*parser).predict},
		{"expect", "expect [not] leader = n1 [why BecameLeader]; expect violations none", false,
			(*parser).expect},
		{"branch", `branch "e" from (c)`, false, (*parser).branch},

		{"mutant", "", false, reserved("to switch a rule off comes with the lab; a scenario says " +
			"`with mutant NAME: expect violation PROPERTY`")},
	}
}

// operationNames are all of them that this version performs, for messages.
func operationNames() string {
	var names []string
	for _, o := range operations() {
		if o.usage != "" {
			names = append(names, o.name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func reserved(why string) func(*parser, token) (act, error) {
	return func(_ *parser, at token) (act, error) {
		return nil, at.wrong("%s is not known yet: %s", at.text, why)
	}
}

func (p *parser) howMany(token) (act, error) {
	t := p.peek()
	n, err := p.number("the number of nodes")
	if err == nil && (n < 1 || n > maxNodes) {
		err = t.wrong("a cluster of %v nodes is not to be had: there are 1 to %d", t, maxNodes)
	}
	p.nodes = int(min(n, maxNodes))
	return howMany{p.nodes}, err
}

func (p *parser) seeding(token) (act, error) {
	n, err := p.number("a seed")
	return seeding{n}, err
}

func (p *parser) options(token) (act, error) {
	var a options
	for {
		t := p.peek()
		name, err := p.oneOf("the name of an option", knobNames()...)
		if err == nil {
			err = p.sign("=")
		}
		if err != nil {
			return nil, err
		}
		at := p.peek()
		value, err := p.text("a value")
		if err != nil {
			return nil, err
		}
		for _, s := range a.settings {
			if s.name == name {
				return nil, t.wrong("option %s is given twice", name)
			}
		}
		scratch := DefaultOptions()
		if err := knobNamed(name).turn(&scratch, value); err != nil {
			return nil, at.wrong("%v", err)
		}
		a.settings = append(a.settings, setting{name, value})
		if name == "spares" {
			p.spares = min(scratch.Spares, maxServers)
		}
		if k := p.peek().kind; k == endToken || k == remarkToken {
			return a, nil
		}
	}
}

func (p *parser) label(token) (act, error) {
	t := p.peek()
	name, err := p.labelName()
	if err != nil {
		return nil, err
	}
	return label{name: name}, p.define(t, name)
}

// labelName takes `(c)`.
func (p *parser) labelName() (string, error) {
	if err := p.sign("("); err != nil {
		return "", err
	}
	t := p.take()
	if t.kind != wordToken || !plainName(t.text) {
		return "", t.wrong("here the name of a point must stand, in small letters, digits and -, not %v", t)
	}
	return t.text, p.sign(")")
}

func (p *parser) withMutant(token) (act, error) {
	if err := p.sign("mutant"); err != nil {
		return nil, err
	}
	t := p.take()
	if t.kind != wordToken || !plainName(t.text) {
		return nil, t.wrong("here the name of a mutant must stand, like commit-old-term, not %v", t)
	}
	a := withMutant{name: t.text}
	for _, sign := range []string{":", "expect"} {
		if err := p.sign(sign); err != nil {
			return nil, err
		}
	}
	if p.word("failure") {
		return a, nil
	}
	err := p.sign("violation")
	if err == nil {
		a.property, err = p.property()
	}
	return a, err
}

func (p *parser) property() (Property, error) {
	var known []string
	for _, property := range properties() {
		known = append(known, string(property))
	}
	name, err := p.oneOf("a property", known...)
	return Property(name), err
}

func (p *parser) run(token) (act, error) {
	if !p.word("until") {
		length, err := p.time("how long to run, or `until`,")
		return wait{length}, err
	}
	goal, err := p.condition()
	a := waitUntil{goal: goal}
	if err == nil && p.word("within") {
		t := p.peek()
		if a.within, err = p.time("how long to wait at most"); err == nil && a.within == 0 {
			err = t.wrong("nothing happens within no time")
		}
	}
	return a, err
}

func (p *parser) let(token) (act, error) {
	id, err := p.node()
	if err == nil {
		err = p.sign("=")
	}
	if err == nil {
		err = p.sign("leader")
	}
	return let{id}, err
}

func (p *parser) toNodes(verb token) (act, error) {
	ids, err := p.someNodes()
	return toNodes{verb.text, ids}, err
}

func (p *parser) toDisk(token) (act, error) {
	id, err := p.node()
	if err != nil {
		return nil, err
	}
	state, err := p.oneOf("what becomes of the disk", "stall", "fail", "full", "ok", "lose-unsynced")
	return toDisk{id, state}, err
}

func (p *parser) toMachine(token) (act, error) {
	id, err := p.node()
	if err != nil {
		return nil, err
	}
	a := toMachine{node: id}
	a.state, err = p.oneOf("what becomes of the state machine", "slow", "panic", "ok")
	if err == nil && a.state == "slow" {
		a.by, err = p.slower()
	}
	return a, err
}

// slower is how many times slower something becomes, behind the word slow.
func (p *parser) slower() (by uint64, err error) {
	if err = p.sign("="); err != nil {
		return 0, err
	}
	t := p.peek()
	by, err = p.number("how many times slower")
	if err == nil && (by < 2 || by > 1_000_000_000) {
		err = t.wrong("slow=%v is out of range: from 2 to 1000000000 times slower", t.text)
	}
	return by, err
}

// snapshot has one taken, or makes all that is done with snapshots slower.
func (p *parser) snapshot(verb token) (act, error) {
	ids, err := p.someNodes()
	if err != nil || p.peek().kind != wordToken {
		return toNodes{verb.text, ids}, err
	}
	if len(ids) != 1 {
		return nil, p.peek().wrong("of one node at a time it is said how slow its snapshots are")
	}
	a := toKeeper{node: ids[0], by: 1}
	state, err := p.oneOf("what becomes of its snapshots", "slow", "ok")
	if err == nil && state == "slow" {
		a.by, err = p.slower()
	}
	return a, err
}

func (p *parser) toClock(token) (act, error) {
	id, err := p.node()
	a := toClock{node: id}
	for first := true; err == nil && (first || p.peek().kind == wordToken); first = false {
		var what string
		if what, err = p.oneOf("what becomes of the clock", "rate", "jump"); err == nil {
			err = p.sign("=")
		}
		switch {
		case err != nil:
		case what == "jump":
			a.jump, err = p.time("how far it jumps ahead")
		default:
			a.rate, err = p.rate()
		}
	}
	return a, err
}

// rate takes a number with up to six decimals; the clock of a server counts in millionths.
func (p *parser) rate() (int64, error) {
	t := p.take()
	seconds, err := ParseTime(t.text + "s") // a second per second
	if rate := int64(seconds / Microsecond); err == nil && rate >= exact/100 && rate <= 100*exact {
		return rate, nil
	}
	return 0, t.wrong("here the rate of a clock must stand, from 0.01 to 100, not %v", t)
}

func (p *parser) propose(token) (act, error) {
	var a propose
	var err error
	if a.client, a.to, err = p.callerAnd("to"); err != nil {
		return nil, err
	}
	if a.once, err = p.once(); err != nil {
		return nil, err
	}
	if a.verb, err = p.oneOf("a command", "put", "delete", "increment"); err != nil {
		return nil, err
	}
	if a.key, err = p.text("a key"); err == nil && a.verb == "put" {
		a.value, err = p.text("a value")
	}
	return a, err
}

// callerAnd takes `@ann` and `to n1`, either of which may be missing.
func (p *parser) callerAnd(preposition string) (client string, id raft.NodeID, err error) {
	if strings.HasPrefix(p.peek().text, "@") && p.peek().kind == wordToken {
		client, err = p.client()
	}
	if err == nil && p.word(preposition) {
		id, err = p.node()
	}
	return client, id, err
}

func (p *parser) read(token) (act, error) {
	a := reading{mode: "linearizable"}
	var err error
	if a.client, a.at, err = p.callerAnd("at"); err != nil {
		return nil, err
	}
	t := p.peek()
	if a.key, err = p.text("a key"); err != nil {
		return nil, err
	}
	if next := p.peek(); next.kind != wordToken && next.kind != quotedToken {
		return a, nil // one word: the key
	}
	if t.kind != wordToken || !slices.Contains([]string{"linearizable", "lease", "leader", "stale"}, t.text) {
		return nil, t.wrong("here linearizable, lease, leader, stale or only a key must stand, not %v", t)
	}
	a.mode = t.text
	a.key, err = p.text("a key")
	return a, err
}
