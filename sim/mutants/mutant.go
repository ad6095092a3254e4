package mutants

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Mutant is one bug that can be put into the program.
type Mutant struct {
	Name    string   // words with hyphens
	Bug     string   // a sentence
	From    string   // where the bug was seen
	Breaks  []string // properties of package sim, of which one is expected to fail
	Killers []string // commands, the first to be tried first
	Reason  string   // why a test kills it and not the simulator; empty when the simulator does
	Edits   []Edit   // at least one
	Chapter string   // the file of the catalogue that it stands in, without its ending
}

// Edit replaces lines of one file.
type Edit struct {
	File string // from the root of the repository, with slashes
	Old  string // whole lines, which stand in the file exactly once
	New  string // whole lines, or nothing
}

// Hunts are the killers of a mutant that names none. The times only keep a survivor from taking all day.
func Hunts() []string {
	return []string{
		"sim run --profile chaos --seeds 1..150 --time 1m",
		"sim run --profile network --seeds 1..100 --time 1m",
		"sim run --profile crash --seeds 1..100 --time 1m",
		"sim run --profile disk --seeds 1..100 --time 1m",
	}
}

//go:embed catalogue/*.txt
var texts embed.FS

// Catalogue returns all mutants, in the order in which a reader finds them. An error names the file and the
// line of the catalogue that cannot be read.
func Catalogue() ([]Mutant, error) {
	var all []Mutant
	names, err := fs.Glob(texts, "catalogue/*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := texts.ReadFile(name)
		if err != nil {
			return nil, err
		}
		chapter, err := Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("mutants: %s: %w", name, err)
		}
		for i := range chapter {
			chapter[i].Chapter = strings.TrimSuffix(strings.TrimPrefix(name, "catalogue/"), ".txt")
		}
		all = append(all, chapter...)
	}
	return all, nil
}

// Find returns the mutant of that name.
func Find(name string) (Mutant, error) {
	all, err := Catalogue()
	if err != nil {
		return Mutant{}, err
	}
	at := slices.IndexFunc(all, func(m Mutant) bool { return m.Name == name })
	if at < 0 {
		return Mutant{}, fmt.Errorf("mutants: there is none of the name %q", name)
	}
	return all[at], nil
}

// Files returns the files that the mutant edits, each once.
func (m Mutant) Files() []string {
	var files []string
	for _, e := range m.Edits {
		if !slices.Contains(files, e.File) {
			files = append(files, e.File)
		}
	}
	return files
}
