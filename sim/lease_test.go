package sim

import (
	"strings"
	"testing"
)

// A stale read by lease proves nothing against the servers when a clock has erred by more than they were
// told, so there is no such run.
func TestReadsByLeaseBearNoClockBeyondTheBound(t *testing.T) {
	for _, c := range []struct {
		op   Op
		errs bool
	}{
		{Op{Kind: Clock, Node: 1, Value: exact - leaseDrift}, false},
		{Op{Kind: Clock, Node: 1, Value: exact + leaseDrift}, false},
		{Op{Kind: Clock, Node: 1, Value: exact - leaseDrift - 1}, true},
		{Op{Kind: Clock, Node: 1, Value: exact + leaseDrift + 1}, true},
		{Op{Kind: Clock, Node: 1, Value: frozen}, true},
		{Op{Kind: Clock, Node: 1, For: Microsecond}, true},
		{Op{Kind: Clock, Node: 1, For: Hour, Mode: "wall"}, false}, // it is looked at in starts only
	} {
		for _, byLease := range []int{0, 1} {
			spec := small(1, c.op)
			spec.Options.ByLease = byLease
			err := spec.Check()
			if refused := err != nil && strings.Contains(err.Error(), "no clock errs so much"); refused !=
				(c.errs && byLease > 0) {
				t.Errorf("%v with %d reads by lease of a hundred: %v", c.op, byLease, err)
			}
		}
	}
}

// What the swarm draws keeps to that, with leases and without.
func TestDrawnClocksKeepToTheBoundOfLeases(t *testing.T) {
	drawn, clocks := 0, 0
	for seed := range uint64(120) {
		spec := Drawn("chaos", seed)
		if spec.Options.ByLease == 0 {
			continue
		}
		spec.Options.Faulty = 20 * Second
		r := perform(t, spec)
		if err := r.Spec.Check(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		drawn++
		for _, op := range r.Spec.Script {
			if op.Kind == Clock && op.Mode != "wall" {
				clocks++
			}
		}
	}
	if drawn < 5 || clocks < 5 {
		t.Errorf("%d of 120 seeds have reads by lease, and %d clocks are set in them", drawn, clocks)
	}
}

// What is to change must be said with a number.
func TestABoundOnDriftIsANumber(t *testing.T) {
	for text, want := range map[string]string{
		"drift 200000":        "",
		"add 1 drift 0":       "",
		"drift 5 promote 2":   "",
		"drift much":          `"much" is no bound on the drift of clocks, in millionths`,
		"drift 200000 200000": `"200000" is no part of a change of the membership`,
		"add 1 drift":         "it does not say what is to change",
	} {
		got := ""
		if err := (&Op{Kind: Change, Text: text}).check(3); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, it must be %q", text, got, want)
		}
	}
}

// Whoever is told that leases are on, or off, can read so in what is committed.
func TestABoundOnDriftThatIsToldIsCommitted(t *testing.T) {
	for _, told := range []uint32{leaseDrift, 0} {
		w := world(t, small(0, Op{At: Second, Kind: Change, Text: "drift 200000"}), Parts{})
		w.RunUntil(2 * Second)
		entry := w.ledger.latest().EntryID
		w.ledger.changed(w.moment(), 1, entry, alteration{drift: &told})
		if v := w.ledger.violation(); (v == nil) != (told == leaseDrift) {
			t.Errorf("n1 tells of a drift of %d, and it is 200000: %v", told, v)
		}
	}
}
