package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, c := range []struct {
		sorted []int
		p      float64
		want   int
	}{
		{nil, 50, 0},
		{[]int{7}, 50, 7},
		{[]int{7}, 99.9, 7},
		{[]int{1, 2}, 50, 1},
		{[]int{1, 2, 3}, 50, 2},
		{[]int{1, 2, 3}, 99, 3},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.9, 100},
		{hundred, 0, 1},
	} {
		if got := percentile(c.sorted, c.p); got != c.want {
			t.Errorf("percentile %g of %d values is %d, want %d", c.p, len(c.sorted), got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	values := []float64{5, 1, 3}
	if got := median(values); got != 3 || !slices.Equal(values, []float64{5, 1, 3}) {
		t.Errorf("the median is %g, and the values are %v now", got, values)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of four is %g, want 2.5", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %g", got)
	}
}

func TestMedianFigureLeavesOutWhatFailed(t *testing.T) {
	got := medianFigure([]figure{
		{Ops: 10, P50: 3 * time.Millisecond, Failed: 1},
		{Error: "it broke", Failed: 2},
		{Ops: 30, P50: time.Millisecond},
	})
	if want := (figure{Ops: 20, P50: 2 * time.Millisecond, Failed: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := medianFigure([]figure{{Error: "a"}, {Error: "b"}}); got.Error != "b" {
		t.Errorf("of failures alone: %+v", got)
	}
}

func TestChargeDividesAmongTheOperations(t *testing.T) {
	at := time.Now()
	f := figure{}
	before := usage{at, time.Second, 5, 100}
	f.charge(1000, before, usage{at.Add(2 * time.Second), 3 * time.Second, 2005, 8100})
	if want := (figure{Ops: 500, CPU: 2000, Allocs: 2, Bytes: 8}); f != want {
		t.Errorf("got %+v, want %+v", f, want)
	}
}
