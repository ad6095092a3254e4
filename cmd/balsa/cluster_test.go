package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balsa/client"
)

// Mistakes of the verbs of cluster are sentences too.
func TestMistakesOfClusterVerbs(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"strat", `unknown verb "strat": did you mean start? See balsa help cluster`},
		{"frobnicate", `unknown verb "frobnicate": see balsa help cluster`},
		{"kill", "write balsa cluster kill N...: see balsa help cluster kill"},
		{"kill x", `"x" is no id: ids are whole numbers from 1 on`},
		{"replace", "write balsa cluster replace N: see balsa help cluster replace"},
		{"replace 10", "there is no node 10: a cluster on one machine has at most 9"},
		{"add 4", `balsa cluster add takes no arguments, but there is "4": see balsa help cluster add`},
		{"start 10", "there is no node 10: a cluster on one machine has at most 9"},
		{"start --nodes 0", "--nodes is 0: choose 1 to 9"},
		{"status -o xml", `-o is "xml": write table, json or plain`},
		{"logs --tail -1", "--tail is -1: give the number of lines for each node, 0 or more"},
		{"partition", "a side is empty: write the sides with a slash between them, as in " +
			"balsa cluster partition 1 / 2 3"},
		{"partition 1 /", "a side is empty: write the sides with a slash between them, as in " +
			"balsa cluster partition 1 / 2 3"},
	} {
		t.Chdir(t.TempDir())
		if strings.HasPrefix(c.args, "logs") {
			leaveNote(t, note{Plan: plan{data: standardData(), Nodes: 3}})
		}
		got := command(t, "", append([]string{"cluster"}, strings.Fields(c.args)...)...)
		if got.status != exitUsage || got.err != "balsa: "+c.want+"\n" {
			t.Errorf("cluster %s: status %d, stderr %q", c.args, got.status, got.err)
		}
	}
}

