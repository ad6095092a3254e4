package sim

import (
	"encoding/json"
	"errors"
	"fmt"

	"balsa/raft"
	"balsa/snapshot"
)

// maxServers is how many servers a run has at most, the spares among them.
const maxServers = 15

// SpecVersion is the version of the form in which runs are written down.
const SpecVersion = 1

// Spec is a run as a value. The same Spec gives the same trace.
type Spec struct {
	Version int     `json:"v"`
	Core    string  `json:"core,omitempty"` // of which build it was recorded
	Seed    uint64  `json:"seed,string"`
	Profile string  `json:"profile,omitempty"` // which faults to draw; "": those of Script alone
	Options Options `json:"opt"`
	Script  []Op    `json:"script"`

	// Of a run that was recorded.
	Drawn     string     `json:"drawn,omitempty"`   // the profile that the script comes from
	Events    uint64     `json:"events,omitempty"`  // how many there were
	Digest    Digest     `json:"digest,omitzero"`   // of them all
	Digests   []Digest   `json:"digests,omitempty"` // one for each 256 events
	Violation *Violation `json:"violation,omitempty"`
	Why       string     `json:"why,omitempty"` // one sentence, in a file that is kept as a test
}

// Digest is that of a trace, as text: a number of 64 bits does not survive every reader of JSON.
type Digest uint64

// MarshalText writes sixteen hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads them.
func (d *Digest) UnmarshalText(text []byte) error {
	var n uint64
	if _, err := fmt.Sscanf(string(text), "%16x", &n); err != nil || len(text) != 16 {
		return fmt.Errorf("%q is no digest of sixteen hexadecimal digits", text)
	}
	*d = Digest(n)
	return nil
}

func (d Digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }

// Options are what a cluster and its surroundings are made of. Zero values take the defaults of
// DefaultOptions, but for the flags.
type Options struct {
	Nodes int `json:"nodes"`
	// Spares are how many servers stand by, with the ids after those: they may join.
	Spares int `json:"spares,omitempty"`

	// Of every server. Heartbeat and election timeouts are counted in ticks.
	Tick            Time        `json:"tick,omitzero"`
	Heartbeat       int         `json:"heartbeat,omitempty"`
	ElectionMin     int         `json:"electionMin,omitempty"`
	ElectionMax     int         `json:"electionMax,omitempty"`
	NoPreVote       bool        `json:"noPreVote,omitempty"`
	NoCheckQuorum   bool        `json:"noCheckQuorum,omitempty"`
	NoElectionTimer bool        `json:"noElectionTimer,omitempty"`
	Unversioned     bool        `json:"unversioned,omitempty"` // a program with which no membership changes
	Limits          raft.Limits `json:"limits,omitzero"`
	MaxApplyBytes   int         `json:"maxApplyBytes,omitempty"`
	SegmentBytes    int64       `json:"segmentBytes,omitempty"`
	SnapshotChunk   int         `json:"snapshotChunk,omitempty"` // bytes of a snapshot with one checksum
	SnapshotRate    int64       `json:"snapshotRate,omitempty"`  // bytes sent in a second; 0: no bound

	Surroundings
	Workload
	Repetition

	// How long faults are drawn, and how long the cluster may then take to recover. A run without a profile
	// ends when its script and Faulty do.
	Faulty Time `json:"faulty,omitzero"`
	Healed Time `json:"healed,omitzero"`
}

// Surroundings are how fast network, disks and state machines are. Mean times are those of an exponential
// distribution on top of the shortest one.
type Surroundings struct {
	Latency     Time `json:"latency,omitzero"` // the shortest, of one message
	LatencyMean Time `json:"latencyMean,omitzero"`
	Disk        Time `json:"disk,omitzero"` // of a write with its sync
	DiskMean    Time `json:"diskMean,omitzero"`
	Apply       Time `json:"apply,omitzero"`   // of an entry
	Keeping     Time `json:"keeping,omitzero"` // the mean time of a work on snapshots
	// Turn is how long a server takes what has come, at most, before it begins the work that follows from it;
	// 0: until the moment ends.
	Turn Time `json:"turn,omitzero"`
}

// Workload is what clients do.
type Workload struct {
	Clients  int  `json:"clients,omitempty"`
	Thinking Time `json:"thinking,omitzero"` // the mean time between a client's answer and its next request
	Keys     int  `json:"keys,omitempty"`
	Reads    int  `json:"reads,omitempty"`   // of a hundred requests
	ByLease  int  `json:"byLease,omitempty"` // of a hundred linearizable reads; above 0 leases are on
	Largest  int  `json:"largest,omitempty"` // bytes of a value
	Patience Time `json:"patience,omitzero"` // how long a client waits for an answer
	Astray   int  `json:"astray,omitempty"`  // of a hundred requests: sent to anybody but the supposed leader
}

