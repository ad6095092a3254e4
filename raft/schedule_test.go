package raft_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"

	"balsa/raft"
)

// A cluster under a random schedule. One seed decides everything: sizes, odds, and each step.
//
// The faults are those that Raft promises to survive: messages are lost, repeated, reordered and replayed
// much later; links are cut in one direction or both; a disk acknowledges late; a crash keeps any prefix of
// the writes that are not acknowledged; clocks differ and jump. What was acknowledged by a disk stays on
// it.

// odds are drawn once per seed, some of them as zero: a schedule in which everything happens all the time
// never gets far enough for the rare states.
type odds struct {
	tick, deliver, persist, propose, read int // weights of the steps
	crash, restart, replay, cut, hamper   int
	snapshot, save, install               int
	change, transfer, wipe                int
	lose, repeat, reorder, clone          int // percent
}

func drawOdds(dice *rand.Rand) odds {
	upTo := func(n int) int { return dice.IntN(n + 1) }
	sometimes := func(n int) int { return dice.IntN(2) * upTo(n) }
	return odds{
		tick: 15 + upTo(45), deliver: 40 + upTo(80), persist: 10 + upTo(60), propose: 1 + upTo(8),
		read: sometimes(10), hamper: sometimes(3),
		crash: sometimes(4), restart: 1 + upTo(6), replay: sometimes(4), cut: sometimes(3),
		snapshot: dice.IntN(2) * (1 + upTo(80)), save: 1 + upTo(300), install: 1 + upTo(1)*upTo(200),
		change: sometimes(30), transfer: sometimes(6), wipe: sometimes(6),
		lose: sometimes(20), repeat: sometimes(30), reorder: sometimes(60), clone: upTo(1) * upTo(1),
	}
}

// node is one server of the schedule with its disk.
type node struct {
	id     raft.NodeID
	config raft.Config
	core   *raft.Core // nil while it is down
	skew   raft.Time
	clock  ownClock

	hard   raft.HardState // on disk
	disk   chain          // on disk
	log    chain          // handed out: on disk or being written
	writes []write        // not acknowledged, in order

	shelf shelf
	joins bool             // it is no member of the bootstrap configuration, and does not know it
	life  raft.Incarnation // of its disk
	ruin

	stalled bool // its disk acknowledges nothing
	slow    bool // its state machine reports nothing

	members raft.Configuration // in force, as it was told

	before  raft.Status // after the step before
	applied raft.Index
	owes    raft.Term // a vote was granted in this term, its answer has not left
}

type write struct {
	number   raft.Write
	hard     *raft.HardState
	restart  raft.EntryID
	entries  []raft.Entry
	repaired bool
}

type mail struct {
	from, to raft.NodeID
	sequence raft.Sequence
	message  raft.Message
	life     raft.Incarnation // of the sender
	start    uint64           // of it
}

type world struct {
	dice     *rand.Rand
	odds     odds
	nodes    []*node
	mail     []mail
	past     []mail // what was sent once, to be replayed
	cut      map[[2]raft.NodeID]bool
	now      raft.Time
	past0    int // where the next past message is kept
	calm     bool
	damage   int  // weight of the step
	reckless bool // damage may leave no quorum
	timing   timing
	clocks
	record
	trace func(format string, args ...any)
}

const (
	testHeartbeat   = 2
	testElectionMin = 5
	testElectionMax = 9
)

