package replica

import (
	"errors"
	"slices"
	"testing"

	"balsa/raft"
)

// appends is what a leader of a term sends after prev: entries of the given terms.
func appends(term raft.Term, commit raft.Index, prev raft.EntryID, terms ...raft.Term) raft.AppendEntries {
	return raft.AppendEntries{
		Term: term, Prev: prev, Entries: entriesOf(prev.Index+1, terms...), Commit: commit,
	}
}

func TestWorkIsHandedOutOnce(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.propose("a")
	writes := len(b.writes)
	for range 3 {
		b.collect()
	}
	if writes != 1 || len(b.writes) != 1 || len(b.Work()) != 0 {
		t.Errorf("%d writes after one Work, %d after four", writes, len(b.writes))
	}
}

func TestOneWriteIsInFlightAndTheRestIsGathered(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.propose("a", "b", "c", "d")
	if got := idsOf(b.writes[0].Entries); !slices.Equal(got, []string{"2/t1"}) {
		t.Fatalf("the first write has %v", got)
	}
	first := b.writes[0].Number
	b.write()
	if got := idsOf(b.writes[0].Entries); !slices.Equal(got, []string{"3/t1", "4/t1", "5/t1"}) {
		t.Errorf("the second write has %v, want all that came meanwhile", got)
	}
	if second := b.writes[0].Number; second != first+3 {
		t.Errorf("writes %d and %d: the second acknowledges all three hand-outs", first, second)
	}
	b.settle()
	if got := b.machine.commands(); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("applied %v", got)
	}
}

// What waits for the disk is joined as the disk would join it: entries replace those from the same index on.
func TestATruncationIsGatheredAsTheDiskWouldTakeIt(t *testing.T) {
	type message = raft.AppendEntries
	for _, c := range []struct {
		name     string
		inFlight message
		gathered []message
		want     []string // the entries of the second write
	}{
		{"nothing waits", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1)}, []string{"3/t1"}},
		{"an append waits", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1), appends(1, 0, at(3, 1), 1)}, []string{"3/t1", "4/t1"}},
		{"what is in flight is truncated", appends(1, 0, at(0, 0), 1, 1, 1),
			[]message{appends(2, 0, at(1, 1), 2)}, []string{"2/t2"}},
		{"what waits is truncated in part", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1, 1, 1), appends(2, 0, at(3, 1), 2)},
			[]string{"3/t1", "4/t2"}},
		{"what waits is truncated whole", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1, 1), appends(2, 0, at(2, 1), 2)}, []string{"3/t2"}},
		{"what waits and part of what is in flight", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1, 1), appends(2, 0, at(1, 1), 2, 2)},
			[]string{"2/t2", "3/t2"}},
		{"twice", appends(1, 0, at(0, 0), 1, 1),
			[]message{appends(1, 0, at(2, 1), 1, 1), appends(2, 0, at(3, 1), 2), appends(3, 0, at(2, 1), 3)},
			[]string{"3/t3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{})
			b.do(b.from(2, c.inFlight))
			leader, term := raft.NodeID(2), c.inFlight.Term
			for _, m := range c.gathered {
				if m.Term > term {
					leader, term = 5-leader, m.Term
				}
				b.do(b.from(leader, m))
			}
			b.write()
			if got := idsOf(b.writes[0].Entries); !slices.Equal(got, c.want) {
				t.Errorf("the second write has %v, want %v", got, c.want)
			}
			b.settle()
			end, last := b.log.entries[len(b.log.entries)-1].ID(), b.Status().Last
			if end != last || b.log.state.Term != term {
				t.Errorf("disk %v of term %d, log %v of %d", end, b.log.state.Term, last, term)
			}
		})
	}
}

// The entries handed out belong to the log too: joining must not write over what somebody still looks at.
func TestGatheringLeavesAloneWhatWasHandedOut(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, appends(1, 0, raft.EntryID{}, 1)))
	b.do(b.from(2, appends(1, 0, raft.EntryID{Index: 1, Term: 1}, 1, 1, 1)))
	view := b.gather.Entries // what the core handed out is a view of its log
	b.do(b.from(3, appends(2, 0, raft.EntryID{Index: 2, Term: 1}, 2)))
	if got := idsOf(view); !slices.Equal(got, []string{"2/t1", "3/t1", "4/t1"}) {
		t.Errorf("what was handed out before is now %v", got)
	}
	if got := idsOf(b.gather.Entries); !slices.Equal(got, []string{"2/t1", "3/t2"}) {
		t.Errorf("gathered %v", got)
	}
}

