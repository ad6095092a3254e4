package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// A leader whose heartbeat is one tick long sends one round for each tick that the core was given.
func ticker(t *testing.T) *bench {
	t.Helper()
	b := hold(t, 2, &modelLog{}, func(c *Config) {
		c.Core.Heartbeat, c.Core.ElectionMin, c.Core.ElectionMax = 1, 5, 10
		c.Core.NoCheckQuorum = true // nobody answers, and it is to go on
	})
	b.lead()
	b.acknowledge(2)
	b.settle()
	b.collect()
	b.sent = nil
	return b
}

// rounds counts the heartbeats sent and forgets them.
func (b *bench) rounds() (n int) {
	for _, e := range b.sent {
		if m, ok := e.Message.(raft.AppendEntries); ok && len(m.Entries) == 0 {
			n++
		}
	}
	b.sent = nil
	return n
}

func TestEveryTickThatIsDueIsTakenOnce(t *testing.T) {
	const most = 12 // ticks made up for: the maximal election timeout of 10, and both ends
	for _, c := range []struct {
		name  string
		steps []raft.Time // how far the time moves before each event, in tenths of a tick
		want  []int       // ticks taken
	}{
		{"one by one", []raft.Time{10, 10, 10}, []int{1, 1, 1}},
		{"by halves", []raft.Time{5, 5, 5, 5, 5, 5}, []int{0, 1, 0, 1, 0, 1}},
		{"nearly two", []raft.Time{19, 1, 9, 1}, []int{1, 1, 0, 1}},
		{"several at once", []raft.Time{70, 10}, []int{7, 1}},
		{"time stands still", []raft.Time{0, 0, 0, 10, 0, 0}, []int{0, 0, 0, 1, 0, 0}},
		{"time goes back", []raft.Time{10, -10, 5, 5, 10}, []int{1, 0, 0, 0, 1}},
		{"time goes far back", []raft.Time{-900, 900, 10}, []int{0, 0, 1}},
		{"the longest that is made up for", []raft.Time{110, 10}, []int{11, 1}},
		{"a long sleep", []raft.Time{10_000, 10, 10}, []int{most, 1, 1}},
		{"a year", []raft.Time{365 * 24 * 3600 * 1000, 10}, []int{most, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := ticker(t)
			var got []int
			for _, move := range c.steps {
				b.now += move * aTick / 10
				b.do(Awake{})
				got = append(got, b.rounds())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("took %v ticks, want %v", got, c.want)
			}
		})
	}
}

func TestTheFirstEventBeginsTheTime(t *testing.T) {
	for _, now := range []raft.Time{0, 1, 1_700_000_000_000_000_000} {
		b := hold(t, 3, &modelLog{}, func(c *Config) { c.Core.Heartbeat = 4 })
		b.now = now
		b.do(Awake{})
		b.pass(4) // below ElectionMin: whoever counted from 1970 on would campaign
		if b.Status().Role != raft.Follower {
			t.Errorf("started at %d, is %v after 4 ticks", now, b.Status().Role)
		}
		b.pass(7)
		if b.Status().Role != raft.PreCandidate {
			t.Errorf("started at %d, is %v after 11 ticks", now, b.Status().Role)
		}
	}
}

// Whoever slept learns it before it acts: here, a message comes to a follower that slept through its
// timeout, and a proposal to a leader whose rounds are late.
func TestTicksAreTakenBeforeTheEvent(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, appends(1, 0, raft.EntryID{})))
	b.events = nil
	b.now += 100 * aTick
	b.do(b.from(2, appends(1, 0, raft.EntryID{})))
	var kinds []raft.Role
	for _, e := range b.events {
		switch e.(type) {
		case raft.BecamePreCandidate:
			kinds = append(kinds, raft.PreCandidate)
		case raft.BecameFollower:
			kinds = append(kinds, raft.Follower)
		}
	}
	if !slices.Equal(slices.Compact(kinds), []raft.Role{raft.PreCandidate, raft.Follower}) {
		t.Errorf("became %v: it must notice its own silence, and then the leader", kinds)
	}

	leader := ticker(t)
	leader.now += 3 * aTick
	leader.do(Proposed{Ticket: 1, Command: []byte("a")})
	first := leader.sent[0].Message.(raft.AppendEntries)
	if n := leader.rounds(); n != 3 || len(first.Entries) != 0 {
		t.Errorf("%d rounds, the first message has %d entries: the proposal was first", n, len(first.Entries))
	}
	if got := leader.writes[0].Entries[0].Time; got != leader.now {
		t.Errorf("the entry's time is %d, want that of its proposal, %d", got, leader.now)
	}
}

// Entries carry log time. A tick that is made up for lies in the past, and must not give it to what follows.
func TestLogTimeGoesOnWhenTheTimeGoesBack(t *testing.T) {
	b := ticker(t)
	var times []raft.Time
	for _, move := range []raft.Time{0, 30, -100, 50, 0, 100_000} {
		b.now += move * aTick / 10
		b.propose("x")
		b.settle()
	}
	for i, e := range b.log.entries {
		times = append(times, e.Time)
		if i > 0 && e.Time < times[i-1] {
			t.Fatalf("log times %v go back", times)
		}
	}
	if got := times[len(times)-1]; got != b.now {
		t.Errorf("the last entry's time is %d, want %d", got, b.now)
	}
}

// What a server reads when it wakes may be as old as its sleep: until it has run for two heartbeats again,
// it does not know how long its last contact is ago.
func TestContactIsUnknownAfterASleep(t *testing.T) {
	b := under(t)
	beat := func() { b.do(b.from(2, appends(1, 1, entryAt(1, 1)))) }
	known := func() bool { beat(); _, known := b.Contact(); return known }
	heartbeat := raft.Time(b.config.Core.Heartbeat) * aTick
	b.now += 2 * heartbeat
	if !known() {
		t.Fatal("after two heartbeats of silence")
	}
	b.now += 3 * heartbeat
	if known() {
		t.Error("right after a sleep")
	}
	b.now += heartbeat
	if known() {
		t.Error("a heartbeat after it")
	}
	b.now += heartbeat
	if !known() {
		t.Error("two heartbeats after it")
	}
}
