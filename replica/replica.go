package replica

import (
	"fmt"
	"math"

	"balsa/raft"
)

// Config is what a replica is told once.
type Config struct {
	Core     raft.Config
	Identity raft.Identity // this server's, of this start
	// Tick is the length of a tick of Core, in nanoseconds; required.
	Tick raft.Time
	// Peers are what this server has met of others, as its disk remembers them, by node.
	Peers []raft.Acquaintance
	// ByHand admits messages that name no sender's cluster, as a person writes them.
	ByHand bool
	// MaxApplyBytes bounds the entries of one Apply; one entry always fits. 0 means 1 MiB.
	MaxApplyBytes int
	// Snapshots says that the driver carries out what has to do with snapshots. Without it none is taken,
	// sent or received, and the log grows for ever: Core.Limits.SnapshotBytes does not count.
	Snapshots bool
	// SnapshotRate bounds the bytes of snapshots sent to all followers in a second; 0 means no bound.
	SnapshotRate int64
	// Passing tells which errors of Snapshots.Save are no reason to stop, for nothing that counts has
	// changed: a full disk, or a newer snapshot that arrived meanwhile. It is then tried again later. nil:
	// none.
	Passing func(error) bool
}

// Replica is one server of a cluster. It is made by New, fed by Step, and what it wants done is collected
// by Work.
type Replica struct {
	config Config
	core   *raft.Core
	gate   gate

	hours hours

	writing bool  // a Write is in flight
	gather  Write // what the next one will contain; Number 0 when nothing

	stage
	keeping
	posing posing
	chunks

	proposing
	changes changes // of the membership, and transfers, that somebody waits for
	house   house
	reads   reads
	origin  origin // of what was forwarded

	accepted // of what was forwarded by others

	routing

	outbox
	failure error // why the replica stopped
	stopped bool  // and that Stop was handed out
}

// hours are what a server knows of the time.
type hours struct {
	due    raft.Time // when the next tick is due; 0 before the first event
	now    raft.Time // of the latest event
	waking raft.Time // until then this server has not yet caught up with what it slept through
}

// New makes a replica from what its disk remembers; see Recover. Its state machine must be empty: it is
// restored from the snapshot, if there is one, and the entries behind that are applied again as soon as they
// are known to be committed. An error says what of the configuration or of the restored state cannot be.
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
	if restored.Snapshot.Last.Index > 0 && !config.Snapshots {
		return nil, fmt.Errorf("replica: there is a snapshot up to %v, and Config.Snapshots is not set",
			restored.Snapshot.Last)
	}
	if config.MaxApplyBytes == 0 {
		config.MaxApplyBytes = 1 << 20
	}
	if !config.Snapshots { // a leader would wait for ever for one that shortens its log
		config.Core.Limits.SnapshotBytes = -1
	}
	restored.Unready = restored.Snapshot.Last.Index > 0
	restored.Incarnation, restored.Start = config.Identity.Incarnation, config.Identity.Start
	config.Core.Tick = config.Tick
	if config.Core.Limits.Version == 0 {
		config.Core.Limits.Version = config.Identity.Version
	}
	core, err := raft.New(config.Core, restored)
	if err == nil {
		err = checkVersion(core.Members())
	}
	if err != nil {
		return nil, err
	}
	r := &Replica{
		config:   config,
		core:     core,
		gate:     newGate(config.Identity, config.ByHand, config.Peers),
		accepted: accepted{bornIn: restored.HardState.Term, foreign: map[raft.Ticket]foreign{}},
	}
	r.gate.founding = newFounding(restored)
	if restored.Repairing { // in which terms it led, and what it took then, is not known
		r.bornIn = math.MaxUint64
	}
	r.reaches = restored.Before.Index
	if s := restored.Snapshot; s.Last.Index > 0 {
		r.kept[0], r.committed, r.install, r.starting, r.unready = s, s.Last.Index, &s, true, true
	}
	return r, nil
}

