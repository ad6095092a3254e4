//go:build e2e

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"balsa/client"
)

// A cluster of an older commit becomes one of today, a node at a time and under load. Which commit that is
// stands in testdata/older-commit.txt.

// older builds the program of the older commit. Paths are trimmed, so that Go finds in its cache what another
// run has built in another directory.
func older(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/older-commit.txt")
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	commit, dir := lines[len(lines)-1], t.TempDir()
	run := func(in, hint, name string, args ...string) {
		t.Helper()
		command := exec.Command(name, args...)
		command.Dir = in
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s%s", command.Args, err, out, hint)
		}
	}
	const shallow = "the test builds that commit and needs a clone that has it: git fetch --unshallow"
	run("../..", shallow, "git", "archive", "-o", filepath.Join(dir, "sources.tar"), commit)
	run(dir, "", "tar", "-xf", "sources.tar")
	run(dir, "", "go", "build", "-trimpath", "-o", "balsa.exe", "./cmd/balsa")
	return filepath.Join(dir, "balsa.exe")
}

// upgrade is three nodes of which each runs the older program or the newer one, and writers.
type upgrade struct {
	*trio
	crowd        *crowd
	older, newer string
}

func newUpgrade(t *testing.T) *upgrade {
	t.Helper()
	u := &upgrade{older: older(t), newer: builtBinary(t)}
	u.trio = newTrioOf(t, u.older, "--snapshot-bytes", "128KiB", "--transport", "http")
	u.leader()
	u.crowd = gather(u.trio, 4)
	u.crowd.await(200)
	return u
}

// restart stops a node and starts it with a program, on the same directory and with the same command line.
func (u *upgrade) restart(n int, program string) {
	u.t.Helper()
	u.nodes[n].signal(syscall.SIGTERM)
	if status := u.nodes[n].status(5 * time.Second); status != exitOK {
		u.t.Fatalf("node %d: status %d\n%s", n+1, status, u.nodes[n].err)
	}
	u.programs[n] = program
	u.start(n)
	u.crowd.await(50)
}

// lead makes a node leader, whatever the programs know of transfers: of the two that are up it alone has all
// that was acknowledged.
func (u *upgrade) lead(n int) {
	u.t.Helper()
	for try, leader := 1, u.leader(); leader != n; try, leader = try+1, u.leader() {
		if try > 5 {
			u.t.Fatalf("node %d does not stay leader", n+1)
		}
		behind := 3 - leader - n
		u.nodes[behind].kill()
		u.crowd.await(20)
		u.nodes[leader].kill()
		u.start(behind)
		eventually(u.t, 5*time.Second, fmt.Sprintf("node %d leads", n+1), func() bool {
			status, err := u.client.Status(u.t.Context(), u.endpoints[n])
			return err == nil && status.Role == "leader"
		})
		u.start(leader)
	}
	u.crowd.await(50)
}

// refuses has the cluster refuse whatever would change its members, and what it says to it contain a text.
func (u *upgrade) refuses(code client.Code, want string) {
	u.t.Helper()
	_, add := u.client.AddMember(u.t.Context(), client.NewMember{ID: 4, Incarnation: "ff", Address: "x:1"})
	_, remove := u.client.RemoveMember(u.t.Context(), 3)
	for _, err := range []error{add, remove} {
		refusal := (*client.Error)(nil)
		if !errors.As(err, &refusal) || refusal.Code != code || refusal.Outcome != client.NotApplied ||
			!strings.Contains(err.Error(), want) {
			u.t.Errorf("a change among two programs: %v, want %s with %q", err, code, want)
		}
	}
}

// unchanged demands that no configuration is in any log, while the writers go on for longer than a leader
// waits between two changes of its own.
func (u *upgrade) unchanged() {
	u.t.Helper()
	for began := time.Now(); time.Since(began) < 700*time.Millisecond; {
		u.crowd.await(20)
	}
	for n := range u.nodes {
		select {
		case <-u.nodes[n].ended:
			u.t.Fatalf("node %d has stopped: %s", n+1, u.nodes[n].err)
		default:
		}
		dump, _ := u.tool(exitOK, "log", "dump", "--all", filepath.Join(u.dir, fmt.Sprint(n+1)))
		if at := strings.Index(dump, "configuration"); at >= 0 {
			u.t.Errorf("the log of node %d has a configuration: %s", n+1, dump[max(0, at-80):at+80])
		}
		if now, err := u.client.ClusterAt(u.t.Context(), u.endpoints[n]); u.programs[n] == u.newer &&
			(err != nil || now.Configuration != 0 || now.Version != 0) {
			u.t.Errorf("node %d: %+v, %v", n+1, now, err)
		}
	}
}

