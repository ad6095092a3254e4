package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os/signal"
	"strconv"
	"syscall"

	"balsa/disk"
	"balsa/raft"
	"balsa/wal"

	"github.com/spf13/cobra"
)

func logCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "log",
		Short:   "Look at the log of a node in its data directory",
		Example: "  balsa log dump data --from 100",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "unknown command %q of log: write dump", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(logDumpCommand(c))
	return cmd
}

// dump is a command line of log dump.
type dump struct {
	from, to entryNumber
	all      bool
	output   format
}

func logDumpCommand(c *console) *cobra.Command {
	var d dump
	cmd := &cobra.Command{
		Use:   "dump DIR",
		Short: "Print the entries of a node's log",
		Long: `Print the log in the data directory of a node, an entry a line: index, term, kind, log
time, bytes of the command, and what it says. Entries that later ones have replaced, or
that a snapshot has made needless, are left out.

With --all everything is printed in the order in which it was written: segments, hard
states, starts of the node, what it knows of its peers, entries that do not count any
more. The first column then says where it stands: segment and byte, and the batch.

Nothing is written, nothing is locked, and a node may be running.

Exit status: 0 the log is good, 7 it is damaged (what stands before that is printed), 2
there is no data directory, 1 it cannot be read.`,
		Example: `  balsa log dump data --from 100 --to 200
  balsa log dump data -o json | jq -c '.[] | select(.kind == "session")'
  balsa log dump data --all | tail`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.check(); err != nil {
				return err
			}
			signal.Ignore(syscall.SIGPIPE) // whoever reads as much as he wants, and goes, is no failure
			err := d.run(cmd, c, args[0])
			if errors.Is(err, syscall.EPIPE) {
				return nil
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.Var(&d.from, "from", "the first index to print")
	flags.Var(&d.to, "to", "the last index to print")
	flags.BoolVar(&d.all, "all", false, "print everything that was written, and where it stands")
	d.output.register(flags, "table")
	return cmd
}

// entryNumber is an index on the command line; 0 says that none was given.
type entryNumber uint64

// String is empty for none.
func (n *entryNumber) String() string {
	if *n == 0 {
		return ""
	}
	return number(uint64(*n))
}

// Type is the word for the value in the help.
func (n *entryNumber) Type() string { return "index" }

// Set takes what was written.
func (n *entryNumber) Set(text string) error {
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil || v == 0 {
		return errors.New("write the index of an entry, from 1 on")
	}
	*n = entryNumber(v)
	return nil
}

// check names what is wrong with the flags.
func (d *dump) check() error {
	var wrong []error
	if err := d.output.check(); err != nil {
		wrong = append(wrong, err)
	}
	if d.to == 0 {
		d.to = math.MaxUint64
	}
	if d.to < d.from {
		wrong = append(wrong, fail(exitUsage, "--to is %d, below --from, %d: write the smaller index first",
			d.to, d.from))
	}
	return joined(exitUsage, wrong)
}

// run reads the log twice: first to learn what of it counts, then to print it.
func (d *dump) run(cmd *cobra.Command, c *console, path string) error {
	dir, err := c.look(cmd.Context(), "read", path)
	if err != nil {
		return err
	}
	defer dir.end()
	names, err := dir.List()
	if err != nil {
		return fail(exitError, "%w", err)
	}
	if empty(names) {
		return notData(path, names)
	}
	for name, size := range dir.sizes(names) {
		if isSegment(name) {
			dir.expect(name, 2*size)
		}
	}
	h, recovered, damage := weigh(dir, path)
	if stop := unreadable(damage); stop != nil {
		return stop
	}
	if isTerminal(c.out) {
		dir.end() // the line would stand among those of the log
	}
	out := bufio.NewWriterSize(c.out, 1<<16)
	p := &printer{dump: d, out: out, history: h}
	p.begin()
	_, again := wal.Walk(dir, p.take) // ends where the first one did
	p.end()
	dir.end()
	if err := errors.Join(p.err, out.Flush()); err != nil {
		return outputError(err)
	}
	if damage == nil && !errors.Is(again, errEnough) {
		damage = again
	}
	if h.before > 0 {
		fmt.Fprintf(c.err, "the log begins behind index %d: a snapshot includes what came before\n", h.before)
	}
	if recovered.Torn > 0 {
		fmt.Fprintf(c.err, "%s follow of a last write that was never synced\n", bytesOf(recovered.Torn))
	}
	if held, err := disk.InUse(path); held && err == nil {
		fmt.Fprintf(c.err, "a node runs in %s: what it has written since is not part of this\n", path)
	}
	return d.outcome(path, damage)
}

// weigh learns what of a log counts. Beside a running node, damage is looked at again: the node may have been
// writing there.
func weigh(dir *watched, path string) (h *history, r wal.Recovered, err error) {
	for range readings {
		h = &history{}
		r, err = wal.Walk(dir, h.take)
		if held, _ := disk.InUse(path); err == nil || !held {
			break
		}
	}
	return h, r, err
}

// outcome gives what is wrong with the log of a directory its exit status, and says what to do.
func (d *dump) outcome(path string, err error) error {
	stop := unreadable(err)
	switch {
	case err == nil, stop != nil:
		return stop
	case errors.Is(err, wal.ErrCorrupt):
		return fail(exitViolation, "%s", advise(err.Error(), doVerify(path)))
	}
	return fail(exitError, "%w", err)
}

// history is what of a log counts in the end: which batches took entries away that stood before them.
type history struct {
	batches uint64 // how many there are
	last    raft.Index
	before  raft.Index // what a snapshot has made needless, up to it
	cuts    []cut
}

// cut is a batch that takes away every entry from an index on that stands before it.
type cut struct {
	batch uint64
	from  raft.Index
}

// take notes a batch.
func (h *history) take(p wal.Piece) error {
	h.batches, h.before = max(h.batches, p.Batch), max(h.before, p.Before.Index)
	if p.Restart {
		h.cuts, h.last = append(h.cuts, cut{p.Batch, 0}), p.Before.Index
	}
	if len(p.Entries) == 0 {
		return nil
	}
	if first := p.Entries[0].Index; first <= h.last {
		h.cuts = append(h.cuts, cut{p.Batch, first})
	}
	h.last = p.Entries[len(p.Entries)-1].Index
	return nil
}

// fate says why an entry of a batch counts no more; "" if it does.
func (h *history) fate(batch uint64, index raft.Index) string {
	for i := len(h.cuts) - 1; i >= 0 && h.cuts[i].batch > batch; i-- {
		if h.cuts[i].from <= index {
			return "replaced"
		}
	}
	if index <= h.before {
		return "released"
	}
	return ""
}
