package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestMain lets the processes that a measurement starts, which are this test's binary, do their work.
func TestMain(m *testing.M) {
	own := []string{"-task", "-fill", "-node", "-setting"}
	if len(os.Args) == 3 && slices.Contains(own, os.Args[1]) {
		if err := start(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestProcesses measures a little of each kind, in processes as a run does.
func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("opens clusters on a disk")
	}
	little := effort{Seconds: 0.1, Entries: 500, Kills: 1}
	for _, name := range []string{"w16", "reads", "lease", "restart", "failover"} {
		t.Run(name, func(t *testing.T) {
			f := delegate(t.Context(), task{System: ours, Workload: name, Effort: little}, t.TempDir(), "")
			if f.Error != "" || f.P50 <= 0 || f.P999 < f.P50 {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestAFailureIsAFigure keeps one library's end from ending the run.
func TestAFailureIsAFigure(t *testing.T) {
	f := delegate(t.Context(), task{System: "no such system", Workload: "w1"}, t.TempDir(), "")
	if f.Error == "" {
		t.Errorf("%+v", f)
	}
}

func TestLastWords(t *testing.T) {
	err := fmt.Errorf("exit status 2")
	for text, want := range map[string]string{
		"":                                      "exit status 2",
		"a line\nanother":                       "a line",
		"noise\npanic: it broke\n\ngoroutine 1": "panic: it broke",
	} {
		if got := lastWords(text, err); got != want {
			t.Errorf("%q ends with %q, want %q", text, got, want)
		}
	}
}
