package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

// untilCapture has the bench apply entries until a snapshot is captured, and returns the work that waits.
func (b *bench) untilCapture() Capture {
	b.t.Helper()
	for range 100 {
		if len(b.captures) > 0 {
			return b.captures[0]
		}
		b.propose("a command of some length")
		for len(b.writes)+len(b.applies) > 0 {
			if len(b.writes) > 0 {
				b.write()
			} else {
				b.apply()
			}
		}
	}
	b.t.Fatal("no snapshot is ever due")
	return Capture{}
}

// C3: the log is shortened when a snapshot is durable and no earlier, and only up to the older of the two.
func TestTheOrderOfASnapshot(t *testing.T) {
	b := holdKept(t, 1, &modelLog{}, &modelSnapshots{})
	b.lead()
	first := b.untilCapture().Snapshot
	applied := b.machine.applied[len(b.machine.applied)-1]
	if first.Last != applied.ID() || first.Time != applied.Time || len(first.Members.Voters) != 1 {
		t.Errorf("captured %+v after %v", first, applied)
	}
	b.capture()
	b.propose("meanwhile")
	b.write()
	b.apply()
	if s := b.Status(); s.Snapshot != (raft.EntryID{}) || s.First != 1 || b.Applied() != first.Last.Index+1 {
		t.Fatalf("before the snapshot is durable: %+v", s)
	}
	b.save()
	if s := b.Status(); s.Snapshot != first.Last || s.First != first.Last.Index+1 || s.LogBytes == 0 {
		t.Errorf("the core was not told: %+v", s)
	}
	if b.settle(); b.log.base.Index != 0 {
		t.Errorf("the log begins behind %v: the bootstrap configuration is the older snapshot", b.log.base)
	}

	second := b.untilCapture().Snapshot
	b.capture()
	b.writes = nil
	b.save()
	if len(b.writes) != 1 || b.writes[0].Release != first.Last.Index || b.log.base.Index != 0 {
		t.Fatalf("after the second: %+v, the log begins behind %v", b.writes, b.log.base)
	}
	b.settle()
	if b.log.base != first.Last || b.Newest().Last != second.Last || b.Newest().Size == 0 {
		t.Errorf("the log begins behind %v, the newest is %+v", b.log.base, b.Newest())
	}
}

// A leader whose log nothing shortens must not wait until something does.
func TestWithoutSnapshotsTheLogHasNoBudget(t *testing.T) {
	b := hold(t, 1, &modelLog{}, func(c *Config) { c.Core.Limits.SnapshotBytes = 100 })
	b.lead()
	for n := range raft.Ticket(20) {
		b.propose("a command of some length")
		if b.settle(); b.answer(n+1).Fate != Done {
			t.Fatalf("command %d: %+v", n+1, b.answer(n+1))
		}
	}
}

// C4, C7: whatever the last thing was that a server did, it comes back with all that it had said was done,
// and goes on.
func TestAServerComesBackFromAnyMomentOfItsSnapshots(t *testing.T) {
	for moment := range 60 {
		log, disk := &modelLog{}, &modelSnapshots{}
		b := holdKept(t, 1, log, disk)
		done := func() (commands []string) {
			for _, a := range b.answers {
				if a.Fate == Done && len(a.Result) > 0 {
					commands = append(commands, string(a.Result))
				}
			}
			return commands
		}
		b.lead()
		for step := 0; step < moment; {
			b.propose(fmt.Sprint("command ", step))
			for b.count()+len(b.writes)+len(b.applies) > 0 && step < moment {
				step++
				switch {
				case len(b.writes) > 0:
					b.write()
				case len(b.applies) > 0:
					b.apply()
				default:
					b.settleOthers()
				}
			}
		}
		again := holdKept(t, 1, log, disk)
		again.lead()
		again.propose("and on")
		again.settle()
		for i, result := range done() {
			if got := resultOf(again.machine.applied[i], i+1); got != result {
				t.Errorf("after %d works: %q was the result, now it is %q", moment, result, got)
			}
		}
		if got := again.machine.commands(); got[len(got)-1] != "and on" {
			t.Errorf("after %d works it does not go on", moment)
		}
	}
}

