package explore

import (
	"fmt"

	"balsa/raft"
)

// What one server does with one input. It depends on nothing but the two, so it is computed once.

const (
	heartbeatTicks = 1
	// electionMin is also how many heartbeats in a row may stay unanswered before a leader gives up, so a
	// leader gives up by an action of its own and not as a consequence of speaking.
	electionMin = 6
	// electionMax only says after how many ticks a disk counts as stalled, for timers run out by hand. It is
	// more than pass in any exploration: no disk is ever so slow that a server does not campaign for it.
	electionMax = 10000
)

func (e *explorer) config(id raft.NodeID) raft.Config {
	return raft.Config{
		ID:        id,
		Heartbeat: heartbeatTicks, ElectionMin: electionMin, ElectionMax: electionMax,
		NoPreVote:       !e.start.PreVote,
		NoElectionTimer: true,
		Events:          true,
		Limits:          raft.Limits{AppendBytes: 1, Window: max(e.bounds.Window, 1)},
	}
}

// outcome is what a step led to: the server's next state and what it sent, or what was wrong.
type outcome struct {
	next  uint32
	sent  []uint32
	wrong *violation
}

// stride is a step under way.
type stride struct {
	*server
	habits habits
	sent   []raft.Letter
	events []raft.Event
}

// step lets a server take an action.
func (e *explorer) step(s *server, a action) (done stride, wrong *violation) {
	st := stride{server: s.copy(), habits: e.habits}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case raft.Violation:
			done, wrong = st, &violation{Property: "the core's own assertions", Sentence: r.Sentence}
		case *violation:
			done, wrong = st, r
		default:
			panic(r)
		}
	}()
	switch a.kind() {
	case deliver, duplicate:
		st.receive(e.post.letters[a.letter()])
	case late:
		st.wait()
		st.receive(e.post.letters[a.letter()])
	case persist:
		st.persist(1)
		st.feed(raft.Persisted{Write: s.writes[0].number})
	case timeout:
		st.timeout()
	case heartbeat:
		for range heartbeatTicks {
			st.feed(raft.Tick{})
		}
	case propose:
		st.feed(raft.Propose{Command: command(a.detail())})
	case crash:
		st.persist(a.detail())
		st.restart(e)
	}
	st.core.Audit()
	st.look()
	st.checkAlone(s)
	return st, nil
}

func (st *stride) receive(l letter) {
	in := raft.Receive{From: l.From, Sequence: l.Sequence, Message: l.Message}
	if st.habits.receive != nil {
		for _, in := range st.habits.receive(in) {
			st.feed(in)
		}
		return
	}
	st.feed(in)
}

// wait lets a follower hear nothing for the minimum election timeout.
func (st *stride) wait() {
	for {
		ticks, hears := st.core.Contact()
		if !hears || ticks >= electionMin {
			return
		}
		st.feed(raft.Tick{})
	}
}

// timeout ends the patience of a server. A leader's heartbeats meanwhile are lost: nobody answers it.
func (st *stride) timeout() {
	if st.core.Role() != raft.Leader {
		st.feed(raft.ElectionTimeout{})
		return
	}
	for range electionMin {
		st.feed(raft.Tick{})
	}
	st.sent = nil
}

// persist makes the oldest writes durable.
func (st *stride) persist(count int) {
	for _, w := range st.writes[:count] {
		before := st.hard
		st.hard, st.disk = w.onto(st.hard, st.disk)
		st.checkVote(before)
	}
	st.writes = st.writes[count:]
}

// restart begins anew with what the disk has.
func (st *stride) restart(e *explorer) {
	on := raft.Restored{HardState: st.hard, Entries: st.disk, Members: e.members}
	if st.habits.restore != nil {
		on = st.habits.restore(on)
		st.hard, st.disk = on.HardState, on.Entries
	}
	core, err := raft.New(e.config(st.id), on)
	if err != nil {
		panic(&violation{Property: "Recovery", Sentence: fmt.Sprintf("%v cannot restart: %v", st.id, err)})
	}
	st.core, st.writes, st.applied = core, nil, 0
}

// feed gives the core one input and carries out what it decides; what is committed is applied at once.
func (st *stride) feed(in raft.Input) {
	st.core.Step(0, in)
	out := st.core.Output()
	st.events = append(st.events, out.Events...)
	if out.Write != 0 {
		st.writes = append(st.writes, write{out.Write, out.HardState, out.Entries})
	}
	for _, l := range out.Messages {
		if st.habits.send != nil {
			l = st.habits.send(l)
		}
		st.checkPromise(l)
		st.sent = append(st.sent, l)
	}
	if len(out.Committed) > 0 {
		st.apply(out.Committed)
	}
	if out.Write != 0 && st.habits.hasty {
		st.feed(raft.Persisted{Write: out.Write})
	}
}

func (st *stride) apply(committed []raft.Entry) {
	st.checkApply(committed)
	st.applied += raft.Index(len(committed))
	st.feed(raft.Applied{Index: st.applied})
}

// habits are what tests spoil to see that the explorer notices. Nil and false are the correct ones.
type habits struct {
	restore func(raft.Restored) raft.Restored // what a server finds on its disk
	receive func(raft.Receive) []raft.Receive // what it makes of a message
	send    func(raft.Letter) raft.Letter
	hasty   bool // the driver acknowledges a write before it is on disk
	// trusting leaves out the checks of one server alone, so that what it does comes out in what the cluster
	// does.
	trusting bool

	// plain explores without the reductions, and note is shown every world: a test compares.
	plain bool
	note  func(*explorer, *world)
}
