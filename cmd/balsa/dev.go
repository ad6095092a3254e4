package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// devFlags is the command line of dev, and of cluster start.
type devFlags struct {
	plan
	ephemeral, detach bool
}

// The limits of dev.
const (
	maxDevNodes   = 9
	leaderTimeout = 15 * time.Second // far above an election; a laptop that was asleep may need some of it
)

func (p *plan) register(flags *pflag.FlagSet) {
	flags.IntVar(&p.Nodes, "nodes", 3, "how many nodes, 1 to 9; an odd number wastes none")
	registerData(flags, &p.data)
	flags.IntVar(&p.HTTPPort, "http-port", 8001,
		"port for clients of node 1; node 2 gets the next, and so on")
	flags.IntVar(&p.RaftPort, "raft-port", 7001, "port for peers of node 1; node 2 gets the next, and so on")
	registerLevel(flags, &p.LogLevel, "debug")
}

// registerData registers the flag that says which cluster of this machine is meant.
func registerData(flags *pflag.FlagSet, data *string) {
	flags.StringVar(data, "data", standardData(), "directory for the nodes' data; kept for next time")
}

func devCommand(c *console) *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole cluster on this machine, to try things out",
		Long: `Start a cluster of processes on loopback, wait for a leader, print what to try, and show
the nodes' logs together, each node in its colour, with a line of status below them.
Ctrl-C stops all of them. What was written is there again at the next dev. With
--detach the cluster runs in the background: see balsa help cluster, whose verbs (kill,
pause, partition and so on) work on the cluster of dev as well.

The nodes take Raft messages written by hand (serve --raft-by-hand), so that you can
play a node with curl.`,
		Example: `  balsa dev
  balsa dev --nodes 5 --ephemeral
  balsa dev --detach`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.config = c.config
			if err := f.check(cmd.Flags().Changed("data")); err != nil {
				return err
			}
			if err := f.remember(cmd.Flags()); err != nil {
				return err
			}
			if f.detach {
				return f.plan.launch(cmd.Context(), c)
			}
			return f.run(cmd.Context(), c)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.ephemeral, "ephemeral", false,
		"keep the data in a temporary directory, and remove it at the end")
	cmd.Flags().BoolVar(&f.detach, "detach", false, "leave the cluster running in the background")
	return cmd
}

// check finds every mistake that can be known before anything is started.
func (f *devFlags) check(dataGiven bool) error {
	wrong := f.plan.mistakes()
	if f.ephemeral && dataGiven {
		wrong.add("--ephemeral and --data exclude each other: the one keeps nothing, the other says where")
	}
	if f.ephemeral && f.detach {
		wrong.add("--ephemeral and --detach exclude each other: nobody would remove the data at the end")
	}
	return joined(exitUsage, wrong)
}

func (p *plan) mistakes() (wrong mistakes) {
	if p.Nodes < 1 || p.Nodes > maxDevNodes {
		wrong.add("--nodes is %d: choose 1 to %d", p.Nodes, maxDevNodes)
	}
	for _, of := range []struct {
		flag string
		port int
	}{{"--http-port", p.HTTPPort}, {"--raft-port", p.RaftPort}} {
		if of.port < 1 || of.port+p.Nodes-1 > 65535 {
			wrong.add("%s is %d: the ports of %d nodes must lie from 1 to 65535", of.flag, of.port, p.Nodes)
		}
	}
	if apart := p.HTTPPort - p.RaftPort; apart > -p.Nodes && apart < p.Nodes {
		wrong.add("--http-port %d and --raft-port %d overlap: %d nodes need %d ports from each on",
			p.HTTPPort, p.RaftPort, p.Nodes, p.Nodes)
	}
	checkLevel(p.LogLevel, &wrong)
	if len(wrong) == 0 {
		if err := p.checkNode(); err != nil {
			wrong.add("%w", err)
		}
	}
	return wrong
}

