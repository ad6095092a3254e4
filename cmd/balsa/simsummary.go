package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"balsa/sim"
)

// summary is what many seeds came to. It is told of them in the order of their numbers.
type summary struct {
	Profile          string       `json:"profile"`
	Asked            string       `json:"asked"` // FIRST..LAST
	Seeds            int          `json:"seeds"` // that have come to their end
	Stopped          string       `json:"stopped,omitempty"`
	Violations       []failedSeed `json:"violations"`
	Digest           sim.Digest   `json:"digest"`
	SimulatedSeconds float64      `json:"simulatedSeconds"`
	CPUSeconds       float64      `json:"cpuSeconds"`
	WallSeconds      float64      `json:"wallSeconds"`
	Ratio            float64      `json:"ratio"` // simulated : CPU
	Events           uint64       `json:"events"`
	Operations       operations   `json:"operations"`
	Faults           seenKinds    `json:"faults"`
	Effects          seenKinds    `json:"effects"` // what the faults led to
	Slowest          slowest      `json:"slowest"`

	known    string // the file that the run comes from, which need not be written
	began    time.Time
	cpuBegan time.Duration
	err      error // of a run that could not be made, or a file that could not be written
}

// failedSeed is a seed with a violation.
type failedSeed struct {
	Seed       uint64       `json:"seed"`
	Property   sim.Property `json:"property"`
	Sentence   string       `json:"sentence"`
	Position   uint64       `json:"p"`
	Time       int64        `json:"t"`          // in the run, in nanoseconds
	CPUSeconds float64      `json:"cpuSeconds"` // from the beginning of the command until it was found
	File       string       `json:"file"`

	spec sim.Spec
}

// operations counts how those of the clients ended.
type operations struct {
	OK      uint64 `json:"ok"`
	No      uint64 `json:"no"`
	Unknown uint64 `json:"unknown"`
}

// faultSeen is how often a kind of fault happened, and in how many seeds.
type faultSeen struct {
	Times uint64 `json:"times"`
	Seeds int    `json:"seeds"`
}

// seenKinds are faults, or effects, by their names.
type seenKinds map[string]faultSeen

// add takes in what one seed has seen.
func (k seenKinds) add(counts []sim.Count) {
	for _, c := range counts {
		k[c.Kind] = faultSeen{k[c.Kind].Times + c.Times, k[c.Kind].Seeds + 1}
	}
}

// rows are a line for each kind, in the order of their names.
func (k seenKinds) rows(title string) [][]string {
	rows := [][]string{{title, count(len(k), "kind")}}
	for _, kind := range slices.Sorted(maps.Keys(k)) {
		rows = append(rows, []string{"  " + kind,
			fmt.Sprintf("%s in %s", howOften(k[kind].Times), count(k[kind].Seeds, "seed"))})
	}
	return rows
}

// howOften says how often something happened.
func howOften(times uint64) string {
	if times == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", times)
}

// slowest is the seed that took longest, by the clock on the wall.
type slowest struct {
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
}

func newSummary(profile string, asked seedRange) *summary {
	return &summary{Profile: profile, Asked: asked.String(), Violations: []failedSeed{},
		Faults: seenKinds{}, Effects: seenKinds{}, began: time.Now(), cpuBegan: cpuTime()}
}

// add takes a seed in.
func (s *summary) add(e ended) {
	if e.err != nil {
		s.err = errors.Join(s.err, e.err)
		return
	}
	if e.unfinished() {
		return
	}
	s.Seeds++
	s.digest(e.seed, e.result.Digest)
	s.SimulatedSeconds += float64(e.result.Time) / float64(sim.Second)
	s.Events += e.result.Events
	s.Operations.OK += e.result.Done.OK
	s.Operations.No += e.result.Done.No
	s.Operations.Unknown += e.result.Done.Unknown
	s.Faults.add(e.result.Counts)
	s.Effects.add(e.result.Effects)
	if took := e.took.Seconds(); took > s.Slowest.Seconds {
		s.Slowest = slowest{e.seed, took}
	}
	if v := e.result.Violation; v != nil {
		s.violated(e.seed, v, e.result.Spec)
	}
}

// digest mixes a run's digest in, with its seed.
func (s *summary) digest(seed uint64, d sim.Digest) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%v %d %v", s.Digest, seed, d)
	s.Digest = sim.Digest(h.Sum64())
}

// violated enters a violation, and writes the run down at once: who stops the program later has it.
func (s *summary) violated(seed uint64, v *sim.Violation, spec sim.Spec) {
	file := filepath.Join(failures, fmt.Sprintf("%s-%d.balsa.json", s.Profile, seed))
	if s.known == "" {
		s.err = errors.Join(s.err, writeRun(file, spec))
	} else {
		file = s.known
	}
	s.Violations = append(s.Violations, failedSeed{
		Seed: seed, Property: v.Property, Sentence: v.Sentence, Position: v.Position, Time: int64(v.Time),
		CPUSeconds: s.cpu(), File: filepath.ToSlash(file), spec: spec,
	})
}

func (s *summary) cpu() float64 { return (cpuTime() - s.cpuBegan).Seconds() }

// writeRun writes a run to a file, whole or not at all.
func writeRun(file string, spec sim.Spec) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", spec.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// end takes the times, and says why not every seed was run.
func (s *summary) end(ctx context.Context) {
	s.CPUSeconds, s.WallSeconds = s.cpu(), time.Since(s.began).Seconds()
	if s.CPUSeconds > 0 {
		s.Ratio = s.SimulatedSeconds / s.CPUSeconds
	}
	switch {
	case errors.Is(context.Cause(ctx), errBudget):
		s.Stopped = errBudget.Error()
	case ctx.Err() != nil:
		s.Stopped = "interrupted"
	}
}

// print writes the summary as data.
func (s *summary) print(c *console, as format) error {
	if as == "json" {
		return c.json(s)
	}
	rows := [][]string{
		{"profile", s.Profile},
		{"seeds", fmt.Sprintf("%d of %s", s.Seeds, s.Asked)},
		{"violations", fmt.Sprint(len(s.Violations))},
		{"digest", s.Digest.String()},
		{"simulated", fmt.Sprintf("%.1f s", s.SimulatedSeconds)},
		{"cpu", fmt.Sprintf("%.1f s", s.CPUSeconds)},
		{"wall", fmt.Sprintf("%.1f s", s.WallSeconds)},
		{"ratio", fmt.Sprintf("%.0f simulated : 1 cpu", s.Ratio)},
		{"events", fmt.Sprint(s.Events)},
		{"operations", fmt.Sprintf("%d ok, %d no, %d unknown", s.Operations.OK, s.Operations.No,
			s.Operations.Unknown)},
		{"slowest", fmt.Sprintf("seed %d, %.0f ms", s.Slowest.Seed, 1000*s.Slowest.Seconds)},
	}
	rows = append(rows, s.Faults.rows("interventions")...)
	rows = append(rows, s.Effects.rows("effects")...)
	if s.Stopped != "" {
		rows = append(rows, []string{"stopped", s.Stopped})
	}
	return c.table(as, strings.Fields("WHAT VALUE"), rows)
}
