package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"balsa/client"
	"balsa/disk"
)

// supervisor runs the nodes of a cluster as child processes: in the foreground for dev, and detached for
// cluster start. It signals only processes that it started and has not yet waited for, whose ids nobody else
// can have.
type supervisor struct {
	tell    func(id int) io.Writer // where a node's output goes besides its file
	program string
	lock    disk.Dir
	mesh    *mesh
	cluster *client.Client
	gone    chan *child   // each child, when its process is gone
	closed  chan struct{} // nobody reads gone any more

	mu      sync.Mutex // guards what follows
	plan    plan
	members []*member // by id
}

// member is one node, whether it runs or not.
type member struct {
	id    int
	log   *nodeLog
	out   io.Writer // where its output goes: the file, and the terminal if there is one
	child *child    // the last process; nil when it was never started
}

// child is one process of a node.
type child struct {
	id      int
	command *exec.Cmd
	stdin   io.Closer     // closing it tells the child to stop, and so does our own death
	ended   chan struct{} // closed when the process is gone
	paused  bool          // guarded by the supervisor's mutex
}

func (c *child) lives() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// newSupervisor takes the data directory and opens the proxies. No node runs yet. Each node's output also
// goes to the terminal that tell returns for it.
func newSupervisor(p plan, tell func(id int) io.Writer) (*supervisor, error) {
	if err := p.vacant(); err != nil {
		return nil, err
	}
	lock, err := claim(p.data)
	if err != nil {
		return nil, err
	}
	s := &supervisor{plan: p, lock: lock, gone: make(chan *child), closed: make(chan struct{})}
	if err := s.prepare(tell); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *supervisor) prepare(tell func(id int) io.Writer) error {
	known, err := readNote(s.plan.data)
	if err == nil {
		err = s.plan.fits(known)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	if s.program, err = os.Executable(); err != nil {
		return fail(exitError, "cannot find the program's own file: %w", err)
	}
	if s.mesh, err = newMesh(maxDevNodes, s.plan.raft); err != nil { // some may come later
		return err
	}
	if s.cluster, err = client.New(s.plan.endpoints()); err != nil {
		return failure{exitError, err}
	}
	s.tell = tell
	for id := 1; id <= s.plan.Nodes; id++ {
		m, err := s.member(id)
		if err != nil {
			return err
		}
		s.members = append(s.members, m)
	}
	return nil
}

// member opens the log of a node.
func (s *supervisor) member(id int) (*member, error) {
	log, err := openLog(s.plan.data, id)
	if err != nil {
		return nil, fail(exitError, "the log of node %d: %w", id, err)
	}
	return &member{id: id, log: log, out: io.MultiWriter(log, s.tell(id))}, nil
}

// planned is the plan as it is now: nodes may be added.
func (s *supervisor) planned() plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan
}

// startAll starts every node that does not run.
func (s *supervisor) startAll() error {
	for _, m := range s.members {
		if _, err := s.start(m.id); err != nil {
			return err
		}
	}
	return nil
}

// start starts a node as a process and says what it did. The process's standard input is a pipe that only
// we hold: however we end, the pipe closes, and the child stops. So there are no orphans, on any system.
func (s *supervisor) start(id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id-1]
	if m.child.lives() {
		if m.child.paused {
			return fmt.Sprintf("node %d is paused: balsa cluster resume %[1]d lets it run", id), nil
		}
		return fmt.Sprintf("node %d runs already", id), nil
	}
	arguments := append(s.plan.arguments(id), s.mesh.dial(id)...)
	command := exec.Command(s.program, append(arguments, "--supervised")...)
	out := &nodeLines{to: m.out, name: nodeName(id), painted: nodeName(id)}
	command.Stdout, command.Stderr, command.SysProcAttr = out, out, ownGroup()
	stdin, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return "", fail(exitError, "node %d could not be started: %w", id, err)
	}
	m.child = &child{id: id, command: command, stdin: stdin, ended: make(chan struct{})}
	go s.attendChild(m.child, out)
	return fmt.Sprintf("node %d started", id), nil
}

func (s *supervisor) attendChild(c *child, out *nodeLines) {
	_ = c.command.Wait() // ProcessState says how it ended
	out.flush()
	close(c.ended)
	select {
	case s.gone <- c:
	case <-s.closed:
	}
}

// kill ends a node as a power cut would.
func (s *supervisor) kill(id int) (string, error) {
	s.mu.Lock()
	c := s.members[id-1].child
	s.mu.Unlock()
	if !c.lives() {
		return fmt.Sprintf("node %d is not running", id), nil
	}
	if err := c.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return "", fail(exitError, "node %d could not be killed: %w", id, err)
	}
	<-c.ended
	return fmt.Sprintf("node %d killed", id), nil
}

