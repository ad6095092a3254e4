package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	switch {
	case err != nil:
		return err
	case o.task != "":
		endWith(os.Stdin)
		return perform(o.task)
	case o.fill != "":
		endWith(os.Stdin)
		return performFilling(o.fill)
	case o.node != "":
		return performNode(o.node, os.Stdin, os.Stdout)
	case o.setting != "":
		endWith(os.Stdin)
		return performScale(o.setting)
	case o.scale:
		return o.runScale(ctx)
	}
	return o.run(ctx)
}

// options are what the command line asks for.
type options struct {
	passes    int
	systems   []system
	workloads []workload
	effort    effort
	dir       string // below which data directories are made
	out       string // file for the table
	png       string // file for the chart
	profile   string // file for a profile of balsa
	task      string // what this process is to measure, for the one that started it
	fill      string // the logs that it is to fill
	node      string // the node that it is to be
	setting   string // the setting that it is to measure
	scale     bool   // measure sweeps of balsa, and no other systems
	sweeps    []sweep
	line      string // the command
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "one pass, 1 s for each measurement, fewer entries and kills")
	flags.IntVar(&o.passes, "passes", 5, "how often each measurement is repeated, the systems in turn")
	names := flags.String("systems", "", "systems to measure, with commas between; all by default")
	works := flags.String("workloads", "", "workloads, with commas between; all by default")
	flags.Float64Var(&o.effort.Seconds, "seconds", 3, "how long a closed loop is measured")
	flags.IntVar(&o.effort.Entries, "entries", 1_000_000, "entries in the log before a restart")
	flags.IntVar(&o.effort.Kills, "kills", 5, "leaders killed in a pass")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "where data directories are made, on a real disk")
	flags.StringVar(&o.out, "o", "", "file for the table, beside standard output")
	flags.StringVar(&o.png, "png", "", "file for a chart of throughput against latency")
	flags.StringVar(&o.profile, "cpuprofile", "", "file for a profile of the last run of balsa")
	flags.BoolVar(&o.scale, "scale", false, "measure what balsa costs as its work grows, and no other system")
	grown := flags.String("sweeps", "", "what grows with -scale, with commas between; all by default")
	largest := flags.Int("largest", largestLog, "entries and keys that -scale goes up to")
	const own = "for processes that bench starts itself"
	flags.StringVar(&o.task, "task", "", own)
	flags.StringVar(&o.fill, "fill", "", own)
	flags.StringVar(&o.node, "node", "", own)
	flags.StringVar(&o.setting, "setting", "", own)
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	set := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if *quick {
		for name, value := range map[string]string{"passes": "1", "seconds": "1", "entries": "100000",
			"kills": "3", "largest": "100000"} {
			if !set[name] {
				_ = flags.Set(name, value)
			}
		}
	}
	if o.passes < 1 || o.effort.Seconds <= 0 || o.effort.Entries < 1 || o.effort.Kills < 1 {
		return o, fmt.Errorf("-passes, -seconds, -entries and -kills must be positive")
	}
	if o.scale && (set["systems"] || set["workloads"]) || !o.scale && (set["sweeps"] || set["largest"]) {
		return o, fmt.Errorf("-sweeps and -largest go with -scale, -systems and -workloads without")
	}
	if *largest < smallest {
		return o, fmt.Errorf("-largest must be at least %d", smallest)
	}
	o.line = "go run -C bench . " + strings.Join(args, " ")
	o.systems, err = chosen("system", *names, systems(), func(s system) string { return s.name })
	if err != nil {
		return o, err
	}
	o.workloads, err = chosen("workload", *works, workloads(), func(w workload) string { return w.name })
	if err != nil {
		return o, err
	}
	o.sweeps, err = chosen("sweep", *grown, sweeps(*largest), func(s sweep) string { return s.name })
	return o, err
}

// chosen returns those of all that a list names, in the order of all.
func chosen[T any](what, list string, all []T, name func(T) string) (found []T, err error) {
	if list == "" {
		return all, nil
	}
	wanted := map[string]bool{}
	for n := range strings.SplitSeq(list, ",") {
		wanted[strings.TrimSpace(n)] = true
	}
	var names []string
	for _, item := range all {
		names = append(names, name(item))
		if wanted[name(item)] {
			found = append(found, item)
			delete(wanted, name(item))
		}
	}
	for n := range wanted {
		return nil, fmt.Errorf("no %s is called %q: there are %s", what, n, strings.Join(names, ", "))
	}
	return found, nil
}

// run measures everything, and prints what came of it.
func (o options) run(ctx context.Context) error {
	base, err := os.MkdirTemp(o.dir, "balsa-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	r := report{command: o.line, passes: o.passes, effort: o.effort, systems: o.systems,
		machine: describeMachine(base)}
	for _, w := range o.workloads {
		measured := result{workload: w}
		for number := range o.passes {
			p, err := o.pass(ctx, w, base, number)
			if err != nil {
				return err
			}
			measured.passes = append(measured.passes, p)
		}
		r.results = append(r.results, measured)
	}
	return o.publish(r)
}

// account is what was measured, as a table and as a picture.
type account interface {
	write(to io.Writer)
	chart(file string) error
}

// publish prints the table, and writes the files that are asked for.
func (o options) publish(a account) error {
	var text bytes.Buffer
	a.write(&text)
	if o.out != "" {
		if err := os.WriteFile(o.out, text.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if _, err := io.Copy(os.Stdout, &text); err != nil || o.png == "" {
		return err
	}
	return a.chart(o.png)
}

// pass has each system do the work once, one after the other, and measures the machine before.
func (o options) pass(ctx context.Context, w workload, base string, number int) (pass, error) {
	machine, err := measureLimits(base)
	if err != nil {
		return pass{}, err
	}
	p := pass{limits: machine, figures: map[string]figure{}}
	for _, s := range o.systems {
		if !w.suits(s) {
			continue
		}
		profile := ""
		if s.name == ours && o.profile != "" {
			profile = o.profile
			if len(o.workloads) > 1 {
				profile += "." + w.name
			}
		}
		f := delegate(ctx, task{System: s.name, Workload: w.name, Effort: o.effort}, base, profile)
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		p.figures[s.name] = f
		fmt.Fprintf(os.Stderr, "%s, pass %d of %d: %-18s %s\n", w.name, number+1, o.passes, s.name,
			w.brief(f))
	}
	return p, nil
}
