package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"balsa/sim"
)

// reportsAtMost is how many violations are told in words; the rest is counted, and every one has its file.
const reportsAtMost = 10

// report tells of one run that violates a property: what does not hold, with both witnesses, what kind of run
// it was, and what to do next.
func (c *console) report(w io.Writer, spec sim.Spec, file string) {
	v := spec.Violation
	fmt.Fprintf(w, "%s\n", c.paint(w, bold, fmt.Sprintf("VIOLATION in seed %d", spec.Seed)))
	fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(v.Error(), "\n", "\n    "))
	fmt.Fprintf(w, "    core %s · %s · profile %s · event %d · %s\n", cmp.Or(spec.Core, "unknown"),
		count(spec.Options.Nodes, "node"), cmp.Or(spec.Drawn, "none"), v.Position,
		count(len(spec.Script), "intervention"))
	if file == "" {
		return
	}
	fmt.Fprintf(w, "    replay:  balsa sim replay %s\n", file)
	if strings.HasSuffix(file, ".min.balsa.json") {
		return
	}
	fmt.Fprintf(w, "    smaller: balsa sim shrink %s   (%d → ? interventions)\n", file, len(spec.Script))
}

// reports tells of the violations of a hunt.
func (s *summary) reports(c *console, w io.Writer) {
	for i, f := range s.Violations {
		if i == reportsAtMost {
			fmt.Fprintf(w, "and %s more\n", count(len(s.Violations)-i, "violation"))
			return
		}
		c.report(w, f.spec, f.File)
	}
}
