package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	color    string            // auto, always or never
	config   string            // the file with settings; may be empty
	origins  map[string]string // where flags come from that are not on the command line, by name
}

// The escape sequences that commands use.
const (
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// paints reports whether colour may be written to w: when asked for, or when w is a terminal and the NO_COLOR
// convention does not object.
func (c *console) paints(w io.Writer) bool {
	switch c.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// draws reports whether lines on w may be drawn over: on a terminal that can move its cursor.
func (c *console) draws(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// paint wraps text in an escape sequence if w takes colour.
func (c *console) paint(w io.Writer, escape, text string) string {
	if !c.paints(w) {
		return text
	}
	return escape + text + reset
}

// complain prints each line of an error as a sentence of its own.
func (c *console) complain(err error) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		fmt.Fprintf(c.err, "balsa: %s%s\n", line, c.origin(line))
	}
}
