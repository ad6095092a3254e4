package sim

import (
	"fmt"
	"strings"
)

// Played is one statement as it went.
type Played struct {
	Statement
	Branch string // empty: the main story
	At     Moment
	Result string // of a prediction: the true answer; of a wait: how things stand
}

// Performance is what became of a scenario.
type Performance struct {
	Lines     []Played
	Violation *Violation // the first one, expected or not
	Digest    Digest     // of all its paths
	Simulated Time
	Events    uint64
}

// String is the performance line by line: when, which statement, what came of it.
func (show Performance) String() string {
	var b strings.Builder
	for _, l := range show.Lines {
		if _, is := l.act.(remark); is {
			continue
		}
		fmt.Fprintf(&b, "%12v %4d  %s", l.At.Time, l.Line, strings.ReplaceAll(l.String(), "\n   ", ""))
		if l.Result != "" {
			fmt.Fprintf(&b, "  → %s", l.Result)
		}
		b.WriteString("\n")
	}
	return b.String()
}
