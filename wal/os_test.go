package wal

import (
	"os"
	"path/filepath"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// The same log on a real disk: several segments, several starts, a torn tail, and a bit that rots.
func TestOnARealDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	open := func() (*Log, Recovered, func(), error) {
		dir, err := disk.OS(path)
		ok(t, err)
		l, r, err := Open(dir, small())
		return l, r, func() { ok(t, dir.Close()) }, err
	}
	var want contents
	for start := range uint64(3) {
		l, r, unlock, err := open()
		ok(t, err)
		if !want.equal(r) || r.Start != start+1 || r.First != (start == 0) {
			t.Fatalf("start %d recovered %v, want %v", r.Start, held(r), want)
		}
		for range 4 {
			s := step{entries: []raft.Entry{entry(1, raft.Index(len(want.entries)+1), 200)}}
			ok(t, l.Append(s.state, s.entries))
			want = want.after(s)
		}
		ok(t, l.Close())
		unlock()
	}
	names, err := filepath.Glob(filepath.Join(path, "*"+segmentSuffix))
	ok(t, err)
	if len(names) < 4 {
		t.Fatalf("the log has only %d segments", len(names))
	}
	rot(t, names[len(names)-1], 511)
	l, r, unlock, err := open()
	ok(t, err)
	if !want.equal(r) || r.Torn == 0 {
		t.Fatalf("%d torn, recovered %v, want %v", r.Torn, held(r), want)
	}
	ok(t, l.Close())
	unlock()
	rot(t, names[1], 100)
	_, _, unlock, err = open()
	fails(t, err, ErrCorrupt)
	unlock()
}

// rot inverts one byte of a file.
func rot(t *testing.T, name string, at int) {
	t.Helper()
	content, err := os.ReadFile(name)
	ok(t, err)
	content[at] ^= 0xff
	ok(t, os.WriteFile(name, content, 0o600))
}
