//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"balsa/client"
)

// The end-to-end tests run the real binary as real processes on loopback. They know only what a user knows:
// the command line, the HTTP API, and signals.

// eventually polls until a condition holds; real processes have no clock that a test could move.
func eventually(t *testing.T, deadline time.Duration, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > deadline {
			t.Fatalf("not within %v: %s", deadline, what)
		}
	}
}

// build builds the binary once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "balsa.exe")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

func builtBinary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// lastPort is where freePorts goes on. The system hands out ports from 32768 on to every connection that is
// made: a node that is down for a moment would find its own taken by a client of another. Where to begin
// depends on the process, so that two runs beside each other seldom meet.
var lastPort atomic.Int64

// freePorts finds the first of n neighbouring ports that nobody listens on, and that no earlier call has
// named.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	const lowest, all = 10_000, 22_000
	lastPort.CompareAndSwap(0, int64(os.Getpid()*64%all))
	for range all / n {
		first := lowest + int(lastPort.Add(int64(n))-int64(n))%(all-n)
		if listening(first, n) == 0 {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

// output collects what a process prints, and can be read while it does.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is one run of the binary.
type process struct {
	t        *testing.T
	command  *exec.Cmd
	stdin    io.Closer // however the test ends, the pipe closes, and a supervised process stops
	out, err *output
	ended    chan struct{}
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startProgram(t, builtBinary(t), args...)
}

func startProgram(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(program, args...), out: &output{}, err: &output{},
		ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.out, p.err
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.command.Wait(); close(p.ended) }()
	t.Cleanup(p.kill)
	return p
}

func (p *process) signal(s os.Signal) { _ = p.command.Process.Signal(s) }

// kill ends the process as a power cut would, and returns when it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	_ = p.stdin.Close() // what it has started may hold its output, and is supervised
	<-p.ended
}

// status waits for the process to end by itself.
func (p *process) status(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("%v runs after %v\n%s", p.command.Args[1:], within, p.err)
	}
	return -1
}

// trio is three nodes, their directories, and what was acknowledged.
type trio struct {
	t         *testing.T
	dir       string
	raft      []int
	http      []int
	nodes     [3]*process
	endpoints []string
	client    *client.Client
	flags     []string  // of every node, beyond the usual
	programs  [3]string // that the nodes run

	mu    sync.Mutex
	acked map[string]string
}

func newTrio(t *testing.T, flags ...string) *trio {
	t.Helper()
	return newTrioOf(t, builtBinary(t), flags...)
}

func newTrioOf(t *testing.T, program string, flags ...string) *trio {
	t.Helper()
	first := freePorts(t, 6)
	c := &trio{t: t, dir: t.TempDir(), flags: flags, acked: map[string]string{}}
	for port := first; port < first+3; port++ {
		c.raft, c.http = append(c.raft, port), append(c.http, port+3)
	}
	for _, port := range c.http {
		c.endpoints = append(c.endpoints, "http://"+loopback(port))
	}
	c.client = c.newClient()
	for n := range c.nodes {
		c.programs[n] = program
		c.start(n)
	}
	return c
}

func (c *trio) newClient() *client.Client {
	made, err := client.New(c.endpoints)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(made.Close)
	return made
}

// arguments is the command line of node n, counted from 0.
func (c *trio) arguments(n int) []string {
	peers := fmt.Sprintf("1=%s,2=%s,3=%s", loopback(c.raft[0]), loopback(c.raft[1]), loopback(c.raft[2]))
	return append([]string{"serve", "--id", fmt.Sprint(n + 1),
		"--data", filepath.Join(c.dir, fmt.Sprint(n+1)), "--raft", loopback(c.raft[n]),
		"--http", loopback(c.http[n]), "--peers", peers, "--supervised"}, c.flags...)
}

// start starts a node and returns when it says that it is ready.
func (c *trio) start(n int) {
	c.t.Helper()
	c.nodes[n] = startProgram(c.t, c.programs[n], c.arguments(n)...)
	ready := fmt.Sprintf("ready: node %d, raft %s, http %s\n", n+1, loopback(c.raft[n]), loopback(c.http[n]))
	eventually(c.t, 5*time.Second, ready+c.nodes[n].err.String(), func() bool {
		return c.nodes[n].out.String() == ready
	})
}

// leader returns which node leads, counted from 0, once a node says so and the others agree.
func (c *trio) leader() (leader int) {
	c.t.Helper()
	eventually(c.t, 5*time.Second, "a leader that all nodes know", func() bool {
		leader = agreed(askAll(c.t.Context(), c.client)) - 1
		return leader >= 0
	})
	return leader
}

// put writes, and remembers the write if it was acknowledged.
func (c *trio) put(by *client.Client, key, value string) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	_, err := by.Put(ctx, key, []byte(value))
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.acked[key] = value
	}
	return err
}

// readAll reads everything that was acknowledged from the leader.
func (c *trio) readAll() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, value := range c.acked {
		item, err := c.client.Get(c.t.Context(), key)
		if err != nil || string(item.Value) != value {
			c.t.Fatalf("of %d acknowledged writes %s=%s is read as %q, %v", len(c.acked), key, value,
				item.Value, err)
		}
	}
	c.t.Logf("all of %d acknowledged writes are there", len(c.acked))
}

// logLines counts the lines of a node's log that contain a text, whichever run printed them.
func logLines(log, text string) (n int) {
	for lines := bufio.NewScanner(strings.NewReader(log)); lines.Scan(); {
		if strings.Contains(lines.Text(), text) {
			n++
		}
	}
	return n
}
