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

// A node that was removed before it heard anything of the cluster does not add itself again at its next
// start: it says what happened, and how to have it added all the same.
func TestE2EANodeThatWasRemovedDoesNotJoinAgain(t *testing.T) {
	c := newTrio(t)
	c.leader()
	ports := freePorts(t, 3)
	args := []string{"serve", "--id", "4", "--data", filepath.Join(c.dir, "4"), "--raft", loopback(ports),
		"--advertise-raft", loopback(ports + 2), "--http", loopback(ports + 1), "--join", c.endpoints[0]}
	four := start(t, args...)
	is := func() bool {
		cluster, err := c.client.Cluster(t.Context())
		m, is := cluster.Member(4)
		return err == nil && is && m.Role == client.RoleLearner
	}
	eventually(t, 10*time.Second, "node 4 is a member, whom nobody reaches", is)
	if _, err := c.client.RemoveMember(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if status := four.status(5 * time.Second); status != exitError ||
		!strings.Contains(four.err.String(), "does not come back by itself") {
		t.Errorf("status %d, %s", status, four.err)
	}
	for range 2 {
		four = start(t, args...)
		if status := four.status(5 * time.Second); status != exitError || is() {
			t.Fatalf("status %d, %s", status, four.err)
		}
	}
	_, advice, _ := strings.Cut(four.err.String(), "run: ")
	words := strings.Fields(advice)
	c.tool(exitOK, words[1:]...) // without the name of the program
	args[8] = loopback(ports)    // where it is indeed
	four = start(t, args...)
	eventually(t, 10*time.Second, "node 4 is a member", func() bool {
		s, err := c.client.Status(t.Context(), "http://"+loopback(ports+1))
		return err == nil && s.Standing == client.RoleLearner && s.Leader != 0
	})
	four.kill()
}
