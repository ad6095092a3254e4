package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"balsa/raft"
	"balsa/wal"
)

// printer prints a log while it is read: it may be longer than the memory.
type printer struct {
	*dump
	out     *bufio.Writer
	history *history
	lines   int
	err     error // of writing
}

// line is one thing that stands in a log, as JSON.
type line struct {
	Index   uint64 `json:"index,omitempty"`
	Term    uint64 `json:"term,omitempty"`
	Kind    string `json:"kind"` // of an entry, or else what it is: segment, state, start, …
	Time    string `json:"time,omitempty"`
	Size    *int   `json:"size,omitempty"` // bytes of the command
	Gone    string `json:"gone,omitempty"` // replaced or released
	Command any    `json:"command,omitempty"`
	Text    string `json:"text,omitempty"`

	File   string `json:"file,omitempty"` // with --all
	Offset int64  `json:"offset,omitempty"`
	Batch  uint64 `json:"batch,omitempty"`
}

// errEnough ends a walk when nothing that comes counts.
var errEnough = errors.New("enough")

func (p *printer) begin() {
	head := strings.Fields("INDEX TERM KIND TIME SIZE COMMAND")
	if p.all {
		head = slices.Insert(head, 0, "PLACE")
	}
	switch p.output {
	case "json":
		p.write("[")
	case "table":
		p.columns(head)
	}
}

func (p *printer) end() {
	if p.output == "json" && p.lines > 0 {
		p.write("\n")
	}
	if p.output == "json" {
		p.write("]\n")
	}
}

func (p *printer) write(format string, values ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, values...)
	}
}

// take prints what stands at one place of the log.
func (p *printer) take(at wal.Piece) error {
	if at.Batch > p.history.batches {
		return errEnough
	}
	if p.all {
		for _, l := range describe(at) {
			p.print(at, l)
		}
	}
	for _, e := range at.Entries {
		gone := p.history.fate(at.Batch, e.Index)
		if uint64(e.Index) < uint64(p.from) || uint64(e.Index) > uint64(p.to) || gone != "" && !p.all {
			continue
		}
		size := len(e.Command)
		l := line{Index: uint64(e.Index), Term: uint64(e.Term), Kind: e.Kind.String(), Time: logTime(e.Time),
			Size: &size, Gone: gone}
		if p.output == "json" {
			l.Command = commandOf(e)
		} else {
			l.Text = commandText(e, p.output == "table")
		}
		if p.output == "table" {
			l.Time = shortTime(e.Time)
		}
		p.print(at, l)
	}
	return p.err
}

func (p *printer) print(at wal.Piece, l line) {
	p.lines++
	if p.all {
		l.File, l.Offset, l.Batch = at.File(), at.Offset, at.Batch
	}
	if p.output == "json" {
		p.json(l)
		return
	}
	index, term, time, size := "-", "-", "-", "-"
	if l.Index > 0 {
		index, term, time, size = number(l.Index), number(l.Term), l.Time, strconv.Itoa(*l.Size)
	}
	if l.Gone != "" {
		l.Text = strings.TrimRight("("+l.Gone+") "+l.Text, " ")
	}
	fields := []string{index, term, l.Kind, time, size, l.Text}
	if p.all {
		fields = slices.Insert(fields, 0, fmt.Sprintf("%s:%d#%d", l.File, l.Offset, l.Batch))
	}
	if p.output == "plain" {
		p.write("%s\n", strings.Join(fields, "\t"))
		return
	}
	p.columns(fields)
}

// columns prints one line of a table. Its widths are fixed: how wide the last entry is is not known when the
// first one is printed.
func (p *printer) columns(fields []string) {
	layout := columnsOfEntries
	if p.all {
		layout = "%-24s  " + layout
	}
	values := make([]any, len(fields))
	for i := range fields {
		values[i] = fields[i]
	}
	p.write("%s\n", strings.TrimRight(fmt.Sprintf(layout, values...), " "))
}

// columnsOfEntries is the layout of a line without its place.
const columnsOfEntries = "%8s  %5s  %-13s  %-24s  %8s  %s"

// json prints a line as one element of an array.
func (p *printer) json(l line) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(l); p.err == nil {
		p.err = err
	}
	separator := ",\n  "
	if p.lines == 1 {
		separator = "\n  "
	}
	p.write("%s%s", separator, bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}

// describe says what a place of the log holds beside entries.
func describe(p wal.Piece) (lines []line) {
	say := func(kind, format string, values ...any) {
		lines = append(lines, line{Kind: kind, Text: fmt.Sprintf(format, values...)})
	}
	if p.Batch == 0 {
		say("segment", "%d bytes", p.Length)
		return lines
	}
	if p.State != nil {
		vote := "no vote"
		if p.State.Vote != raft.None {
			vote = fmt.Sprintf("vote for %d", p.State.Vote)
		}
		say("state", "term %d, %s", p.State.Term, vote)
	}
	if p.Start > 0 {
		say("start", "number %d of this node", p.Start)
	}
	for _, a := range p.Peers {
		say("peer", "%d, incarnation %016x, start %d", a.Node, uint64(a.Incarnation), a.Start)
	}
	switch {
	case p.Restart:
		say("restart", "everything before is dropped, the log begins anew behind index %d of term %d",
			p.Before.Index, p.Before.Term)
	case p.Before.Index > 0:
		say("release", "the log begins behind index %d of term %d", p.Before.Index, p.Before.Term)
	}
	if p.End {
		say("end", "the log goes on in the next segment")
	}
	if p.Seal {
		say("seal", "everything before is durable")
	}
	return lines
}

// inText returns bytes as text if they are, else in base64.
func inText(b []byte) (text, base64ed string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}
