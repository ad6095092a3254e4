package main

import (
	"fmt"
	"path/filepath"

	"balsa/sim"
)

// untold is the name of what is violated when a scenario does not come true.
const untold sim.Property = "Story"

// story plays a scenario.
func (r *replay) story(c *console, file string) error {
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
	s := newSummary("", seedRange{})
	show, unmet := scenario.Play(sim.Manner{})
	if unmet != nil && show.Violation == nil {
		// what was expected failed: perhaps a property does, further on
		if more, _ := scenario.Play(sim.Manner{Broken: true}); more.Violation != nil {
			show = more
		}
	}
	s.story(file, show, unmet)
	if r.output == "json" {
		err = c.json(s)
	} else {
		_, err = fmt.Fprintf(c.out, "%s: %s\n%v    %d events in %v, digest %v\n", filepath.Base(file),
			scenario.Title(), show, show.Events, show.Simulated, show.Digest)
	}
	if err != nil || unmet == nil {
		return outputError(err)
	}
	return fail(exitViolation, "%w", unmet)
}

// story takes in how a scenario went. A violation that it expects is none.
func (s *summary) story(file string, show sim.Performance, unmet error) {
	s.Seeds, s.Digest, s.Events = 1, show.Digest, show.Events
	s.SimulatedSeconds = float64(show.Simulated) / float64(sim.Second)
	s.CPUSeconds = s.cpu()
	if unmet == nil {
		return
	}
	f := failedSeed{Property: untold, Sentence: unmet.Error(), Position: show.Events,
		Time: int64(show.Simulated), CPUSeconds: s.cpu(), File: filepath.ToSlash(file)}
	if v := show.Violation; v != nil {
		f.Property, f.Sentence, f.Position, f.Time = v.Property, v.Sentence, v.Position, int64(v.Time)
	}
	s.Violations = append(s.Violations, f)
}
