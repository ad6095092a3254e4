package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

func clusterCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Run a cluster on this machine in the background, and make it suffer",
		Long: `Run a cluster of processes on loopback in the background. A supervisor process starts
the nodes and touches nothing but them; when it ends, however it ends, so do they. The
nodes reach each other through proxies, which partition cuts.

The verbs work on the cluster whose data is in --data, that of balsa dev too.`,
		Example: `  balsa cluster start
  balsa cluster kill 2
  balsa cluster start 2
  balsa cluster partition 1 / 2 3
  balsa cluster heal
  balsa cluster add
  balsa cluster stop`,
		Args: unknownVerb,

		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(clusterStart(c), clusterStop(c), clusterStatus(c), clusterClean(c), clusterLogs(c),
		clusterKill(c), clusterPause(c), clusterResume(c), clusterPartition(c), clusterHeal(c),
		clusterAdd(c), clusterReplace(c), superviseCommand(c))
	return cmd
}

// unknownVerb refuses a word that is no verb of a command.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fail(exitUsage, "unknown verb %q: did you mean %s? See balsa help %s", args[0],
			strings.Join(near, " or "), cmd.Name())
	}
	return fail(exitUsage, "unknown verb %q: see balsa help %s", args[0], cmd.Name())
}

func clusterStart(c *console) *cobra.Command {
	var p plan
	cmd := &cobra.Command{
		Use:   "start [N...]",
		Short: "Start the cluster, or nodes of it that do not run",
		Long: `Start the cluster in the background and wait for a leader. With numbers, start these nodes
of a cluster that runs. What was given at the first start (--nodes, the ports) need not be
given again. A node has started when it answers; one that ends instead is named with its
last words, and the exit status is 1.`,
		Example: `  balsa cluster start
  balsa cluster start 2`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.config = c.config
			if err := joined(exitUsage, p.mistakes()); err != nil {
				return err
			}
			if err := p.remember(cmd.Flags()); err != nil {
				return err
			}
			if len(args) == 0 {
				return p.launch(cmd.Context(), c)
			}
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return p.startNodes(cmd.Context(), c, ids)
		},
	}
	p.register(cmd.Flags())
	return cmd
}

// launch starts a supervisor in the background, or the nodes that one which runs has lost, and waits for a
// leader.
func (p plan) launch(ctx context.Context, c *console) error {
	known, err := readNote(p.data)
	if err == nil {
		running, err := known.command(ctx, order{Verb: "look"})
		if err == nil {
			return running.Plan.startNodes(ctx, c, running.idle())
		}
		if !errors.Is(err, errNotRunning) {
			return err
		}
	}
	if err := p.vacant(); err != nil {
		return err
	}
	supervisor, err := p.spawn()
	if err != nil {
		return err
	}
	leader, err := p.awaitCluster(ctx, supervisor)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s: %s in the background, node %d leads, data in %s\n\ntry:\n%s",
		c.paint(c.out, bold, "ready"), running(p.Nodes), leader, p.data, p.try(leader))
	self, at := programName(), dataFlag(p.data)
	fmt.Fprintf(c.out, "  %s cluster kill %d%s    # the leader: %s\n", self, leader, at, p.afterwards())
	_, err = fmt.Fprintf(c.out, "  %s cluster logs -f%s\n  %s cluster stop%[2]s\n", self, at, self)
	return outputError(err)
}

// idle lists the nodes that do not run.
func (o outcome) idle() (ids []int) {
	for _, m := range o.Members {
		if m.State == "stopped" {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func supervisorLog(data string) string { return filepath.Join(data, "logs", "supervisor.log") }

// spawn starts the supervisor as a process that outlives us.
func (p plan) spawn() (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fail(exitError, "cannot find the program's own file: %w", err)
	}
	path := supervisorLog(p.data)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fail(exitError, "%w", err)
	}
	log, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fail(exitError, "%w", err)
	}
	defer log.Close()
	command := exec.Command(program, append(p.configFlag(), "cluster", "supervise", "--data", p.data,
		"--nodes", fmt.Sprint(p.Nodes), "--http-port", fmt.Sprint(p.HTTPPort), "--raft-port",
		fmt.Sprint(p.RaftPort), "--log-level", p.LogLevel)...)
	command.Stdout, command.Stderr, command.SysProcAttr = log, log, detached()
	if err := command.Start(); err != nil {
		return nil, fail(exitError, "the supervisor could not be started: %w", err)
	}
	return command, nil
}

// awaitCluster waits until the nodes of a supervisor that was just started agree on a leader. When that does
// not happen, what was started is stopped.
func (p plan) awaitCluster(ctx context.Context, supervisor *exec.Cmd) (int, error) {
	ended := make(chan struct{})
	go func() { _ = supervisor.Wait(); close(ended) }()
	leader, err := p.awaitLeader(ctx, ended)
	if err == nil {
		return leader, nil
	}
	_ = supervisor.Process.Signal(os.Interrupt)
	select {
	case <-ended:
	case <-time.After(stopTimeout + time.Second):
		_ = supervisor.Process.Kill()
	}
	return 0, err
}