func newWorld(seed uint64, trace func(string, ...any)) *world {
	dice := rand.New(rand.NewPCG(seed, 1))
	w := &world{dice: dice, odds: drawOdds(dice), record: newRecord(), trace: trace}
	w.drawDamage(seed)
	w.cut = map[[2]raft.NodeID]bool{}
	size := []int{1, 3, 3, 3, 3, 5, 5, 5, 5}[dice.IntN(9)]
	addresses := map[raft.NodeID]string{}
	for id := 1; id <= size; id++ {
		addresses[raft.NodeID(id)] = ""
	}
	w.members = raft.NewConfiguration(addresses)
	w.nameIncarnations()
	w.drawClocks(seed)
	w.settled = w.members
	if w.odds.change > 0 {
		size = min(6, size+dice.IntN(4))
	}
	for id := raft.NodeID(1); id <= raft.NodeID(size); id++ {
		// Half of the servers send one entry at a time: an old one can be on a majority without the next.
		_, known := w.members.Member(id)
		n := &node{id: id, joins: !known, life: 1, config: raft.Config{
			ID:        id,
			Heartbeat: w.timing.heartbeat, ElectionMin: w.timing.min, ElectionMax: w.timing.max,
			Tick:          worldTick,
			Seed:          dice.Uint64(),
			NoPreVote:     dice.IntN(4) == 0,
			NoCheckQuorum: dice.IntN(4) == 0,
			Limits: raft.Limits{
				AppendBytes:      1 + dice.IntN(2)*dice.IntN(200),
				UncommittedBytes: 100 + dice.IntN(2000),
				Window:           1 + dice.IntN(8),
				InFlightBytes:    1 + dice.IntN(1000),
				BacklogBytes:     1 + dice.IntN(1000),
				SnapshotBytes:    []int{-1, 1 + dice.IntN(300)}[min(w.odds.snapshot, 1)],
				TrailingBytes:    dice.IntN(2)*dice.IntN(2000) - 1,
				ChunkBytes:       1 + dice.IntN(40),
				PromoteBytes:     1 + dice.IntN(300),
			},
			Events: true,
		}}
		w.nodes = append(w.nodes, n)
		w.start(n)
	}
	return w
}

func (w *world) start(n *node) {
	n.shelf.unready = len(n.shelf.kept) > 0 && w.percent(70)
	w.setClock(n)
	n.starts++
	core, err := raft.New(n.config, n.restored(w.members))
	if err != nil {
		failf("server %v cannot start from its disk: %v", n.id, err)
	}
	n.core, n.log, n.writes = core, slices.Clone(n.recovered()), nil
	n.members = core.Members()
	n.before, n.applied, n.owes = core.Status(), n.shelf.newest().Last.Index, 0
	if n.before.Commit != n.applied || n.before.Applied != n.applied {
		failf("server %v starts with commit %d and applied %d from a snapshot up to %d", n.id,
			n.before.Commit, n.before.Applied, n.applied)
	}
}

