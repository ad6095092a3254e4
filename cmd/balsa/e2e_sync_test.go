//go:build e2e && linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the kernel is asked for, seen from outside: a write is acknowledged only when the logs of a majority
// have been told to hold it, and have been synced since (§5.3, §5.4).

// called is one call of the kernel that has returned well.
type called struct {
	name, text string // what was called, and with what
	file       string // on which
	began      time.Time
	ended      time.Time
}

// TestE2EAnAcknowledgedWriteIsSyncedOnAMajority runs three nodes under strace, which must be installed.
func TestE2EAnAcknowledgedWriteIsSyncedOnAMajority(t *testing.T) {
	traces := t.TempDir()
	program := filepath.Join(traces, "traced")
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("install strace to run this test: ", err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec strace -f -ttt -T -y -s 65536 -e trace=pwrite64,fdatasync "+
		"-o '%s'/$$ '%s' \"$@\"\n", traces, builtBinary(t))
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	c := newTrioOf(t, program)
	c.leader()
	type write struct {
		value string
		acked time.Time
	}
	var writes []write
	for i := range 50 {
		w := write{value: fmt.Sprintf("a-value-like-no-other-%d.", i)}
		if err := c.put(c.client, "key", w.value); err != nil {
			t.Fatal(err)
		}
		w.acked = time.Now()
		writes = append(writes, w)
	}
	var nodes [][]called
	for _, node := range c.nodes {
		node.stdin.Close() // it is supervised, and stops
		node.status(10 * time.Second)
		nodes = append(nodes, readTrace(t, filepath.Join(traces, strconv.Itoa(node.command.Process.Pid))))
	}
	for _, w := range writes {
		synced := 0
		for _, calls := range nodes {
			if end := syncedWith(calls, w.value); !end.IsZero() && end.Before(w.acked) {
				synced++
			}
		}
		if synced < 2 {
			t.Errorf("%q was acknowledged when %d of 3 logs had been synced with it", w.value, synced)
		}
	}
}

// syncedWith returns when the first sync ended that began after a value had been written to the log; zero if
// none did. So little at a time is synced by fdatasync; where it is much, the kernel is asked otherwise.
func syncedWith(calls []called, value string) time.Time {
	var written called
	for _, c := range calls {
		if c.name == "pwrite64" && written.name == "" && strings.Contains(c.text, value) {
			written = c
		}
	}
	var first time.Time
	for _, c := range calls {
		after := c.file == written.file && !c.began.Before(written.ended)
		if c.name == "fdatasync" && after && (first.IsZero() || c.ended.Before(first)) {
			first = c.ended
		}
	}
	return first
}

// readTrace reads what strace has written of a node: the calls on segments of its log that succeeded. Calls
// that others have come between stand there in two lines.
func readTrace(t *testing.T, file string) (calls []called) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begun := map[string]called{} // by thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 3 {
			continue
		}
		thread := words[0]
		_, rest, _ := strings.Cut(lines.Text(), words[1]+" ")
		c := called{text: rest, began: stamp(words[1])}
		c.name, _, _ = strings.Cut(rest, "(")
		if strings.HasPrefix(rest, "<... ") {
			c = begun[thread]
		} else if strings.HasSuffix(rest, "<unfinished ...>") {
			begun[thread] = c
			continue
		}
		_, named, _ := strings.Cut(c.text, "<")
		c.file, _, _ = strings.Cut(named, ">")
		at := strings.LastIndex(rest, ") = ")
		result, lasted, _ := strings.Cut(rest[max(at, 0):], " <")
		seconds, err := strconv.ParseFloat(strings.TrimSuffix(lasted, ">"), 64)
		if at < 0 || err != nil || strings.HasPrefix(result, ") = -") || !strings.HasSuffix(c.file, ".wal") {
			continue
		}
		c.ended = c.began.Add(time.Duration(seconds * float64(time.Second)))
		calls = append(calls, c)
	}
	if len(calls) == 0 || lines.Err() != nil {
		t.Fatalf("%d calls in %s: %v", len(calls), file, lines.Err())
	}
	return calls
}

// stamp reads seconds since 1970, with microseconds.
func stamp(s string) time.Time {
	whole, part, _ := strings.Cut(s, ".")
	seconds, _ := strconv.ParseInt(whole, 10, 64)
	micro, _ := strconv.ParseInt(part, 10, 64)
	return time.Unix(seconds, micro*1000)
}
