package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"balsa/sim"
)

// replay is a command line of sim replay.
type replay struct {
	drawing
	events string
	budget time.Duration
	output format
	saving
}

func simReplayCommand(c *console) *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "replay SEED|FILE",
		Short: "Run a seed, a recorded run or a scenario again, and show what led to the violation",
		Long: `Run a seed with its --profile, a recorded run (.balsa.json) or a scenario (.balsa) again.
When a property is violated, the last events before that are shown, with the decisions that servers took.

Exit status: 0 no violation, 7 a violation, 2 a mistake on the command line or in the file.`,
		Example: `  balsa sim replay 17 --profile chaos
  balsa sim replay .balsa/failures/chaos-17.balsa.json
  balsa sim replay sim/testdata/scenarios/figure8.balsa
  balsa sim replay 17 --profile chaos --events 1200..1300`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), c, args[0]) },
	}
	r.drawing.register(cmd, "")
	cmd.Flags().StringVar(&r.events, "events", "", "show all events FROM..TO instead of the last ones")
	cmd.Flags().DurationVar(&r.budget, "time", 10*time.Minute, "how long to go on, by the clock on the wall")
	r.output.register(cmd.Flags(), "table")
	r.keeping(cmd)
	return cmd
}

func (r *replay) run(ctx context.Context, c *console, what string) error {
	window, err := r.check()
	if err != nil {
		return err
	}
	if strings.HasSuffix(what, ".balsa") {
		return r.story(ctx, c, what)
	}
	spec, err := r.find(what)
	if err != nil {
		return err
	}
	seen := &sight{window: window}
	if r.events != "" && r.output != "json" {
		seen.to = c.out
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.budget, errBudget)
	defer cancel()
	s := newSummary(cmp.Or(spec.Profile, spec.Drawn), seedRange{spec.Seed, spec.Seed})
	if _, err := parseSeed(what); err != nil {
		s.known = filepath.ToSlash(what)
	}
	result, err := sim.Perform(spec, sim.Parts{Observe: seen.see,
		Enough: func() bool { return ctx.Err() != nil }})
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	s.add(ended{seed: spec.Seed, result: result})
	s.end(ctx)
	s.Digest = result.Digest
	again := replayed{summary: s, Core: spec.Core, Same: sameAs(spec, result)}
	if len(s.Violations) > 0 || r.events != "" {
		again.Trace = seen.lines()
	}
	if err := r.show(c, &again, spec, result); err != nil {
		return err
	}
	if spec.Events == 0 { // nothing was recorded of it so far
		spec = result.Spec
	}
	if err := r.save(c, what, spec); err != nil {
		return err
	}
	switch {
	case s.err != nil:
		return fail(exitError, "%w", s.err)
	case len(s.Violations) > 0:
		return fail(exitViolation, "%s is violated", s.Violations[0].Property)
	case s.Seeds == 0:
		return fail(exitError, "%s: nothing is known of what comes after event %d", s.Stopped, result.Events)
	}
	return nil
}

// replayed is what a replay came to, as data.
type replayed struct {
	*summary
	Core  string   `json:"core,omitempty"` // that made the file
	Same  string   `json:"same,omitempty"` // whether this run is the recorded one
	Trace []string `json:"trace,omitempty"`
}

// check names what is wrong with the flags.
func (r *replay) check() (window seedRange, err error) {
	var wrong []error
	if err := r.output.check(); err != nil {
		wrong = append(wrong, err)
	}
	if r.events != "" {
		if window, err = parseSeeds(r.events); err != nil {
			wrong = append(wrong, fail(exitUsage,
				"--events: %q is no range of events: write FROM..TO, as in 1200..1300", r.events))
		}
	}
	if r.budget <= 0 {
		wrong = append(wrong, fail(exitUsage, "--time is %v: give a duration above zero", r.budget))
	}
	if err := r.mayKeep(); err != nil {
		wrong = append(wrong, err)
	}
	return window, joined(exitUsage, wrong)
}

