package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// serving is a node of serve in this process: a cluster of one, which is its own majority.
type serving struct {
	endpoint string
	stop     func() result // stops the node; without stdout
}

var readyLine = regexp.MustCompile(`^ready: node 1, raft \S+, http (\S+:[1-9]\d*)\n$`)

// startServing runs serve until stop is called, and returns once it has printed that it is ready.
func startServing(t *testing.T, data string, flags ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan result, 1)
	go func() {
		var logs bytes.Buffer
		args := serveArgs("--data", data, "--raft", "127.0.0.1:0", "--http", "localhost:0", "--peers",
			"1=127.0.0.1:0")
		status := run(ctx, append(args, flags...),
			&console{in: strings.NewReader(""), out: write, err: &logs})
		_ = write.Close()
		ended <- result{status: status, err: logs.String()}
	}()
	line := make([]byte, 200)
	n, _ := read.Read(line)
	go func() { _, _ = io.Copy(io.Discard, read) }()
	s := &serving{stop: func() result { cancel(); return <-ended }}
	match := readyLine.FindSubmatch(line[:n])
	if match == nil {
		t.Fatalf("got %q and then %+v", line[:n], s.stop())
	}
	s.endpoint = "http://" + string(match[1])
	return s
}

// The verbs of a client against a real node, and the node through its whole life.
func TestVerbs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", []byte("\x00\xff bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	node := startServing(t, "data")
	defer http.DefaultClient.CloseIdleConnections()
	node.carryOut(t, []verb{
		{"", "get greeting", result{exitNotFound, "", "balsa: .*key_not_found.*\n"}},
		{"", "put greeting hello\u00a0world", result{exitOK, `\d+\n`, ""}},
		{"", "get greeting", result{exitOK, "hello\u00a0world", ""}},
		{"", "get greeting -o json",
			result{exitOK, `(?s){\n  "key": "greeting",\n  "value": "hello.world",.*}\n`, ""}},
		{"", "get greeting -o table",
			result{exitOK, `KEY +VALUE +REVISION +VERSION\n"greeting" +"hello.*world" +\d+ +1\n`, ""}},
		{"", "get greeting --consistency leader --min-revision 2", result{exitOK, "hello\u00a0world", ""}},
		{"", "get greeting --consistency stale --max-stale 10s -o json",
			result{exitOK, `(?s){.*"revision": \d+,\n  "consistency": "stale",\n  "served_by": 1\n}\n`, ""}},
		{"", "put shown x -o json",
			result{exitOK, `{\n  "key": "shown",\n  "revision": \d+,\n  "created": true\n}\n`, ""}},
		{"", "put shown y -o table", result{exitOK, `KEY +REVISION +CREATED\n"shown" +\d+ +false\n`, ""}},
		{"", "del shown -o json",
			result{exitOK, `{\n  "key": "shown",\n  "revision": \d+,\n  "deleted": 1\n}\n`, ""}},
		{"", "put picture @file", result{exitOK, `\d+\n`, ""}},
		{"", "get picture", result{exitOK, "\x00\ufffd bytes", ""}},
		{"", "get picture -o json", result{exitOK, `(?s).*"value_base64": "AP8gYnl0ZXM=".*`, ""}},
		{"from stdin", "put a//b", result{exitOK, `\d+\n`, ""}},
		{"", "get a//b", result{exitOK, "from stdin", ""}},
		{"more", "put .. -", result{exitOK, `\d+\n`, ""}},
		{"", "get ..", result{exitOK, "more", ""}},
		{"", "put nothing @missing",
			result{exitUsage, "", "balsa: open missing: no such file .*: name a file.*\n"}},
		{"", "put key " + strings.Repeat("x", 1<<20+1), result{exitUsage, "", "balsa: .*too_large.*\n"}},
		{"", "put " + strings.Repeat("k", 4097) + " v", result{exitUsage, "", "balsa: .*4096.*\n"}},
		{"", "del greeting", result{exitOK, `1\n`, ""}},
		{"", "del greeting", result{exitOK, `0\n`, ""}},
		{"", "status", result{exitOK, `ENDPOINT +NODE .*\n\S+ +1 +leader +1 +1 +\d+ +\d+ +- +3\n`, ""}},
		{"", "status -o plain", result{exitOK, `\S+\t1\tleader\t1\t1\t\d+\t\d+\t-\t3\t-\n`, ""}},
	})
	if got := node.stop(); got.status != exitOK || !strings.HasPrefix(got.err, "[NODE 1] ") {
		t.Errorf("serve ended with %+v", got)
	}
}

