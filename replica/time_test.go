package replica

import (
	"testing"

	"balsa/raft"
)

// When something is due and no write comes, the leader alone proposes an entry that brings its time, and only
// one until that is applied.
func TestTheLeaderLetsTimePass(t *testing.T) {
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.Core.NoCheckQuorum = true })
	b.lead()
	b.acknowledge(3)
	b.do(Proposed{Ticket: 1, Once: Once{What: OpenSession, TTL: 5 * aTick}})
	b.write()
	b.acknowledge(3)
	b.settle()
	last := b.Status().Last.Index
	b.pass(4)
	b.settle()
	if got := b.Status().Last.Index; got != last {
		t.Fatalf("before its time the log ends at %d, not at %d", got, last)
	}
	b.pass(1)
	for range 20 { // nobody answers: it is not proposed again and again
		b.settle()
		b.pass(1)
	}
	entries := b.EntriesAfter(last)
	if len(entries) != 1 || entries[0].Kind != raft.Session {
		t.Fatalf("proposed %v", entries)
	}
	if once, _, err := decodeOnce(entries[0].Command); err != nil || once.What != passTime {
		t.Errorf("proposed %+v, %v", once, err)
	}
	if b.front.sessions.count() != 1 {
		t.Error("it has ended on one server alone")
	}
	b.acknowledge(3)
	b.settle()
	b.pass(50)
	b.settle()
	if n := b.Status().Last.Index; b.front.sessions.count() != 0 || n != last+1 || b.due != 0 {
		t.Errorf("%d sessions, the log ends at %d, due %d", b.front.sessions.count(), n, b.due)
	}
	if len(b.answers) != 1 {
		t.Errorf("answered %+v: nobody asked for that entry", b.answers)
	}
}

// E8: whatever its own clock says, a follower proposes nothing and ends nothing.
func TestAFollowerEndsNothing(t *testing.T) {
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{})
	open := entriesOf(1, 1)
	open[0].Kind, open[0].Command = Once{What: OpenSession, TTL: 1}.encode(nil)
	open[0].Time = b.now
	b.do(b.from(2, raft.AppendEntries{Term: 1, Entries: open, Commit: 1}))
	b.settle()
	b.now += 1 << 50
	b.do(Awake{})
	b.settle()
	for _, e := range b.events {
		if refused, is := e.(raft.ProposalRefused); is {
			t.Errorf("a follower proposes: %v", refused)
		}
	}
	if b.front.sessions.count() != 1 || b.due == 0 || b.Status().Last.Index != 1 {
		t.Errorf("%d sessions, due %d, the log ends at %d", b.front.sessions.count(), b.due,
			b.Status().Last.Index)
	}
}

// The kind of a proposal travels with it; what no server could carry out is not taken from anybody.
func TestForwardingCarriesTheKind(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.do(b.from(2, appends(1, 0, at(0, 0), 1)))
	b.settle()
	once := Once{What: UnderKey, Key: "k", TTL: 9}
	b.do(Proposed{Ticket: 1, Once: once, Command: []byte("x")})
	m, is := b.sent[len(b.sent)-1].Message.(raft.ForwardProposal)
	got, command, err := decodeOnce(m.Command)
	if !is || m.Kind != raft.Session || err != nil || got != once || string(command) != "x" {
		t.Errorf("forwarded %+v: %+v %q %v", m, got, command, err)
	}

	leader := hold(t, 3, &modelLog{})
	leader.lead()
	last := leader.Status().Last.Index
	for number, bad := range []raft.ForwardProposal{
		{Kind: raft.Session, Command: []byte("rubbish")}, {Kind: raft.NoOp}, {Kind: raft.ConfigurationChange},
	} {
		bad.Leader, bad.Start, bad.Number = leader.Status().Term, 1, uint64(number+1)
		leader.do(leader.from(2, bad))
	}
	if got := leader.Status().Last.Index; got != last {
		t.Errorf("took %d of them", got-last)
	}
	m.Leader, m.Number = leader.Status().Term, 9
	leader.do(leader.from(2, m))
	if e := leader.EntriesAfter(last); len(e) != 1 || e[0].Kind != raft.Session {
		t.Errorf("took %v", e)
	}
	defer func() {
		if _, violated := recover().(raft.Violation); !violated {
			t.Error("a driver may propose anything")
		}
	}()
	leader.do(Proposed{Ticket: 2, Once: Once{What: passTime}})
}

