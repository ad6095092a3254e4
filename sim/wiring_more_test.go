package sim

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// Lies that are told while a run goes on, not at its end.

// L4: every operation of a client has ended by its deadline. Here the clients forget to look at the clock,
// and nobody answers.
func TestWiringOverdue(t *testing.T) {
	spec := small(3)
	spec.Options.Faulty = 3 * Second
	w := world(t, spec, Parts{})
	w.RunUntil(Second)
	for _, s := range w.servers {
		w.Do(Op{Kind: Stall, Node: s.id})
	}
	w.RunUntil(1500 * Millisecond)
	if len(w.queue.take(func(d *due) bool { return d.task == deadline })) == 0 {
		t.Fatal("nobody waits for anything")
	}
	finds(t, w, Answered, "was to end by")
}

// breaking is a machine that panics at an entry.
type breaking struct{ numbered }

func (b breaking) Apply(e raft.Entry) []byte {
	if e.Index > 10 {
		panic("it was not asked to")
	}
	return b.numbered.Apply(e)
}

// A server may stop by itself for the reason that it was given, and for no other: that its disk will fail one
// day excuses no panic, and a full disk no failed one.
func TestWiringStops(t *testing.T) {
	opaque := func(_, n uint64) []byte { return fmt.Appendf(nil, "command %d", n) }
	machine := func() replica.StateMachine { return breaking{} }
	later := Op{At: Millisecond, Kind: DiskFail, Mode: "rename", Nth: 1000}
	var script []Op
	for later.Node = 1; later.Node <= 3; later.Node++ {
		script = append(script, later)
	}
	finds(t, world(t, small(3, script...), Parts{Machine: machine, Command: opaque}), Assertion,
		"stops by itself, for a reason that it was not given")

	full := Op{At: Second, Kind: DiskFull, Node: 1}
	w := world(t, small(3, full), Parts{})
	w.RunUntil(Second)
	s := w.servers[0]
	w.trying(s, func() { s.take(0, replica.Stop{Err: fmt.Errorf("write: %w", errDisk)}) })
	finds(t, w, Assertion, "stops by itself, for a reason that it was not given")
}

// endless is a machine in which something is always due.
type endless struct{ numbered }

func (endless) NextExpiry() (raft.Time, bool) { return 1, true }
func (endless) Expire(raft.Entry)             {}

// What is due must end. Here a machine never ends it, and there a session stays behind.
func TestWiringDue(t *testing.T) {
	finds(t, world(t, small(0), Parts{
		Machine: func() replica.StateMachine { return endless{} },
		Command: func(_, n uint64) []byte { return fmt.Appendf(nil, "command %d", n) },
	}), Recovered, "in the machine of n1 was to end at 1 ")
	w := world(t, small(0), Parts{})
	if v := w.Run().Violation; v != nil {
		t.Fatal(v)
	}
	for _, ends := range []raft.Time{math.MaxInt64, 1} {
		heap.Push(&w.ledger.table.ends, lastMoment{1, &lasting{ttl: ends}}) // one of them was used since
		if w.overdue(); (w.violation != nil) != (ends == 1) {
			t.Errorf("of a session that ends at %d: %v", ends, w.violation)
		}
	}
}

// I14: over a whole run there are only so many messages. Here each server says everything many times.
func TestWiringTalks(t *testing.T) {
	repeats := func(l *liar, w replica.Work) []replica.Work {
		if _, is := w.(replica.Send); !is || l.past(2*Second) {
			return []replica.Work{w}
		}
		return slices.Repeat([]replica.Work{w}, 40)
	}
	server := func(c replica.Config, r raft.Restored) (Server, error) {
		s, err := replica.New(c, r)
		return &chatty{liar: liar{Server: s, config: c}, repeats: repeats}, err
	}
	finds(t, world(t, small(1), Parts{Server: server}), Bounds, "messages were sent in all")
}

// chatty is a liar that makes more of its work.
type chatty struct {
	liar
	repeats func(*liar, replica.Work) []replica.Work
}

func (c *chatty) Work() (work []replica.Work) {
	for _, w := range c.liar.Work() {
		work = append(work, c.repeats(&c.liar, w)...)
	}
	return work
}

