package mutants

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
)

// What is to be killed. Without any of these flags only the mutants of everyday are.
var (
	every   = flag.Bool("all", false, "kill every mutant")
	only    = flag.String("only", "", "kill the mutants of these names, with commas between them")
	sample  = flag.Int("sample", 0, "kill so many mutants, chosen by lot")
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
	for _, at := range rand.Perm(len(all))[:min(*sample, len(all))] {
		picked = append(picked, all[at])
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
	git := exec.Command("git", "diff", "--name-only", "--relative", commit, "--", ".")
	git.Dir = root
	out, err := git.Output()
	if err != nil {
		return nil, fmt.Errorf("git diff %s: %w", commit, err)
	}
	return strings.Fields(string(out)), nil
}
