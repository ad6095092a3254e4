package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// clusterVerb makes a verb that gives the supervisor one order about nodes.
func clusterVerb(c *console, verb, short, long string) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:     verb + " N...",
		Short:   short,
		Long:    long,
		Example: "  balsa cluster " + verb + " 2\n  balsa cluster " + verb + " n1 n3",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fail(exitUsage, "write balsa cluster %s: see balsa help cluster %s", cmd.Use, verb)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err == nil {
				_, err = c.order(cmd.Context(), data, order{Verb: verb, Nodes: ids})
			}
			return err
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

func clusterKill(c *console) *cobra.Command {
	return clusterVerb(c, "kill", "Kill nodes, as a power cut would",
		"Kill nodes with SIGKILL: they cannot write or say anything any more.")
}

func clusterPause(c *console) *cobra.Command {
	return clusterVerb(c, "pause", "Stop nodes in the middle of whatever they do",
		`Stop nodes with SIGSTOP: they keep their memory and their ports, and are silent, as a
machine is that swaps or is moved. Resumed, they believe that no time has passed.`)
}

func clusterResume(c *console) *cobra.Command {
	return clusterVerb(c, "resume", "Let paused nodes go on", "Let nodes that were paused go on (SIGCONT).")
}

func clusterPartition(c *console) *cobra.Command {
	var data string
	var oneWay bool
	cmd := &cobra.Command{
		Use:   "partition N... / N...",
		Short: "Cut the network between groups of nodes",
		Long: `Cut the network between groups of nodes: what they send each other is lost, silently.
Nodes that are not named are one more group. A partition takes the place of the one
before; heal ends it. Clients reach every node all the time.`,
		Example: `  balsa cluster partition 1 / 2 3
  balsa cluster partition 1              the same, in a cluster of three
  balsa cluster partition --one-way 1    what node 1 sends is lost; it still hears the others`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			groups, err := parseGroups(args)
			if err == nil {
				_, err = c.order(cmd.Context(), data,
					order{Verb: "partition", Groups: groups, OneWay: oneWay})
			}
			return err
		},
	}
	registerData(cmd.Flags(), &data)
	cmd.Flags().BoolVar(&oneWay, "one-way", false, "lose only what the first group sends")
	return cmd
}

// parseGroups reads 1 / 2 3, with or without blanks around the slash.
func parseGroups(args []string) (groups [][]int, err error) {
	for side := range strings.SplitSeq(strings.Join(args, " "), "/") {
		ids, err := parseIDs(strings.Fields(side))
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, fail(exitUsage, "a side is empty: write the sides with a slash between them, as in "+
				"balsa cluster partition 1 / 2 3")
		}
		groups = append(groups, ids)
	}
	return groups, nil
}

func clusterHeal(c *console) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:     "heal",
		Short:   "End a partition",
		Example: "  balsa cluster heal",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := c.order(cmd.Context(), data, order{Verb: "heal"})
			return err
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

func clusterStop(c *console) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the cluster; its data stays",
		Long: `Stop all nodes and their supervisor. What was written is there again at the next start.
To stop a cluster that does not run is no error.`,
		Example: "  balsa cluster stop",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			was, err := stopCluster(cmd.Context(), data)
			if err != nil {
				return err
			}
			said := "no cluster runs with the data in " + data
			if was {
				said = "stopped; the data stays in " + data
			}
			_, err = fmt.Fprintln(c.out, said)
			return outputError(err)
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

// stopCluster stops a cluster, waits until everything of it has ended, and reports whether there was one.
func stopCluster(ctx context.Context, data string) (bool, error) {
	known, err := readNote(data)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, notRunning(err, data)
	}
	_, err = known.command(ctx, order{Verb: "stop"})
	if errors.Is(err, errNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*stopTimeout)
	defer cancel()
	for {
		lock, err := claim(data) // the supervisor holds it until its nodes are gone
		if err == nil {
			return true, lock.Close()
		}
		if !pauseFor(ctx, 20*time.Millisecond) {
			return true, fail(exitUnavailable, "the supervisor, process %d, does not end", known.PID)
		}
	}
}

