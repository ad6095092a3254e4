package sim

import (
	"errors"
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/wal"
)

// Server is one server as a World drives it: a replica.Replica, or another Raft that somebody has built to
// learn.
type Server interface {
	// Step feeds an event and the time of the server's clock at which it happened.
	Step(now raft.Time, event replica.Event)
	// Work returns what is to be done because of it, and counts that as handed out.
	Work() []replica.Work
	// Status is what the server knows of itself.
	Status() raft.Status
	// EntriesAfter is its log behind an index, as it stands in memory.
	EntriesAfter(raft.Index) []raft.Entry
	// Audit panics with a raft.Violation if something does not hold that takes long to look at.
	Audit()
}

// server is one of the cluster, over all its lives.
type server struct {
	world *World
	id    raft.NodeID
	life  int // counts the starts that were tried: what was due in an earlier one never happens
	store store
	clock clock
	wall  Time // how far its wall clock is off at its next start
	flags string

	engine  Server // nil while it is down
	machine replica.StateMachine
	watched *watched   // before machine
	through raft.Index // what the machine has applied
	write   *replica.Write
	apply   *replica.Apply
	asked   []question
	sight   sight
	met     []raft.Acquaintance // of each other server, durably

	trouble trouble
	backlog []due  // what has come while it was stalled
	steps   int    // since its work was begun for the last time
	pending uint64 // the latest event of this moment whose work has not begun; 0 when there is none
}

// store is a server's disk and the log on it.
type store struct {
	disk        *disk.Memory
	image       *disk.Memory // a copy, to be put back one day
	imageStart  uint64       // the number of the start in which it was taken
	start       uint64       // the number of the present one
	dir         disk.Dir
	log         *wal.Log
	writes      uint64 // counted over all lives
	preparation *wal.Preparation
	incarnation raft.Incarnation
	fault       diskFault
	full        bool // or nearly so
	sealed      bool // nothing was written since the last seal
}

// trouble is what interventions have done to a server.
type trouble struct {
	stalled     bool
	slow        int64 // how many times slower; 0 and 1: not
	applySlow   int64
	diskStalled Time   // until when
	poisoned    bool   // the next apply panics
	panicked    bool   // by the script, in this life
	wasFull     bool   // its disk, in this life
	lastSends   uint64 // how many messages it still sends before it ends; 0: it does not
	rotten      bool   // its disk was damaged at rest: it must refuse to start, or have lost nothing
	sealRot     bool   // where nothing but the seal behind it proves that it was durable
	rolledBack  bool   // it counts its starts up from an old copy of its disk
	replaced    bool   // its disk is not the one that it was, and remembers less
	gone        bool   // it has refused; or its disk was wiped or put back, and it will be refused for ever
}

// question is a request that the server has not answered.
type question struct {
	ticket raft.Ticket
	client int
	n      uint64
	read   bool // and the client has said that it does not wait any longer: it may be forgotten
}

func (s *server) up() bool { return s.engine != nil }

// start is a start of the process. cut, if not 0, is the call of the disk in which the power goes again.
func (s *server) start(cause, cut uint64) {
	w := s.world
	s.life++
	s.store.start++ // whether it comes to be durable or not
	s.trouble.panicked, s.trouble.wasFull, s.store.fault.met = false, s.store.full, false
	s.store.sealed = false // a start writes
	s.store.fault.cutIn(cut)
	s.store.arm()
	dir, err := s.store.disk.Open()
	if err != nil {
		w.fail(Recovery, "n%v cannot open its disk: %v", s.id, err)
		return
	}
	log, found, err := wal.Open(dir,
		wal.Options{Identity: s.identity(), SegmentBytes: w.options.SegmentBytes})
	s.store.fault.cutIn(0)
	switch {
	case errors.Is(err, disk.ErrPowerCut):
		s.store.disk.Crash(s.keep())
		w.saw(sawBrokenStart)
		w.note(
			Record{Kind: StartFailed, Cause: cause, Node: s.id, Text: "the power is cut while it recovers"},
		)
		return
	case err != nil:
		s.store.disk.Kill()
		w.note(Record{Kind: StartFailed, Cause: cause, Node: s.id, Text: err.Error()})
		w.refused(s, err)
		return
	}
	if s.trouble.rotten {
		w.saw(sawRotHarmless)
	}
	if found.Torn > 0 {
		w.saw(sawTornWrite)
	}
	s.trouble.rotten = false
	s.store.dir, s.store.log, s.store.incarnation = dir, log, found.Identity.Incarnation
	s.store.start = found.Start
	w.met(s, found.Peers)
	p := w.note(Record{Kind: Started, Cause: cause, Node: s.id, N: found.Start, Hash: hashRecovered(found)})
	w.ledger.started(w.moment(), s.id, found)
	w.recovers(s, found)
	s.begin(p, found)
}