func (p plan) awaitLeader(ctx context.Context, ended chan struct{}) (int, error) {
	cluster, err := client.New(p.endpoints())
	if err != nil {
		return 0, failure{exitError, err}
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if leader := agreed(askAll(ctx, cluster)); leader != 0 {
			return leader, nil
		}
		select {
		case <-ticker.C:
			if err := p.fallen(ctx); err != nil {
				return 0, err
			}
		case <-ended:
			return 0, fail(exitError, "the supervisor ended: %s", lastLine(supervisorLog(p.data)))
		case <-ctx.Done():
			return 0, fail(exitError, "no leader within %v: see balsa cluster logs%s", leaderTimeout,
				dataFlag(p.data))
		}
	}
}

// fallen returns which node stopped by itself, and its last words.
func (p plan) fallen(ctx context.Context) error {
	known, err := readNote(p.data)
	if err != nil {
		return nil // not written yet
	}
	now, err := known.command(ctx, order{Verb: "look"})
	if err != nil {
		return nil
	}
	for _, m := range now.Members {
		if m.Ended != "" && m.State == "stopped" {
			return fail(exitError, "node %d stopped (%s): %s", m.ID, m.Ended, lastLine(logPath(p.data, m.ID)))
		}
	}
	return nil
}

// startNodes has nodes started by the supervisor that runs, and waits until each serves.
func (p plan) startNodes(ctx context.Context, c *console, ids []int) error {
	if len(ids) == 0 {
		_, err := fmt.Fprintf(c.out, "every node runs already\n")
		return outputError(err)
	}
	out, err := ask(ctx, p.data, order{Verb: "start", Nodes: ids})
	if err != nil {
		return err
	}
	waiting := map[int]string{} // what is said of each node once it is true
	for i, id := range ids {
		if _, twice := waiting[id]; !twice {
			waiting[id] = out.Said[i]
		}
	}
	return out.Plan.awaitServing(ctx, c, waiting)
}

// awaitServing waits until nodes answer their clients, and only then says of each that it was started: a
// process that begins may find its directory damaged, and end. That is an error, with its last words; a
// paused node is not waited for.
func (p plan) awaitServing(ctx context.Context, c *console, waiting map[int]string) error {
	cluster, err := client.New(p.endpoints())
	if err != nil {
		return failure{exitError, err}
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(ctx, leaderTimeout)
	defer cancel()
	var wrong []error
	for {
		reports := askAll(ctx, cluster)
		now, err := ask(ctx, p.data, order{Verb: "look"})
		if err != nil {
			return err
		}
		for _, m := range now.Members {
			said, awaited := waiting[m.ID]
			status := reports[m.ID-1].Status
			switch {
			case !awaited:
				continue
			case m.State == "stopped":
				wrong = append(wrong, fail(exitError, "node %d stopped (%s): %s", m.ID, m.Ended,
					lastLine(logPath(p.data, m.ID))))
			case m.State == "running" && (status == nil || status.ID != uint64(m.ID)):
				continue // or another program answers, and this one is about to find its port taken
			default:
				fmt.Fprintln(c.out, said)
			}
			delete(waiting, m.ID)
		}
		if len(waiting) == 0 {
			return joined(exitError, wrong)
		}
		if !pauseFor(ctx, 20*time.Millisecond) {
			return joined(exitUnavailable, append(wrong, fail(exitUnavailable,
				"a node does not serve yet: see balsa cluster logs%s", dataFlag(p.data))))
		}
	}
}

// order gives an order to the supervisor of a data directory and prints what it did.
func (c *console) order(ctx context.Context, data string, o order) (outcome, error) {
	out, err := ask(ctx, data, o)
	for _, line := range out.Said {
		fmt.Fprintln(c.out, line)
	}
	return out, err
}

// ask gives an order to the supervisor of a data directory.
func ask(ctx context.Context, data string, o order) (outcome, error) {
	known, err := readNote(data)
	if err != nil {
		return outcome{}, notRunning(err, data)
	}
	out, err := known.command(ctx, o)
	if err != nil {
		return outcome{}, notRunning(err, data)
	}
	if out.Failure != "" {
		return out, failure{out.Status, errors.New(out.Failure)}
	}
	return out, nil
}

// notRunning turns the absence of a supervisor into a sentence.
func notRunning(err error, data string) error {
	if errors.Is(err, errNotRunning) || errors.Is(err, fs.ErrNotExist) {
		return fail(exitUnavailable, "no cluster runs with the data in %s: balsa cluster start%s starts it",
			data, dataFlag(data))
	}
	var known failure
	if errors.As(err, &known) {
		return err
	}
	return failure{exitError, err}
}

// parseIDs reads the ids of nodes as people write them: 2, or n2.
func parseIDs(args []string) (ids []int, err error) {
	for _, arg := range args {
		id, err := parseID(arg)
		if err != nil {
			return nil, failure{exitUsage, err}
		}
		if id > maxDevNodes {
			return nil, fail(exitUsage, "there is no node %v: a cluster on one machine has at most %d", id,
				maxDevNodes)
		}
		ids = append(ids, int(id))
	}
	return ids, nil
}

// lastLine is the last line of a file that has words in it: a program's last words say why it ended.
func lastLine(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	line := all[len(all)-1]
	if _, words, ok := strings.Cut(line, "balsa: "); ok {
		return words
	}
	return strconv.Quote(line)
}

// pauseFor waits, and reports whether it is worth going on.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