// During a write that takes long, thousands of proposals join the next one. Copying all of it for each of
// them would make a slow disk cost the processor too, with the square of their number.
func TestGatheringForALongTimeCopiesLittle(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.propose("the write that takes long")
	moves, at := 0, (*raft.Entry)(nil)
	for range 1000 {
		b.propose("x")
		if now := &b.gather.Entries[0]; now != at {
			at, moves = now, moves+1
		}
	}
	if moves > 50 {
		t.Errorf("the gathered entries were copied %d times", moves)
	}
}

func TestOneApplyIsInFlightAndBounded(t *testing.T) {
	size := raft.Entry{Command: []byte("12345678")}.Size()
	for _, c := range []struct {
		name string
		max  int
		want []int // entries of each Apply for ten commands, the third of them four times as large
	}{
		{"no bound given", 0, []int{1, 9}},
		{"room for three", 3 * size, []int{1, 1, 1, 3, 3, 1}},
		{"less than one entry", 1, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"a bound below zero", -1, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := hold(t, 1, &modelLog{}, func(config *Config) { config.MaxApplyBytes = c.max })
			b.lead()
			var commands []string
			for i := range 10 {
				command := "12345678"
				if i == 2 {
					command = string(make([]byte, 4*size))
				}
				commands = append(commands, command)
			}
			b.propose(commands...)
			var got []int
			for len(b.writes) > 0 { // everything is committed while the first apply is in flight
				b.write()
			}
			for len(b.applies) > 0 {
				got = append(got, len(b.applies[0].Entries))
				b.apply()
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("applies of %v entries, want %v", got, c.want)
			}
			if !slices.Equal(b.machine.commands(), commands) {
				t.Error("not applied in order, each once")
			}
		})
	}
}

// An apply that takes long holds up neither the log nor the followers.
func TestWritesGoOnBesideASlowApply(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead()
	b.acknowledge(2)
	b.apply() // of the no-op
	b.propose("a")
	b.acknowledge(2)
	b.write()
	if len(b.applies) != 1 {
		t.Fatal("a is not being applied")
	}
	b.propose("b")
	b.write()
	b.acknowledge(2)
	if s := b.Status(); s.Commit != 3 || s.Applied != 1 || s.Durable != 3 {
		t.Errorf("commit %d, applied %d, durable %d: the apply held them up", s.Commit, s.Applied, s.Durable)
	}
}

// Figure 2: a leader commits what a majority of others holds before its own write is done, and applies it no
// earlier than that.
func TestNothingIsAppliedBeforeItIsDurableHere(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead()
	ticket := b.propose("a")
	b.acknowledge(2)
	b.acknowledge(3)
	if b.Status().Commit != 2 {
		t.Fatal("two of three hold it, it is committed")
	}
	for _, a := range b.applies {
		if end := a.Entries[len(a.Entries)-1].Index; end > 1 {
			t.Fatalf("entries up to %d are applied, the disk has 1", end)
		}
	}
	b.waits(ticket)
	b.settle()
	if a := b.answer(ticket); a.Fate != Done || string(a.Result) != "#1 2/t1 a" {
		t.Errorf("answered %+v", a)
	}
}

func TestFollowersApplyTooAndAPartitionAppliesNothing(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, appends(1, 0, raft.EntryID{}, 1, 1, 1)))
	b.settle()
	if len(b.machine.applied) != 0 {
		t.Fatalf("applied %v, which nobody committed", idsOf(b.machine.applied))
	}
	b.do(b.from(2, appends(1, 2, raft.EntryID{Index: 3, Term: 1})))
	b.settle()
	if got := idsOf(b.machine.applied); !slices.Equal(got, []string{"1/t1", "2/t1"}) {
		t.Errorf("the follower applied %v, want what is committed", got)
	}

	alone := hold(t, 3, &modelLog{})
	alone.lead()
	ticket := alone.propose("a")
	alone.settle()
	alone.pass(4) // less than the minimum election timeout
	alone.waits(ticket)
	alone.pass(200)
	alone.settle()
	if len(alone.machine.applied) != 0 {
		t.Error("a leader that is cut off applied a command")
	}
	if a := alone.answer(ticket); a.Fate != LeadershipLost {
		t.Errorf("cut off from everybody it answers %+v", a)
	}
}

