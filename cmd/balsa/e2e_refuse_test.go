//go:build e2e

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is wrong is refused in one sentence and with the right status, and what was there before is untouched.
func TestE2ERefusals(t *testing.T) {
	c := newTrio(t)
	c.leader()
	for i := range 10 {
		if err := c.put(c.client, fmt.Sprint("key", i), "value"); err != nil {
			t.Fatal(err)
		}
	}
	c.nodes[2].kill()
	refused := func(what, want string, args ...string) {
		t.Helper()
		p := start(t, args...)
		if status := p.status(5 * time.Second); status != exitError || !strings.Contains(p.err.String(),
			want) {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %q", what, status, p.out, p.err, want)
		}
		if p.out.String() != "" || strings.Count(p.err.String(), "\n") != 1 {
			t.Errorf("%s: not one sentence: stdout %q, stderr %q", what, p.out, p.err)
		}
	}
	two := c.arguments(1)
	refused("a node twice", "--raft "+loopback(c.raft[1])+" is in use", two...)
	refused("the same port for clients", "--http "+loopback(c.http[0])+" is in use",
		changed(c.arguments(2), "--http", loopback(c.http[0]))...)
	refused("a directory that is used", "in use by another process",
		changed(c.arguments(2), "--data", filepath.Join(c.dir, "2"))...)
	refused("a directory of another node", "node 1", func() []string {
		c.nodes[0].kill()
		return changed(c.arguments(2), "--data", filepath.Join(c.dir, "1"))
	}()...)
	refused("a directory of another cluster", "cluster", append(c.arguments(2), "--cluster", "other")...)
	c.start(2)
	c.start(0)
	c.leader()
	c.readAll()
}

// changed returns a command line with another value for one flag.
func changed(args []string, flag, value string) []string {
	args = slices.Clone(args)
	args[slices.Index(args, flag)+1] = value
	return args
}

// A flipped bit in what was synced stops a node that may not repair itself, and only that node.
func TestE2EACorruptFile(t *testing.T) {
	c := newTrio(t, "--repair=false")
	c.leader()
	for i := range 10 {
		if err := c.put(c.client, fmt.Sprint("key", i), strings.Repeat("value", 100)); err != nil {
			t.Fatal(err)
		}
	}
	c.nodes[1].kill()
	file := largest(t, filepath.Join(c.dir, "2"))
	flip(t, file, 1000)
	for range 2 { // refusing does not repair: the second start says the same
		p := start(t, c.arguments(1)...)
		if status := p.status(5 * time.Second); status != exitError ||
			!strings.Contains(p.err.String(), filepath.Base(file)+" at byte ") {
			t.Errorf("status %d, stderr %q", status, p.err)
		}
	}
	c.readAll()
	flip(t, file, 1000) // the undamaged file is put back
	c.start(1)
	c.leader()
}

func largest(t *testing.T, dir string) (path string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(-1)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Size() > size {
			path, size = filepath.Join(dir, e.Name()), info.Size()
		}
	}
	return path
}

func flip(t *testing.T, file string, offset int) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[offset] ^= 1
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two nodes with one id, and nodes that were founded with other peers, refuse each other and say what to do.
func TestE2EStrangers(t *testing.T) {
	c := newTrio(t)
	c.leader()
	if err := c.put(c.client, "key", "value"); err != nil {
		t.Fatal(err)
	}
	c.nodes[2].kill()
	other := changed(c.arguments(2), "--data", filepath.Join(c.dir, "wiped"))
	stranger := start(t, other...)
	sentence := "uses the id of a node that runs, or ran, with another data directory"
	eventually(t, 5*time.Second, "the leader refuses a wiped disk", func() bool {
		return strings.Contains(c.nodes[0].err.String()+c.nodes[1].err.String(), sentence)
	})
	stranger.kill()
	peers := fmt.Sprintf("1=%s,2=%s,3=%s,4=127.0.0.1:1", loopback(c.raft[0]), loopback(c.raft[1]),
		loopback(c.raft[2]))
	other = changed(changed(c.arguments(2), "--data", filepath.Join(c.dir, "four")), "--peers", peers)
	stranger = start(t, other...)
	eventually(t, 5*time.Second, "other peers are refused", func() bool {
		return strings.Contains(stranger.err.String(), "start every node with the same --peers and --cluster")
	})
	stranger.kill()
	c.start(2)
	c.leader()
	c.readAll()
}

// SIGTERM is a clean stop, with callers waiting or not; so is standard input that closes under --supervised.
func TestE2ECleanStop(t *testing.T) {
	c := newTrio(t)
	c.leader()
	c.nodes[0].signal(syscall.SIGTERM)
	_ = c.nodes[1].stdin.Close()
	for n := range 2 {
		if status := c.nodes[n].status(5 * time.Second); status != exitOK {
			t.Errorf("node %d: status %d\n%s", n+1, status, c.nodes[n].err)
		}
	}
	c.nodes[2].signal(os.Interrupt) // a supervised node leaves Ctrl-C to its parent
	select {
	case <-c.nodes[2].ended:
		t.Errorf("node 3 stopped at Ctrl-C\n%s", c.nodes[2].err)
	case <-time.After(500 * time.Millisecond):
	}
}
