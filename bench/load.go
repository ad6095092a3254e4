package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// errSlow is why nothing was done where nothing failed.
var errSlow = errors.New("none was over in that time")

// phases of a load.
const (
	settling int32 = iota
	measuring
	over
)

// worker is one client in a closed loop.
type worker struct {
	done      int             // what ended while it was measured, whenever it began
	latencies []time.Duration // of what began then too
	failed    int
	problem   error // of the last that failed
}

// load has the clients work, and measures after they have settled.
func load(
	ctx context.Context, c *cluster, count int, op func(context.Context) error, e effort,
) (figure, error) {
	clients := make([]worker, count)
	var phase atomic.Int32
	var working sync.WaitGroup
	for i := range clients {
		clients[i].latencies = make([]time.Duration, 0, 1<<18/count)
		working.Go(func() { clients[i].work(ctx, c, op, &phase) })
	}
	time.Sleep(e.settling())
	profiled, err := startProfile()
	if err != nil {
		return figure{}, err
	}
	before := takeUsage()
	phase.Store(measuring)
	time.Sleep(e.duration())
	phase.Store(over)
	after := takeUsage()
	profiled()
	working.Wait()
	var all []time.Duration
	f, done := figure{}, 0
	var problem error
	for _, cl := range clients {
		all = append(all, cl.latencies...)
		f.Failed, done = f.Failed+cl.failed, done+cl.done
		problem = cmp.Or(problem, cl.problem)
	}
	if len(all) == 0 {
		return f, fmt.Errorf("nothing was done in %v, %d operations failed: %w", e.duration(), f.Failed,
			cmp.Or(problem, errSlow))
	}
	f.spread(all)
	f.charge(done, before, after)
	return f, nil
}

func (w workload) operation(c *cluster) func(context.Context) error {
	if w.kind != writes {
		return func(ctx context.Context) error { return c.lead().Read(ctx) }
	}
	command := pattern(w.bytes)
	return func(ctx context.Context) error { return c.lead().Propose(ctx, command) }
}

// pattern returns so many bytes, not all the same.
func pattern(length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func (cl *worker) work(ctx context.Context, c *cluster, op func(context.Context) error, phase *atomic.Int32) {
	for {
		began := phase.Load()
		if began == over {
			return
		}
		start := time.Now()
		err := op(ctx)
		took := time.Since(start)
		measured := phase.Load() == measuring
		cl.problem = cmp.Or(err, cl.problem)
		switch {
		case err != nil && ctx.Err() != nil:
			cl.failed++
			return
		case err != nil:
			if measured && began == measuring {
				cl.failed++
			}
			time.Sleep(rest)
			c.findLeader()
		case measured:
			cl.done++
			if began == measuring {
				cl.latencies = append(cl.latencies, took)
			}
		}
	}
}

// usage is what the process has used so far.
type usage struct {
	at     time.Time
	cpu    time.Duration
	allocs uint64
	bytes  uint64
}

func takeUsage() usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail with these arguments
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu := time.Duration(r.Utime.Nano() + r.Stime.Nano())
	return usage{at: time.Now(), cpu: cpu, allocs: m.Mallocs, bytes: m.TotalAlloc}
}

// spread sets the percentiles.
func (f *figure) spread(latencies []time.Duration) {
	slices.Sort(latencies)
	f.P50, f.P99, f.P999 = percentile(latencies, 50), percentile(latencies, 99), percentile(latencies, 99.9)
}

// charge divides what was used among the operations.
func (f *figure) charge(ops int, before, after usage) {
	n := float64(ops)
	f.Ops = n / after.at.Sub(before.at).Seconds()
	f.CPU = float64((after.cpu - before.cpu).Nanoseconds()) / 1e3 / n
	f.Allocs = float64(after.allocs-before.allocs) / n
	f.Bytes = float64(after.bytes-before.bytes) / n
}

// profileVariable is the variable of the environment that names the file of a profile.
const profileVariable = "BENCH_CPUPROFILE"

// startProfile writes a profile until what it returns is called, if one is asked for.
func startProfile() (stop func(), err error) {
	name := os.Getenv(profileVariable)
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, pprof.StartCPUProfile(file)
}