// Nothing that a server could not apply gets into its log, whoever sends it.
func TestEntriesThatNobodyCanCarryOut(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	bad := entriesOf(1, 1)
	bad[0].Kind = raft.Session
	b.do(b.from(2, raft.AppendEntries{Term: 1, Entries: bad}))
	if n := b.Status().Last.Index; n != 0 {
		t.Errorf("the log ends at %d", n)
	}
}

// undying is a state machine in which something is due and never ends.
type undying struct {
	recorder
	at      raft.Time
	expired int
}

func (m *undying) NextExpiry() (at raft.Time, any bool) { return m.at, m.at > 0 }
func (m *undying) Expire(raft.Entry)                    { m.expired++ }

// A state machine that never ends what is due costs one entry and not one at each tick, and it is told once.
// When it names a later time, the next entry comes.
func TestAMachineThatNeverEndsWhatIsDue(t *testing.T) {
	b := holdKept(t, 1, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.Core.Limits.SnapshotBytes = -1 })
	machine := &undying{at: b.now + 50*aTick}
	b.front = NewMachine(machine)
	b.lead()
	b.propose("one")
	b.settle()
	last := b.Status().Last.Index
	for range 200 {
		b.pass(1)
		b.settle()
	}
	told := 0
	for _, e := range b.events {
		if _, is := e.(NotEnded); is {
			told++
		}
	}
	if got := b.Status().Last.Index; got != last+1 || machine.expired != 1 || told != 1 {
		t.Fatalf("%d entries, Expire called %d times, told %d times", got-last, machine.expired, told)
	}
	machine.at = b.now + 10*aTick
	b.propose("two")
	for range 100 {
		b.pass(1)
		b.settle()
	}
	if got := b.Status().Last.Index; got != last+3 {
		t.Errorf("%d more entries, want the command and one", got-last-1)
	}
}

// portions is a state machine that ends no more than one thing at a time.
type portions struct {
	recorder
	due []raft.Time
}

func (m *portions) NextExpiry() (at raft.Time, any bool) {
	if len(m.due) == 0 {
		return 0, false
	}
	return m.due[0], true
}

func (m *portions) Expire(e raft.Entry) {
	if at, any := m.NextExpiry(); any && at <= e.Time {
		m.due = m.due[1:]
	}
}

// What a command makes due for a time that has passed already, after an entry that brought a later one, ends
// although nothing else is written; so does what takes several entries.
func TestWhatIsLongDueEndsInAQuietCluster(t *testing.T) {
	b := holdKept(t, 1, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.Core.Limits.SnapshotBytes = -1 })
	machine := &portions{}
	b.front = NewMachine(machine)
	b.lead()
	quiet := func(due ...raft.Time) {
		t.Helper()
		machine.due = due
		b.propose("makes it due") // as the machine has it when that was applied
		for range 20 {
			b.settle()
			b.pass(1)
		}
		if len(machine.due) > 0 {
			t.Errorf("still due at %v: %v", b.now, machine.due)
		}
	}
	quiet(b.now + 3*aTick)
	quiet(b.now-19*aTick, b.now-18*aTick)
	quiet(b.now-20*aTick, b.now-19*aTick, b.now-18*aTick, b.now+2*aTick, b.now+3*aTick)
	for _, e := range b.events {
		if _, is := e.(NotEnded); is {
			t.Errorf("told: %v", e)
		}
	}
}
