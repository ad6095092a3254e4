package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"balsa/raft"

	"github.com/lmittmann/tint"
)

// newLogger makes the logger of a node: each line begins with [NODE N], so that the lines of several nodes
// can be read together.
func newLogger(w io.Writer, id raft.NodeID, color bool, level slog.Level) *slog.Logger {
	prefixed := &prefixWriter{w: w, prefix: fmt.Sprintf("[NODE %v] ", id)}
	text := tint.NewTextHandler(prefixed, &tint.Options{
		NoColor: !color, Level: level, TimeFormat: "15:04:05.000", ReplaceAttr: oneLine,
	})
	return slog.New(&patient{Handler: text, told: &told{at: map[string]time.Time{}}})
}

// patient tells a repeated error once in a while: a peer that is down is down at every heartbeat, and seven
// lines a second would bury everything else.
type patient struct {
	slog.Handler
	told *told // shared by the handlers that are derived from one
}

// told is when an error was told last.
type told struct {
	mu sync.Mutex
	at map[string]time.Time
}

// The limits of patient. When there are too many errors to remember, all are told anew.
const (
	tellAgain = 10 * time.Second
	maxTold   = 256
)

// Handle passes on everything but an error that was told a moment ago in the same words.
func (p *patient) Handle(ctx context.Context, r slog.Record) error {
	words := ""
	r.Attrs(func(a slog.Attr) bool {
		if _, isError := a.Value.Any().(error); isError {
			words = r.Message + " " + a.Value.String()
		}
		return words == ""
	})
	if words != "" && p.told.lately(words, r.Time) {
		return nil
	}
	return p.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the patience of what they derive.
func (p *patient) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &patient{Handler: p.Handler.WithAttrs(attrs), told: p.told}
}

// WithGroup is described at WithAttrs.
func (p *patient) WithGroup(name string) slog.Handler {
	return &patient{Handler: p.Handler.WithGroup(name), told: p.told}
}

func (t *told) lately(words string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, known := t.at[words]; known && now.Sub(last) < tellAgain {
		return true
	}
	if len(t.at) >= maxTold {
		clear(t.at)
	}
	t.at[words] = now
	return false
}

// oneLine keeps a message on its line, whatever is in it: nobody may forge a line of the log. Values are
// quoted already.
func oneLine(groups []string, a slog.Attr) slog.Attr {
	text := a.Value.String()
	if a.Key == slog.MessageKey && len(groups) == 0 && strings.ContainsFunc(text, unicode.IsControl) {
		a.Value = slog.StringValue(strconv.Quote(text))
	}
	return a
}

// prefixWriter puts a prefix before each Write, which is one line of a log.
type prefixWriter struct {
	w      io.Writer
	prefix string
}

func (p *prefixWriter) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// relay hands lines to a writer from a goroutine of its own. Whoever logs never waits: without it, a terminal
// that is paused or a pipe that nobody reads would stop the node's loop, and with it the cluster's leader.
// When the queue is full, lines are lost, and the next line that is not says how many.
type relay struct {
	lines chan []byte
	done  chan struct{}

	mu     sync.Mutex // guards what follows
	closed bool
	lost   int
}

func newRelay(w io.Writer) *relay {
	r := &relay{lines: make(chan []byte, 1024), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for line := range r.lines {
			_, _ = w.Write(line) // nobody is left to tell
		}
	}()
	return r
}

// Write queues a line, or loses it. It reports success either way: a logger could do nothing about it.
func (r *relay) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return len(line), nil
	}
	queued := append([]byte(nil), line...)
	if r.lost > 0 {
		queued = append(fmt.Appendf(nil, "(%d lines of the log were lost here: nobody read them)\n", r.lost),
			queued...)
	}
	select {
	case r.lines <- queued:
		r.lost = 0
	default:
		r.lost++
	}
	return len(line), nil
}

// Close waits until everything is written, but not for ever: the reader may be the one who is stuck.
func (r *relay) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.lines)
	}
	r.mu.Unlock()
	select {
	case <-r.done:
	case <-time.After(time.Second):
	}
}