// Step feeds one event to the replica and the time at which it happened: nanoseconds since 1970 of a clock
// that never goes back. Every tick that is due by then is taken first. What follows from it is collected by
// Work. After the replica has stopped, events change nothing, but proposals are still answered.
//
// It panics with a raft.Violation when an invariant does not hold: the replica must not be used any more.
func (r *Replica) Step(now raft.Time, event Event) {
	if r.failure != nil {
		r.refuse(event)
		return
	}
	r.tick(now)
	switch event := event.(type) {
	case Awake:
	case ElectionTimeout:
		r.core.Step(now, raft.ElectionTimeout{})
	case Received:
		r.receive(now, event.Envelope)
	case Proposed:
		r.propose(now, event)
	case AllProposed:
		r.propose(now, event.Proposals...)
	case Asked:
		r.read(now, event)
	case GaveUp:
		r.forgetRead(event.Ticket)
		r.forgetByHand(event.Ticket)
		r.forgetImage(event.Ticket)
		r.changes.forget(event.Ticket)
	case Returned:
		r.returned(event.Envelope)
	case Awaited:
		r.await(event.Ticket, event.Index)
	case ChangeAsked:
		r.change(now, event)
	case TransferAsked:
		r.changes.ask(event.Ticket, aTransfer)
		r.core.Step(now, raft.Transfer(event))
	case Wrote:
		r.wrote(now, event)
	case Ran:
		r.ran(now, event)
	case TakeSnapshot:
		r.snapshotByHand(event)
	case ImageAsked:
		r.askImage(event)
	case TimePassed:
		r.passTime(now, event)
	case Captured:
		r.captured(event)
	case Saved:
		r.saved(event)
	case Restored:
		r.restored(now, event)
	case ChunkRead:
		r.chunkRead(now, event)
	case ChunkStored:
		r.chunkStored(now, event)
	default:
		panic(raft.Violation{Sentence: fmt.Sprintf("unknown event %T", event)})
	}
}

// tick steps every tick that is due. A process that was stopped for a while thus learns how long before it
// acts on anything: a leader that slept through its time must not go on as if it had not. No decision rests
// on more silence than one maximal election timeout, so what lies further back is not made up for.
func (r *Replica) tick(now raft.Time) {
	enough := r.config.Tick * raft.Time(r.config.Core.ElectionMax+1)
	if r.hours.due == 0 {
		r.hours.due = now + r.config.Tick
	}
	r.hours.due = max(r.hours.due, now-enough)
	r.hours.now = now
	if r.hours.due > now {
		return
	}
	if grace := 2 * r.config.Tick * raft.Time(r.config.Core.Heartbeat); now-r.hours.due > grace {
		r.hours.waking = now + grace
	}
	for ; r.hours.due <= now; r.hours.due += r.config.Tick {
		r.core.Step(r.hours.due, raft.Tick{})
	}
	r.gate.forgetWhoLeft(r.member)
	r.letTimePass(now)
	r.keepHouse(now)
	r.expireForwards(now)
	r.expireReads(now)
}

func (r *Replica) wrote(now raft.Time, w Wrote) {
	r.writing = false
	if w.Err != nil {
		r.stop(fmt.Errorf("the log could not be written: %w", w.Err))
		return
	}
	if w.Number != 0 {
		r.core.Step(now, raft.Persisted{Write: w.Number})
	}
	for _, e := range r.gate.written(w.Peers) {
		r.receive(now, e)
	}
}

// ran takes the results of applied entries to those who wait for them.
func (r *Replica) ran(now raft.Time, ran Ran) {
	r.busy = false
	if ran.Err != nil {
		r.stop(ran.Err)
		return
	}
	for i, e := range ran.Entries {
		r.settle(e.ID(), ran.Results[i])
		r.behind += e.Size()
	}
	r.settleForwards(ran)
	clear(ran.Results) // or what is in them would stay in memory until others take their place
	last := ran.Entries[len(ran.Entries)-1]
	r.last, r.lastTime, r.applied, r.due = last.ID(), last.Time, last.Index, ran.Due
	r.settleReads()
	r.passImages()
	r.core.Step(now, raft.Applied{Index: r.applied})
	r.acknowledgeInstall(now)
}