// refused takes it that a server does not start: because its disk was damaged, or has just failed.
func (w *World) refused(s *server, err error) {
	damaged := errors.Is(err, wal.ErrCorrupt)
	switch {
	case damaged && s.trouble.rotten:
		s.trouble.gone = true
		w.ledger.lost(s.id)
		w.saw(sawRotRefused)
		if s.trouble.sealRot {
			w.saw(sawSealRefused)
		}
	case !damaged && s.mayStop(err):
		w.saw(sawFailedStart)
	case damaged && !s.trouble.gone, !damaged:
		w.fail(Recovery, "n%v does not start: %v", s.id, err)
	}
}

// begin makes the server of what its disk remembers.
func (s *server) begin(cause uint64, found wal.Recovered) {
	w := s.world
	machine, config := w.parts.Machine(), s.config(found)
	engine, err := w.parts.Server(config, raft.Restored{
		HardState: found.State, Entries: found.Entries, Members: found.Identity.Bootstrap,
	})
	if err != nil {
		w.fail(Recovery, "n%v cannot begin with what it recovered: %v", s.id, err)
		return
	}
	shows := raft.Time(1_700_000_000)*raft.Time(Second) + raft.Time(w.now+s.wall)
	if s.clock.rate == 0 {
		s.clock.rate = exact
	}
	s.clock = clock{since: w.now, shows: shows, rate: s.clock.rate}
	s.engine, s.machine, s.through = engine, machine, 0
	s.watched = underEyes(s, machine)
	s.sight = sight{entries: engine.EntriesAfter}
	w.look(s)
	w.push(due{at: w.now + s.clock.until(raft.Time(w.options.Tick)), task: awake, node: s.id, life: s.life,
		cause: cause})
	w.attempt(s, cause, replica.Awake{})
}

func (s *server) identity() wal.Identity {
	w := s.world
	drawn := w.chance.draw(forIncarnation, uint64(s.id), 0, uint64(s.life))
	return wal.Identity{
		Cluster: w.cluster, Node: s.id, Bootstrap: w.members, Incarnation: raft.Incarnation(drawn | 1),
	}
}

func (s *server) config(found wal.Recovered) replica.Config {
	w, o := s.world, &s.world.options
	return replica.Config{
		Core: raft.Config{
			ID: s.id, Heartbeat: o.Heartbeat, ElectionMin: o.ElectionMin, ElectionMax: o.ElectionMax,
			Limits: o.Limits, Seed: uint64(w.chance.draw(forDice, uint64(s.id), 0, uint64(s.life))),
			NoPreVote: o.NoPreVote != hasWord(s.flags, "prevote"), Events: w.trace.observe != nil,
			NoCheckQuorum:   o.NoCheckQuorum != hasWord(s.flags, "checkquorum"),
			NoElectionTimer: o.NoElectionTimer,
		},
		Identity: raft.Identity{
			Cluster: found.Identity.Cluster, Node: s.id, Incarnation: found.Identity.Incarnation,
			Start: found.Start,
		},
		Tick: raft.Time(o.Tick), Peers: found.Peers, MaxApplyBytes: o.MaxApplyBytes,
	}
}

// step feeds an event to the server and begins the work that follows from it: at once, or, like the loop of a
// node, when it has taken everything that has come in the same moment. After a stall that is much.
func (s *server) step(cause uint64, e replica.Event) {
	s.engine.Step(s.clock.read(s.world.now), e)
	s.steps++
	if s.world.momentEnds() {
		s.work(cause)
		return
	}
	if s.pending == 0 {
		s.world.pending = append(s.world.pending, s)
	}
	s.pending = max(cause, 1)
}

