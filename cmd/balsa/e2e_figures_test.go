//go:build e2e

package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balsa"
	"balsa/kv"
)

// The figures that docs/performance.md states, each with its bound, are measured by
//
//	go test -tags e2e ./cmd/balsa -run Figure -figures -v -timeout 30m
//
// Without -figures the same is done with less, and no bound is looked at: a machine that does something else
// meanwhile would break it.
var figures = flag.Bool("figures", false, "measure what docs/performance.md states, and look at the bounds")

// bench is one node in this process, on a real disk, and its map.
type bench struct {
	t     *testing.T
	dir   string
	peers map[balsa.NodeID]string
	node  *balsa.Node
	store *kv.Store
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, dir: t.TempDir(), peers: map[balsa.NodeID]string{1: loopback(freePorts(t, 1))}}
}

func (b *bench) open(snapshotBytes int64) {
	b.t.Helper()
	b.store = kv.New()
	node, err := balsa.Open(balsa.Config{ID: 1, Dir: b.dir, Peers: b.peers, StateMachine: b.store,
		SnapshotBytes: snapshotBytes, Codec: compression{}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.node = node
}

func (b *bench) lead() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if _, err := b.node.AwaitLeader(ctx); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) close() {
	b.t.Helper()
	if err := b.node.Close(); err != nil {
		b.t.Error(err)
	}
}

// command puts a value under a key that is unlike all others: compression gains nothing.
func (b *bench) command(i int) []byte {
	value, draw := make([]byte, 0, 128), rand.New(rand.NewPCG(1, uint64(i)))
	for len(value) < cap(value) {
		value = binary.LittleEndian.AppendUint64(value, draw.Uint64())
	}
	return kv.Put(fmt.Sprintf("key-%07d", i), value)
}

// fill writes the keys from one number up to another, many at a time.
func (b *bench) fill(from, to int) {
	b.t.Helper()
	var next atomic.Int64
	next.Store(int64(from))
	var writers sync.WaitGroup
	for range 512 {
		writers.Go(func() {
			for i := next.Add(1) - 1; i < int64(to); i = next.Add(1) - 1 {
				for {
					_, err := b.node.Propose(b.t.Context(), b.command(int(i)))
					if err == nil {
						break
					}
					<-time.After(50 * time.Millisecond) // overloaded: a snapshot is being written
				}
			}
		})
	}
	writers.Wait()
}

// load is writers that go on until they are stopped, and how long each of their writes took.
type load struct {
	stop  chan struct{}
	group sync.WaitGroup
	mu    sync.Mutex
	took  []time.Duration
}

func (b *bench) load(writers, keys int) *load {
	l := &load{stop: make(chan struct{})}
	for w := range writers {
		l.group.Go(func() {
			for i := w; ; i += 7919 {
				select {
				case <-l.stop:
					return
				default:
				}
				began := time.Now()
				if _, err := b.node.Propose(b.t.Context(), b.command(i%keys)); err != nil {
					b.t.Error(err)
					return
				}
				took := time.Since(began)
				l.mu.Lock()
				l.took = append(l.took, took)
				l.mu.Unlock()
			}
		})
	}
	return l
}

// since returns how many writes there were since it was asked last, and their median, 99th percentile and
// longest.
func (l *load) since() (n int, median, p99, longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := l.took
	l.took = nil
	slices.Sort(took)
	if n = len(took); n == 0 {
		return 0, 0, 0, 0
	}
	return n, took[n/2], took[n*99/100], took[n-1]
}

// resident is the memory of this process, in MiB, as the system counts it; 0 where it does not say.
func resident() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(fields[0])
	return kib >> 10
}

