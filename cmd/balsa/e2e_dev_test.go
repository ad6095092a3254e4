//go:build e2e

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"balsa/client"
)

var (
	curlLine    = regexp.MustCompile(`curl -X POST (\S+) -d '([^']*)'`)
	killLine    = regexp.MustCompile(`kill -9 (\d+) +# node (\d)`)
	restartLine = regexp.MustCompile(`node (\d) stopped \(signal: killed\)\. To start it again.*\n  (\S.*)\n`)
)

// What dev prints works as it stands: the write, the kill of the leader, the restart of the node that was
// killed.
func TestE2EDev(t *testing.T) {
	ports := freePorts(t, 6)
	dir := t.TempDir()
	builtBinary(t) // building it is not part of what is measured
	began := time.Now()
	cluster := clientAt(t, ports, 3)
	dev := start(t, "dev", "--data", dir, "--http-port", fmt.Sprint(ports), "--raft-port",
		fmt.Sprint(ports+3))
	eventually(t, 10*time.Second, "dev is ready",
		func() bool { return strings.Contains(dev.out.String(), "Ctrl-C") })
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("dev took %v to be ready", took)
	}
	curl := curlLine.FindStringSubmatch(dev.out.String())
	kill := killLine.FindStringSubmatch(dev.out.String())
	if curl == nil || kill == nil {
		t.Fatalf("dev printed\n%s", dev.out)
	}
	if answer := post(t, "http://"+curl[1], curl[2]); answer != `{"result":"OK"}` {
		t.Errorf("the write that dev prints is answered %s", answer)
	}
	pid, _ := strconv.Atoi(kill[1])
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "dev tells how to start the node again", func() bool {
		return restartLine.MatchString(dev.err.String())
	})
	again := restartLine.FindStringSubmatch(dev.err.String())
	if again[1] != kill[2] {
		t.Errorf("node %s was killed, dev says %s", kill[2], again[1])
	}
	before := logLines(dev.err.String(), "ready: node "+again[1])
	words := strings.Fields(again[2])
	if status := start(t, words[1:]...).status(10 * time.Second); status != exitOK {
		t.Errorf("%s: status %d", again[2], status)
	}
	eventually(t, 5*time.Second, "the restarted node serves, and dev shows its lines", func() bool {
		return logLines(dev.err.String(), "ready: node "+again[1]) > before
	})
	eventually(t, 5*time.Second, "all nodes agree on a leader again", func() bool {
		return agreed(askAll(t.Context(), cluster)) != 0
	})
	eventually(t, 5*time.Second, "it has what was written before", func() bool {
		return get(t, "http://"+strings.Replace(curl[1], "/client/submit", "/client/get/greeting", 1)) != ""
	})
	for n := 1; n <= 3; n++ {
		if !strings.Contains(dev.err.String(), fmt.Sprintf("\n[NODE %d] ", n)) {
			t.Errorf("no line of node %d", n)
		}
	}
	dev.signal(os.Interrupt)
	if status := dev.status(10 * time.Second); status != exitOK {
		t.Errorf("Ctrl-C: status %d\n%s", status, dev.err)
	}
	if left := listening(ports, 6); left != 0 {
		t.Errorf("%d ports are still in use: dev left nodes behind", left)
	}
}

// Whoever kills dev, and does not ask it, leaves no orphans either. An ephemeral dev, asked, leaves no files.
func TestE2EDevLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		ports := freePorts(t, 6)
		dev := start(t, "dev", "--ephemeral", "--http-port", fmt.Sprint(ports), "--raft-port",
			fmt.Sprint(ports+3))
		eventually(t, 10*time.Second, "dev is ready",
			func() bool { return strings.Contains(dev.out.String(), "Ctrl-C") })
		if s == syscall.SIGTERM {
			refused := start(t, "dev", "--ephemeral", "--http-port", fmt.Sprint(ports), "--raft-port",
				fmt.Sprint(ports+3))
			if status := refused.status(5 * time.Second); status != exitError ||
				logLines(refused.err.String(), "in use") != 1 {
				t.Errorf("a second dev: status %d, %s", status, refused.err)
			}
		}
		dev.signal(s)
		<-dev.ended
		eventually(t, 5*time.Second, "all nodes are gone", func() bool { return listening(ports, 6) == 0 })
		if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"),
			"balsa-dev-*")); s == syscall.SIGTERM && left != nil {
			t.Errorf("files are left behind: %v", left)
		}
	}
}

// A dev over a directory that holds another cluster says so and ends.
func TestE2EDevOverAnotherCluster(t *testing.T) {
	dir := t.TempDir()
	for _, nodes := range []int{1, 3} {
		ports := freePorts(t, 6)
		dev := start(t, "dev", "--nodes", fmt.Sprint(nodes), "--data", dir, "--http-port", fmt.Sprint(ports),
			"--raft-port", fmt.Sprint(ports+3))
		if nodes == 1 {
			eventually(t, 10*time.Second, "ready",
				func() bool { return strings.Contains(dev.out.String(), "Ctrl-C") })
			dev.signal(os.Interrupt)
			dev.status(10 * time.Second)
			continue
		}
		if status := dev.status(10 * time.Second); status != exitError ||
			!strings.Contains(dev.err.String(),
				"holds a cluster of 1 node with --raft-port") {
			t.Errorf("status %d\n%s", status, dev.err)
		}
	}
}

// clientAt makes a client of the nodes at n neighbouring ports.
func clientAt(t *testing.T, first, n int) *client.Client {
	t.Helper()
	var urls []string
	for port := first; port < first+n; port++ {
		urls = append(urls, "http://"+loopback(port))
	}
	c, err := client.New(urls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// listening counts the ports that cannot be had.
func listening(first, n int) (taken int) {
	for port := first; port < first+n; port++ {
		if probe(loopback(port)) != nil {
			taken++
		}
	}
	return taken
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	response, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return readBody(response)
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		return ""
	}
	if body := readBody(response); response.StatusCode == http.StatusOK {
		return body
	}
	return ""
}

func readBody(r *http.Response) string {
	defer http.DefaultClient.CloseIdleConnections()
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	return strings.TrimSpace(string(body))
}