// O22: after a restart the machine is full again without a new command.
func TestARestartedServerFillsItsMachineByItsNoOp(t *testing.T) {
	log := &modelLog{state: raft.HardState{Term: 3, Vote: 2}, entries: entriesOf(1, 1, 1, 3)}
	b := hold(t, 1, log)
	s := b.Status()
	if s.Term != 3 || s.Vote != 2 || s.Last != at(3, 3) || s.Commit != 0 || s.Role != raft.Follower {
		t.Fatalf("restored %+v", s)
	}
	b.lead()
	if got := idsOf(b.machine.applied); !slices.Equal(got, []string{"1/t1", "2/t1", "3/t3"}) {
		t.Errorf("applied %v", got)
	}
	if last := b.log.entries[3]; last.Kind != raft.NoOp || last.Term != 4 {
		t.Errorf("the log ends in %v, a %v", last.ID(), last.Kind)
	}
}

// O16. What the disk has is unknown, so nothing that rests on it may leave.
func TestAFailedWriteStopsEverything(t *testing.T) {
	broken := errors.New("input/output error")
	b := hold(t, 3, &modelLog{})
	b.lead()
	b.acknowledge(2)
	b.settle()
	first := b.propose("a")
	b.acknowledge(2)
	b.write()
	apply := b.applies[0]
	second := b.propose("b")
	b.log.fail = broken
	sent, events := len(b.sent), len(b.events)
	b.write()

	if len(b.stops) != 1 || !errors.Is(b.stops[0], broken) || !errors.Is(b.Failure(), broken) {
		t.Fatalf("stops %v, failure %v", b.stops, b.Failure())
	}
	if a := b.answer(first); a.Fate != Stopped || a.Entry.Index != 2 {
		t.Errorf("the one that waited for its apply got %+v", a)
	}
	if a := b.answer(second); a.Fate != Stopped || a.Entry.Index != 3 {
		t.Errorf("the one that waited for the write got %+v", a)
	}
	answers := len(b.answers)
	b.do(apply.Perform(b.front), Awake{}, Wrote{Number: 99}, b.from(2, appends(9, 9, raft.EntryID{}, 9)))
	b.pass(100)
	late := b.propose("c")
	if a := b.answer(late); a.Fate != Refused || a.Entry != (raft.EntryID{}) {
		t.Errorf("a proposal to a stopped server got %+v", a)
	}
	if len(b.sent) != sent || len(b.answers) != answers+1 || len(b.stops) != 1 || len(b.events) != events {
		t.Error("a stopped server went on")
	}
	if len(b.writes) != 0 || len(b.applies) != 1 {
		t.Error("a stopped server has new work")
	}
}

// A proposal and the end of the disk may come in one batch of events: it was taken, so it must be answered.
func TestAProposalTakenRightBeforeTheStopIsAnswered(t *testing.T) {
	for name, ending := range map[string]Event{
		"the log fails":           Wrote{Err: errors.New("input/output error")},
		"the state machine fails": Ran{Err: ErrStateMachine},
	} {
		t.Run(name, func(t *testing.T) {
			b := hold(t, 1, &modelLog{})
			b.lead()
			b.do(Proposed{Ticket: 1}, Proposed{Ticket: 2}, ending, Proposed{Ticket: 3})
			for ticket, want := range []Fate{1: Stopped, 2: Stopped, 3: Refused} {
				if ticket == 0 {
					continue
				}
				if a := b.answer(raft.Ticket(ticket)); a.Fate != want {
					t.Errorf("ticket %d got %+v, want fate %d", ticket, a, want)
				}
			}
			follower := hold(t, 3, &modelLog{})
			follower.do(Proposed{Ticket: 1}, ending)
			if a := follower.answer(1); a.Fate != NotLeader {
				t.Errorf("at a follower: %+v, want that it does not lead", a)
			}
		})
	}
}

func TestAFailingMachineStopsItsServerAndNamesTheEntry(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.machine.poison = "bad"
	good, bad, after := b.propose("good"), b.propose("bad"), b.propose("after")
	b.write()
	b.write()
	b.apply()
	b.apply()
	if a := b.answer(good); a.Fate != Done {
		t.Errorf("the command before got %+v", a)
	}
	for _, ticket := range []raft.Ticket{bad, after} {
		if a := b.answer(ticket); a.Fate != Stopped {
			t.Errorf("ticket %d got %+v", ticket, a)
		}
	}
	if len(b.stops) != 1 || !errors.Is(b.stops[0], ErrStateMachine) {
		t.Fatalf("stopped with %v", b.stops)
	}
	other := hold(t, 1, &modelLog{state: b.log.state, entries: b.log.entries}) // whose machine can digest it
	other.lead()
	if got := other.machine.commands(); !slices.Equal(got, []string{"good", "bad", "after"}) {
		t.Errorf("another server applied %v", got)
	}
}
