package replica

import "balsa/raft"

// Event is one thing that happened to a replica. The set is closed.
type Event interface{ isEvent() }

// Awake says nothing but what time it is: let it come once a tick when nothing else does.
type Awake struct{}

// Received brings a message. Its sender's identity is checked here, before any field of Raft is looked at.
type Received struct{ Envelope raft.Envelope }

// GaveUp says that nobody waits any longer for what was proposed or asked under a ticket. A command is not
// taken back by it, nor is a change or a transfer; a read, a change and a transfer are forgotten, and get no
// answer.
type GaveUp struct{ Ticket raft.Ticket }

// ElectionTimeout lets the election timer run out now; see raft.ElectionTimeout.
type ElectionTimeout struct{}

// Returned brings back a message of this server that certainly did not reach its receiver.
type Returned struct{ Envelope raft.Envelope }

// Proposed asks to append a command and to be told, under the ticket, what the state machine made of it.
// Tickets must not repeat. The command must not be changed afterwards.
type Proposed struct {
	Ticket  raft.Ticket
	Command []byte
	Once    Once // how it is kept from being applied twice; the zero value: not at all
	Local   bool // refuse when this server does not lead, instead of forwarding
}

// AllProposed is several Proposed in their order, as one event.
type AllProposed struct{ Proposals []Proposed }

// Asked asks to be told, under the ticket, when the state machine of this server is new enough for a
// linearizable read.
type Asked struct {
	Ticket raft.Ticket
	Local  bool // refuse when this server does not lead, instead of asking the leader
	Lease  bool // a lease of the leader's is enough; without one it asks a quorum all the same
}

// Awaited asks to be told, under the ticket, when the state machine of this server has applied up to an
// index: a caller thus reads its own writes.
type Awaited struct {
	Ticket raft.Ticket
	Index  raft.Index
}

// ChangeAsked asks the leader to change the membership, and to be told under the ticket when that is
// complete; see raft.Change. Nobody but the leader takes it: callers ask whom Leader names. The slices must
// not be changed afterwards.
type ChangeAsked struct {
	Ticket raft.Ticket
	Change raft.Change
}

// TransferAsked asks the leader to hand over to another voter, None: to the one that holds most of its log;
// and to be told under the ticket when a leader of a later term is heard. Nobody but the leader takes it.
type TransferAsked struct {
	Ticket raft.Ticket
	To     raft.NodeID
}

// Wrote says how a Write ended. An error is final: it stops the replica, for nobody knows any more what the
// disk has.
type Wrote struct {
	Number raft.Write
	Peers  []raft.Acquaintance // of the Write
	Err    error
}

// Ran says how an Apply ended.
type Ran struct {
	Entries []raft.Entry
	Results []Result  // one for each entry, until the replica has taken them: their memory serves again
	Due     raft.Time // when the next thing that lasts for a time ends, by log time; 0: nothing does
	Err     error     // final: it stops the replica
}

func (ElectionTimeout) isEvent() {}
func (Awake) isEvent()           {}
func (Received) isEvent()        {}
func (Proposed) isEvent()        {}
func (AllProposed) isEvent()     {}
func (Asked) isEvent()           {}
func (Awaited) isEvent()         {}
func (ChangeAsked) isEvent()     {}
func (TransferAsked) isEvent()   {}
func (GaveUp) isEvent()          {}
func (Returned) isEvent()        {}
func (Wrote) isEvent()           {}
func (Ran) isEvent()             {}
