package raft

// Input is one thing that happened to a server. The set is closed.
type Input interface{ isInput() }

// Tick says that one tick of time has passed. All durations of Config are counted in ticks.
type Tick struct{}

// Receive brings a message from another server. The driver has checked the sender's identity; everything
// else about the message is looked at here, and what is nonsense is refused and counted.
type Receive struct {
	From NodeID
	// Incarnation is the sender's, of its envelope; 0 when not known. An answer counts only if it comes from
	// the data directory that the configuration means by the id: one that was wiped and joins again under its
	// old id must not stand in for what its predecessor has, or has not, promised.
	Incarnation Incarnation
	Start       uint64   // the sender's start number, of its envelope; 0 when not known
	Sequence    Sequence // a response echoes it
	Message     Message
}

// Propose asks to append a command. It is answered in Output.Answers under its ticket: by the entry that
// holds it, or by a refusal. The command must not be changed afterwards.
type Propose struct {
	Ticket  Ticket
	Kind    Kind // Normal or Session; 0 means Normal
	Command []byte
}

// ProposeAll is several Propose in their order, as one input: each is answered as it would be by itself.
type ProposeAll struct{ Proposals []Propose }

// ChangeMembership asks the leader to change the configuration (§6). It is answered in Output.Answers under
// its ticket: by the entry that holds the next configuration, which is joint when the voters change, or by a
// refusal. The change is complete when an entry of kind ConfigurationChange that is not joint is committed at
// or behind that one, and lost when another entry is committed in its place. The slices must not be changed
// afterwards.
type ChangeMembership struct {
	Ticket Ticket
	Change Change
}

// Transfer asks the leader to hand over to another voter (thesis §3.10); None stands for the one that holds
// most of its log. It is answered in Output.Answers under its ticket, without an entry: as Accepted when
// a leader of a later term is heard, whoever that is, or by a refusal, at the latest after one minimum
// election timeout. Commands are refused meanwhile.
type Transfer struct {
	Ticket Ticket
	To     NodeID
}

// ReadIndex asks at which index a linearizable read may be served (thesis §6.4). It is answered in
// Output.Readings under its ticket: once a quorum has confirmed that this server still led after the question
// came, or, refused, when it ceases to lead. With Lease it is answered at once if this server holds a lease
// (thesis §6.4.1), and otherwise like any other.
type ReadIndex struct {
	Ticket Ticket
	Lease  bool
}

// Persisted says that the disk has every write up to and including this one. It names no index: the entry
// at 5 may be truncated and written anew before the first acknowledgement arrives.
type Persisted struct{ Write Write }

// Applied says that the state machine has applied everything up to and including Index.
type Applied struct{ Index Index }

// Readiness says whether the state machine can apply entries. It cannot while it is being restored from a
// snapshot, and is ready at the start unless Restored.Unready says otherwise. The server votes, follows and
// acknowledges all the same, but neither campaigns nor leads: its clients would wait for as long as that
// takes. A server that was to campaign meanwhile does so at the first tick at which it is ready.
type Readiness struct{ Ready bool }

// Snapshotted says that a snapshot of the own state machine is durable: it includes every entry up to and
// including Snapshot.Last, which was applied. The log in memory is shortened (§7). One that is not newer than
// the newest known changes nothing.
type Snapshotted struct{ Snapshot Snapshot }

// ChunkStored answers a Chunk of Output.Chunks, whose From, Sequence, Term and Last it repeats: Next is the
// offset from which on the snapshot is still lacking. A driver that could not store a chunk answers with what
// it keeps, or not at all: the leader asks again.
type ChunkStored struct {
	From     NodeID
	Sequence Sequence
	Term     Term
	Last     EntryID
	Next     uint64
}

// Installed says that a received snapshot is durable, and that the own state machine was restored from it
// unless it had applied as much before. It replaces what the log holds up to Snapshot.Last (§7). One that is
// not newer than the newest known changes nothing but is acknowledged.
type Installed struct{ Snapshot Snapshot }

// ElectionTimeout lets the election timer run out now, as if nothing had been heard for long enough (§5.2).
// A leader has no such timer, and takes no notice; nor does a server on whose patience a lease may rest. It
// is for who plays the world: a simulator, a test, a page on which a person steers.
type ElectionTimeout struct{}

func (Tick) isInput()             {}
func (Receive) isInput()          {}
func (Propose) isInput()          {}
func (ProposeAll) isInput()       {}
func (ChangeMembership) isInput() {}
func (Transfer) isInput()         {}
func (ReadIndex) isInput()        {}
func (Persisted) isInput()        {}
func (Applied) isInput()          {}
func (Readiness) isInput()        {}
func (Snapshotted) isInput()      {}
func (ChunkStored) isInput()      {}
func (Installed) isInput()        {}
func (ElectionTimeout) isInput()  {}
