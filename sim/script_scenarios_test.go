package sim

import (
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
