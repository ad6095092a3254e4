package sim

import (
	"errors"
	"slices"
	"testing"

	"balsa/raft"
)

// needing is a world in which a property is violated when every one of some operations is done, at the time
// of the last, in a cluster of at least so many servers with at least so many clients.
func needing(ops []OpKind, nodes, clients int) func(Spec) (Result, error) {
	return func(s Spec) (Result, error) {
		r := Result{Spec: s}
		at := Time(0)
		for _, kind := range ops {
			i := slices.IndexFunc(s.Script, func(op Op) bool { return op.Kind == kind })
			if i < 0 || s.Script[i].At > s.Options.Faulty {
				return r, nil
			}
			at = max(at, s.Script[i].At)
		}
		if s.Options.Nodes >= nodes && s.Options.Clients >= clients {
			r.Violation = &Violation{Moment: Moment{Time: at}, Property: LogMatching}
		}
		return r, nil
	}
}

// What is left of a script is what the violation needs, and nothing else.
func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	spec := Drawn("calm", 1)
	kinds := []OpKind{Cut, Heal, Stall, Resume, Drop, Drop, Drop, Clock, Drop, Kill, Drop, Restart, Wipe}
	for i := range 400 {
		spec.Script = append(spec.Script, Op{At: Time(i) * 100 * Millisecond, Kind: kinds[i%len(kinds)],
			Node: raft.NodeID(i%3 + 1), Peer: raft.NodeID((i+1)%3 + 1), Nth: uint64(i + 1)})
	}
	var seen []Shrinking
	s := &shrinker{perform: needing([]OpKind{Drop, Kill, Wipe}, 3, 2),
		progress: func(p Shrinking) { seen = append(seen, p) }}
	small, state, err := s.shrink(spec)
	if err != nil {
		t.Fatal(err)
	}
	var left []OpKind
	for _, op := range small.Script {
		left = append(left, op.Kind)
	}
	if !slices.Equal(left, []OpKind{Drop, Kill, Wipe}) || small.Options.Nodes != 3 ||
		small.Options.Clients != 2 || small.Options.Faulty > 2*Second {
		t.Errorf("left are %v with %d servers, %d clients, %v of faults", left, small.Options.Nodes,
			small.Options.Clients, small.Options.Faulty)
	}
	if last := small.Script[2].At; last > 2*Second {
		t.Errorf("three operations are needed, and the last of them waits until %v", last)
	}
	if state.From != 400 || state.Now != 3 || state.Runs != len(seen)+1 || state.Runs > 200 {
		t.Errorf("it says %+v, and told of %d runs", state, len(seen))
	}
}

// A run that violates nothing cannot shrink, and one that is stopped is as small as it has come to be.
func TestShrinkEnds(t *testing.T) {
	spec := Drawn("calm", 1)
	spec.Options.Faulty, spec.Options.Healed = 2*Second, 0
	if _, _, err := Shrink(spec, Parts{}, nil); !errors.Is(err, errNothing) {
		t.Error(err)
	}
	for range 64 {
		spec.Script = append(spec.Script, Op{Kind: Kill, Node: 1})
	}
	runs := 0
	s := &shrinker{stopped: func() bool { runs++; return runs > 6 }, perform: needing([]OpKind{Kill}, 1, 0)}
	small, _, err := s.shrink(spec)
	if err != nil || len(small.Script) == 0 || len(small.Script) >= 64 {
		t.Errorf("%d operations are left, %v", len(small.Script), err)
	}
}
