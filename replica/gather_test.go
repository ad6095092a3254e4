package replica

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"balsa/raft"
)

// follower is server 1 of 3 among leaders of rising terms, which the test plays. Its writes are performed
// late, it crashes at any moment, and three things hold throughout:
//
//   - The disk has what it would have if each hand-out of the core had been written by itself, in order.
//   - What left the server (a vote, a term, a match) is on its disk, from that moment on and across crashes.
//   - What a start finds there is taken by New.
type follower struct {
	config  Config
	replica *Replica
	now     raft.Time
	disk    modelLog
	front   *Machine

	inFlight  *Write
	applying  *Apply
	handedOut []Write // by the core in this run, one for each of its hand-outs
	reference modelLog

	term      raft.Term  // the highest that any leader of the test had
	logs      []sentLog  // of every leader so far
	committed raft.Index // of the last leader's log: every later one holds it
	votes     []raft.HardState
	matches   []match
}

// sentLog is the log of a leader that the test plays.
type sentLog struct {
	term    raft.Term
	leader  raft.NodeID
	entries []raft.Entry
}

// match is what an AppendEntriesResponse claimed in a term.
type match struct {
	term  raft.Term
	entry raft.EntryID
}

func newFollower(t *rapid.T) *follower {
	f := &follower{now: 1000 * aTick, config: Config{
		Core: raft.Config{
			ID: 1, Heartbeat: 2, ElectionMin: 5, ElectionMax: 10, Seed: rapid.Uint64().Draw(t, "seed"),
			NoPreVote: rapid.Bool().Draw(t, "no pre-vote"),
		},
		Identity: identity(1),
		Tick:     aTick,
	}}
	f.start(t)
	return f
}

func (f *follower) start(t *rapid.T) {
	f.inFlight, f.applying, f.handedOut, f.reference = nil, nil, nil, modelLog{}
	if err := f.reference.Append(&f.disk.state, f.disk.entries); err != nil {
		t.Fatal(err)
	}
	r, err := New(f.config, f.disk.restored(3))
	if err != nil {
		t.Fatalf("the disk cannot be started from: %v", err)
	}
	f.replica, f.front = r, NewMachine(&recorder{})
}

// step feeds an event, and now and then leaves the work for later.
func (f *follower) step(t *rapid.T, e Event) {
	f.replica.Step(f.now, e)
	f.replica.core.Audit()
	if !rapid.Bool().Draw(t, "collect later") {
		f.collect(t)
	}
}

func (f *follower) collect(t *rapid.T) {
	if out := f.replica.core.Clone().Output(); out.Write != 0 {
		w := Write{Number: out.Write, State: out.HardState, Entries: out.Entries}
		f.handedOut = append(f.handedOut, w)
	}
	for _, w := range f.replica.Work() {
		switch w := w.(type) {
		case Write:
			if f.inFlight != nil {
				t.Fatal("two writes in flight")
			}
			f.inFlight = &w
		case Apply:
			if f.applying != nil {
				t.Fatal("two applies in flight")
			}
			f.applying = &w
		case Send:
			f.promised(w.Envelope.Message)
		case Stop:
			t.Fatal(w.Err)
		}
	}
}

// promised notes what a message that leaves promises.
func (f *follower) promised(m raft.Message) {
	switch m := m.(type) {
	case raft.RequestVote:
		f.votes = append(f.votes, raft.HardState{Term: m.Term, Vote: 1})
	case raft.RequestVoteResponse:
		f.votes = append(f.votes, raft.HardState{Term: m.Term})
		if m.Granted {
			f.votes = append(f.votes, raft.HardState{Term: m.Term, Vote: f.candidate(m.Term)})
		}
	case raft.AppendEntriesResponse:
		f.votes = append(f.votes, raft.HardState{Term: m.Term})
		for _, l := range f.logs {
			if l.term == m.Term && m.Match > 0 && !m.Rejected {
				f.matches = append(f.matches, match{term: m.Term, entry: l.entries[m.Match-1].ID()})
			}
		}
	case raft.AppendEntries:
		f.votes = append(f.votes, raft.HardState{Term: m.Term, Vote: 1})
	}
}

// candidate is the server that campaigns in a term of the test.
func (f *follower) candidate(term raft.Term) raft.NodeID { return raft.NodeID(2 + term%2) }

// keptPromises is checked after every action: whatever has left stays true on the disk.
func (f *follower) keptPromises(t *rapid.T) {
	for _, v := range f.votes {
		if f.disk.state.Term < v.Term {
			t.Fatalf("said to be in term %d, and the disk has term %d", v.Term, f.disk.state.Term)
		}
		if f.disk.state.Term == v.Term && v.Vote != raft.None && f.disk.state.Vote != v.Vote {
			t.Fatalf("voted for %d in term %d, and the disk has %d", v.Vote, v.Term, f.disk.state.Vote)
		}
	}
	for _, m := range f.matches {
		held := int(m.entry.Index) <= len(f.disk.entries) && f.disk.entries[m.entry.Index-1].ID() == m.entry
		if !held && m.term == f.disk.state.Term {
			t.Fatalf("acknowledged %v in term %d, the disk has %v", m.entry, m.term, idsOf(f.disk.entries))
		}
	}
}

