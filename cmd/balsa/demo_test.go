package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"balsa/raft"
	"balsa/sim"
)

// update rewrites the golden transcript. Look at the difference before you keep it.
var update = flag.Bool("update", false, "rewrite the transcript of the demo")

// story tells the story of a seed without a pause, as a pipe gets it.
func story(t *testing.T, seed uint64, changes ...func(*teller)) string {
	t.Helper()
	var out bytes.Buffer
	c := &console{in: strings.NewReader(""), out: &out, err: io.Discard, color: "auto"}
	told := &teller{ctx: t.Context(), c: c, paced: fast, width: demoWidth, pause: pauseFor}
	for _, change := range changes {
		change(told)
	}
	if err := perform(told, seed); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
	}
	return out.String()
}

// TestDemoTellsTheStoryOfTheTranscript: seed 1, to the last byte. It changes when the simulator draws its
// chances differently, or when the story is told better: go test ./cmd/balsa -run TestDemo -update.
func TestDemoTellsTheStoryOfTheTranscript(t *testing.T) {
	t.Setenv("LC_ALL", "C") // which --plain does not mind
	got := command(t, "", "demo", "--plain", "--fast")
	if got.status != exitOK || got.err != "" {
		t.Fatalf("status %d, stderr %q", got.status, got.err)
	}
	// The digest has every time and hash of the run in it: it may change where the story does not.
	got.out = regexp.MustCompile(`digest [0-9a-f]{16}`).ReplaceAllString(got.out, "digest ················")
	golden := filepath.Join("testdata", "demo.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.out != string(want) {
		t.Errorf("the story is not the one of %s:\n%s", golden, got.out)
	}
}

// The lines of a story that can be held against each other.
var (
	lineTime  = regexp.MustCompile(`(?m)^ *(\d+)\.(\d{3})s  `)
	leaderIs  = regexp.MustCompile(`(n\d)  ★ LEADER of term (\d+)`)
	leadsWith = regexp.MustCompile(`(n\d) leads with the vote of (n\d)(?: and (n\d))? and its own`)
	onDisks   = regexp.MustCompile(`Entry \d+ is on the disks of (n\d)(?:, (n\d))? and (n\d), a majority`)
	attempts  = regexp.MustCompile(`(Term \d+|\d+ terms) ended without a leader`)
)

// TestEverySeedTellsATrueStory: whatever happens in it, the story comes to its end, in the order of its
// times, with one leader for a term, and what it sums up is what its lines say.
func TestEverySeedTellsATrueStory(t *testing.T) {
	split, denied := 0, 0
	for seed := uint64(1); seed <= 200; seed++ {
		text := story(t, seed)
		flat := strings.Join(strings.Fields(text), " ")
		checkTimes(t, seed, text)
		leaders := map[string]string{}
		for _, m := range leaderIs.FindAllStringSubmatch(text, -1) {
			if was := leaders[m[2]]; was != "" {
				t.Errorf("seed %d: %s and %s lead term %s", seed, was, m[1], m[2])
			}
			leaders[m[2]] = m[1]
		}
		elected := leaderIs.FindStringSubmatch(text)
		m := leadsWith.FindStringSubmatch(flat)
		if m == nil || m[1] != elected[1] || m[2] == m[1] || m[3] == m[1] || m[2] == m[3] {
			t.Errorf("seed %d: %s was elected, and it sums up %q", seed, elected[1], m)
		} else if !strings.Contains(text, m[2]+"  ○ votes for "+m[1]+" in term "+elected[2]+",") {
			t.Errorf("seed %d: %s did not vote for %s", seed, m[2], m[1])
		}
		if m := onDisks.FindStringSubmatch(flat); m == nil || m[1] == m[3] {
			t.Errorf("seed %d: no majority: %q", seed, m)
		}
		if strings.Count(text, "What you just saw") != 6 || strings.Contains(text, "(there is none)") {
			t.Errorf("seed %d:\n%s", seed, text)
		}
		if attempts.MatchString(flat) {
			split++
		}
		if strings.Contains(flat, "its log ends in entry") {
			denied++
		}
	}
	if split == 0 || denied == 0 {
		t.Errorf("of 200 stories %d have a split vote, %d a vote denied for the log", split, denied)
	}
	t.Logf("of 200 stories %d have a split vote, %d a vote denied for the log", split, denied)
}

