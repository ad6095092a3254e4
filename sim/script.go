package sim

import (
	"strings"
)

// The script language: a scenario is a short text that reads as a story and runs as a test.
//
//	nodes 3                                        # who is there, before anything happens
//	opt timers=manual latency=10ms
//	timeout n1;  run until leader = n1             # n1 campaigns and wins
//	propose @ann put x 1;  run until answer @ann = ok
//	# (a) the leader is cut off                    # a point that a branch can begin at the end of
//	cut n1 | n2 n3
//	timeout n2;  run until leader = n2 within 2s
//	expect term n2 > term n1  why BecameLeader
//
// A statement ends with its line or with a semicolon; # begins a remark. Every statement is one operation
// of the table in script_operations.go; conditions are described in script_condition.go.

// Scenario is a parsed script. It is a value: playing it changes nothing in it.
type Scenario struct {
	Name       string // of the file, for messages
	Statements []Statement
}

// Statement is one operation with its place in the text. Lines and columns count from 1, columns in
// characters.
type Statement struct {
	Line, Column int
	end          int // the line on which it ends
	act          act
}

// act is what a statement says; String prints it as the language writes it. The set is closed: script_act.go.
type act interface{ String() string }

// String prints the statement as the language writes it.
func (s Statement) String() string { return s.act.String() }

// Title is the first remark of the text, empty when there is none.
func (s *Scenario) Title() string {
	for _, statement := range s.Statements {
		if r, is := statement.act.(remark); is {
			return r.text
		}
	}
	return ""
}

// SeedFree reports whether a remark says that the story holds whatever the seed: it begins with "seed-free".
func (s *Scenario) SeedFree() bool {
	for _, statement := range s.Statements {
		if r, is := statement.act.(remark); is && strings.HasPrefix(r.text, "seed-free") {
			return true
		}
	}
	return false
}

// Mutant names a seeded bug, and the property that the scenario must find violated in a program that has
// it; no property: the story does not come true there.
type Mutant struct {
	Name     string
	Property Property
}

// Mutants are what the scenario claims to catch, in the order of the text.
func (s *Scenario) Mutants() (mutants []Mutant) {
	for _, statement := range s.Statements {
		if m, is := statement.act.(withMutant); is {
			mutants = append(mutants, Mutant{m.name, m.property})
		}
	}
	return mutants
}

// String prints the scenario in its one canonical form. Lines stay lines and remarks stay; several blank
// lines become one. Parsing it gives the same statements.
func (s *Scenario) String() string {
	var b strings.Builder
	last := 0
	for _, statement := range s.Statements {
		_, isRemark := statement.act.(remark)
		switch {
		case last == 0:
		case statement.Line == last && isRemark:
			b.WriteString("  ")
		case statement.Line == last:
			b.WriteString(";  ")
		case statement.Line == last+1:
			b.WriteString("\n")
		default:
			b.WriteString("\n\n")
		}
		b.WriteString(statement.String())
		last = statement.end
	}
	if last > 0 {
		b.WriteString("\n")
	}
	return b.String()
}
