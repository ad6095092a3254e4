//go:build e2e

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"balsa/client"
)

// A counter is incremented from many sides, in sessions and under keys, while the leader is killed again and
// again. Every increment is retried until it is acknowledged, and has counted once.
func TestE2EIncrementsAreExact(t *testing.T) {
	c := newTrio(t)
	c.leader()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var acknowledged atomic.Int64
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			increment := c.incrementer(ctx, w%2 == 0)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := increment(); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				acknowledged.Add(1)
			}
		})
	}
	for range 8 {
		leader := c.leader()
		before := acknowledged.Load()
		c.nodes[leader].kill()
		c.start(leader)
		eventually(t, 20*time.Second, "increments after the kill", func() bool {
			return acknowledged.Load() > before+50
		})
	}
	close(stop)
	writers.Wait()
	item, err := c.client.Get(t.Context(), "n")
	if want := fmt.Sprint(acknowledged.Load()); err != nil || string(item.Value) != want {
		t.Errorf("the counter is %s, %v; acknowledged were %s", item.Value, err, want)
	}
	t.Logf("%s increments", item.Value)
}

// incrementer returns what adds 1 to the counter: in a session, or under a key for each.
func (c *trio) incrementer(ctx context.Context, session bool) func() error {
	by := c.newClient()
	if !session {
		return func() error { _, err := by.Increment(ctx, "n", 1, client.Once("")); return err }
	}
	s, err := by.NewSession(ctx, time.Minute)
	if err != nil {
		return func() error { return err }
	}
	return func() error { _, err := s.Increment(ctx, "n", 1); return err }
}

// The client goes away before the answer comes, the leader dies, and the client comes back to another node:
// the write has happened once, and says what it said the first time.
func TestE2EALostReply(t *testing.T) {
	c := newTrio(t)
	leader := c.leader()
	const key = "the-only-one"
	c.send(leader, "POST /v1/kv/n/incr", key)
	eventually(t, 5*time.Second, "the write happens", func() bool {
		item, err := c.client.Get(t.Context(), "n")
		return err == nil && string(item.Value) == "1"
	})
	c.nodes[leader].kill()
	for range 3 {
		got, err := c.client.Increment(t.Context(), "n", 1, client.Once(key))
		if err != nil || got.Value != 1 {
			t.Errorf("the retry: %+v, %v", got, err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", c.endpoints[(leader+1)%3]+"/v1/kv/n/incr", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(client.HeaderIdempotencyKey, key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 200 || response.Header.Get(client.HeaderReplayed) != "true" {
		t.Errorf("%s, %v", response.Status, response.Header)
	}
	if got, err := c.client.Increment(t.Context(), "n", 1); err != nil || got.Value != 2 {
		t.Errorf("the next increment: %+v, %v", got, err)
	}
}

// send sends a request and does not wait for its answer.
func (c *trio) send(n int, what, key string) {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.endpoints[n], "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\n%s: %s\r\nContent-Length: 0\r\n\r\n", what,
		client.HeaderIdempotencyKey, key)
	if err != nil {
		c.t.Fatal(err)
	}
}
