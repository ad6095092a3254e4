//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
)

// A pipe in place of a file is told, by its name, and nobody waits for what it will say.
func TestVerifyAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"0000000004.wal", "00000000000000000009-t00000000000000000002.snapshot"} {
		foundData(t, name+"/data")
		path := name + "/data"
		must(t, syscall.Mkfifo(path+"/"+name, 0o600))
		got := command(t, "", "verify", path)
		if got.status != exitViolation || strings.Count(got.err, "it is no regular file") != 1 ||
			!strings.Contains(got.err, "balsa: "+name+" at byte 0: it cannot be read: ") {
			t.Errorf("%+v", got)
		}
	}
}
