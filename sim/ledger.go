package sim

import (
	"balsa/raft"
	"balsa/replica"
	"balsa/wal"
)

// sight is what the checks see of a server after a step. The same value may be used again for the next call.
type sight struct {
	role                     raft.Role
	term                     raft.Term
	vote, leader             raft.NodeID
	commit, applied, durable raft.Index
	last                     raft.EntryID
	progress                 []raft.Progress                     // of a leader; read during the call only
	entries                  func(after raft.Index) []raft.Entry // of the log in memory; bind it once for each life
	uncommitted              int
}

// disked is what one disk holds when a run has ended. Disks that were damaged on purpose are left out.
type disked struct {
	id      raft.NodeID
	state   raft.HardState
	entries []raft.Entry
}

// ledger looks at all servers after every event.
type ledger struct {
	found *Violation
}

func newLedger(nodes int, limits raft.Limits) *ledger { return &ledger{} }

// violation returns the first one; nil while there is none. Calls after it change nothing.
func (l *ledger) violation() *Violation { return l.found }

// started takes what a server found on its disk. It comes before the first stepped of a life.
func (l *ledger) started(m Moment, id raft.NodeID, found wal.Recovered) {}

// died takes the end of a life. Of the write in flight (nil: there was none) all or nothing may be found.
func (l *ledger) died(m Moment, id raft.NodeID, doubtful *replica.Write) {}

// lost says that a server's disk was damaged or wiped on purpose: what it promised no longer counts.
func (l *ledger) lost(id raft.NodeID) {}

// stepped takes what a server is after an event. It comes after wrote and applies for the same event.
func (l *ledger) stepped(m Moment, id raft.NodeID, s *sight) {}

// sends takes a message when the server hands it out.
func (l *ledger) sends(m Moment, id raft.NodeID, e raft.Envelope) {}

// wrote takes a write that is durable now. It comes before the server is told so.
func (l *ledger) wrote(m Moment, id raft.NodeID, w *replica.Write) {}

// applies takes what the state machine did with an entry, no-ops included. It comes before the server is
// told so.
func (l *ledger) applies(m Moment, id raft.NodeID, e raft.Entry, result []byte) {}

// acknowledged takes that a client was told that its command is done.
func (l *ledger) acknowledged(m Moment, index raft.Index, command []byte) {}

// scan looks at the disks alone, when a run has ended.
func (l *ledger) scan(m Moment, disks []disked) {}
