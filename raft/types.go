package raft

import "strconv"

// The quantities of the paper, each with a type of its own, so that an index cannot be passed for a term.
type (
	// NodeID names a server. Ids are positive; None is no server.
	NodeID uint64
	// Term numbers the periods with at most one leader each (§5.1). The first election begins term 1.
	Term uint64
	// Index is a position in the log. The first entry has index 1; 0 is the state before any entry.
	Index uint64
	// Round numbers what a leader began to ask its followers in this term; a response echoes it (thesis
	// §6.4).
	Round uint64
	// Sequence pairs a response with its request: each request carries one, each response echoes it.
	Sequence uint64
	// Write numbers what must become durable. Writes reach the disk in this order; 0 is no write.
	Write uint64
	// Ticket is the driver's name for a caller that waits for an Answer.
	Ticket uint64
	// Time is log time: nanoseconds since 1970, as the leader's core assigned them at append.
	Time int64
)

// None is the id of no server.
const None NodeID = 0

// String prints the id as logs and pages do: a decimal.
func (id NodeID) String() string { return strconv.FormatUint(uint64(id), 10) }

// EntryID names a log entry. By Log Matching (§5.3), two logs that hold the same EntryID agree on
// everything before it.
type EntryID struct {
	Term  Term
	Index Index
}

// AtLeast reports whether a log ending in a is at least as up-to-date as one ending in b (§5.4.1):
// the later term wins, and only within one term does the longer log win.
func (a EntryID) AtLeast(b EntryID) bool {
	return a.Term > b.Term || a.Term == b.Term && a.Index >= b.Index
}

// String prints index/term, the order in which logs are drawn.
func (a EntryID) String() string {
	return strconv.FormatUint(uint64(a.Index), 10) + "/t" + strconv.FormatUint(uint64(a.Term), 10)
}

// Kind says what an entry is for. The numbers are part of every format.
type Kind uint8

// The kinds of entries. A server that meets a kind it does not know stops with an error; it never skips it.
const (
	// Normal carries a command for the state machine.
	Normal Kind = 1
	// NoOp is appended by a leader at the start of its term, so that it can commit what earlier terms left
	// (§8). State machines never see it.
	NoOp Kind = 2
	// ConfigurationChange carries a Configuration as a whole, in the form of Configuration.AppendTo (§6).
	ConfigurationChange Kind = 3
	// Session carries what a client session is opened, used or closed by (thesis §6.3), in a form that only
	// the driver knows.
	Session Kind = 4
)

// Valid reports whether the kind is one that the formats know.
func (k Kind) Valid() bool { return k >= Normal && k <= Session }

// String names the kind as the formats for people do.
func (k Kind) String() string {
	switch k {
	case Normal:
		return "normal"
	case NoOp:
		return "noop"
	case ConfigurationChange:
		return "configuration"
	case Session:
		return "session"
	}
	return "kind" + strconv.Itoa(int(k))
}

// Entry is one command in the log. Entries are immutable: whoever holds one may keep it and must not write to
// Command.
type Entry struct {
	Term    Term
	Index   Index
	Time    Time
	Kind    Kind
	Command []byte
}

// ID returns the entry's name.
func (e Entry) ID() EntryID { return EntryID{Term: e.Term, Index: e.Index} }

// entryOverhead is what an entry is counted for beyond its command: its header on disk and wire, rounded up.
const entryOverhead = 32

// Size is the number of bytes for which an entry counts against every byte budget.
func (e Entry) Size() int { return entryOverhead + len(e.Command) }

// HardState is what a server must remember across restarts besides its log (Figure 2, "persistent state").
type HardState struct {
	Term Term   // the latest term that this server has seen
	Vote NodeID // who received its vote in that term; None if nobody did
}
