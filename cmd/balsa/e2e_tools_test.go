//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"balsa/client"
)

// tool runs a command line to its end.
func (c *trio) tool(status int, args ...string) (out, err string) {
	c.t.Helper()
	p := start(c.t, args...)
	if got := p.status(60 * time.Second); got != status {
		c.t.Fatalf("balsa %s: status %d, want %d\n%s%s", strings.Join(args, " "), got, status, p.out, p.err)
	}
	return p.out.String(), p.err.String()
}

// at is the flag that names the nodes.
func (c *trio) at() []string { return []string{"--endpoints", strings.Join(c.endpoints, ",")} }

// succeed starts a node on a directory that was made, at the addresses of node n, and waits until it leads.
func (c *trio) succeed(n int, data string) *client.Client {
	c.t.Helper()
	c.nodes[n] = start(c.t, "serve", "--id", fmt.Sprint(n+1), "--data", data, "--http", loopback(c.http[n]),
		"--supervised")
	alone, err := client.New(c.endpoints[n : n+1])
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(alone.Close)
	eventually(c.t, 10*time.Second, "the node leads alone\n"+c.nodes[n].err.String(), func() bool {
		s, err := alone.Status(c.t.Context(), c.endpoints[n])
		return err == nil && s.Role == "leader"
	})
	return alone
}

// complete has two nodes with empty directories join the one that leads alone, which data of another cluster
// was brought to. Each gets its vote, and together they have everything without that one.
func (c *trio) complete(first int) {
	c.t.Helper()
	for n := range c.nodes {
		if n == first {
			continue
		}
		c.nodes[n].kill()
		id := fmt.Sprint(n + 1)
		c.nodes[n] = start(c.t, "serve", "--id", id, "--data", filepath.Join(c.dir, "joined"+id), "--raft",
			loopback(c.raft[n]), "--http", loopback(c.http[n]), "--join", c.endpoints[first], "--supervised")
		eventually(c.t, 10*time.Second, "the node is a member", func() bool {
			now, err := c.client.Cluster(c.t.Context())
			_, is := now.Member(uint64(n + 1))
			return err == nil && is
		})
		c.tool(exitOK, "member", "promote", id, "--endpoints", c.endpoints[first])
	}
	c.tool(exitOK, append([]string{"check"}, c.at()...)...)
	c.nodes[first].kill()
	c.readAll()
	must(c.t, c.put(c.client, "without the first", "value"))
}

// A backup that was taken under load has all that was acknowledged before it began, founds a cluster in which
// sessions go on, and which has nothing to do with the nodes of the old one.
func TestE2EBackupAndRestore(t *testing.T) {
	c := newTrio(t, "--snapshot-bytes", "64KiB")
	c.leader()
	for i := range 50 {
		must(t, c.put(c.client, fmt.Sprint("key", i), strings.Repeat("value", 50+i)))
	}
	first, err := c.client.Increment(t.Context(), "n", 1, client.Once("the-key"))
	must(t, err)
	before := map[string]string{}
	for key, value := range c.acked {
		before[key] = value
	}
	ctx, cancel := context.WithCancel(t.Context())
	load := make(chan struct{})
	go func() {
		defer close(load)
		for i := 0; ctx.Err() == nil; i++ {
			_ = c.put(c.newClient(), fmt.Sprint("load", i), "value")
		}
	}()
	file := filepath.Join(c.dir, "backup")
	out, _ := c.tool(exitOK, append([]string{"backup", file, "-o", "json"}, c.at()...)...)
	cancel()
	<-load
	var took struct{ Cluster, SHA256 string }
	if err := json.Unmarshal([]byte(out), &took); err != nil || took.SHA256 == "" {
		t.Fatalf("%v\n%s", err, out)
	}
	c.tool(exitOK, "verify", file)
	c.tool(exitOK, "snapshot", "inspect", file)
	c.nodes[0].kill()
	data := filepath.Join(c.dir, "restored")
	c.tool(exitOK, "restore", file, "--data", data, "--id", "1", "--raft", loopback(c.raft[0]), "--http",
		loopback(c.http[0]))
	alone := c.succeed(0, data)
	for key, value := range before {
		item, err := alone.Get(t.Context(), key)
		if err != nil || string(item.Value) != value {
			t.Fatalf("%s is %q, %v", key, item.Value, err)
		}
	}
	s, err := alone.Status(t.Context(), c.endpoints[0])
	if err != nil || s.Cluster == took.Cluster || len(s.Peers) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	again, err := alone.Increment(t.Context(), "n", 1, client.Once("the-key"))
	if err != nil || again.Value != first.Value || again.Revision != first.Revision {
		t.Errorf("an idempotent write is done twice: %+v, %v", again, err)
	}
	eventually(t, 10*time.Second, "the old nodes are refused", func() bool {
		return strings.Contains(c.nodes[0].err.String()+c.nodes[1].err.String()+c.nodes[2].err.String(),
			"another cluster")
	})
	if s, err = alone.Status(t.Context(), c.endpoints[0]); err != nil || s.Role != "leader" {
		t.Errorf("%+v, %v", s, err)
	}
	c.acked = before
	must(t, c.put(alone, "later", "value"))
	c.complete(0)
}

