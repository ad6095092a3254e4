package sim

import "strings"

func (p *parser) say(token) (act, error) {
	text, err := p.quoted("what is said")
	return say{text}, err
}

func (p *parser) predict(at token) (act, error) {
	question, err := p.quoted("a question")
	if err != nil {
		return nil, err
	}
	a := predict{question: question}
	for p.continued("answer") {
		var c choice
		if p.peek().kind == quotedToken {
			c.name = p.take().text
		}
		if c.when, err = p.condition(); err != nil {
			return nil, err
		}
		a.answers = append(a.answers, c)
	}
	if len(a.answers) == 0 {
		t := p.peek()
		return nil, t.wrong("here `answer` and a condition must stand, not %v", t)
	}
	for _, c := range a.answers {
		if (c.name == "") != (len(a.answers) == 1) {
			return nil, at.wrong("one answer has no name and means yes or no, several have names in quotes")
		}
	}
	return a, nil
}

// continued takes a word, also where it begins the next line.
func (p *parser) continued(word string) bool {
	if t := p.peek(); t.kind == endToken && t.text == "\n" && p.tokens[p.at+1].kind == wordToken &&
		p.tokens[p.at+1].text == word {
		p.at++
	}
	return p.word(word)
}

func (p *parser) expect(token) (act, error) {
	switch {
	case p.word("violations"):
		return expectViolation{}, p.sign("none")
	case p.word("violation"):
		property, err := p.property()
		return expectViolation{property}, err
	}
	holds, err := p.condition()
	return expect{holds}, err
}

func (p *parser) branch(at token) (act, error) {
	name, err := p.quoted("the name of the branch")
	if err == nil {
		err = p.sign("from")
	}
	if err != nil {
		return nil, err
	}
	t := p.peek()
	a := branch{name: name}
	if a.from, err = p.labelName(); err != nil {
		return nil, err
	}
	for _, known := range p.labels {
		if known == a.from {
			p.branchd = true
			return a, p.define(at, "branch "+name)
		}
	}
	if len(p.labels) == 0 {
		return nil, t.wrong("there is no point (%s) before this line: name it with label (%s)", a.from,
			a.from)
	}
	return nil, t.wrong("there is no point (%s) in the story before the first branch; its points are (%s)",
		a.from, strings.Join(p.labels, "), ("))
}

// properties are all that are checked.
func properties() []Property {
	return []Property{ElectionSafety, QuorumOverlap, LogMatching, LeaderAppendOnly, LeaderCompleteness,
		StateMachineSafety,
		Monotonicity, OneVote, PromiseDurable, ProgressTruth, Durability, Linearizability, ExactlyOnce,
		ReplicaEquality, Bounds, Recovery, HaltNeverLie, Assertion, Answered, LeaderElected, Converged,
		LeaderStable, Recovered}
}
