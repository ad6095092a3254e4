package main

import (
	"context"
	"fmt"
	"path/filepath"

	"balsa/sim"
)

// untold is the name of what is violated when a scenario does not come true.
const untold sim.Property = "Story"

// story plays a scenario.
func (r *replay) story(ctx context.Context, c *console, file string) error {
	if r.profile != "" || r.nodes.given || r.duration != "" || r.events != "" || r.saveAsTest {
		return fail(exitUsage,
			"%s is a scenario, which says itself what happens: leave the flags out but for -o", file)
	}
	text, err := readText(file)
	if err != nil {
		return err
	}
	scenario, err := sim.ParseScenario(file, string(text))
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.budget, errBudget)
	defer cancel()
	enough := func() bool { return ctx.Err() != nil }
	s := newSummary("", seedRange{})
	show, unmet := scenario.Play(sim.Manner{Enough: enough})
	if unmet != nil && show.Violation == nil {
		// what was expected failed: perhaps a property does, further on
		more, _ := scenario.Play(sim.Manner{Broken: true, Enough: enough})
		if v := more.Violation; v != nil && v.Property != sim.Unfinished {
			show = more
		}
	}
	if unmet == nil && show.Simulated == 0 { // a story in which nothing happened is no evidence
		return fail(exitUsage, "%s, line 1, column 1: in this story no time passes, so it shows nothing: "+
			"add a statement like run 1s", file)
	}
	s.story(file, show, unmet)
	stopped := show.Violation != nil && show.Violation.Property == sim.Unfinished
	if stopped {
		s.end(ctx)
	}
	if err := r.tell(c, s, scenario, show); err != nil {
		return err
	}
	switch {
	case stopped:
		return fail(exitError, "%s: nothing is known of what comes after event %d", s.Stopped, show.Events)
	case unmet != nil:
		return fail(exitViolation, "%w", unmet)
	}
	return nil
}

// tell prints how a scenario went.
func (r *replay) tell(c *console, s *summary, scenario *sim.Scenario, show sim.Performance) error {
	if r.output == "json" {
		return outputError(c.json(s))
	}
	_, err := fmt.Fprintf(c.out, "%s: %s\n%v", filepath.Base(scenario.Name), scenario.Title(), show)
	if err == nil && s.Stopped != "" {
		_, err = fmt.Fprintln(c.out, "no violation until it was stopped")
	}
	if err == nil {
		_, err = fmt.Fprintf(c.out, "    %d events in %v, digest %v\n", show.Events, show.Simulated,
			show.Digest)
	}
	return outputError(err)
}

// story takes in how a scenario went. A violation that it expects is none, and neither is it one that nobody
// waited for its end.
func (s *summary) story(file string, show sim.Performance, unmet error) {
	s.Digest, s.Events = show.Digest, show.Events
	s.SimulatedSeconds = float64(show.Simulated) / float64(sim.Second)
	s.CPUSeconds = s.cpu()
	if v := show.Violation; v != nil && v.Property == sim.Unfinished {
		return
	}
	if s.Seeds = 1; unmet == nil {
		return
	}
	f := failedSeed{Property: untold, Sentence: unmet.Error(), Position: show.Events,
		Time: int64(show.Simulated), CPUSeconds: s.cpu(), File: filepath.ToSlash(file)}
	if v := show.Violation; v != nil {
		f.Property, f.Sentence, f.Position, f.Time = v.Property, v.Sentence, v.Position, int64(v.Time)
	}
	s.Violations = append(s.Violations, f)
}