// checkNode finds what a node would refuse of the settings that it takes from the environment and the file,
// before anything is made or started for it.
func (p *plan) checkNode() error {
	c := &console{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	root, node := rootCommand(c), &cobra.Command{Use: "node"}
	c.config = p.config
	var f serveFlags
	f.register(node.Flags())
	root.AddCommand(node)
	arguments := p.arguments(1)
	if err := node.ParseFlags(arguments[len(p.configFlag())+1:]); err != nil {
		return err
	}
	if err := c.configure(node); err != nil {
		return err
	}
	if _, err := f.settings(); err != nil {
		return fmt.Errorf("%w%s", err, c.origin(err.Error()))
	}
	return nil
}

// remember fills in, for flags that were not given, what the cluster in the directory was started with last.
func (p *plan) remember(flags *pflag.FlagSet) error {
	known, err := readNote(p.data)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // what is wrong with the directory is told where it is made
	}
	if err != nil {
		return err
	}
	for flag, value := range map[string]struct{ to, from *int }{
		"nodes":     {&p.Nodes, &known.Plan.Nodes},
		"http-port": {&p.HTTPPort, &known.Plan.HTTPPort},
		"raft-port": {&p.RaftPort, &known.Plan.RaftPort},
	} {
		if !flags.Changed(flag) {
			*value.to = *value.from
		}
	}
	if !flags.Changed("log-level") {
		p.LogLevel = known.Plan.LogLevel
	}
	p.Founded, p.Joined = known.Plan.Founded, known.Plan.Joined
	return p.fits(known)
}

// run holds the cluster for as long as the context lasts or any node lives.
func (f *devFlags) run(ctx context.Context, c *console) (err error) {
	if f.ephemeral {
		f.data, err = os.MkdirTemp("", "balsa-dev-")
		if err != nil {
			return fail(exitError, "--ephemeral: %w", err)
		}
		defer os.RemoveAll(f.data)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := newLines(c)
	defer lines.close()
	s, err := newSupervisor(f.plan, func(id int) io.Writer { return lines.of(id) })
	if err != nil {
		return err
	}
	defer s.close()
	control, err := listenForOrders(s, stop)
	if err != nil {
		return err
	}
	defer control.close()
	if err := s.startAll(); err != nil {
		return err
	}
	leader, err := s.awaitLeader(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	f.welcome(c, s, leader)
	if c.draws(c.err) {
		var drawing sync.WaitGroup
		defer drawing.Wait()
		defer stop()
		drawing.Go(func() { lines.drawStatus(ctx, s) })
	}
	return s.attend(ctx, true, lines.say)
}

// welcome prints what to try. Every line works as it stands.
func (f *devFlags) welcome(c *console, s *supervisor, leader int) {
	kept := "data in " + f.data
	if f.ephemeral {
		kept = "nothing is kept"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, node %d leads, %s\n\ntry, in another terminal:\n",
		c.paint(c.out, bold, "ready"), count(f.Nodes, "node"), leader, kept)
	b.WriteString(f.plan.try(leader))
	fmt.Fprintf(&b, "  kill -9 %d    # node %d, the leader: %s\n", s.look().Members[leader-1].PID, leader,
		f.plan.afterwards())
	fmt.Fprintf(&b, "Ctrl-C stops all nodes\n\n")
	fmt.Fprint(c.out, b.String())
}

// afterwards says what follows when the leader is killed.
func (p plan) afterwards() string {
	if p.Nodes < 3 { // the rest is no majority
		return "nobody takes over until it is started again, and nothing is lost"
	}
	return "another takes over, and nothing is lost"
}

// try lists commands that work on the cluster as they stand.
func (p plan) try(leader int) string {
	self, endpoints := programName(), p.endpointsFlag()
	var b strings.Builder
	fmt.Fprintf(&b, "  curl -X POST %s/client/submit -d '{\"command\":\"SET greeting hello world\"}'\n",
		p.http(leader))
	fmt.Fprintf(&b, "  curl %s/client/get/greeting\n", p.http(leader%p.Nodes+1))
	fmt.Fprintf(&b, "  %s put greeting \"hello again\"%s\n", self, endpoints)
	fmt.Fprintf(&b, "  %s status%s\n", self, endpoints)
	return b.String()
}

// endpointsFlag is what a client's verb needs to find the cluster; nothing for the usual one.
func (p plan) endpointsFlag() string {
	if p.HTTPPort == 8001 && p.Nodes >= 3 {
		return ""
	}
	return " --endpoints " + strings.Join(p.endpoints(), ",")
}

// programName is how this program was called, as something to type again.
func programName() string {
	program := os.Args[0]
	if strings.Contains(filepath.ToSlash(program), "/go-build") { // go run removes its binary when it ends
		return "go run ./cmd/balsa"
	}
	return program
}
