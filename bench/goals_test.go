package main

import (
	"math"
	"testing"
	"time"
)

// turn is a pass in which balsa and two peers had these throughputs.
func turn(own, one, two float64) pass {
	return pass{limits: limits{Sync3: 200 * time.Microsecond, RoundTrip: 50 * time.Microsecond},
		figures: map[string]figure{
			ours:            {Ops: own, P50: 300 * time.Microsecond, P99: 6 * time.Millisecond, CPU: 7},
			"etcd-raft":     {Ops: one, P50: 400 * time.Microsecond, P99: 5 * time.Millisecond, CPU: 20},
			"hashicorp-wal": {Ops: two, P50: 250 * time.Microsecond, P99: 3 * time.Millisecond, CPU: 10},
			"dragonboat":    {Ops: 1e9, P99: 1, P50: 1, CPU: 1, Error: "does not count"},
		}}
}

func goalNamed(t *testing.T, workload string, bound float64) goal {
	t.Helper()
	for _, g := range goals() {
		if g.workload == workload && g.bound == bound {
			return g
		}
	}
	t.Fatalf("no goal of %s has the bound %g", workload, bound)
	return goal{}
}

func TestRatios(t *testing.T) {
	p := turn(300, 100, 150)
	for _, c := range []struct {
		workload string
		bound    float64
		want     float64
	}{
		{"w1", 1.25, 1.2}, // 300 µs of 200 + 50
		{"w1", 1, 1.2},    // 300 µs of 250
		{"w16", 1.5, 2},   // 300 of 150
		{"w16", 1.2, 2},   // 6 ms of the 3 ms of the one with 150
		{"w256", 0.7, 0.7},
		{"reads", 1.5, 3}, // etcd-raft alone
		{"lease", 1.5, 2}, // hashicorp alone
	} {
		if got := goalNamed(t, c.workload, c.bound).ratio(p); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s, bound %g: the ratio is %g, want %g", c.workload, c.bound, got, c.want)
		}
	}
}

func TestRatiosWithoutPeersAreNone(t *testing.T) {
	alone := pass{figures: map[string]figure{ours: {Ops: 5}}}
	without := pass{figures: map[string]figure{"etcd-raft": {Ops: 5}, ours: {Error: "broke"}}}
	for _, p := range []pass{alone, without} {
		if got := opsRatio("")(p); !math.IsNaN(got) {
			t.Errorf("the ratio is %g", got)
		}
	}
}

// TestJudge needs the median and four of five passes.
func TestJudge(t *testing.T) {
	g := goalNamed(t, "w16", 1.5)
	for _, c := range []struct {
		name  string
		own   []float64 // where the best peer has 100
		agree int
		met   bool
	}{
		{"all", []float64{150, 160, 170, 180, 190}, 5, true},
		{"four", []float64{100, 160, 170, 180, 190}, 4, true},
		{"three, though the median meets it", []float64{100, 110, 170, 180, 190}, 3, false},
		{"none", []float64{100, 100, 100, 100, 100}, 0, false},
		{"one of one", []float64{150}, 1, true},
		{"no figure", nil, 0, false},
	} {
		var passes []pass
		for _, own := range c.own {
			passes = append(passes, turn(own, 100, 90))
		}
		if v := g.judge(passes); v.agree != c.agree || v.met != c.met || v.of != len(c.own) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
	least := goalNamed(t, "w256", 0.7)
	if v := least.judge([]pass{turn(1, 1, 1)}); !v.met || v.median != 0.7 {
		t.Errorf("at the bound itself: %+v", v)
	}
}

// TestGoalsNameWorkloads keeps a goal from being left out of the table by a name that is none.
func TestGoalsNameWorkloads(t *testing.T) {
	for _, g := range goals() {
		if _, known := workloadNamed(g.workload); !known {
			t.Errorf("%s: no workload is called %s", g.text, g.workload)
		}
	}
}
