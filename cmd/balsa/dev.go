package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// devFlags is the command line of dev.
type devFlags struct {
	nodes              int
	data               string
	ephemeral          bool
	httpPort, raftPort int
	logLevel           string
}

// The limits of dev.
const (
	maxDevNodes   = 9
	leaderTimeout = 15 * time.Second // far above an election; a laptop that was asleep may need some of it
)

func (f *devFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.nodes, "nodes", 3, "how many nodes, 1 to 9; an odd number wastes none")
	flags.StringVar(&f.data, "data", filepath.Join(".balsa", "dev"),
		"directory for the nodes' data; kept for next time")
	flags.BoolVar(&f.ephemeral, "ephemeral", false,
		"keep the data in a temporary directory, and remove it at the end")
	flags.IntVar(&f.httpPort, "http-port", 8001,
		"port for clients of node 1; node 2 gets the next, and so on")
	flags.IntVar(&f.raftPort, "raft-port", 7001, "port for peers of node 1; node 2 gets the next, and so on")
	registerLevel(flags, &f.logLevel, "debug")
}

func devCommand(c *console) *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole cluster on this machine, to try things out",
		Long: `Start a cluster of processes on loopback, wait for a leader, print what to try, and show
the nodes' logs together, each node in its colour. Ctrl-C stops all of them. What was
written is there again at the next dev.

The nodes take Raft messages written by hand (serve --raft-by-hand), so that you can
play a node with curl.`,
		Example: `  balsa dev
  balsa dev --nodes 5 --ephemeral`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed("data")); err != nil {
				return err
			}
			return f.run(cmd.Context(), c)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// check finds every mistake that can be known before anything is started.
func (f *devFlags) check(dataGiven bool) error {
	var wrong mistakes
	if f.nodes < 1 || f.nodes > maxDevNodes {
		wrong.add("--nodes is %d: choose 1 to %d", f.nodes, maxDevNodes)
	}
	for _, p := range []struct {
		flag string
		port int
	}{{"--http-port", f.httpPort}, {"--raft-port", f.raftPort}} {
		if p.port < 1 || p.port+f.nodes-1 > 65535 {
			wrong.add("%s is %d: the ports of %d nodes must lie from 1 to 65535", p.flag, p.port, f.nodes)
		}
	}
	if apart := f.httpPort - f.raftPort; apart > -f.nodes && apart < f.nodes {
		wrong.add("--http-port %d and --raft-port %d overlap: %d nodes need %d ports from each on",
			f.httpPort, f.raftPort, f.nodes, f.nodes)
	}
	if f.ephemeral && dataGiven {
		wrong.add("--ephemeral and --data exclude each other: the one keeps nothing, the other says where")
	}
	checkLevel(f.logLevel, &wrong)
	return joined(exitUsage, wrong)
}

// run holds the cluster for as long as the context lasts or any node lives.
func (f *devFlags) run(ctx context.Context, c *console) (err error) {
	if err := f.portsFree(); err != nil {
		return err
	}
	if f.ephemeral {
		f.data, err = os.MkdirTemp("", "balsa-dev-")
		if err != nil {
			return fail(exitError, "--ephemeral: %w", err)
		}
		defer os.RemoveAll(f.data)
	}
	lines := newLines(c)
	defer lines.close()
	members, err := f.start(lines)
	defer members.stop()
	if err != nil {
		return err
	}
	leader, err := members.awaitLeader(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	f.welcome(c, members, leader)
	return members.attend(ctx)
}

// portsFree names every port that is taken, so that nobody mends them one by one.
func (f *devFlags) portsFree() error {
	var taken []string
	for n := range f.nodes {
		for _, base := range []int{f.httpPort, f.raftPort} {
			if probe(loopback(base+n)) != nil {
				taken = append(taken, fmt.Sprint(base+n))
			}
		}
	}
	if len(taken) == 0 {
		return nil
	}
	return fail(exitError,
		"in use on 127.0.0.1: port %s: another dev may be running; stop it, or choose other ports with "+
			"--http-port and --raft-port", strings.Join(taken, ", "))
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// arguments is what node n, counted from 1, is started with.
func (f *devFlags) arguments(n int) []string {
	peers := make([]string, f.nodes)
	for i := range peers {
		peers[i] = fmt.Sprintf("%d=%s", i+1, loopback(f.raftPort+i))
	}
	return []string{"serve", "--id", fmt.Sprint(n), "--data", filepath.Join(f.data, fmt.Sprint(n)),
		"--raft", loopback(f.raftPort + n - 1), "--http", loopback(f.httpPort + n - 1),
		"--peers", strings.Join(peers, ","), "--raft-by-hand", "--log-level", f.logLevel}
}

// start starts the nodes. The members that it returns are to be stopped, whatever the error.
func (f *devFlags) start(lines *lines) (*members, error) {
	m := &members{lines: lines, gone: make(chan *child, f.nodes)}
	program, err := os.Executable()
	if err != nil {
		return m, fail(exitError, "cannot find the program's own file: %w", err)
	}
	var urls []string
	for n := 1; n <= f.nodes; n++ {
		urls = append(urls, "http://"+loopback(f.httpPort+n-1))
	}
	if m.cluster, err = client.New(urls); err != nil {
		return m, failure{exitError, err}
	}
	for n := 1; n <= f.nodes; n++ {
		if err := m.startChild(program, n, f.arguments(n)); err != nil {
			return m, fail(exitError, "node %d could not be started: %w", n, err)
		}
	}
	return m, nil
}

// welcome prints what to try. Every line works as it stands.
func (f *devFlags) welcome(c *console, m *members, leader int) {
	http := loopback(f.httpPort + leader - 1)
	other := loopback(f.httpPort + leader%f.nodes)
	kept := "data in " + f.data
	if f.ephemeral {
		kept = "nothing is kept"
	}
	self := programName()
	endpoints := ""
	if f.httpPort != 8001 || f.nodes < 3 {
		endpoints = " --endpoints " + strings.Join(m.cluster.Endpoints(), ",")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d nodes, node %d leads, %s\n\ntry, in another terminal:\n",
		c.paint(c.out, bold, "ready"), f.nodes, leader, kept)
	fmt.Fprintf(&b, "  curl -X POST %s/client/submit -d '{\"command\":\"SET greeting hello world\"}'\n", http)
	fmt.Fprintf(&b, "  curl %s/client/get/greeting\n", other)
	fmt.Fprintf(&b, "  %s put greeting \"hello again\"%s\n", self, endpoints)
	fmt.Fprintf(&b, "  %s status%s\n", self, endpoints)
	fmt.Fprintf(&b, "  kill -9 %d    # node %d, the leader: another takes over, and nothing is lost\n",
		m.children[leader-1].command.Process.Pid, leader)
	fmt.Fprintf(&b, "Ctrl-C stops all nodes\n\n")
	fmt.Fprint(c.out, b.String())
}

// programName is how this program was called, as something to type again.
func programName() string {
	program := os.Args[0]
	if strings.Contains(filepath.ToSlash(program), "/go-build") { // go run removes its binary when it ends
		return "go run ./cmd/balsa"
	}
	return program
}
