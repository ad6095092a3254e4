//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe to which nobody writes is refused: opening it would wait for ever.
func TestAPipeIsNoRun(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{pipe, "/dev/zero"} {
		for _, verb := range []string{"replay", "shrink"} {
			got := command(t, "", "sim", verb, file)
			if got.status != exitUsage || !strings.Contains(got.err, "is a device or a pipe") {
				t.Errorf("sim %s %s: status %d, %s", verb, file, got.status, got.err)
			}
		}
	}
}
