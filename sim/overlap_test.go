package sim

import "testing"

// Operations that meet at one moment overlap; one that is never answered overlaps with all that follow.
func TestOverlap(t *testing.T) {
	at := func(times ...int64) (ops []*searched) {
		for i := 0; i < len(times); i += 2 {
			ops = append(ops, &searched{called: times[i], returned: times[i+1]})
		}
		return ops
	}
	for _, c := range []struct {
		times []int64
		want  int
	}{
		{nil, 0}, {[]int64{1, 2, 3, 4}, 1}, {[]int64{1, 3, 3, 4}, 2}, {[]int64{1, 9, 2, 3, 4, 5}, 2},
		{[]int64{1, never, 2, never, 3, 4}, 3},
	} {
		if got := overlap(at(c.times...)); got != c.want {
			t.Errorf("of %v %d overlap, want %d", c.times, got, c.want)
		}
	}
}

// A key on which too much overlaps is left to the main check instead of being searched for ever, and counted.
func TestWhatOverlapsTooMuchIsLeft(t *testing.T) {
	for _, n := range []int{atOnce, atOnce + 1} {
		h := newHistory()
		k := &keyHistory{name: "k"}
		for i := range n {
			op := &Operation{Kind: Put, Reply: Reply{Outcome: OK}}
			k.ops = append(k.ops, &searched{op: op, key: k, hash: uint64(i), called: 1, returned: 2})
		}
		h.judge(Moment{}, k)
		if left := h.tally.Left == uint64(n); left != (n > atOnce) || h.violation() != nil {
			t.Errorf("of %d that overlap %d are left, %v", n, h.tally.Left, h.violation())
		}
	}
}
