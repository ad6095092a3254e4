package sim

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
)

// A check that nobody calls finds nothing, and no clean run would tell. So here a server, a machine or a disk
// lies, one in each test, so that one phase of the end of a run alone can notice.

// liar is a server that is as it should be, but for what a test puts between it and its world.
type liar struct {
	Server
	config replica.Config
	seen   raft.Time // its clock at the last event
	turn   raft.Time // the last in which it did something of its own
	step   func(l *liar, now raft.Time)
	keeps  func(l *liar, w replica.Work) bool // for itself
}

func (l *liar) Step(now raft.Time, e replica.Event) {
	l.seen = now
	if l.step != nil {
		l.step(l, now)
	}
	l.Server.Step(now, e)
}

func (l *liar) Work() (work []replica.Work) {
	for _, w := range l.Server.Work() {
		if l.keeps == nil || !l.keeps(l, w) {
			work = append(work, w)
		}
	}
	return work
}

// past reports whether its clock, which is exact, has reached a time of the run.
func (l *liar) past(t Time) bool {
	return l.seen >= raft.Time(1_700_000_000)*raft.Time(Second)+raft.Time(t)
}

// lying makes servers that are liars, of a configuration that may be changed before.
func lying(change func(*replica.Config), step func(*liar, raft.Time), keeps func(*liar, replica.Work) bool,
) func(replica.Config, raft.Restored) (Server, error) {
	return func(c replica.Config, r raft.Restored) (Server, error) {
		if change != nil {
			change(&c)
		}
		s, err := replica.New(c, r)
		return &liar{Server: s, config: c, step: step, keeps: keeps}, err
	}
}

// small is a run of three servers with two seconds before all heals.
func small(clients int, script ...Op) Spec {
	o := DefaultOptions()
	o.Nodes, o.Clients, o.Faulty, o.Healed, o.Thinking, o.Patience =
		3, clients, 2*Second, 5*Second, 100*Millisecond, Second
	return Spec{Version: SpecVersion, Seed: 1, Options: o, Script: script}
}

// finds demands that a world comes to a violation of a property that says so.
func finds(t *testing.T, w *World, p Property, sentence string) {
	t.Helper()
	v := w.Run().Violation
	if v == nil || v.Property != p || !strings.Contains(v.Sentence, sentence) {
		t.Errorf("the run comes to %v, it must come to %s, with the words %q", v, p, sentence)
	}
}

