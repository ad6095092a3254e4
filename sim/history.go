package sim

import (
	"fmt"
	"math"
	"slices"

	"balsa/raft"
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
	model   model
	entries []placed         // by index; the first stands for the empty log
	wishes  map[uint64]*wish // by the hash of the command
	open    []*pending       // in no order that matters
	nearest Time             // no open operation has an earlier deadline
	floor   *Operation       // answered with the highest revision so far
	second  opinion
	now     Moment // of the last call or answer
	tally   HistoryTally
	found   *Violation
}

// HistoryTally counts what the checks had to look at: a run in which no client was answered proves nothing.
type HistoryTally struct {
	OK       uint64 `json:"ok"`
	No       uint64 `json:"no"`
	Unknown  uint64 `json:"unknown"`
	Keys     uint64 `json:"keys"`     // that porcupine has judged
	Searched uint64 `json:"searched"` // operations on them
	Left     uint64 `json:"left"`     // operations that it did not see: their key was not given up
}

// placed is an entry that is committed.
type placed struct {
	at     Moment // when that was first known
	wish   *wish  // nil: no client's
	effect effect
	latest raft.Index // the last entry up to here that changed the map
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
	committed int        // entries
	last      raft.Index // of these
	no        *Operation // the last one that was denied
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
	if op.Deadline != 0 {
		h.nearest = min(h.nearest, op.Deadline)
	}
	if op.Opaque == nil && (op.Kind != Get || op.Mode == Linearizable) {
		p.searched = h.second.call(&p.Operation, p.wish)
		if p.searched == nil {
			h.tally.Left++
		}
	}
	h.open = append(h.open, p)
}

// wanted counts the command of an operation.
func (h *history) wanted(p *pending) *wish {
	hash := hashBytes(p.Command())
	w := h.wishes[hash]
	if w == nil {
		w = &wish{first: &p.Operation, value: hashBytes(p.Value)}
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

// committed takes an entry when it is first known to be committed, in the order of the indexes. Entries that
// are no client's, no-ops for one, are not told or have no command.
func (h *history) committed(m Moment, index raft.Index, command []byte) {
	if h.found != nil {
		return
	}
	if index < raft.Index(len(h.entries)) {
		panic(fmt.Sprintf("sim: entry %v is said to be committed after %d", index, len(h.entries)-1))
	}
	e := placed{at: m, latest: h.entries[len(h.entries)-1].latest}
	for raft.Index(len(h.entries)) < index {
		h.entries = append(h.entries, e)
	}
	if len(command) > 0 {
		h.place(index, &e, command)
	}
	h.entries = append(h.entries, e)
}

// place finds out whose entry it is, and performs it on the model.
func (h *history) place(index raft.Index, e *placed, command []byte) {
	w := h.wishes[hashBytes(command)]
	if w == nil {
		h.report(Linearizability, fmt.Sprintf("entry %v is a command that no client asked for", index),
			Witness{Moment: e.at, Fact: fmt.Sprintf("entry %v is committed", index)},
			Witness{Moment: e.at, Fact: "nobody has asked for it yet"})
		return
	}
	e.wish = w
	if e.effect = h.model.write(index, w.first.Kind, w.first.Key, w.value); e.effect.changed {
		e.latest = index
	}
	before := w.last
	w.committed, w.last = w.committed+1, index
	if w.committed <= w.called-w.denied {
		return
	}
	now := Witness{Moment: e.at, Fact: fmt.Sprintf("entry %v is committed: %v", index, w.first)}
	if w.denied > 0 && w.committed <= w.called {
		h.report(Linearizability, fmt.Sprintf("%v was said to be never done, and is entry %v", w.first,
			index), answered(w.no), now)
		return
	}
	h.report(ExactlyOnce, fmt.Sprintf("%v was asked for %d times and is committed %d times, as entries %v "+
		"and %v", w.first, w.called-w.denied, w.committed, before, index), h.commit(before), now)
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
