package explore

import "testing"

// TestReductionsMissNothing explores with the reductions and without, and demands that the servers come into
// the same states together, under the same history. What differs is what the reductions leave out: numbers
// that were counted on the way, and what is under way and cannot change anything.
func TestReductionsMissNothing(t *testing.T) {
	for _, c := range []struct {
		start  Start
		bounds Bounds
	}{
		{Start{Elected, true}, Bounds{Timeouts: 1}},
		{Start{Elected, false}, Bounds{Crashes: 1, Proposals: 1}},
		{Start{Figure7, false}, Bounds{Timeouts: 1}},
		{Start{Figure8, true}, Bounds{}},
		{Start{Figure8, false}, Bounds{Crashes: 1}},
		{Start{Figure8, false}, Bounds{Duplications: 1}},
		{Start{Elected, true}, Bounds{Heartbeats: 2}},
		{Start{Elected, true}, Bounds{Heartbeats: 1, Proposals: 1}},
	} {
		t.Run(c.start.String(), func(t *testing.T) {
			reduced, few := together(t, c.start, c.bounds, false)
			all, many := together(t, c.start, c.bounds, true)
			for sight := range all {
				if !reduced[sight] {
					t.Fatalf("of %d sights of all servers, one of %d is missed", len(all), len(reduced))
				}
			}
			if len(all) != len(reduced) || few.States > many.States {
				t.Errorf("%d sights in %d worlds, and %d in %d without the reductions", len(reduced),
					few.States, len(all), many.States)
			}
			t.Logf("%d sights in %d worlds, without the reductions in %d", len(all), few.States, many.States)
		})
	}
}

// sight is what the servers of a world can do, and what has happened before.
type sight struct {
	like    [3]uint64
	history [3]uint64
}

func together(t *testing.T, start Start, bounds Bounds, plain bool) (map[sight]bool, Report) {
	sights := map[sight]bool{}
	note := func(e *explorer, w *world) {
		var s sight
		for i, n := range w.servers[:w.size] {
			s.like[i] = e.servers[n].like
		}
		h := e.ledger.all[w.history]
		s.history[0] = uint64(len(h.committed))
		for _, f := range h.committed {
			s.history[1] = mix(s.history[1], f.prefix+uint64(f.in))
		}
		for _, id := range h.leaders {
			s.history[2] = mix(s.history[2], uint64(id))
		}
		sights[s] = true
	}
	report, err := run(start, bounds, habits{plain: plain, note: note}, nil)
	if err != nil || !report.Exhausted {
		t.Fatalf("%v\n%v", err, report)
	}
	return sights, report
}
