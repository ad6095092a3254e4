package mutants

import (
	"fmt"
	"strings"
)

// Parse reads mutants in the form that the package comment shows. An error begins with the line.
func Parse(text string) ([]Mutant, error) {
	var p parser
	for line := range strings.Lines(text) {
		p.line++
		if err := p.take(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("line %d: %w", p.line, err)
	}
	return p.done, nil
}

// parser reads line by line; the mutant that is being read is nil between two of them.
type parser struct {
	line int
	now  *Mutant
	done []Mutant
}

func (p *parser) take(line string) error {
	switch {
	case line == "":
		return p.finish()
	case line[0] == '#':
		return nil
	case line[0] == '-' || line[0] == '+' || line[0] == ' ':
		return p.edit(line[0], line[1:]+"\n")
	}
	word, rest, _ := strings.Cut(line, " ")
	if rest = strings.TrimSpace(rest); rest == "" {
		return fmt.Errorf("the field %q says nothing", word)
	}
	return p.field(word, rest)
}

// edit takes one line of a diff.
func (p *parser) edit(sign byte, line string) error {
	if p.now == nil || len(p.now.Edits) == 0 {
		return fmt.Errorf(`an edit without a line "in" that names its file`)
	}
	e := &p.now.Edits[len(p.now.Edits)-1]
	if sign != '+' {
		e.Old += line
	}
	if sign != '-' {
		e.New += line
	}
	return nil
}

func (p *parser) field(word, rest string) error {
	if word == "mutant" {
		if p.now != nil {
			return fmt.Errorf("no empty line before mutant %q", rest)
		}
		p.now = &Mutant{Name: rest}
		return nil
	}
	if p.now == nil {
		return fmt.Errorf(`a paragraph that begins with %q, not with "mutant"`, word)
	}
	m := p.now
	switch word {
	case "bug":
		return once(&m.Bug, word, rest)
	case "from":
		return once(&m.From, word, rest)
	case "reason":
		return once(&m.Reason, word, rest)
	case "breaks":
		m.Breaks = append(m.Breaks, strings.Split(rest, ", ")...)
	case "killer":
		m.Killers = append(m.Killers, rest)
	case "in":
		m.Edits = append(m.Edits, Edit{File: rest})
	default:
		return fmt.Errorf("no field is called %q", word)
	}
	return nil
}

func once(field *string, word, rest string) error {
	if *field != "" {
		return fmt.Errorf("a second line %q", word)
	}
	*field = rest
	return nil
}

// finish ends the mutant that is being read, if there is one, and says what it lacks.
func (p *parser) finish() error {
	if p.now == nil {
		return nil
	}
	m := *p.now
	p.now = nil
	missing := ""
	switch {
	case m.Bug == "":
		missing = "bug"
	case m.From == "":
		missing = "from"
	case len(m.Breaks) == 0:
		missing = "breaks"
	case len(m.Edits) == 0:
		missing = "in"
	}
	if missing != "" {
		return fmt.Errorf("mutant %q has no line %q", m.Name, missing)
	}
	for _, e := range m.Edits {
		if e.Old == "" || e.Old == e.New {
			return fmt.Errorf("mutant %q changes nothing in %s", m.Name, e.File)
		}
	}
	if len(m.Killers) == 0 {
		m.Killers = Hunts()
	}
	p.done = append(p.done, m)
	return nil
}
