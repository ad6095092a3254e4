package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"balsa/disk"

	"github.com/spf13/cobra"
)

func verifyCommand(c *console) *cobra.Command {
	var as format
	cmd := &cobra.Command{
		Use:   "verify DIR|FILE",
		Short: "Read a node's data directory, or a backup, from end to end, and say what is damaged",
		Long: `Read everything in the data directory of a node and check it: both copies of the identity,
every segment of the log and every batch in it, every snapshot with what it holds, and
whether the log reaches back to the snapshots. Nothing is written, and nothing is locked.

Of a FILE, a backup or a snapshot that was copied, everything is read and checked that a
node would read.

A last write that a power cut tore is no damage: the next start cuts it off.

Beside a node that runs, files change while they are read: what looks damaged is read
again, and counts only if it is still there.

Exit status: 0 nothing is damaged, 7 something is (one line for each, with what to do),
2 there is no data directory, 1 it could not be read, a later version has written it, or
a running node changed it too fast to judge.`,
		Example: `  balsa verify data
  balsa verify .balsa/dev/1 -o json
  balsa verify monday.backup`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			return c.verify(cmd.Context(), as, args[0])
		},
	}
	as.register(cmd.Flags(), "table")
	return cmd
}

// verdict is what verify has found, as JSON.
type verdict struct {
	Directory string        `json:"directory"`
	Good      bool          `json:"good"`   // nothing is damaged
	InUse     bool          `json:"in_use"` // by a running node
	Node      uint64        `json:"node,omitempty"`
	Cluster   string        `json:"cluster,omitempty"`
	Starts    uint64        `json:"starts,omitempty"` // of the node, so far
	Term      uint64        `json:"term,omitempty"`
	Log       *shownLog     `json:"log,omitempty"` // when all of it is good
	Files     []checkedFile `json:"files"`
	Findings  []finding     `json:"findings"`
	Bytes     int64         `json:"bytes_read"`
}

// shownLog is where a log begins and ends.
type shownLog struct {
	After uint64 `json:"begins_after"` // index of the entry that it begins behind
	First uint64 `json:"first_index"`  // 0: there are no entries
	Last  uint64 `json:"last_index"`
	Torn  int64  `json:"torn_bytes"` // of a last write that was never synced
}

// checkedFile is one file and what became of it.
type checkedFile struct {
	Name   string `json:"file"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Size   int64  `json:"size"`
}

// finding is one thing that is damaged: where, what, and what to do.
type finding struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	What   string `json:"what"`
	Do     string `json:"do"`
}

// String is a finding as one sentence.
func (f finding) String() string {
	return fmt.Sprintf("%s at byte %d: %s: %s", f.File, f.Offset, f.What, f.Do)
}

// readings is how often a directory is read that a running node changes meanwhile.
const readings = 3

// verify reads a directory and says what it found.
func (c *console) verify(ctx context.Context, as format, path string) error {
	began := time.Now()
	if isFile(path) {
		v, err := c.verifyFile(ctx, path)
		if err != nil {
			return err
		}
		return c.judged(as, v, time.Since(began))
	}
	if _, err := c.look(ctx, "verify", path); err != nil {
		return err
	}
	v, err := settled(path, func() (*verdict, error) { return c.verifyOnce(ctx, path) })
	if err != nil {
		return err
	}
	return c.judged(as, v, time.Since(began))
}

// settled reads a directory, more than once if a running node may have changed what was read.
func settled(path string, read func() (*verdict, error)) (*verdict, error) {
	var last *verdict
	said := ""
	for range readings {
		before, err := disk.InUse(path)
		if err != nil {
			return nil, unreadableLock(path, err)
		}
		v, err := read()
		if err != nil {
			return nil, err
		}
		after, err := disk.InUse(path)
		if err != nil {
			return nil, unreadableLock(path, err)
		}
		v.InUse = before || after
		if v.Good || !v.InUse {
			return v, nil
		}
		said = v.Findings[0].String()
		if last != nil && v.confirms(last) {
			return v, nil
		}
		last = v
	}
	return nil, fail(exitError, "a node runs in %s and changed what was read each of %d times, the last "+
		"time %s: stop the node, or verify a copy of the directory", path, readings, said)
}

// unreadableLock says why it is not known whether a node runs.
func unreadableLock(path string, err error) error {
	if stop := unreadable(err); stop != nil {
		return stop
	}
	return fail(exitError, "whether a node runs in %s cannot be told: %w", path, err)
}

// confirms reports whether something was found that was found before. It then leaves out what was not: that
// may be a file that changed while it was read.
func (v *verdict) confirms(earlier *verdict) bool {
	known := func(f finding) bool { return slices.Contains(earlier.Findings, f) }
	if !slices.ContainsFunc(v.Findings, known) {
		return false
	}
	for _, f := range v.Findings {
		at := slices.IndexFunc(v.Files, func(file checkedFile) bool { return file.Name == f.File })
		if !known(f) && at >= 0 {
			v.Files[at].State, v.Files[at].Detail = "changing", "the node changed it while it was read"
		}
	}
	v.Findings = slices.DeleteFunc(v.Findings, func(f finding) bool { return !known(f) })
	return true
}

// judged prints a verdict and makes it an exit status.
func (c *console) judged(as format, v *verdict, took time.Duration) error {
	var err error
	if as == "json" {
		err = c.json(v)
	} else {
		rows := [][]string{}
		for _, f := range v.Files {
			rows = append(rows, []string{f.Name, f.State, f.Detail})
		}
		err = c.table(as, []string{"FILE", "STATE", "DETAIL"}, rows)
	}
	if err != nil {
		return outputError(err)
	}
	if v.InUse {
		fmt.Fprintf(c.err, "a node runs in %s: what it has written since is not part of this\n", v.Directory)
	}
	fmt.Fprintf(c.err, "read %s in %.1fs\n", bytesOf(v.Bytes), took.Seconds())
	if v.Good {
		fmt.Fprintln(c.err, "nothing is damaged")
		return nil
	}
	var wrong []error
	for _, f := range v.Findings {
		wrong = append(wrong, errors.New(f.String()))
	}
	return joined(exitViolation, wrong)
}
