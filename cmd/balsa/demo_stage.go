package main

import (
	"fmt"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/sim"
)

// demoNodes is how many servers the story has. Its scenes rest on three: one may fail.
const demoNodes = 3

// stage is the simulated cluster of the demo, seen from outside. What the story tells is looked up here.
type stage struct {
	world   *sim.World
	seed    uint64
	engines [demoNodes + 1]sim.Server // by id, of the latest life
	up      [demoNodes + 1]bool
	records []sim.Record      // since the last look
	writes  map[string]string // what a command says, by its bytes
	clients int
}

func newStage(seed uint64) (*stage, error) {
	o := sim.DefaultOptions()
	o.Nodes, o.Clients = demoNodes, 0
	o.Faulty, o.Healed = 0, 0
	// Slow enough for a person to see what comes after what, and far below the election timeout.
	o.Latency, o.LatencyMean = 4*sim.Millisecond, 2*sim.Millisecond
	o.Disk, o.DiskMean = sim.Millisecond, sim.Millisecond
	o.Patience = 2 * sim.Second
	s := &stage{seed: seed, writes: map[string]string{}}
	var err error
	s.world, err = sim.New(sim.Spec{Version: sim.SpecVersion, Seed: seed, Options: o}, sim.Parts{
		Server: func(c replica.Config, r raft.Restored) (sim.Server, error) {
			engine, err := replica.New(c, r)
			s.engines[c.Core.ID], s.up[c.Core.ID] = engine, true
			return engine, err
		},
		Observe: s.observe,
	})
	return s, err
}

func (s *stage) observe(r sim.Record) {
	if r.Kind == sim.Died {
		s.up[r.Node] = false
	}
	if r.Kind != sim.Ticked {
		s.records = append(s.records, r)
	}
}

// look returns what has happened since the last look.
func (s *stage) look() []sim.Record {
	records := s.records
	s.records = nil
	return records
}

// until lets things happen until something holds. That it does not come to hold ends the story.
func (s *stage) until(what string, holds func() bool) error {
	const patience = 30 * sim.Second
	for end := s.world.Now() + patience; !holds(); {
		if err := s.sound(); err != nil {
			return err
		}
		if s.world.Now() > end || !s.world.Step() {
			return fail(exitError, "the story of seed %d does not go on: in %v of virtual time %s", s.seed,
				patience, what+" did not happen. Please report this")
		}
	}
	return s.sound()
}

// sound is what the simulator's checks say, which look at the cluster after every event.
func (s *stage) sound() error {
	if v := s.world.Violation(); v != nil {
		return fail(exitViolation, "the story of seed %d finds a bug. Please report it. %w", s.seed, v)
	}
	return nil
}

func (s *stage) status(id raft.NodeID) raft.Status { return s.engines[id].Status() }

// ids are the servers, and others are all but one.
func (s *stage) ids() []raft.NodeID { return []raft.NodeID{1, 2, 3} }

func (s *stage) others(not raft.NodeID) (ids []raft.NodeID) {
	for _, id := range s.ids() {
		if id != not {
			ids = append(ids, id)
		}
	}
	return ids
}

// leads returns the server that all of a group follow, once they know everything in its log to be committed;
// raft.None before.
func (s *stage) leads(group ...raft.NodeID) raft.NodeID {
	leader := s.status(group[0]).Leader
	for _, id := range group {
		if !s.up[id] || s.status(id).Leader != leader {
			return raft.None
		}
	}
	if leader == raft.None || !s.up[leader] {
		return raft.None
	}
	at := s.status(leader)
	if at.Role != raft.Leader {
		return raft.None
	}
	for _, id := range group {
		if v := s.status(id); v.Commit != at.Last.Index || v.Last != at.Last || v.Term != at.Term ||
			v.Durable != v.Last.Index {
			return raft.None
		}
	}
	return leader
}

// settle waits until a group has one leader and one log, and returns the leader.
func (s *stage) settle(group ...raft.NodeID) (leader raft.NodeID, err error) {
	err = s.until("that the servers agree", func() bool {
		leader = s.leads(group...)
		return leader != raft.None
	})
	return leader, err
}

// question is what a client has asked.
type question struct {
	client     int
	key, value string
	to         raft.NodeID
}

// name is what the story calls the client.
func (q question) name() string { return fmt.Sprintf("c%d", q.client) }

func (q question) String() string { return q.key + "=" + q.value }

// put has a new client write at a server, and read has one read there, linearizably.
func (s *stage) put(to raft.NodeID, key, value string) question {
	s.writes[string(kv.Put(key, []byte(value)))] = key + "=" + value
	s.clients++
	s.world.Do(sim.Op{Kind: sim.Propose, Node: to, Peer: raft.NodeID(s.clients), Key: key, Text: value,
		Mode: "put"})
	return question{s.clients, key, value, to}
}

func (s *stage) read(to raft.NodeID, key string) (value string, found bool, err error) {
	s.clients++
	s.world.Do(sim.Op{Kind: sim.Read, Node: to, Peer: raft.NodeID(s.clients), Key: key, Mode: "linearizable"})
	answer, err := s.answer(question{client: s.clients})
	if err == nil && answer.Outcome != sim.OK {
		err = fail(exitError, "the story of seed %d does not go on: a read ended %v. Please report this",
			s.seed, answer.Outcome)
	}
	return string(answer.Read), answer.Found, err
}

// told is what a client has been told; false while it waits.
func (s *stage) told(q question) (sim.Operation, bool) { return s.world.Ended(q.client) }

// answer waits for what a client is told.
func (s *stage) answer(q question) (answer sim.Operation, err error) {
	err = s.until("an answer to a client", func() (is bool) {
		answer, is = s.told(q)
		return is
	})
	return answer, err
}

// holders are the servers on whose disks an entry is.
func (s *stage) holders(entry raft.EntryID) (ids []raft.NodeID) {
	for _, id := range s.ids() {
		log := s.engines[id].EntriesAfter(entry.Index - 1)
		if s.status(id).Durable >= entry.Index && len(log) > 0 && log[0].Term == entry.Term {
			ids = append(ids, id)
		}
	}
	return ids
}

// says is what an entry holds, in words.
func (s *stage) says(e raft.Entry) string {
	if text := s.writes[string(e.Command)]; text != "" {
		return text
	}
	if e.Kind == raft.ConfigurationChange {
		return "(members)"
	}
	return "(empty)"
}

// links are those between one server and the others, out of it, and into it as well if both.
func (s *stage) links(of raft.NodeID, both bool) (links []sim.Link) {
	for _, id := range s.others(of) {
		links = append(links, sim.Link{From: of, To: id})
		if both {
			links = append(links, sim.Link{From: id, To: of})
		}
	}
	return links
}
