//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"balsa/client"
)

// shell is a person at a terminal, in a directory of their own, with ports of their own.
type shell struct {
	t         *testing.T
	ports     int // for the clients of each of shellNodes, then for their peers
	endpoints []string
	env       []string
	client    *client.Client
}

// shellNodes is for how many nodes there are ports: three, and those that join them.
const shellNodes = 5

// raft is the port for peers of a node, counted from 0.
func (s *shell) raft(n int) int { return s.ports + shellNodes + n }

// newShell goes to a fresh directory. What runs there at the end is stopped.
func newShell(t *testing.T) *shell {
	t.Helper()
	builtBinary(t) // is built where the sources are
	s := &shell{t: t, ports: freePorts(t, 2*shellNodes)}
	t.Chdir(t.TempDir())
	for n := range 3 {
		s.endpoints = append(s.endpoints, "http://"+loopback(s.ports+n))
	}
	s.env = append(os.Environ(), fmt.Sprintf("BALSA_HTTP_PORT=%d", s.ports),
		fmt.Sprintf("BALSA_RAFT_PORT=%d", s.raft(0)), "BALSA_ENDPOINTS="+strings.Join(s.endpoints, ","))
	made, err := client.New(s.endpoints)
	if err != nil {
		t.Fatal(err)
	}
	s.client = made
	t.Cleanup(func() { made.Close(); _, _, _ = s.run(builtBinary(t), "cluster", "stop") })
	return s
}

