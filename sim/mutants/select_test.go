package mutants

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What is to be killed. Without any of these flags only the mutants of everyday are.
var (
	every   = flag.Bool("all", false, "kill every mutant")
	only    = flag.String("only", "", "kill the mutants of these names, with commas between them")
	sample  = flag.Int("sample", 0, "kill so many mutants, chosen by the commit that is checked out")
	changed = flag.String("changed", "", "kill the mutants whose files differ from this commit of git")
	minutes = flag.Int("minutes", 0, "begin with no further mutant after so many minutes; 0 is no bound")
	suites  = flag.Bool("suites", false, "try the tests of the packages as well, for the last column")
)

// everyday are the mutants that each run of the tests kills: enough to show that the machinery works.
var everyday = []string{"quorum-half"}

func asked() bool { return *every || *only != "" || *sample > 0 || *changed != "" }

// chosen returns the mutants that the flags ask for: those whose files changed first, then the sample.
func chosen(all []Mutant) ([]Mutant, error) {
	switch {
	case *every:
		return all, nil
	case !asked():
		return named(all, everyday)
	}
	picked, err := named(all, strings.FieldsFunc(*only, func(r rune) bool { return r == ',' }))
	if err != nil {
		return nil, err
	}
	if *changed != "" {
		files, err := changedFiles(*changed)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			if slices.ContainsFunc(m.Files(), func(f string) bool { return slices.Contains(files, f) }) {
				picked = append(picked, m)
			}
		}
	}
	if *sample > 0 {
		commit, err := git("rev-parse", "HEAD")
		if err != nil {
			return nil, err
		}
		order, err := orderOf(strings.TrimSpace(commit), len(all))
		if err != nil {
			return nil, err
		}
		for _, at := range order[:min(*sample, len(all))] {
			picked = append(picked, all[at])
		}
	}
	return withoutRepetition(picked), nil
}

func named(all []Mutant, names []string) ([]Mutant, error) {
	var picked []Mutant
	for _, name := range names {
		at := slices.IndexFunc(all, func(m Mutant) bool { return m.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no mutant %q", name)
		}
		picked = append(picked, all[at])
	}
	return picked, nil
}

// withoutRepetition keeps the first of each name.
func withoutRepetition(list []Mutant) []Mutant {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(m Mutant) bool {
		was := seen[m.Name]
		seen[m.Name] = true
		return was
	})
}

// changedFiles asks git what differs from a commit, in the working tree too.
func changedFiles(commit string) ([]string, error) {
	out, err := git("diff", "--name-only", "--relative", commit, "--", ".")
	return strings.Fields(out), err
}

func git(args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}

// orderOf shuffles n mutants by the hash of a commit: whoever tries one commit again kills the same ones, so
// that a mutant that survived there can be looked at elsewhere, and another commit kills others.
func orderOf(commit string, n int) ([]int, error) {
	const digits = 16
	if len(commit) < 2*digits {
		return nil, fmt.Errorf("%q is no hash of a commit", commit)
	}
	var halves [2]uint64
	for i := range halves {
		var err error
		if halves[i], err = strconv.ParseUint(commit[i*digits:(i+1)*digits], 16, 64); err != nil {
			return nil, fmt.Errorf("%q is no hash of a commit: %w", commit, err)
		}
	}
	return rand.New(rand.NewPCG(halves[0], halves[1])).Perm(n), nil
}

// TestACommitChoosesItsSample demands the same mutants of one commit every time, and others of another.
func TestACommitChoosesItsSample(t *testing.T) {
	commit, other := strings.Repeat("0dae4d5c", 5), strings.Repeat("cf7505cc", 5)
	var orders [3][]int
	for i, c := range []string{commit, commit, other} {
		var err error
		if orders[i], err = orderOf(c, 100); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(orders[0], orders[1]) || slices.Equal(orders[0], orders[2]) {
		t.Errorf("%s chooses\n%v\nand then\n%v\n%s chooses\n%v", commit, orders[0], orders[1], other,
			orders[2])
	}
	for _, wrong := range []string{"", "0dae4d5", strings.Repeat("g", 40)} {
		if _, err := orderOf(wrong, 100); err == nil {
			t.Errorf("%q was taken for the hash of a commit", wrong)
		}
	}
}
