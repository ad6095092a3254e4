package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// echo is a node that says every line again.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				for lines := bufio.NewScanner(connection); lines.Scan(); {
					_, _ = connection.Write(append(lines.Bytes(), '\n'))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// call is a connection from one node to another.
type call struct {
	net.Conn
	lines *bufio.Reader
}

func dialThrough(t *testing.T, m *mesh, from, to int) *call {
	t.Helper()
	connection, err := net.Dial("tcp", m.listeners[way{from, to}].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return &call{connection, bufio.NewReader(connection)}
}

// How long nothing must come before it counts as lost, and how long what is to come may take on a machine
// that is busy with other things.
const (
	silence  = 100 * time.Millisecond
	patience = time.Minute
)

// ask says a word and reports whether it is heard again within d.
func (c *call) ask(word string, d time.Duration) (bool, error) {
	if _, err := c.Write([]byte(word + "\n")); err != nil {
		return false, err
	}
	_ = c.SetReadDeadline(time.Now().Add(d))
	line, err := c.lines.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return line == word+"\n", err
}

func (c *call) must(t *testing.T, word string, want bool) {
	t.Helper()
	d := silence
	if want {
		d = patience
	}
	if heard, err := c.ask(word, d); err != nil || heard != want {
		t.Errorf("%s: heard again %v, %v, want %v", word, heard, err, want)
	}
}

// What nodes on two sides send each other is lost in silence, and what those on one side send is not. After
// the cut, connections that lost something are hung up, and the others go on.
func TestACutLosesAndHealRestores(t *testing.T) {
	address := echo(t)
	m, err := newMesh(3, func(int) string { return address })
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	across, within, idle := dialThrough(t, m, 1, 2), dialThrough(t, m, 2, 3), dialThrough(t, m, 1, 3)
	across.must(t, "before", true)
	idle.must(t, "before", true)
	m.set(between([][]int{{1}, {2, 3}}, false))
	across.must(t, "during", false)
	within.must(t, "during", true)
	dialThrough(t, m, 3, 1).must(t, "a new connection", false)
	m.lost(t, 2)
	m.set(nil)
	if heard, err := across.ask("after", patience); heard || err == nil {
		t.Errorf("a connection that lost bytes goes on: %v, %v", heard, err)
	}
	idle.must(t, "after", true)
	dialThrough(t, m, 1, 2).must(t, "after", true)
}

// lost waits until so many connections have lost something: silence alone may mean that the proxy has not had
// its turn yet, and would carry the word after the cut.
func (m *mesh) lost(t *testing.T, connections int) {
	t.Helper()
	torn := func() (n int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for tunnel := range m.tunnels {
			if tunnel.torn {
				n++
			}
		}
		return n
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for torn() != connections {
		if !pauseFor(ctx, time.Millisecond) {
			t.Fatalf("%d connections have lost something, not %d", torn(), connections)
		}
	}
}

func TestBetween(t *testing.T) {
	for _, c := range []struct {
		groups [][]int
		oneWay bool
		want   string
	}{
		{nil, false, ""},
		{[][]int{{1}, {2, 3}}, false, "1-x->2 1-x->3 2-x->1 3-x->1"},
		{[][]int{{3}, {2}, {1}}, false, "1-x->2 1-x->3 2-x->1 2-x->3 3-x->1 3-x->2"},
		{[][]int{{3}, {2}, {1}}, true, "3-x->1 3-x->2"},
	} {
		if got := ways(between(c.groups, c.oneWay)); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.groups, c.oneWay, got, c.want)
		}
	}
}

// A node that does not run is a connection that ends, soon.
func TestNobodyBehindTheProxy(t *testing.T) {
	m, err := newMesh(2, func(int) string { return "127.0.0.1:1" })
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	c := dialThrough(t, m, 1, 2)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.lines.ReadString('\n'); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if flags := strings.Join(m.dial(2), " "); !strings.HasPrefix(flags, "--dial 1=127.0.0.1:") {
		t.Errorf("node 2 is told %q", flags)
	}
}
