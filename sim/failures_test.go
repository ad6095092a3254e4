package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFailures runs what was once violated again. Each file is a run that "balsa sim replay --save-as-test"
// or "balsa sim shrink --save-as-test" has kept; it says what was wrong, and is not wrong any more.
func TestFailures(t *testing.T) {
	files, err := filepath.Glob("testdata/failures/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no failures are kept: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := ReadSpec(text)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(spec.Why, ".") || spec.Violation == nil {
				t.Errorf("it does not say what was wrong: %q, %v", spec.Why, spec.Violation)
			}
			if r := perform(t, spec); r.Violation != nil {
				t.Errorf("%s\nviolated again: %v", spec.Why, r.Violation)
			}
		})
	}
}
