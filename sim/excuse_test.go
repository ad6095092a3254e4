package sim

import (
	"testing"

	"balsa/raft"
)

// With as much thinking as that the log grows by half of what may be sent, at most.
func TestThinkingLeavesRoomForSnapshots(t *testing.T) {
	o := DefaultOptions() // five servers and clients, half of whose requests are for values of 50 bytes
	if got := o.bearable(); got != 0 {
		t.Errorf("where nothing bounds the rate they are to think for %v", got)
	}
	o.SnapshotRate = 1024
	// A request of one of the five, on average, lets the log grow by 57 bytes.
	want := 5 * Time(57) * Second / 512
	if got := o.bearable(); got < want-want/50 || got > want+want/50 {
		t.Errorf("they are to think for %v, want about %v", got, want)
	}
	o.Retries, o.UnderKeys, o.MostKeys = 4, 50, 2
	if got := o.bearable(); got < 3*want-want/10 || got > 3*want+want/10 {
		t.Errorf("refused for want of room for keys they think for %v, want about %v", got, 3*want)
	}
}

// A server that is being sent a snapshot is excused as long as that lasts, and no other is.
func TestWhoIsSentASnapshotIsExcused(t *testing.T) {
	s := small(2)
	o := &s.Options
	o.Thinking, o.Faulty, o.Limits.SnapshotBytes, o.Limits.TrailingBytes = 10*Millisecond, 10*Second, 1, -1
	o.Limits.ChunkBytes, o.SnapshotRate = 64, 500
	w := world(t, s, Parts{})
	w.RunUntil(Second)
	leader := w.leading()
	if leader == nil {
		t.Fatalf("nobody leads: %s", w.situation())
	}
	joins := w.servers[leader.id%3]
	var links []Link
	for _, o := range w.servers {
		if o != joins {
			links = append(links, Link{o.id, joins.id}, Link{joins.id, o.id})
		}
	}
	w.Do(Op{Kind: Cut, Links: links})
	w.RunUntil(2 * Second)
	for _, c := range w.clients {
		c.silent = true
	}
	w.Do(Op{Kind: Heal})
	read, excused := &Operation{Kind: Get}, Time(0)
	w.RunUntil(2100 * Millisecond)
	for ; w.violation == nil && w.now < 9*Second; w.RunUntil(w.now + Millisecond) {
		lacks := joins.through != leader.through
		for _, s := range w.servers {
			if s.excused(read) {
				excused += Millisecond
				if !lacks || s != joins {
					t.Fatalf("%v: n%v is excused, n%v lacks something: %v", w.now, s.id, joins.id, lacks)
				}
			}
		}
	}
	if w.violation != nil || excused < Second || joins.through != leader.through {
		t.Errorf("excused for %v, %v; %s", excused, w.violation, w.situation())
	}
}

// Who has met a later start of a disk recognises its copy, unless what it has met may be gone.
func TestWhoIsRottenMayHaveForgottenWhomItMet(t *testing.T) {
	w := world(t, small(1), Parts{})
	w.RunUntil(Second)
	s := w.servers[2]
	for _, o := range w.servers[:2] {
		o.met[2] = raft.Acquaintance{Node: s.node, Incarnation: s.store.incarnation, Start: 5}
	}
	if !w.known(s, 4) || w.known(s, 5) {
		t.Error("a copy of an earlier start is not recognised, or one of the present start is")
	}
	w.servers[0].trouble.rotten = true
	if w.known(s, 4) {
		t.Error("who may have lost its log is taken to recognise a copy")
	}
}

// Snapshots are sent to all that take part, those too that have joined.
func TestSnapshotsAreSentToWhoHasJoined(t *testing.T) {
	s := small(2)
	s.Options.Limits.SnapshotBytes, s.Options.SnapshotRate = 1, 500
	w := world(t, s, Parts{})
	w.RunUntil(2 * Second)
	took := w.sending()
	w.options.Nodes = 1 // as if the other two had joined
	if got := w.sending(); took == 0 || got != took {
		t.Errorf("to send them takes %v, and %v when all are of the beginning", got, took)
	}
}

// What was planned when it lay within the fault model is left out when it does not any more.
func TestACopyThatWasPlannedIsStillWithinTheModel(t *testing.T) {
	s := Drawn("membership", 1)
	s.Options.Nodes, s.Options.Spares = 3, 1
	w := world(t, s, Parts{})
	o := w.servers[2]
	o.store.image = o.store.disk.Clone()
	w.swarm.plans = []Op{{Kind: Clone, Node: o.id, Peer: 4}}
	clones := func() (n int) {
		w.swarm.act(due{n: planned})
		for _, op := range w.script.recorded {
			if op.Kind == Clone {
				n++
			}
		}
		return n
	}
	if clones() > 0 {
		t.Error("a copy runs that nobody can tell from its original")
	}
	for _, other := range w.servers[:2] {
		other.met[2] = raft.Acquaintance{Node: o.node, Incarnation: o.store.incarnation, Start: 9}
	}
	if clones() != 1 {
		t.Error("a copy does not run that everybody recognises")
	}
}
