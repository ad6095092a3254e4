package main

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"balsa/sim"
)

// ended is a seed that has come to its end.
type ended struct {
	seed   uint64
	result sim.Result
	took   time.Duration
	err    error // the run could not be made at all
}

// all runs the seeds, several at once, each in one goroutine, and tells of them in the order of their
// numbers: so what is said of them is the same however many are run at once.
func (h *hunt) all(ctx context.Context, seeds seedRange, tell func(ended)) {
	defer collectSeldom()()
	var next, last atomic.Uint64 // last is lowered when a violation makes what comes after it void
	last.Store(seeds.last)
	results := make(chan ended)
	var workers sync.WaitGroup
	for range min(uint64(h.workers.n), seeds.count()) {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= seeds.count() || seeds.first+n > last.Load() || ctx.Err() != nil {
					return
				}
				seed := seeds.first + n
				results <- h.one(seed, func() bool { return ctx.Err() != nil || seed > last.Load() })
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()
	waiting := map[uint64]ended{}
	turn := seeds.first
	for e := range results {
		waiting[e.seed] = e
		if h.stop && e.violated() {
			last.Store(min(last.Load(), e.seed))
		}
		for e, is := waiting[turn]; is && turn <= last.Load(); e, is = waiting[turn] {
			delete(waiting, turn)
			tell(e)
			turn++ // behind the largest seed comes 0, which waits for nobody
		}
	}
}

// collectSeldom has garbage collected less often until the returned function is called: a run leaves little
// alive and much behind, and the collector took a third of all the time. Who has set GOGC has decided.
func collectSeldom() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	was := debug.SetGCPercent(400)
	return func() { debug.SetGCPercent(was) }
}

// violated reports whether the run came to a violation: one that was stopped did not.
func (e ended) violated() bool {
	return e.err != nil || e.result.Violation != nil && e.result.Violation.Property != sim.Unfinished
}

// unfinished reports whether the run was stopped.
func (e ended) unfinished() bool {
	return e.err == nil && e.result.Violation != nil && e.result.Violation.Property == sim.Unfinished
}

// one runs a seed.
func (h *hunt) one(seed uint64, enough func() bool) ended {
	began := time.Now()
	spec, err := h.spec(seed)
	if err != nil {
		return ended{seed: seed, err: err}
	}
	result, err := sim.Perform(spec, sim.Parts{Enough: enough})
	return ended{seed: seed, result: result, took: time.Since(began), err: err}
}