// pause stops a node in the middle of whatever it does: it keeps its memory and its ports, and is silent.
func (s *supervisor) pause(id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.members[id-1].child
	if !c.lives() {
		return "", fail(exitError, "node %d is not running: balsa cluster start %[1]d starts it", id)
	}
	if c.paused {
		return fmt.Sprintf("node %d is paused already", id), nil
	}
	if err := pause(c.command.Process); err != nil {
		return "", fail(exitError, "node %d: %w", id, err)
	}
	c.paused = true
	return fmt.Sprintf("node %d paused", id), nil
}

func (s *supervisor) resume(id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.members[id-1].child
	if !c.lives() {
		return "", fail(exitError, "node %d is not running: balsa cluster start %[1]d starts it", id)
	}
	if !c.paused {
		return fmt.Sprintf("node %d is not paused", id), nil
	}
	if err := unpause(c.command.Process); err != nil {
		return "", fail(exitError, "node %d: %w", id, err)
	}
	c.paused = false
	return fmt.Sprintf("node %d resumed", id), nil
}

// running counts the nodes whose process lives, paused ones too.
func (s *supervisor) running() (n int) {
	for _, c := range s.children() {
		if c.lives() {
			n++
		}
	}
	return n
}

func (s *supervisor) children() (all []*child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.child != nil {
			all = append(all, m.child)
		}
	}
	return all
}

// stopTimeout is how long a node may take to stop before it is killed. It stops in milliseconds unless its
// disk hangs.
const stopTimeout = 5 * time.Second

// stopAll ends all nodes, and returns when they are gone: politely at first, then by force.
func (s *supervisor) stopAll() {
	all := s.children()
	for _, c := range all {
		_ = c.stdin.Close()
		_ = c.command.Process.Signal(syscall.SIGTERM) // where there are no signals the closed pipe does it
		_ = unpause(c.command.Process)                // a paused one would not hear either
	}
	force := time.After(stopTimeout)
	for _, c := range all {
		select {
		case <-c.ended:
		case <-force:
			for _, late := range all {
				_ = late.command.Process.Kill()
			}
			<-c.ended
		}
	}
}

// close stops what runs and gives everything back. No order may be carried out any more.
func (s *supervisor) close() {
	close(s.closed)
	s.stopAll()
	if s.mesh != nil {
		s.mesh.close()
	}
	if s.cluster != nil {
		s.cluster.Close()
	}
	for _, m := range s.members {
		m.log.close()
	}
	_ = s.lock.Close()
}

// awaitLeader waits until every node knows the same leader, and returns its id. A node that stops before is
// an error.
func (s *supervisor) awaitLeader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if leader := agreed(askAll(ctx, s.cluster)); leader != 0 {
			return leader, nil
		}
		select {
		case <-ticker.C:
		case c := <-s.gone:
			return 0, fail(exitError,
				"node %d stopped (%v) before the cluster was ready: its lines above say why", c.id,
				c.command.ProcessState)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return 0, fail(exitError,
					"the nodes found no leader within %v: their lines above may say why", leaderTimeout)
			}
			return 0, nil // asked to stop
		}
	}
}

// agreed returns the leader that every node names that is a member, 0 as long as they do not.
func agreed(reports []report) int {
	leader := uint64(0)
	for _, r := range reports {
		if r.Status != nil && r.Status.Standing == "outsider" {
			continue // it was removed: nobody tells it who leads
		}
		if r.Status == nil || r.Status.Leader == 0 || leader != 0 && leader != r.Status.Leader {
			return 0
		}
		leader = r.Status.Leader
	}
	return int(leader)
}

// attend tells of nodes that end, until the context does. With untilNone it fails when none runs any more.
func (s *supervisor) attend(ctx context.Context, untilNone bool, say func(string, ...any)) error {
	data := s.planned().data
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-s.gone:
			if ctx.Err() != nil {
				return nil
			}
			if untilNone && s.running() == 0 {
				return fail(exitError, "every node has stopped, node %d at last (%v): what was acknowledged "+
					"is kept, and the same command starts them again", c.id, c.command.ProcessState)
			}
			say("node %d stopped (%v). To start it again, in another terminal:\n  %s cluster start %d%s",
				c.id, c.command.ProcessState, programName(), c.id, dataFlag(data))
		}
	}
}

// check refuses ids that no member has.
func (p plan) check(ids []int) error {
	for _, id := range ids {
		if id < 1 || id > p.Nodes {
			return fail(exitUsage, "there is no node %d: this cluster has the nodes 1 to %d", id, p.Nodes)
		}
	}
	return nil
}

// all lists every id.
func (p plan) all() (ids []int) {
	for id := range p.Nodes {
		ids = append(ids, id+1)
	}
	return slices.Clip(ids)
}
