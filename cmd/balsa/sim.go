package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"balsa/sim"
)

func simCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Hunt for violations in a simulated cluster: the shipped code, one seed, virtual time",
		Example: `  balsa sim run --profile chaos --seeds 1..1000
  balsa sim replay 17 --profile chaos
  balsa sim shrink .balsa/failures/chaos-17.balsa.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fail(exitUsage, "unknown command %q of sim: write run, replay or shrink", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(simRunCommand(c), simReplayCommand(c), simShrinkCommand(c))
	return cmd
}

// failures is where runs with a violation are written.
const failures = ".balsa/failures"

// seedRange is FIRST..LAST, both included.
type seedRange struct{ first, last uint64 }

func (r seedRange) String() string { return fmt.Sprintf("%d..%d", r.first, r.last) }

// count is how many seeds that is.
func (r seedRange) count() uint64 { return r.last - r.first + 1 }

func parseSeeds(text string) (seedRange, error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	first, err := parseSeed(from)
	last, err2 := parseSeed(to)
	switch {
	case err != nil || err2 != nil:
		return seedRange{}, fmt.Errorf("%q is no range of seeds: write FIRST..LAST, as in 1..1000", text)
	case last < first:
		return seedRange{}, fmt.Errorf("%q ends before it begins: write the smaller seed first", text)
	case last-first == math.MaxUint64:
		return seedRange{}, fmt.Errorf("%q is one seed more than can be counted: leave one out", text)
	}
	return seedRange{first, last}, nil
}

// parseSeed reads a seed in decimals, or in hexadecimal digits after 0x.
func parseSeed(text string) (uint64, error) {
	if digits, hex := strings.CutPrefix(text, "0x"); hex {
		return strconv.ParseUint(digits, 16, 64)
	}
	return strconv.ParseUint(text, 10, 64)
}

// checkProfile refuses a profile that does not exist.
func checkProfile(name string) error {
	names, _ := sim.Profiles()
	if !slices.Contains(names, name) {
		return fail(exitUsage, "--profile is %q: write one of %s", name, strings.Join(names, ", "))
	}
	return nil
}

// drawing is what a profile makes of a seed, with what the command line says otherwise.
type drawing struct {
	profile  string
	nodes    wholeNumber // not given: as drawn
	duration string      // of the faults, in virtual time; "": as drawn
}

func (d *drawing) register(cmd *cobra.Command, standard string) {
	names, titles := sim.Profiles()
	for i := range names {
		names[i] += " (" + titles[i] + ")"
	}
	flags := cmd.Flags()
	flags.StringVar(&d.profile, "profile", standard, "which faults to draw: "+strings.Join(names, "; "))
	d.nodes.most = 15
	flags.Var(&d.nodes, "nodes", "servers, from 1 to 15, instead of as many as the seed draws")
	flags.StringVar(&d.duration, "duration", "", "how long faults are drawn in each seed, in simulated time")
}

// spec is the run of a seed.
func (d *drawing) spec(seed uint64) (sim.Spec, error) {
	s := sim.Drawn(d.profile, seed)
	if d.nodes.given {
		s.Options.Nodes = d.nodes.n
	}
	if d.duration != "" {
		faulty, err := sim.ParseTime(d.duration)
		if err != nil {
			return s, fail(exitUsage, "--duration: %w", err)
		}
		if faulty <= 0 {
			return s, fail(exitUsage, "--duration is %v: give a time above zero", faulty)
		}
		s.Options.Faulty = faulty
	}
	s.Core = core()
	if err := s.Check(); err != nil {
		return s, fail(exitUsage, "%w", err)
	}
	return s, nil
}

// check refuses what no seed could make a run of.
func (d *drawing) check() error {
	if err := checkProfile(d.profile); err != nil {
		return err
	}
	if err := d.nodes.check("--nodes"); err != nil {
		return err
	}
	_, err := d.spec(1)
	return err
}
