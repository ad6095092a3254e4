//go:build e2e

package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balsa/client"
)

// growing are keys whose values only grow, each with one writer. Whoever reads one must see at least what
// was acknowledged before the question was asked: a smaller value is a stale read.
type growing struct {
	t         *testing.T
	endpoints []string
	acked     [2]atomic.Int64
	done      chan struct{}
	working   sync.WaitGroup

	reads, writes atomic.Int64
	stale         atomic.Int64
}

// grow begins to write and to read, each node with clients of its own, until stop is called.
func grow(t *testing.T, endpoints []string) *growing {
	g := &growing{t: t, endpoints: endpoints, done: make(chan struct{})}
	for key := range g.acked {
		g.working.Go(func() { g.write(key) })
	}
	for _, endpoint := range endpoints {
		for key := range g.acked {
			g.working.Go(func() { g.read(endpoint, key) })
		}
	}
	return g
}

func (g *growing) stop() { close(g.done); g.working.Wait() }

func (g *growing) over() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

func growingKey(n int) string { return fmt.Sprint("growing", n) }

// write writes larger and larger values. One whose outcome is unknown may be there later, or never: it is
// larger than what was acknowledged either way, and never written again.
func (g *growing) write(key int) {
	by, err := client.New(g.endpoints)
	if err != nil {
		g.t.Error(err)
		return
	}
	defer by.Close()
	for value := int64(1); !g.over(); value++ {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		_, err := by.Put(ctx, growingKey(key), []byte(strconv.FormatInt(value, 10)))
		cancel()
		if err == nil {
			g.acked[key].Store(value)
			g.writes.Add(1)
		}
	}
}

// read asks one node, again and again.
func (g *growing) read(endpoint string, key int) {
	by, err := client.New([]string{endpoint}, client.WithPatience(time.Second))
	if err != nil {
		g.t.Error(err)
		return
	}
	defer by.Close()
	for !g.over() {
		least := g.acked[key].Load()
		item, err := by.Get(context.Background(), growingKey(key))
		if err != nil {
			continue // no answer is no stale answer; a node that knows that it cannot tell must say so
		}
		g.reads.Add(1)
		if got, err := strconv.ParseInt(string(item.Value), 10, 64); err != nil || got < least {
			g.stale.Add(1)
			g.t.Errorf(
				"a linearizable read at %s (served by node %d) gave %q, though %d had been acknowledged "+
					"before it began",
				endpoint,
				item.ServedBy,
				item.Value,
				least,
			)
		}
	}
}

// progress waits until writes and reads have succeeded anew.
func (g *growing) progress(what string) {
	g.t.Helper()
	reads, writes := g.reads.Load(), g.writes.Load()
	eventually(g.t, 15*time.Second, "reads and writes "+what, func() bool {
		return g.reads.Load() > reads+20 && g.writes.Load() > writes+20
	})
}

// The leader stops for longer than an election takes, in the middle of everything, and goes on as if no time
// had passed: it still believes to lead, and must not answer a single read from what it knows.
func TestE2EAPausedLeaderServesNothingStale(t *testing.T) {
	s := newShell(t)
	s.balsa("cluster start")
	g := grow(t, s.endpoints)
	g.progress("at the beginning")
	for round := range 4 {
		leader := s.leader(3)
		s.balsa(fmt.Sprint("cluster pause ", leader))
		g.progress(fmt.Sprintf("in round %d while node %d is paused", round, leader))
		s.balsa(fmt.Sprint("cluster resume ", leader))
		s.caughtUpWhileWriting(leader)
	}
	g.progress("at the end")
	g.stop()
	t.Logf("%d writes, %d linearizable reads, %d of them stale", g.writes.Load(), g.reads.Load(),
		g.stale.Load())
	for key := range g.acked {
		s.atLeast(key, g.acked[key].Load())
	}
}

// The leader is cut off from the others, and clients are not: it must not answer reads, and what it took and
// could not commit is gone. After heal nothing that was acknowledged is lost.
func TestE2EAPartedLeader(t *testing.T) {
	s := newShell(t)
	s.balsa("cluster start")
	g := grow(t, s.endpoints)
	g.progress("at the beginning")
	for _, how := range []string{"", "--one-way "} {
		leader := s.leader(3)
		s.balsa(fmt.Sprint("cluster partition ", how, leader))
		eventually(t, 10*time.Second, "the others elect a leader", func() bool {
			for i, r := range askAll(t.Context(), s.client) {
				if r.Status != nil && i != leader-1 && r.Status.Role == "leader" {
					return true
				}
			}
			return false
		})
		g.progress(fmt.Sprintf("while node %d is parted", leader))
		s.balsa("cluster heal")
		s.caughtUpWhileWriting(leader)
	}
	g.stop()
	t.Logf("%d writes, %d linearizable reads, %d of them stale", g.writes.Load(), g.reads.Load(),
		g.stale.Load())
	for key := range g.acked {
		s.atLeast(key, g.acked[key].Load())
	}
}

// caughtUpWhileWriting waits until a node follows again and has come to where the others were when it began.
func (s *shell) caughtUpWhileWriting(node int) {
	s.t.Helper()
	want := uint64(0)
	for _, r := range askAll(s.t.Context(), s.client) {
		if r.Status != nil {
			want = max(want, r.Status.Commit)
		}
	}
	eventually(s.t, 10*time.Second, fmt.Sprintf("node %d catches up", node), func() bool {
		status := askAll(s.t.Context(), s.client)[node-1].Status
		return status != nil && status.Leader != 0 && status.Applied >= want
	})
}

// atLeast reads a key at every node and demands what was acknowledged.
func (s *shell) atLeast(key int, least int64) {
	s.t.Helper()
	for _, endpoint := range s.endpoints {
		out := s.balsa("get " + growingKey(key) + " --endpoints " + endpoint)
		if got, err := strconv.ParseInt(out, 10, 64); err != nil || got < least {
			s.t.Errorf("%s at %s is %q, %d was acknowledged", growingKey(key), endpoint, out, least)
		}
	}
}