// settles waits until the cluster has raised its version and named all incarnations by itself.
func (u *upgrade) settles() {
	u.t.Helper()
	began, now := time.Now(), client.Cluster{}
	eventually(u.t, 5*time.Second, "version 1", func() (is bool) {
		var err error
		now, err = u.client.Cluster(u.t.Context())
		return err == nil && now.Version == 1 && now.Settled()
	})
	u.t.Logf("version 1 by configuration %d, %v after the last node was ready", now.Configuration,
		time.Since(began).Round(time.Millisecond))
	for _, m := range now.Members {
		status, err := u.client.Status(u.t.Context(), u.endpoints[m.ID-1])
		if err != nil || m.Incarnation == "" || m.Incarnation != status.Incarnation {
			u.t.Errorf("node %d: %+v, of incarnation %q, %v", m.ID, m, status.Incarnation, err)
		}
	}
}

// TestE2EUpgradeOfAnOlderCommit: no write is lost, none fails, no older program is stopped by what it does
// not know, and what it would misread it refuses.
func TestE2EUpgradeOfAnOlderCommit(t *testing.T) {
	u := newUpgrade(t)
	defer u.crowd.stop()

	u.restart(0, u.newer)
	u.lead(0) // the newer program, and both followers run the older one
	u.refuses(client.CodeVersionTooLow, "start every node once")
	u.unchanged()
	u.restart(0, u.older) // the way back, with what the newer one has written
	u.lead(0)

	u.restart(0, u.newer)
	u.restart(1, u.newer)
	u.lead(2) // the older program, and both followers run the newer one
	u.refuses(client.CodeNotFound, "start every node")
	u.unchanged()
	u.lead(1)
	if _, err := u.client.TransferLeadership(t.Context(), 3); err == nil {
		t.Error("the older program has taken over")
	}
	u.refuses(client.CodeVersionTooLow, "start every node once")
	u.unchanged()

	u.restart(2, u.newer)
	u.settles()
	four := u.join(4)
	u.crowd.await(50)
	u.crowd.stop()
	u.readAllInParallel()
	u.noWayBack(2, u.arguments(2))
	u.start(2)
	four.kill()
	u.noWayBack(3, []string{"serve", "--id", "4", "--data", filepath.Join(u.dir, "4"), "--http",
		loopback(freePorts(t, 1))})
	u.leader()
	u.readAllInParallel()
}

// join starts another node, which becomes a member.
func (u *upgrade) join(id uint64) *process {
	u.t.Helper()
	ports := freePorts(u.t, 2)
	p := start(u.t, "serve", "--id", fmt.Sprint(id), "--data", filepath.Join(u.dir, fmt.Sprint(id)), "--raft",
		loopback(ports), "--http", loopback(ports+1), "--join", strings.Join(u.endpoints, ","),
		"--transport", "http")
	eventually(u.t, 10*time.Second, "the node joins", func() bool {
		now, err := u.client.Cluster(u.t.Context())
		m, is := now.Member(id)
		return err == nil && is && m.Health == client.HealthOK
	})
	return p
}

// noWayBack has the older program refuse a directory, twice: it changes nothing there.
func (u *upgrade) noWayBack(n int, args []string) {
	u.t.Helper()
	if n < len(u.nodes) {
		u.nodes[n].kill()
	}
	for range 2 {
		p := startProgram(u.t, u.older, args...)
		if status := p.status(5 * time.Second); status != exitError ||
			!strings.Contains(p.err.String(), "written by a later version") {
			u.t.Errorf("the older program on the directory of node %d: status %d, %q", n+1, status, p.err)
		}
	}
}
