package sim

import (
	"fmt"

	"balsa/raft"
	"balsa/replica"
)

// verifyWrite checks what was told to the client of a write that is done: that its entry is where it was said
// to be and nobody else's, that it took effect after the call and after all that was answered before the
// call, and that the map could say so.
func (h *history) verifyWrite(p *pending) {
	op := &p.Operation
	if op.Revision == 0 || !h.known(op) {
		h.beyond(op)
		return
	}
	e := &h.entries[op.Revision]
	done := e // where it was carried out
	if e.first != 0 {
		done = &h.entries[e.first]
	}
	switch want := done.effect; {
	case e.gone || op.Replayed != (e.first != 0):
		h.report(ExactlyOnce, fmt.Sprintf("%v was told revision %v, repeated: %v; entry %v repeats entry "+
			"%v, gone: %v", op, op.Revision, op.Replayed, op.Revision, e.first, e.gone),
			h.commit(op.Revision), answered(op))
	case e.wish != p.wish:
		h.refute(op, h.commit(op.Revision), "%v returned revision %v, and entry %v is %v", op, op.Revision,
			op.Revision, e)
	case e.answer != nil:
		h.report(ExactlyOnce, fmt.Sprintf("entry %v answers two operations: %v", op.Revision, op),
			answered(e.answer), answered(op))
	case op.Revision <= p.floor.Revision || e.first != 0 && e.first <= p.floor.Revision:
		h.refute(op, answered(p.floor), "%v was called after revision %v had been answered, and took effect "+
			"before it, at revision %v", op, p.floor.Revision, op.Revision)
	case done.at.Position < p.Called.Position:
		h.refute(op, h.commit(op.Revision), "%v returned revision %v, committed before it was called", op,
			op.Revision)
	case op.Opaque != nil: // the map does not know it
	case op.Once.What == replica.OpenSession, op.Once.What == replica.CloseSession:
	case op.Created != want.created || op.Deleted != want.deleted || op.Number != want.number ||
		op.Latest != done.latest:
		h.refute(op, h.commit(op.Revision), "%v was told %s (the map's latest change: %v); the map "+
			"says created %v, deleted %v, number %d, latest %v", op, op.told(), op.Latest, want.created,
			want.deleted, want.number, done.latest)
	}
	if op.Kind == Increment && done.answer == nil {
		h.counter(op.Key).done++
	}
	e.answer, done.answer = op, op
}

// verifyRead checks what was told to a client that read: that the revision is as new as the mode demands, and
// that the map held this value at this revision.
func (h *history) verifyRead(p *pending) {
	op := &p.Operation
	if !h.known(op) {
		h.beyond(op)
		return
	}
	latest := h.entries[op.Revision].latest
	switch holds := h.model.read(op.Key, op.Revision); {
	case op.Mode.linearizable() && op.Revision < p.floor.Revision:
		h.refute(op, answered(p.floor),
			"%v was called after revision %v had been answered, and saw revision %v",
			op, p.floor.Revision, op.Revision)
	case op.Mode == AtLeast && op.Revision < op.Index:
		h.refute(op, asked(op), "%v saw revision %v", op, op.Revision)
	case op.Found != holds.present || op.Found && hashBytes(op.Read) != holds.value:
		h.refute(op, h.commit(holds.from), "%v was told %s, which is not what the map held", op, op.told())
	case op.Latest != latest:
		h.refute(op, h.commit(latest), "%v at revision %v was told that the map's latest change is entry "+
			"%v; it is entry %v", op, op.Revision, op.Latest, latest)
	}
}

// deny checks that a write that is said to be never done has not been done.
func (h *history) deny(p *pending) {
	op, w := &p.Operation, p.wish
	if w == nil {
		return
	}
	w.denied, w.no = w.denied+1, op
	if w.committed > w.atMost() {
		h.refute(op, h.commit(w.last), "%v was said to be never done, and is entry %v", op, w.last)
	}
}

// known reports whether the revision of an answer is committed.
func (h *history) known(op *Operation) bool { return op.Revision < raft.Index(len(h.entries)) }

// beyond reports an answer from what may never be.
func (h *history) beyond(op *Operation) {
	last := raft.Index(len(h.entries) - 1)
	h.refute(op, h.commit(last), "%v returned revision %v, and %v entries are committed", op, op.Revision,
		last)
}

// refute reports an answer that is not linearizable, and the earlier fact that it contradicts.
func (h *history) refute(op *Operation, fact Witness, sentence string, facts ...any) {
	h.report(Linearizability, fmt.Sprintf(sentence, facts...), fact, answered(op))
}

// report keeps the first violation. The witnesses come in the order in which they happened.
func (h *history) report(property Property, sentence string, witnesses ...Witness) {
	if h.found != nil {
		return
	}
	last := witnesses[len(witnesses)-1]
	h.found = &Violation{Moment: last.Moment, Property: property, Sentence: sentence, Witnesses: witnesses}
}

// answered is the fact that an operation ended as it did.
func answered(op *Operation) Witness {
	return Witness{
		Moment: op.Returned,
		Node:   op.Node,
		Fact: fmt.Sprintf("answers client %d: %v, called at %v: %s",
			op.Client, op, op.Called, op.told()),
	}
}

// asked is the fact that an operation began.
func asked(op *Operation) Witness {
	return Witness{
		Moment: op.Called,
		Node:   op.Node,
		Fact:   fmt.Sprintf("is asked by client %d: %v", op.Client, op),
	}
}

// commit is the fact that an entry is committed.
func (h *history) commit(index raft.Index) Witness {
	if index == 0 {
		return Witness{Fact: "nothing is committed"}
	}
	e := &h.entries[index]
	return Witness{Moment: e.at, Fact: fmt.Sprintf("entry %v is committed: %v", index, e)}
}

// String is what the entry does.
func (e *placed) String() string {
	if e.wish == nil {
		return "no client's"
	}
	return e.wish.first.String()
}
