package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// task is what one process measures. It is passed as JSON.
type task struct {
	System, Workload string
	Dir              string
	Effort           effort
}

// perform does a task in this process, and prints the figure.
func perform(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	s, known := systemNamed(t.System)
	w, knownToo := workloadNamed(t.Workload)
	if !known || !knownToo {
		return fmt.Errorf("no such task: %s", text)
	}
	f, err := w.measure(s, t.Dir, t.Effort)
	if err != nil {
		f.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// limit bounds the time of a task: a library that hangs must not hang the run.
func (t task) limit() time.Duration {
	return 2*patience + 2*t.Effort.duration() + time.Duration(t.Effort.Entries)*200*time.Microsecond +
		time.Duration(t.Effort.Kills)*patience
}

// delegate has a process of its own do a task, in a directory that is removed afterwards. Whatever goes wrong
// there is the figure's error.
func delegate(ctx context.Context, t task, base, profile string) figure {
	dir, err := os.MkdirTemp(base, "bench-"+t.System+"-")
	if err != nil {
		return figure{Error: err.Error()}
	}
	defer os.RemoveAll(dir)
	t.Dir = dir
	text, err := json.Marshal(t)
	if err != nil {
		return figure{Error: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	var more []string
	if profile != "" {
		more = append(more, profileVariable+"="+profile)
	}
	var f figure
	err = ask(ctx, &f, more, "-task", string(text))
	switch {
	case ctx.Err() != nil:
		return figure{Error: fmt.Sprintf("not done after %v", t.limit())}
	case err != nil:
		return figure{Error: err.Error()}
	}
	return f
}

// ask starts this program anew, with more variables in its environment, and decodes what it prints. The error
// is why it ended without that.
func ask(ctx context.Context, answer any, environment []string, args ...string) error {
	cmd, err := again(ctx, args...)
	if err == nil {
		_, err = cmd.StdinPipe() // see endWith
	}
	if err != nil {
		return err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.Env = append(os.Environ(), environment...)
	out, err := cmd.Output()
	if decodeErr := json.Unmarshal(out, answer); decodeErr != nil {
		return errors.New(lastWords(complaints.String(), errors.Join(err, decodeErr)))
	}
	return nil
}

// again starts this program anew.
func again(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// endWith ends this process when its input does: then the one that started it has ended, however that came.
func endWith(input io.Reader) {
	go func() {
		_, _ = io.Copy(io.Discard, input)
		os.Exit(1)
	}()
}

// lastWords finds in what a process wrote why it ended.
func lastWords(text string, err error) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return strings.TrimSpace(line)
		}
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); first != "" {
		return first
	}
	return err.Error()
}