// The log on disk is written in this order: a crash between two of them must leave a log that can be read.
func TestAWriteIsPerformedInItsOrder(t *testing.T) {
	var order []string
	entries := entriesOf(8, 2)
	w := Write{State: &raft.HardState{Term: 2}, Restart: at(7, 2), Entries: entries, Repaired: true,
		Release: 7}
	wrote := w.Perform(logOf(func(s string) error { order = append(order, s); return nil }))
	if wrote.Err != nil {
		t.Fatal(wrote.Err)
	}
	if got := strings.Join(order, ", "); got != "restart 7/t2, append 1, repaired, release 7" {
		t.Errorf("the order is %s", got)
	}
	for n, want := range []int{1, 2, 3, 4} {
		calls := 0
		wrote := w.Perform(logOf(func(string) error {
			if calls++; calls == n+1 {
				return errDisk
			}
			return nil
		}))
		if !errors.Is(wrote.Err, errDisk) || calls != want {
			t.Errorf("failing in call %d: %v after %d calls", n+1, wrote.Err, calls)
		}
	}
}

type logOf func(string) error

func (l logOf) Append(_ *raft.HardState, entries []raft.Entry, _ ...raft.Acquaintance) error {
	return l(fmt.Sprint("append ", len(entries)))
}
func (l logOf) Restart(last raft.EntryID) error  { return l(fmt.Sprint("restart ", last)) }
func (l logOf) Repaired() error                  { return l("repaired") }
func (l logOf) Release(through raft.Index) error { return l(fmt.Sprint("release ", through)) }

// A full disk costs a snapshot and not the server; it is tried again, but not at once. Anything else ends it.
func TestASnapshotThatCannotBeWritten(t *testing.T) {
	b := holdKept(t, 1, &modelLog{}, &modelSnapshots{})
	b.lead()
	for attempt := range 3 {
		b.untilCapture()
		b.capture()
		b.disk.fail = errFull
		events := len(b.events)
		b.save()
		if failed, is := b.events[events].(SnapshotFailed); !is || !errors.Is(failed.Err, errFull) {
			t.Errorf("reported %v", b.events[events:])
		}
		b.pass(firstPause<<attempt - 1)
		if b.settle(); len(b.disk.kept) > 0 {
			t.Fatalf("attempt %d: tried again before its time", attempt+2)
		}
		b.now += aTick
		b.Step(b.now, Awake{})
		b.collect()
	}
	b.settle()
	if len(b.disk.kept) != 1 || b.Failure() != nil {
		t.Errorf("%d snapshots, failure %v", len(b.disk.kept), b.Failure())
	}
	b.untilCapture()
	b.capture()
	b.disk.fail = errDisk
	b.save()
	if !errors.Is(b.Failure(), errDisk) || len(b.stops) != 1 {
		t.Errorf("after a failing disk: %v", b.Failure())
	}
}

// A snapshot by hand includes what was applied when it was asked for, and is the one that is under way if
// that does.
func TestASnapshotByHand(t *testing.T) {
	b := holdKept(t, 1, &modelLog{}, &modelSnapshots{},
		func(c *Config) { c.Core.Limits.SnapshotBytes = -1 })
	b.do(TakeSnapshot{Ticket: 900})
	if a := b.answer(900); a.Fate != NothingNew {
		t.Errorf("of nothing: %+v", a)
	}
	b.lead()
	b.propose("a")
	b.settle()
	b.do(TakeSnapshot{Ticket: 901})
	b.capture()
	b.do(TakeSnapshot{Ticket: 902})
	b.propose("b")
	b.write()
	b.apply()
	b.do(TakeSnapshot{Ticket: 903}, TakeSnapshot{Ticket: 904}, GaveUp{Ticket: 904})
	b.waits(901)
	b.save()
	for _, ticket := range []raft.Ticket{901, 902} {
		if a := b.answer(ticket); a.Fate != Done || a.Entry != at(2, 1) {
			t.Errorf("ticket %d: %+v", ticket, a)
		}
	}
	b.waits(903)
	b.settle()
	if a := b.answer(903); a.Fate != Done || a.Entry != at(3, 1) {
		t.Errorf("of the later one: %+v", a)
	}
	b.do(TakeSnapshot{Ticket: 905})
	if a := b.answer(905); a.Fate != NothingNew {
		t.Errorf("of nothing new: %+v", a)
	}
	b.propose("c")
	b.settle()
	b.do(TakeSnapshot{Ticket: 906})
	b.capture()
	b.disk.fail = errFull
	b.save()
	if a := b.answer(906); a.Fate != NotSaved {
		t.Errorf("on a full disk: %+v", a)
	}
	b.do(TakeSnapshot{Ticket: 907}, Wrote{Err: errDisk}, TakeSnapshot{Ticket: 908})
	if a, late := b.answer(907), b.answer(908); a.Fate != Stopped || late.Fate != Refused {
		t.Errorf("of a server that stops: %+v, later %+v", a, late)
	}
	b.waits(904)
}