// DefaultOptions are the reference: five servers, a heartbeat of 100 ms, ten requests a second.
func DefaultOptions() Options {
	return Options{
		Nodes: 5, Tick: 10 * Millisecond, Heartbeat: 10, ElectionMin: 30, ElectionMax: 50,
		Limits: raft.Limits{AppendBytes: 64 << 10, UncommittedBytes: 1 << 20, Window: 16,
			InFlightBytes: 256 << 10, BacklogBytes: 1 << 20,
			SnapshotBytes: 64 << 10, TrailingBytes: 16 << 10, ChunkBytes: 16 << 10},
		MaxApplyBytes: 64 << 10, SegmentBytes: 64 << 10, SnapshotChunk: 4 << 10,
		Surroundings: Surroundings{Latency: 200 * Microsecond, LatencyMean: 300 * Microsecond,
			Disk: 100 * Microsecond, DiskMean: 100 * Microsecond, Apply: 10 * Microsecond,
			Keeping: Millisecond},
		Workload: Workload{Clients: 5, Thinking: 500 * Millisecond, Keys: 10, Reads: 50, Largest: 100,
			Patience: 3 * Second, Astray: 20},
		Faulty: Minute, Healed: 30 * Second,
	}
}

// check names everything that is wrong with the options at once.
func (o *Options) check() error {
	var all []error
	demand := func(holds bool, format string, args ...any) {
		if !holds {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	demand(o.Nodes >= 1 && o.Nodes <= 15, "nodes is %d, it must lie from 1 to 15", o.Nodes)
	demand(o.Spares >= 0 && o.Spares <= max(maxServers-o.Nodes, 0),
		"spares is %d: with the nodes, %d at most", o.Spares, maxServers)
	demand(o.Tick >= Millisecond && o.Tick <= Second, "tick is %v, it must lie from 1ms to 1s", o.Tick)
	demand(o.Heartbeat >= 1 && o.Heartbeat < o.ElectionMin && o.ElectionMin <= o.ElectionMax &&
		o.ElectionMax <= 1<<20,
		"heartbeat %d, electionMin %d, electionMax %d ticks: each must be positive, the first below the "+
			"second, that not above the third, none above a million",
		o.Heartbeat, o.ElectionMin, o.ElectionMax)
	demand(o.Latency >= Microsecond && min(o.LatencyMean, o.Disk, o.DiskMean, o.Apply) >= 0 &&
		max(o.Latency, o.LatencyMean, o.Disk, o.DiskMean, o.Apply, o.Thinking, o.Patience) <= Hour,
		"latency must be at least 1us, no time may be negative, and none of the surroundings above 1h")
	l := o.Limits
	demand(min(l.AppendBytes, l.Window, l.InFlightBytes, l.UncommittedBytes, l.BacklogBytes) >= 0 &&
		o.MaxApplyBytes >= 0 && (o.SegmentBytes == 0 || o.SegmentBytes >= 512 && o.SegmentBytes <= 1<<30),
		"no limit may be negative, and segmentBytes is %d: 512 to 1 GiB", o.SegmentBytes)
	demand(o.SnapshotChunk == 0 || o.SnapshotChunk >= snapshot.MinChunkBytes &&
		o.SnapshotChunk <= snapshot.MaxChunkBytes && o.SnapshotRate >= 0 && l.ChunkBytes >= 0,
		"snapshotChunk is %d: %d to %d; snapshotRate and chunkBytes may not be negative", o.SnapshotChunk,
		snapshot.MinChunkBytes, snapshot.MaxChunkBytes)
	demand(o.Keeping >= 0 && o.Keeping <= Hour, "keeping is %v, at most 1h", o.Keeping)
	demand(o.Turn >= 0 && o.Turn <= Second, "turn is %v, at most 1s", o.Turn)
	demand(o.Faulty >= 0 && o.Faulty <= 1000*Hour && o.Healed >= 0 && o.Healed <= Hour,
		"faulty is %v, at most 1000h, and healed %v, at most 1h", o.Faulty, o.Healed)
	demand(o.Clients >= 0 && o.Clients <= 1000 && o.Reads >= 0 && o.Reads <= 100 && o.Largest >= 0 &&
		o.Largest <= 1<<20, "clients %d (0 to 1000), reads %d (0 to 100), largest %d (0 to 1 MiB)", o.Clients,
		o.Reads, o.Largest)
	demand(o.ByLease >= 0 && o.ByLease <= 100, "byLease is %d, it must lie from 0 to 100", o.ByLease)
	o.Repetition.check(demand)
	demand(o.Clients == 0 || o.Keys >= 1 && o.Keys <= 1<<20 && o.Patience > 0 && o.Thinking > 0,
		"clients need keys, patience and thinking time")
	return errors.Join(all...)
}

// Check says what of a spec cannot be.
func (s *Spec) Check() error {
	if err := s.checkVersion(); err != nil {
		return err
	}
	all := []error{s.Options.check(), s.checkProfile()}
	for i, op := range s.Script {
		if err := op.check(s.Options.Nodes + s.Options.Spares); err != nil {
			all = append(all, fmt.Errorf("operation %d, %v: %w", i+1, op, err))
		}
		if s.Options.ByLease > 0 && op.errsBeyondLeases() {
			all = append(all,
				fmt.Errorf("operation %d, %v: with reads by lease no clock errs so much", i+1, op))
		}
	}
	return errors.Join(all...)
}

func (s *Spec) checkVersion() error {
	if s.Version != SpecVersion {
		return fmt.Errorf("version %d of a run is not known here, only %d is", s.Version, SpecVersion)
	}
	return nil
}

func (s *Spec) checkProfile() error {
	if s.Profile == "" {
		return nil
	}
	_, err := profileNamed(s.Profile)
	return err
}

// Bytes is the file of a run.
func (s Spec) Bytes() []byte {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil { // every field is of a kind that can be written
		panic(err)
	}
	return append(b, '\n')
}
