package replica

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

// aTick is the length of a tick in every test, as in the root package: 10 ms.
const aTick raft.Time = 10_000_000

// identity is that of a server of the tests' cluster, in its first start.
func identity(id raft.NodeID) raft.Identity {
	return raft.Identity{
		Cluster: raft.ClusterID{1}, Node: id, Incarnation: raft.Incarnation(100 + id), Start: 1,
	}
}

// at names an entry.
func at(index raft.Index, term raft.Term) raft.EntryID {
	return raft.EntryID{Index: index, Term: term}
}

// acquainted is what is remembered of a server.
func acquainted(id raft.Identity) raft.Acquaintance {
	return raft.Acquaintance{Node: id.Node, Incarnation: id.Incarnation, Start: id.Start}
}

// voters is a configuration of n voters.
func voters(n int) raft.Configuration {
	addresses := map[raft.NodeID]string{}
	for id := range n {
		addresses[raft.NodeID(id+1)] = fmt.Sprintf("server:%d", id+1)
	}
	return raft.NewConfiguration(addresses)
}

var (
	errGap  = errors.New("model log: a gap before the first entry")
	errBack = errors.New("model log: the start number of a peer goes back")
)

// modelLog is a Log that does what the contract says and nothing else: the reference for every other one.
type modelLog struct {
	state   raft.HardState
	base    raft.EntryID // the entry right before entries[0]
	entries []raft.Entry
	peers   []raft.Acquaintance // by node
	fail    error               // what Append answers instead of writing
	repairs bool                // the mark
}

func (l *modelLog) Repaired() error {
	if l.fail == nil {
		l.repairs = false
	}
	return l.fail
}

func (l *modelLog) Append(state *raft.HardState, entries []raft.Entry, peers ...raft.Acquaintance) error {
	if l.fail != nil {
		return l.fail
	}
	if len(entries) > 0 {
		before := int(entries[0].Index) - 1 - int(l.base.Index)
		if before < 0 || before > len(l.entries) {
			return errGap
		}
		l.entries = append(l.entries[:before:before], entries...)
	}
	if state != nil {
		l.state = *state
	}
	for _, p := range peers {
		at, known := slices.BinarySearchFunc(l.peers, p.Node, byNode)
		if known && l.peers[at].Incarnation == p.Incarnation && l.peers[at].Start > p.Start {
			return errBack
		}
		if known {
			l.peers[at] = p
		} else {
			l.peers = slices.Insert(l.peers, at, p)
		}
	}
	return nil
}

func (l *modelLog) Restart(last raft.EntryID) error {
	if l.fail != nil {
		return l.fail
	}
	if last.Index <= l.base.Index {
		return errGap
	}
	l.base, l.entries = last, nil
	return nil
}

func (l *modelLog) Release(through raft.Index) error {
	if l.fail != nil {
		return l.fail
	}
	n := int(through) - int(l.base.Index)
	if n < 0 || n > len(l.entries) {
		return errGap
	}
	if n > 0 {
		l.base, l.entries = l.entries[n-1].ID(), slices.Clone(l.entries[n:])
	}
	return nil
}

func (l *modelLog) restored(n int) raft.Restored {
	return raft.Restored{HardState: l.state, Before: l.base, Entries: slices.Clone(l.entries),
		Members: voters(n), Repairing: l.repairs}
}

// recorder is a state machine that remembers what it was given. A result names the entry and how many came
// before it, so that no two results are equal.
type recorder struct {
	applied []raft.Entry
	poison  string // the command that makes it panic, once there is one
}

func (m *recorder) Apply(e raft.Entry) []byte {
	if m.poison != "" && string(e.Command) == m.poison {
		panic("cannot digest " + m.poison)
	}
	m.applied = append(m.applied, e)
	return []byte(resultOf(e, len(m.applied)))
}

// commands are what it applied, in order.
func (m *recorder) commands() []string {
	var all []string
	for _, e := range m.applied {
		all = append(all, string(e.Command))
	}
	return all
}

func resultOf(e raft.Entry, nth int) string { return fmt.Sprintf("#%d %v %s", nth, e.ID(), e.Command) }

