package sim

import (
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// Server is one server as a World drives it: a replica.Replica, or another Raft that somebody has built to
// learn.
type Server interface {
	// Step feeds an event and the time of the server's clock at which it happened. The results of a
	// replica.Ran may not be kept: their memory serves again.
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
	id    raft.NodeID // its number in the world
	lodging
	life  int // counts the starts that were tried: what was due in an earlier one never happens
	store store
	clock clock
	wall  Time // how far its wall clock is off at its next start

	engine  Server // nil while it is down
	machine replica.StateMachine
	watched *watched     // before machine
	through raft.EntryID // what the machine has applied
	flights
	asked []question
	sight sight
	met   []raft.Acquaintance // of each other server, durably

	trouble trouble
	backlog []due // what has come while it was stalled
	turn
}

// store is a server's disk and the log on it.
type store struct {
	disk        *disk.Memory
	image       *disk.Memory // a copy, to be put back one day
	imageStart  uint64       // the number of the start in which it was taken
	imageAlone  bool         // its server could then decide something alone, and so can whoever has the copy
	start       uint64       // the number of the present one
	dir         disk.Dir
	log         *wal.Log
	keeper      *snapshot.Keeper
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
	keepSlow    int64  // of all that is done with snapshots
	diskStalled Time   // until when
	poisoned    bool   // the next apply panics
	panicked    bool   // by the script, in this life
	wasFull     bool   // its disk, in this life
	lastSends   uint64 // how many messages it still sends before it ends; 0: it does not
	rotten      bool   // its disk was damaged at rest: it must repair itself, refuse, or have lost nothing
	sealRot     bool   // where nothing but the seal behind it proves that it was durable
	rolledBack  bool   // it counts its starts up from an old copy of its disk
	replaced    bool   // its disk is not the one that it was, and remembers less
	repairs     bool   // its disk was damaged, and it counts for nothing until it has back what it lost
	gone        bool   // it has refused; or its disk was wiped or put back, and it will be refused for ever
}

// question is a request that the server has not answered.
type question struct {
	ticket raft.Ticket
	client int
	n      uint64
	taken  Time      // when it came
	byHand bool      // a snapshot, which no client waits for
	term   raft.Term // in which it was asked
	admin  *Op       // what an administrator has asked for; nil: it is no administrator's
	read   bool      // and the client has said that it does not wait any longer: it may be forgotten
}

func (s *server) up() bool { return s.engine != nil }

func (s *server) identity() wal.Identity {
	w := s.world
	drawn := w.chance.draw(forIncarnation, uint64(s.id), 0, uint64(s.life))
	id := wal.Identity{
		Cluster: w.cluster, Node: s.node, Bootstrap: w.members, Incarnation: raft.Incarnation(drawn | 1),
	}
	switch {
	case s.foreign != nil:
		id.Cluster, id.Bootstrap = s.foreign.cluster, s.foreign.members
	case s.joins:
		id.Bootstrap, id.Joins = raft.Configuration{}, true
	}
	return id
}

func (s *server) config(found wal.Recovered) replica.Config {
	w, o := s.world, &s.world.options
	limits := o.Limits
	if !w.images { // nor are snapshots missed
		limits.SnapshotBytes = -1
	}
	version := raft.SupportedVersion
	if o.Unversioned {
		version = 0
	}
	return replica.Config{
		Core: raft.Config{
			ID: s.node, Heartbeat: o.Heartbeat, ElectionMin: o.ElectionMin, ElectionMax: o.ElectionMax,
			Limits: limits, Seed: uint64(w.chance.draw(forDice, uint64(s.id), 0, uint64(s.life))),
			NoPreVote: s.rash() && !s.tamed, Events: w.trace.observe != nil,
			NoCheckQuorum:   o.NoCheckQuorum != hasWord(s.flags, "checkquorum"),
			NoElectionTimer: o.NoElectionTimer,
		},
		Identity: raft.Identity{
			Cluster: found.Identity.Cluster, Node: s.node, Incarnation: found.Identity.Incarnation,
			Start: found.Start, Address: s.address, Version: version,
		},
		Tick: raft.Time(o.Tick), Peers: found.Peers, MaxApplyBytes: o.MaxApplyBytes,
		Snapshots: w.images, SnapshotRate: o.SnapshotRate, Passing: snapshot.Passing,
	}
}

// die ends the process, and with it everything that was only in memory; with the power, what was not synced
// is kept or lost by chance.
func (s *server) die(cause uint64, power bool, why string) {
	w := s.world
	p := w.note(Record{Kind: Died, Cause: cause, Node: s.id, Text: why})
	s.ledger.died(w.moment(), s.id, s.write)
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
	s.engine, s.machine, s.watched, s.flights, s.turn = nil, nil, nil, flights{}, turn{}
	s.store.dir, s.store.log, s.store.preparation, s.store.keeper = nil, nil, nil, nil
	s.trouble.stalled, s.trouble.poisoned, s.trouble.lastSends = false, false, 0
	asked, backlog := s.asked, s.backlog
	s.asked, s.backlog = nil, nil
	for _, q := range asked { // their connections are reset
		if q.byHand || q.admin != nil {
			continue
		}
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
