package raft

// Message is one of the requests and responses that servers exchange. The set is closed: each RPC has a
// request and a response of its own, named as the paper names it, so that no field means two things.
type Message interface {
	isMessage()
	// term is the sender's term, or 0 for a message that carries none.
	term() Term
}

// PreVote asks whether a vote would be granted, without asking for it (thesis §9.6): a server that nobody
// can elect thus leaves everybody's term alone.
type PreVote struct {
	Term Term    // the term the sender would campaign in: one above its own
	Last EntryID // the end of the sender's log
}

// PreVoteResponse answers PreVote. It promises nothing.
type PreVoteResponse struct {
	Term    Term // granted: the term that was asked about; denied: the voter's own term
	Granted bool
}

// RequestVote asks for a vote (§5.2). Last lets the voter refuse a candidate whose log is behind its own
// (§5.4.1).
type RequestVote struct {
	Term   Term
	Last   EntryID
	Forced bool // caused by TimeoutNow: a voter that still hears a leader answers all the same (thesis §3.10)
}

// RequestVoteResponse answers RequestVote. A granted vote leaves only when it is durable.
type RequestVoteResponse struct {
	Term    Term
	Granted bool
}

// AppendEntries replicates entries (§5.3). Without entries it is a heartbeat, and its answer confirms a
// read round.
type AppendEntries struct {
	Term    Term
	Prev    EntryID // the entry right before Entries; the follower refuses if it does not hold it
	Entries []Entry
	Commit  Index // the leader's commit index
	Round   Round
}

// AppendEntriesResponse answers AppendEntries.
type AppendEntriesResponse struct {
	Term Term
	// Round is echoed; 0 in an answer to a leader of an older term, which confirms no round of anybody.
	Round Round
	// Match is how far the follower's log is durable and known to be the leader's (§5.3); 0 when Rejected.
	Match    Index
	Rejected bool
	// Conflict, when Rejected, is the follower's last entry at or below Prev whose term is not above
	// Prev's: the leader continues from there, which skips a whole diverging term in one round trip (§5.3,
	// end).
	Conflict EntryID
	// Holds is how far the follower holds the leader's log, durably or not. It steers what is sent again
	// and promises nothing.
	Holds Index
	// Busy says that the follower takes no entries for now; it reports when that has ended.
	Busy bool
	// Repairing says that the follower has lost what it promised before: what it answers steers what is sent
	// to it, and counts for nothing. Floor is then that of RepairFloorResponse, 0 as long as it has none.
	Repairing bool
	Floor     Term
}

// InstallSnapshot carries one chunk of a snapshot (§7), or without Data only asks how much of it is there.
type InstallSnapshot struct {
	Term     Term
	Last     EntryID // the last entry that the snapshot includes
	Size     uint64  // bytes of the whole snapshot
	Offset   uint64  // where Data begins in it
	Data     []byte
	Checksum uint32 // CRC32C of Data
}

// InstallSnapshotResponse answers InstallSnapshot. One that bears a newer term than the request names no
// snapshot.
type InstallSnapshotResponse struct {
	Term     Term
	Last     EntryID // which snapshot
	Next     uint64  // the offset that the follower wants next
	Complete bool    // the snapshot is durable and in force
	// Repairing is as in AppendEntriesResponse.
	Repairing bool
}

// TimeoutNow tells a follower to campaign at once (thesis §3.10). It has no answer.
type TimeoutNow struct {
	Term  Term
	Round Round // the newest round that the leader has begun
	// Start is the run of the receiver for which the order is: it obeys no order that was given to an earlier
	// one, for it does not know what that one has heard since. 0: not said.
	Start uint64
}

// RepairFloor tells that its sender repairs itself, and asks the leader for its floor (see repair.go).
type RepairFloor struct {
	Number uint64 // the sender's start number: the answer is to a question of this run of it
}

// RepairFloorResponse answers RepairFloor once a quorum that does not repair itself has answered a round that
// began since: Floor is then the leader's term. From a server that does not lead it is 0, and says nothing.
type RepairFloorResponse struct {
	Number uint64
	Floor  Term
}

