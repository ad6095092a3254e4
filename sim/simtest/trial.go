package simtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"balsa/raft"
	"balsa/replica"
	"balsa/sim"
)

// trial is what is remembered of the machines of one run.
type trial struct {
	machine  func() replica.StateMachine
	commands func(random, n uint64) []byte
	asked    map[string]bool

	entries []raft.Entry // all that any machine has applied, in their order
	results [][]byte     // what the first machine made of each
	differ  string       // a line about the first machine that made something else of one
	latest  *watched     // the last to have applied all of them

	violation *sim.Violation // what a machine did by itself
	mistake   error          // the options', not the machine's
}

// command makes a command, and holds that it is a new one.
func (t *trial) command(random, n uint64) []byte {
	c := t.commands(random, n)
	if t.asked[string(c)] {
		t.mistake = errRepeated
	}
	t.asked[string(c)] = true
	return c
}

func (t *trial) make() replica.StateMachine { return &watched{StateMachine: t.machine(), trial: t} }

// watched is a machine of a server in one of its lives.
type watched struct {
	replica.StateMachine
	trial   *trial
	applied int
}

// Apply applies an entry, and remembers the entry for those that are made later.
func (m *watched) Apply(e raft.Entry) []byte {
	t := m.trial
	before := slices.Clone(e.Command)
	result := m.StateMachine.Apply(e)
	if !bytes.Equal(before, e.Command) {
		t.accuse(sim.StateMachineSafety, "a machine changes command %q, which is a part of the log, while "+
			"it applies it as entry %d", before, e.Index)
	}
	if m.applied++; m.applied > len(t.entries) {
		e.Command = before
		t.entries, t.results = append(t.entries, e), append(t.results, bytes.Clone(result))
	}
	t.compare(m.applied-1, result)
	if m.applied == len(t.entries) {
		t.latest = m
	}
	return result
}

// compare notes what is different in the result of an entry. That it is different is what the world finds.
func (t *trial) compare(at int, result []byte) {
	if first := t.results[at]; t.differ == "" && !bytes.Equal(first, result) {
		from := parting(first, result)
		t.differ = fmt.Sprintf("\n    entry %d is %q; from byte %d on, the first result is %q, a later %q",
			t.entries[at].Index, t.entries[at].Command, from, piece(first, from), piece(result, from))
	}
}

// parting is where two texts begin to differ, and piece what follows there, short enough for a line.
func parting(a, b []byte) (at int) {
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return at
}

func piece(b []byte, from int) []byte { return b[from:min(from+40, len(b))] }

// Snapshot is none of a machine that does not take any.
func (m *watched) Snapshot() (io.WriterTo, error) {
	to, err := m.StateMachine.Snapshot()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	if err != nil || to == nil {
		return to, err
	}
	return numbered{m.applied, to}, nil
}

// Restore goes on from where another machine was when it was captured.
func (m *watched) Restore(from io.Reader) error {
	var applied [8]byte
	if _, err := io.ReadFull(from, applied[:]); err != nil {
		return err
	}
	if err := m.StateMachine.Restore(from); err != nil {
		return err
	}
	m.applied = int(binary.LittleEndian.Uint64(applied[:]))
	if m.applied == len(m.trial.entries) {
		m.trial.latest = m
	}
	return nil
}

// numbered is a snapshot behind the number of entries that it stands for.
type numbered struct {
	applied int
	image   io.WriterTo
}

// WriteTo writes both.
func (n numbered) WriteTo(to io.Writer) (int64, error) {
	head, err := to.Write(binary.LittleEndian.AppendUint64(nil, uint64(n.applied)))
	if err != nil {
		return int64(head), err
	}
	body, err := n.image.WriteTo(to)
	return int64(head) + body, err
}

// accuse enters the first thing that a machine does by itself.
func (t *trial) accuse(p sim.Property, format string, values ...any) {
	if t.violation == nil {
		t.violation = &sim.Violation{Property: p, Sentence: fmt.Sprintf(format, values...)}
	}
}

// end tries machines that no server has, when the run is over and nothing was wrong.
func (t *trial) end() *sim.Violation {
	if len(t.entries) == 0 {
		t.accuse(sim.Recovered, "no command was carried out in all of the run, so nothing was tried")
	}
	for _, try := range []func(){t.again, t.restored, t.interrupted} {
		if t.violation == nil {
			try()
		}
	}
	return t.violation
}

// feed gives a machine the entries from one on, up to another, and holds it to the results of the others.
func (t *trial) feed(m replica.StateMachine, what string, from, to int) {
	for i := from; i < to && t.violation == nil; i++ {
		e := t.entries[i]
		e.Command = slices.Clone(e.Command)
		if got := m.Apply(e); !bytes.Equal(got, t.results[i]) {
			t.compare(i, got)
			t.accuse(sim.ReplicaEquality, "%s makes another result of entry %d, %q, than the machines of "+
				"the cluster", what, e.Index, e.Command)
		}
	}
}

// state is the snapshot of a machine; nil if it takes none.
func (t *trial) state(m replica.StateMachine, what string) []byte {
	to, err := m.Snapshot()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.accuse(sim.ReplicaEquality, "%s takes no snapshot: %v", what, err)
		}
		return nil
	}
	if to == nil {
		return nil
	}
	return t.written(to, what)
}

func (t *trial) written(to io.WriterTo, what string) []byte {
	b := bytes.NewBuffer([]byte{}) // an empty snapshot is one
	if _, err := to.WriteTo(b); err != nil {
		t.accuse(sim.ReplicaEquality, "%s does not write its snapshot: %v", what, err)
	}
	return b.Bytes()
}

// equal demands two snapshots to be the same.
func (t *trial) equal(a, b []byte, format string, values ...any) {
	if bytes.Equal(a, b) || t.violation != nil {
		return
	}
	t.accuse(sim.ReplicaEquality, format, values...)
	at := parting(a, b)
	for _, snapshot := range [][]byte{a, b} {
		t.violation.Witnesses = append(t.violation.Witnesses, sim.Witness{Fact: fmt.Sprintf(
			"one snapshot has %d bytes, from byte %d on: %q", len(snapshot), at, piece(snapshot, at))})
	}
}

// again gives a new machine all that the cluster has applied.
func (t *trial) again() {
	m := t.machine()
	t.feed(m, "a new machine", 0, len(t.entries))
	t.equal(t.state(t.latest.StateMachine, "a machine of the cluster"), t.state(m, "a new machine"),
		"a new machine that is given the same %d commands comes to another state than the cluster's",
		len(t.entries))
}

// restored goes on from a snapshot of the middle of the run, and holds that writing it late changes nothing.
func (t *trial) restored() {
	half, all := len(t.entries)/2, len(t.entries)
	first := t.machine()
	t.feed(first, "a new machine", 0, half)
	middle := t.state(first, "a new machine")
	if middle == nil || t.violation != nil {
		return
	}
	captured, err := first.Snapshot()
	if err != nil {
		t.accuse(sim.ReplicaEquality, "a machine takes one snapshot, and not another one at once: %v", err)
		return
	}
	// One that is new, and one that holds more: Restore replaces the state, and adds nothing to it.
	second, third := t.machine(), t.machine()
	t.feed(third, "a new machine", 0, all)
	for _, m := range []replica.StateMachine{second, third} {
		if err := m.Restore(bytes.NewReader(middle)); err != nil {
			t.accuse(sim.ReplicaEquality, "a machine does not restore a snapshot that it wrote: %v", err)
			return
		}
		t.equal(middle, t.state(m, "a restored machine"),
			"a machine that was restored from a snapshot writes another one")
	}
	t.feed(first, "a new machine", half, all)
	t.equal(middle, t.written(captured, "a machine"),
		"a snapshot that is written after later commands is not what was captured before them")
	for _, m := range []replica.StateMachine{second, third} {
		t.feed(m, "a machine that was restored from a snapshot", half, all)
		t.equal(t.state(first, "a new machine"), t.state(m, "a restored machine"),
			"a machine that was restored from a snapshot and given the same commands comes to another state")
	}
}

var errReading = errors.New("simulated reader: input/output error")

// failing is a reader that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errReading }

// interrupted holds that a Restore that fails says so, and changes nothing.
func (t *trial) interrupted() {
	half := len(t.entries) / 2
	m := t.machine()
	t.feed(m, "a new machine", 0, half)
	before, whole := t.state(m, "a new machine"), t.state(t.latest.StateMachine, "a machine of the cluster")
	if len(whole) < 2 || t.violation != nil {
		return
	}
	err := m.Restore(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{}))
	after := t.state(m, "a machine")
	switch {
	case err != nil:
		t.equal(before, after, "a Restore that failed has changed the state")
	case !bytes.Equal(whole, after):
		t.accuse(sim.ReplicaEquality, "Restore returns no error, although its reader failed half-way")
	}
}