// What a state machine fails at in a capture ends its server, as in an apply.
func TestACaptureThatFails(t *testing.T) {
	for name, inner := range map[string]StateMachine{
		"panics": (*recorder)(nil), "cannot": unable{}, "is elsewhere": &recorder{},
	} {
		m := NewMachine(inner)
		c := Capture{Snapshot: raft.Snapshot{Last: m.last}}
		if name == "is elsewhere" {
			c.Snapshot.Last = at(9, 9)
		}
		captured := c.Perform(m)
		b := holdKept(t, 1, &modelLog{}, &modelSnapshots{})
		b.do(captured)
		if captured.Err == nil || b.Failure() == nil {
			t.Errorf("%s: %v", name, captured.Err)
		}
	}
}

type unable struct{ StateMachine }

func (unable) Snapshot() (io.WriterTo, error) { return nil, errDisk }

// C4: a log that begins behind all snapshots is damage.
func TestALogThatDoesNotJoinItsSnapshots(t *testing.T) {
	s := func(index raft.Index) raft.Snapshot {
		return raft.Snapshot{Last: at(index, 1), Time: 1, Members: voters(1)}
	}
	for _, c := range []struct {
		name      string
		before    raft.Index
		snapshots []raft.Snapshot
		takes     raft.Index
		gap       bool
	}{
		{"a first start", 0, nil, 0, false},
		{"no snapshot, and a log that begins later", 3, nil, 0, true},
		{"the newest, of two", 3, []raft.Snapshot{s(9), s(3)}, 9, false},
		{"one right before the log", 3, []raft.Snapshot{s(3)}, 3, false},
		{"the newer was damaged", 4, []raft.Snapshot{s(3)}, 0, true},
	} {
		before := raft.EntryID{}
		if c.before > 0 {
			before = at(c.before, 1)
		}
		restored, err := Recover(voters(1), raft.HardState{Term: 1}, before, nil, c.snapshots)
		if errors.Is(err, ErrGap) != c.gap || restored.Snapshot.Last.Index != c.takes {
			t.Errorf("%s: %+v, %v", c.name, restored, err)
		}
	}
	_, err := New(Config{Core: raft.Config{ID: 1, ElectionMax: 9}, Identity: identity(1), Tick: 1},
		raft.Restored{Snapshot: s(3), Members: voters(1), HardState: raft.HardState{Term: 1}})
	if err == nil || !strings.Contains(err.Error(), "Config.Snapshots") {
		t.Errorf("a driver without snapshots takes one over: %v", err)
	}
}

// At a start the machine is restored before anything else is done with it, and nobody reads it before.
func TestTheMachineIsRestoredFirst(t *testing.T) {
	log, disk := &modelLog{}, &modelSnapshots{}
	b := holdKept(t, 1, log, disk)
	b.lead()
	b.untilCapture()
	b.settle()
	b.propose("the last")
	b.settle()
	want := b.machine.commands()

	again := holdKept(t, 1, log, disk)
	again.do(Awaited{Ticket: 800, Index: 0}, Awaited{Ticket: 801, Index: disk.kept[0].Last.Index})
	again.pass(100)
	if len(again.applies) > 0 || again.Applied() != 0 || again.Status().Role != raft.Follower {
		t.Fatalf("applied %d of %+v before it was restored", again.Applied(), again.Status())
	}
	again.waits(800)
	again.waits(801)
	again.restore()
	if a, b := again.answer(800), again.answer(801); a.Fate != Done || b.Fate != Done {
		t.Errorf("answered %+v and %+v", a, b)
	}
	again.lead()
	if got := again.machine.commands(); !slices.Equal(got, want) {
		t.Errorf("has applied %q, want %q", got, want)
	}
	broken := holdKept(t, 1, log, disk)
	broken.do(Awake{})
	disk.fail = errDisk
	broken.restore()
	if !errors.Is(broken.Failure(), errDisk) {
		t.Errorf("a restore that failed: %v", broken.Failure())
	}
}