// Work returns what must be done, in an order that is safe to carry out one after the other, and counts it
// as handed out.
func (r *Replica) Work() []Work {
	if r.failure == nil {
		r.tellReadiness()
		out := r.core.Output()
		r.keepInTouch(out)
		r.collect(out)
	}
	if r.failure == nil {
		r.settleChanges()
		r.giveUpLost()
		r.startWrite()
		r.startMachine()
		r.startChunks()
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
	for _, a := range out.Readings {
		r.readAnswered(a)
	}
	if out.Members != nil {
		if err := checkVersion(*out.Members); err != nil {
			r.stop(err)
			return
		}
		before, _ := r.core.MembersAt(max(out.MembersIndex, 1) - 1)
		r.gate.moved(before, *out.Members)
	}
	for _, letter := range out.Messages {
		if !raft.IsResponse(letter.Message) {
			letter.Sequence |= r.life()
		}
		if _, is := letter.Message.(raft.InstallSnapshot); !is {
			r.send(letter)
		} else if r.config.Snapshots {
			r.sendSnapshot(letter)
		}
	}
	if n := len(out.Chunks); n > 0 && r.config.Snapshots {
		r.arrived = &out.Chunks[n-1]
	}
	if out.Write != 0 {
		r.gatherWrite(out)
	}
	if n := len(out.Committed); n > 0 {
		r.committed = out.Committed[n-1].Index
		r.queue(out.Committed)
	}
}

// stop ends the replica and answers everybody who waits, those too whose proposals the core has taken and not
// been asked about yet. Whatever else it would have done now is dropped.
func (r *Replica) stop(err error) {
	r.failure = err
	for _, a := range r.core.Output().Answers {
		if _, is := r.foreign[a.Ticket]; !is { // nobody elsewhere is told anything any more
			r.takeAnswer(a)
		}
	}
	for _, w := range r.waiting {
		r.answer(Answer{Ticket: w.ticket, Fate: Stopped, Entry: w.entry})
	}
	for _, f := range r.origin.open {
		r.answer(Answer{Ticket: f.ticket, Fate: Stopped, Entry: f.entry})
	}
	r.stopChanges()
	for _, q := range r.byHand {
		r.answer(Answer{Ticket: q.ticket, Fate: Stopped})
	}
	r.settleImages(func(ImageAsked) (Answer, bool) { return Answer{Fate: Refused}, true })
	r.stopReads()
	r.byHand = nil
	r.waiting, r.origin = nil, origin{}
}

// Leader returns the leader of the present term, raft.None when unknown, and that term.
func (r *Replica) Leader() (raft.NodeID, raft.Term) { return r.core.Leader(), r.core.Term() }

// Applied returns how far the state machine has come.
func (r *Replica) Applied() raft.Index { return r.applied }

// Contact returns the ticks since this server last heard its leader, or as leader was last answered by a
// quorum, and whether that is known. It is not right after a sleep: what is read then may have lain in a
// socket all the time, and is no contact with anybody's present.
func (r *Replica) Contact() (ticks int, known bool) {
	if r.hours.now < r.hours.waking {
		return 0, false
	}
	return r.core.Contact()
}

// Members returns the configuration in force. It must not be written to.
func (r *Replica) Members() raft.Configuration { return r.core.Members() }

// EntriesAfter returns the entries of the log behind an index, durable or not, for checks that look at
// several servers at once. They must not be written to.
func (r *Replica) EntriesAfter(i raft.Index) []raft.Entry { return r.core.EntriesAfter(i) }

// Audit checks what has to walk the log: call it in tests, not after every step of a server in use. It
// panics with a raft.Violation.
func (r *Replica) Audit() { r.core.Audit() }

// Failure returns why the replica stopped, nil while it runs.
func (r *Replica) Failure() error { return r.failure }