// ForwardProposal carries a command from the server that a client reached, its origin, to the leader. It is
// no matter of the core's, which refuses it: the driver puts the command to the core of the leader.
type ForwardProposal struct {
	Leader  Term   // the term of the leader that is addressed
	Start   uint64 // the origin's start number
	Number  uint64 // the origin's number for this proposal, counted within Start
	Kind    Kind   // of the entry: 0 or Normal, or Session
	Command []byte
}

// ForwardProposalResponse answers ForwardProposal. It names the entry and no result: the origin returns
// what its own state machine makes of exactly that entry.
type ForwardProposalResponse struct {
	Leader  Term
	Start   uint64
	Number  uint64
	Entry   EntryID // where the command was appended; zero when Refused
	Refused bool
	// NotAccepted, when Refused, says that this command was never appended by the refusing server in the
	// addressed term, and never will be.
	NotAccepted bool
	Overloaded  bool // when Refused: because too much was waiting, and not because somebody else leads
	HandingOver bool // when Refused: because the leader hands over; try again soon
}

// ForwardRead asks the leader for an index at which a read is linearizable (thesis §6.4). Like
// ForwardProposal it is the driver's.
type ForwardRead struct {
	Leader Term // 0: of nobody; the sender only says where it is (Identity.Address)
	Start  uint64
	Number uint64
	Lease  bool // a lease of the leader's is enough (ReadIndex.Lease)
}

// ForwardReadResponse answers ForwardRead.
type ForwardReadResponse struct {
	Leader  Term
	Start   uint64
	Number  uint64
	Index   Index // 0 when Refused
	Refused bool
	// Overloaded, when Refused, says that too much was waiting.
	Overloaded bool
}

// IdentityRefused answers any request whose sender may not speak to this server. It carries no term: it comes
// from outside the protocol, and the refused server only reports it.
type IdentityRefused struct {
	Why IdentityReason
}

func (PreVote) isMessage()                 {}
func (PreVoteResponse) isMessage()         {}
func (RequestVote) isMessage()             {}
func (RequestVoteResponse) isMessage()     {}
func (AppendEntries) isMessage()           {}
func (AppendEntriesResponse) isMessage()   {}
func (InstallSnapshot) isMessage()         {}
func (InstallSnapshotResponse) isMessage() {}
func (TimeoutNow) isMessage()              {}
func (RepairFloor) isMessage()             {}
func (RepairFloorResponse) isMessage()     {}
func (ForwardProposal) isMessage()         {}
func (ForwardProposalResponse) isMessage() {}
func (ForwardRead) isMessage()             {}
func (ForwardReadResponse) isMessage()     {}
func (IdentityRefused) isMessage()         {}

func (m PreVote) term() Term                 { return m.Term }
func (m PreVoteResponse) term() Term         { return m.Term }
func (m RequestVote) term() Term             { return m.Term }
func (m RequestVoteResponse) term() Term     { return m.Term }
func (m AppendEntries) term() Term           { return m.Term }
func (m AppendEntriesResponse) term() Term   { return m.Term }
func (m InstallSnapshot) term() Term         { return m.Term }
func (m InstallSnapshotResponse) term() Term { return m.Term }
func (m TimeoutNow) term() Term              { return m.Term }
func (RepairFloor) term() Term               { return 0 }
func (RepairFloorResponse) term() Term       { return 0 }
func (ForwardProposal) term() Term           { return 0 }
func (ForwardProposalResponse) term() Term   { return 0 }
func (ForwardRead) term() Term               { return 0 }
func (ForwardReadResponse) term() Term       { return 0 }
func (IdentityRefused) term() Term           { return 0 }

// IsResponse reports whether a message answers another one, and so echoes that one's sequence. TimeoutNow
// is a request without a response.
func IsResponse(m Message) bool {
	switch m.(type) {
	case PreVoteResponse, RequestVoteResponse, AppendEntriesResponse, InstallSnapshotResponse,
		RepairFloorResponse, ForwardProposalResponse, ForwardReadResponse, IdentityRefused:
		return true
	}
	return false
}
