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

// Clients count while the leader is killed every second. Their writes are sent again until they are answered,
// alone under a key of their own and in sessions, so each is carried out once: the counter ends at exactly
// the number of acknowledged increments. Snapshots are taken all the while.
func TestE2EACounterUnderKilledLeaders(t *testing.T) {
	c := newTrio(t, "--snapshot-bytes", "64KiB")
	c.leader()
	kills := 8
	if *figures {
		kills = 30
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var acknowledged, failed atomic.Int64
	for i := range 8 {
		clients.Go(func() { c.count(i, stop, &acknowledged, &failed) })
	}
	for range kills {
		<-time.After(time.Second)
		leader := c.leader()
		c.nodes[leader].kill()
		c.start(leader)
	}
	close(stop)
	clients.Wait()
	item, err := c.client.Get(t.Context(), "counter")
	if err != nil {
		t.Fatal(err)
	}
	total, err := strconv.ParseInt(string(item.Value), 10, 64)
	if err != nil || total != acknowledged.Load() || failed.Load() > 0 || total == 0 {
		t.Errorf("the counter is %s after %d acknowledged increments, %d were not answered", item.Value,
			acknowledged.Load(), failed.Load())
	}
	t.Logf("%d kills of the leader, %d acknowledged increments, the counter is %d", kills,
		acknowledged.Load(), total)
}

// count increments until it is told to stop, and never gives an increment up.
func (c *trio) count(i int, stop <-chan struct{}, acknowledged, failed *atomic.Int64) {
	by := c.newClient()
	var session *client.Session
	if i%2 == 0 {
		var err error
		if session, err = by.NewSession(c.t.Context(), time.Hour); err != nil {
			c.t.Error(err)
			return
		}
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		var err error
		if session != nil {
			_, err = session.Increment(ctx, "counter", 1)
		} else {
			_, err = by.Increment(ctx, "counter", 1, client.Once(fmt.Sprintf("client%d.%d", i, n)))
		}
		cancel()
		if err != nil {
			failed.Add(1)
			c.t.Error(err)
			return
		}
		acknowledged.Add(1)
	}
}
