package main

import (
	"fmt"
	"os"
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// What a data directory was founded with. The nodes keep it themselves, and refuse anything else; to let
// them do so would leave directories of nodes that the cluster does not have, and an exit status for an
// explanation.

// founders returns the members of the cluster that a directory of dev holds, nil when it holds none. The
// first node that can say so is believed: what is wrong with another one, it says itself when it is
// started.
func founders(data string) []raft.Member {
	for n := 1; n <= maxDevNodes; n++ {
		path := plan{data: data}.nodeDir(n)
		if _, err := os.Stat(path); err != nil {
			continue // to look into it would make it
		}
		dir, err := disk.OS(path)
		if err != nil {
			continue
		}
		found, err := wal.Inspect(dir)
		_ = dir.Close()
		if err == nil && !found.Identity.Joins {
			return found.Identity.Bootstrap.Members
		}
	}
	return nil
}

// fitsFounders refuses a plan for other nodes, or other ports of them, than the directory holds.
func (p plan) fitsFounders() error {
	members := founders(p.data)
	var planned []raft.Member
	for n := 1; n <= p.foundedWith(); n++ {
		planned = append(planned, raft.Member{ID: raft.NodeID(n), Address: p.raft(n)})
	}
	same := func(a, b raft.Member) bool { return a.ID == b.ID && a.Address == b.Address }
	if len(members) == 0 || slices.EqualFunc(members, planned, same) {
		return nil
	}
	return p.holdsAnother(members)
}

func (p plan) holdsAnother(members []raft.Member) error {
	first := members[0].Address
	_, port, err := splitAddress(first)
	if err != nil || first != loopback(port) {
		return fail(exitError, "%s holds a cluster whose node %v is at %s: use another --data, or balsa dev "+
			"--ephemeral", p.data, members[0].ID, first)
	}
	return fail(exitError, "%s holds a cluster of %s with --raft-port %d: use these, another --data, or "+
		"balsa dev --ephemeral", p.data, count(len(members), "node"), port)
}

// count writes how many there are of something.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// running writes how many nodes run.
func running(n int) string {
	if n == 1 {
		return "1 node runs"
	}
	return count(n, "node") + " run"
}
