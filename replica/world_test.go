package replica

import (
	"bytes"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"balsa/raft"
	"balsa/wal"
	"balsa/wire"
)

// world is a cluster in one seed: replicas whose work is performed at any later time or never, a network
// that loses, repeats and reorders frames, disks that fail, machines that panic, and power cuts. Nothing it
// does is outside of what Raft promises to survive: bytes of messages do not change, and what a disk has
// acknowledged stays.
type world struct {
	t       testing.TB
	dice    *rand.Rand
	now     raft.Time
	servers []*server
	net     []parcel
	side    []int // of a partition, by server: frames do not cross
	holds   bool  // what would cross waits for the end of the partition; otherwise it is lost
	rates   rates
	truth   *truth
	tally   *tally
}

// rates say how often something happens. Each seed draws its own: a world in which everything happens hides
// what happens only where one thing does not.
type rates struct {
	// Of a thousand actions.
	crash, restart, partition, heal, diskError, poison, propose int

	lose, repeat int // of a hundred frames
	work         int // of a hundred steps: how many are followed by collecting the work
	speed        int // of time: how far it moves at most, in tenths of a tick
}

// tally counts what happened: a run in which nothing did is no evidence.
type tally struct {
	fates [HandingOver + 1]int

	elections, truncations, crashes, cutShort, landed, lost int
	stops, panics, gathered, batches, repeated              int
}

// parcel is an encoded message on its way.
type parcel struct {
	from, to raft.NodeID
	frame    []byte
}

// server is one of them, over all its lives.
type server struct {
	*world
	id       raft.NodeID
	store    store
	doubtful *Write // the write that was cut short or failed: the next start finds all of it or nothing

	replica *Replica // nil while it is down
	machine *recorder
	front   *Machine  // before machine, under the eyes of the truth
	skew    raft.Time // of its clock, in this life
	waiting map[raft.Ticket]bool
	write   *Write
	apply   *Apply
	prints  [2]uint64 // of write and apply when they were handed out
	ended   []Event   // work performed whose end was not fed back yet
	through raft.Index
	stopped bool
}

// store is the disk of a server and the log on it.
type store interface {
	Log
	// failNext makes the next Append fail, with any part of it done; mend ends that.
	failNext(*rand.Rand)
	mend()
	// crash ends the process, or cuts the power: in the middle of a write, if there is one.
	crash(*rand.Rand, *Write)
	// open is what a start does: it returns what it finds.
	open(*rand.Rand) (wal.Recovered, error)
}

func newWorld(t testing.TB, seed uint64, sum *tally, stores []store) *world {
	w := &world{
		t: t, dice: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000 * aTick, tally: sum,
		side: make([]int, len(stores)),
	}
	upTo := func(n int) int { return w.dice.IntN(n + 1) }
	some := func(n int) int { return w.dice.IntN(2) * upTo(n) } // none, in half of the worlds
	w.rates = rates{
		crash: some(6), restart: 5 + upTo(40), partition: some(12), heal: 1 + upTo(8),
		diskError: some(3), poison: some(2),
		propose: 20 + upTo(150), lose: some(20), repeat: some(20), work: 10 + upTo(90),
		speed: 10 + upTo(50),
	}
	var disks []*modelLog
	for range stores {
		disks = append(disks, &modelLog{})
	}
	w.truth = newTruth(t, disks)
	for i, s := range stores {
		w.servers = append(w.servers, &server{world: w, id: raft.NodeID(i + 1), store: s})
		w.servers[i].start()
	}
	return w
}

