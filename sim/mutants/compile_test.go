package mutants

import (
	"flag"
	"os/exec"
	"path"
	"runtime"
	"sync"
	"testing"
)

var compiles = flag.Bool("compile", false, "compile every mutant: about six minutes of a processor")

// TestEveryMutantCompiles: one that does not is alive whatever the table says, and is told only when a sample
// happens to draw it. Without -compile only those of everyday are looked at.
func TestEveryMutantCompiles(t *testing.T) {
	all := catalogue(t)
	if !*compiles {
		var err error
		if all, err = named(all, everyday); err != nil {
			t.Fatal(err)
		}
	}
	work := make(chan Mutant)
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for m := range work {
				if said := compiled(t, m); said != "" {
					t.Errorf("%s: %s", m.Name, said)
				}
			}
		})
	}
	for _, m := range all {
		work <- m
	}
	close(work)
	group.Wait()
}

// compiled builds the packages that a mutant changes, and returns what is wrong with them.
func compiled(t *testing.T, m Mutant) string {
	overlay, err := m.Overlay(root, t.TempDir())
	if err != nil {
		return err.Error()
	}
	args := []string{"build", "-overlay", overlay}
	for _, e := range m.Edits {
		args = append(args, "./"+path.Dir(e.File))
	}
	command := exec.Command("go", args...)
	command.Dir = root
	if said, err := command.CombinedOutput(); err != nil {
		return err.Error() + "\n" + string(said)
	}
	return ""
}
