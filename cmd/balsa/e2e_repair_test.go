//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa/client"
)

// damage stops a node as a power cut does, and flips bytes in the middle of what its log holds: good batches
// stand before and behind them. It returns the segment's path, and what it holds then.
func (c *trio) damage(n int) (path string, content []byte) {
	c.t.Helper()
	c.nodes[n].kill()
	segments, err := filepath.Glob(filepath.Join(c.dir, fmt.Sprint(n+1), "*.wal"))
	must(c.t, err)
	slices.Sort(segments)
	path = segments[0]
	content, err = os.ReadFile(path)
	must(c.t, err)
	middle := len(bytes.TrimRight(content, "\x00")) / 2
	for i := range 16 {
		content[middle+i] ^= 0xff
	}
	must(c.t, os.WriteFile(path, content, 0o600))
	return path, content
}

// repair is what a node says of who repairs itself; nil when nobody does, or when it does not answer.
func (c *trio) repair(n int) *client.Repair {
	s, err := c.client.Status(c.t.Context(), c.endpoints[n])
	if err != nil {
		return nil
	}
	return s.Repair
}

// setAside looks for a damaged segment under its new name, with every byte as it was.
func (c *trio) setAside(path string, content []byte) {
	c.t.Helper()
	aside := filepath.Join(filepath.Dir(path), "damaged-1-"+filepath.Base(path))
	if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, content) {
		c.t.Errorf("%s holds %d bytes, %v; %d were damaged", aside, len(kept), err, len(content))
	}
}

// TestE2EADamagedDisk: a node whose log was damaged in the middle is started with its old command line. While
// no other is there it shows as repairing, and is not ready; then it comes back, and the cluster can do
// without another one.
func TestE2EADamagedDisk(t *testing.T) {
	c := newTrio(t)
	c.leader()
	for i := range 100 {
		must(t, c.put(c.client, fmt.Sprint("key", i), strings.Repeat("value", 40)))
	}
	leader := c.leader()
	n, other := (leader+1)%3, (leader+2)%3
	path, content := c.damage(n)
	for i := range 20 { // what it misses meanwhile
		must(t, c.put(c.client, fmt.Sprint("key", i), "later"))
	}
	c.nodes[other].kill() // else it may be back before anybody can look
	c.start(n)
	log := c.nodes[n].err.String()
	if logLines(log, "The data directory is damaged, and this node repairs itself") != 1 ||
		!strings.Contains(log, filepath.Base(path)) {
		t.Errorf("its log does not say so:\n%s", log)
	}
	if r := c.repair(n); r == nil || !r.On || !slices.Contains(r.Nodes, uint64(n+1)) {
		t.Errorf("it does not show that it repairs itself: %+v", r)
	}
	if status, body := c.request(n, http.MethodGet, "/readyz", ""); status != http.StatusServiceUnavailable ||
		!strings.Contains(body, "this node repairs itself") {
		t.Errorf("ready: %d %s", status, body)
	}
	if out, _ := c.tool(exitOK, append([]string{"status"}, c.at()...)...); !strings.Contains(out,
		fmt.Sprintf("node %d repairs itself after damage of its disk", n+1)) {
		t.Errorf("status:\n%s", out)
	}
	if status, body := c.request(leader, http.MethodGet, "/v1/kv/key99?timeout=1s", ""); status < 500 {
		t.Errorf("one sound node of three answers %d %s", status, body)
	}

	c.start(other)
	eventually(t, 20*time.Second, "it counts again", func() bool {
		now, err := c.client.Cluster(t.Context())
		return err == nil && now.Repair == nil && *now.FailureTolerance == 1 && c.repair(n) == nil
	})
	eventually(t, 5*time.Second, "it is ready", func() bool {
		status, _ := c.request(n, http.MethodGet, "/readyz", "")
		return status == http.StatusOK
	})
	if log := c.nodes[n].err.String(); logLines(log, "Is repaired and counts again") != 1 {
		t.Errorf("its log does not say that it is back:\n%s", log)
	}
	c.setAside(path, content)
	c.readAll()
	c.nodes[leader].kill() // only with the vote of the one that is back do two of three decide
	eventually(t, 20*time.Second, "the cluster goes on without another node", func() bool {
		return c.put(c.client, "key0", "without another node") == nil
	})
	c.readAll()
}

// TestE2EDamageOnTwoOfThree: no quorum is left, so nobody leads, and everybody says why and what to do.
func TestE2EDamageOnTwoOfThree(t *testing.T) {
	c := newTrio(t)
	c.leader()
	for i := range 100 {
		must(t, c.put(c.client, fmt.Sprint("key", i), strings.Repeat("value", 40)))
	}
	sound := c.leader()
	paths, contents := map[int]string{}, map[int][]byte{}
	for n := range c.nodes {
		if n != sound {
			paths[n], contents[n] = c.damage(n)
		}
	}
	for n := range paths {
		c.start(n)
	}
	eventually(t, 20*time.Second, "all say that the cluster halts", func() bool {
		for n := range c.nodes {
			if r := c.repair(n); r == nil || r.Halted == "" {
				return false
			}
		}
		return true
	})
	const why = "2 of 3 voters repair themselves after damage of the disk: no quorum is left"
	for n := range c.nodes {
		if status, body := c.request(n, http.MethodGet, "/health", ""); status == http.StatusOK ||
			!strings.Contains(body, why) {
			t.Errorf("the health of node %d: %d %s", n+1, status, body)
		}
		eventually(t, 5*time.Second, fmt.Sprintf("the log of node %d says why", n+1), func() bool {
			return logLines(c.nodes[n].err.String(), why) > 0
		})
	}
	for _, verb := range []string{"status", "member list"} {
		args := append(strings.Fields(verb), c.at()...)
		if _, said := c.tool(exitUnavailable, args...); !strings.Contains(said, why) {
			t.Errorf("%s says %s", verb, said)
		}
	}
	began := time.Now()
	eventually(t, 5*time.Second, "the time of some elections passes", func() bool {
		for _, r := range askAll(t.Context(), c.client) {
			if r.Status == nil || r.Status.Leader != 0 {
				t.Errorf("somebody leads: %+v", r)
			}
		}
		return time.Since(began) > 2*time.Second
	})
	for n, path := range paths {
		c.setAside(path, contents[n])
	}

	data, id := filepath.Join(c.dir, fmt.Sprint(sound+1)), fmt.Sprint(sound+1) // as the report advises
	for n := range c.nodes {
		c.nodes[n].kill()
	}
	c.tool(exitOK, "recover", "--data", data, "--id", id,
		"--i-understand-that-acknowledged-writes-may-be-lost")
	c.client = c.succeed(sound, data)
	c.readAll() // it led, so it has them all
}
