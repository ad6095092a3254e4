package mutants

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// scoreLine is the sentence above the table that counts the mutants: written by hand it would be wrong with
// the next mutant.
var scoreLine = regexp.MustCompile(`(?m)^\d+ mutants, .*$`)

// score is that sentence. A mutant without a row was not killed yet.
func (t *table) score(all []Mutant) string {
	drawn, story, test := 0, 0, 0
	for _, m := range all {
		switch r, tried := t.rows[m.Name]; {
		case !tried:
		case strings.HasPrefix(r.killer, "`sim "):
			drawn++
		case strings.Contains(r.killer, "^TestScenarios$"):
			story++
		default:
			test++
		}
	}
	killed := "all"
	if n := drawn + story + test; n < len(all) {
		killed = fmt.Sprint(n)
	}
	return fmt.Sprintf("%d mutants, %s killed: %d by a drawn run, %d by a story of the simulator, "+
		"%d by a test of a package.", len(all), killed, drawn, story, test)
}

// TestTheScoreIsTrue holds the sentence to the catalogue and the table.
func TestTheScoreIsTrue(t *testing.T) {
	known, err := readTable(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	want := known.score(catalogue(t))
	if said := scoreLine.FindAllString(known.before, -1); len(said) != 1 || said[0] != want {
		t.Errorf("%s says %q: the truth is\n%s", tableFile, said, want)
	}
}

// TestNoRowIsStale holds each row to the killers that the catalogue names, and to the stories that claim the
// mutant.
func TestNoRowIsStale(t *testing.T) {
	known, err := readTable(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	told := claims(t)
	for _, m := range catalogue(t) {
		if known.stale(m, told[m.Name]) {
			t.Errorf("%s: its row says %s, and the catalogue %q, %q: kill it anew with -only %s", m.Name,
				known.rows[m.Name].killer, m.Killers, m.Reason, m.Name)
		}
	}
}

// TestStaleRows: a row is stale when its killer, or the reason for it, is not the mutant's any more.
func TestStaleRows(t *testing.T) {
	known := &table{rows: map[string]row{"a": {killer: "`go test ./raft -run X` (why)"},
		"b": {killer: "`sim run --profile chaos`"}}}
	const test, run = "go test ./raft -run X", "sim run --profile chaos --seeds 1..150 --time 1m"
	for _, c := range []struct {
		mutant  Mutant
		stories []string
		want    bool
	}{
		{Mutant{Name: "a", Killers: []string{run, test}, Reason: "why"}, nil, false},
		{Mutant{Name: "a", Killers: []string{test}, Reason: "another"}, nil, true},
		{Mutant{Name: "a", Killers: []string{run}}, nil, true},
		{Mutant{Name: "b", Killers: []string{run}}, nil, false},
		{Mutant{Name: "b", Killers: []string{test}}, []string{run}, false},
		{Mutant{Name: "b", Killers: []string{test}, Reason: "why"}, nil, true},
		{Mutant{Name: "never tried", Killers: []string{test}}, nil, false},
	} {
		if is := known.stale(c.mutant, c.stories); is != c.want {
			t.Errorf("%+v, %q: stale %v", c.mutant, c.stories, is)
		}
	}
}

// TestTheScoreCountsWhatWasKilled: each kind of killer is counted as what it is, and a mutant that nobody has
// tried as none.
func TestTheScoreCountsWhatWasKilled(t *testing.T) {
	known := &table{rows: map[string]row{
		"a": {killer: "`sim run --profile chaos`"}, "b": {killer: "`sim replay x.balsa`"},
		"c": {killer: "`go test ./sim -run ^TestScenarios$/^x.balsa$`"},
		"d": {killer: "`go test ./raft -run X`"}, "gone": {killer: "`go test ./raft -run X`"},
	}}
	all := []Mutant{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
	const kinds = " killed: 2 by a drawn run, 1 by a story of the simulator, 1 by a test of a package."
	for _, test := range []struct {
		all  []Mutant
		want string
	}{
		{all, "4 mutants, all" + kinds},
		{append(all, Mutant{Name: "new"}), "5 mutants, 4" + kinds},
	} {
		if said := known.score(test.all); said != test.want {
			t.Errorf("%s\nand not\n%s", said, test.want)
		}
	}
}