func world(t *testing.T, s Spec, parts Parts) *World {
	t.Helper()
	w, err := New(s, parts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Without a lie nothing is found in any of the worlds below.
func TestWiringOfAnHonestWorld(t *testing.T) {
	for clients := range 4 {
		if v := world(t, small(clients), Parts{Server: lying(nil, nil, nil)}).Run().Violation; v != nil {
			t.Errorf("with %d clients: %v", clients, v)
		}
	}
}

// L1: somebody leads in time.
func TestWiringLeaderElected(t *testing.T) {
	never := func(c *replica.Config) { c.Core.NoElectionTimer = true }
	finds(t, world(t, small(0), Parts{Server: lying(never, nil, nil)}), LeaderElected, "nobody leads")
}

// L2: all come to one log, applied. One of them never applies.
func TestWiringConverged(t *testing.T) {
	keeps := func(l *liar, w replica.Work) bool {
		_, is := w.(replica.Apply)
		return is && l.config.Core.ID == 3
	}
	finds(t, world(t, small(0), Parts{Server: lying(nil, nil, keeps)}), Converged,
		"have not come to one state")
}

// L3: the leader stays. One takes it into its head to be elected, when all has been well for a while.
func TestWiringLeaderStable(t *testing.T) {
	flaps := func(l *liar, _ raft.Time) {
		if l.config.Core.ID == 2 && l.past(4500*Millisecond) {
			l.step = nil
			l.Server.Step(l.seen, replica.ElectionTimeout{})
		}
	}
	change := func(c *replica.Config) {
		c.Core.NoPreVote = true
		c.Core.NoElectionTimer = c.Core.ID == 3 // so that it leads for once, or the first does
	}
	for seed := range uint64(4) { // in some it leads already
		s := small(0)
		s.Seed = seed
		w := world(t, s, Parts{Server: lying(change, flaps, nil)})
		if w.RunUntil(s.Options.Faulty); w.leading() != nil && w.leading().id != 2 {
			finds(t, w, LeaderStable, "although nothing has failed")
			return
		}
	}
	t.Error("the second server leads in every seed")
}

// L3: somebody stays leader, in time. Here one after the other wants to be it, for ever.
func TestWiringSettle(t *testing.T) {
	wants := func(l *liar, now raft.Time) {
		turn := now / raft.Time(700*Millisecond)
		if l.past(Second) && raft.Time(l.config.Core.ID) == turn%3+1 && turn != l.turn {
			l.turn = turn
			l.Server.Step(now, replica.ElectionTimeout{})
		}
	}
	change := func(c *replica.Config) { c.Core.NoPreVote = true }
	finds(t, world(t, small(0), Parts{Server: lying(change, wants, nil)}), LeaderStable,
		"no leader has led for 1s")
}

// L4: every ticket is answered, even if the client has long ceased to wait.
func TestWiringAnswered(t *testing.T) {
	forgotten := false
	keeps := func(l *liar, w replica.Work) bool {
		a, is := w.(*replica.Answer)
		if !is || forgotten || a.Entry.Index == 0 || !l.past(Second) {
			return false
		}
		forgotten = true
		return true
	}
	s := small(3)
	s.Options.Reads = 0 // a read may be forgotten
	finds(t, world(t, s, Parts{Server: lying(nil, nil, keeps)}), Answered, "has never answered request")
}

// L5: what is asked for when all is well ends well.
func TestWiringRecovered(t *testing.T) {
	keeps := func(l *liar, w replica.Work) bool {
		_, is := w.(*replica.Answer)
		return is && l.past(4*Second)
	}
	finds(t, world(t, small(3), Parts{Server: lying(nil, nil, keeps)}), Recovered, "after all had settled at")
}

// numbered is a machine that makes the same of every command as all others, and shows its number when it is
// looked at as a whole.
type numbered struct{ n int }

func (numbered) Apply(e raft.Entry) []byte { return e.Command }
func (numbered) Restore(io.Reader) error   { return nil }
func (m numbered) Snapshot() (io.WriterTo, error) {
	return bytes.NewBufferString(fmt.Sprint(m.n)), nil
}

func TestWiringReplicaEquality(t *testing.T) {
	n := 0
	parts := Parts{
		Machine: func() replica.StateMachine { n++; return numbered{n} },
		Command: func(_, n uint64) []byte { return fmt.Appendf(nil, "command %d", n) },
	}
	finds(t, world(t, small(2), parts), ReplicaEquality, "hold different states")
}

// A start looks twice. Here the disk is another one between the two looks: as it was when the process ended,
// or empty.
func TestWiringRecovery(t *testing.T) {
	for _, c := range []struct {
		sentence string
		disk     func(*disk.Memory) *disk.Memory
	}{
		{"another thing when it looks again", func(d *disk.Memory) *disk.Memory { return d.Clone() }},
		{"cannot be recovered again", func(*disk.Memory) *disk.Memory { return disk.NewMemory() }},
	} {
		var w *World
		var before *disk.Memory
		parts := Parts{Observe: func(r Record) {
			switch {
			case r.Kind == Died:
				before = c.disk(w.servers[0].store.disk)
			case r.Kind == Started && before != nil:
				w.servers[0].store.disk = before
			}
		}}
		kill, restart := Op{At: Second, Kind: Kill, Node: 1}, Op{At: Second + 1, Kind: Restart, Node: 1}
		w = world(t, small(2, kill, restart), parts)
		finds(t, w, Recovery, c.sentence)
	}
}

// What the second opinion alone rejects: somebody was told what was overwritten before the question. Its key
// is in use to the end, so that nothing but the end has it judged.
func TestWiringHistoryEnd(t *testing.T) {
	s := small(2)
	s.Options.Healed = 0
	w := world(t, s, Parts{})
	o := &w.history.second
	for i, value := range []string{"old", "new", "old"} {
		op := &Operation{Kind: Put, Key: "mine", Value: []byte(value), ID: uint64(i + 1)}
		r := Reply{Outcome: OK}
		wanted := &wish{first: op, value: hashBytes(op.Value), called: 1}
		if i == 2 {
			op.Kind, op.Value, r.Found, r.Read, wanted = Get, nil, true, []byte(value), nil
		}
		op.Reply = r
		o.finish(o.call(op, wanted), r)
	}
	if w.RunUntil(s.Options.Faulty); w.violation != nil {
		t.Fatalf("it is found before the end: %v", w.violation)
	}
	finds(t, w, Linearizability, "no order of the 3 operations")
}

// What is committed is on the disks. Here they are as they were when all had healed, and nobody starts after
// that.
func TestWiringScan(t *testing.T) {
	var w *World
	swapped := false
	parts := Parts{Observe: func(r Record) {
		if r.Time < 3*Second || swapped {
			return
		}
		swapped = true
		for _, s := range w.servers {
			s.store.disk = s.store.disk.Clone() // the log goes on writing to the other
		}
	}}
	w = world(t, small(3), parts)
	finds(t, w, Durability, "disks of 3, at least 2 must have it")
}

// What was acknowledged as durable is on each disk. Here one of them is as it was when all had healed, while
// the other two, a majority, have everything.
func TestWiringScanOfOneDisk(t *testing.T) {
	var w *World
	parts := Parts{Observe: func(r Record) {
		if r.Time > 3*Second && w.servers[2].store.image == nil {
			s := &w.servers[2].store
			s.image, s.disk = s.disk, s.disk.Clone()
		}
	}}
	w = world(t, small(3), parts)
	finds(t, w, Recovery, "n3 does not find what was durable")
}

// I16: who is left when a majority of the disks is gone commits nothing. These take a new disk for the old
// one, because all say that they have the same; and the ledger takes it that whatever is decided rests on
// what the old ones had.
func TestWiringHalted(t *testing.T) {
	var w *World
	observe := func(Record) {
		for i := range w.ledger.former {
			w.ledger.former[i].until = 1 << 40
		}
	}
	change := func(c *replica.Config) { c.Identity.Incarnation = 7 }
	var script []Op
	for n := raft.NodeID(1); n <= 2; n++ {
		at := Second + Time(n)
		script = append(script, Op{At: at, Kind: Kill, Node: n}, Op{At: at, Kind: Wipe, Node: n},
			Op{At: at, Kind: Restart, Node: n})
	}
	spec := small(3, script...)
	spec.Options.Unversioned = true // or the configuration names them all
	w = world(t, spec, Parts{Server: lying(change, nil, nil)})
	w.trace.observe = observe
	finds(t, w, HaltNeverLie, "1 disks of 3 are left")
}
