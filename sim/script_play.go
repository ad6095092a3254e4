package sim

import (
	"fmt"

	"balsa/raft"
)

// Manner says how a scenario is played.
type Manner struct {
	// Seed, if not 0, takes the place of the script's own.
	Seed uint64
	// Broken plays the story in a program with a seeded bug: what is expected may fail, a goal may not be
	// reached, and the story ends at the first violation.
	Broken bool
	// Budget is how many events each path may take, 0 for no bound: a story that goes beyond stops there.
	Budget uint64
	// Enough is asked now and then whether the story is to end where it is, as Unfinished; may be nil.
	Enough func() bool
	// Observe sees every event as it happens, those of the branches too; may be nil.
	Observe func(Record)
}

// Unmet says which statement of a scenario did not come true, and what was the case instead.
type Unmet struct {
	Name         string // of the file
	Line, Column int
	At           Moment
	Sentence     string
	Violation    *Violation // if that is what came in between
}

// Error is the place, the moment and the sentence.
func (u *Unmet) Error() string {
	place := fmt.Sprintf("line %d, column %d, at %v: %s", u.Line, u.Column, u.At, u.Sentence)
	if u.Name != "" {
		return u.Name + ", " + place
	}
	return place
}

// usualPatience is how long `run until` waits when the script does not say.
const usualPatience = 10 * Second

// Play plays the main story, and then each branch: a run is a value, so a branch is the same run up to its
// point, and goes on differently. The error is an *Unmet for the first statement that did not come true;
// what was played until then is returned with it.
func (s *Scenario) Play(m Manner) (Performance, error) {
	var show Performance
	for _, path := range s.paths() {
		p, err := s.stage(m, path.name, &show)
		if err == nil {
			err = p.playAll(path)
		}
		if p != nil {
			show.Digest = Digest(mix(uint64(show.Digest), p.world.trace.digest))
			show.Simulated += p.world.now
			show.Events += p.world.trace.position
			if show.Violation == nil {
				show.Violation = p.world.violation
			}
		}
		if err != nil || m.Broken && show.Violation != nil {
			return show, err
		}
	}
	return show, nil
}

// path is one way through the text.
type path struct {
	name   string
	shared []Statement // up to the branch's point: done again, and not judged again
	own    []Statement
}

// paths are the main story and its branches.
func (s *Scenario) paths() []path {
	paths := []path{{}}
	for _, statement := range s.Statements {
		if b, is := statement.act.(branch); is {
			paths = append(paths, path{name: b.name, shared: s.upTo(b.from)})
			continue
		}
		last := &paths[len(paths)-1]
		last.own = append(last.own, statement)
	}
	return paths
}

// upTo returns the main story up to the end of what stands under a label.
func (s *Scenario) upTo(name string) []Statement {
	under := false
	for i, statement := range s.Statements {
		switch a := statement.act.(type) {
		case branch:
			return s.Statements[:i]
		case label:
			if under {
				return s.Statements[:i]
			}
			under = a.name == name
		}
	}
	return s.Statements
}

// stage makes the world of the story.
func (s *Scenario) stage(m Manner, branch string, show *Performance) (*player, error) {
	count, seed := defaultNodes, uint64(1)
	var settings []setting
	for _, statement := range s.Statements {
		switch a := statement.act.(type) {
		case howMany:
			count = a.count
		case seeding:
			seed = a.seed
		case options:
			settings = append(settings, a.settings...)
		}
	}
	if m.Seed != 0 {
		seed = m.Seed
	}
	o, err := worldOptions(count, settings)
	if err != nil {
		return nil, err
	}
	p := &player{scenario: s, manner: m, branch: branch, show: show}
	for id := range o.Nodes + o.Spares {
		p.cast = append(p.cast, raft.NodeID(id+1))
	}
	p.world, err = New(Spec{Version: SpecVersion, Seed: seed, Options: o},
		Parts{Observe: p.observe, Enough: m.Enough})
	return p, err
}

// player plays one path.
type player struct {
	scenario *Scenario
	manner   Manner
	branch   string
	show     *Performance
	world    *World

	cast      []raft.NodeID // who plays n1, n2 …: let exchanges them
	decisions []made        // since the last label
	meddlers  []meddler
	callers   []string // the clients, in the order in which they first asked
	errands   []errand // what administrators have asked for
	replaying bool     // this part of the path has been judged on another one
}

// made is a decision of a server.
type made struct {
	node          raft.NodeID
	event, reason string
}

// observe takes note of decisions, and has the next message that is meddled with meet its fate: the world
// tells of a message before it asks what becomes of it.
func (p *player) observe(r Record) {
	if p.manner.Observe != nil {
		p.manner.Observe(r)
	}
	switch r.Kind {
	case Decided:
		event, reason := decision(r.Event)
		p.decisions = append(p.decisions, made{r.Node, event, reason})
	case Sent:
		p.meddle(r)
	case Administered:
		p.hear(r)
	}
}

func (p *player) playAll(way path) error {
	p.replaying = true
	for i := range way.shared {
		if err := p.play(way.shared[i : i+1]); err != nil {
			return err
		}
	}
	p.replaying = false
	if p.branch != "" {
		p.decisions = nil
	}
	for i := range way.own {
		if err := p.play(way.own[i:]); err != nil || p.world.violation != nil && p.manner.Broken {
			return err
		}
	}
	if p.world.violation == nil {
		p.world.history.end(p.world.moment())
		p.world.violation = p.world.history.violation()
	}
	if p.manner.Broken || len(way.own) == 0 {
		return nil
	}
	return p.place(way.own[len(way.own)-1], p.wanted(way.own))
}

