//go:build e2e

package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The leader is killed twenty times under load. The next write succeeds soon, and nothing that was
// acknowledged is lost.
func TestE2EKillTheLeader(t *testing.T) {
	c := newTrio(t)
	c.leader()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			by := c.newClient()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					// unknown outcomes are not counted on
					_ = c.put(by, fmt.Sprintf("w%d-%d", w, i), fmt.Sprint(i))
				}
			}
		})
	}
	var gaps []time.Duration
	for round := range 20 {
		leader := c.leader()
		c.nodes[leader].kill()
		gaps = append(gaps, c.nextWrite(round))
		c.start(leader)
	}
	close(stop)
	writers.Wait()
	slices.Sort(gaps)
	t.Logf("from kill to next write: median %v, longest %v", gaps[len(gaps)/2], gaps[len(gaps)-1])
	if gaps[len(gaps)/2] > time.Second || gaps[len(gaps)-1] > 2*time.Second {
		t.Errorf("too long: %v", gaps)
	}
	c.readAll()
}

// nextWrite says how long it takes until a write succeeds.
func (c *trio) nextWrite(round int) time.Duration {
	c.t.Helper()
	began := time.Now()
	for try := 0; c.put(c.client, fmt.Sprintf("after-%d-%d", round, try), "x") != nil; try++ {
		if time.Since(began) > 20*time.Second {
			c.t.Fatalf("round %d: no write within 20 s", round)
		}
	}
	return time.Since(began)
}

// All nodes are killed at once, in the middle of writes. After a restart everything is there without a new
// write.
func TestE2EKillAll(t *testing.T) {
	c := newTrio(t)
	for round := range 3 {
		stop := make(chan struct{})
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				by := c.newClient()
				for i := range 1000 {
					select {
					case <-stop:
						return
					default:
						_ = c.put(by, fmt.Sprintf("r%d-w%d-%d", round, w, i), fmt.Sprint(i))
					}
				}
			})
		}
		eventually(t, 10*time.Second, "some writes", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.acked) > 100*(round+1)
		})
		for _, n := range c.nodes {
			n.signal(syscall.SIGKILL)
		}
		close(stop)
		for n := range c.nodes {
			c.nodes[n].kill()
		}
		writers.Wait()
		for n := range c.nodes {
			c.start(n)
		}
		c.readAll()
	}
}

// The origin's API by hand: the leader takes a command, a follower says who leads, and every node shows its
// own state.
func TestE2EByHand(t *testing.T) {
	c := newTrio(t)
	leader := c.leader()
	submit := func(n int) (int, string) {
		return c.request(n, http.MethodPost, "/client/submit", `{"command":"SET greeting hello world"}`)
	}
	if status, body := submit(leader); status != http.StatusOK ||
		strings.TrimSpace(body) != `{"result":"OK"}` {
		t.Errorf("the leader answers %d %s", status, body)
	}
	follower := (leader + 1) % 3
	hint := fmt.Sprintf(`"leader_hint":%d`, leader+1)
	if status, body := submit(follower); status != http.StatusServiceUnavailable || !strings.Contains(body,
		hint) {
		t.Errorf("a follower answers %d %s", status, body)
	}
	for n := range c.nodes {
		eventually(t, 2*time.Second, "every node shows the value", func() bool {
			status, body := c.request(n, http.MethodGet, "/client/get/greeting", "")
			return status == http.StatusOK && strings.Contains(body, "hello world")
		})
	}
	for _, bad := range []struct {
		path, body string
		want       int
	}{
		{"/client/submit", `{"command":`, http.StatusBadRequest},
		{"/client/submit", `{"command":"FROB x"}`, http.StatusBadRequest},
		{"/client/submit", `{"command":"SET ` + strings.Repeat("k", 5000) + ` v"}`, http.StatusBadRequest},
		{"/client/submit", `{"command":"SET k ` + strings.Repeat("v", 1<<20+1) + `"}`,
			http.StatusBadRequest},
		{"/client/nowhere", "", http.StatusNotFound},
	} {
		if status, body := c.request(leader, http.MethodPost, bad.path, bad.body); status != bad.want {
			t.Errorf("POST %s %.40s is answered %d %s", bad.path, bad.body, status, body)
		}
	}
}

func (c *trio) request(n int, method, path, body string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.endpoints[n]+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d does
	r.Close = true                                                    // like a curl of its own
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(answer)
}
