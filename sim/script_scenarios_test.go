package sim

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// scenarios reads all of them, in the order of their names.
func scenarios(t *testing.T) (all []*Scenario) {
	t.Helper()
	files, err := filepath.Glob("testdata/scenarios/*.balsa")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseScenario(filepath.Base(file), string(text))
		if err != nil {
			t.Errorf("testdata/scenarios/%v", err)
			continue
		}
		all = append(all, s)
	}
	return all
}

var formatFlag = flag.Bool("format", false, "rewrite the scenarios in their canonical form")

// TestScenariosAreWritten in the one canonical form: go test ./sim -run TestScenariosAreWritten -format.
func TestScenariosAreWritten(t *testing.T) {
	for _, s := range scenarios(t) {
		name := filepath.Join("testdata/scenarios", s.Name)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case string(text) == s.String():
		case !*formatFlag:
			t.Errorf("%s is not in its canonical form: run go test ./sim -run %s -format", name, t.Name())
		default:
			if err := os.WriteFile(name, []byte(s.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestScenarios plays every scenario under its own seed, and those that say so under ten others.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.Name, func(t *testing.T) {
			seeds := []uint64{0}
			if s.SeedFree() {
				seeds = append(seeds, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110)
			}
			for _, seed := range seeds {
				show, err := s.Play(Manner{Seed: seed})
				if err != nil {
					t.Errorf("seed %d: testdata/scenarios/%v\n%s", seed, err, show)
				}
			}
		})
	}
}

var mutantFlag = flag.String("mutant", "", "the seeded bug with which this program was built: the scenarios "+
	"that name it must catch it")

// TestScenariosCatchMutant plays the scenarios that claim to catch the bug with which the test was built:
// go test -overlay FILE ./sim -run TestScenariosCatchMutant -mutant NAME.
func TestScenariosCatchMutant(t *testing.T) {
	if *mutantFlag == "" { // this program has no seeded bug
		return
	}
	claims := 0
	for _, s := range scenarios(t) {
		for _, m := range s.Mutants() {
			if m.Name != *mutantFlag {
				continue
			}
			claims++
			show, err := s.Play(Manner{Broken: m.Property != ""})
			switch v := show.Violation; {
			case m.Property == "" && err == nil:
				t.Errorf("%s comes true with %s", s.Name, m.Name)
			case m.Property == "":
				t.Logf("%v", err)
			case v == nil || v.Property != m.Property:
				t.Errorf("%s with %s finds no violation of %s but %v\n%v", s.Name, m.Name,
					m.Property, v, show)
			default:
				t.Logf("%s: %v", s.Name, v)
			}
		}
	}
	if claims == 0 {
		t.Errorf("no scenario claims to catch %s", *mutantFlag)
	}
}