// TestFigureSnapshotUnderLoad: a snapshot of a million keys of 128 bytes while 16 writers go on. The 99th
// percentile of their latency at most doubles, and the memory of the process grows to at most 2.2 times what
// it was.
func TestFigureSnapshotUnderLoad(t *testing.T) {
	keys, window := 20_000, time.Second
	if *figures {
		keys, window = 1_000_000, 10*time.Second
	}
	b := newBench(t)
	b.open(0)
	defer b.close()
	b.lead()
	began := time.Now()
	b.fill(0, keys)
	t.Logf("%d keys in %v", keys, time.Since(began).Round(time.Millisecond))
	debug.FreeOSMemory() // what filling has left behind would hide what the snapshot needs
	l := b.load(16, keys)
	defer func() { close(l.stop); l.group.Wait() }()
	eventually(t, time.Minute, "no snapshot is under way", func() bool {
		taken := b.node.Stats().SnapshotsTaken
		<-time.After(window / 2)
		return b.node.Stats().SnapshotsTaken == taken
	})
	l.since()
	before, most := 0, 0
	for end := time.Now().Add(window); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		before = resident()
	}
	n, median, p99, longest := l.since()
	t.Logf("before: %d writes in %v, median %v, p99 %v, longest %v; %d MiB", n, window, median, p99, longest,
		before)
	done := make(chan error, 1)
	began = time.Now()
	go func() {
		_, err := b.node.Snapshot(t.Context())
		done <- err
	}()
	for len(done) == 0 {
		most = max(most, resident())
		<-time.After(10 * time.Millisecond)
	}
	took := time.Since(began)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n, median, during, longest := l.since()
	s := b.node.Status().LastSnapshot
	t.Logf("during: %d writes in %v, median %v, p99 %v, longest %v; at most %d MiB; the file has %d MiB", n,
		took.Round(time.Millisecond), median, during, longest, most, s.Size>>20)
	t.Logf("p99 %.2f times, memory %.2f times", float64(during)/float64(p99), float64(most)/float64(before))
	if *figures && (during > 2*p99 || most*10 > before*22) {
		t.Error("that is more than 2 times, or 2.2 times")
	}
}

// TestFigureRecovery: a million entries in all, the last hundred thousand behind the snapshot. Within a
// second after it was started a node is able to vote.
func TestFigureRecovery(t *testing.T) {
	unit := 2_000
	if *figures {
		unit = 100_000
	}
	b := newBench(t)
	b.open(-1)
	b.lead()
	for _, to := range []int{8, 9} { // the log reaches back to the older of two
		b.fill(int(b.node.Status().Last.Index), to*unit)
		if _, err := b.node.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.fill(9*unit, 10*unit)
	b.close()
	for range 3 {
		began := time.Now()
		b.open(-1)
		opened := time.Since(began)
		s := b.node.Status()
		eventually(t, time.Minute, "restored",
			func() bool { return b.node.Status().Applied >= s.Snapshot.Index })
		restored := time.Since(began)
		eventually(t, time.Minute, "applied", func() bool { return b.node.Status().Applied > s.Last.Index })
		applied := time.Since(began)
		t.Logf("%d entries, snapshot up to %d: can vote after %v, restored after %v, all applied after %v",
			s.Last.Index, s.Snapshot.Index, opened.Round(time.Millisecond),
			restored.Round(time.Millisecond), applied.Round(time.Millisecond))
		if n := b.store.Len(); n < 10*unit-8 {
			t.Errorf("%d keys", n)
		}
		b.close()
		if *figures && opened > time.Second {
			t.Error("that is more than a second")
		}
	}
	b.process()
}

// process measures the same as a user sees it: from the start of balsa serve to its line.
func (b *bench) process() {
	b.t.Helper()
	builtBinary(b.t)
	for range 3 {
		began := time.Now()
		p := start(b.t, "serve", "--id", "1", "--data", b.dir, "--http", loopback(freePorts(b.t, 1)))
		eventually(b.t, time.Minute, "it is ready", func() bool {
			return strings.HasPrefix(p.out.String(), "ready: ")
		})
		took := time.Since(began)
		p.kill()
		b.t.Logf("balsa serve is ready after %v", took.Round(time.Millisecond))
		if *figures && took > time.Second {
			b.t.Error("that is more than a second")
		}
	}
	files, _ := filepath.Glob(filepath.Join(b.dir, "*"))
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			b.t.Logf("%s: %d KiB", filepath.Base(name), info.Size()>>10)
		}
	}
}