// find makes the run of a seed, or reads the one of a file.
func (r *replay) find(what string) (sim.Spec, error) {
	seed, err := parseSeed(what)
	if err != nil {
		if r.profile != "" || r.nodes.given || r.duration != "" {
			return sim.Spec{}, fail(exitUsage,
				"--profile, --nodes and --duration belong to a seed: %s says itself what it is", what)
		}
		return readRun(what)
	}
	if r.profile == "" {
		return sim.Spec{}, fail(exitUsage,
			"--profile is missing: seed %d is another run in each profile", seed)
	}
	if err := r.drawing.check(); err != nil {
		return sim.Spec{}, err
	}
	return r.spec(seed)
}

// largestRun is how large a file of a run may be: a thousand times what one usually takes.
const largestRun = 256 << 20

// readText reads a file whole, but none that is absurdly large, and nothing that may have no end or may never
// answer, as a device or a pipe.
func readText(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(exitUsage, "%q is neither a seed nor a file", file)
	case err != nil:
		return nil, fail(exitError, "%w", err)
	case info.IsDir():
		return nil, fail(exitUsage, "%s is a directory: name a file in it", file)
	case !info.Mode().IsRegular():
		return nil, fail(exitUsage, "%s is a device or a pipe: write what it says to a file first", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fail(exitError, "%w", err)
	}
	defer f.Close()
	text, err := readAtMost(f, largestRun)
	if err != nil {
		return nil, fail(exitUsage, "%s: %w", file, err)
	}
	return text, nil
}

// readAtMost reads to the end, which must come within so many bytes, whatever size a file claims to have.
func readAtMost(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it has more than %d bytes: no run needs so many", most)
	}
	return text, err
}

func readRun(file string) (sim.Spec, error) {
	text, err := readText(file)
	if err != nil {
		return sim.Spec{}, err
	}
	spec, err := sim.ReadSpec(text)
	if err != nil {
		return sim.Spec{}, fail(exitUsage, "%s: %w", file, err)
	}
	return spec, nil
}

// sameAs says whether a run is the one that was recorded, and up to which event it certainly is. "": nothing
// was recorded.
func sameAs(recorded sim.Spec, now sim.Result) string {
	if recorded.Events == 0 {
		return ""
	}
	if recorded.Digest == now.Digest {
		return "the recorded run, event by event"
	}
	after, differ := sim.Differs(recorded.Digests, now.Spec.Digests)
	until := after + sim.DigestEvery
	if !differ {
		until = math.MaxUint64
	}
	until = min(until, max(recorded.Events, now.Events))
	of := cmp.Or(recorded.Core, "unknown")
	return fmt.Sprintf("made with core %s; this run, of core %s, is the same up to event %d, "+
		"and another one by event %d", of, core(), after, until)
}

// show prints a replay.
func (r *replay) show(c *console, again *replayed, spec sim.Spec, result sim.Result) error {
	if r.output == "json" {
		return outputError(c.json(again))
	}
	if r.events == "" && result.Violation != nil {
		for _, line := range again.Trace {
			fmt.Fprintln(c.out, line)
		}
	}
	switch {
	case len(again.Violations) > 0:
		fmt.Fprintln(c.out)
		c.report(c.out, result.Spec, again.Violations[0].File)
	case again.Seeds == 0:
		fmt.Fprintln(c.out, "no violation until it was stopped")
	default:
		fmt.Fprintln(c.out, "no violation")
	}
	fmt.Fprintf(c.out, "    %d events in %v, digest %v\n", result.Events, result.Time, result.Digest)
	if again.Same != "" {
		fmt.Fprintf(c.out, "    %s\n", again.Same)
	}
	found := result.Violation
	if v := spec.Violation; v != nil && (found == nil || found.Property != v.Property) {
		fmt.Fprintf(c.out, "    recorded was a violation of %s, which does not occur: %s\n", v.Property,
			firstLine(v.Sentence))
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
