package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"balsa/sim"
)

// shrinkage is a command line of sim shrink.
type shrinkage struct {
	budget time.Duration
	saving
}

func simShrinkCommand(c *console) *cobra.Command {
	var s shrinkage
	cmd := &cobra.Command{
		Use:   "shrink FILE",
		Short: "Take away from a recorded run what its violation does not need",
		Long: `Take away from a recorded run what its violation does not need: interventions, time, clients,
servers, as long as the same property is violated. NAME.balsa.json becomes NAME.min.balsa.json.
Interrupted, or at the end of --time, it writes down what it has come to.

Exit status: 0 it is smaller or cannot be, 1 nothing is violated, 2 a mistake on the command line or in the
file.`,
		Example: `  balsa sim shrink .balsa/failures/chaos-17.balsa.json
  balsa sim shrink chaos-17.balsa.json --save-as-test --why "A vote was counted twice."`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), c, args[0]) },
	}
	cmd.Flags().DurationVar(&s.budget, "time", 10*time.Minute, "how long to go on, by the clock on the wall")
	s.keeping(cmd)
	return cmd
}

func (s *shrinkage) run(ctx context.Context, c *console, file string) error {
	if s.budget <= 0 {
		return fail(exitUsage, "--time is %v: give a duration above zero", s.budget)
	}
	if err := s.mayKeep(); err != nil {
		return err
	}
	spec, err := readRun(file)
	if err != nil {
		return err
	}
	enough, cancel := context.WithTimeoutCause(ctx, s.budget, errBudget)
	defer cancel()
	p := c.progress("shrink", "runs", 0)
	small, state, err := sim.Shrink(spec, sim.Parts{Enough: func() bool { return enough.Err() != nil }},
		func(now sim.Shrinking) {
			p.at(uint64(now.Runs), fmt.Sprintf("%d → %s", now.From, count(now.Now, "intervention")))
		})
	p.end()
	if err != nil {
		return fail(exitError, "%s: %w", file, err)
	}
	small.Core = core()
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".json"), ".balsa")
	to := strings.TrimSuffix(name, ".min") + ".min.balsa.json"
	if err := writeRun(to, small); err != nil {
		return fail(exitError, "%w", err)
	}
	if enough.Err() != nil {
		fmt.Fprintf(c.err, "balsa: not done: %v; this is how far it came\n", context.Cause(enough))
	}
	was, now := spec.Options, small.Options
	fmt.Fprintf(c.out, "%d → %s, %d → %s, %d → %s, %d → %d events, in %s\n", state.From,
		count(state.Now, "intervention"), was.Nodes, count(now.Nodes, "node"), was.Clients,
		count(now.Clients, "client"), spec.Events, small.Events, count(state.Runs, "run"))
	for _, op := range small.Script {
		fmt.Fprintf(c.out, "    %-13v %v\n", op.At, op)
	}
	c.report(c.out, small, filepath.ToSlash(to))
	return s.save(c, to, small)
}

// saving is the wish to keep a run as a test of the simulator.
type saving struct {
	saveAsTest bool
	why        string
}

// keptRuns is where a table test finds the runs that it does again.
const keptRuns = "sim/testdata/failures"

func (s *saving) keeping(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&s.saveAsTest, "save-as-test", false, "keep the run in "+keptRuns+
		", where a test runs it from then on")
	flags.StringVar(&s.why, "why", "", "with --save-as-test: what was wrong, in one sentence")
}

func (s *saving) mayKeep() error {
	switch {
	case !s.saveAsTest && s.why != "":
		return fail(exitUsage, "--why belongs to --save-as-test: add that, or leave it out")
	case !s.saveAsTest:
		return nil
	case !strings.HasSuffix(s.why, ".") || strings.ContainsAny(s.why, "\n\r"):
		return fail(exitUsage, "--why is %q: say in one sentence what was wrong, with a full stop", s.why)
	}
	if info, err := os.Stat(filepath.Dir(keptRuns)); err != nil || !info.IsDir() {
		return fail(exitUsage, "--save-as-test finds no %s here: call it at the root of balsa's sources",
			filepath.Dir(keptRuns))
	}
	return nil
}

// save keeps a run as a test, under the name that it has.
func (s *saving) save(c *console, file string, spec sim.Spec) error {
	if !s.saveAsTest {
		return nil
	}
	if spec.Violation == nil {
		return fail(exitError, "nothing is violated, so there is nothing to keep")
	}
	name := filepath.Base(file)
	if !strings.HasSuffix(name, ".balsa.json") {
		name = fmt.Sprintf("%s-%s.balsa.json", spec.Drawn, name)
	}
	spec.Why = s.why
	to := filepath.Join(keptRuns, name)
	if err := writeRun(to, spec); err != nil {
		return fail(exitError, "%w", err)
	}
	fmt.Fprintf(c.err, "balsa: kept as %s: go test ./sim -run TestFailures runs it from now on\n",
		filepath.ToSlash(to))
	return nil
}
