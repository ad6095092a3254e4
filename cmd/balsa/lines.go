package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// lines merges what several nodes print, line by line and never in the middle of one. Each line begins with
// [NODE N], in the node's colour.
type lines struct {
	console *console
	relay   *relay
}

// nodeColors are told apart on dark and light backgrounds; node 1 gets the first.
func nodeColors() []string {
	return []string{"\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[34m", "\x1b[31m", "\x1b[96m",
		"\x1b[93m", "\x1b[95m"}
}

func newLines(c *console) *lines { return &lines{console: c, relay: newRelay(c.err)} }

func (l *lines) close() { l.relay.Close() }

// say prints a message of our own among the nodes' lines.
func (l *lines) say(format string, values ...any) {
	_, _ = fmt.Fprintf(l.relay, format+"\n", values...)
}

// of returns where one node's output goes.
func (l *lines) of(id int) *nodeLines {
	name := fmt.Sprintf("[NODE %d] ", id)
	colors := nodeColors()
	return &nodeLines{to: l.relay, name: name,
		painted: l.console.paint(l.console.err, colors[(id-1)%len(colors)], name)}
}

// nodeLines takes one node's output in pieces of any size.
type nodeLines struct {
	to            *relay
	name, painted string

	mu   sync.Mutex
	rest []byte // of a line whose end has not come yet
}

// maxLine bounds what is kept of a line that does not end, in bytes.
const maxLine = 64 << 10

// Write passes on every line that is complete.
func (n *nodeLines) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rest = append(n.rest, p...)
	for {
		end := bytes.IndexByte(n.rest, '\n')
		if end < 0 && len(n.rest) < maxLine {
			return len(p), nil
		}
		if end < 0 {
			end = len(n.rest) - 1
		}
		n.emit(string(n.rest[:end+1]))
		n.rest = n.rest[end+1:]
	}
}

// flush passes on what is left when nothing more will come.
func (n *nodeLines) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.rest) > 0 {
		n.emit(string(n.rest))
		n.rest = nil
	}
}

// emit gives a line its name, unless the node gave it already, as its log does.
func (n *nodeLines) emit(line string) {
	line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), n.name)
	_, _ = n.to.Write([]byte(n.painted + line + "\n"))
}
