package sim

import (
	"fmt"
	"runtime/debug"

	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/wire"
)

// Parts are what a world can be made with besides a Spec. Zero values take the shipped ones.
type Parts struct {
	// Server makes a server of what its disk remembers: replica.New, or somebody's own Raft.
	Server func(replica.Config, raft.Restored) (Server, error)
	// Machine makes an empty state machine: kv.New, or an embedding program's own.
	Machine func() replica.StateMachine
	// Command makes a command for another machine than a kv.Store, of a random number and of one that no
	// other request of the run has. Every command must be unique.
	Command func(random, n uint64) []byte
	// Observe sees every event as it happens.
	Observe func(Record)
	// Enough is asked now and then whether the run is to end where it is, as Unfinished.
	Enough func() bool
}

// World is a cluster with all that surrounds it. It is not safe for concurrent use.
type World struct {
	spec    Spec
	options Options
	parts   Parts
	chance  chance
	cluster raft.ClusterID
	members raft.Configuration

	now     Time
	queue   queue
	trace   trace
	servers []*server
	pending []*server // their turns end with this moment
	network network
	clients []*client
	tickets raft.Ticket

	script script
	swarm  *swarm
	counts counts
	checks
	ends   ends
	healed healing
}

// checks look at everything that happens.
type checks struct {
	ledger    *ledger
	history   *history
	committed raft.Index // told to the history
	audited   uint64     // the event at which a server was looked at as a whole for the last time
	violation *Violation // the first
	images    bool       // whether state machines take snapshots at all
}

// New makes a world at its beginning: every server has started, and nothing has happened yet.
func New(spec Spec, parts Parts) (*World, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	if parts.Server == nil {
		parts.Server = func(c replica.Config, r raft.Restored) (Server, error) { return replica.New(c, r) }
	}
	if parts.Machine == nil {
		parts.Machine = func() replica.StateMachine { return kv.New() }
	}
	o := spec.Options
	addresses := map[raft.NodeID]string{}
	for id := range o.Nodes {
		addresses[raft.NodeID(id+1)] = addressOf(raft.NodeID(id + 1))
	}
	members := raft.NewConfiguration(addresses)
	w := &World{
		spec: spec, options: o, parts: parts, chance: chance(spec.Seed),
		members: members, network: newNetwork(o.Nodes + o.Spares),
		checks: checks{ledger: newLedger(o.Nodes+o.Spares, members, o.Limits, o.remembered()),
			history: newHistory()},
	}
	if parts.Command == nil { // the clients' own puts are unique, their deletes and increments are not
		w.ledger.repeats = func(c []byte) bool {
			return len(c) > 1 && (c[1] == byte(kv.OpDelete) || c[1] == byte(kv.OpIncrement))
		}
	}
	to, err := parts.Machine().Snapshot()
	w.images = err != nil || to != nil
	w.trace.observe = parts.Observe
	w.cluster = wire.ClusterID("sim", w.members)
	w.script = newScript(spec.Script)
	for i, op := range spec.Script {
		if !op.ofMessage() {
			w.push(due{at: op.At, task: intervene, n: uint64(i)})
		}
	}
	if spec.Profile != "" {
		w.swarm = newSwarm(w)
	}
	for id := range o.Nodes + o.Spares {
		w.addServer(id < o.Nodes)
	}
	for _, s := range w.servers {
		s.start(0, 0)
	}
	for range o.Clients {
		w.addClient(false)
	}
	return w, nil
}

// addServer adds the next server; one that is not founded has no data directory, and stands by.
func (w *World) addServer(founded bool) {
	id := raft.NodeID(len(w.servers) + 1)
	w.servers = append(w.servers, &server{world: w, id: id,
		store:   store{disk: disk.NewMemory()},
		lodging: lodging{node: id, founded: founded, address: addressOf(id), ledger: w.ledger},
		met:     make([]raft.Acquaintance, w.options.Nodes+w.options.Spares)})
}

func (w *World) push(d due) { w.queue.push(d) }

func (w *World) note(r Record) uint64 {
	r.Time = w.now
	return w.trace.note(r)
}

func (w *World) moment() Moment { return Moment{Position: w.trace.position, Time: w.now} }

// fail enters the first violation of a run.
func (w *World) fail(p Property, format string, args ...any) {
	w.violate(&Violation{Moment: w.moment(), Property: p, Sentence: fmt.Sprintf(format, args...)})
}

func (w *World) violate(v *Violation) {
	if w.violation == nil && v != nil {
		w.violation = v
	}
}

