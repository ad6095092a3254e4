package sim

import (
	"fmt"
	"slices"

	"balsa/raft"
	"balsa/replica"
)

// Result is what a run came to.
type Result struct {
	Spec      Spec // the same run, with what the swarm did as a script
	Violation *Violation
	Digest    Digest
	Time      Time
	Events    uint64
	Counts    []Count // of interventions, by name
	Effects   []Count // of what came of them
	Done      ends    // how the clients' operations ended
}

// ends counts how operations ended.
type ends struct {
	OK, No, Unknown uint64
	Slowest         Time // of those that ended well after healing
}

// ended counts an operation. Owed says that a server that should have told how an attempt ended did not.
func (w *World) ended(op Operation, r Reply, owed bool) {
	switch r.Outcome {
	case OK:
		w.ends.OK++
	case No:
		w.ends.No++
	default:
		w.ends.Unknown++
	}
	if w.healed.at > 0 && op.Called.Time > w.healed.settled && w.healed.settled > 0 {
		w.healed.take(w, op, r, owed)
	}
}

// Run lets a world go through all its phases: faults, healing, the liveness that must follow, and the scan of
// what the disks alone hold. A run without a swarm has no healing unless its options say so.
func (w *World) Run() Result {
	w.RunUntil(w.options.Faulty)
	if w.violation == nil && w.options.Healed > 0 {
		w.heal()
		w.recover()
	}
	if w.violation == nil {
		w.history.end(w.moment())
		w.violation = w.history.violation()
	}
	if w.violation == nil {
		w.talks()
	}
	if w.violation == nil && w.options.Healed > 0 {
		w.scan()
	}
	return w.Result()
}

// Result is what the run has come to so far.
func (w *World) Result() Result {
	spec := w.spec
	if spec.Profile != "" {
		spec.Drawn, spec.Profile = spec.Profile, ""
	}
	spec.Script = slices.Concat(w.spec.Script, w.script.recorded)
	spec.Violation, spec.Events, spec.Digest = w.violation, w.trace.position, Digest(w.trace.digest)
	spec.Digests = nil
	for _, d := range w.trace.chain {
		spec.Digests = append(spec.Digests, Digest(d))
	}
	return Result{
		Spec: spec, Violation: w.violation, Digest: Digest(w.trace.digest), Time: w.now,
		Events: w.trace.position, Counts: slices.Clone(w.counts.kinds), Done: w.ends,
		Effects: slices.Clone(w.counts.effects),
	}
}

// healing is what is watched once all faults have ended.
type healing struct {
	at      Time // when; 0 before
	settled Time // when all had come to one log and one leader; 0 before
	leader  raft.NodeID
	term    raft.Term
	state   image // to which all have come in the end
}

// live returns the servers that must take part again.
func (w *World) live() (live []*server) {
	for _, s := range w.servers {
		if w.takesPart(s) {
			live = append(live, s)
		}
	}
	return live
}

// heal ends every fault: whoever is down starts, whoever is stalled goes on, the network is whole.
func (w *World) heal() {
	w.healed.at = w.now
	w.swarm = nil
	// Timeouts must exceed what a round trip takes (§5.6), or no leader can stay.
	turn := min(w.options.Turn, longestTurn) // it is no fault, and lets through what liveness alone finds
	w.options.Surroundings = DefaultOptions().Surroundings
	w.options.Turn = turn
	w.options.Thinking = max(w.spec.Options.Thinking, w.spec.Options.bearable())
	w.script.messages = map[messageKey][]Op{}
	p := w.note(Record{Kind: Intervened, Text: "everything heals"})
	// What is late comes now: the tail is free of faults, and a message from a higher term of long ago is
	// one.
	w.queue.hasten(w.now+Millisecond, func(d *due) bool {
		return d.ofDisk() || d.task == apply || d.task == deliver
	})
	for i := range w.network.links {
		w.network.links[i].cut, w.network.links[i].until, w.network.links[i].lag = false, 0, 0
	}
	w.setFree(p, nil, true)
	if w.apart() {
		w.tellAddresses()
	}
	for _, s := range w.servers {
		s.store.repair()
		if s.trouble.stalled {
			w.resume(s)
		}
		s.trouble = trouble{gone: s.trouble.gone, repairs: s.trouble.repairs, rotten: s.trouble.rotten,
			rolledBack: s.trouble.rolledBack, replaced: s.trouble.replaced, wasFull: s.trouble.wasFull}
		w.setClock(s, exact, 0)
		w.tame(p, s)
		if !s.up() && s.founded && w.mayStart(s) {
			s.start(p, 0)
		}
	}
}