// write performs the write in flight, and tells the replica unless it crashes right then.
func (f *follower) write(t *rapid.T) {
	if f.inFlight == nil {
		return
	}
	w := *f.inFlight
	f.inFlight = nil
	wrote := w.Perform(&f.disk)
	if wrote.Err != nil {
		t.Fatal(wrote.Err)
	}
	for len(f.handedOut) > 0 && f.handedOut[0].Number <= w.Number {
		if err := f.reference.Append(f.handedOut[0].State, f.handedOut[0].Entries); err != nil {
			t.Fatal(err)
		}
		f.handedOut = f.handedOut[1:]
	}
	if f.disk.state != f.reference.state || !reflect.DeepEqual(f.disk.entries, f.reference.entries) {
		t.Fatalf("after write %d the disk has %v %v, without gathering it had %v %v", w.Number,
			f.disk.state, idsOf(f.disk.entries), f.reference.state, idsOf(f.reference.entries))
	}
	f.step(t, wrote)
}

// newLeader begins a term whose leader holds everything committed, something of an earlier log, and entries
// that nobody here has heard of.
func (f *follower) newLeader(t *rapid.T) {
	f.term = max(f.term, f.replica.Status().Term)
	base := []raft.Entry(nil)
	if len(f.logs) > 0 {
		last := f.logs[len(f.logs)-1].entries
		candidates := [][]raft.Entry{last}
		for _, l := range f.logs {
			kept := len(l.entries) >= int(f.committed)
			if kept && reflect.DeepEqual(l.entries[:f.committed], last[:f.committed]) {
				candidates = append(candidates, l.entries)
			}
		}
		base = rapid.SampledFrom(candidates).Draw(t, "base")
		base = base[:rapid.IntRange(int(f.committed), len(base)).Draw(t, "kept")]
	}
	for range rapid.IntRange(1, 3).Draw(t, "terms") {
		f.term++
		for range rapid.IntRange(0, 3).Draw(t, "entries") {
			base = append(slices.Clip(base), entriesOf(raft.Index(len(base)+1), f.term)...)
		}
	}
	f.logs = append(f.logs, sentLog{term: f.term, leader: f.candidate(f.term), entries: base})
}

// receive brings entries from any place in the log of any leader, late ones included.
func (f *follower) receive(t *rapid.T) {
	if len(f.logs) == 0 {
		return
	}
	l := f.logs[len(f.logs)-1]
	if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
		l = rapid.SampledFrom(f.logs).Draw(t, "leader")
	}
	from := rapid.IntRange(0, len(l.entries)).Draw(t, "prev")
	to := rapid.IntRange(from, len(l.entries)).Draw(t, "last")
	m := raft.AppendEntries{Term: l.term, Entries: l.entries[from:to]}
	if from > 0 {
		m.Prev = l.entries[from-1].ID()
	}
	if l.term == f.term && rapid.Bool().Draw(t, "commit") {
		f.committed = raft.Index(rapid.IntRange(int(f.committed), len(l.entries)).Draw(t, "commit index"))
		m.Commit = f.committed
	}
	f.step(t, f.from(l.leader, m))
}

func (f *follower) from(id raft.NodeID, m raft.Message) Received {
	return Received{raft.Envelope{From: identity(id), To: 1, Message: m}}
}

// requestVote asks for a vote in a term of its own, with a log that may or may not be up-to-date.
func (f *follower) requestVote(t *rapid.T) {
	f.term = max(f.term, f.replica.Status().Term) + 1
	last := raft.EntryID{Index: raft.Index(rapid.IntRange(0, 9).Draw(t, "last")), Term: f.term - 1}
	f.step(t, f.from(f.candidate(f.term), raft.RequestVote{Term: f.term, Last: last}))
}

// vote lets the server win the election that it has begun, unless somebody else has won it.
func (f *follower) vote(t *rapid.T) {
	s := f.replica.Status()
	lost := func(l sentLog) bool { return l.term == s.Term }
	if slices.ContainsFunc(f.logs, lost) && s.Role == raft.Candidate {
		return
	}
	switch s.Role {
	case raft.PreCandidate:
		f.step(t, f.from(2, raft.PreVoteResponse{Term: s.Term + 1, Granted: true}))
	case raft.Candidate:
		f.step(t, f.from(2, raft.RequestVoteResponse{Term: s.Term, Granted: true}))
	}
}

func TestTheDiskKeepsWhatWasPromisedAndWhatTheCoreWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFollower(t)
		tickets := raft.Ticket(0)
		actions := map[string]func(*rapid.T){
			"":            f.keptPromises,
			"new leader":  f.newLeader,
			"receive":     f.receive,
			"receive too": f.receive, // thrice as likely as the rest
			"and again":   f.receive,
			"request":     f.requestVote,
			"vote":        f.vote,
			"write":       f.write,
			"work":        f.collect,
			"propose": func(t *rapid.T) {
				tickets++
				f.step(t, Proposed{Ticket: tickets, Command: fmt.Append(nil, tickets)})
			},
			"time": func(t *rapid.T) {
				f.now += raft.Time(rapid.IntRange(0, 12).Draw(t, "ticks")) * aTick
				f.step(t, Awake{})
			},
			"apply": func(t *rapid.T) {
				if a := f.applying; a != nil {
					f.applying = nil
					f.step(t, a.Perform(f.front))
				}
			},
			"crash": func(t *rapid.T) {
				if f.inFlight != nil && rapid.Bool().Draw(t, "landed") { // and nobody heard of it
					if wrote := f.inFlight.Perform(&f.disk); wrote.Err != nil {
						t.Fatal(wrote.Err)
					}
				}
				f.start(t)
			},
		}
		for range 15 { // long histories: one of thirty steps, as rapid takes them, misses what comes late
			t.Repeat(actions)
		}
	})
}
