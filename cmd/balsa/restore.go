package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"balsa"
	"balsa/disk"
	"balsa/snapshot"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// founderFlags says which node a new cluster begins with.
type founderFlags struct {
	id, data, raft, http, advertise string
}

func (f *founderFlags) register(flags *pflag.FlagSet, data, raft string) {
	flags.StringVar(&f.id, "id", "", "the node's id, a whole number from 1 on (required)")
	flags.StringVar(&f.data, "data", "", data)
	flags.StringVar(&f.raft, "raft", "", raft)
	flags.StringVar(&f.http, "http", "", "address for clients, as in 127.0.0.1:8001, told to the others")
	flags.StringVar(&f.advertise, "advertise-http", "",
		"URL at which clients reach the node, told to the others; default: http:// and --http")
}

// founder reads the flags. The address for peers may be missing.
func (f *founderFlags) founder(wrong *mistakes) balsa.Founder {
	founder := balsa.Founder{Address: f.raft, Codec: compression{}}
	if f.id == "" {
		wrong.add("--id is missing: give the node a number, as in --id 1")
	} else if id, err := parseID(f.id); err != nil {
		wrong.add("--id: %w", err)
	} else {
		founder.ID = id
	}
	if f.data == "" {
		wrong.add("--data is missing: name the data directory, as in --data node1")
	}
	for _, address := range []struct{ flag, value string }{{"--raft", f.raft}, {"--http", f.http}} {
		if address.value == "" {
			continue
		}
		if _, _, err := splitAddress(address.value); err != nil {
			wrong.add("%s: %w", address.flag, err)
		}
	}
	var config balsa.Config
	(&serveFlags{http: f.http, advertise: f.advertise}).checkAdvertise(&config, wrong)
	founder.API = config.API
	return founder
}

func restoreCommand(c *console) *cobra.Command {
	var f founderFlags
	var as format
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Found a new cluster from a backup",
		Long: `Make a data directory from a backup: that of the first node of a new cluster, whose state
is that of the backup, with the same sessions. No node may run there, and DIR must be
empty or missing; FILE stays as it is, and is read from end to end first.

The new cluster has an id of its own, in which random bits are mixed: nodes of the old one
are refused by it, and refuse it. Start the node with balsa serve, without --peers; the
others join it with empty directories.

Until the last step is durable, the directory holds a file that says so, and no node starts
there. After a crash, give the same command once more.

Exit status: 0 it is made, 7 FILE is damaged, 2 the command line is wrong or DIR is not
empty, 1 anything else.`,
		Example: `  balsa restore monday.backup --data node1 --id 1 --raft 127.0.0.1:7001
  balsa serve --data node1 --id 1 --http 127.0.0.1:8001`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong mistakes
			founder := f.founder(&wrong)
			if f.raft == "" {
				wrong.add("--raft is missing: say where peers will reach the node, as in " +
					"--raft 127.0.0.1:7001")
			}
			if err := errors.Join(as.check(), joined(exitUsage, wrong)); err != nil {
				return err
			}
			return c.restore(cmd.Context(), as, args[0], f.data, founder)
		},
	}
	f.register(cmd.Flags(), "the data directory to make (required)",
		"address for peers, as in 127.0.0.1:7001 (required)")
	as.register(cmd.Flags(), "table")
	return cmd
}

// restore founds a cluster from a backup that was found good.
func (c *console) restore(ctx context.Context, as format, file, data string, founder balsa.Founder) error {
	if err := meansToBeSnapshot(file); err != nil {
		return err
	}
	if err := vacant(data); err != nil {
		return err
	}
	shown, err := c.readFile(ctx, "restore", file)
	if err != nil {
		return fail(exitStatus(err), "%w: %s was not touched", err, data)
	}
	from, err := disk.Look(filepath.Dir(file))
	if err != nil {
		return fail(exitError, "%w", err)
	}
	backup, err := snapshot.View(from, filepath.Base(file), compression{})
	if err != nil {
		return snapshotError(err)
	}
	defer backup.Close()
	dir, err := disk.OS(data)
	if err != nil {
		return fail(exitError, "%w", err)
	}
	made, err := balsa.Restore(dir, founder, backup)
	if err := errors.Join(err, dir.Close()); err != nil {
		return unmade(err, data)
	}
	return c.madeOf(as, shown, data, founder, made)
}

// unmade says what became of a directory that was not made.
func unmade(err error, data string) error {
	if errors.Is(err, balsa.ErrNotEmpty) {
		return fail(exitUsage, "%s: %w: name one that is empty or missing", data, err)
	}
	return fail(exitError, "%w: %s is not finished, and no node starts there: give the same command once "+
		"more when the cause is gone", err, data)
}

// vacant refuses a directory in which there is anything, unless an earlier restore was cut short there.
func vacant(data string) error {
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fail(exitError, "%w", err)
	}
	there := ""
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "restore.unfinished"):
			return nil
		case e.Name() != "lock":
			there = e.Name()
		}
	}
	if there != "" {
		return fail(exitUsage, "%s is not empty, %s is there: name a directory that is empty or missing",
			data, there)
	}
	return nil
}

// madeOf prints what was founded.
func (c *console) madeOf(as format, shown *shownSnapshot, data string, founder balsa.Founder,
	made balsa.Founded) error {
	rows := [][]string{
		{"directory", data},
		{"node", founder.ID.String()},
		{"cluster", made.Cluster.String()},
		{"made of cluster", shown.Cluster},
		{"last entry", fmt.Sprintf("index %d of term %d", made.Last.Index, made.Last.Term)},
	}
	if h := shown.Holds; h != nil {
		rows = append(rows, []string{"keys", number(h.Keys)}, []string{"sessions", fmt.Sprint(h.Sessions)})
	}
	return c.founded(as, rows, map[string]any{"directory": data, "node": founder.ID,
		"cluster": made.Cluster.String(), "last_index": made.Last.Index, "last_term": made.Last.Term,
		"made_of_cluster": shown.Cluster}, data, founder)
}

// founded prints a new directory, and what to do next.
func (c *console) founded(as format, rows [][]string, all map[string]any, data string,
	founder balsa.Founder) error {
	var err error
	if as == "json" {
		err = c.json(all)
	} else {
		err = c.table(as, []string{"WHAT", "VALUE"}, rows)
	}
	if err != nil {
		return outputError(err)
	}
	fmt.Fprintf(c.err, "start it without --peers: balsa serve --id %v --data %s --http HOST:PORT\n"+
		"then let others join, with empty directories: balsa serve --id N --data DIR --raft HOST:PORT "+
		"--http HOST:PORT --join http://HOST:PORT\n", founder.ID, data)
	return nil
}
