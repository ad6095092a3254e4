package raft

// Input is one thing that happened to a server. The set is closed; ChangeMembership and Transfer
// will join it.
type Input interface{ isInput() }

// Tick says that one tick of time has passed. All durations of Config are counted in ticks.
type Tick struct{}

// Receive brings a message from another server. The driver has checked the sender's identity; everything
// else about the message is looked at here, and what is nonsense is refused and counted.
type Receive struct {
	From     NodeID
	Sequence Sequence // a response echoes it
	Message  Message
}

// Propose asks to append a command. It is answered in Output.Answers under its ticket: by the entry that
// holds it, or by a refusal. The command must not be changed afterwards.
type Propose struct {
	Ticket  Ticket
	Command []byte
}

// ReadIndex asks at which index a linearizable read may be served (thesis §6.4). It is answered in
// Output.Readings under its ticket: once a quorum has confirmed that this server still led after the question
// came, or, refused, when it ceases to lead.
type ReadIndex struct{ Ticket Ticket }

// Persisted says that the disk has every write up to and including this one. It names no index: the entry
// at 5 may be truncated and written anew before the first acknowledgement arrives.
type Persisted struct{ Write Write }

// Applied says that the state machine has applied everything up to and including Index.
type Applied struct{ Index Index }

// ElectionTimeout lets the election timer run out now, as if nothing had been heard for long enough (§5.2).
// A leader has no such timer, and takes no notice. It is for who plays the world: a simulator, a test, a page
// on which a person steers.
type ElectionTimeout struct{}

func (Tick) isInput()            {}
func (Receive) isInput()         {}
func (Propose) isInput()         {}
func (ReadIndex) isInput()       {}
func (Persisted) isInput()       {}
func (Applied) isInput()         {}
func (ElectionTimeout) isInput() {}
