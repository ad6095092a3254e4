package replica

import (
	"fmt"

	"balsa/raft"
)

// Config is what a replica is told once.
type Config struct {
	Core     raft.Config
	Identity raft.Identity // this server's, of this start
	// Tick is the length of a tick of Core, in nanoseconds; required.
	Tick raft.Time
	// ByHand admits messages that name no sender's cluster, as a person writes them.
	ByHand bool
	// MaxApplyBytes bounds the entries of one Apply; one entry always fits. 0 means 1 MiB.
	MaxApplyBytes int
}

// Replica is one server of a cluster. It is made by New, fed by Step, and what it wants done is collected
// by Work.
type Replica struct {
	config Config
	core   *raft.Core
	gate   gate

	due raft.Time // when the next tick is due; 0 before the first event

	writing bool  // a Write is in flight
	gather  Write // what the next one will contain; Number 0 when nothing

	applying bool
	toApply  []raft.Entry // committed and not handed out

	waiting []waiting // accepted proposals in the order of their entries
	ready   []Work
	failure error // why the replica stopped
	stopped bool  // and that Stop was handed out
}

// waiting is a caller whose command stands in the log.
type waiting struct {
	ticket raft.Ticket
	entry  raft.EntryID
}

// New makes a replica from what its disk remembers. Its state machine must be empty: the entries are
// applied again as soon as they are known to be committed. An error says what of the configuration or of
// the restored state cannot be.
func New(config Config, restored raft.Restored) (*Replica, error) {
	if config.Tick <= 0 {
		return nil, fmt.Errorf("replica: Config.Tick is %d ns, it must be positive", config.Tick)
	}
	if config.Identity.Node != config.Core.ID {
		return nil, fmt.Errorf("replica: the identity is of node %v, the core of node %v",
			config.Identity.Node, config.Core.ID)
	}
	if config.Core.ElectionMax == 0 {
		return nil, fmt.Errorf("replica: Config.Core.ElectionMax must be given")
	}
	if config.MaxApplyBytes == 0 {
		config.MaxApplyBytes = 1 << 20
	}
	core, err := raft.New(config.Core, restored)
	if err != nil {
		return nil, err
	}
	return &Replica{config: config, core: core, gate: newGate(config.Identity, config.ByHand)}, nil
}

// Step feeds one event to the replica and the time at which it happened: nanoseconds since 1970 of a clock
// that never goes back. Every tick that is due by then is taken first. What follows from it is collected by
// Work. After the replica has stopped, events change nothing, but proposals are still answered.
//
// It panics with a raft.Violation when an invariant does not hold: the replica must not be used any more.
func (r *Replica) Step(now raft.Time, event Event) {
	if r.failure != nil {
		if p, ok := event.(Proposed); ok {
			r.answer(Answer{Ticket: p.Ticket, Fate: Refused})
		}
		return
	}
	r.tick(now)
	switch event := event.(type) {
	case Awake:
	case Received:
		r.receive(now, event.Envelope)
	case Proposed:
		r.core.Step(now, raft.Propose{Ticket: event.Ticket, Command: event.Command})
	case Wrote:
		r.wrote(now, event)
	case Ran:
		r.ran(now, event)
	default:
		panic(raft.Violation{Sentence: fmt.Sprintf("unknown event %T", event)})
	}
}

// tick steps every tick that is due. A process that was stopped for a while thus learns how long before it
// acts on anything: a leader that slept through its time must not go on as if it had not. No decision rests
// on more silence than one maximal election timeout, so what lies further back is not made up for.
func (r *Replica) tick(now raft.Time) {
	enough := r.config.Tick * raft.Time(r.config.Core.ElectionMax+1)
	if r.due == 0 {
		r.due = now + r.config.Tick
	}
	r.due = max(r.due, now-enough)
	for ; r.due <= now; r.due += r.config.Tick {
		r.core.Step(r.due, raft.Tick{})
	}
}

// receive lets a message through to the core if its sender may speak. A refused request is answered, so
// that the other side's log says what is wrong; a refused response is not, or two servers could refuse each
// other for ever.
func (r *Replica) receive(now raft.Time, e raft.Envelope) {
	if m, ok := e.Message.(raft.IdentityRefused); ok {
		r.trouble(PeerRefused{Node: e.From.Node, Why: m.Why, ByPeer: true})
		return
	}
	if why := r.gate.judge(e); why != 0 {
		r.trouble(PeerRefused{Node: e.From.Node, Why: why})
		if !raft.IsResponse(e.Message) {
			r.send(
				raft.Letter{To: e.From.Node, Sequence: e.Sequence, Message: raft.IdentityRefused{Why: why}},
			)
		}
		return
	}
	r.gate.meet(e.From, r.member(e.From.Node), raft.IsResponse(e.Message))
	r.core.Step(now, raft.Receive{From: e.From.Node, Sequence: e.Sequence, Message: e.Message})
}

func (r *Replica) trouble(e PeerRefused) {
	if r.gate.news(e, r.member(e.Node)) {
		r.ready = append(r.ready, Report{Events: []raft.Event{e}})
	}
}

func (r *Replica) member(id raft.NodeID) bool {
	_, is := r.core.Members().Member(id)
	return is
}

func (r *Replica) wrote(now raft.Time, w Wrote) {
	r.writing = false
	if w.Err != nil {
		r.stop(fmt.Errorf("the log could not be written: %w", w.Err))
		return
	}
	r.core.Step(now, raft.Persisted{Write: w.Number})
}