// bench holds one replica whose work the test performs by hand, in whatever order it likes.
type bench struct {
	*Replica
	t        *testing.T
	now      raft.Time
	log      *modelLog
	machine  *recorder
	front    *Machine // before machine
	sequence raft.Sequence
	tickets  raft.Ticket

	writes  []Write // in flight
	applies []Apply // in flight
	others
	sent    []raft.Envelope
	answers []Answer
	events  []raft.Event
	stops   []error
	routes  []Route
}

// hold makes a replica, server 1 of n, of what a log remembers.
func hold(t *testing.T, n int, log *modelLog, change ...func(*Config)) *bench {
	t.Helper()
	return holdFrom(t, n, log, &modelSnapshots{}, change...)
}

func holdFrom(t *testing.T, n int, log *modelLog, s *modelSnapshots, change ...func(*Config)) *bench {
	t.Helper()
	config := Config{
		Core:     raft.Config{ID: 1, Heartbeat: 2, ElectionMin: 5, ElectionMax: 10, Seed: 7, Events: true},
		Identity: identity(1),
		Tick:     aTick,
		Peers:    log.peers,
	}
	if len(log.peers) == 0 { // most tests begin where everybody has met
		for id := raft.NodeID(2); id <= raft.NodeID(n); id++ {
			config.Peers = append(config.Peers, acquainted(identity(id)))
		}
	}
	for _, c := range change {
		c(&config)
	}
	restored, err := Recover(voters(n), log.state, log.base, slices.Clone(log.entries), s.List())
	if err != nil {
		t.Fatal(err)
	}
	restored.Repairing = log.repairs
	r, err := New(config, restored)
	if err != nil {
		t.Fatal(err)
	}
	machine := &recorder{}
	return &bench{Replica: r, t: t, now: 1000 * aTick, log: log, machine: machine,
		front: NewMachine(machine), others: others{disk: s}}
}

// do steps events, all at the same time, and then collects the work.
func (b *bench) do(events ...Event) {
	b.t.Helper()
	for _, e := range events {
		b.Step(b.now, e)
		b.core.Audit()
	}
	b.collect()
}

func (b *bench) collect() {
	b.t.Helper()
	for _, w := range b.Work() {
		switch w := w.(type) {
		case Write:
			b.writes = append(b.writes, w)
		case Apply:
			b.applies = append(b.applies, w)
		case Send:
			b.sent = append(b.sent, w.Envelope)
		case *Answer:
			b.answers = append(b.answers, *w)
		case Report:
			b.events = append(b.events, w.Events...)
		case Stop:
			b.stops = append(b.stops, w.Err)
		case Route:
			b.routes = append(b.routes, w)
		default:
			b.others.collect(w)
		}
	}
	if len(b.writes) > 1 || len(b.applies)+len(b.captures)+len(b.restores) > 1 || len(b.saves) > 1 ||
		len(b.chunkReads) > 1 || len(b.stores) > 1 {
		b.t.Fatalf("too much in flight: %d writes, %d applies, %+v", len(b.writes), len(b.applies), b.others)
	}
}

// propose proposes commands and returns the ticket of the last one.
func (b *bench) propose(commands ...string) raft.Ticket {
	b.t.Helper()
	for _, c := range commands {
		b.tickets++
		b.do(Proposed{Ticket: b.tickets, Command: []byte(c)})
	}
	return b.tickets
}

// from is the event that a message of another server has come, a response to this start.
func (b *bench) from(id raft.NodeID, m raft.Message) Received {
	b.sequence++
	e := raft.Envelope{From: identity(id), To: 1, Sequence: b.sequence, Message: m}
	if raft.IsResponse(m) {
		e.Sequence |= b.life()
	}
	return Received{e}
}

// write performs the write in flight and feeds back how it ended.
func (b *bench) write() {
	b.t.Helper()
	if len(b.writes) == 0 {
		b.t.Fatal("no write in flight")
	}
	w := b.writes[0]
	b.writes = nil
	b.do(w.Perform(b.log))
}

