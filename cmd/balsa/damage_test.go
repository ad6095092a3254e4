package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// foundDamaged makes the data directory of node 1 with one segment, one batch of which was changed after it
// was durable.
func foundDamaged(t *testing.T, path string, members map[raft.NodeID]string) {
	t.Helper()
	dir, err := disk.OS(path)
	must(t, err)
	l, _, err := wal.Open(dir, wal.Options{Identity: wal.Identity{Cluster: founded(), Node: 1,
		Incarnation: 1, Bootstrap: raft.NewConfiguration(members)}})
	must(t, err)
	for term := raft.Term(1); term < 4; term++ {
		must(t, l.Append(&raft.HardState{Term: term}, nil))
	}
	must(t, errors.Join(l.Close(), dir.Close()))
	file, err := os.OpenFile(filepath.Join(path, "0000000001.wal"), os.O_RDWR, 0)
	must(t, err)
	_, err = file.WriteAt([]byte("DAMAGED"), 150)
	must(t, errors.Join(err, file.Close()))
}

// Whoever reads of damage, or is refused a start because of it, is told what to do about it with this
// program: most often to start it, as it repairs itself; but not when that would be wrong.
func TestDamageIsToldWithWhatToDo(t *testing.T) {
	one := map[raft.NodeID]string{1: "127.0.0.1:7001"}
	three := map[raft.NodeID]string{1: "127.0.0.1:7001", 2: "127.0.0.1:7002", 3: "127.0.0.1:7003"}
	const (
		repairs = "balsa serve sets aside what is damaged, and repairs itself from the other nodes"
		allow   = "start it without --repair=false"
		alone   = "make a new cluster of a backup, with balsa restore"
		replace = "with balsa member replace 1"
	)
	for name, c := range map[string]struct {
		members  map[raft.NodeID]string
		identity bool // is damaged too, both copies of it
		flags    []string
		verify   string
		start    string
	}{
		"others have it":            {three, false, []string{"--repair=false"}, repairs, allow},
		"others have it, and not":   {three, false, []string{"--repair=false"}, repairs, replace},
		"nobody else":               {one, false, nil, alone, alone},
		"nobody else, and asked":    {one, false, []string{"--repair=false"}, alone, alone},
		"who it is, is not known":   {three, true, nil, "with balsa member replace", replace},
		"who it is, is asked again": {three, true, []string{"--repair=false"}, "put back", "put back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			foundDamaged(t, "d", c.members)
			if c.identity {
				for _, file := range copies() {
					must(t, os.WriteFile(filepath.Join("d", file), []byte("?"), 0o600))
				}
			}
			got := command(t, "", "verify", "d")
			if got.status != exitViolation || !strings.Contains(got.err, c.verify) ||
				strings.Contains(got.err, wal.ErrCorrupt.Error()) {
				t.Errorf("verify: %+v", got)
			}
			got = command(t, "", append(serveArgs("--raft", "127.0.0.1:0", "--http", "localhost:0", "--peers",
				"-"), c.flags...)...)
			if got.status != exitError || !strings.Contains(got.err, c.start) ||
				!strings.Contains(got.err, "by hand") || strings.Contains(got.err, wal.ErrCorrupt.Error()) ||
				strings.Count(got.err, "\n") > 1 {
				t.Errorf("serve: %+v", got)
			}
		})
	}
}
