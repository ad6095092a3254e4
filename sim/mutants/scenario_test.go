package mutants

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var claim = regexp.MustCompile(`(?m)^with mutant ([a-z0-9-]+):`)

// claims returns, for each mutant that stories of sim/testdata/scenarios say they catch, a killer that plays
// the story. It plays it as it is told: what the story expects does not come about, or a property fails.
func claims(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "sim/testdata/scenarios/*.balsa"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	killers := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		for _, found := range claim.FindAllStringSubmatch(string(text), -1) {
			killers[found[1]] = append(killers[found[1]], "go test ./sim -run ^TestScenarios$/^"+name+"$")
		}
	}
	return killers
}

// TestScenariosClaimMutants: a story cannot claim to catch a bug that nobody can put in.
func TestScenariosClaimMutants(t *testing.T) {
	all, claimed := catalogue(t), 0
	for name := range claims(t) {
		if !slices.ContainsFunc(all, func(m Mutant) bool { return m.Name == name }) {
			t.Errorf("a scenario claims to catch %q, which is no mutant", name)
		}
		claimed++
	}
	if claimed < 20 {
		t.Errorf("only %d mutants are claimed by scenarios", claimed)
	}
}