// start is a start of the process: it must find on the disk what was acknowledged, and of the last write all
// or nothing.
func (s *server) start() {
	s.t.Helper()
	found, err := s.store.open(s.dice)
	if err != nil {
		s.t.Fatalf("server %v does not start: %v", s.id, err)
	}
	disk := s.truth.disks[s.id-1]
	if !same(disk, found) && s.doubtful != nil {
		s.truth.wrote(s.id, *s.doubtful)
		s.tally.landed++
	}
	if !same(disk, found) {
		s.t.Fatalf("server %v finds %v %v, it had %v %v", s.id,
			found.State, idsOf(found.Entries), disk.state, idsOf(disk.entries))
	}
	config := Config{
		Core: raft.Config{
			ID: s.id, Heartbeat: 3, ElectionMin: 8, ElectionMax: 16,
			Limits: raft.Limits{AppendBytes: 200, UncommittedBytes: 600, Window: 3},
			Seed:   s.dice.Uint64(), NoPreVote: s.dice.IntN(4) == 0, Events: true,
		},
		Identity: identity(s.id), Peers: found.Peers, Tick: aTick, MaxApplyBytes: 150,
	}
	config.Identity.Start = found.Start
	r, err := New(config, raft.Restored{
		HardState: found.State, Entries: found.Entries, Members: voters(len(s.truth.disks)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	*s = server{
		world: s.world, id: s.id, store: s.store, replica: r, skew: raft.Time(s.dice.IntN(1000)) * aTick,
		waiting: map[raft.Ticket]bool{},
	}
	s.machine, s.front = &recorder{}, NewMachine(witness{s})
}

func same(disk *modelLog, found wal.Recovered) bool {
	equal := func(a, b raft.Entry) bool {
		return a.ID() == b.ID() && a.Time == b.Time && a.Kind == b.Kind && bytes.Equal(a.Command, b.Command)
	}
	return disk.state == found.State && slices.EqualFunc(disk.entries, found.Entries, equal) &&
		slices.Equal(disk.peers, found.Peers)
}

// crash ends the process at any moment: before, in the middle of, or after the write in flight.
func (s *server) crash() {
	s.tally.crashes++
	if s.doubtful == nil {
		s.doubtful = s.write
	}
	if s.write != nil {
		s.tally.cutShort++
	}
	s.store.crash(s.dice, s.write)
	s.truth.crashed(s.waiting)
	s.replica, s.write, s.apply, s.ended = nil, nil, nil, nil
}

// step feeds an event; its work may be collected after this one or after some later one.
func (s *server) step(e Event) {
	s.replica.Step(s.now+s.skew, e)
	if s.dice.IntN(20) == 0 {
		s.replica.core.Audit()
	}
	if s.replica.core.Role() == raft.Leader {
		before := len(s.truth.leaders)
		s.truth.leads(s.id, s.replica.core.Term(), s.replica.Status().Last)
		s.tally.elections += len(s.truth.leaders) - before
	}
	if s.dice.IntN(100) < s.rates.work {
		s.collect()
	} else {
		s.tally.batches++
	}
}

func (s *server) collect() {
	s.t.Helper()
	for _, w := range s.replica.Work() {
		if _, ok := w.(*Answer); s.stopped && !ok {
			s.t.Fatalf("server %v has stopped and hands out %T", s.id, w)
		}
		switch w := w.(type) {
		case Write:
			s.take(w)
		case Apply:
			if s.apply != nil || w.Entries[0].Index != s.through+1 {
				s.t.Fatalf("server %v: a second apply in flight, or not what follows %d", s.id, s.through)
			}
			s.apply, s.prints[1] = &w, fingerprint(w.Entries)
			s.through = w.Entries[len(w.Entries)-1].Index
			s.truth.applies(s.id, w.Entries)
		case Send:
			s.send(w.Envelope)
		case *Answer:
			s.tally.fates[w.Fate]++
			delete(s.waiting, w.Ticket)
			s.truth.answers(s.id, *w)
		case Report:
			s.report(w.Events)
		case Stop:
			s.tally.stops++
			s.stopped = true
			if len(s.waiting) > 0 {
				s.t.Fatalf("server %v has stopped, and tickets %v still wait", s.id, s.waiting)
			}
		}
	}
}

func (s *server) take(w Write) {
	s.t.Helper()
	if s.write != nil {
		s.t.Fatalf("server %v: a second write in flight", s.id)
	}
	s.write, s.prints[0] = &w, fingerprint(w.Entries)
	if len(w.Entries) > 1 {
		s.tally.gathered++
	}
}

func (s *server) report(events []raft.Event) {
	for _, e := range events {
		if e, ok := e.(raft.AppendAccepted); ok && e.Truncated != 0 {
			s.tally.truncations++
		}
	}
}

// fingerprint tells whether entries were changed after they were handed out.
func fingerprint(entries []raft.Entry) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, e := range entries {
		b = wire.AppendEntry(b[:0], e)
		_, _ = h.Write(b) // cannot fail
	}
	return h.Sum64()
}

func (s *server) send(e raft.Envelope) {
	s.t.Helper()
	if m, ok := e.Message.(raft.RequestVoteResponse); ok {
		s.truth.grants(s.id, e.To, m)
	}
	s.truth.sends(s.id, e.Message)
	s.net = append(s.net, parcel{from: s.id, to: e.To, frame: wire.AppendEnvelope(nil, e)})
}

// perform performs a piece of work in flight. Its end reaches the replica later.
func (s *server) perform() {
	s.t.Helper()
	if w := s.write; w != nil && (s.apply == nil || s.dice.IntN(2) == 0) {
		if fingerprint(w.Entries) != s.prints[0] {
			s.t.Fatalf("server %v: the entries of a write changed while it was in flight", s.id)
		}
		wrote := w.Perform(s.store)
		if wrote.Err == nil {
			s.truth.wrote(s.id, *w)
		} else {
			s.doubtful = w
		}
		s.write, s.ended = nil, append(s.ended, wrote)
		return
	}
	if a := s.apply; a != nil {
		if fingerprint(a.Entries) != s.prints[1] {
			s.t.Fatalf("server %v: the entries of an apply changed while it was in flight", s.id)
		}
		s.apply, s.ended = nil, append(s.ended, a.Perform(s.front))
	}
}

// witness is the server's machine under the eyes of the truth.
type witness struct{ *server }

func (m witness) Apply(e raft.Entry) []byte {
	if m.machine.poison == "any" {
		m.machine.poison = string(e.Command)
		m.tally.panics++
	}
	result := m.machine.Apply(e)
	m.truth.applied(m.id, e, len(m.machine.applied))
	return result
}

func (m witness) Snapshot() (io.WriterTo, error) { return m.machine.Snapshot() }
func (m witness) Restore(r io.Reader) error      { return m.machine.Restore(r) }

// feed tells the replica of the end of a piece of work.
func (s *server) feed() {
	if len(s.ended) > 0 {
		at := s.dice.IntN(len(s.ended))
		e := s.ended[at]
		s.ended = slices.Delete(s.ended, at, at+1)
		s.step(e)
	}
}

func (s *server) propose() {
	var all []Proposed
	for range 1 + s.dice.IntN(3) {
		number, command := s.truth.proposes()
		s.waiting[number] = true
		all = append(all, Proposed{Ticket: number, Command: command, Local: s.dice.IntN(2) == 0})
	}
	s.step(AllProposed{Proposals: all})
}

// deliver brings a frame from anywhere in the net to its receiver, or loses it.
func (w *world) deliver() {
	if len(w.net) == 0 {
		return
	}
	at := w.dice.IntN(min(len(w.net), 8))
	p := w.net[at]
	switch n := w.dice.IntN(100); {
	case n >= w.rates.lose && n < w.rates.lose+w.rates.repeat:
		w.tally.repeated++ // it stays and comes again
	default:
		w.net = slices.Delete(w.net, at, at+1)
	}
	to, cut := w.servers[p.to-1], w.side[p.from-1] != w.side[p.to-1]
	switch {
	case cut && w.holds:
		w.net = append(w.net, p)
	case cut || to.replica == nil || w.dice.IntN(100) < w.rates.lose:
		w.tally.lost++
	default:
		w.arrive(p)
	}
}

// flood lets everything that is on its way to a server arrive before any work is collected, as a loop does
// that was busy for a while.
func (w *world) flood(s *server) {
	work := w.rates.work
	w.rates.work = 0
	net := w.net
	w.net = nil
	for _, p := range net {
		if p.to == s.id && w.side[p.from-1] == w.side[p.to-1] {
			w.arrive(p)
		} else {
			w.net = append(w.net, p)
		}
	}
	w.rates.work = work
	s.collect()
}

func (w *world) arrive(p parcel) {
	w.t.Helper()
	e, err := wire.DecodeEnvelope(p.frame)
	if err != nil {
		w.t.Fatalf("a frame from %v does not decode: %v", p.from, err)
	}
	w.servers[p.to-1].step(Received{e})
}

// elapse lets some time pass; some servers notice.
func (w *world) elapse() {
	w.now += raft.Time(w.dice.IntN(w.rates.speed)) * aTick / 10
	for _, s := range w.servers {
		if s.replica != nil && w.dice.IntN(4) > 0 {
			s.step(Awake{})
		}
	}
}

// act does one thing.
func (w *world) act() {
	s := w.servers[w.dice.IntN(len(w.servers))]
	if w.fault(s) || s.replica == nil {
		return
	}
	switch n := w.dice.IntN(1000); {
	case n < w.rates.propose:
		w.ask(s)
	case n < 500:
		for range 1 + w.dice.IntN(2*len(w.servers)) {
			w.deliver()
		}
	case n < 550:
		w.flood(s)
	case n < 700:
		w.elapse()
	case n < 850:
		s.perform()
	default:
		s.feed()
	}
}

// ask has a client propose something: mostly to somebody who leads, or thinks so, if there is one.
func (w *world) ask(other *server) {
	for _, s := range w.servers {
		if s.leads() && w.dice.IntN(3) > 0 {
			s.propose()
			return
		}
	}
	if w.dice.IntN(8) == 0 {
		other.propose()
	}
}

// fault does something that a cluster must survive, or ends it, and reports whether it did.
func (w *world) fault(s *server) bool {
	n := w.dice.IntN(1000)
	chance := func(rate int) bool { n -= rate; return n < 0 }
	switch {
	case chance(w.rates.crash):
		if s.replica != nil {
			s.crash()
		}
	case chance(w.rates.restart):
		if s.replica == nil {
			s.start()
		} else if s.stopped {
			s.crash()
		}
	case chance(w.rates.partition):
		if len(slices.Compact(slices.Clone(w.side))) == 1 {
			w.part()
		}
	case chance(w.rates.heal):
		clear(w.side)
		for _, s := range w.servers {
			if w.holds && s.replica != nil {
				w.flood(s)
			}
		}
	case chance(w.rates.diskError):
		s.store.failNext(w.dice)
	case chance(w.rates.poison):
		if s.replica != nil {
			s.machine.poison = "any"
		}
	default:
		return false
	}
	return true
}

// part divides the network: a leader from the others, or at random.
func (w *world) part() {
	w.holds = w.dice.IntN(2) == 0
	isolates := w.dice.IntN(3) > 0
	for i, s := range w.servers {
		w.side[i] = w.dice.IntN(2)
		if isolates {
			w.side[i] = map[bool]int{s.leads(): 1}[true]
		}
	}
}

func (s *server) leads() bool {
	return s.replica != nil && !s.stopped && s.replica.core.Role() == raft.Leader
}

// run lets the world go on for a number of actions, and then checks that it recovers once nothing fails any
// more.
func (w *world) run(actions int) {
	w.t.Helper()
	for range actions {
		w.act()
	}
	w.heal()
	for round := range 2000 {
		w.calm()
		if w.converged() {
			w.finish()
			return
		}
		if round%50 == 49 { // a disk or a machine may still have had a failure to come
			w.heal()
		}
	}
	for _, s := range w.servers {
		w.t.Logf("%+v", s.replica.Status())
	}
	w.t.Fatal("no agreement although nothing fails any more")
}

func (w *world) heal() {
	clear(w.side)
	w.rates.work = 100
	for _, s := range w.servers {
		s.store.mend()
		if s.replica != nil && s.machine.poison == "any" {
			s.machine.poison = ""
		}
		if s.replica != nil && s.stopped {
			s.crash()
		}
		if s.replica == nil {
			s.start()
		}
	}
}

// calm is one tick in which everything works.
func (w *world) calm() {
	w.now += aTick
	for _, s := range w.servers {
		s.step(Awake{})
		for s.write != nil || s.apply != nil || len(s.ended) > 0 {
			s.perform()
			s.feed()
		}
	}
	net := w.net
	w.net = nil
	for _, p := range net {
		w.arrive(p)
	}
}

func (w *world) converged() bool {
	first := w.servers[0].replica.Status()
	for _, s := range w.servers {
		status := s.replica.Status()
		if s.stopped || len(s.waiting) > 0 || status.Leader == raft.None || status.Leader != first.Leader {
			return false
		}
		if status.Last != first.Last || status.Applied != first.Last.Index {
			return false
		}
	}
	return true
}

// finish demands that a new command is carried out everywhere, and that nobody was forgotten.
func (w *world) finish() {
	w.t.Helper()
	leader := w.servers[w.servers[0].replica.Status().Leader-1]
	leader.propose()
	for range 100 {
		w.calm()
	}
	if !w.converged() || w.truth.tickets[len(w.truth.tickets)-1].fate != Done {
		w.t.Fatal("a healthy cluster does not carry out a command")
	}
	for i, k := range w.truth.tickets {
		if !k.answered && !k.dead {
			w.t.Errorf("ticket %d was never answered", i+1)
		}
	}
	for _, s := range w.servers {
		if got, want := len(s.machine.applied), w.truth.ordinals[len(w.truth.ordinals)-1]; got != want {
			w.t.Errorf("server %v applied %d of %d commands", s.id, got, want)
		}
	}
}
