package simtest

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

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/sim"
)

// tally counts words. Its parts can be replaced by wrong ones.
type tally struct {
	words   map[string]int
	applied uint64 // how many commands: a part of the state that results show
	wrong   fault
}

// fault is one way to be wrong.
type fault string

func machine(wrong fault) func() replica.StateMachine {
	return func() replica.StateMachine { return &tally{words: map[string]int{}, wrong: wrong} }
}

func (m *tally) Apply(e raft.Entry) []byte {
	word := strings.Fields(string(e.Command))[1]
	m.words[word]++
	m.applied++
	switch m.wrong {
	case "map order":
		return []byte(strings.Join(slices.Collect(maps.Keys(m.words)), " "))
	case "clock":
		return fmt.Appendf(nil, "%d at %v", m.applied, time.Now().UnixNano())
	case "state in the clock":
		m.words[word] += int(time.Now().UnixNano() % 1000)
		return nil
	case "scribbles":
		copy(e.Command, "SET")
	case "panics":
		if m.applied == 5 {
			panic("five are too many")
		}
	}
	return fmt.Appendf(nil, "%d", m.applied)
}

type written []byte

func (w written) WriteTo(to io.Writer) (int64, error) {
	n, err := to.Write(w)
	return int64(n), err
}

// late writes what is there when it is written.
type late struct{ m *tally }

func (l late) WriteTo(to io.Writer) (int64, error) { return written(l.m.bytes()).WriteTo(to) }

func (m *tally) bytes() []byte {
	var b bytes.Buffer
	applied := m.applied
	if m.wrong == "forgets" {
		applied = 0
	}
	fmt.Fprintln(&b, applied)
	keys := slices.Sorted(maps.Keys(m.words))
	if m.wrong == "snapshot in map order" {
		keys = slices.Collect(maps.Keys(m.words))
	}
	for _, word := range keys {
		fmt.Fprintln(&b, word, m.words[word])
	}
	return b.Bytes()
}

func (m *tally) Snapshot() (io.WriterTo, error) {
	switch m.wrong {
	case "takes no snapshot":
		return nil, fmt.Errorf("tally: %w", errors.ErrUnsupported)
	case "snapshot fails":
		return nil, errors.New("no room")
	case "captures nothing":
		return late{m}, nil
	}
	return written(m.bytes()), nil
}

func (m *tally) Restore(from io.Reader) error {
	var words map[string]int
	switch m.wrong {
	case "adds up":
		words = m.words
	case "restores in place":
		clear(m.words)
		words = m.words
	default:
		words = map[string]int{}
	}
	text, err := io.ReadAll(from)
	if err != nil && m.wrong != "believes" {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var applied uint64
	if _, err := fmt.Sscan(lines[0], &applied); err != nil {
		return err
	}
	for _, line := range lines[1:] {
		var word string
		var n int
		_, _ = fmt.Sscan(line, &word, &n)
		words[word] = n
	}
	m.words, m.applied = words, applied
	return nil
}

// TestMachinesThatAreWrong: each way to be wrong is found, in one of the first seeds, and named.
func TestMachinesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		wrong    fault
		property sim.Property
		sentence string
	}{
		{"map order", sim.ReplicaEquality, "with different results"},
		{"clock", sim.ReplicaEquality, "with different results"},
		{"state in the clock", sim.ReplicaEquality, "hold different states"},
		{"scribbles", sim.StateMachineSafety, "a machine changes command"},
		{"panics", sim.Assertion, "five are too many"},
		{"snapshot in map order", sim.ReplicaEquality, "hold different states"},
		{"snapshot fails", sim.ReplicaEquality, "its state could not be captured: no room"},
		{"forgets", sim.ReplicaEquality, "restored from a snapshot makes another result of entry"},
		{"captures nothing", sim.ReplicaEquality, "written after later commands"},
		{"adds up", sim.ReplicaEquality, "restored from a snapshot writes another"},
		{"restores in place", sim.ReplicaEquality, "a Restore that failed has changed the state"},
		{"believes", sim.ReplicaEquality, "although its reader failed half-way"},
	} {
		t.Run(strings.ReplaceAll(string(c.wrong), " ", "-"), func(t *testing.T) {
			var err error
			for seed := uint64(1); err == nil && seed <= 5; seed++ {
				err = Check(seed, machine(c.wrong), Duration(10*sim.Second))
			}
			v, is := errors.AsType[*sim.Violation](err)
			if !is || v.Property != c.property || !strings.Contains(v.Sentence, c.sentence) {
				t.Errorf("got %v, want %s: … %s …", err, c.property, c.sentence)
			}
		})
	}
}