// L5: when all is well a server may refuse for want of room, for a while, and for no other reason.
func TestWiringServed(t *testing.T) {
	for _, why := range []replica.Fate{replica.Overloaded, replica.NotLeader} {
		refused := 0
		refuses := func(_ *liar, w replica.Work) []replica.Work {
			if a, is := w.(*replica.Answer); is && a.Result == nil && refused < 3 { // of a read
				refused++
				a.Fate = why
			}
			return []replica.Work{w}
		}
		server := func(c replica.Config, r raft.Restored) (Server, error) {
			s, err := replica.New(c, r)
			return &chatty{liar: liar{Server: s, config: c}, repeats: refuses}, err
		}
		w := world(t, small(0), Parts{Server: server})
		if why == replica.NotLeader {
			finds(t, w, Recovered, "ends no: ")
		} else if v := w.Run().Violation; v != nil || refused < 3 {
			t.Errorf("%d times there is no room: %v", refused, v)
		}
	}
}

// What leaves in one moment has a bound too.
func TestWiringLeaves(t *testing.T) {
	w := world(t, small(0), Parts{})
	w.RunUntil(Second)
	send := replica.Work(replica.Send{Envelope: raft.Envelope{To: 2, Message: raft.PreVote{}}})
	s := w.servers[0]
	s.steps = 1
	w.leave(s, slices.Repeat([]replica.Work{send}, 1<<12+2*(w.ledger.limits.Window+2)+3))
	if w.violation != nil {
		t.Errorf("what may leave is accused: %v", w.violation)
	}
	w.leave(s, slices.Repeat([]replica.Work{send}, 1<<12+2*(w.ledger.limits.Window+2)+3))
	finds(t, w, Bounds, "messages in one moment after 0 events")
}

// doubling is a machine that answers each command with it, so many times.
type doubling struct{ numbered }

func (d doubling) Apply(e raft.Entry) (result []byte) {
	for range d.n {
		result = append(result, e.Command...)
	}
	return result
}

// The digest covers what is told to clients, and what machines make of commands: two programs that differ in
// nothing else have different runs.
func TestTheDigestCoversResults(t *testing.T) {
	var digests []Digest
	for _, times := range []int{1, 2, 2} {
		r := world(t, small(2), Parts{
			Machine: func() replica.StateMachine { return doubling{numbered{times}} },
			Command: func(_, n uint64) []byte { return fmt.Appendf(nil, "command %d", n) },
		}).Run()
		if r.Violation != nil {
			t.Fatal(r.Violation)
		}
		digests = append(digests, r.Digest)
	}
	if digests[0] == digests[1] || digests[1] != digests[2] {
		t.Errorf("the digests are %v: the first must be another one than the equal rest", digests)
	}
}

// The hash of a write, and that of an answer, tell apart what differs in one field.
func TestHashesOfWritesAndAnswers(t *testing.T) {
	entry := func(index raft.Index, term raft.Term) []raft.Entry {
		return []raft.Entry{{Index: index, Term: term}}
	}
	var hashes []uint64
	for _, w := range []replica.Write{
		{}, {State: &raft.HardState{}}, {State: &raft.HardState{Term: 1}}, {State: &raft.HardState{Vote: 1}},
		{Entries: entry(1, 1)}, {Entries: entry(2, 1)}, {Entries: entry(1, 2)},
		{Peers: []raft.Acquaintance{{Node: 1}}}, {Peers: []raft.Acquaintance{{Node: 1, Start: 1}}},
	} {
		hashes = append(hashes, hashWrite(&w))
	}
	for _, r := range []response{
		{}, {outcome: OK}, {leader: 1}, {reply: Reply{Revision: 1}}, {reply: Reply{Latest: 1}},
		{reply: Reply{Created: true}}, {reply: Reply{Deleted: true}}, {reply: Reply{Found: true}},
		{reply: Reply{Read: []byte("x")}},
	} {
		hashes = append(hashes, r.hash())
	}
	seen := map[uint64]int{}
	for i, h := range hashes {
		if was, twice := seen[h]; twice {
			t.Errorf("the values %d and %d have the same hash", was, i)
		}
		seen[h] = i
	}
}