// move takes one random step.
func (w *world) move() {
	o := w.odds
	steps := []struct {
		weight int
		take   func()
	}{
		{o.tick, func() { w.step(w.anyone(), raft.Tick{}) }},
		{o.deliver, w.deliverOne},
		{o.persist, w.persistSome},
		{o.propose, w.proposeSomewhere},
		{o.read, w.readSomewhere},
		{o.hamper, w.hamper},
		{o.crash, w.crash},
		{o.restart, w.restart},
		{o.replay, w.replay},
		{o.cut, w.cutOrMend},
		{o.snapshot, w.snapshotSomewhere},
		{o.change, w.changeSomewhere},
		{o.transfer, w.transferSomewhere},
		{o.wipe, w.wipeSomebody},
		{w.damage, w.damageSomebody},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	roll := w.dice.IntN(total)
	for i, s := range steps {
		if roll -= s.weight; roll < 0 {
			w.passTime(i == 0)
			s.take()
			return
		}
	}
}

func (w *world) anyone() *node { return w.nodes[w.dice.IntN(len(w.nodes))] }

// someLeader is one of the servers that take themselves for leaders, most of the time, or else anybody.
func (w *world) someLeader() *node {
	var leaders []*node
	for _, n := range w.nodes {
		if n.before.Role == raft.Leader {
			leaders = append(leaders, n)
		}
	}
	if len(leaders) == 0 || w.percent(20) {
		return w.anyone()
	}
	return leaders[w.dice.IntN(len(leaders))]
}

func (w *world) percent(p int) bool { return w.dice.IntN(100) < p }

func (w *world) deliverOne() {
	if len(w.mail) == 0 {
		return
	}
	at := 0
	if w.percent(w.odds.reorder) {
		at = w.dice.IntN(len(w.mail))
	}
	m := w.mail[at]
	if !w.percent(w.odds.repeat) {
		w.mail = slices.Delete(w.mail, at, at+1)
	}
	if w.cut[[2]raft.NodeID{m.from, m.to}] || w.percent(w.odds.lose) {
		return
	}
	w.receive(m)
}

func (w *world) receive(m mail) {
	w.step(w.nodes[m.to-1], raft.Receive{From: m.from, Incarnation: m.life, Start: m.start,
		Sequence: m.sequence, Message: m.message})
}

// replay delivers again what was sent at any time before, in this life of its sender or an earlier one.
func (w *world) replay() {
	if len(w.past) > 0 {
		w.tally.note("replay")
		w.receive(w.past[w.dice.IntN(len(w.past))])
	}
}

func (w *world) persistSome() {
	n := w.anyone()
	if len(n.writes) > 0 && !n.stalled {
		w.persist(n, 1+w.dice.IntN(len(n.writes)))
	}
}

// persist makes the oldest writes durable and acknowledges the last of them.
func (w *world) persist(n *node, count int) {
	for _, wr := range n.writes[:count] {
		w.onDisk(n, wr)
	}
	number := n.writes[count-1].number
	n.writes = n.writes[count:]
	w.step(n, raft.Persisted{Write: number})
}

func (w *world) proposeSomewhere() {
	n := w.someLeader()
	for range 1 + w.dice.IntN(3) {
		w.propose(n)
	}
}

func (w *world) propose(n *node) {
	w.proposed++
	w.step(n, raft.Propose{Ticket: w.proposed, Command: fmt.Appendf(nil, "%d", w.proposed)})
}

// hamper lets somebody's disk or state machine hang, or all of them work again.
func (w *world) hamper() {
	n := w.anyone()
	if w.percent(40) {
		n = w.someLeader()
	}
	switch w.dice.IntN(3) {
	case 0:
		n.stalled = true
	case 1:
		n.slow = true
	default:
		for _, n := range w.nodes {
			n.stalled, n.slow = false, false
		}
	}
}

// crash loses what is not acknowledged, but for any prefix of it: a disk may have done more than it said.
func (w *world) crash() {
	n := w.anyone()
	if w.percent(30) {
		n = w.someLeader()
	}
	if n.core == nil {
		return
	}
	kept := w.dice.IntN(len(n.writes) + 1)
	w.tally.note("crash")
	if kept > 0 {
		w.tally.note("write kept in a crash")
	}
	if kept < len(n.writes) {
		w.tally.note("write lost in a crash")
	}
	for _, wr := range n.writes[:kept] {
		w.onDisk(n, wr)
	}
	w.trace("%v crashes, keeping %d of %d writes", n.id, kept, len(n.writes))
	n.shelf.crash()
	n.core, n.writes, n.log = nil, nil, n.disk
	w.forgetReads(n)
	w.forgetAsked(n)
	n.before = raft.Status{ID: n.id}
}

func (w *world) restart() {
	if n := w.anyone(); n.core == nil {
		w.trace("%v restarts", n.id)
		n.skew = raft.Time(w.dice.IntN(100)) - 50
		w.start(n)
	}
}

// cutOrMend mends everything, cuts one directed link, or cuts one server off.
func (w *world) cutOrMend() {
	a, b := w.someLeader().id, w.anyone().id
	switch w.dice.IntN(5) {
	case 0:
		w.cut[[2]raft.NodeID{a, b}] = true
	case 1:
		w.cut[[2]raft.NodeID{b, a}] = true
	case 2, 3:
		for _, n := range w.nodes {
			w.cut[[2]raft.NodeID{a, n.id}] = true
			w.cut[[2]raft.NodeID{n.id, a}] = true
		}
	default:
		clear(w.cut)
	}
}

// step feeds one input to a server, now and then to a clone of it as well, and carries out what it decides.
func (w *world) step(n *node, in raft.Input) {
	if n.core == nil {
		return
	}
	if w.takesDue(n, in) {
		return
	}
	w.stepAt(n, w.timeAt(n), in)
}

func (w *world) stepAt(n *node, now raft.Time, in raft.Input) {
	w.trace("%v ← %T%+v", n.id, in, in)
	var twin *raft.Core
	if w.percent(w.odds.clone) {
		twin = n.core.Clone()
	}
	n.core.Step(now, in)
	n.core.Audit()
	out := n.core.Output()
	if n.shelf.unready && n.core.Role() != raft.Follower {
		failf("server %v is a %v, and its machine can apply nothing", n.id, n.core.Role())
	}
	if twin != nil {
		w.compare(n, twin, now, in, out)
	}
	w.carryOut(n, out)
}

// compare feeds the same input to the clone, which must decide the same and end in the same state, and goes
// on with either of the two. The other one is led astray: that must not touch the one that stays.
func (w *world) compare(n *node, twin *raft.Core, now raft.Time, in raft.Input, out raft.Output) {
	twin.Step(now, in)
	if same := twin.Output(); !reflect.DeepEqual(same, out) {
		failf("server %v decided\n%+v\nand its clone\n%+v", n.id, out, same)
	}
	digest := n.core.Digest()
	if twin.Digest() != digest {
		failf("server %v and its clone differ after the same input", n.id)
	}
	stays, goes := n.core, twin
	if w.dice.IntN(2) == 0 {
		stays, goes = goes, stays
		w.tally.note("clone that stayed")
	}
	for range 2 * testElectionMax {
		goes.Step(w.now, raft.Propose{Command: []byte("astray")})
		goes.Step(w.now, raft.ReadIndex{})
		goes.Step(w.now, raft.Tick{})
	}
	goes.Output()
	if stays.Digest() != digest {
		failf("server %v changed when its clone went on", n.id)
	}
	n.core = stays
}

func (w *world) carryOut(n *node, out raft.Output) {
	for _, e := range out.Events {
		w.trace("   %v  %v", n.id, e)
		w.count(n, e)
	}
	if out.Write != 0 {
		w.handedOut(n, out)
	}
	if out.Members != nil {
		n.members = *out.Members
	}
	if in := n.core.Members(); !reflect.DeepEqual(in, n.members) {
		failf("server %v has %+v in force, and told of %+v", n.id, in, n.members)
	}
	w.look(n)
	w.lookAtChanges(n, out.Entries)
	for _, a := range out.Answers {
		w.answered(n, a)
	}
	w.chunks(n, out)
	for _, l := range out.Messages {
		if !w.letter(n, &l) {
			continue
		}
		w.sent(n, l)
		w.keep(mail{n.id, l.To, l.Sequence, l.Message, n.life, n.starts})
	}
	for _, r := range out.Readings {
		w.readAnswered(n, r)
	}
	w.apply(n, out.Committed)
	if n.applied > n.before.Applied && !n.slow && (w.calm || w.dice.IntN(2) == 0) {
		w.step(n, raft.Applied{Index: n.applied})
	}
}

// keep puts a message on its way, and remembers it for a replay. A flood is cut: the network may lose
// anything.
func (w *world) keep(m mail) {
	if len(w.mail) > 300 {
		w.mail = slices.Delete(w.mail, 0, 100)
	}
	w.mail = append(w.mail, m)
	if len(w.past) < 500 {
		w.past = append(w.past, m)
		return
	}
	w.past[w.past0] = m
	w.past0 = (w.past0 + 7) % len(w.past)
}

// settle delivers everything and acknowledges every write, until nothing is left to do.
func (w *world) settle() {
	for range 100000 {
		busy := len(w.mail) > 0
		if busy {
			m := w.mail[0]
			w.mail = w.mail[1:]
			w.receive(m)
		}
		for _, n := range w.nodes {
			if len(n.writes) > 0 {
				busy = true
				w.persist(n, len(n.writes))
			}
			busy = w.snapshotsSettle(n) || busy
		}
		if !busy {
			return
		}
	}
	failf("the servers never stop talking although no time passes")
}
