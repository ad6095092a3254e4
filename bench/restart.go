package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// filling is what a process is told that fills the logs of a cluster, and its answer.
type filling struct {
	System, Dir string
	Addresses   []string
	Clients     int
	Bytes       int // of a command
	Entries     int
	Applied     uint64 // the answer: how many commands the leader has applied
}

// measureRestart has another process fill the logs, so that this one's heap holds nothing of it, and opens
// the cluster here: from the first open until a leader has applied all. Its election is in that time.
func measureRestart(s system, dir string, w workload, e effort) (figure, error) {
	addresses, err := freeAddresses(nodes)
	if err != nil {
		return figure{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), task{Effort: e}.limit())
	defer cancel()
	full, err := delegateFilling(ctx, filling{System: s.name, Dir: dir, Addresses: addresses,
		Clients: w.clients, Bytes: w.bytes, Entries: e.Entries})
	if err != nil {
		return figure{}, err
	}
	before := heapInUse()
	start := time.Now()
	c, err := openCluster(s, dir, addresses, false)
	if err != nil {
		return figure{}, err
	}
	for !c.leaderHas(full.Applied) {
		if ctx.Err() != nil {
			return figure{}, fmt.Errorf("%d of %d commands are applied: %w", c.lead().Applied(), full.Applied,
				ctx.Err())
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(start)
	held := float64(heapInUse()) - float64(before)
	payload := float64(full.Applied) * float64(w.bytes)
	f := figure{P50: took, P99: took, P999: took, Heap: held / nodes / payload}
	runtime.KeepAlive(c)
	return f, nil
}

// leaderHas reports whether some node leads and has applied as much.
func (c *cluster) leaderHas(commands uint64) bool {
	for _, m := range c.members {
		if m.Applied() >= commands && m.Leads() {
			return true
		}
	}
	return false
}

// heapInUse is what is live after a collection.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held back
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func delegateFilling(ctx context.Context, fill filling) (full filling, err error) {
	text, err := json.Marshal(fill)
	if err != nil {
		return full, err
	}
	if err := ask(ctx, &full, nil, "-fill", string(text)); err != nil {
		return full, fmt.Errorf("while the logs were filled: %w", err)
	}
	return full, nil
}

// performFilling does so in this process, and prints the answer.
func performFilling(text string) error {
	var fill filling
	if err := json.Unmarshal([]byte(text), &fill); err != nil {
		return err
	}
	s, known := systemNamed(fill.System)
	if !known {
		return fmt.Errorf("no system is called %s", fill.System)
	}
	c, err := openCluster(s, fill.Dir, fill.Addresses, false)
	if err != nil {
		return err
	}
	limit := task{Effort: effort{Entries: fill.Entries}}.limit()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := c.awaitLeader(ctx); err != nil {
		return err
	}
	if err := fill.write(ctx, c); err != nil {
		return err
	}
	if fill.Applied, err = c.level(ctx); err != nil {
		return err
	}
	return errors.Join(c.close(), json.NewEncoder(os.Stdout).Encode(fill))
}

// write has clients write until there are as many entries.
func (fill filling) write(ctx context.Context, c *cluster) error {
	command := make([]byte, fill.Bytes)
	_, err := c.writeAll(ctx, fill.Clients, fill.Entries, nil, func(ctx context.Context, _ int) error {
		return c.lead().Propose(ctx, command)
	})
	return err
}

// writeAll has clients make all of count writes, numbered from 0, and each of them again until it is done.
// How long each took goes into took, if that is not nil. It returns how many tries failed.
func (c *cluster) writeAll(
	ctx context.Context, clients, count int, took []time.Duration, write func(context.Context, int) error,
) (failed int, err error) {
	var begun, failures atomic.Int64
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			for i := int(begun.Add(1)) - 1; i < count; i = int(begun.Add(1)) - 1 {
				start := time.Now()
				for write(ctx, i) != nil && ctx.Err() == nil {
					failures.Add(1)
					time.Sleep(rest)
					c.findLeader()
				}
				if took != nil {
					took[i] = time.Since(start)
				}
			}
		})
	}
	working.Wait()
	return int(failures.Load()), ctx.Err()
}

// level waits until all nodes have applied the same, and returns how much that is.
func (c *cluster) level(ctx context.Context) (uint64, error) {
	for {
		applied := c.lead().Applied()
		same := true
		for _, m := range c.members {
			same = same && m.Applied() == applied
		}
		switch {
		case same:
			return applied, nil
		case ctx.Err() != nil:
			return 0, fmt.Errorf("the nodes differ: %w", ctx.Err())
		}
		time.Sleep(tick)
	}
}