// apply performs the apply in flight and feeds back how it ended.
func (b *bench) apply() {
	b.t.Helper()
	if len(b.applies) == 0 {
		b.t.Fatal("no apply in flight")
	}
	a := b.applies[0]
	b.applies = nil
	b.do(a.Perform(b.front))
}

// settle performs whatever there is until there is no more.
func (b *bench) settle() {
	b.t.Helper()
	for rounds := 0; len(b.writes)+len(b.applies)+b.others.count() > 0; rounds++ {
		if rounds > 10_000 {
			b.t.Fatal("the work never ends")
		}
		if len(b.writes) > 0 {
			b.write()
		}
		if len(b.applies) > 0 {
			b.apply()
		}
		b.settleOthers()
	}
}

// pass lets ticks go by, one at a time.
func (b *bench) pass(ticks int) {
	b.t.Helper()
	for range ticks {
		b.now += aTick
		b.do(Awake{})
	}
}

// lead makes the replica leader of its next term, with the vote of server 2 if it needs one, and settles.
func (b *bench) lead() {
	b.t.Helper()
	b.settle()
	for range 100 {
		if b.Status().Role == raft.Leader {
			b.settle()
			return
		}
		b.pass(1)
		if len(b.restores) > 0 { // it does not campaign before
			b.restore()
		}
		switch b.Status().Role {
		case raft.PreCandidate:
			b.do(b.from(2, raft.PreVoteResponse{Term: b.Status().Term + 1, Granted: true}))
		case raft.Candidate:
			b.settle()
			b.do(b.from(2, raft.RequestVoteResponse{Term: b.Status().Term, Granted: true}))
		}
	}
	b.t.Fatal("was not elected")
}

// acknowledge lets a follower hold durably all that was sent to it.
func (b *bench) acknowledge(id raft.NodeID) {
	b.t.Helper()
	for range 100 {
		if b.Status().Last.Index == b.matchOf(id) {
			return
		}
		last := b.lastAppend(id)
		answer := b.from(id, raft.AppendEntriesResponse{Term: b.Status().Term, Match: b.endOf(last)})
		answer.Envelope.Sequence = last.Sequence
		b.do(answer)
	}
	b.t.Fatal("the follower was not sent everything")
}

func (b *bench) matchOf(id raft.NodeID) raft.Index {
	for _, p := range b.Status().Progress {
		if p.ID == id {
			return p.Match
		}
	}
	return 0
}

// lastAppend is the last AppendEntries with entries that was sent to a server.
func (b *bench) lastAppend(id raft.NodeID) raft.Envelope {
	b.t.Helper()
	for _, e := range slices.Backward(b.sent) {
		if m, ok := e.Message.(raft.AppendEntries); ok && e.To == id && len(m.Entries) > 0 {
			return e
		}
	}
	b.t.Fatalf("no entries were sent to %v", id)
	return raft.Envelope{}
}

func (b *bench) endOf(e raft.Envelope) raft.Index {
	m := e.Message.(raft.AppendEntries)
	return m.Prev.Index + raft.Index(len(m.Entries))
}

// answer returns the one answer to a ticket.
func (b *bench) answer(ticket raft.Ticket) Answer {
	b.t.Helper()
	var found []Answer
	for _, a := range b.answers {
		if a.Ticket == ticket {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		b.t.Fatalf("ticket %d has the answers %+v, want one", ticket, found)
	}
	return found[0]
}

// waits demands that a ticket has no answer yet.
func (b *bench) waits(ticket raft.Ticket) {
	b.t.Helper()
	for _, a := range b.answers {
		if a.Ticket == ticket {
			b.t.Fatalf("ticket %d was answered %+v, it should wait", ticket, a)
		}
	}
}

// entriesOf makes entries of terms, from an index on; each command names its entry.
func entriesOf(first raft.Index, terms ...raft.Term) []raft.Entry {
	var all []raft.Entry
	for i, term := range terms {
		e := raft.Entry{Term: term, Index: first + raft.Index(i), Kind: raft.Normal}
		e.Command = []byte(e.ID().String())
		all = append(all, e)
	}
	return all
}

func idsOf(entries []raft.Entry) (ids []string) {
	for _, e := range entries {
		ids = append(ids, e.ID().String())
	}
	return ids
}