// TestMachinesThatAreRight: nothing is said of a machine that does what it owes, nor of one that takes no
// snapshots yet.
func TestMachinesThatAreRight(t *testing.T) {
	t.Run("tally", func(t *testing.T) { Seeds(t, 4, machine(""), Duration(20*sim.Second)) })
	t.Run("without-snapshots", func(t *testing.T) {
		Seeds(t, 2, machine("takes no snapshot"), Duration(20*sim.Second), Profile("crash"))
	})
	t.Run("kv", func(t *testing.T) {
		Seeds(t, 4, func() replica.StateMachine { return kv.New() }, Duration(20*sim.Second),
			Commands(func(random, n uint64) []byte {
				return kv.Put(fmt.Sprintf("k%d", random%10), fmt.Appendf(nil, "%d", n))
			}))
	})
}

// TestTheMachineIsMadeAnewAndFilledFromTheLog: servers start more often than there are servers, and each
// start begins with a machine that knows nothing.
func TestTheMachineIsMadeAnewAndFilledFromTheLog(t *testing.T) {
	made, filled := 0, 0
	Run(t, 3, func() replica.StateMachine {
		made++
		return &first{StateMachine: machine("")(), filled: &filled}
	}, Profile("crash"))
	if made < 12 || filled < 10 {
		t.Errorf("%d machines were made, %d of them were given the first entry", made, filled)
	}
}

// first counts the machines that are given the first command of the log.
type first struct {
	replica.StateMachine
	began  bool
	filled *int
}

func (m *first) Apply(e raft.Entry) []byte {
	if !m.began {
		m.began = true
		*m.filled++
	}
	return m.StateMachine.Apply(e)
}

// TestTheSameSeedIsTheSameRun: the sentence, too.
func TestTheSameSeedIsTheSameRun(t *testing.T) {
	once, again := Check(7, machine("forgets")), Check(7, machine("forgets"))
	if once == nil || again == nil || once.Error() != again.Error() {
		t.Errorf("once %v\nagain %v", once, again)
	}
}

// TestMistakesOfTheCaller are no violations.
func TestMistakesOfTheCaller(t *testing.T) {
	for want, options := range map[string][]Option{
		`no profile is named "mayhem"`: {Profile("mayhem")},
		"at most 1000h":                {Duration(2000 * sim.Hour)},
		"made twice in one run":        {Commands(func(uint64, uint64) []byte { return []byte("set a 1") })},
	} {
		err := Check(1, machine(""), options...)
		_, is := errors.AsType[*sim.Violation](err)
		if err == nil || !strings.Contains(err.Error(), want) || is {
			t.Errorf("got %v, want one that says %s", err, want)
		}
	}
}

// TestNothingIsNoEvidence: a run in which no command was carried out has shown nothing.
func TestNothingIsNoEvidence(t *testing.T) {
	if v := (&trial{machine: machine("")}).end(); v == nil || v.Property != sim.Recovered {
		t.Error(v)
	}
}

// failed is a test that notes how it fails.
type failed struct {
	testing.TB
	name, said string
}

func (f *failed) Helper()      {}
func (f *failed) Name() string { return f.name }
func (f *failed) Fatalf(format string, values ...any) {
	f.said = fmt.Sprintf(format, values...)
}

// TestAFailureSaysWhatAndHowAgain: the property, two witnesses, the seed, and the line to try it once more.
func TestAFailureSaysWhatAndHowAgain(t *testing.T) {
	f := &failed{TB: t, name: "TestMine/seed=5"}
	Run(f, 5, machine("map order"), Duration(10*sim.Second))
	for _, want := range []string{
		"ReplicaEquality: n", "applies entry", "applies it with another result", "the first result is",
		"seed 5, profile chaos, ", "again: go test -count=1 -run '^TestMine$/^seed=5$' .",
	} {
		if !strings.Contains(f.said, want) {
			t.Errorf("it does not say %q:\n%s", want, f.said)
		}
	}
}

// restoring counts how often a server goes on from a snapshot.
type restoring struct {
	replica.StateMachine
	times *int
}

func (m restoring) Restore(from io.Reader) error {
	*m.times++
	return m.StateMachine.Restore(from)
}

// TestServersGoOnFromSnapshots: the machines of the cluster are restored too, not only those that are tried
// when the run is over.
func TestServersGoOnFromSnapshots(t *testing.T) {
	const seeds, afterwards = 10, 3
	times := 0
	for seed := range uint64(seeds) {
		made := machine("")
		counted := func() replica.StateMachine { return restoring{made(), &times} }
		if err := Check(seed, counted); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if times <= seeds*afterwards {
		t.Errorf("in %d seeds machines were restored %d times: none by a server", seeds, times)
	}
}