// recover demands the liveness that must follow: a leader in time (L1), one log everywhere (L2), no change of
// leaders after that (L3), an answer to everything (L4), and soon (L5).
func (w *World) recover() {
	o := w.options
	longest := Time(o.ElectionMax) * o.Tick
	if !w.quorate() {
		w.halted(2 * longest)
		return
	}
	for until := w.healed.at + 10*longest; w.violation == nil && w.leading() == nil; {
		if w.now > until {
			w.fail(LeaderElected, "%v after everything healed nobody leads: %s", w.now-w.healed.at,
				w.situation())
			return
		}
		w.RunUntil(w.now + 5*o.Tick)
	}
	w.settle(2 * longest)
	if w.violation != nil {
		return
	}
	w.RunUntil(w.now + longWatch*longest)
	for _, c := range w.clients {
		c.silent = true
	}
	w.converge(w.now + o.Healed)
	w.serve()
	w.RunUntil(w.now + longWatch*longest) // idle: nothing but heartbeats keeps the leader
	w.converge(w.now + o.Healed)
	if w.violation == nil {
		w.answered()
		w.overdue()
		w.audit()
		w.equal()
		w.counted()
	}
}

// longWatch is for how many of the longest election timeouts a leader is watched under load, and again when
// nobody asks for anything any more.
const longWatch = 10

// settle waits until all have come to one state and one leader has led for a while, and demands that this
// comes to be in time. A server that had a higher term when all healed may cost the others a leader, each
// such server one.
func (w *World) settle(while Time) {
	for until := w.now + w.options.Healed; ; {
		w.converge(until)
		leader := w.leading()
		if w.violation != nil {
			return
		}
		term := leader.sight.term
		if w.RunUntil(w.now + while); w.violation != nil {
			return
		}
		if now := w.leading(); now == leader && now.sight.term == term {
			w.healed.settled, w.healed.leader, w.healed.term = w.now, leader.id, term
			return
		}
		if w.now > until {
			w.fail(LeaderStable, "%v after everything healed no leader has led for %v, the last was n%v in "+
				"term %v: %s", w.now-w.healed.at, while, leader.id, term, w.situation())
			return
		}
	}
}

// leading returns the server that all live ones take for their leader; nil if there is none.
func (w *World) leading() *server {
	live := w.live()
	leader := live[0].sight.leader
	for _, s := range live {
		if !s.up() || s.sight.leader != leader || s.sight.term != live[0].sight.term {
			return nil
		}
	}
	if leader == raft.None || !w.takesPart(w.servers[leader-1]) {
		return nil
	}
	return w.servers[leader-1]
}

// converge demands that all live servers come to the same log, applied, in time. Snapshots that are sent at a
// rate may take longer.
func (w *World) converge(until Time) {
	for w.violation == nil && !w.converged() {
		if w.now > until && w.now > until+w.sending() {
			w.fail(Converged, "%v after everything healed the servers have not come to one state: %s",
				w.now-w.healed.at, w.situation())
			return
		}
		w.RunUntil(w.now + 2*w.options.Tick)
	}
}

func (w *World) converged() bool {
	leader := w.leading()
	if leader == nil || leader.through.Term != leader.sight.term { // it has committed nothing of its own yet
		return false
	}
	for _, p := range leader.sight.progress {
		if (p.Installing || p.Busy) && w.takesPart(w.servers[p.ID-1]) {
			return false
		}
	}
	busy := 0
	for _, c := range w.clients {
		if c.silent && c.open != nil {
			return false
		}
		if !c.silent {
			busy++
		}
	}
	for _, s := range w.live() {
		if s.rests() {
			return false
		}
		behind := leader.sight.last.Index - min(leader.sight.last.Index, s.through.Index)
		if behind > 0 && (busy == 0 || behind > raft.Index(2*busy)) {
			return false
		}
	}
	return true
}

