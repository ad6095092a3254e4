package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"balsa/raft"
	"balsa/sim"
)

// demoWidth is the widest line of the story: what a person reads without turning the head.
const demoWidth = 80

// How fast the story is told: so long for each word, and before a scene begins.
const (
	demoWord  = 53 * time.Millisecond
	demoBreak = 2 * time.Second
)

// teller writes the story, at the pace that was asked for. The first failure of the output is kept, and
// nothing is written after it.
type teller struct {
	ctx   context.Context
	c     *console
	paced demoPace
	plain bool // no colour, and a width that does not depend on the terminal
	ascii *strings.Replacer
	width int
	pause func(context.Context, time.Duration) bool
	lines *bufio.Reader
	err   error
}

// demoPace is how the story goes on.
type demoPace int

const (
	asItGoes demoPace = iota
	fast              // without a pause
	stepwise          // at Enter
)

// asciiOnly writes what is beyond ASCII in other signs.
func asciiOnly() *strings.Replacer {
	return strings.NewReplacer("○", "o", "★", "*", "✕", "x", "→", "->", "·", "-", "—", "-", "…", "...")
}

// speaksUTF8 reports whether the locale says so, or says nothing.
func speaksUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return true
}

// screenWidth is how wide lines may be on a terminal, or at most demoWidth anywhere else.
func screenWidth(c *console) int {
	if f, is := c.out.(*os.File); is {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return min(max(width, 40), demoWidth)
		}
	}
	return demoWidth
}

// print writes one piece of the story and waits as long as reading it takes.
func (t *teller) print(text string) {
	if t.err != nil {
		return
	}
	if t.err = t.ctx.Err(); t.err != nil {
		return
	}
	if t.ascii != nil {
		text = t.ascii.Replace(text)
	}
	if _, err := fmt.Fprint(t.c.out, text); err != nil {
		t.err = outputError(err)
		return
	}
	t.wait(time.Duration(len(strings.Fields(text))) * demoWord)
}

// wait pauses if the story goes by itself.
func (t *teller) wait(d time.Duration) {
	if t.paced == asItGoes && t.err == nil && d > 0 && !t.pause(t.ctx, d) {
		t.err = t.ctx.Err()
	}
}

// turn waits at the end of a page: for Enter, or for a moment.
func (t *teller) turn(what string) {
	t.wait(demoBreak)
	if t.paced != stepwise || t.err != nil {
		return
	}
	fmt.Fprintf(t.c.err, "  [Enter] %s ", what)
	heard := make(chan error, 1)
	go func() {
		_, err := t.lines.ReadString('\n')
		heard <- err
	}()
	select {
	case err := <-heard:
		if err != nil { // nobody is there to press anything: tell the rest
			t.paced = fast
			fmt.Fprintln(t.c.err)
		}
	case <-t.ctx.Done():
		t.err = t.ctx.Err()
	}
}

func (t *teller) paint(escape, text string) string {
	if t.plain {
		return text
	}
	return t.c.paint(t.c.out, escape, text)
}

// name is a server's, in its colour.
func (t *teller) name(id raft.NodeID) string {
	return t.paint(nodeColors()[int(id-1)%len(nodeColors())], fmt.Sprintf("n%d", id))
}

// title begins a scene.
func (t *teller) title(n int, name string) {
	t.print("\n" + t.paint(bold, fmt.Sprintf(" %d/6  %s", n, name)) + "\n\n")
}

// say is a paragraph.
func (t *teller) say(format string, values ...any) {
	const margin = "      "
	t.print(hang(margin, fmt.Sprintf(format, values...), t.width) + "\n")
}

// saw is the sense of a scene, and a command to go on with.
func (t *teller) saw(try, format string, values ...any) {
	t.print("\n" + t.paint(bold, "      What you just saw") + "\n")
	t.say(format, values...)
	if try != "" {
		t.print(hang("      Try it: ", try, t.width) + "\n")
	}
}

// The signs of a line: what a server is, or that a client speaks.
const (
	ofFollower  = "○"
	ofCandidate = "?"
	ofLeader    = "★"
	ofDead      = "✕"
	ofClient    = ">"
	ofNobody    = " "
)

// happened is a line of what happened, when, and to whom.
func (t *teller) happened(at sim.Time, id raft.NodeID, sign, text string) {
	t.line(at, fmt.Sprintf("n%d", id), t.name(id), sign, text)
}

// spoke is a line of a client, or of nobody in particular.
func (t *teller) spoke(at sim.Time, who, sign, text string) { t.line(at, who, who, sign, text) }

func (t *teller) line(at sim.Time, who, painted, sign, text string) {
	head := fmt.Sprintf("%8s  %-3s %s ", seconds(at), who, sign)
	body := hang(head, text, t.width)
	if sign == ofLeader {
		painted = t.paint(bold, painted)
	}
	t.print(strings.Replace(body, who, painted, 1) + "\n")
}

// seconds is a time of the story.
func seconds(t sim.Time) string {
	return fmt.Sprintf("%d.%03ds", t/sim.Second, t%sim.Second/sim.Millisecond)
}

// hang breaks a text into lines below each other behind a head.
func hang(head, text string, width int) string {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	var b strings.Builder
	b.WriteString(head)
	at, first := len(indent), true
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case first:
		case at+1+n > width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at, first = at+n, false
	}
	return b.String()
}