// Step lets the next thing happen, and reports whether there was one. After a violation nothing happens any
// more.
func (w *World) Step() bool {
	if w.violation != nil || w.queue.empty() {
		return false
	}
	if w.parts.Enough != nil && w.trace.position&1023 == 0 && w.parts.Enough() {
		w.fail(Unfinished, "the run was stopped before its end")
		return false
	}
	d := w.queue.pop()
	w.now = d.at
	w.happen(d)
	if len(w.pending) > 0 && w.momentEnds() {
		w.endTurns()
	}
	if w.violation == nil {
		w.violation = w.ledger.violation()
	}
	w.history.overdue(w.moment())
	if w.violation == nil {
		w.violation = w.history.violation()
	}
	return true
}

// RunUntil lets everything happen that is due up to a time, and stops there, or at a violation.
func (w *World) RunUntil(t Time) {
	for w.violation == nil && !w.queue.empty() && w.queue.next() <= t {
		w.Step()
	}
	if w.violation == nil {
		w.now = max(w.now, t)
	}
}

// happen carries out what is due.
func (w *World) happen(d due) {
	switch d.task {
	case intervene:
		w.intervene(d)
	case deliver:
		w.arrive(d)
	case request:
		w.client(d.node).request(d)
	case reply:
		w.client(d.node).hear(d)
	case deadline:
		w.client(d.node).giveUp(d)
	case take:
		w.takeRequest(d)
	default:
		w.happenAt(w.servers[d.node-1], d)
	}
}

// happenAt carries out what is due at a server, in the life in which it was begun. What comes to one that is
// stalled waits.
func (w *World) happenAt(s *server, d due) {
	switch {
	case !s.up() || d.life != s.life:
		return
	case s.trouble.stalled:
		s.backlog = append(s.backlog, d)
		return
	case s.trouble.diskStalled > w.now && d.ofDisk():
		d.at = s.trouble.diskStalled
		w.push(d)
		return
	}
	switch d.task {
	case awake:
		p := w.note(Record{Kind: Ticked, Cause: d.cause, Node: s.id})
		w.push(
			due{at: w.now + s.clock.until(raft.Time(w.options.Tick)), task: awake, node: s.id, life: s.life,
				cause: p},
		)
		w.attempt(s, p, replica.Awake{})
	case returned:
		w.giveBack(d)
	case write:
		s.endWrite(d.cause)
	case apply:
		s.endOnMachine(d.cause)
	case save:
		s.endSave(d.cause)
	case readChunk:
		s.endReadChunk(d.cause)
	case storeChunk:
		s.endStoreChunk(d.cause)
	case seal:
		s.seal(d)
	case prepare:
		s.prepare(d)
	case turnEnds:
		w.trying(s, func() { s.work(s.pending) })
	}
}

// wholeEvery is how many events lie between two looks at everything that a server holds.
const wholeEvery = 1000

// attempt steps a server.
func (w *World) attempt(s *server, cause uint64, e replica.Event) {
	w.trying(s, func() {
		s.step(cause, e)
		if w.trace.position >= w.audited+wholeEvery && s.up() {
			w.audited = w.trace.position
			s.engine.Audit()
		}
	})
}

// audit looks at everything that the servers hold.
func (w *World) audit() {
	for _, s := range w.servers {
		if s.up() {
			w.trying(s, s.engine.Audit)
		}
	}
}

// trying has a server do something. Its own invariants may not hold: that ends the run, with what it says.
func (w *World) trying(s *server, do func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case raft.Violation:
			w.fail(Assertion, "n%v: %v", s.id, p)
		default:
			w.fail(Assertion, "n%v panics: %v\n%s", s.id, p, debug.Stack())
		}
	}()
	do()
}

// look shows a server to the checks.
func (w *World) look(s *server) {
	status := s.engine.Status()
	w.sawRole(s, &status)
	w.swarm.notice(s, &status)
	v := &s.sight
	v.role, v.term, v.vote, v.leader = status.Role, status.Term, status.Vote, status.Leader
	v.commit, v.applied, v.durable, v.last = status.Commit, status.Applied, status.Durable, status.Last
	v.progress, v.uncommitted = status.Progress, status.Uncommitted
	v.before = max(status.First, 1) - 1
	if s.foreign == nil {
		w.healed.stable(w, s)
	}
	s.ledger.stepped(w.moment(), s.id, v)
	if s.foreign != nil {
		w.violate(s.ledger.violation())
		return
	}
	w.commits(s)
}

// commits tells the history of entries when they are first known to be committed.
func (w *World) commits(s *server) {
	if s.sight.commit <= w.committed {
		return
	}
	for _, e := range s.engine.EntriesAfter(w.committed) {
		if e.Index > s.sight.commit {
			break
		}
		if int(e.Index) > len(w.ledger.committed) {
			return // it has found something, and looks no further
		}
		c := &w.ledger.committed[e.Index-1]
		w.sawVerdict(c.verdict)
		again := w.history.tally.Again
		w.history.enters(w.moment(), entered{e.Index, c.time, c.asked, c.verdict})
		if w.history.tally.Again > again {
			w.saw(sawForgotten)
		}
		w.committed = e.Index
	}
}
