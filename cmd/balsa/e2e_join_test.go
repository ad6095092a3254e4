//go:build e2e

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"balsa/client"
)

// A fourth node joins a running cluster, keeps its membership over a restart with the same command line, and
// a leader that is told to stop hands over first.
func TestE2EANodeJoinsAndALeaderHandsOver(t *testing.T) {
	c := newTrio(t)
	leader := c.leader()
	ports := freePorts(t, 2)
	args := []string{"serve", "--id", "4", "--data", filepath.Join(c.dir, "4"), "--raft", loopback(ports),
		"--http", loopback(ports + 1), "--join", strings.Join(c.endpoints, ",")}
	joined := func() bool {
		cluster, err := c.client.Cluster(t.Context())
		m, is := cluster.Member(4)
		return err == nil && is && m.Health == client.HealthOK && m.Address == loopback(ports) &&
			m.API == "http://"+loopback(ports+1)
	}
	four := start(t, args...)
	eventually(t, 10*time.Second, "node 4 is a member", joined)
	four.kill()
	four = start(t, args...)
	eventually(t, 10*time.Second, "node 4 is back", joined)
	for i := range 10 {
		if err := c.put(c.client, fmt.Sprint("key", i), "value"); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	stopped := c.nodes[leader]
	stopped.signal(syscall.SIGTERM)
	if status := stopped.status(5 * time.Second); status != exitOK {
		t.Errorf("status %d, stderr %q", status, stopped.err)
	}
	if !strings.Contains(stopped.err.String(), "Handed over") {
		t.Errorf("it has not handed over: %q", stopped.err)
	}
	if err := c.put(c.client, "after", "value"); err != nil {
		t.Error(err)
	}
	t.Logf("stopped, handed over, and a write acknowledged %v after SIGTERM", time.Since(began))
	c.readAll()
	four.kill()
}