// Counters, keys that go away by themselves, and snapshots.
func TestCountersAndSnapshots(t *testing.T) {
	t.Chdir(t.TempDir())
	node := startServing(t, "data")
	defer http.DefaultClient.CloseIdleConnections()
	node.carryOut(t, []verb{
		{"", "put short x --ttl 1h", result{exitOK, `\d+\n`, ""}},
		{"", "get short -o json", result{exitOK, `(?s){.*"expires": "20\d\d-.*Z"\n}\n`, ""}},
		{"", "put short x --ttl 0s", result{exitUsage, "", "balsa: --ttl is 0s.*\n"}},
		{"", "del short", result{exitOK, `1\n`, ""}},
		{"", "incr n", result{exitOK, `1\n`, ""}},
		{"", "incr n --by -3 -o json", result{exitOK,
			`{\n  "key": "n",\n  "revision": \d+,\n  "created": false,\n  "value": -2\n}\n`, ""}},
		{"", "incr n -o table", result{exitOK, `KEY +REVISION +VALUE\n"n" +\d+ +-1\n`, ""}},
		{"", "put n ten", result{exitOK, `\d+\n`, ""}},
		{"", "incr n", result{exitError, "", "balsa: .*conflict.*not a number.*\n"}},
		{"", "del n", result{exitOK, `1\n`, ""}},
		{"", "snapshot", result{exitOK, `ENDPOINT +SNAPSHOT\n\S+ +\d+\n`, ""}},
		{"", "snapshot -o plain", result{exitOK, `\S+\tnothing new\n`, ""}},
		{"", "put n 1", result{exitOK, `\d+\n`, ""}},
		{"", "snapshot -o json", result{exitOK,
			`\[\n  {\n    "endpoint": "\S+",\n    "index": \d+\n  }\n\]\n`, ""}},
		{"", "del n", result{exitOK, `1\n`, ""}},
	})
	node.stop()
}

// verb is one command line and what it is to print.
type verb struct {
	stdin, args string
	want        result
}

func (s *serving) carryOut(t *testing.T, verbs []verb) {
	t.Helper()
	for _, c := range verbs {
		args := append(strings.Split(c.args, " "), "--endpoints", "127.0.0.1:1,"+s.endpoint)
		if strings.HasPrefix(c.args, "status") || strings.HasPrefix(c.args, "snapshot") {
			args[len(args)-1] = s.endpoint
		}
		got := command(t, c.stdin, args...)
		if got.status != c.want.status || !matches(c.want.out, got.out) || !matches(c.want.err, got.err) {
			t.Errorf("balsa %.40s: status %d, stdout %.200q, stderr %.200q, want %q", c.args, got.status,
				got.out,
				got.err, fmt.Sprint(c.want))
		}
	}
}

func matches(pattern, text string) bool {
	return regexp.MustCompile("^" + pattern + "$").MatchString(text)
}

// What was written is there after a restart, without a new write, and without --peers, which only found the
// cluster.
func TestARestartFindsEverything(t *testing.T) {
	t.Chdir(t.TempDir())
	node := startServing(t, "data")
	if got := command(t, "", "put", "k", "v", "--endpoints", node.endpoint); got.status != exitOK {
		t.Errorf("put: %+v", got)
	}
	if got := node.stop(); got.status != exitOK {
		t.Errorf("serve ended with %+v", got)
	}
	node = startServing(t, "data")
	if got := command(t, "", "get", "k", "--endpoints", node.endpoint); got.out != "v" {
		t.Errorf("get after the restart: %+v", got)
	}
	node.stop()
}

// A node is refused what is another's: its directory while it runs, and a directory of another id or cluster.
func TestForeignDirectories(t *testing.T) {
	t.Chdir(t.TempDir())
	node := startServing(t, "data")
	again := []string{"--http", "localhost:0", "--raft", "127.0.0.1:0", "--peers", "1=127.0.0.1:0", "--data",
		"data"}
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{again, "in use by another process"},
	} {
		if got := command(t, "",
			serveArgs(c.flags...)...); got.status != exitError || !strings.Contains(got.err, c.want) {
			t.Errorf("serve %v: %+v", c.flags, got)
		}
	}
	node.stop()
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{append(again, "--id", "2", "--peers", "2=127.0.0.1:0"), "belongs to"},
		{append(again, "--cluster", "other"), "belongs to"},
		{append(again, "--peers", "1=127.0.0.1:0,2=127.0.0.1:9"), "belongs to"},
	} {
		if got := command(t, "",
			serveArgs(c.flags...)...); got.status != exitError || !strings.Contains(got.err, c.want) {
			t.Errorf("serve %v: %+v", c.flags, got)
		}
	}
}

// JSON of status is one document that programs can read, whoever answers.
func TestStatusAsJSON(t *testing.T) {
	got := command(t, "", "status", "-o", "json", "--endpoints", "127.0.0.1:1")
	var reports []report
	if err := json.Unmarshal([]byte(got.out),
		&reports); err != nil || len(reports) != 1 || reports[0].Error == "" {
		t.Errorf("%v: %+v", err, got)
	}
	if got.status != exitUnavailable || strings.Count(got.err, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}
