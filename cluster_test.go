package balsa_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/transport/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// advance lets time pass inside a synctest bubble, and everything happen that is due.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// recorder is a state machine that keeps what it was given. Its results name the entry, so that a test can
// tell whose result it got.
type recorder struct {
	mu       sync.Mutex
	commands []string
	applies  int
	delay    func(command string) // runs before a command is applied; nil for none
	slow     func()               // runs between the pieces of a snapshot; nil for none
}

func (r *recorder) Apply(e balsa.Entry) []byte {
	if r.delay != nil {
		r.delay(string(e.Command))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applies++
	r.commands = append(r.commands, string(e.Command))
	return fmt.Appendf(nil, "%s@%d", e.Command, e.Index)
}

// Snapshot is all commands, each with its length in front.
func (r *recorder) Snapshot() (io.WriterTo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return recording{slices.Clone(r.commands), r.slow}, nil
}

func (r *recorder) Restore(from io.Reader) error {
	b, err := io.ReadAll(&slowReader{from, r.slow})
	if err != nil {
		return err
	}
	var commands []string
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		commands, b = append(commands, string(b[4:4+n])), b[4+n:]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands = commands
	return nil
}

// recording is a snapshot of a recorder.
type recording struct {
	commands []string
	slow     func()
}

func (r recording) WriteTo(w io.Writer) (n int64, err error) {
	for _, command := range r.commands {
		if r.slow != nil {
			r.slow()
		}
		m, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(command))), command...))
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

type slowReader struct {
	from io.Reader
	slow func()
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.slow != nil {
		r.slow()
	}
	return r.from.Read(p)
}

func (r *recorder) applied() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commands)
}

// cluster is some nodes on a network and disks in memory, inside a synctest bubble.
type cluster struct {
	t        *testing.T
	network  *memory.Network
	peers    map[raft.NodeID]string
	disks    map[raft.NodeID]*disk.Memory
	dirs     map[raft.NodeID]disk.Dir
	nodes    map[raft.NodeID]*balsa.Node
	machines map[raft.NodeID]*recorder
	logs     strings.Builder
	mu       sync.Mutex
	change   func(*balsa.Config) // of every node that is opened; nil for none
}

// inCluster runs a test on n nodes in a bubble of its own and closes everything at its end.
func inCluster(t *testing.T, n int, test func(*cluster)) {
	t.Helper()
	inBubble(t, n, func(c *cluster) {
		for id := range c.peers {
			c.open(id)
		}
		test(c)
	})
}

// inBubble is inCluster before any node is opened.
func inBubble(t *testing.T, n int, test func(*cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, n)
		defer c.close()
		test(c)
		c.agree()
	})
}

func newCluster(t *testing.T, n int) *cluster {
	c := &cluster{
		t:        t,
		network:  memory.NewNetwork(),
		peers:    map[raft.NodeID]string{},
		disks:    map[raft.NodeID]*disk.Memory{},
		dirs:     map[raft.NodeID]disk.Dir{},
		nodes:    map[raft.NodeID]*balsa.Node{},
		machines: map[raft.NodeID]*recorder{},
	}
	for id := raft.NodeID(1); id <= raft.NodeID(n); id++ {
		c.peers[id] = fmt.Sprintf("node%d:1", id)
		c.disks[id] = disk.NewMemory()
	}
	return c
}

func (c *cluster) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.Write(line)
}

func (c *cluster) logged() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.String()
}

func (c *cluster) tryOpen(id raft.NodeID, change func(*balsa.Config)) error {
	dir, err := c.disks[id].Open()
	if err != nil {
		return err
	}
	machine := &recorder{}
	config := balsa.Config{
		ID:           id,
		Disk:         dir,
		Peers:        c.peers,
		StateMachine: machine,
		Transport:    c.network.Node(id),
		Logger: slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug})).
			With("node", id),
	}
	for _, change := range []func(*balsa.Config){c.change, change} {
		if change != nil {
			change(&config)
		}
	}
	node, err := balsa.Open(config)
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	c.nodes[id], c.machines[id], c.dirs[id] = node, machine, dir
	return nil
}