func leaveNote(t *testing.T, n note) {
	t.Helper()
	if err := os.MkdirAll(n.Plan.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := n.write(); err != nil {
		t.Fatal(err)
	}
}

// Verbs on a cluster that does not run say so, whatever a supervisor that died has left behind: nothing, a
// note from before the reboot, or one whose port belongs to another program by now.
func TestNoClusterRuns(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"run":"another","members":[]}`)
	}))
	defer stranger.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = silent.Close()
	p := plan{data: standardData(), Nodes: 3, HTTPPort: 8001, RaftPort: 7001, LogLevel: "info"}
	for name, left := range map[string]*note{
		"nothing": nil,
		"stopped": {Plan: p},
		"stale":   {Plan: p, PID: os.Getpid(), Control: silent.Addr().String(), Run: "r", Token: "t"},
		"a stranger": {Plan: p, PID: os.Getpid(), Control: stranger.Listener.Addr().String(), Run: "r",
			Token: "t"},
		"no address":  {Plan: p, PID: os.Getpid(), Control: "\x00", Run: "r", Token: "t"},
		"one of ours": {Plan: p, PID: 1, Control: silent.Addr().String(), Run: "r", Token: "t"},
	} {
		t.Chdir(t.TempDir())
		if left != nil {
			leaveNote(t, *left)
		}
		want := "balsa: no cluster runs with the data in " + p.data + ": balsa cluster start starts it\n"
		for _, verb := range []string{"status", "kill 1", "start 2", "pause 1", "resume 3", "partition 1",
			"heal", "add", "replace 2"} {
			got := command(t, "", append([]string{"cluster"}, strings.Fields(verb)...)...)
			if got.status != exitUnavailable || got.err != want {
				t.Errorf("%s: cluster %s: status %d, stderr %q", name, verb, got.status, got.err)
			}
		}
		if got := command(t, "", "cluster", "stop"); got.status != exitOK ||
			got.out != "no cluster runs with the data in "+p.data+"\n" {
			t.Errorf("%s: cluster stop: %+v", name, got)
		}
	}
}

// A note that is none is not touched, and nothing else in its directory.
func TestAForeignNote(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("cluster.json", []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"start", "stop", "status", "clean", "logs"} {
		got := command(t, "", "cluster", verb, "--data", ".")
		if got.status != exitError ||
			got.err != "balsa: cluster.json is no note of a balsa cluster: "+
				"name another --data, or remove it\n" {
			t.Errorf("cluster %s: status %d, stderr %q", verb, got.status, got.err)
		}
	}
}

// A cluster is founded with its nodes and their ports; other ones are another cluster.
func TestAnotherPlanIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	leaveNote(t, note{Plan: plan{data: standardData(), Nodes: 5, HTTPPort: 8001, RaftPort: 7101}})
	for _, args := range []string{"cluster start --nodes 3", "dev --raft-port 7001",
		"dev --detach --nodes 1"} {
		got := command(t, "", strings.Fields(args)...)
		if got.status != exitError ||
			!strings.Contains(got.err, "holds a cluster of 5 nodes with --raft-port 7101: ") {
			t.Errorf("%s: status %d, stderr %q", args, got.status, got.err)
		}
	}
}

// clean removes what the cluster made and nothing else, and only when there was a cluster.
func TestCleanRemovesOnlyItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := command(t, "", "cluster", "clean"); got.out != "there is no cluster in "+standardData()+"\n" {
		t.Errorf("%+v", got)
	}
	leaveNote(t, note{Plan: plan{data: "data", Nodes: 2}})
	for _, path := range []string{"1/0000000001.wal", "2/lock", "3/mine", "logs/node-1.log", "logs/mine"} {
		path = filepath.Join("data", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := claim("data")
	if err != nil {
		t.Fatal(err)
	}
	got := command(t, "", "cluster", "clean", "--data", "data")
	if got.status != exitError ||
		!strings.Contains(got.err, "stop it first, with balsa cluster stop --data data") {
		t.Errorf("a cluster that runs: %+v", got)
	}
	_ = lock.Close()
	if got := command(t, "", "cluster", "clean", "--data", "data"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	var left []string
	_ = filepath.WalkDir("data", func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() {
			left = append(left, filepath.ToSlash(path))
		}
		return nil
	})
	if got := strings.Join(left, " "); got != "data/3/mine data/lock data/logs/mine" {
		t.Errorf("left are %s", got)
	}
}

// Logs are merged by their times, each node in its colour; what tells no time stays with the line before it.
func TestLogsAreMerged(t *testing.T) {
	t.Chdir(t.TempDir())
	leaveNote(t, note{Plan: plan{data: standardData(), Nodes: 3}})
	for id, text := range map[int]string{
		1: "[NODE 1] ready: early\n[NODE 1] 10:00:01.000 INF a\n[NODE 1]   more\n" +
			"[NODE 1] 10:00:04.000 INF d\n",
		2: "[NODE 2] 10:00:02.000 INF b\n[NODE 2] 10:00:03.000 INF c\n[NODE 2] not finished",
	} {
		l, err := openLog(standardData(), id)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = l.Write([]byte(text))
		l.close()
	}
	for args, want := range map[string]string{
		"": "[NODE 1] ready: early|[NODE 1] 10:00:01.000 INF a|[NODE 1]   more|[NODE 2] 10:00:02.000 INF b|" +
			"[NODE 2] 10:00:03.000 INF c|[NODE 1] 10:00:04.000 INF d|",
		"n2":                              "[NODE 2] 10:00:02.000 INF b|[NODE 2] 10:00:03.000 INF c|",
		"--tail 1":                        "[NODE 2] 10:00:03.000 INF c|[NODE 1] 10:00:04.000 INF d|",
		"2 --tail 1 --color always":       "\x1b[33m[NODE 2] \x1b[0m10:00:03.000 INF c|",
		"--tail 0":                        "",
		"3 --data " + standardData() + "": "",
	} {
		got := command(t, "", append([]string{"cluster", "logs"}, strings.Fields(args)...)...)
		if text := strings.ReplaceAll(got.out, "\n", "|"); got.status != exitOK || text != want {
			t.Errorf("logs %s: %q, want %q, stderr %q", args, text, want, got.err)
		}
	}
}

// A log that is full becomes the old one, and whoever follows it goes on with the new one.
func TestAFullLogIsReplaced(t *testing.T) {
	dir := t.TempDir()
	l, err := openLog(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	reader := &followed{id: 1, path: logPath(dir, 1)}
	defer reader.close()
	var got []string
	line := append(bytes.Repeat([]byte("x"), maxLog/3), '\n')
	for range 4 {
		_, _ = l.Write(line)
		for range 2 { // the first reads the rest of the old one, the second the new one
			lines, err := reader.more()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, lines...)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d lines were read, 4 were written", len(got))
	}
	for path, most := range map[string]int64{logPath(dir, 1): maxLog, oldLog(logPath(dir, 1)): maxLog} {
		if info, err := os.Stat(path); err != nil || info.Size() > most {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// The status stands below the last line, and is gone when there is none.
func TestTheStatusStandsBelow(t *testing.T) {
	var out bytes.Buffer
	s := &screen{to: &out}
	_, _ = s.Write([]byte("one\n"))
	s.show("status")
	s.show("status") // nothing changed: nothing is drawn
	_, _ = s.Write([]byte("two\n"))
	s.show("")
	_, _ = s.Write([]byte("three\n"))
	shown := eraseLine + clipped + "status" + wrapped
	want := "one\n" + shown + eraseLine + "two\n" + clipped + "status" + wrapped + eraseLine + "three\n"
	if out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
	l := &lines{console: &console{color: "never", err: &out}}
	line := l.statusLine(outcome{Members: []memberState{{ID: 1, State: "paused"}, {ID: 2, State: "stopped"}},
		Cut: []way{{1, 2}}}, make([]report, 2))
	if line != "1 paused | 2 stopped | parted" {
		t.Errorf("%q", line)
	}
}

// A cluster has a leader when every member names it. Who is no member is not asked, and who does not answer
// may be one.
func TestWhoAgreesOnTheLeader(t *testing.T) {
	says := func(standing string, leader uint64) report {
		s := &client.Status{Leader: leader}
		s.Standing = standing
		return report{Status: s}
	}
	two, none, removed := says(client.RoleVoter, 2), says(client.RoleVoter, 0), says("outsider", 0)
	for want, reports := range map[int][]report{2: {two, removed, two, says(client.RoleLearner, 2)},
		0: {two, none, removed}} {
		if got := agreed(reports); got != want {
			t.Errorf("%d leads, want %d", got, want)
		}
	}
	for _, reports := range [][]report{{two, says(client.RoleVoter, 3)}, {two, {}}, {removed}, {}} {
		if got := agreed(reports); got != 0 {
			t.Errorf("%d leads", got)
		}
	}
}
