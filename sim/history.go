package sim

import (
	"fmt"
	"math"
	"slices"

	"balsa/raft"
	"balsa/replica"
)

// history is what all clients asked for and were told, and checks that one map could have said it (§8).
//
// Every write has an index in the log, and every answer names the index at which it holds. So the order in
// which all operations took effect need not be searched for: the revisions are the witness. What is left
// is to verify it, once, when the operation ends: against real time, and against a model of the map. Each
// step costs a look-up, however long the run; porcupine, which searches and trusts no revision, gives the
// second opinion key by key.
//
// Kept for the whole run: for each entry where it came from, and for each key its versions. Of what a client
// read nothing is kept once it is verified.
type history struct {
	model    model
	entries  []placed         // by index; the first stands for the empty log
	wishes   map[uint64]*wish // by the hash of the command
	open     []*pending       // in no order that matters
	nearest  Time             // no open operation has an earlier deadline
	floor    *Operation       // answered with the highest revision so far
	second   opinion
	counters []*counter // in the order in which they were first used
	now      Moment     // of the last call or answer
	tally    HistoryTally
	found    *Violation
}

// HistoryTally counts what the checks had to look at: a run in which no client was answered proves nothing.
type HistoryTally struct {
	OK       uint64 `json:"ok"`
	No       uint64 `json:"no"`
	Unknown  uint64 `json:"unknown"`
	Keys     uint64 `json:"keys"`     // that porcupine has judged
	Searched uint64 `json:"searched"` // operations on them
	Left     uint64 `json:"left"`     // operations that it did not see: their key was not given up
	Again    uint64 `json:"again"`    // entries carried out once more, as their key had been forgotten
}

// placed is an entry that is committed.
type placed struct {
	at     Moment // when that was first known
	wish   *wish  // nil: no client's
	effect effect
	latest raft.Index // the last entry up to here that changed the map
	first  raft.Index // of one that repeats another: the entry that was carried out
	gone   bool       // nothing was carried out
	answer *Operation // the one that was told that this is its entry
}

// wish is a command, and all the operations that ask for just that: one put, or every delete of a key. An
// entry does not say whose it is, so those that are alike are counted together.
type wish struct {
	first     *Operation
	value     uint64
	called    int
	done      int        // that were told that they are done
	denied    int        // that were told that they never will be
	committed int        // entries that are carried out
	again     int        // of these: because the key that the command came under had been forgotten
	last      raft.Index // of these
	no        *Operation // the last one that was denied
	floor     *Operation // of first
	asked     int64      // when it was called first, as porcupine counts
}

// pending is an operation that has not ended, with what must be known when it does.
type pending struct {
	Operation
	wish     *wish
	floor    *Operation // what had been answered to anybody when it was called
	searched *searched
}

func newHistory() *history {
	return &history{
		model: newModel(), entries: make([]placed, 1), wishes: map[uint64]*wish{},
		nearest: math.MaxInt64, floor: &Operation{}, second: newOpinion(),
	}
}

// violation returns the first that was found. What is told afterwards is ignored.
func (h *history) violation() *Violation { return h.found }

// key returns the name that the key of a slot (k0, k1 …) bears now. A key is given up after some operations
// and its slot goes on under another name, so that the history of one key stays short enough to be searched.
func (h *history) key(slot int) string {
	name, full := h.second.name(slot)
	h.judge(h.now, full)
	return name
}

// call takes an operation that begins now.
func (h *history) call(m Moment, op Operation) {
	if h.found != nil {
		return
	}
	p := &pending{Operation: op, floor: h.floor}
	h.now, p.Called = m, m
	if op.Kind != Get {
		p.wish = h.wanted(p)
	}
	if p.repeatable() && p.wish.called > 1 {
		// To ask again under the same number or key is to go on asking.
		p.Called, p.floor = p.wish.first.Called, p.wish.floor
	}
	if op.Deadline != 0 {
		h.nearest = min(h.nearest, op.Deadline)
	}
	if op.Kind == Increment || op.TTL > 0 { // porcupine knows what was put, and that it stays
		h.second.leave(op.Key)
	}
	if op.Opaque == nil && op.Key != "" && (op.Kind != Get || op.Mode.linearizable()) {
		p.searched = h.second.call(&p.Operation, p.wish)
		if p.searched == nil {
			h.tally.Left++
		}
	}
	h.open = append(h.open, p)
}

// wanted counts the command of an operation.
func (h *history) wanted(p *pending) *wish {
	hash := askedFor(p.Once, p.Command())
	w := h.wishes[hash]
	if w == nil {
		w = &wish{first: &p.Operation, value: hashBytes(p.Value)}
		if p.repeatable() {
			w.floor = p.floor
		}
		h.wishes[hash] = w
	}
	w.called++
	return w
}

// finish ends an operation with what the client was told. Whoever plays the world sees to it that this
// happens once.
func (h *history) finish(m Moment, id uint64, r Reply) {
	if h.found != nil {
		return
	}
	p := h.take(id)
	h.now, p.Returned, p.Reply = m, m, r
	switch {
	case r.Outcome == OK && p.Kind == Get:
		h.tally.OK++
		h.verifyRead(p)
	case r.Outcome == OK:
		h.tally.OK++
		h.verifyWrite(p)
	case r.Outcome == No:
		h.tally.No++
		h.deny(p)
	default:
		h.tally.Unknown++
		if p.Kind == Increment {
			h.counter(p.Key).unknown++
		}
	}
	if r.Outcome == OK && r.Revision > h.floor.Revision {
		h.floor = &p.Operation
	}
	if p.searched != nil {
		h.judge(m, h.second.finish(p.searched, r))
	}
	p.forget()
}

