package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// setting is what one measurement of balsa's cost has. Within a sweep one thing of it varies.
type setting struct {
	Nodes, Clients int
	Bytes          int   // of a value
	Keys           int   // that are written
	Entries        int   // in the log when the measurement ends, where it is they that vary
	SnapshotBytes  int64 // as balsa.Config has it
	Follower       condition
}

// condition is how one follower is; the others are always well.
type condition uint8

const (
	well condition = iota
	dead           // its node is closed
	slow           // its disk is: see slowSync
)

// sweep is one thing that varies while all else stays as it is.
type sweep struct {
	name     string
	title    string
	short    string // title of its panel
	axis     string // what varies
	settings []setting
	label    func(setting) string
	at       func(setting) float64 // on the axis; nil: each setting has a place of its own there
	columns  []column
	measure  func(scaleTask) (cost, error)
}

// column is one quantity of a sweep.
type column struct {
	head  string
	value func(setting, cost) float64
	show  func(float64) string
	first bool   // as a multiple of what the first setting gave in the same pass
	curve string // its name in the chart, with the unit; empty: it is not drawn
}

// errNothingToDraw says that no pass gave a figure.
var errNothingToDraw = errors.New("nothing was measured that can be drawn")

// scaled is a sweep that was measured: the costs of each pass, setting by setting.
type scaled struct {
	sweep  sweep
	passes [][]cost
}

// scaleReport is a run of sweeps.
type scaleReport struct {
	command string
	machine []string
	passes  int
	effort  effort
	limits  []limits
	results []scaled
}

// runScale measures every sweep, and prints what came of it.
func (o options) runScale(ctx context.Context) error {
	base, err := os.MkdirTemp(o.dir, "balsa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	r := scaleReport{command: o.line, passes: o.passes, effort: o.effort, machine: describeMachine(base)}
	for _, s := range o.sweeps {
		measured := scaled{sweep: s}
		for number := range o.passes {
			machine, err := measureLimits(base)
			if err != nil {
				return err
			}
			r.limits = append(r.limits, machine)
			costs, err := o.scalePass(ctx, s, base, number)
			if err != nil {
				return err
			}
			measured.passes = append(measured.passes, costs)
		}
		r.results = append(r.results, measured)
	}
	return o.publish(r)
}

// brief is what a setting gave, in a few words.
func (s sweep) brief(at setting, c cost) string {
	if c.Error != "" {
		return cell(c.Error)
	}
	var words []string
	for _, column := range s.columns {
		if !column.first {
			words = append(words, column.head+" "+column.show(column.value(at, c)))
		}
	}
	return strings.Join(words, ", ")
}

// scalePass measures each setting of a sweep once.
func (o options) scalePass(ctx context.Context, s sweep, base string, number int) (costs []cost, err error) {
	for _, at := range s.settings {
		c := delegateScale(ctx, scaleTask{Sweep: s.name, Setting: at, Effort: o.effort}, base)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		costs = append(costs, c)
		fmt.Fprintf(os.Stderr, "%s, pass %d of %d: %s: %s: %s\n", s.name, number+1, o.passes, s.axis,
			s.label(at), s.brief(at, c))
	}
	return costs, nil
}
