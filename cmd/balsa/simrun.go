package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// exitViolation is the status of a check that did not hold: a property of a run was violated.
const exitViolation = 7

// maxJobs is how many seeds may be run at once.
const maxJobs = 1024

// hunt is a command line of sim run.
type hunt struct {
	drawing
	seeds   string
	budget  time.Duration
	workers wholeNumber
	stop    bool
	output  format
}

func simRunCommand(c *console) *cobra.Command {
	var h hunt
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run many seeds, and stop at the first one that violates a property",
		Long: `Run many seeds. Each is a cluster of its own, with faults and rates of its own, run under all
checks: faults first, then healing, then what must follow. A run with a violation is written to
` + failures + `.

Exit status: 0 no violation, 7 a violation, 2 a mistake on the command line. When --time is over, the seeds
that have ended by then are what counts.`,
		Example: `  balsa sim run --profile chaos --seeds 1..1000
  balsa sim run --profile calm --seeds 1..20 -j 1        simulated seconds per CPU second, on one core
  balsa sim run --profile crash --seeds 1..1000000 --time 1h -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			seeds, err := h.check()
			if err != nil {
				return err
			}
			return h.run(cmd.Context(), c, seeds)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&h.seeds, "seeds", "1..1000", "which seeds: FIRST..LAST, or one")
	h.register(cmd, "chaos")
	flags.DurationVar(&h.budget, "time", 10*time.Minute, "how long to go on, by the clock on the wall")
	h.workers = wholeNumber{n: min(runtime.NumCPU(), maxJobs), most: maxJobs}
	flags.VarP(&h.workers, "jobs", "j", "how many seeds to run at once")
	flags.BoolVar(&h.stop, "stop", true, "stop at the first violation, the one with the lowest seed")
	h.output.register(flags, "table")
	return cmd
}

// check names everything that is wrong with the command line.
func (h *hunt) check() (seedRange, error) {
	var wrong []error
	seeds, err := parseSeeds(h.seeds)
	if err != nil {
		wrong = append(wrong, fail(exitUsage, "--seeds: %w", err))
	}
	if err := h.drawing.check(); err != nil {
		wrong = append(wrong, err)
	}
	if h.budget <= 0 {
		wrong = append(wrong, fail(exitUsage, "--time is %v: give a duration above zero", h.budget))
	}
	if err := h.workers.check("-j"); err != nil {
		wrong = append(wrong, err)
	}
	if err := h.output.check(); err != nil {
		wrong = append(wrong, err)
	}
	return seeds, joined(exitUsage, wrong)
}

func (h *hunt) run(ctx context.Context, c *console, seeds seedRange) error {
	enough, cancel := context.WithTimeoutCause(ctx, h.budget, errBudget)
	defer cancel()
	s := newSummary(h.profile, seeds)
	p := c.progress("sim", "seeds", seeds.count())
	h.all(enough, seeds, func(e ended) {
		s.add(e)
		p.at(e.seed-seeds.first+1, fmt.Sprintf("violations %d, slowest seed %d %.0fms", len(s.Violations),
			s.Slowest.Seed, 1000*s.Slowest.Seconds))
	})
	p.end()
	s.end(enough)
	s.reports(c, c.err)
	if err := s.print(c, h.output); err != nil {
		return outputError(err)
	}
	switch {
	case s.err != nil:
		return fail(exitError, "%w", s.err)
	case len(s.Violations) > 0:
		return fail(exitViolation, "%s violated a property", count(len(s.Violations), "seed"))
	case s.Seeds == 0:
		return fail(exitError, "no seed has come to its end, so nothing is known: give more --time")
	case errors.Is(context.Cause(enough), context.Canceled):
		return fail(exitError, "interrupted")
	}
	return nil
}

// errBudget is why a hunt ends before its last seed.
var errBudget = errors.New("--time is over")