// ran takes the results of applied entries to those who wait for them.
func (r *Replica) ran(now raft.Time, ran Ran) {
	r.applying = false
	if ran.Err != nil {
		r.stop(ran.Err)
		return
	}
	for i, e := range ran.Entries {
		r.settle(e.ID(), ran.Results[i])
	}
	r.core.Step(now, raft.Applied{Index: ran.Entries[len(ran.Entries)-1].Index})
}

// settle answers those who waited for an entry up to the one applied: with the result if it is theirs.
// Another term at their index means that their entry was replaced; a result taken by index alone would be
// somebody else's.
func (r *Replica) settle(applied raft.EntryID, result []byte) {
	for len(r.waiting) > 0 && r.waiting[0].entry.Index <= applied.Index {
		w := r.waiting[0]
		r.waiting = r.waiting[1:]
		a := Answer{Ticket: w.ticket, Fate: Replaced, Entry: w.entry}
		if w.entry == applied {
			a.Fate, a.Result = Done, result
		}
		r.answer(a)
	}
}

// Work returns what must be done, in an order that is safe to carry out one after the other, and counts it
// as handed out.
func (r *Replica) Work() []Work {
	if r.failure == nil {
		r.collect(r.core.Output())
		r.giveUpLost()
		r.startWrite()
		r.startApply()
	} else if !r.stopped {
		r.stopped = true
		r.ready = append(r.ready, Stop{Err: r.failure})
	}
	work := r.ready
	r.ready = nil
	return work
}

func (r *Replica) collect(out raft.Output) {
	if len(out.Events) > 0 {
		r.ready = append(r.ready, Report{Events: out.Events})
	}
	for _, a := range out.Answers {
		r.takeAnswer(a)
	}
	for _, letter := range out.Messages {
		r.send(letter)
	}
	if out.Write != 0 {
		r.gatherWrite(out)
	}
	if len(r.toApply) == 0 {
		r.toApply = out.Committed
	} else {
		r.toApply = append(r.toApply, out.Committed...)
	}
}

func (r *Replica) takeAnswer(a raft.Answer) {
	switch a.Refusal {
	case raft.Accepted:
		r.waiting = append(r.waiting, waiting{ticket: a.Ticket, entry: a.Entry})
	case raft.Overloaded:
		r.answer(Answer{Ticket: a.Ticket, Fate: Overloaded})
	default:
		r.answer(Answer{Ticket: a.Ticket, Fate: NotLeader})
	}
}

// gatherWrite joins what the core wants written to what waits already. Entries replace those from the same
// index on, in the gathered write as on the disk.
func (r *Replica) gatherWrite(out raft.Output) {
	g := &r.gather
	g.Number = out.Write
	if out.HardState != nil {
		g.State = out.HardState
	}
	if len(out.Entries) == 0 {
		return
	}
	keep := 0
	for keep < len(g.Entries) && g.Entries[keep].Index < out.Entries[0].Index {
		keep++
	}
	if keep == 0 {
		g.Entries = out.Entries
		return
	}
	if keep < len(g.Entries) {
		g.Entries = g.Entries[:keep:keep] // what is cut off may still be looked at in the core's log
	}
	g.Entries = append(g.Entries, out.Entries...)
}

func (r *Replica) startWrite() {
	if r.writing || r.gather.Number == 0 {
		return
	}
	r.ready = append(r.ready, r.gather)
	r.gather, r.writing = Write{}, true
}

func (r *Replica) startApply() {
	if r.applying || len(r.toApply) == 0 {
		return
	}
	n, size := 0, 0
	for n < len(r.toApply) {
		if size += r.toApply[n].Size(); size > r.config.MaxApplyBytes && n > 0 {
			break
		}
		n++
	}
	r.ready = append(r.ready, Apply{Entries: r.toApply[:n:n]})
	r.toApply, r.applying = r.toApply[n:], true
}

// giveUpLost answers those whose entries this server can no longer follow as leader. What is committed
// already will still be applied here, so its callers keep waiting for their results.
func (r *Replica) giveUpLost() {
	if len(r.waiting) == 0 ||
		r.core.Role() == raft.Leader && r.core.Term() == r.waiting[len(r.waiting)-1].entry.Term {
		return
	}
	kept := 0
	for _, w := range r.waiting {
		if w.entry.Index <= r.core.Commit() {
			r.waiting[kept] = w
			kept++
			continue
		}
		r.answer(Answer{Ticket: w.ticket, Fate: LeadershipLost, Entry: w.entry})
	}
	r.waiting = r.waiting[:kept]
}

// stop ends the replica and answers everybody who waits, those too whose proposals the core has taken and not
// been asked about yet. Whatever else it would have done now is dropped.
func (r *Replica) stop(err error) {
	r.failure = err
	for _, a := range r.core.Output().Answers {
		r.takeAnswer(a)
	}
	for _, w := range r.waiting {
		r.answer(Answer{Ticket: w.ticket, Fate: Stopped, Entry: w.entry})
	}
	r.waiting = nil
}

func (r *Replica) send(letter raft.Letter) {
	r.ready = append(r.ready, Send{Envelope: raft.Envelope{
		From:     r.config.Identity,
		To:       letter.To,
		Sequence: letter.Sequence,
		Message:  letter.Message,
	}})
}

func (r *Replica) answer(a Answer) { r.ready = append(r.ready, a) }

// Status returns what the server knows of itself.
func (r *Replica) Status() raft.Status { return r.core.Status() }

// Leader returns the leader of the present term, raft.None when unknown, and that term.
func (r *Replica) Leader() (raft.NodeID, raft.Term) { return r.core.Leader(), r.core.Term() }

// Members returns the configuration in force. It must not be written to.
func (r *Replica) Members() raft.Configuration { return r.core.Members() }

// Failure returns why the replica stopped, nil while it runs.
func (r *Replica) Failure() error { return r.failure }
