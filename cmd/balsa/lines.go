package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// lines merges what several nodes print, line by line and never in the middle of one. Each line begins with
// [NODE N], in the node's colour. On a terminal a line of status may stand below them.
type lines struct {
	console *console
	screen  *screen
	relay   *relay
}

// nodeColors are told apart on dark and light backgrounds; node 1 gets the first.
func nodeColors() []string {
	return []string{"\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[34m", "\x1b[31m", "\x1b[96m",
		"\x1b[93m", "\x1b[95m"}
}

func newLines(c *console) *lines {
	screen := &screen{to: c.err}
	return &lines{console: c, screen: screen, relay: newRelay(screen)}
}

func (l *lines) close() {
	l.screen.show("")
	l.relay.Close()
}

// say prints a message of our own among the nodes' lines.
func (l *lines) say(format string, values ...any) {
	_, _ = fmt.Fprintf(l.relay, format+"\n", values...)
}

// nodeName is how each line of a node begins.
func nodeName(id int) string { return fmt.Sprintf("[NODE %d] ", id) }

// of returns where one node's output goes.
func (l *lines) of(id int) *nodeLines {
	return &nodeLines{
		to:      l.relay,
		name:    nodeName(id),
		painted: l.console.nodeColor(l.console.err, id, nodeName(id)),
	}
}

// nodeColor paints text in the colour of a node.
func (c *console) nodeColor(w io.Writer, id int, text string) string {
	colors := nodeColors()
	return c.paint(w, colors[(id-1)%len(colors)], text)
}

// nodeLines takes one node's output in pieces of any size.
type nodeLines struct {
	to            io.Writer
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

// screen writes lines to a terminal and keeps a line of status below the last one.
type screen struct {
	to io.Writer

	mu     sync.Mutex // guards what follows
	status string     // empty: none is shown
}

// The escape sequences of screen. A status that is wider than the terminal is clipped, not wrapped: of two
// lines only one could be erased.
const (
	eraseLine = "\r\x1b[K"
	clipped   = "\x1b[?7l"
	wrapped   = "\x1b[?7h"
)

// Write prints whole lines above the status.
func (s *screen) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		return s.to.Write(lines)
	}
	_, err := io.WriteString(s.to, eraseLine+string(lines)+clipped+s.status+wrapped)
	return len(lines), err
}

// show puts another status in the place of the one before; an empty one takes it away.
func (s *screen) show(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == s.status {
		return
	}
	s.status = status
	if status == "" {
		_, _ = io.WriteString(s.to, eraseLine)
		return
	}
	_, _ = io.WriteString(s.to, eraseLine+clipped+status+wrapped)
}
