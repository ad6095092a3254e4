package balsa_test

import (
	"errors"
	"strings"
	"testing"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// What a later start says of its cluster is checked though it names no peers: a node that listened where nobody
// looks for it, or under another cluster's name, would call itself ready and be alone for ever.
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
		{"another port", func(c *balsa.Config) { c.Listen = "127.0.0.1:7009" }, "127.0.0.1:7009"},
		{"another host", func(c *balsa.Config) { c.Listen = "127.0.0.2:0" }, "127.0.0.2:0"},
		{"behind a proxy", func(c *balsa.Config) {
			c.Listen, c.Dial = "127.0.0.2:0", map[raft.NodeID]string{2: "127.0.0.1:9002"}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := open(test.change)
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong != "" && (!errors.Is(err, wal.ErrForeign) || !strings.Contains(err.Error(), test.wrong)):
				t.Errorf("got %v", err)
			}
		})
	}
}
