package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// A directory that was founded to join names no members, and is whole all the same; nor do files in it
// do harm that its node has put there besides.
func TestVerifyOfADirectoryThatJoins(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := disk.OS("data")
	must(t, err)
	l, _, err := wal.Open(dir, wal.Options{Identity: wal.Identity{Cluster: raft.ClusterID{1}, Node: 4,
		Incarnation: 1, Joins: true}})
	must(t, err)
	must(t, errors.Join(l.Close(), dir.Close()))
	must(t, os.WriteFile(filepath.Join("data", balsa.AskedToJoin), nil, 0o600))
	must(t, os.WriteFile(filepath.Join("data", "damaged-1-0000000001.wal"), []byte("?"), 0o600))
	got := command(t, "", "verify", "data")
	if got.status != exitOK || !strings.Contains(got.out, "founded to join that cluster") ||
		!strings.Contains(got.out, "does not ask again by itself") ||
		!strings.Contains(got.out, "set aside  by a repair") {
		t.Errorf("%+v", got)
	}
	if got = command(t, "", "log", "dump", "data"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
}
