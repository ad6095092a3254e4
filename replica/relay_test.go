package replica

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"balsa/raft"
)

// A cluster of replicas under a random schedule, for what stands around the core: forwarding and reads. One
// seed decides everything.
//
// Messages are lost, repeated, reordered and replayed minutes later; disks and state machines hang; servers
// crash at any moment, keeping or losing the write in flight, and come back with the next start number.

// relay is that cluster, and what an observer knows of it.
type relay struct {
	dice      *rand.Rand
	relayOdds relayOdds
	nodes     []*node
	mail      []raft.Envelope // on its way
	past      []raft.Envelope // was sent once, by this start of its sender or an earlier one
	cut       map[[2]raft.NodeID]bool
	now       raft.Time
	calm      bool

	tickets   raft.Ticket
	keys      int
	open      map[raft.Ticket]caller
	history   map[raft.Index]raft.Entry // what was applied anywhere
	places    map[string]raft.EntryID   // of each command applied anywhere
	denied    map[string]Fate           // commands of which a caller was told that they were never applied
	committed raft.Index                // by anybody
	tally     map[string]int
	trace     func(format string, args ...any)
}

// relayOdds are the weights of the steps, and percentages. Some are zero, so that schedules differ in kind.
type relayOdds struct {
	time, deliver, disk, machine, propose, read, await int
	crash, restart, replay, cut, hamper, change        int
	lose, repeat, reorder, late                        int // percent
}

// caller is somebody that waits.
type caller struct {
	at        raft.NodeID
	command   string // empty for a read
	asks      string // change or transfer; empty for everything else
	forwarded bool
	awaits    raft.Index // of Awaited; of a change, where the log ended before
	keyed     bool       // proposed before, perhaps, under the same key
	committed raft.Index // by anybody, when a linearizable read was asked
}

// node is one server with its disk. What is in flight when it crashes may be on the disk or not.
type node struct {
	id      raft.NodeID
	config  Config
	replica *Replica // nil while it is down
	log     modelLog
	machine *recorder
	front   *Machine // before machine
	write   *Write
	apply   *Apply
	others
	hung bool // its disk
	slow bool // its state machine
}

type failure struct{ sentence string }

func failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func newRelay(seed uint64, trace func(string, ...any)) *relay {
	dice := rand.New(rand.NewPCG(seed, 3))
	upTo := func(n int) int { return dice.IntN(n + 1) }
	sometimes := func(n int) int { return dice.IntN(2) * upTo(n) }
	w := &relay{
		dice: dice, trace: trace, now: 1000 * aTick,
		relayOdds: relayOdds{
			time: 5 + upTo(10), deliver: 40 + upTo(60), disk: 10 + upTo(20), machine: 10 + upTo(20),
			propose: 1 + upTo(8), read: sometimes(8), await: sometimes(2),
			crash: sometimes(
				2,
			), restart: 1 + upTo(5), replay: sometimes(8), cut: sometimes(2), hamper: sometimes(2),
			change: sometimes(2),
			lose:   sometimes(15), repeat: sometimes(30), reorder: sometimes(60), late: sometimes(30),
		},
		cut: map[[2]raft.NodeID]bool{}, open: map[raft.Ticket]caller{}, history: map[raft.Index]raft.Entry{},
		places: map[string]raft.EntryID{}, denied: map[string]Fate{}, tally: map[string]int{},
	}
	for id := raft.NodeID(1); id <= 3; id++ {
		n := &node{id: id, config: Config{
			Core: raft.Config{ID: id, Heartbeat: 2, ElectionMin: 5, ElectionMax: 10, Seed: dice.Uint64(),
				Limits: raft.Limits{UncommittedBytes: 200 + upTo(2000), BacklogBytes: 200 + upTo(2000),
					SnapshotBytes: 300 + upTo(500), TrailingBytes: upTo(600) - 100,
					ChunkBytes: 200 + upTo(5000)}},
			Identity: identity(id), Tick: aTick, MaxApplyBytes: 1 + upTo(300),
			Snapshots: true, Passing: passing,
		}, others: others{disk: &modelSnapshots{}}}
		if dice.IntN(4) == 0 {
			n.config.Core.Limits.SnapshotBytes = -1
		}
		n.config.Identity.Start, n.config.Identity.Version = 0, 1
		w.nodes = append(w.nodes, n)
		w.start(n)
	}
	return w
}

