//go:build e2e

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// instruction is a command line of a document, and whether the document shows it refused.
type instruction struct {
	line    string
	refused bool
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
			}
		}
	}
	return found
}

// Every command of the quick start works as it stands, in the order in which it stands. Only the ports are
// others; who leads is drawn by lot, so what is asked too early is asked again.
func TestE2EQuickstart(t *testing.T) {
	all := instructions(t, filepath.Join("..", "..", "docs", "quickstart.md"))
	if len(all) < 20 || all[0].line != "go build -o bin/balsa ./cmd/balsa" {
		t.Fatalf("%d commands, the first is %q", len(all), all[0].line)
	}
	s := newShell(t)
	if err := os.Mkdir("bin", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(builtBinary(t), filepath.Join("bin", "balsa")); err != nil {
		t.Fatal(err)
	}
	var ports []string
	for n := range 3 {
		ports = append(ports, fmt.Sprint("127.0.0.1:", 8001+n), loopback(s.ports+n))
	}
	for _, i := range all[1:] {
		line := strings.NewReplacer(ports...).Replace(i.line)
		out, failure := "", ""
		eventually(t, 15*time.Second, line, func() bool {
			var status int
			status, out, failure = s.run("sh", "-c", line)
			return status != exitUsage && (status != exitOK) == i.refused
		})
		t.Logf("$ %s\n%s%s", line, out, failure)
	}
	if _, err := os.Stat(standardData()); !os.IsNotExist(err) {
		t.Errorf("the story ends with data left behind: %v", err)
	}
}