// place says of an error where and when it came.
func (p *player) place(s Statement, err error) error {
	if u, is := err.(*Unmet); is {
		u.Name, u.Line, u.Column, u.At = p.scenario.Name, s.Line, s.Column, p.world.moment()
	}
	return err
}

// play plays the first of some statements; those behind it tell whether a violation is what the story wants.
func (p *player) play(rest []Statement) error {
	s := rest[0]
	if v := p.world.violation; v != nil { // the world stands still: all that can be told is that it does
		if e, is := s.act.(expectViolation); is && e.property == v.Property {
			p.tell(s, "it is: "+v.Sentence)
		}
		return nil
	}
	result, err := p.perform(s)
	if err == nil {
		err = p.wanted(rest)
	}
	if err != nil && !p.manner.Broken {
		return p.place(s, err)
	}
	p.tell(s, result)
	return nil
}

// wanted refuses a violation that no later statement of the path expects.
func (p *player) wanted(rest []Statement) error {
	v := p.world.violation
	if v == nil {
		return nil
	}
	for _, s := range rest {
		if e, is := s.act.(expectViolation); is && e.property == v.Property {
			return nil
		}
	}
	return &Unmet{Sentence: "a violation came in between: " + v.Error(), Violation: v}
}

func (p *player) tell(s Statement, result string) {
	if !p.replaying {
		p.show.Lines = append(p.show.Lines, Played{s, p.branch, p.world.moment(), result})
	}
}

// perform does what a statement says, and returns what there is to tell about it.
func (p *player) perform(s Statement) (string, error) {
	switch a := s.act.(type) {
	case label:
		p.decisions = nil
	case wait:
		return "", p.wait(p.world.now + a.length)
	case waitUntil:
		return "", p.waitUntil(a)
	case let:
		return p.let(a)
	case settle:
		return "", p.settle()
	case predict:
		return p.predict(a)
	case expect:
		return "", p.expect(a)
	case expectViolation:
		if a.property != "" && !p.replaying {
			return "", &Unmet{Sentence: fmt.Sprintf("%s is not violated", a.property)}
		}
	case remark, howMany, seeding, options, say, branch, withMutant:
	default:
		return "", p.intervene(a)
	}
	return "", nil
}

// wait lets everything happen that is due until then.
func (p *player) wait(end Time) error {
	for p.world.stepBefore(end) {
		if err := p.overBudget(); err != nil {
			return err
		}
	}
	p.world.RunUntil(end)
	return nil
}

func (p *player) overBudget() error {
	if p.manner.Budget == 0 || p.world.trace.position < p.manner.Budget {
		return nil
	}
	return &Unmet{Sentence: fmt.Sprintf("the story has taken all of its %d events", p.manner.Budget)}
}

func (p *player) waitUntil(a waitUntil) error {
	within := a.within
	if within == 0 {
		within = usualPatience
	}
	end := p.world.now + within
	for !p.holds(a.goal) {
		if p.world.violation != nil {
			return nil // wanted says what it is
		}
		if err := p.overBudget(); err != nil {
			return err
		}
		if !p.world.stepBefore(end) {
			p.world.RunUntil(end)
			if p.holds(a.goal) {
				return nil
			}
			return &Unmet{Sentence: fmt.Sprintf("within %v it did not come to %v: %s", within, a.goal,
				p.instead(a.goal))}
		}
	}
	return nil
}

// settle ends every fault and demands that the cluster recovers.
func (p *player) settle() error {
	if p.world.options.NoElectionTimer {
		return &Unmet{Sentence: "with timers=manual nothing settles by itself"}
	}
	p.meddlers = nil
	p.world.heal()
	p.world.recover()
	return nil
}

// stepBefore lets the next thing happen if it is due by then.
func (w *World) stepBefore(end Time) bool {
	return !w.queue.empty() && w.queue.next() <= end && w.Step()
}

// let gives the leader a name of the story, and the server that bore it the leader's.
func (p *player) let(a let) (string, error) {
	for i := range p.cast {
		if (leads{raft.NodeID(i + 1)}).holds(p) {
			p.cast[a.node-1], p.cast[i] = p.cast[i], p.cast[a.node-1]
			return fmt.Sprintf("n%v is server %v", a.node, p.cast[a.node-1]), nil
		}
	}
	return "", &Unmet{Sentence: "nobody leads"}
}

func (p *player) predict(a predict) (string, error) {
	if p.replaying {
		return "", nil
	}
	if len(a.answers) == 1 {
		if p.holds(a.answers[0].when) {
			return "yes", nil
		}
		return "no", nil
	}
	var right []string
	for _, c := range a.answers {
		if p.holds(c.when) {
			right = append(right, c.name)
		}
	}
	if len(right) != 1 {
		return "", &Unmet{Sentence: fmt.Sprintf("of the answers to %q one must be right, and %d are: %q",
			a.question, len(right), right)}
	}
	return right[0], nil
}

func (p *player) expect(a expect) error {
	if p.replaying || p.holds(a.holds) {
		return nil
	}
	return &Unmet{Sentence: fmt.Sprintf("%v was expected; %s", a.holds, p.instead(a.holds))}
}
