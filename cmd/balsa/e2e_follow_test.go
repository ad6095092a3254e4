//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// instruction is a command line of a document, the first line that it shows below it, and whether it shows it
// refused.
type instruction struct {
	line, shown string
	refused     bool
}

// instructions reads the lines after a $ in a document's console blocks, with what is printed below them.
func instructions(t *testing.T, path string) (found []instruction) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```console\n(.*?)```")
	for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				found = append(found, instruction{line: command})
			} else if strings.HasPrefix(line, "balsa: ") {
				found[len(found)-1].refused = true
			} else if last := len(found) - 1; last >= 0 && found[last].shown == "" {
				found[last].shown = line
			}
		}
	}
	return found
}

// follow runs every command of a document as it stands, in the order in which it stands. Only the ports are
// others; what is asked too early, as an election takes its time, is asked again. The documents write one
// value, and read it in many places.
func follow(t *testing.T, name string, least int) {
	t.Helper()
	all := instructions(t, filepath.Join("..", "..", "docs", name))
	if len(all) < least || all[0].line != "go build -o bin/balsa ./cmd/balsa" {
		t.Fatalf("%d commands, the first is %q", len(all), all[0].line)
	}
	s := newShell(t)
	must(t, os.Mkdir("bin", 0o700))
	must(t, os.Symlink(builtBinary(t), filepath.Join("bin", "balsa")))
	t.Cleanup(killNoted)
	var ports []string
	for n := range shellNodes {
		ports = append(ports, loopback(8001+n), loopback(s.ports+n), loopback(7001+n), loopback(s.raft(n)))
	}
	for _, i := range all[1:] {
		line := strings.NewReplacer(ports...).Replace(i.line)
		out, failure := "", ""
		eventually(t, 30*time.Second, line, func() bool {
			var status int
			status, out, failure = s.run("sh", "-c", line)
			return status != exitUsage && (status != exitOK) == i.refused
		})
		t.Logf("$ %s\n%s%s", line, out, failure)
		if strings.HasPrefix(line, "bin/balsa get greeting --endpoints") && !i.refused &&
			strings.TrimSpace(out) != i.shown {
			t.Errorf("%s: %q, and %q is shown", line, out, i.shown)
		}
		if noted, kills := strings.CutPrefix(line, "kill $(cat "); kills {
			for _, file := range strings.Fields(strings.TrimSuffix(noted, ")")) {
				_ = os.Remove(file) // a later failure must not kill whoever has that number then
			}
		}
	}
}

// killNoted ends what a failure leaves running: the documents note the numbers of processes in files.
func killNoted() {
	files, _ := filepath.Glob("*.pid")
	for _, file := range files {
		if pid, err := os.ReadFile(file); err == nil {
			_ = exec.Command("kill", "-9", strings.TrimSpace(string(pid))).Run()
		}
	}
}
