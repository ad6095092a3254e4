package replica

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

func TestPerformingAnApplyGivesEachEntryItsOwnResult(t *testing.T) {
	entries := entriesOf(4, 1, 2, 2, 3)
	entries[1] = raft.Entry{Term: 2, Index: 5, Kind: raft.NoOp}
	machine := &recorder{}
	front := NewMachine(machine)
	front.last = at(3, 1)
	ran := Apply{Entries: entries}.Perform(front)

	if ran.Err != nil || !slices.Equal(idsOf(ran.Entries), idsOf(entries)) {
		t.Fatalf("ran %v with error %v", idsOf(ran.Entries), ran.Err)
	}
	want := []string{"#1 4/t1 4/t1", "", "#2 6/t2 6/t2", "#3 7/t3 7/t3"}
	for i, result := range ran.Results {
		if string(result.Bytes) != want[i] {
			t.Errorf("entry %v got %q, want %q", entries[i].ID(), result.Bytes, want[i])
		}
	}
	if got := idsOf(machine.applied); !slices.Equal(got, []string{"4/t1", "6/t2", "7/t3"}) {
		t.Errorf("the state machine saw %v: never a no-op, and all others in order", got)
	}
}

// A log that panics has failed: the program that embeds us must live to tell it.
func TestALogThatPanicsHasFailed(t *testing.T) {
	wrote := Write{Number: 7, State: &raft.HardState{Term: 1}}.Perform(nil)
	if wrote.Number != 7 || wrote.Err == nil || !strings.Contains(wrote.Err.Error(), "panicked") {
		t.Errorf("the write ended as %+v", wrote)
	}
}

// What must stop an apply, and what the machine may have seen by then.
func TestPerformingAnApplyStopsAtTheFirstFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*raft.Entry)
		poison string
		want   error
		says   []string
	}{
		{"a panic", func(*raft.Entry) {}, "6/t2", ErrStateMachine, []string{"6/t2", "cannot digest"}},
		{"a session", func(e *raft.Entry) { e.Kind = raft.Session }, "", ErrUnknownEntry,
			[]string{"6/t2", "sessions"}},
		{"a gap", func(e *raft.Entry) { e.Index++ }, "", errGapBefore, []string{"7/t2", "5/t2"}},
		{"a kind of the future", func(e *raft.Entry) { e.Kind = 77 }, "", ErrUnknownEntry,
			[]string{"6/t2", "kind77"}},
		{"a kind that was never one", func(e *raft.Entry) { e.Kind = 0 }, "", ErrUnknownEntry,
			[]string{"kind0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := entriesOf(5, 2, 2, 2)
			c.change(&entries[1])
			machine := &recorder{poison: c.poison}
			front := NewMachine(machine)
			front.last = at(4, 2)
			ran := Apply{Entries: entries}.Perform(front)
			if !errors.Is(ran.Err, c.want) {
				t.Fatalf("error %v, want %v", ran.Err, c.want)
			}
			for _, word := range c.says {
				if !strings.Contains(ran.Err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, ran.Err)
				}
			}
			if got := idsOf(machine.applied); !slices.Equal(got, []string{"5/t2"}) {
				t.Errorf("the state machine saw %v, want the one entry before the failure", got)
			}
		})
	}
}

func TestPerformingAWriteReportsItsNumberAndItsError(t *testing.T) {
	log, broken := &modelLog{}, errors.New("broken")
	w := Write{Number: 9, State: &raft.HardState{Term: 2, Vote: 3}, Entries: entriesOf(1, 1, 2)}
	if got := w.Perform(log); got.Number != 9 || got.Err != nil {
		t.Errorf("wrote %+v", got)
	}
	if log.state != *w.State || !slices.Equal(idsOf(log.entries), []string{"1/t1", "2/t2"}) {
		t.Errorf("the log has %v %v", log.state, idsOf(log.entries))
	}
	log.fail = broken
	if got := w.Perform(log); got.Number != 9 || !errors.Is(got.Err, broken) {
		t.Errorf("wrote %+v, want the log's own error", got)
	}
}

func TestEveryFateSaysWhetherTheCommandWasApplied(t *testing.T) {
	for fate, want := range map[Fate][2]bool{ // applied, known
		Done:           {true, true},
		NotLeader:      {false, true},
		Overloaded:     {false, true},
		LeadershipLost: {false, false},
		Replaced:       {false, true},
		Stopped:        {false, false},
		Refused:        {false, true},
		Unanswered:     {false, false},
		SessionGone:    {false, false}, // an earlier attempt may have been
		KeyReused:      {false, true},
		TooManyKeys:    {false, true},
	} {
		if applied, known := fate.Applied(); applied != want[0] || known != want[1] {
			t.Errorf("fate %d: applied %v, known %v, want %v", fate, applied, known, want)
		}
	}
}

func TestAConfigurationThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(*Config, *raft.Restored)
	}{
		{"no tick", "Config.Tick", func(c *Config, _ *raft.Restored) { c.Tick = 0 }},
		{"a negative tick", "Config.Tick", func(c *Config, _ *raft.Restored) { c.Tick = -1 }},
		{"another's identity", "of node 2", func(c *Config, _ *raft.Restored) { c.Identity = identity(2) }},
		{"no bound for ticks", "ElectionMax", func(c *Config, _ *raft.Restored) { c.Core.ElectionMax = 0 }},
		{"what the core refuses", "Heartbeat", func(c *Config, _ *raft.Restored) { c.Core.Heartbeat = 5 }},
		{"a gap", "entry 3/t1", func(_ *Config, r *raft.Restored) { r.Entries = entriesOf(3, 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			core := raft.Config{ID: 1, Heartbeat: 2, ElectionMin: 5, ElectionMax: 10}
			config := Config{Core: core, Identity: identity(1), Tick: aTick}
			restored := raft.Restored{HardState: raft.HardState{Term: 1}, Members: voters(3)}
			if _, err := New(config, restored); err != nil {
				t.Fatalf("refused before the change: %v", err)
			}
			c.change(&config, &restored)
			r, err := New(config, restored)
			if err == nil || r != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("New returned %v, %v; want an error that says %q", r, err, c.says)
			}
		})
	}
}

func TestAnEventOfNoKindIsABugOfTheDriver(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	defer func() {
		if v, ok := recover().(raft.Violation); !ok || !strings.Contains(v.Sentence, "unknown event") {
			t.Errorf("recovered %v", v)
		}
	}()
	b.Step(b.now, nil)
	t.Error("was taken")
}

// A command belongs to whoever proposed it, byte for byte, and one without bytes is a command too.
func TestCommandsReachTheMachineUnchanged(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	commands := []string{"", "\x00\xff", "SET greeting hello world", string(bytes.Repeat([]byte("x"), 1<<16))}
	b.propose(commands...)
	b.settle()
	if got := b.machine.commands(); !slices.Equal(got, commands) {
		t.Errorf("applied %d commands, not the %d that were proposed", len(got), len(commands))
	}
	for i := range commands {
		if a := b.answer(raft.Ticket(i + 1)); a.Fate != Done {
			t.Errorf("command %d: fate %d", i, a.Fate)
		}
	}
}
