package sim

import (
	"testing"

	"balsa/raft"
)

// A run may lose a majority of its disks where it says so: in a script that no profile drew, and in the
// profile that goes beyond what can be survived. Elsewhere it is a mistake that must be told of, for
// of such a run no liveness is demanded.
func TestOnlyBeyondMayLoseAMajority(t *testing.T) {
	for _, c := range []struct {
		profile, drawn string
		lost           int
		violated       bool
	}{
		{profile: "chaos", lost: 1},
		{profile: "chaos", lost: 2, violated: true},
		{drawn: "chaos", lost: 2, violated: true}, // again, from what was recorded
		{profile: "beyond", lost: 2},
		{drawn: "beyond", lost: 2},
		{lost: 2},
	} {
		spec := Spec{Version: SpecVersion, Profile: c.profile, Drawn: c.drawn, Options: DefaultOptions()}
		spec.Options.Nodes, spec.Options.Faulty = 3, Second
		w, err := New(spec, Parts{})
		if err != nil {
			t.Fatal(err)
		}
		w.RunUntil(Second)
		w.heal()
		for id := range c.lost {
			w.Do(Op{Kind: Kill, Node: raft.NodeID(id + 1)})
			w.servers[id].trouble.gone = true
		}
		w.recover()
		r := w.Result()
		violated := r.Violation != nil && r.Violation.Property == FaultModel
		if violated != c.violated || !violated && (r.Violation != nil || halts(r) != (c.lost == 2)) {
			t.Errorf("%+v: %v", c, r.Violation)
		}
	}
}
