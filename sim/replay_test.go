package sim

import (
	"fmt"
	"reflect"
	"testing"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
)

// perform runs a spec, which must be possible.
func perform(t *testing.T, s Spec) Result {
	t.Helper()
	r, err := Perform(s, Parts{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameRun complains when two runs are not the same one, with the events between which they part.
func sameRun(t *testing.T, what string, want, got Result) {
	t.Helper()
	if want.Digest == got.Digest && want.Events == got.Events && want.Time == got.Time {
		if reflect.DeepEqual(want.Violation, got.Violation) {
			return
		}
		t.Errorf("%s: the violation was %v and is %v", what, want.Violation, got.Violation)
		return
	}
	after, _ := Differs(want.Spec.Digests, got.Spec.Digests)
	t.Errorf("%s: %v events to %v, digest %v, and then %v events to %v, digest %v: after event %d they part",
		what, want.Events, want.Time, want.Digest, got.Events, got.Time, got.Digest, after)
}

// Every profile: the same seed gives the same run, and what its swarm did, as a script and with the swarm
// switched off, gives the same run again. Without the second, a failure could be seen but never looked at.
func TestARunIsAValue(t *testing.T) {
	names, _ := Profiles()
	for _, profile := range names {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			seeds := uint64(50)
			if profile == "calm" || testing.Short() {
				seeds = 5 // nothing is recorded there
			}
			for seed := range seeds {
				spec := Drawn(profile, seed)
				spec.Options.Faulty = 20 * Second
				first := perform(t, spec)
				what := fmt.Sprintf("%s, seed %d", profile, seed)
				if seed%5 == 0 {
					sameRun(t, what+", again", first, perform(t, spec))
				}
				recorded, err := ReadSpec(first.Spec.Bytes())
				if err != nil {
					t.Fatalf("%s: what was recorded cannot be read: %v", what, err)
				}
				if recorded.Profile != "" {
					t.Fatalf("%s: what was recorded still draws from %q", what, recorded.Profile)
				}
				sameRun(t, what+", from its script", first, perform(t, recorded))
			}
		})
	}
}

// forgetful is a map that replaces one command by another: whoever reads after it is told what never was.
type forgetful struct{ *kv.Store }

// Apply applies all entries but one.
func (f forgetful) Apply(e raft.Entry) []byte {
	if e.Index == 40 && e.Kind == raft.Normal {
		e.Command = kv.Put("k1", []byte("what nobody has written"))
	}
	return f.Store.Apply(e)
}

// A run that ends at a violation is the same run from its script, up to the same violation.
func TestAViolationIsFoundAgain(t *testing.T) {
	parts := Parts{Machine: func() replica.StateMachine { return forgetful{kv.New()} }}
	found := 0
	for seed := range uint64(20) {
		first, err := Perform(Drawn("chaos", seed), parts)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := ReadSpec(first.Spec.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if first.Violation != nil {
			found++
			recorded.Violation = nil
		}
		again, err := Perform(recorded, parts)
		if err != nil {
			t.Fatal(err)
		}
		sameRun(t, fmt.Sprintf("seed %d", seed), first, again)
	}
	if found < 5 {
		t.Errorf("only %d of 20 runs found the bug", found)
	}
}