// TestTwoLeadersAreSaidToBeTwo: with the timing of the demo an old leader steps down before the new one is
// elected. A story in which it does not would say so.
func TestTwoLeadersAreSaidToBeTwo(t *testing.T) {
	at := func(ms sim.Time, node raft.NodeID, e raft.Event) sim.Record {
		return sim.Record{Moment: sim.Moment{Time: ms * sim.Millisecond}, Node: node, Event: e}
	}
	down := raft.BecameFollower{Term: 1, Was: raft.Leader, Why: raft.QuorumLost}
	elected := raft.BecameLeader{Term: 2}
	for want, records := range map[string][]sim.Record{
		"It stepped down by itself 0.300s after the cut": {at(400, 1, down), at(450, 2, elected)},
		"For 0.050s two servers took themselves":         {at(400, 2, elected), at(450, 1, down)},
	} {
		if got := new(demo).overlap(records, 1, 100*sim.Millisecond); !strings.HasPrefix(got, want) {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// checkTimes holds that nothing is told before what came before it.
func checkTimes(t *testing.T, seed uint64, text string) {
	t.Helper()
	before := 0
	for _, m := range lineTime.FindAllStringSubmatch(text, -1) {
		var s, ms int
		_, _ = fmt.Sscan(m[1], &s)
		_, _ = fmt.Sscan(strings.TrimLeft(m[2], "0")+" ", &ms)
		if at := s*1000 + ms; at < before {
			t.Errorf("seed %d: %s.%ss comes after %dms:\n%s", seed, m[1], m[2], before, text)
		} else {
			before = at
		}
	}
}

// TestDemoFitsItsScreen: no line is wider than asked for, at 80 columns and at 60.
func TestDemoFitsItsScreen(t *testing.T) {
	for _, width := range []int{60, demoWidth} {
		for seed := uint64(1); seed <= 20; seed++ {
			text := story(t, seed, func(told *teller) { told.width = width })
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if n := utf8.RuneCountInString(line); n > width || strings.TrimRight(line, " ") != line {
					t.Errorf("seed %d: %d columns of %d, or blanks at the end: %q", seed, n, width, line)
				}
			}
		}
	}
}

// TestDemoWritesWhatTheScreenCanShow: escapes only where colour is wanted, and ASCII where nothing else is
// understood.
func TestDemoWritesWhatTheScreenCanShow(t *testing.T) {
	t.Setenv("LC_ALL", "en_US.UTF-8")
	beyond := regexp.MustCompile(`[^\n -~]`)
	for _, c := range []struct {
		args            []string
		locale          string
		escapes, beyond bool
	}{
		{args: nil, beyond: true},
		{args: []string{"--color", "always"}, escapes: true, beyond: true},
		{args: []string{"--color", "always", "--plain"}, beyond: true},
		{args: []string{"--ascii"}},
		{args: nil, locale: "C"},
		{args: []string{"--plain"}, locale: "C", beyond: true},
		{args: []string{"--plain", "--ascii"}},
	} {
		if c.locale != "" {
			t.Setenv("LC_ALL", c.locale)
		}
		got := command(t, "", append([]string{"demo", "--fast"}, c.args...)...)
		t.Setenv("LC_ALL", "en_US.UTF-8")
		plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(got.out, "")
		if escapes := plain != got.out; got.status != exitOK || escapes != c.escapes ||
			beyond.MatchString(plain) != c.beyond {
			t.Errorf("%v in %q: status %d, escapes %v, beyond ASCII %v", c.args, c.locale, got.status,
				escapes, beyond.FindString(plain))
		}
	}
}

// TestDemoIsPaced: about a minute and a half, and not at once; with --step at Enter.
func TestDemoIsPaced(t *testing.T) {
	var whole time.Duration
	story(t, 1, func(told *teller) {
		told.paced = asItGoes
		told.pause = func(_ context.Context, d time.Duration) bool {
			whole += d
			return true
		}
	})
	if whole < 75*time.Second || whole > 105*time.Second {
		t.Errorf("it takes %v", whole)
	}
	t.Log(whole)
	stepped := command(t, strings.Repeat("\n", 3), "demo", "--step")
	if n := strings.Count(stepped.err, "[Enter]"); n != 4 || stepped.status != exitOK ||
		!strings.Contains(stepped.out, "The end") {
		t.Errorf("asked %d times for Enter, of which there were 3: status %d", n, stepped.status)
	}
}

// TestDemoStops when it is interrupted, and when nobody reads it any more.
func TestDemoStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	c := &console{in: strings.NewReader(""), out: &stopping{&out, stop}, err: &errs}
	status := run(ctx, []string{"demo"}, c)
	if status != exitError || errs.String() != "balsa: stopped before the end\n" || out.Len() > 200 {
		t.Errorf("status %d, stderr %q, %d bytes", status, errs.String(), out.Len())
	}
	errs.Reset()
	c = &console{in: strings.NewReader(""), out: broken{}, err: &errs}
	if status := run(t.Context(), []string{"demo", "--fast"}, c); status != exitError ||
		errs.String() != "balsa: writing the output: the pipe is closed\n" {
		t.Errorf("status %d, stderr %q", status, errs.String())
	}
}

// stopping is an output during which Ctrl-C is pressed.
type stopping struct {
	io.Writer
	stop context.CancelFunc
}

func (s *stopping) Write(p []byte) (int, error) {
	s.stop()
	return s.Writer.Write(p)
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }
