package simtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa/raft"
	"balsa/replica"
	"balsa/sim"
	"balsa/sim/simtest"
)

// Members is a machine of an embedding program: a club. A command is the name of who joins.
type Members struct {
	names map[string]bool
	hosts func(map[string]bool) string // who of them hosts the next meeting
}

// Apply lets somebody join, and answers who hosts the next meeting.
func (m *Members) Apply(e raft.Entry) []byte {
	m.names[string(e.Command)] = true
	return []byte(m.hosts(m.names))
}

// Snapshot captures the names.
func (m *Members) Snapshot() (io.WriterTo, error) { return bytes.NewBufferString(sorted(m.names)), nil }

// Restore takes them over.
func (m *Members) Restore(from io.Reader) error {
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	m.names = map[string]bool{}
	for name := range strings.FieldsSeq(string(text)) {
		m.names[name] = true
	}
	return nil
}

func sorted(names map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

// eldest is right: it does not depend on how the map is walked.
func eldest(names map[string]bool) string { return slices.Min(slices.Collect(maps.Keys(names))) }

// anybody is wrong: a map begins with another one on every server.
func anybody(names map[string]bool) string {
	for name := range names {
		return name
	}
	return ""
}

// withTheTime is wrong: no two servers apply an entry at the same time, and one that starts again applies it
// again.
func withTheTime(names map[string]bool) string {
	return fmt.Sprint(len(names), " members at ", time.Now().UnixNano())
}

func newMembers() replica.StateMachine { return &Members{names: map[string]bool{}, hosts: eldest} }

func newMember(random, n uint64) []byte { return fmt.Appendf(nil, "member-%d", n) }

func TestMachineUnderFaults(t *testing.T) {
	simtest.Seeds(t, 10, newMembers, simtest.Commands(newMember)) // 10 virtual minutes of crashes and cuts
}

// Three machines that differ in one line. One of them does what the library asks of a state machine.
func ExampleCheck() {
	for _, try := range []struct {
		name  string
		hosts func(map[string]bool) string
	}{{"anybody", anybody}, {"with the time", withTheTime}, {"the eldest", eldest}} {
		err := simtest.Check(1, func() replica.StateMachine {
			return &Members{names: map[string]bool{}, hosts: try.hosts}
		}, simtest.Commands(newMember))
		if v, is := errors.AsType[*sim.Violation](err); is {
			fmt.Printf("%s: %s\n", try.name, v.Property)
		} else {
			fmt.Printf("%s: %v\n", try.name, err)
		}
	}
	// Output:
	// anybody: ReplicaEquality
	// with the time: ReplicaEquality
	// the eldest: <nil>
}