// stable demands, from when all had settled on, that nobody leaves the leader of that time, and that it does
// not cease to lead (L3). It is held against every look at a server, so that a leader that is deposed and
// elected anew is noticed too.
func (h *healing) stable(w *World, s *server) {
	if h.settled == 0 || !w.takesPart(s) {
		return
	}
	v := &s.sight
	if v.term == h.term && (v.role == raft.Leader) == (s.id == h.leader) &&
		(v.leader == h.leader || v.leader == raft.None && s.id != h.leader) {
		return
	}
	w.fail(LeaderStable, "n%v led in term %v when all had settled at %v, and n%v is a %v of n%v in term %v, "+
		"although nothing has failed: %s", h.leader, h.term, h.settled, s.id, v.role, v.leader, v.term,
		w.situation())
}

// serve demands that the cluster, with nothing else to do, carries out a write and a read at every server
// that must take part (L5): whatever was refused before for want of room must have been given back by now.
func (w *World) serve() {
	for _, s := range w.live() {
		for _, kind := range []OperationKind{Put, Get} {
			if w.violation == nil && (kind != Get || w.readable()) {
				w.served(s, kind)
			}
		}
	}
}

// served asks a server until it does as asked. It may have no room at first, and for no other reason may it
// refuse: the one entry for which a cluster of the draw has room may just be one that lets time pass, or a
// leader that had no room on its disk for a snapshot tries again after a pause.
func (w *World) served(s *server, kind OperationKind) {
	c := w.addClient(true)
	for until := w.now + w.options.Healed; ; w.RunUntil(w.now + 20*w.options.Tick) {
		c.n++
		op := Operation{Kind: kind, Node: s.id, Key: w.history.key(0)}
		if kind == Put {
			op.Value = c.value(c.roll(forRequest))
		}
		c.ask(op)
		for until := w.now + w.options.Patience; w.violation == nil && c.open != nil && w.now <= until; {
			w.RunUntil(w.now + w.options.Tick)
		}
		excused := c.last.Outcome == Unknown && s.excused(&c.last)
		if w.violation != nil || c.last.Outcome == OK || excused {
			return
		}
		if c.last.Outcome != No || c.fate != replica.Overloaded || w.now > until {
			break
		}
	}
	w.fail(Recovered, "all is well and nothing else is asked for, and %v at n%v ends %v: %s", &c.last,
		s.id, c.last.Outcome, w.situation())
}

// take looks at an operation that was called when all had settled.
func (h *healing) take(w *World, op Operation, r Reply, owed bool) {
	took := w.now - op.Called.Time
	w.ends.Slowest = max(w.ends.Slowest, took)
	lost := r.Outcome == Unknown && !r.Gone && !r.Reused
	if lost && owed || took > w.options.Patience {
		w.fail(Recovered, "%v was called at %v, after all had settled at %v, and ended %v after %v", &op,
			op.Called.Time, h.settled, r.Outcome, took)
	}
}

// answered demands that no server still owes an answer (L4): everything is applied that anybody could wait
// for, and all that was forwarded has been given up. Whoever forgets a caller leaves it waiting for ever.
func (w *World) answered() {
	for _, s := range w.live() {
		for _, q := range s.asked {
			if !q.read {
				w.fail(Answered, "n%v has never answered request %d of client %d, its ticket %d", s.id,
					q.n, q.client, q.ticket)
			}
		}
	}
}

// situation is a line about every server.
func (w *World) situation() string {
	c := w.ledger.latest()
	text := fmt.Sprintf("members by entry %v: voters %v", c.EntryID, c.Voters)
	if c.Joint() || len(c.Learners) > 0 {
		text += fmt.Sprintf(", outgoing %v, learners %v", c.Outgoing, c.Learners)
	}
	text += "; "
	for _, s := range w.servers {
		if !s.founded {
			continue
		}
		if !s.up() {
			text += fmt.Sprintf("n%v down; ", s.id)
			continue
		}
		v := s.sight
		text += fmt.Sprintf("n%v %v term %v leader %v last %v commit %v applied %v; ", s.id, v.role, v.term,
			v.leader, v.last, v.commit, s.through.Index)
	}
	return text
}
