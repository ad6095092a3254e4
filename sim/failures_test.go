package sim

import (
	"fmt"
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
			r := perform(t, spec)
			if r.Violation != nil {
				t.Errorf("%s\nviolated again: %v", spec.Why, r.Violation)
			}
			t.Log(parted(spec, r))
		})
	}
}

// parted says how far a run is still the one that was recorded. One that parts from it before it went wrong
// keeps nothing any more; that is no failure, for every change of what servers do may bring it about.
func parted(recorded Spec, now Result) string {
	// It goes on where the recorded one ended.
	chain := now.Spec.Digests[:min(len(now.Spec.Digests), len(recorded.Digests))]
	if after, differ := Differs(recorded.Digests, chain); differ {
		return fmt.Sprintf("another run than the recorded one from some event of %d to %d on; that one "+
			"ended with event %d", after+1, after+DigestEvery, recorded.Events)
	}
	return fmt.Sprintf("the recorded run still, in all %d digests of its %d events", len(recorded.Digests),
		recorded.Events)
}

// TestPartedIsTold changes one digest of what was recorded.
func TestPartedIsTold(t *testing.T) {
	r := Result{Spec: Spec{Digests: []Digest{1, 2, 3, 4}}}
	for want, recorded := range map[string][]Digest{
		"in all 2 digests":              {1, 2},
		"some event of 257 to 512 on":   {1, 9},
		"some event of 1025 to 1280 on": {1, 2, 3, 4, 5},
	} {
		if got := parted(Spec{Digests: recorded, Events: 600}, r); !strings.Contains(got, want) {
			t.Errorf("%v: %s\nwant %s", recorded, got, want)
		}
	}
}