// work begins what the server wants done.
func (s *server) work(cause uint64) {
	s.pending = 0
	work := s.engine.Work()
	s.world.look(s)
	s.world.leave(s, work)
	for _, w := range work {
		if s.up() {
			s.take(cause, w)
		}
	}
}

// longestApply bounds how long an apply takes, however slow the machine: what is under way when all has
// healed must end before liveness is demanded.
const longestApply = 20 * Second

// take begins a piece of work.
func (s *server) take(cause uint64, w replica.Work) {
	switch w := w.(type) {
	case replica.Write:
		if s.write != nil {
			s.world.fail(Assertion, "n%v asks for a write while another one is under way", s.id)
		}
		s.write, s.store.sealed = &w, false
		s.world.swarm.noticeMoment(s, writes)
		s.store.writes++
		s.world.push(due{at: s.world.now + s.diskTime(s.store.writes), task: write, node: s.id, life: s.life,
			cause: cause, n: uint64(w.Number)})
	case replica.Apply:
		if s.apply != nil {
			s.world.fail(Assertion, "n%v asks for an apply while another one is under way", s.id)
		}
		s.apply = &w
		took := s.world.options.Apply.times(int64(len(w.Entries))).times(max(s.trouble.applySlow, 1))
		took = min(s.slowed(took), longestApply)
		s.world.push(due{at: s.world.now + took, task: apply, node: s.id, life: s.life, cause: cause,
			n: uint64(len(w.Entries))})
	case replica.Send:
		s.world.send(s, cause, w.Envelope)
		if s.trouble.lastSends > 0 {
			if s.trouble.lastSends--; s.trouble.lastSends == 0 {
				s.world.saw(sawBrokenSend)
				s.die(cause, false, "it ends between two messages")
			}
		}
	case replica.Answer:
		s.answer(cause, w)
	case replica.Report:
		for _, e := range w.Events {
			s.world.note(Record{Kind: Decided, Cause: cause, Node: s.id, Event: e})
		}
	case replica.Stop:
		if !s.mayStop(w.Err) {
			s.world.fail(Assertion, "n%v stops by itself, for a reason that it was not given: %v", s.id,
				w.Err)
		}
		s.world.sawStop(w.Err)
		s.die(cause, false, "it stops: "+w.Err.Error())
	}
}

// die ends the process, and with it everything that was only in memory; with the power, what was not synced
// is kept or lost by chance.
func (s *server) die(cause uint64, power bool, why string) {
	w := s.world
	p := w.note(Record{Kind: Died, Cause: cause, Node: s.id, Text: why})
	w.ledger.died(w.moment(), s.id, s.write)
	s.interrupt()
	if power {
		lost := false
		s.store.disk.Crash(loses(s.keep(), &lost))
		if lost {
			w.saw(sawLostBytes)
		}
	} else {
		s.store.disk.Kill()
	}
	s.life++
	s.engine, s.machine, s.watched, s.write, s.apply = nil, nil, nil, nil, nil
	s.pending = 0
	s.store.dir, s.store.log, s.store.preparation = nil, nil, nil
	s.trouble.stalled, s.trouble.poisoned, s.trouble.lastSends = false, false, 0
	asked, backlog := s.asked, s.backlog
	s.asked, s.backlog = nil, nil
	for _, q := range asked { // their connections are reset
		w.respond(p, s, q, response{outcome: Unknown})
	}
	for _, d := range backlog {
		if d.task == take {
			w.respond(p, s, question{client: int(d.peer), n: d.n}, response{outcome: Unknown})
		}
	}
}

func (s *server) slowed(t Time) Time { return t.times(max(s.trouble.slow, 1)) }

// question returns what a ticket stands for, and forgets it.
func (s *server) question(ticket raft.Ticket) (question, bool) {
	at := slices.IndexFunc(s.asked, func(q question) bool { return q.ticket == ticket })
	if at < 0 {
		return question{}, false
	}
	q := s.asked[at]
	s.asked = slices.Delete(s.asked, at, at+1)
	return q, true
}
