package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"balsa/client"
)

// child is one node that runs as a process of its own.
type child struct {
	id      int
	again   []string // the arguments that start it again
	command *exec.Cmd
	stdin   io.Closer     // closing it tells the child to stop, and so does our own death
	ended   chan struct{} // closed when the process is gone
}

// members are the processes of one dev, in the order of their ids.
type members struct {
	children []*child
	gone     chan *child // each child, when its process is gone; there is room for all
	cluster  *client.Client
	lines    *lines
}

// startChild starts a node as a process. Its standard input is a pipe that only we hold: however we end, the
// pipe closes, and the child stops. So there are no orphans, on any system.
func (m *members) startChild(program string, id int, arguments []string) error {
	command := exec.Command(program, append(slices.Clone(arguments), "--supervised")...)
	out := m.lines.of(id)
	command.Stdout, command.Stderr = out, out
	stdin, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	c := &child{id: id, again: arguments, command: command, stdin: stdin, ended: make(chan struct{})}
	m.children = append(m.children, c)
	go func() {
		_ = command.Wait() // ProcessState says how it ended
		out.flush()
		close(c.ended)
		m.gone <- c
	}()
	return nil
}

// stopTimeout is how long a node may take to stop before it is killed. It stops in milliseconds unless its
// disk hangs.
const stopTimeout = 5 * time.Second

// stop ends all of them, and returns when they are gone: politely at first, then by force.
func (m *members) stop() {
	for _, c := range m.children {
		_ = c.stdin.Close()
		_ = c.command.Process.Signal(syscall.SIGTERM) // where there are no signals the closed pipe does it
	}
	if m.cluster != nil {
		m.cluster.Close()
	}
	force := time.After(stopTimeout)
	for _, c := range m.children {
		select {
		case <-c.ended:
		case <-force:
			for _, late := range m.children {
				_ = late.command.Process.Kill()
			}
			<-c.ended
		}
	}
}

// awaitLeader waits until every node knows the same leader, and returns its id. A node that stops before is
// an error.
func (m *members) awaitLeader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if leader := agreed(askAll(ctx, m.cluster)); leader != 0 {
			return leader, nil
		}
		select {
		case <-ticker.C:
		case c := <-m.gone:
			return 0, fail(exitError,
				"node %d stopped (%v) before the cluster was ready: its lines above say why",
				c.id, c.command.ProcessState)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return 0, fail(exitError,
					"the nodes found no leader within %v: their lines above may say why",
					leaderTimeout)
			}
			return 0, nil // asked to stop
		}
	}
}

// agreed returns the leader that every node names, 0 as long as they do not.
func agreed(reports []report) int {
	leader := uint64(0)
	for _, r := range reports {
		if r.Status == nil || r.Status.Leader == 0 || leader != 0 && leader != r.Status.Leader {
			return 0
		}
		leader = r.Status.Leader
	}
	return int(leader)
}

// attend tells of nodes that end, until the context does or none is left.
func (m *members) attend(ctx context.Context) error {
	for left := len(m.children); left > 0; left-- {
		select {
		case <-ctx.Done():
			return nil
		case c := <-m.gone:
			if ctx.Err() != nil {
				return nil
			}
			m.lines.say("node %d stopped (%v). To start it again, in another terminal:\n  %s %s",
				c.id, c.command.ProcessState, programName(), strings.Join(c.again, " "))
		}
	}
	return fail(exitError, "every node has stopped")
}
