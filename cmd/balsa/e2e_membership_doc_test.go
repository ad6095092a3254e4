//go:build e2e

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every command of docs/membership.md works as it stands, in the order in which it stands, with other ports.
func TestE2EMembersAsDocumented(t *testing.T) {
	all := instructions(t, filepath.Join("..", "..", "docs", "membership.md"))
	if len(all) < 15 {
		t.Fatalf("only %d commands", len(all))
	}
	s := newShell(t)
	another := freePorts(t, 2)
	if err := os.Mkdir("bin", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(builtBinary(t), filepath.Join("bin", "balsa")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // what a failure leaves running
		for _, node := range []string{"node3.pid", "node4.pid"} {
			if pid, err := os.ReadFile(node); err == nil {
				_ = exec.Command("kill", "-9", strings.TrimSpace(string(pid))).Run()
			}
		}
	})
	ports := []string{"127.0.0.1:8004", loopback(another), "127.0.0.1:7004", loopback(another + 1)}
	for n := range 3 {
		ports = append(ports, fmt.Sprint("127.0.0.1:", 8001+n), loopback(s.ports+n),
			fmt.Sprint("127.0.0.1:", 7001+n), loopback(s.ports+3+n))
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
		if strings.HasPrefix(line, "kill ") { // a later failure must not kill whoever has that number then
			_ = os.Remove(strings.TrimSuffix(strings.TrimPrefix(line, "kill $(cat "), ")"))
		}
	}
}
