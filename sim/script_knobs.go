package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// knob is an option of a script, and how it changes the options of the world.
type knob struct {
	name string
	turn func(o *Options, value string) error
}

// knobs are all options of scripts. Ticks come first: what is given in time is counted in them.
func knobs() []knob {
	return []knob{
		{"tick", timeKnob(func(o *Options) *Time { return &o.Tick })},
		{"prevote", flagKnob(func(o *Options) *bool { return &o.NoPreVote }, "off", "on")},
		{"checkquorum", flagKnob(func(o *Options) *bool { return &o.NoCheckQuorum }, "off", "on")},
		{"timers", flagKnob(func(o *Options) *bool { return &o.NoElectionTimer }, "manual", "auto")},
		{"heartbeat", tickKnob(func(o *Options, n int) { o.Heartbeat = n })},
		{"election", rangeKnob},
		{"latency", exactKnob(func(o *Options) (*Time, *Time) { return &o.Latency, &o.LatencyMean })},
		{"jitter", timeKnob(func(o *Options) *Time { return &o.LatencyMean })},
		{"disk", exactKnob(func(o *Options) (*Time, *Time) { return &o.Disk, &o.DiskMean })},
		{"apply", timeKnob(func(o *Options) *Time { return &o.Apply })},
		{"keeping", timeKnob(func(o *Options) *Time { return &o.Keeping })},
		{"patience", timeKnob(func(o *Options) *Time { return &o.Patience })},
		{"clients", numberKnob(func(o *Options, n int) { o.Clients = n })},
		{"batch", batchKnob},
		{"window", numberKnob(func(o *Options, n int) { o.Limits.Window = max(n, 1) })},
		{"backlog", numberKnob(func(o *Options, n int) { o.Limits.BacklogBytes = max(n, 1) })},
		{"uncommitted", numberKnob(func(o *Options, n int) { o.Limits.UncommittedBytes = max(n, 1) })},
		{"segment", numberKnob(func(o *Options, n int) { o.SegmentBytes = int64(n) })},
		{"snapshot", entriesKnob(func(o *Options) *int { return &o.Limits.SnapshotBytes })},
		{"trailing", entriesKnob(func(o *Options) *int { return &o.Limits.TrailingBytes })},
		{"sessions", numberKnob(func(o *Options, n int) { o.MostSessions = n })},
		{"numbers", numberKnob(func(o *Options, n int) { o.MostNumbers = n })},
		{"keys", numberKnob(func(o *Options, n int) { o.MostKeys = n })},
		{"promote", numberKnob(func(o *Options, n int) { o.Limits.PromoteBytes = max(n*ordinary, 1) })},
		{"spares", numberKnob(func(o *Options, n int) { o.Spares = n })},
		{"membership", flagKnob(func(o *Options) *bool { return &o.Unversioned }, "off", "on")},
		{"chunk", numberKnob(func(o *Options, n int) { o.Limits.ChunkBytes, o.SnapshotChunk = n, n })},
	}
}

func knobNames() (names []string) {
	for _, k := range knobs() {
		names = append(names, k.name)
	}
	return names
}

// knobNamed returns the knob with a name that there is.
func knobNamed(name string) knob {
	all := knobs()
	return all[slices.IndexFunc(all, func(k knob) bool { return k.name == name })]
}

// worldOptions are the reference without clients, and what the script sets of it.
func worldOptions(nodes int, settings []setting) (Options, error) {
	o := DefaultOptions()
	o.Nodes, o.Clients, o.Faulty = nodes, 0, 0
	o.Unversioned = true        // the log of a story holds what the story puts into it
	for _, k := range knobs() { // in this order: heartbeats are counted in ticks
		for _, s := range settings {
			if s.name != k.name {
				continue
			}
			if err := k.turn(&o, s.value); err != nil {
				return o, err
			}
		}
	}
	if err := o.check(); err != nil {
		return o, fmt.Errorf("the options do not fit together: %s",
			strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return o, nil
}

func timeKnob(field func(*Options) *Time) func(*Options, string) error {
	return func(o *Options, value string) error {
		t, err := ParseTime(value)
		if err != nil || t < 0 {
			return badTime(value)
		}
		*field(o) = t
		return nil
	}
}

// exactKnob sets a time without chance on top of it.
func exactKnob(fields func(*Options) (*Time, *Time)) func(*Options, string) error {
	return func(o *Options, value string) error {
		t, err := ParseTime(value)
		if err != nil || t < 0 {
			return badTime(value)
		}
		shortest, mean := fields(o)
		*shortest, *mean = t, 0
		return nil
	}
}

func flagKnob(field func(*Options) *bool, yes, no string) func(*Options, string) error {
	return func(o *Options, value string) error {
		if value != yes && value != no {
			return fmt.Errorf("%q is neither %s nor %s", value, yes, no)
		}
		*field(o) = value == yes
		return nil
	}
}

func numberKnob(set func(*Options, int)) func(*Options, string) error {
	return func(o *Options, value string) error {
		n, err := strconv.ParseUint(value, 10, 30)
		if err != nil {
			return fmt.Errorf("%q is no number from 0 to %d", value, 1<<30-1)
		}
		set(o, int(n))
		return nil
	}
}

// ordinary is for how many bytes an entry counts in the numbers of a script.
const ordinary = 64

// entriesKnob sets a limit to so many entries of an ordinary size: snapshot=20, trailing=5; off is none.
func entriesKnob(limit func(*Options) *int) func(*Options, string) error {
	return func(o *Options, value string) error {
		if value == "off" || value == "0" {
			*limit(o) = -1
			return nil
		}
		return numberKnob(func(o *Options, n int) { *limit(o) = n * ordinary })(o, value)
	}
}

// batchKnob lets so many entries of an ordinary size into one message; each limit lets at least one through.
func batchKnob(o *Options, value string) error {
	set := func(o *Options, n int) { o.Limits.AppendBytes = max(1, n*ordinary-ordinary+1) }
	return numberKnob(set)(o, value)
}

// tickKnob sets a number of ticks by the time that they take.
func tickKnob(set func(o *Options, ticks int)) func(*Options, string) error {
	return func(o *Options, value string) error {
		t, err := ParseTime(value)
		if err != nil || t < o.Tick || t > Hour {
			return fmt.Errorf("%q is no time of at least a tick (%v)", value, o.Tick)
		}
		set(o, int(t/o.Tick))
		return nil
	}
}

// rangeKnob sets the election timeouts: 300ms..500ms, or the shortest alone.
func rangeKnob(o *Options, value string) error {
	low, high, both := strings.Cut(value, "..")
	if !both {
		high = low
	}
	err := tickKnob(func(o *Options, n int) { o.ElectionMin = n })(o, low)
	if err == nil {
		err = tickKnob(func(o *Options, n int) { o.ElectionMax = n })(o, high)
	}
	return err
}
