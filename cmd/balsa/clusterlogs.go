package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func clusterLogs(c *console) *cobra.Command {
	var data string
	var follow bool
	var tail int
	cmd := &cobra.Command{
		Use:   "logs [N...]",
		Short: "Show the nodes' logs together, each node in its colour",
		Long: `Show the nodes' logs, of all nodes or of those that are named, in the order of their
times. They can be read when the cluster does not run, too. With --follow, go on until
Ctrl-C.`,
		Example: `  balsa cluster logs -f
  balsa cluster logs 2 --tail 10`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := logIDs(data, args)
			if err != nil {
				return err
			}
			if tail < 0 {
				return fail(exitUsage, "--tail is %d: give the number of lines for each node, 0 or more",
					tail)
			}
			return c.showLogs(cmd.Context(), data, ids, tail, follow)
		},
	}
	registerData(cmd.Flags(), &data)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as the nodes write")
	cmd.Flags().IntVar(&tail, "tail", 50, "how many lines of each node to begin with")
	return cmd
}

// logIDs returns the nodes whose logs are meant: those that are named, or all.
func logIDs(data string, args []string) ([]int, error) {
	known, err := readNote(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitNotFound, "there is no cluster in %s: balsa cluster start%s starts one", data,
			dataFlag(data))
	}
	if err != nil {
		return nil, notRunning(err, data)
	}
	if len(args) == 0 {
		return known.Plan.all(), nil
	}
	ids, err := parseIDs(args)
	if err != nil {
		return nil, err
	}
	return ids, known.Plan.check(ids)
}

// showLogs prints the ends of the logs, merged, and then what comes.
func (c *console) showLogs(ctx context.Context, data string, ids []int, tail int, follow bool) error {
	var logs []*followed
	for _, id := range ids {
		l := &followed{id: id, path: logPath(data, id)}
		defer l.close()
		lines, err := l.more()
		if err != nil {
			return fail(exitError, "%w", err)
		}
		l.waiting = lines[max(0, len(lines)-tail):]
		logs = append(logs, l)
	}
	for {
		if err := c.printMerged(logs); err != nil {
			return outputError(err)
		}
		if !follow || !pauseFor(ctx, 100*time.Millisecond) {
			return nil
		}
		for _, l := range logs {
			lines, err := l.more()
			if err != nil {
				return fail(exitError, "%w", err)
			}
			l.waiting = lines
		}
	}
}

// printMerged prints the lines that wait, the earliest first. Lines tell the time of day and no date, so
// around midnight the order of two nodes may be wrong; that of one node never is.
func (c *console) printMerged(logs []*followed) error {
	out := bufio.NewWriter(c.out)
	for {
		var first *followed
		for _, l := range logs {
			if len(l.waiting) > 0 && (first == nil || l.time() < first.time()) {
				first = l
			}
		}
		if first == nil {
			return out.Flush()
		}
		line := strings.TrimPrefix(first.waiting[0], nodeName(first.id))
		fmt.Fprintln(out, c.nodeColor(c.out, first.id, nodeName(first.id))+line)
		first.waiting = first.waiting[1:]
	}
}

// followed is a log that is read while it grows.
type followed struct {
	id      int
	path    string
	file    *os.File
	rest    string   // of a line whose end is not written yet
	waiting []string // lines to be printed
	last    string   // the time of the last line that told one
}

// time is the time of day of the first line that waits. One that tells none belongs to the line before it.
func (l *followed) time() string {
	const form = "15:04:05.000"
	line := strings.TrimPrefix(l.waiting[0], nodeName(l.id))
	if len(line) >= len(form) {
		if _, err := time.Parse(form, line[:len(form)]); err == nil {
			l.last = line[:len(form)]
		}
	}
	return l.last
}

// more returns the lines that came since the last call. A file that does not exist yet has none; one that
// was replaced, because it was full or because the cluster was removed, is read from its beginning.
func (l *followed) more() ([]string, error) {
	if l.file == nil {
		file, err := os.Open(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		l.file = file
	}
	text, err := io.ReadAll(l.file)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(l.rest+string(text), "\n")
	l.rest = lines[len(lines)-1]
	if len(text) == 0 && l.replaced() {
		l.close()
		l.rest = ""
	}
	return lines[:len(lines)-1], nil
}

func (l *followed) replaced() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return true
	}
	now, err := os.Stat(l.path)
	return err != nil || !os.SameFile(ours, now)
}

func (l *followed) close() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}
