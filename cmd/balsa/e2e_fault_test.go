//go:build e2e

package main

import (
	"context"
	"errors"
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
	acked     [2]atomic.Pointer[acked] // by writer
	done      chan struct{}
	working   sync.WaitGroup

	reads, writes atomic.Int64
	stale         atomic.Int64
}

// acked is the last write of a writer that was acknowledged.
type acked struct {
	key   string
	value int64
}

// grow begins to write and to read, each node with clients of its own, until stop is called.
func grow(t *testing.T, endpoints []string) *growing {
	g := &growing{t: t, endpoints: endpoints, done: make(chan struct{})}
	for writer := range g.acked {
		g.working.Go(func() { g.write(writer) })
	}
	for _, endpoint := range endpoints {
		for writer := range g.acked {
			g.working.Go(func() { g.read(endpoint, writer) })
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

// write writes larger and larger values. One whose outcome is unknown may still happen, at any time: nothing
// is written to its key any more, or it could take back what comes after it.
func (g *growing) write(writer int) {
	by, err := client.New(g.endpoints)
	if err != nil {
		g.t.Error(err)
		return
	}
	defer by.Close()
	key := fmt.Sprintf("growing-%d-0", writer)
	for value := int64(1); !g.over(); value++ {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		_, err := by.Put(ctx, key, []byte(strconv.FormatInt(value, 10)))
		cancel()
		switch {
		case err == nil:
			g.acked[writer].Store(&acked{key, value})
			g.writes.Add(1)
		case errors.Is(err, client.ErrOutcomeUnknown):
			key = fmt.Sprintf("growing-%d-%d", writer, value)
		}
	}
}

// read asks one node, again and again.
func (g *growing) read(endpoint string, writer int) {
	by, err := client.New([]string{endpoint}, client.WithPatience(time.Second))
	if err != nil {
		g.t.Error(err)
		return
	}
	defer by.Close()
	for !g.over() {
		least := g.acked[writer].Load()
		if least == nil {
			continue
		}
		item, err := by.Get(context.Background(), least.key)
		if err != nil {
			if errors.Is(err, client.ErrNotFound) {
				g.lost(endpoint, item, least)
			}
			continue // no answer is no stale answer
		}
		g.reads.Add(1)
		if got, err := strconv.ParseInt(string(item.Value), 10, 64); err != nil || got < least.value {
			g.lost(endpoint, item, least)
		}
	}
}

func (g *growing) lost(endpoint string, item client.Item, least *acked) {
	g.stale.Add(1)
	g.t.Errorf("a linearizable read at %s (served by node %d) gave %q, though %d had been acknowledged "+
		"before it began", endpoint, item.ServedBy, item.Value, least.value)
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
		leader := s.leader(3, 0)
		s.balsa(fmt.Sprint("cluster pause ", leader))
		g.progress(fmt.Sprintf("in round %d while node %d is paused", round, leader))
		s.balsa(fmt.Sprint("cluster resume ", leader))
		s.caughtUpWhileWriting(leader)
	}
	g.progress("at the end")
	g.stop()
	t.Logf("%d writes, %d linearizable reads, %d of them stale", g.writes.Load(), g.reads.Load(),
		g.stale.Load())
	for writer := range g.acked {
		s.atLeast(g.acked[writer].Load())
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
		leader := s.leader(3, 0)
		s.balsa(fmt.Sprint("cluster partition ", how, leader))
		eventually(t, 10*time.Second, "the others elect a leader", func() bool { return s.leads(leader) })
		g.progress(fmt.Sprintf("while node %d is parted", leader))
		s.balsa("cluster heal")
		s.caughtUpWhileWriting(leader)
	}
	g.stop()
	t.Logf("%d writes, %d linearizable reads, %d of them stale", g.writes.Load(), g.reads.Load(),
		g.stale.Load())
	for writer := range g.acked {
		s.atLeast(g.acked[writer].Load())
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
func (s *shell) atLeast(least *acked) {
	s.t.Helper()
	for _, endpoint := range s.endpoints {
		out := s.balsa("get " + least.key + " --endpoints " + endpoint)
		if got, err := strconv.ParseInt(out, 10, 64); err != nil || got < least.value {
			s.t.Errorf("%s at %s is %q, %d was acknowledged", least.key, endpoint, out, least.value)
		}
	}
}
