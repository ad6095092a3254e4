package main

import (
	"math"
	"slices"
	"time"
)

// figure is what one measurement gave. Which fields count depends on the workload.
type figure struct {
	Ops            float64 // per second
	P50, P99, P999 time.Duration
	CPU            float64 // microseconds of processor for one operation, all nodes and the load together
	Allocs, Bytes  float64 // for one operation
	Heap           float64 // of one node after a restart, as a multiple of the payload
	Failed         int     // operations
	Error          string  // why there is no figure
}

// percentile returns the smallest value that at least p percent of the sorted values do not exceed.
func percentile[T any](sorted []T, p float64) (value T) {
	if len(sorted) == 0 {
		return value
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value, or the mean of the two in the middle; of none it is not a number.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// medianFigure takes the median of each field on its own, over the passes that gave a figure.
func medianFigure(passes []figure) figure {
	var good []figure
	failed, problem := 0, ""
	for _, f := range passes {
		failed += f.Failed
		if f.Error == "" {
			good = append(good, f)
		} else {
			problem = f.Error
		}
	}
	if len(good) == 0 {
		return figure{Failed: failed, Error: problem}
	}
	of := func(field func(figure) float64) float64 {
		var values []float64
		for _, f := range good {
			values = append(values, field(f))
		}
		return median(values)
	}
	return figure{
		Ops:    of(func(f figure) float64 { return f.Ops }),
		P50:    time.Duration(of(func(f figure) float64 { return float64(f.P50) })),
		P99:    time.Duration(of(func(f figure) float64 { return float64(f.P99) })),
		P999:   time.Duration(of(func(f figure) float64 { return float64(f.P999) })),
		CPU:    of(func(f figure) float64 { return f.CPU }),
		Allocs: of(func(f figure) float64 { return f.Allocs }),
		Bytes:  of(func(f figure) float64 { return f.Bytes }),
		Heap:   of(func(f figure) float64 { return f.Heap }),
		Failed: failed,
	}
}
