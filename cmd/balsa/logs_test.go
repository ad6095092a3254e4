package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Every line of a log begins with the node, in text that tools can cut and in colour that people can follow.
func TestLogLinesNameTheirNode(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(&out, 3, false, slog.LevelInfo)
	logger.Info("Became LEADER", "term", 7)
	logger.With("peer", 2).Warn("two\nlines")
	logger.Debug("not shown")
	lines := strings.SplitAfter(out.String(), "\n")
	if len(lines) != 3 {
		t.Fatalf("%q", lines)
	}
	for i, want := range []string{"INF Became LEADER term=7", `WRN "two\nlines" peer=2`} {
		if !strings.HasPrefix(lines[i], "[NODE 3] ") || !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q", i, lines[i])
		}
	}
	out.Reset()
	newLogger(&out, 3, true, slog.LevelInfo).Info("x")
	if !strings.Contains(out.String(), "\x1b[") {
		t.Errorf("no colour in %q", out.String())
	}
}

// An error that is repeated is told once in ten seconds, and another error at once.
func TestRepeatedErrorsAreToldOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := newLogger(&out, 1, false, slog.LevelInfo).With("a", 1)
		for range 21 {
			logger.Info("Message lost", "error", io.ErrClosedPipe)
			logger.WithGroup("g").Info("Message lost", "error", io.ErrUnexpectedEOF)
			logger.Info("Became LEADER")
			advance(time.Second)
		}
		for text, want := range map[string]int{
			io.ErrClosedPipe.Error(): 3, io.ErrUnexpectedEOF.Error(): 3, "Became LEADER": 21,
		} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q is told %d times, want %d", text, got, want)
			}
		}
		for i := range 3 * maxTold {
			logger.Info("Message lost", "error", fmt.Errorf("error %d", i))
		}
		if n := strings.Count(out.String(), "error="); n != 6+3*maxTold {
			t.Errorf("%d lines about errors", n)
		}
	})
}

// advance lets time pass inside a bubble.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// stuck is a reader that has stopped reading until it is let go.
type stuck struct {
	letGo chan struct{}
	mu    sync.Mutex
	got   bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.letGo
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

// A log that nobody reads must not stop the node: lines are lost instead, and it is said how many.
func TestAStuckReaderStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{letGo: make(chan struct{})}
		r := newRelay(s)
		for range 2000 {
			_, _ = r.Write([]byte("line\n"))
		}
		close(s.letGo)
		synctest.Wait()
		_, _ = r.Write([]byte("last\n"))
		r.Close()
		r.Close() // twice is once
		_, _ = r.Write([]byte("late\n"))
		got := s.got.String()
		kept := strings.Count(got, "line\n")
		if kept < 1024 || kept > 1025 || !strings.Contains(got, "lines of the log were lost here") {
			t.Errorf("%d lines kept; the end is %q", kept, got[max(0, len(got)-200):])
		}
		if !strings.HasSuffix(got, "last\n") {
			t.Errorf("the last line is missing: %q", got[max(0, len(got)-50):])
		}
	})
}

// Closing does not wait for a reader for ever.
func TestClosingPassesAStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{letGo: make(chan struct{})}
		r := newRelay(s)
		_, _ = r.Write([]byte("line\n"))
		r.Close() // the bubble's clock moves on: this returns
		close(s.letGo)
	})
}

// The output of several nodes comes in pieces; each line keeps its node, and none is torn.
func TestLinesOfSeveralNodes(t *testing.T) {
	var out bytes.Buffer
	l := newLines(&console{err: &out, color: "never"})
	one, two := l.of(1), l.of(2)
	for _, piece := range []struct {
		to   *nodeLines
		text string
	}{
		{one, "[NODE 1] a"}, {two, "b\r\n[NODE 2] c\nd"}, {one, "b\n"}, {two, "e"},
	} {
		if n, err := piece.to.Write([]byte(piece.text)); n != len(piece.text) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	two.flush()
	two.flush()
	l.say("and %d more", 1)
	_, _ = one.Write(bytes.Repeat([]byte("x"), maxLine+5))
	one.flush()
	l.close()
	got := strings.Split(out.String(), "\n")
	want := []string{"[NODE 2] b", "[NODE 2] c", "[NODE 1] ab", "[NODE 2] de", "and 1 more"}
	for i, line := range want {
		if got[i] != line {
			t.Errorf("line %d is %q, want %q", i, got[i], line)
		}
	}
	if len(got) != len(want)+2 || len(got[5]) != len("[NODE 1] ")+maxLine+5 {
		t.Errorf("a line without end came out as %d lines", len(got)-len(want))
	}
	painted := (&lines{console: &console{err: &out, color: "always"}}).of(2).painted
	if painted == (&lines{console: &console{err: &out,
		color: "always"}}).of(3).painted || painted[0] != '\x1b' {
		t.Errorf("nodes look alike: %q", painted)
	}
}

// Colour is for terminals, unless it is asked for.
func TestColour(t *testing.T) {
	for _, c := range []struct {
		color, no string
		want      bool
	}{{"always", "", true}, {"always", "1", true}, {"never", "", false}, {"auto", "", false}} {
		t.Setenv("NO_COLOR", c.no)
		if got := (&console{color: c.color}).paints(&bytes.Buffer{}); got != c.want {
			t.Errorf("--color %s, NO_COLOR=%q: %v", c.color, c.no, got)
		}
	}
}