// run runs a command line to its end.
func (s *shell) run(program string, args ...string) (status int, out, err string) {
	var stdout, stderr bytes.Buffer
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr, command.Env = &stdout, &stderr, s.env
	failure := command.Run()
	if exited := (*exec.ExitError)(nil); failure != nil && !errors.As(failure, &exited) {
		s.t.Fatal(failure)
	}
	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// balsa runs a command line that must succeed and returns what it prints.
func (s *shell) balsa(line string) string {
	s.t.Helper()
	status, out, err := s.run(builtBinary(s.t), strings.Fields(line)...)
	if status != exitOK {
		s.t.Fatalf("balsa %s: status %d\n%s%s", line, status, out, err)
	}
	return out
}

// says runs a command line that must succeed and print this.
func (s *shell) says(line, want string) {
	s.t.Helper()
	if out := s.balsa(line); strings.TrimSpace(out) != want {
		s.t.Errorf("balsa %s: %q, want %q", line, out, want)
	}
}

// leader waits until as many nodes answer and all name the same leader, other than one that is gone.
func (s *shell) leader(running, gone int) (leader int) {
	s.t.Helper()
	eventually(s.t, 10*time.Second, "a leader", func() bool {
		var up []report
		for _, r := range askAll(s.t.Context(), s.client) {
			if r.Status != nil {
				up = append(up, r)
			}
		}
		leader = agreed(up)
		return leader != 0 && leader != gone && len(up) == running
	})
	return leader
}

// states are the nodes' processes as cluster status shows them.
func (s *shell) states() string {
	s.t.Helper()
	var shown struct {
		Members []struct {
			State string
		}
	}
	if err := json.Unmarshal([]byte(s.balsa("cluster status -o json")), &shown); err != nil {
		s.t.Fatal(err)
	}
	var states []string
	for _, m := range shown.Members {
		states = append(states, m.State)
	}
	return strings.Join(states, " ")
}

// applied waits until a node has come to what another one has committed.
func (s *shell) caughtUp(node, to int) {
	s.t.Helper()
	eventually(s.t, 10*time.Second, fmt.Sprintf("node %d catches up", node), func() bool {
		all := askAll(s.t.Context(), s.client)
		behind, ahead := all[node-1].Status, all[to-1].Status
		return behind != nil && ahead != nil && behind.Applied == ahead.Commit && behind.Leader != 0
	})
}

// leads reports whether a node other than that one leads.
func (s *shell) leads(other int) bool {
	for i, r := range askAll(s.t.Context(), s.client) {
		if r.Status != nil && i != other-1 && r.Status.Role == "leader" {
			return true
		}
	}
	return false
}

func other(n int) int { return n%3 + 1 }

// The whole story: start, write, kill the leader, write, start it, watch it catch up in the logs, pause one,
// part them, heal, stop, clean.
func TestE2EClusterStory(t *testing.T) {
	s := newShell(t)
	if out := s.balsa("cluster start"); !strings.Contains(out, "ready: 3 nodes run in the background") {
		t.Errorf("start prints %s", out)
	}
	s.says("cluster start", "every node runs already")
	s.balsa("put greeting hello")

	dead := s.leader(3, 0)
	s.says(fmt.Sprint("cluster kill ", dead), fmt.Sprintf("node %d killed", dead))
	s.says(fmt.Sprint("cluster kill ", dead), fmt.Sprintf("node %d is not running", dead))
	second := s.leader(2, dead)
	s.balsa("put greeting again")
	s.says("get greeting", "again")

	s.says(fmt.Sprint("cluster start n", dead), fmt.Sprintf("node %d started", dead))
	s.says(fmt.Sprint("cluster start ", dead), fmt.Sprintf("node %d runs already", dead))
	s.caughtUp(dead, second)
	logs := s.balsa(fmt.Sprint("cluster logs --tail 100 ", dead))
	for _, words := range []string{"Became LEADER", "Follows", "Appended entry", "Committed entry"} {
		if !strings.Contains(logs, words) {
			t.Errorf("the log of node %d has no line %q:\n%s", dead, words, logs)
		}
	}

	s.says(fmt.Sprint("cluster pause ", dead), fmt.Sprintf("node %d paused", dead))
	s.balsa("put greeting meanwhile --endpoints " + s.endpoints[second-1]) // not to the one that is silent
	if states := s.states(); strings.Count(states, "paused") != 1 {
		t.Errorf("with node %d paused: %s", dead, states)
	}
	s.says(fmt.Sprint("cluster resume ", dead), fmt.Sprintf("node %d resumed", dead))
	s.caughtUp(dead, second)

	leader := s.leader(3, 0)
	s.balsa(fmt.Sprint("cluster partition ", leader))
	eventually(t, 10*time.Second, "the others elect a leader", func() bool { return s.leads(leader) })
	s.balsa("put greeting parted")
	s.balsa("cluster heal")
	s.caughtUp(leader, other(leader))
	s.says("get greeting", "parted")

	s.says("cluster stop", "stopped; the data stays in "+standardData())
	if left := listening(s.ports, 2*shellNodes); left != 0 {
		t.Errorf("%d ports are in use after stop", left)
	}
	s.balsa("cluster start")
	s.says("get greeting", "parted")
	if status, _, err := s.run(builtBinary(t), "cluster", "clean"); status != exitError ||
		!strings.Contains(err, "stop it first") {
		t.Errorf("clean of a cluster that runs: status %d, %s", status, err)
	}
	s.balsa("cluster stop")
	s.says("cluster clean", "removed the cluster in "+standardData())
	if _, err := os.Stat(standardData()); !os.IsNotExist(err) {
		t.Errorf("clean left %v", err)
	}
}

// The supervisor is killed, with a node running and one paused: nothing of it is left, and the next start
// works. So does one whose ports are taken, which says which.
func TestE2ETheSupervisorIsKilled(t *testing.T) {
	s := newShell(t)
	s.balsa("cluster start")
	s.balsa("put key value")
	s.balsa("cluster pause 2")
	known, err := readNote(standardData())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(known.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "all nodes are gone, the paused one too", func() bool {
		return listening(s.ports, 2*shellNodes) == 0
	})
	if status, _, err := s.run(builtBinary(t), "cluster", "status"); status != exitUnavailable {
		t.Errorf("status %d, %s", status, err)
	}
	s.says("cluster stop", "no cluster runs with the data in "+standardData())
	s.balsa("dev --detach")
	s.says("get key", "value")
	status, _, text := s.run(builtBinary(t), "dev", "--data", "another")
	if status != exitError || !strings.Contains(text, fmt.Sprintf("port %d, %d", s.ports, s.raft(0))) {
		t.Errorf("ports in use: status %d, %s", status, text)
	}
	status, _, text = s.run(builtBinary(t), "dev")
	if status != exitError || !strings.Contains(text, "stop it first, with balsa cluster stop") {
		t.Errorf("dev over a cluster that runs: status %d, %s", status, text)
	}
}

// A node that cannot start says why and is not called started; others are, and go on.
func TestE2EAPortIsTakenMeanwhile(t *testing.T) {
	s := newShell(t)
	s.balsa("cluster start")
	s.balsa("cluster kill 2 3")
	squatter := start(t, "serve", "--id", "1", "--data", "squatter", "--http", loopback(s.ports+2), "--raft",
		"127.0.0.1:0", "--peers", "1=127.0.0.1:0")
	eventually(t, 5*time.Second, "the port is taken", func() bool { return squatter.out.String() != "" })
	status, out, err := s.run(builtBinary(t), "cluster", "start", "3", "2")
	taken := loopback(s.ports+2) + " is in use by another program"
	if status != exitError || out != "node 2 started\n" || !strings.Contains(err, taken) ||
		strings.Count(err, "\n") != 1 {
		t.Errorf("status %d, %s%s", status, out, err)
	}
	squatter.kill()
	s.says("cluster start", "node 3 started")
	s.says("cluster resume 3", "node 3 is not paused")
}

// run_cluster.sh keeps the verbs of old.
func TestE2ERunCluster(t *testing.T) {
	script, err := filepath.Abs(filepath.Join("..", "..", "run_cluster.sh"))
	if err != nil {
		t.Fatal(err)
	}
	s := newShell(t)
	dir, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "BALSA_BIN="+builtBinary(t), "BALSA_DATA="+dir)
	verb := func(want string, args ...string) {
		t.Helper()
		if status, out, err := s.run(script, args...); status != exitOK || !strings.Contains(out, want) {
			t.Errorf("run_cluster.sh %v: status %d, %s%s, want %q", args, status, out, err, want)
		}
	}
	verb("ready: 3 nodes", "start")
	verb("node 2 killed", "killnode", "2")
	verb("2     stopped", "status")
	verb("node 2 started", "startnode", "2")
	watching := exec.Command(script, "watchlogs")
	watching.Env = s.env
	seen := &output{}
	watching.Stdout = seen
	if err := watching.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "watchlogs shows every node", func() bool {
		return strings.Contains(seen.String(), "[NODE 1] ") && strings.Contains(seen.String(), "[NODE 2] ") &&
			strings.Contains(seen.String(), "[NODE 3] ")
	})
	_ = watching.Process.Kill()
	_ = watching.Wait() // the script has become balsa: nobody else holds its output
	verb("stopped; ", "stop")
	verb("removed the cluster", "clean")
	if status, _, err := s.run(script, "frobnicate"); status != exitUsage ||
		!strings.Contains(err, "usage: ") {
		t.Errorf("an unknown verb: status %d, %s", status, err)
	}
}