// E10: sessions outlive a snapshot and a start.
func TestSessionsOutliveASnapshot(t *testing.T) {
	log, disk := &modelLog{}, &modelSnapshots{}
	b := holdKept(t, 1, log, disk, func(c *Config) { c.Core.Limits.SnapshotBytes = -1 })
	b.lead()
	b.do(Proposed{Ticket: 700, Once: Once{What: OpenSession, TTL: 1 << 60}})
	b.settle()
	session := b.answer(700).Entry.Index
	once := Once{What: InSession, Session: session, Number: 1}
	b.do(Proposed{Ticket: 701, Once: once, Command: []byte("x")})
	b.settle()
	b.do(TakeSnapshot{Ticket: 702})
	b.settle()

	again := holdKept(t, 1, log, disk)
	again.lead()
	once.Number = 2
	again.do(Proposed{Ticket: 702, Once: once, Command: []byte("y")})
	once.Number = 1
	again.do(Proposed{Ticket: 701, Once: once, Command: []byte("x")})
	again.do(Proposed{Ticket: 703, Once: Once{What: CloseSession, Session: 77}})
	again.settle()
	first, second, none := b.answer(701), again.answer(701), again.answer(703)
	if second.Fate != Done || !second.Replayed || first.Replayed ||
		!bytes.Equal(first.Result, second.Result) {
		t.Errorf("first %+v, then %+v", first, second)
	}
	if a := again.answer(702); a.Fate != Done || a.Replayed {
		t.Errorf("the next number: %+v", a)
	}
	if _, known := none.Fate.Applied(); none.Fate != SessionGone || known {
		t.Errorf("closing what is not there: %+v", none)
	}
}

// Servers take their snapshots after the same entries, however entries come together, and however long it
// takes to save one: a transfer that one leader began another can then go on with.
func TestSnapshotsOfDifferentServersCoincide(t *testing.T) {
	entries := make([]raft.Term, 60)
	for i := range entries {
		entries[i] = 1
	}
	last := raft.Index(len(entries))
	taken := map[string][]raft.EntryID{}
	var files []modelFile
	for name, of := range map[string]struct{ together, rounds int }{
		"one by one": {1, 1}, "all at once": {60, 1}, "some at a time, slow to save": {7, 5},
	} {
		disk := &modelSnapshots{}
		b := holdKept(t, 3, &modelLog{}, disk)
		for round := 0; b.Applied() < last || b.others.count() > 0; round++ {
			if end := b.Status().Last.Index; round < 1000 && end < last {
				more := min(raft.Index(of.together), last-end)
				prev := raft.EntryID{Term: b.Status().Last.Term, Index: end}
				b.do(b.from(2, appends(1, end+more, prev, entries[:more]...)))
			}
			b.proceed()
			if len(b.saves) > 0 && round%of.rounds == 0 {
				last := b.saves[0].Snapshot.Last
				b.save()
				taken[name] = append(taken[name], last)
			}
			if round > 1000 {
				t.Fatalf("%s: applied %d of %d", name, b.Applied(), last)
			}
		}
		if files == nil {
			files = disk.kept
		}
		if len(disk.kept) != 2 || !slices.EqualFunc(files, disk.kept, func(a, b modelFile) bool {
			return a.Last == b.Last && a.Size == b.Size && bytes.Equal(a.bytes, b.bytes)
		}) {
			t.Errorf("%s: the snapshots on the disk are others", name)
		}
	}
	want := taken["one by one"]
	for name, got := range taken {
		if len(got) < 3 || !slices.Equal(got, want) {
			t.Errorf("%s: snapshots up to %v, and one by one up to %v", name, got, want)
		}
	}
}