func (c *cluster) open(id raft.NodeID) {
	c.t.Helper()
	if err := c.tryOpen(id, nil); err != nil {
		c.t.Fatalf("open node %d: %v", id, err)
	}
}

// stop closes a node cleanly.
func (c *cluster) stop(id raft.NodeID) {
	c.t.Helper()
	if err := errors.Join(c.nodes[id].Close(), c.dirs[id].Close()); err != nil {
		c.t.Errorf("close node %d: %v", id, err)
	}
	delete(c.nodes, id)
}

// crash cuts a node's power: what its disk had not synced is lost. What the node still sends until it is
// closed promises nothing that the disk does not have.
func (c *cluster) crash(id raft.NodeID) {
	c.disks[id].Crash(disk.KeepNone)
	_ = c.nodes[id].Close()
	delete(c.nodes, id)
}

func (c *cluster) close() {
	for id, node := range c.nodes {
		if err := node.Close(); err != nil {
			c.t.Errorf("close node %d: %v", id, err)
		}
	}
	c.network.Close()
	if c.t.Failed() {
		c.t.Log(c.logged())
	}
}

// within waits until a condition holds, for at most d.
func (c *cluster) within(d time.Duration, what string, holds func() bool) {
	c.t.Helper()
	for passed := time.Duration(0); passed < d; passed += 10 * time.Millisecond {
		synctest.Wait()
		if holds() {
			return
		}
		advance(10 * time.Millisecond)
	}
	c.t.Fatalf("not within %v: %s\n%s", d, what, c.logged())
}

// leader waits for a leader among the given nodes (all when none are given) and returns it.
func (c *cluster) leader(among ...raft.NodeID) (leader raft.NodeID) {
	c.t.Helper()
	c.within(5*time.Second, "a leader", func() bool {
		term := raft.Term(0)
		leader = raft.None
		for id, node := range c.nodes {
			if len(among) > 0 && !slices.Contains(among, id) {
				continue
			}
			if s := node.Status(); s.Role == raft.Leader && s.Term > term {
				leader, term = id, s.Term
			}
		}
		return leader != raft.None
	})
	return leader
}

func (c *cluster) others(id raft.NodeID) (ids []raft.NodeID) {
	for other := range c.peers {
		if other != id {
			ids = append(ids, other)
		}
	}
	slices.Sort(ids)
	return ids
}

// propose proposes at one node and gives it a second.
func (c *cluster) propose(id raft.NodeID, command string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	result, err := c.nodes[id].Propose(ctx, []byte(command))
	return string(result), err
}

func (c *cluster) mustPropose(id raft.NodeID, commands ...string) {
	c.t.Helper()
	for _, command := range commands {
		result, err := c.propose(id, command)
		if err != nil {
			c.t.Fatalf("propose %q at node %d: %v", command, id, err)
		}
		if !strings.HasPrefix(result, command+"@") {
			c.t.Fatalf("propose %q at node %d: got the result %q", command, id, result)
		}
	}
}

// applied waits until each of the nodes has applied exactly these commands.
func (c *cluster) applied(want []string, ids ...raft.NodeID) {
	c.t.Helper()
	c.within(5*time.Second, fmt.Sprintf("%v applied on %v", want, ids), func() bool {
		for _, id := range ids {
			if !slices.Equal(c.machines[id].applied(), want) {
				return false
			}
		}
		return true
	})
}

// agree checks that no two nodes have applied different commands at one position.
func (c *cluster) agree() {
	c.t.Helper()
	var longest []string
	for _, m := range c.machines {
		if a := m.applied(); len(a) > len(longest) {
			longest = a
		}
	}
	for id, m := range c.machines {
		if a := m.applied(); !slices.Equal(a, longest[:len(a)]) {
			c.t.Errorf("node %d applied %v, another one %v", id, a, longest)
		}
	}
}

// kind checks the kind and the outcome of an error.
func (c *cluster) kind(err, kind error, outcome balsa.Outcome) *balsa.Error {
	c.t.Helper()
	var e *balsa.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Outcome != outcome {
		c.t.Fatalf("got the error %v, want %v with outcome %v", err, kind, outcome)
	}
	return e
}

var all3 = []raft.NodeID{1, 2, 3}
