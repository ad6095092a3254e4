package mutants

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Overlay puts the mutant's edits into copies of the files below root, the folder of the repository. The
// copies are made in dir, which must exist, with a file that tells the compiler to read them in place of the
// others. It returns that file's name, for go build -overlay. An error says which edit does not fit.
func (m Mutant) Overlay(root, dir string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for i, name := range m.Files() {
		original := filepath.Join(root, filepath.FromSlash(name))
		source, err := os.ReadFile(original)
		if err != nil {
			return "", fmt.Errorf("mutants: %s: %w", m.Name, err)
		}
		edited, err := m.edit(name, string(source))
		if err != nil {
			return "", err
		}
		mutated := filepath.Join(dir, strconv.Itoa(i)+"_"+filepath.Base(original))
		if err := os.WriteFile(mutated, []byte(edited), 0o600); err != nil {
			return "", err
		}
		replace[original] = mutated
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o600)
}

// edit returns the source of a file with the mutant's edits.
func (m Mutant) edit(name, source string) (string, error) {
	for _, e := range m.Edits {
		if e.File != name {
			continue
		}
		at, err := find(source, e.Old)
		if err != nil {
			return "", fmt.Errorf("mutants: %s: %s: %w", m.Name, name, err)
		}
		source = source[:at] + e.New + source[at+len(e.Old):]
	}
	return source, nil
}

// find returns where whole lines stand in a source. There must be one such place: with none the rule has
// moved on, and with two nobody knows which was meant.
func find(source, lines string) (int, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(lines), "\n")
	at, count := 0, 0
	for from := 0; from <= len(source)-len(lines); {
		i := strings.Index(source[from:], lines)
		if i < 0 {
			break
		}
		if i += from; i == 0 || source[i-1] == '\n' {
			at, count = i, count+1
		}
		from = i + 1
	}
	if count != 1 {
		return 0, fmt.Errorf("the lines from %q on stand there %d times, must be once", first, count)
	}
	return at, nil
}
