package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"balsa/client"
	"balsa/snapshot"

	"github.com/spf13/cobra"
)

// backupFlags is the command line of backup.
type backupFlags struct {
	at        endpoints
	as        format
	stale     bool
	overwrite bool
	rate      string
}

func backupCommand(c *console) *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the state of the cluster to a file, while it runs",
		Long: `Write the whole state of the cluster, after one entry of its log, to a file: keys, values,
sessions, and the keys of idempotent writes. It holds everything that was acknowledged
before the command began. Any node can give it and goes on serving meanwhile.

The file says itself what it is: of which cluster, after which entry, and with checksums
from end to end. It is written aside, verified, and only then given its name: there is
never a FILE that is not whole. Nothing of a backup that broke off is kept. See also
balsa snapshot inspect FILE and balsa restore.`,
		Example: `  balsa backup monday.backup
  balsa backup monday.backup --rate 20MiB --endpoints 127.0.0.1:8002`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.as.check(); err != nil {
				return err
			}
			return c.backup(cmd.Context(), f, args[0])
		},
	}
	f.at.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.stale, "stale", false,
		"take what the node that is asked has applied, without asking the leader what it should have")
	cmd.Flags().StringVar(&f.rate, "rate", "", "how much is sent in a second, as in 20MiB; default: no bound")
	cmd.Flags().BoolVar(&f.overwrite, "overwrite", false, "replace FILE, once the new one is whole")
	f.as.register(cmd.Flags(), "table")
	return cmd
}

// backup takes a backup and says what it holds.
func (c *console) backup(ctx context.Context, f backupFlags, file string) error {
	rate := int64(0)
	if f.rate != "" {
		var err error
		if rate, err = parseSize(f.rate); err != nil {
			return fail(exitUsage, "--rate: %w", err)
		}
	}
	fate, err := f.writable(file)
	if err != nil {
		return err
	}
	cluster, err := f.at.client()
	if err != nil {
		return err
	}
	defer cluster.Close()
	aside, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.part")
	if err != nil {
		return fail(exitError, "%w: %s", err, fate)
	}
	defer os.Remove(aside.Name()) // when it has its name already this does nothing
	var options []client.ReadOption
	if f.stale {
		options = append(options, client.Stale(0))
	}
	got, err := c.fetch(ctx, cluster, aside, rate, options)
	if err != nil {
		return fated(ctx, err, fate)
	}
	shown, err := c.verifyBackup(ctx, aside.Name(), got)
	if err != nil {
		return fated(ctx, err, fate)
	}
	if err := publish(aside.Name(), file); err != nil {
		return fail(exitError, "%w: %s", err, fate)
	}
	shown.File = file
	return c.tookBackup(f.as, shown, got)
}

// writable checks that a backup can get its name, and returns what is to be said of it when it does not.
func (f backupFlags) writable(file string) (fate string, err error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(file)); err != nil {
			return "", fail(exitUsage, "there is no directory %s: make it first", filepath.Dir(file))
		}
		return file + " was not made", nil
	case err != nil:
		return "", fail(exitError, "%w", err)
	case info.IsDir():
		return "", fail(exitUsage, "%s is a directory: name a file in it", file)
	case !f.overwrite:
		return "", fail(exitPrecondition, "%s exists: name another file, or add --overwrite", file)
	}
	return file + " is as it was", nil
}

// fated is an error together with what became of the file.
func fated(ctx context.Context, err error, fate string) error {
	if ctx.Err() != nil {
		return fail(exitError, "interrupted: %s", fate)
	}
	if !errors.As(err, new(failure)) {
		err = clientError(err)
	}
	return fail(exitStatus(err), "%w: %s", err, fate)
}

// fetch has a node write its state into a file, and syncs it.
func (c *console) fetch(ctx context.Context, cluster *client.Client, to *os.File, rate int64,
	options []client.ReadOption) (client.Backup, error) {
	told := &toldWriter{to: to, c: c, began: time.Now()}
	got, err := cluster.Backup(ctx, told, rate, options...)
	told.end()
	if err == nil {
		err = to.Sync()
	}
	return got, errors.Join(err, to.Close())
}

// toldWriter says how much has been written, when it takes long.
type toldWriter struct {
	to    io.Writer
	c     *console
	began time.Time
	n     int64
	bar   *progress // nil: not for so long yet
}

func (w *toldWriter) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	w.n += int64(n)
	if w.bar == nil && time.Since(w.began) > time.Second {
		w.bar = w.c.progress("backup", "MiB", 0)
		w.bar.began = w.began
	}
	if w.bar != nil {
		w.bar.at(uint64(w.n/mebibyte), "")
	}
	return n, err
}

func (w *toldWriter) end() {
	if w.bar != nil {
		w.bar.end()
	}
}

// verifyBackup reads a backup from end to end as it stands on the disk.
func (c *console) verifyBackup(ctx context.Context, file string, got client.Backup) (*shownSnapshot, error) {
	shown, err := c.readFile(ctx, "verify", file)
	if err != nil {
		return nil, err
	}
	if shown.Index != got.Index || shown.Term != got.Term || shown.Size != got.Bytes {
		return nil, fail(exitViolation, "node %d said that it sends index %d of term %d, and sent index %d "+
			"of term %d", got.Node, got.Index, got.Term, shown.Index, shown.Term)
	}
	return shown, nil
}

// readFile verifies a snapshot or backup and reads what it holds.
func (c *console) readFile(ctx context.Context, verb, file string) (*shownSnapshot, error) {
	dir, err := c.look(ctx, verb, filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer dir.end()
	name := filepath.Base(file)
	dir.expect(name, 2*dir.sizes([]string{name})[name])
	shown, found := readSnapshot(dir, name)
	if stop := unreadable(found); stop != nil {
		return nil, stop
	}
	if damage := (*snapshot.Damage)(nil); errors.As(found, &damage) {
		found = fail(exitViolation, "%s at byte %d: %s: %s", file, damage.Offset, damage.What, doOther)
	} else {
		found = snapshotError(found)
	}
	return shown, found
}

// publish gives a file that is durable its name.
func publish(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system can
	return dir.Close()
}

// tookBackup prints what a backup holds.
func (c *console) tookBackup(as format, shown *shownSnapshot, got client.Backup) error {
	if as == "json" {
		return outputError(c.json(struct {
			*shownSnapshot
			Node   uint64 `json:"node"` // that gave it
			Digest string `json:"sha256"`
		}{shown, got.Node, got.Digest}))
	}
	rows := append(shown.rows(), []string{"sha256", got.Digest}, []string{"given by",
		fmt.Sprintf("node %d, %s", got.Node, got.Endpoint)})
	return outputError(c.table(as, []string{"WHAT", "VALUE"}, rows))
}
