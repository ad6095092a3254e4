package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/wal"

	"github.com/spf13/cobra"
)

func recoverCommand(c *console) *cobra.Command {
	var f founderFlags
	var as format
	var understood bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "After the loss of a majority: found a new cluster from one node's data",
		Long: `Make of the data directory of one node the first node of a new cluster. This is for the
case that a majority of the voters is lost FOR GOOD, and for no other: a majority that
comes back, or a backup, is better.

What it costs: writes that were acknowledged and never came to this node are lost, and
nobody can tell which. Its last entries may never have been acknowledged; all of them are
kept, and count as written. Of several nodes that are left, recover the one with the latest
last entry (the highest term, then the highest index): balsa log dump shows it.

Before: make sure that no other node of the old cluster runs, or will be started again. The
new cluster has an id of its own, so that they refuse each other; but clients could write
to both.

The node must not run. Its old files stay, as before-CLUSTER-NAME beside the new ones. Until
the last step is durable, the directory holds a file that says so, and no node starts there;
after a crash, give the same command once more.

Exit status: 0 it is made, 4 it was not confirmed and nothing was changed, 7 the data is
damaged, 2 the command line is wrong, 1 anything else.`,
		Example: `  balsa recover --data node2 --id 2 --raft 127.0.0.1:7002
  balsa serve --data node2 --id 2 --http 127.0.0.1:8002`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			var wrong mistakes
			founder := f.founder(&wrong)
			if err := errors.Join(as.check(), joined(exitUsage, wrong)); err != nil {
				return err
			}
			return c.recover(as, f.data, founder, understood)
		},
	}
	f.register(cmd.Flags(), "the data directory of the node that is left (required)",
		"address for peers; default: the one that the cluster knew")
	cmd.Flags().BoolVar(&understood, "i-understand-that-acknowledged-writes-may-be-lost", false,
		"do not ask whether that is understood")
	as.register(cmd.Flags(), "table")
	return cmd
}

// recover makes a new cluster of what is left of the old one, when a person has said that it is meant.
func (c *console) recover(as format, data string, founder balsa.Founder, understood bool) error {
	if _, err := os.Stat(data); err != nil {
		return fail(exitUsage, "%w: name the data directory of the node that is left", err)
	}
	dir, err := disk.OS(data)
	if err != nil {
		return fail(exitError, "%w", err)
	}
	err = c.recoverIn(dir, as, data, founder, understood)
	return errors.Join(err, dir.Close())
}

func (c *console) recoverIn(dir disk.Dir, as format, data string, founder balsa.Founder,
	understood bool) error {
	had, err := balsa.Examine(dir, founder.Codec)
	goesOn := errors.Is(err, balsa.ErrUnfinished)
	if err != nil && !goesOn {
		return recoverError(err, data)
	}
	if goesOn {
		fmt.Fprintf(c.err, "an earlier recovery of %s was cut short: this goes on with it\n", data)
	} else {
		if had.Node != founder.ID {
			return fail(exitUsage, "%s is the directory of node %v, not of node %v", data, had.Node,
				founder.ID)
		}
		c.warn(data, had)
	}
	if err := c.confirm(founder.ID, understood); err != nil {
		return err
	}
	made, err := balsa.Recover(dir, founder)
	if err != nil {
		return recoverError(err, data)
	}
	rows := [][]string{
		{"directory", data},
		{"node", founder.ID.String()},
		{"cluster", made.Cluster.String()},
		{"last entry", fmt.Sprintf("index %d of term %d", made.Last.Index, made.Last.Term)},
	}
	return c.founded(as, rows, map[string]any{"directory": data, "node": founder.ID,
		"cluster": made.Cluster.String(), "last_index": made.Last.Index, "last_term": made.Last.Term}, data,
		founder)
}

// warn says what there is, and what will be given up.
func (c *console) warn(data string, had balsa.Remains) {
	say := func(format string, values ...any) { fmt.Fprintf(c.err, format+"\n", values...) }
	say("%s", c.paint(c.err, bold,
		"THIS GIVES UP A CLUSTER. Do it only when a majority of it is lost for good."))
	say("%s holds node %v of cluster %v:", data, had.Node, had.Cluster)
	say("  its last entry has index %d of term %d; up to where they were committed, nobody knows",
		had.Last.Index, had.Last.Term)
	if had.Snapshot.Index > 0 {
		say("  of them, those up to index %d are in its snapshot", had.Snapshot.Index)
	}
	switch _, is := had.Members.Member(had.Node); {
	case !is:
		say("  IT IS NO MEMBER any more, by the configuration in its own log: the others removed it, and " +
			"went on without it; recover one of them, which has more")
	case !had.Members.Voter(had.Node):
		say("  it is a learner: nothing was ever acknowledged by its word, and a voter may have more")
	}
	if had.Torn > 0 {
		say("  a last write of %s was torn and never acknowledged: it is not part of it", bytesOf(had.Torn))
	}
	say("all of these entries are kept. What the others acknowledged and this node lacks is LOST.")
	if len(had.Members.Members) < 2 {
		say("it knows no other member: nothing but the id of the cluster changes.")
		return
	}
	say("given up are:")
	for _, m := range shownMembers(had.Members) {
		if m.ID != uint64(had.Node) {
			say("  node %d, a %s, at %s: it must never be started again with its old data", m.ID, m.Role,
				m.Address)
		}
	}
}

// confirm has a person say that it is meant.
func (c *console) confirm(id raft.NodeID, understood bool) error {
	if understood {
		return nil
	}
	phrase := fmt.Sprintf("recover node %v", id)
	fmt.Fprintf(c.err, "Type %q to go on:\n", phrase)
	line, _ := bufio.NewReader(c.in).ReadString('\n')
	if strings.TrimSpace(line) != phrase {
		return fail(exitPrecondition, "not confirmed: nothing was changed")
	}
	return nil
}

// recoverError gives what is wrong with a directory its exit status.
func recoverError(err error, data string) error {
	status := exitError
	switch {
	case errors.Is(err, wal.ErrNotInitialized), errors.Is(err, wal.ErrForeign):
		status = exitUsage
	case errors.Is(err, wal.ErrCorrupt), errors.Is(err, snapshot.ErrCorrupt):
		status = exitViolation
	}
	if errors.Is(err, balsa.ErrUnfinished) {
		return fail(status, "%s: %w", data, err)
	}
	return fail(status, "%s cannot be recovered: %w", data, err)
}
