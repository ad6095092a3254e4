package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// mesh carries what nodes of one machine send each other, so that it can be cut. Each node dials each peer
// through a proxy of that pair's own:
//
//	┌────────┐ --dial 2=…   ┌────────────┐   --raft   ┌────────┐
//	│ node 1 │ ───────────▶ │ proxy 1▶2  │ ─────────▶ │ node 2 │
//	│        │ ◀─────────── │            │ ◀───────── │        │
//	└────────┘              └────────────┘            └────────┘
//
// A cut loses bytes, as a dead switch does; nobody is told. A refused connection would be kinder than what
// partitions are: the sender would know at once.
type mesh struct {
	nodes     int
	target    func(id int) string // where a node listens for peers
	listeners map[way]net.Listener
	pumps     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	cuts    []way      // sorted
	tunnels map[*tunnel]bool
	closed  bool
}

// way is a direction between two nodes.
type way struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// tunnel is one connection from a node through a proxy to another.
type tunnel struct {
	near, far net.Conn
	torn      bool // bytes were lost: what comes after them makes no sense any more
}

func (t *tunnel) close() { _ = t.near.Close(); _ = t.far.Close() }

// newMesh opens the proxies between the nodes 1 to n, all on loopback, on ports that the system chooses.
func newMesh(n int, target func(id int) string) (*mesh, error) {
	m := &mesh{nodes: n, target: target, listeners: map[way]net.Listener{}, tunnels: map[*tunnel]bool{}}
	for from := 1; from <= n; from++ {
		for to := 1; to <= n; to++ {
			if from == to {
				continue
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				m.close()
				return nil, fail(exitError, "no port is left for the proxies between the nodes: %w", err)
			}
			w := way{from, to}
			m.listeners[w] = listener
			m.pumps.Go(func() { m.serve(w, listener) })
		}
	}
	return m, nil
}

// dial returns the flags that lead a node's messages through its proxies.
func (m *mesh) dial(from int) (flags []string) {
	for to := 1; to <= m.nodes; to++ {
		if l := m.listeners[way{from, to}]; l != nil {
			flags = append(flags, "--dial", fmt.Sprintf("%d=%s", to, l.Addr()))
		}
	}
	return flags
}

func (m *mesh) serve(w way, listener net.Listener) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return // closed, or out of files: then nothing of ours works any more
		}
		m.pumps.Go(func() { m.join(w, near) })
	}
}

// join connects a connection to the node that it is for. When nobody listens there, it ends.
func (m *mesh) join(w way, near net.Conn) {
	far, err := net.Dial("tcp", m.target(w.To))
	if err != nil {
		_ = near.Close()
		return
	}
	t := &tunnel{near: near, far: far}
	defer t.close()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.tunnels[t] = true
	m.mu.Unlock()
	m.pumps.Go(func() { m.pump(t, near, far, way{w.To, w.From}) })
	m.pump(t, far, near, w)
	m.mu.Lock()
	delete(m.tunnels, t)
	m.mu.Unlock()
}

// pump copies one direction until either end closes.
func (m *mesh) pump(t *tunnel, to io.Writer, from io.Reader, w way) {
	defer t.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !m.loses(t, w) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// loses reports whether bytes on that way are to be lost, and notes that they were.
func (m *mesh) loses(t *tunnel, w way) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.cuts, w) {
		t.torn = true
	}
	return t.torn
}

// set puts cuts in the place of those before. Connections that lost bytes are hung up, so that the nodes
// dial anew; they would wait for the rest of half a message otherwise.
func (m *mesh) set(cuts []way) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cuts = cuts
	for t := range m.tunnels {
		if t.torn {
			t.close()
		}
	}
}

// cut returns the ways that are cut, sorted.
func (m *mesh) cut() []way {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.cuts)
}

// between lists the ways on which nothing passes when groups of nodes are parted: in both directions, or
// only from the first group to the others.
func between(groups [][]int, oneWay bool) (cuts []way) {
	for i, group := range groups {
		for j, other := range groups {
			if i == j || oneWay && i != 0 {
				continue
			}
			for _, from := range group {
				for _, to := range other {
					cuts = append(cuts, way{from, to})
				}
			}
		}
	}
	slices.SortFunc(cuts, func(a, b way) int { return (a.From-b.From)*1000 + a.To - b.To })
	return cuts
}

func (m *mesh) close() {
	m.mu.Lock()
	m.closed = true
	for t := range m.tunnels {
		t.close()
	}
	m.mu.Unlock()
	for _, l := range m.listeners {
		_ = l.Close()
	}
	m.pumps.Wait()
}
