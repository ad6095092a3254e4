package mutants

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the repository.
const root = "../.."

// atLeast is how many mutants there must be: a catalogue does not shrink.
const atLeast = 100

func catalogue(t *testing.T) []Mutant {
	t.Helper()
	all, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEveryMutantFits: the catalogue cannot fall behind the sources.
func TestEveryMutantFits(t *testing.T) {
	all := catalogue(t)
	if len(all) < atLeast {
		t.Errorf("%d mutants, at least %d are demanded", len(all), atLeast)
	}
	for _, m := range all {
		if _, err := m.Overlay(root, t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryMutantIsSaidWell holds what a reader of the catalogue and the machinery rely on.
func TestEveryMutantIsSaidWell(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen, known := map[string]bool{}, properties(t)
	for _, m := range catalogue(t) {
		complain := func(format string, args ...any) {
			t.Helper()
			t.Errorf(m.Name+": "+format, args...)
		}
		if !name.MatchString(m.Name) || seen[m.Name] {
			complain("names are words with hyphens, each name once")
		}
		seen[m.Name] = true
		if !strings.HasSuffix(m.Bug, ".") {
			complain("the bug is no sentence: %s", m.Bug)
		}
		for _, property := range m.Breaks {
			if !slices.Contains(known, property) {
				complain("the simulator checks no property %q", property)
			}
		}
		for _, killer := range m.Killers {
			checkKiller(complain, m, killer)
		}
		for _, file := range m.Files() {
			if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				complain("%s is not a source of the program", file)
			}
		}
	}
}

func checkKiller(complain func(string, ...any), m Mutant, killer string) {
	words := strings.Fields(killer)
	isTest := strings.HasPrefix(killer, "go test ./")
	if !isTest && !strings.HasPrefix(killer, "sim run ") && !strings.HasPrefix(killer, "sim replay ") {
		complain("a killer that is neither sim run, sim replay nor go test: %s", killer)
	}
	if isTest && m.Reason == "" {
		complain("a test is the killer, and no reason says why the simulator is not")
	}
	if file := words[len(words)-1]; strings.HasPrefix(killer, "sim replay ") {
		if _, err := os.Stat(filepath.Join(root, file)); err != nil {
			complain("%v", err)
		}
	}
}

// properties are those that the simulator checks, as its source lists them.
func properties(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("../violation.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, found := range regexp.MustCompile(`(?m)^\t\w+ +Property = "(\w+)"`).FindAllSubmatch(source, -1) {
		names = append(names, string(found[1]))
	}
	return names
}

// TestParseComplains: each mistake in a catalogue is told with its line.
func TestParseComplains(t *testing.T) {
	const good = "mutant a\nbug B.\nfrom C\nbreaks D\nin e.go\n-x\n"
	if all, err := Parse(good); err != nil || len(all) != 1 || all[0].Killers[0] != Hunts()[0] {
		t.Fatalf("%v, %v", all, err)
	}
	for _, test := range []struct{ name, text, want string }{
		{"no name", "bug B.\n", `line 1: a paragraph that begins with "bug", not with "mutant"`},
		{"an empty field", "mutant a\nbug\n", `line 2: the field "bug" says nothing`},
		{"an unknown field", "mutant a\nbugs B.\n", `line 2: no field is called "bugs"`},
		{"a field twice", "mutant a\nbug B.\nbug C.\n", `line 3: a second line "bug"`},
		{"no empty line", good + good, `line 7: no empty line before mutant "a"`},
		{"no bug", "mutant a\n", `line 1: mutant "a" has no line "bug"`},
		{"no file", "mutant a\n-x\n", `line 2: an edit without a line "in" that names its file`},
		{"no edit", "mutant a\nbug B.\nfrom C\nbreaks D\n\n", `line 5: mutant "a" has no line "in"`},
		{"no change", strings.ReplaceAll(good, "-x", " x"), `line 6: mutant "a" changes nothing in e.go`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse(test.text); err == nil || err.Error() != test.want {
				t.Errorf("\ngot  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestEditIsOfWholeLines: an edit that fits twice, or in the middle of a line, is refused.
func TestEditIsOfWholeLines(t *testing.T) {
	for _, test := range []struct {
		source, old string
		at          int
		want        string
	}{
		{"a\nb\nc\n", "b\n", 2, ""},
		{"a\nb\n", "a\n", 0, ""},
		{"ab\nb\n", "b\n", 3, ""},
		{"b\na\nb\n", "b\n", 0, `the lines from "b" on stand there 2 times, must be once`},
		{"ab\n", "b\n", 0, `the lines from "b" on stand there 0 times, must be once`},
		{"", "b\n", 0, `the lines from "b" on stand there 0 times, must be once`},
	} {
		at, err := find(test.source, test.old)
		if said := message(err); at != test.at || said != test.want {
			t.Errorf("%q in %q: at %d, %q; want %d, %q", test.old, test.source, at, said, test.at, test.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