// start is a start of the same data directory: it counts up the start number.
func (w *relay) start(n *node) {
	n.config.Identity.Start++
	n.config.Peers = n.log.peers
	restored, err := Recover(voters(3), n.log.state, n.log.base, slices.Clone(n.log.entries), n.disk.List())
	if err != nil {
		failf("server %v cannot recover: %v", n.id, err)
	}
	r, err := New(n.config, restored)
	if err != nil {
		failf("server %v cannot start from its disk: %v", n.id, err)
	}
	n.others = others{disk: n.disk}
	n.replica, n.machine, n.write, n.apply = r, &recorder{}, nil, nil
	n.front = NewMachine(n.machine)
}

// move takes one random step.
func (w *relay) move() {
	o := w.relayOdds
	steps := []struct {
		weight int
		take   func()
	}{
		{o.time, w.passTime}, {o.deliver, w.deliverOne},
		{o.disk, func() { w.performWrite(w.anyone()) }}, {o.machine, func() { w.performMachine(w.anyone()) }},
		{o.disk, func() { w.performSnapshots(w.anyone()) }},
		{o.propose, w.propose}, {o.read, w.read}, {o.await, w.await},
		{
			o.crash,
			w.crash,
		}, {o.restart, w.restart}, {o.replay, w.replay}, {o.cut, w.cutOrMend}, {o.hamper, w.hamper},
		{o.change, w.change},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	roll := w.dice.IntN(total)
	for _, s := range steps {
		if roll -= s.weight; roll < 0 {
			s.take()
			return
		}
	}
}

func (w *relay) anyone() *node      { return w.nodes[w.dice.IntN(len(w.nodes))] }
func (w *relay) percent(p int) bool { return w.dice.IntN(100) < p }

func (w *relay) passTime() {
	w.now += raft.Time(w.dice.IntN(3)) * aTick
	w.step(w.anyone(), Awake{})
}

func (w *relay) deliverOne() {
	if len(w.mail) == 0 {
		return
	}
	at := 0
	if w.percent(w.relayOdds.reorder) {
		at = w.dice.IntN(len(w.mail))
	}
	e := w.mail[at]
	if !w.percent(w.relayOdds.repeat) {
		w.mail = slices.Delete(w.mail, at, at+1)
	}
	if !w.cut[[2]raft.NodeID{e.From.Node, e.To}] && !w.percent(w.relayOdds.lose) {
		w.receive(e)
	}
}

func (w *relay) receive(e raft.Envelope) {
	w.watch(e)
	w.step(w.nodes[e.To-1], Received{Envelope: e})
}

// replay delivers again what was sent at any time before. What has to do with forwarding is chosen more
// often.
func (w *relay) replay() {
	if len(w.past) > 0 {
		w.receive(w.past[w.dice.IntN(len(w.past))])
	}
}

func (w *relay) propose() {
	n := w.anyone()
	if n.replica == nil {
		return
	}
	for range 1 + w.dice.IntN(3) {
		if w.percent(20) {
			w.proposeKeyed(n)
			continue
		}
		w.tickets++
		leader, _ := n.replica.Leader()
		p := Proposed{
			Ticket:  w.tickets,
			Command: fmt.Append(nil, "command ", w.tickets),
			Local:   w.percent(10),
		}
		w.open[p.Ticket] = caller{at: n.id, command: string(p.Command),
			forwarded: !p.Local && leader != raft.None && leader != n.id}
		w.step(n, p)
	}
}

func (w *relay) read() { w.ask(w.anyone(), w.percent(10)) }

func (w *relay) ask(n *node, local bool) {
	if n.replica == nil {
		return
	}
	w.tickets++
	leader, _ := n.replica.Leader()
	w.open[w.tickets] = caller{at: n.id, committed: w.committed,
		forwarded: !local && leader != raft.None && leader != n.id}
	w.step(n, Asked{Ticket: w.tickets, Local: local})
}

func (w *relay) await() {
	if n := w.anyone(); n.replica != nil && w.committed > 0 {
		w.tickets++
		index := 1 + raft.Index(w.dice.IntN(int(w.committed)))
		w.open[w.tickets] = caller{at: n.id, awaits: index}
		w.step(n, Awaited{Ticket: w.tickets, Index: index})
	}
}

func (w *relay) performWrite(n *node) {
	if n.replica == nil || n.write == nil || n.hung {
		return
	}
	done := n.write.Perform(&n.log)
	n.write = nil
	w.step(n, done)
}

func (w *relay) performApply(n *node) {
	if n.replica == nil || n.apply == nil || n.slow {
		return
	}
	w.applies(n.apply.Entries)
	done := n.apply.Perform(n.front)
	n.apply = nil
	w.step(n, done)
}

// crash ends a run. Whoever waited there learns nothing.
func (w *relay) crash() {
	n := w.anyone()
	if n.replica == nil {
		return
	}
	w.trace("%v crashes", n.id)
	if n.write != nil && w.percent(50) {
		n.write.Perform(&n.log)
	}
	for _, save := range n.saves {
		if w.percent(50) {
			save.Perform(n.disk)
		}
	}
	for _, store := range n.stores {
		if w.percent(50) {
			store.Perform(n.disk)
		}
	}
	n.replica = nil
	maps.DeleteFunc(w.open, func(_ raft.Ticket, q caller) bool { return q.at == n.id })
	w.note("crash")
}

func (w *relay) restart() {
	if n := w.anyone(); n.replica == nil {
		w.trace("%v starts again", n.id)
		w.start(n)
	}
}

func (w *relay) cutOrMend() {
	a, b := w.anyone().id, w.anyone().id
	switch w.dice.IntN(4) {
	case 0:
		w.cut[[2]raft.NodeID{a, b}] = true
	case 1:
		for _, n := range w.nodes {
			w.cut[[2]raft.NodeID{a, n.id}] = true
			w.cut[[2]raft.NodeID{n.id, a}] = true
		}
	default:
		clear(w.cut)
	}
}

func (w *relay) hamper() {
	switch n := w.anyone(); w.dice.IntN(3) {
	case 0:
		n.hung = true
	case 1:
		n.slow = true
	default:
		for _, n := range w.nodes {
			n.hung, n.slow = false, false
		}
	}
}

// step feeds an event to a server. Its work is now and then collected only with the next event's.
func (w *relay) step(n *node, e Event) {
	if n.replica == nil {
		return
	}
	w.trace("%v ← %T %+v", n.id, e, e)
	n.replica.Step(w.now, e)
	n.replica.core.Audit()
	w.committed = max(w.committed, n.replica.core.Commit())
	if w.calm || !w.percent(w.relayOdds.late) {
		w.collect(n)
	}
}

func (w *relay) collect(n *node) {
	for _, work := range n.replica.Work() {
		switch work := work.(type) {
		case Write:
			n.write = &work
		case Apply:
			n.apply = &work
		case Send:
			w.keep(work.Envelope)
		case *Answer:
			w.answered(n, *work)
		case Stop:
			failf("server %v stopped: %v", n.id, work.Err)
		default:
			n.others.collect(work)
		}
	}
	w.committed = max(w.committed, n.replica.core.Commit())
}

// keep puts a message on its way, and remembers what may be replayed.
func (w *relay) keep(e raft.Envelope) {
	if len(w.mail) > 200 { // the network may lose anything
		w.mail = slices.Delete(w.mail, 0, 50)
	}
	w.mail = append(w.mail, e)
	switch e.Message.(type) {
	case raft.ForwardProposal, raft.ForwardProposalResponse, raft.ForwardRead, raft.ForwardReadResponse:
	default:
		if !w.percent(10) {
			return
		}
	}
	if len(w.past) < 500 {
		w.past = append(w.past, e)
	} else {
		w.past[w.dice.IntN(len(w.past))] = e
	}
}

func (w *relay) note(what string) { w.tally[what]++ }