// When two of three directories are gone, the third founds a cluster with all that was acknowledged and came
// to it.
func TestE2ERecoverFromOne(t *testing.T) {
	c := newTrio(t)
	c.leader()
	for i := range 30 {
		must(t, c.put(c.client, fmt.Sprint("key", i), "value"))
	}
	left := c.leader() // it has every write that was acknowledged
	for n := range c.nodes {
		c.nodes[n].kill()
		if n != left {
			must(t, os.RemoveAll(filepath.Join(c.dir, fmt.Sprint(n+1))))
		}
	}
	data, id := filepath.Join(c.dir, fmt.Sprint(left+1)), fmt.Sprint(left+1)
	_, said := c.tool(exitOK, "recover", "--data", data, "--id", id,
		"--i-understand-that-acknowledged-writes-may-be-lost")
	for n := range c.nodes {
		if want := fmt.Sprintf("  node %d, a voter, at %s", n+1, loopback(c.raft[n])); n != left &&
			!strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	c.tool(exitOK, "verify", data)
	c.client = c.succeed(left, data)
	c.readAll()
	must(t, c.put(c.client, "later", "value"))
	other := (left + 1) % 3 // founded anew with the old command line, it belongs to the old cluster
	c.nodes[other] = start(t, c.arguments(other)...)
	eventually(t, 10*time.Second, "a node of the old cluster is refused", func() bool {
		return strings.Contains(c.nodes[left].err.String()+c.nodes[other].err.String(), "another cluster")
	})
	c.client = c.newClient()
	c.complete(left)
}

// All members agree under load; with one down the others do.
func TestE2ECheck(t *testing.T) {
	c := newTrio(t)
	c.leader()
	ctx, cancel := context.WithCancel(t.Context())
	load := make(chan struct{})
	by := c.newClient()
	go func() {
		defer close(load)
		for i := 0; ctx.Err() == nil; i++ {
			_ = c.put(by, fmt.Sprint("key", i%1000), fmt.Sprint(i))
		}
	}()
	for range 3 {
		out, _ := c.tool(exitOK, append([]string{"check", "-o", "json"}, c.at()...)...)
		var body client.CheckBody
		if err := json.Unmarshal([]byte(out), &body); err != nil || body.Differ || len(body.Members) != 3 ||
			body.Members[0].Hash == "" || body.Members[0].Hash != body.Members[2].Hash {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	cancel()
	<-load
	c.nodes[2].kill()
	if _, said := c.tool(exitUnavailable, append([]string{"check"}, c.at()...)...); !strings.Contains(said,
		"no hash of node 3") {
		t.Error(said)
	}
}

// Every command of the operations guide works as it stands, in the order in which it stands.
func TestE2EOperations(t *testing.T) { follow(t, "operations.md", 15) }
