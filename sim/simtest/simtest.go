// Package simtest puts a state machine of an embedding program through the faults of the simulator: a
// whole cluster in one goroutine, from one seed, whose servers crash, lose power, are cut off, and replay
// their logs into machines that the program makes.
//
//	func TestMachineUnderFaults(t *testing.T) {
//		simtest.Seeds(t, 100, func() replica.StateMachine { return newLedger() },
//			simtest.Commands(func(random, n uint64) []byte {
//				return fmt.Appendf(nil, `{"add": %d, "to": %d, "id": %d}`, random%100, random>>32%8, n)
//			}))
//	}
//
// What the cluster does with the commands is checked as in the simulator's own runs (sim.Property lists the
// properties). What a machine owes to its cluster is checked too:
//
//   - it makes the same of each command on every server, and after every restart;
//   - its snapshots are equal on every server that has applied the same commands;
//   - a machine that was made anew and given the commands once more comes to the same snapshot;
//   - a snapshot holds all of the state: a machine restored from one goes on as the others do;
//   - a snapshot holds the moment in which it was captured, whenever it is written;
//   - a command is left as it came: its bytes are those of the log.
//
// A machine that takes no snapshots yet returns an error that wraps errors.ErrUnsupported from Snapshot. What
// needs snapshots is left out then.
package simtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"balsa/replica"
	"balsa/sim"
)

// Option changes how a machine is tried.
type Option func(*settings)

type settings struct {
	profile  string
	commands func(random, n uint64) []byte
	duration sim.Time
}

// Commands says what clients propose. random is a random number, to draw the contents from, and n one that no
// other call has: no command may occur twice in a run, or nobody could tell whether it was carried out twice.
// Equal numbers must give equal commands. Without this option they are words like "set k7 19.4294967298".
func Commands(command func(random, n uint64) []byte) Option {
	return func(s *settings) { s.commands = command }
}

// Profile says which faults are drawn: one of the names that sim.Profiles returns. Without this option it is
// "chaos", which is all of them.
func Profile(name string) Option { return func(s *settings) { s.profile = name } }

// Duration says for how long faults are drawn, in virtual time. Without this option it is a minute. The time
// in which the cluster recovers comes on top.
func Duration(t sim.Time) Option { return func(s *settings) { s.duration = t } }

// Run tries a machine once, with the faults that a seed stands for, and fails the test with what does not
// hold, with the facts that show it, and with the line that tries the same again. machine returns an empty
// state machine, a new one at each call: every start of every server begins with one.
func Run(t testing.TB, seed uint64, machine func() replica.StateMachine, options ...Option) {
	t.Helper()
	if err := Check(seed, machine, options...); err != nil {
		t.Fatalf("%v\n    again: %s", err, again(t.Name()))
	}
}

// again is the command that runs one test alone.
func again(name string) string {
	return fmt.Sprintf("go test -count=1 -run '^%s$' .", strings.ReplaceAll(name, "/", "$/^"))
}

// Seeds runs so many seeds, from 1 on, each as a subtest of its own. The same seed is the same run tomorrow.
func Seeds(t *testing.T, n uint64, machine func() replica.StateMachine, options ...Option) {
	t.Helper()
	for seed := uint64(1); seed <= n; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { Run(t, seed, machine, options...) })
	}
}

// Check is Run for callers that are no test. The error is a *sim.Violation, perhaps wrapped, if it is the
// machine or the cluster that failed, and something else if the options cannot be.
func Check(seed uint64, machine func() replica.StateMachine, options ...Option) error {
	s := settings{profile: "chaos", commands: words, duration: sim.Minute}
	for _, option := range options {
		option(&s)
	}
	spec := sim.Drawn(s.profile, seed)
	spec.Options.Faulty = s.duration
	trial := trial{machine: machine, commands: s.commands, asked: map[string]bool{}}
	world, err := sim.New(spec, sim.Parts{Machine: trial.make, Command: trial.command})
	if err != nil {
		return fmt.Errorf("simtest: %w", err)
	}
	result := world.Run()
	violation := result.Violation
	switch {
	case trial.mistake != nil:
		return trial.mistake
	case trial.violation != nil: // what the machine did by itself comes before what followed from it
		violation = trial.violation
	case violation == nil:
		violation = trial.end()
	}
	if violation == nil {
		return nil
	}
	if violation == trial.violation {
		violation.Moment = sim.Moment{Position: result.Events, Time: result.Time}
		for i := range violation.Witnesses {
			violation.Witnesses[i].Moment = violation.Moment
		}
	}
	return fmt.Errorf("%w%s\n    seed %d, profile %s, %d servers, %d interventions, event %d at %v",
		violation, trial.differ, seed, s.profile, spec.Options.Nodes, len(result.Spec.Script),
		violation.Position, violation.Time)
}

// words is a command that a person can read.
func words(random, n uint64) []byte {
	return fmt.Appendf(nil, "set k%d %d.%d", random%20, random>>32%100, n)
}

// errRepeated says that a run cannot be judged.
var errRepeated = errors.New("simtest: a command was made twice in one run; put the number n into it")
