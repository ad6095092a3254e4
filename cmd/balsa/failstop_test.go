package main

import (
	"bytes"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"

	"github.com/spf13/pflag"
)

// A node that cannot persist stops rather than answers, and the process says so: it exits with 1 and with the
// first error.
func TestAFailingDiskEndsTheProcess(t *testing.T) {
	memory := disk.NewMemory()
	dir, err := memory.Open()
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is on fire")
	out := &alarm{ring: func() { // from the moment on at which it says that it is ready
		memory.Intercept(func(call disk.Call) error {
			if call.Operation == disk.OpSync {
				return broken
			}
			return nil
		})
	}}
	var logs bytes.Buffer
	err = serve(t.Context(), &console{in: strings.NewReader(""), out: out, err: &logs}, settings{
		node: balsa.Config{ID: 1, Disk: dir, Peers: map[raft.NodeID]string{1: "127.0.0.1:0"}},
		http: "127.0.0.1:0",
	})
	if !signal.Ignored(syscall.SIGPIPE) {
		t.Error("a reader of its lines that goes away ends the node")
	}
	if exitStatus(err) != exitError || !errors.Is(err, broken) {
		t.Errorf("status %d: %v\n%s", exitStatus(err), err, &logs)
	}
	if !strings.HasPrefix(out.String(), "ready: ") || !strings.Contains(logs.String(), broken.Error()) {
		t.Errorf("stdout %q, stderr %q", out, &logs)
	}
}

// alarm rings when something is written to it.
type alarm struct {
	bytes.Buffer
	ring func()
}

func (a *alarm) Write(p []byte) (int, error) {
	a.ring()
	return a.Buffer.Write(p)
}

// The timing is the origin's unless a flag says otherwise.
func TestDefaultTiming(t *testing.T) {
	for _, c := range []struct {
		flags                     []string
		heartbeat, least, longest time.Duration
	}{
		{nil, 150 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond},
		{[]string{"--heartbeat", "20ms", "--election-timeout", "1s..2s"}, 20 * time.Millisecond, time.Second,
			2 * time.Second},
	} {
		var f serveFlags
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		f.register(flags)
		if err := flags.Parse(append(serveArgs()[1:], c.flags...)); err != nil {
			t.Fatal(err)
		}
		s, err := f.settings()
		n := s.node
		if err != nil || n.Heartbeat != c.heartbeat || n.ElectionMin != c.least ||
			n.ElectionMax != c.longest {
			t.Errorf("%v: %v, %v, %v..%v", c.flags, err, n.Heartbeat, n.ElectionMin, n.ElectionMax)
		}
	}
}
