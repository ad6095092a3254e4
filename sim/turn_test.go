package sim

import "testing"

// A server whose turns take time is met by its own ticks within one; and none is where a turn ends with its
// moment. What a tick then does to what was only noted down is for the checks to find.
func TestTicksFallIntoTurnsThatTakeTime(t *testing.T) {
	for _, longest := range []Time{0, 5 * Millisecond} {
		o := DefaultOptions()
		o.Nodes, o.Turn, o.Faulty, o.Healed = 1, longest, 10*Second, 10*Second
		w, err := New(Spec{Version: SpecVersion, Seed: 1, Options: o}, Parts{})
		if err != nil {
			t.Fatal(err)
		}
		r := w.Run()
		within := uint64(0)
		for _, c := range r.Effects {
			if c.Kind == sawTickWithin {
				within = c.Times
			}
		}
		if r.Violation != nil || (within > 10) != (longest > 0) {
			t.Errorf("turns of up to %v: %d ticks fell into one, violation %v", longest, within, r.Violation)
		}
	}
}

// TestTurnsThatTakeTimeFindReadsThatHang: reads at a sole voter, where no write comes to answer what hangs,
// are answered also where a heartbeat falls into the turn in which they come.
func TestTurnsThatTakeTimeFindReadsThatHang(t *testing.T) {
	for seed := range uint64(6) {
		o := DefaultOptions()
		o.Nodes, o.Turn, o.Reads, o.Clients, o.Thinking = 1, 5*Millisecond, 100, 4, 100*Millisecond
		w, err := New(Spec{Version: SpecVersion, Seed: seed, Options: o}, Parts{})
		if err != nil {
			t.Fatal(err)
		}
		if r := w.Run(); r.Violation != nil {
			t.Errorf("seed %d: %v", seed, r.Violation)
		}
	}
}