func clusterClean(c *console) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove the data and the logs of a cluster that does not run",
		Long: `Remove what the cluster in --data has written: data, logs and notes. Other files there
stay. A cluster that runs is refused.`,
		Example: "  balsa cluster clean",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			said, err := cleanCluster(data)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, said)
			return outputError(err)
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

// cleanCluster removes what a cluster made. Without its note nothing is touched: the directory may be
// anything.
func cleanCluster(data string) (string, error) {
	known, err := readNote(data)
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no cluster in " + data, nil
	}
	if err != nil {
		return "", notRunning(err, data)
	}
	lock, err := claim(data)
	if err != nil {
		return "", err
	}
	var wrong []error
	for _, id := range known.Plan.all() {
		wrong = append(wrong, os.RemoveAll(known.Plan.nodeDir(id)), remove(logPath(data, id)),
			remove(oldLog(logPath(data, id))))
	}
	wrong = append(wrong, remove(supervisorLog(data)), remove(notePath(data)+".new"), remove(notePath(data)))
	_ = os.Remove(filepath.Join(data, "logs")) // stay when something else is in them
	err = errors.Join(append(wrong, lock.Close())...)
	if err != nil {
		return "", fail(exitError, "%w", err)
	}
	if entries, err := os.ReadDir(data); err == nil && len(entries) == 1 { // the lock alone
		_ = os.RemoveAll(data)
	}
	return "removed the cluster in " + data, nil
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func clusterStatus(c *console) *cobra.Command {
	var data string
	var as format
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes' processes, and what each node knows",
		Long: `Show each node's process (running, paused or stopped) and what the node answers. Exit
status 5 says that no cluster runs, or that it stands still because too many nodes repair
themselves after damage.`,
		Example: `  balsa cluster status
  balsa cluster status -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := as.check(); err != nil {
				return err
			}
			now, err := c.order(cmd.Context(), data, order{Verb: "look"})
			if err != nil {
				return err
			}
			return c.clusterStatus(cmd.Context(), as, now)
		},
	}
	registerData(cmd.Flags(), &data)
	as.register(cmd.Flags(), "table")
	return cmd
}

// memberReport is a process and what its node says.
type memberReport struct {
	memberState
	report
}

func (c *console) clusterStatus(ctx context.Context, as format, now outcome) error {
	cluster, err := client.New(now.Plan.endpoints())
	if err != nil {
		return failure{exitError, err}
	}
	defer cluster.Close()
	var members []memberReport
	var rows [][]string
	reports := askAll(ctx, cluster)
	arriving := arriving(reports)
	for i, r := range reports {
		m := memberReport{now.Members[i], r}
		members = append(members, m)
		rows = append(rows, m.row(arriving))
	}
	if as == "json" {
		err = c.json(map[string]any{"data": now.Plan.data, "members": members, "cut": now.Cut})
		return cmp.Or(outputError(err), halted(reports))
	}
	head := strings.Fields("NODE PROCESS PID ROLE TERM LEADER COMMIT APPLIED SNAPSHOT KEYS ENDPOINT")
	err = c.table(as, head, rows)
	if err == nil && len(now.Cut) > 0 && as == "table" {
		_, err = fmt.Fprintln(c.err, "parted: "+ways(now.Cut))
	}
	return cmp.Or(outputError(err), halted(reports))
}

func (m memberReport) row(arriving map[uint64]*client.Installing) []string {
	pid := "-"
	if m.PID != 0 {
		pid = fmt.Sprint(m.PID)
	}
	row := []string{fmt.Sprint(m.ID), m.State, pid}
	if m.Status == nil {
		return append(row, "-", "-", "-", "-", "-", "-", "-", m.Endpoint)
	}
	s, leader := m.Status, "-"
	if s.Leader != 0 {
		leader = number(s.Leader)
	}
	return append(row, m.role(), number(s.Term), leader, number(s.Commit), number(s.Applied),
		snapshotCell(s, arriving[s.ID]), number(s.Keys), m.Endpoint)
}

// ways writes the directions that are cut.
func ways(cuts []way) string {
	var parts []string
	for _, w := range cuts {
		parts = append(parts, fmt.Sprintf("%d-x->%d", w.From, w.To))
	}
	return strings.Join(parts, " ")
}
