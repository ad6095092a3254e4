package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tableFile is written by TestMutantsDie. Rows of mutants that were not tried are kept.
var tableFile = filepath.Join(root, "docs", "mutants.md")

// The marks between which the table stands; what is around it is written by hand, but for the score.
const (
	tableBegins = "<!-- the table is written by go test ./sim/mutants -->\n"
	tableEnds   = "<!-- end of the table -->\n"
)

// row is one line of the table: the cells as they are written.
type row struct {
	mutant, bug, from, killer, failed, seed, simulated, cpu, suite string
}

func (r row) String() string {
	cells := []string{r.mutant, r.bug, r.from, r.killer, r.failed, r.seed, r.simulated, r.cpu, r.suite}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// table is docs/mutants.md.
type table struct {
	before, after string
	rows          map[string]row // by the mutant's name
}

func readTable(name string) (*table, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	lines, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return nil, fmt.Errorf("%s: the marks around the table are gone", name)
	}
	t := &table{before: before, after: after, rows: map[string]row{}}
	for line := range strings.Lines(lines) {
		c := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(c) != 9 || !strings.Contains(c[0], "`") {
			continue
		}
		for i := range c {
			c[i] = strings.TrimSpace(c[i])
		}
		r := row{c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]}
		t.rows[strings.Trim(r.mutant, "`")] = r
	}
	return t, nil
}

// write writes the rows in the order of the catalogue.
func (t *table) write(name string, all []Mutant) error {
	var b strings.Builder
	b.WriteString(scoreLine.ReplaceAllLiteralString(t.before, t.score(all)) + tableBegins)
	b.WriteString(row{"mutant", "bug", "from", "killer", "what failed", "seed", "simulated", "CPU",
		"tests of the packages"}.String())
	b.WriteString("|" + strings.Repeat("---|", 9) + "\n")
	for _, m := range all {
		if r, tried := t.rows[m.Name]; tried {
			b.WriteString(r.String())
		}
	}
	b.WriteString(tableEnds + t.after)
	return os.WriteFile(name, []byte(b.String()), 0o644)
}

// note makes the row of a mutant that was killed. What the tests of the packages say is kept if they were not
// tried.
func (t *table) note(m Mutant, k kill, suite string) {
	if suite == "" {
		suite = t.rows[m.Name].suite
	}
	r := row{mutant: "`" + m.Name + "`", bug: m.Bug, from: m.From, killer: m.killedBy(k.killer),
		failed: k.failed, seed: k.seed, cpu: k.cpu.Round(10 * time.Millisecond).String(), suite: suite}
	if k.simulated > 0 {
		r.simulated = k.simulated.Round(10 * time.Millisecond).String()
	}
	t.rows[m.Name] = r
}

// killers are what is tried: what killed the mutant the last time, its first killer, the stories that claim
// to catch it, and what else it names.
func (t *table) killers(m Mutant, stories []string) []string {
	killers := slices.Concat(m.Killers[:1], stories, m.Killers[1:])
	r := t.rows[m.Name]
	for _, killer := range killers {
		if r.killer == m.killedBy(killer) {
			return append([]string{narrowed(killer, r.seed)}, killers...)
		}
	}
	return killers
}

// killedBy is the cell that names a killer: whatever its seed was, and why it is none of drawn runs.
func (m Mutant) killedBy(killer string) string {
	cut, _, _ := strings.Cut(killer, " --seeds")
	cell := "`" + cut + "`"
	if m.Reason != "" {
		cell += " (" + m.Reason + ")"
	}
	return cell
}

// stale reports whether the row of a mutant names a killer that the mutant does not name any more, or gives
// another reason for it: nobody knows then that what is named now kills it.
func (t *table) stale(m Mutant, stories []string) bool {
	r, tried := t.rows[m.Name]
	return tried && !slices.ContainsFunc(slices.Concat(m.Killers, stories), func(killer string) bool {
		return r.killer == m.killedBy(killer)
	})
}
