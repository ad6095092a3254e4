package balsa_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// What a later start says of its cluster is checked though it names no peers: a node that listened where
// nobody looks for it, or under another cluster's name, would call itself ready and be alone for ever.
func TestALaterStartMayNotContradictTheFirst(t *testing.T) {
	memory := disk.NewMemory()
	open := func(change func(*balsa.Config)) error {
		dir, err := memory.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		config := balsa.Config{ID: 1, Disk: dir, Cluster: "one", StateMachine: &recorder{}}
		change(&config)
		n, err := balsa.Open(config)
		if err == nil {
			err = n.Close()
		}
		return err
	}
	first := func(c *balsa.Config) { c.Peers = map[raft.NodeID]string{1: "127.0.0.1:0"} }
	if err := open(first); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*balsa.Config)
		wrong  string // what the refusal speaks of; empty: none
	}{
		{"nothing new", func(*balsa.Config) {}, ""},
		{"no name", func(c *balsa.Config) { c.Cluster = "" }, ""},
		{"another name", func(c *balsa.Config) { c.Cluster = "two" }, `the name "two"`},
		{"the same address", func(c *balsa.Config) { c.Listen = "127.0.0.1:0" }, ""},
		{"any address of the machine", func(c *balsa.Config) { c.Listen = "0.0.0.0:0" }, ""},
		{"another port, yet to be drawn", func(c *balsa.Config) { c.Listen = "127.0.0.2:0" }, "127.0.0.2:0"},
		{"any host, another port", func(c *balsa.Config) { c.Listen = "0.0.0.0:7009" }, "Config.Advertise"},
		{"behind a proxy", func(c *balsa.Config) {
			c.Listen, c.Dial = "127.0.0.2:0", map[raft.NodeID]string{2: "127.0.0.1:9002"}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := open(test.change)
			refused := errors.Is(err, wal.ErrForeign) && strings.Contains(err.Error(), test.wrong)
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong != "" && !refused:
				t.Errorf("got %v", err)
			}
		})
	}
}

// A node that comes back with an empty directory in the place of its own hears its leader, which does not
// listen to it: it learns so, on a real transport too, where it only ever answers.
func TestAWipedNodeLearnsThatTheLeaderDoesNotListen(t *testing.T) {
	nodes, _ := onLoopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	leader, err := nodes[0].AwaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	peers := map[raft.NodeID]string{}
	for _, n := range nodes {
		s := n.Status()
		peers[s.ID] = s.Address
	}
	id := leader%3 + 1
	if _, err := nodes[id-1].AwaitLeader(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[id-1].Propose(ctx, []byte("they have met")); err != nil {
		t.Fatal(err)
	}
	if err := nodes[id-1].Close(); err != nil {
		t.Fatal(err)
	}
	wiped, err := balsa.Open(balsa.Config{ID: id, Dir: t.TempDir(), Peers: peers, StateMachine: &tally{},
		ElectionMin: 2 * time.Second, ElectionMax: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer wiped.Close()
	eventually(t, 20*time.Second, "the wiped node follows and knows that it is not listened to", func() bool {
		s := wiped.Status()
		for _, p := range s.Peers {
			if p.ID == s.Leader && p.Shuns == raft.OtherIncarnation {
				return true
			}
		}
		return false
	})
}