// take removes an operation from those that are open.
func (h *history) take(id uint64) *pending {
	at := slices.IndexFunc(h.open, func(p *pending) bool { return p.ID == id })
	if at < 0 {
		panic(fmt.Sprintf("sim: operation %d ends, but it is not open", id))
	}
	p, last := h.open[at], len(h.open)-1
	h.open[at] = h.open[last]
	h.open[last] = nil
	h.open = h.open[:last]
	return p
}

// forget drops what an operation that is verified holds on to. Its floor has a floor too: without this the
// whole past would stay in memory. Of long values enough is left for a sentence.
func (p *pending) forget() {
	p.floor, p.wish, p.searched = nil, nil, nil
	p.Value, p.Read, p.Opaque = brief(p.Value), brief(p.Read), brief(p.Opaque)
}

func brief(value []byte) []byte {
	if len(value) <= shownBytes {
		return value
	}
	return slices.Clone(value[:shownBytes+1])
}

// entered is an entry that is committed, as the ledger judges it.
type entered struct {
	index   raft.Index
	time    raft.Time
	asked   uint64 // whose it is (askedFor); 0: no client's
	verdict verdict
}

// enters takes an entry when it is first known to be committed, in the order of the indexes. Entries that are
// no client's, no-ops for one, need not be told: they only bring their time.
func (h *history) enters(m Moment, t entered) {
	if h.found != nil {
		return
	}
	if t.index < raft.Index(len(h.entries)) {
		panic(fmt.Sprintf("sim: entry %v is said to be committed after %d", t.index, len(h.entries)-1))
	}
	e := placed{at: m, latest: h.entries[len(h.entries)-1].latest}
	for raft.Index(len(h.entries)) < t.index {
		h.entries = append(h.entries, e)
	}
	if h.model.expire(t.index, t.time) {
		e.latest = t.index
	}
	if t.asked != 0 {
		h.place(&t, &e)
	}
	h.entries = append(h.entries, e)
}

// place finds out whose entry it is, and performs it on the model.
func (h *history) place(t *entered, e *placed) {
	index, w := t.index, h.wishes[t.asked]
	if w == nil {
		h.report(Linearizability, fmt.Sprintf("entry %v is a command that no client asked for", index),
			Witness{Moment: e.at, Fact: fmt.Sprintf("entry %v is committed", index)},
			Witness{Moment: e.at, Fact: "nobody has asked for it yet"})
		return
	}
	e.wish, e.first, e.gone = w, t.verdict.first, t.verdict.fate.answer() != replica.Done
	if e.gone || e.first != 0 {
		return
	}
	if e.effect = h.model.write(index, t.time, w.first, w.value); e.effect.changed {
		e.latest = index
	}
	if w.committed > 0 && w.first.Once.What == replica.UnderKey {
		w.again++
		h.tally.Again++
		if w.first.Kind == Increment {
			h.counter(w.first.Key).again++
		}
		h.second.leave(w.first.Key)
	}
	before := w.last
	w.committed, w.last = w.committed+1, index
	if w.committed <= w.atMost() {
		return
	}
	now := Witness{Moment: e.at, Fact: fmt.Sprintf("entry %v is committed: %v", index, w.first)}
	if w.denied > 0 && w.committed <= w.called+w.again {
		h.report(Linearizability, fmt.Sprintf("%v was said to be never done, and is entry %v", w.first,
			index), answered(w.no), now)
		return
	}
	h.report(ExactlyOnce, fmt.Sprintf("%v was asked for %d times and is committed %d times, as entries %v "+
		"and %v", w.first, w.called-w.denied, w.committed, before, index), h.commit(before), now)
}

// atMost is how many entries may carry it out. What is asked for under one number is asked for once, however
// often; under a key, once for as long as the key is remembered.
func (w *wish) atMost() int {
	if w.first.repeatable() {
		return min(w.called-w.denied, 1) + w.again
	}
	return w.called - w.denied
}

// overdue looks whether an operation should have ended (L4). It costs nothing until the next deadline.
func (h *history) overdue(m Moment) {
	if h.found != nil || m.Time <= h.nearest {
		return
	}
	h.nearest = math.MaxInt64
	for _, p := range h.open {
		if p.Deadline != 0 && p.Deadline < m.Time {
			h.report(Answered,
				fmt.Sprintf("%v by client %d was to end by %v", &p.Operation, p.Client, p.Deadline),
				asked(&p.Operation), Witness{Moment: m, Fact: "it has not been answered"})
			return
		}
		if p.Deadline != 0 {
			h.nearest = min(h.nearest, p.Deadline)
		}
	}
}

// end gives the second opinion on the keys that are still in use, when the run is over. What is open then
// may be done or not.
func (h *history) end(m Moment) {
	h.overdue(m)
	for _, k := range h.second.rest() {
		h.judge(m, k)
	}
}
