package raft

import "fmt"

// Event is a decision that a server took, with its reason. Events are facts for logs, checks and pages; no
// behaviour rests on them. String is for people and transcripts, and may change.
type Event interface{ fmt.Stringer }

// Reason says why something was decided.
type Reason uint8

// The reasons.
const (
	granted           Reason = iota // no reason against it
	HigherTerm                      // a message brought a higher term (§5.1)
	HeardLeader                     // the leader of this term spoke (§5.2)
	StaleTerm                       // the sender's term is behind (§5.1)
	AlreadyVoted                    // the vote of this term went to somebody else (§5.2)
	LogNotUpToDate                  // the candidate's log is behind the voter's (§5.4.1)
	LeaderHeard                     // the voter hears a leader (thesis §9.6)
	Gap                             // the follower's log ends before Prev (§5.3)
	Conflict                        // the follower holds another entry at Prev (§5.3)
	OldTerm                         // a quorum holds an entry, but it is of an earlier term (§5.4.2)
	StaleResponse                   // the answer is to a question that is no longer open
	UnknownSender                   // no such server in the configuration, or the receiver's own id
	SecondLeader                    // another server already leads this term
	Malformed                       // the entries could not stand in any log
	CommittedConflict               // it would replace what is committed, or what this leader sent
	BeyondLog                       // the answer acknowledges what was never sent
	LostEntries                     // a follower lacks what it acknowledged before in this term
	QuorumLost                      // no quorum answered within the minimum election timeout (thesis §6.2)
	DiskStalled                     // the own disk has not answered for a maximal election timeout
	Silence                         // the leader was not heard
	Unsupported                     // this version does not speak that message
	NotAsked                        // the answer is to a question that was never asked
	NotDurable                      // the answer would promise what is not durable yet
	LogReplaced                     // the own log gave way to a snapshot (§7)
	MachineNotReady                 // the own state machine is being restored from a snapshot (§7)
)

// String names the reason.
func (r Reason) String() string {
	return [...]string{"granted", "a higher term", "heard the leader", "stale term", "already voted",
		"log not up-to-date", "hears a leader", "gap", "conflict", "of an old term", "stale response",
		"unknown sender", "second leader", "malformed", "conflict with what is committed or verified",
		"beyond the log", "lost what it acknowledged", "no quorum answered", "the disk is stalled",
		"the leader is silent", "unsupported", "never asked", "not durable yet",
		"the log gave way to a snapshot", "the state machine is being restored"}[r]
}

// The events. Terms are the server's own unless the field says otherwise.
type (
	// BecameFollower: the server follows a newly heard leader, or no longer campaigns or leads.
	BecameFollower struct {
		Term   Term
		Leader NodeID
		Was    Role
		Why    Reason
	}
	// BecamePreCandidate: it heard no leader and asks whether it could win (thesis §9.6).
	BecamePreCandidate struct{ Term Term }
	// BecameCandidate: it began a term and votes for itself (§5.2).
	BecameCandidate struct{ Term Term }
	// BecameLeader: a quorum voted for it (§5.2).
	BecameLeader struct{ Term Term }

	// PreVoteGranted and the three below: how a question for a vote was answered. Term is the candidate's.
	PreVoteGranted struct {
		To   NodeID
		Term Term
	}
	// PreVoteDenied carries what was compared.
	PreVoteDenied struct {
		To           NodeID
		Term         Term
		Why          Reason
		Mine, Theirs EntryID
	}
	// VoteGranted says that the answer will leave when the vote is durable.
	VoteGranted struct {
		To   NodeID
		Term Term
	}
	// VoteDenied carries what was compared.
	VoteDenied struct {
		To           NodeID
		Term         Term
		Why          Reason
		Mine, Theirs EntryID
	}
	// VoteReceived: an answer was counted. Role tells whether for a pre-vote or a vote.
	VoteReceived struct {
		From    NodeID
		Role    Role
		Granted bool
	}

	// Appended: a leader appended an entry of its own.
	Appended struct {
		Entry EntryID
		Kind  Kind
	}
	// AppendAccepted: a follower took entries. New of them were not there before; Truncated, if not 0, is
	// the first index that was replaced.
	AppendAccepted struct {
		From      NodeID
		Prev      EntryID
		Entries   int
		New       int
		Truncated Index
	}
	// AppendRejected: a follower does not hold Prev, or the sender's term is stale.
	AppendRejected struct {
		From     NodeID
		Prev     EntryID
		Why      Reason
		Conflict EntryID
	}
	// SteppedBack: a leader takes a rejection and tries from Next.
	SteppedBack struct {
		Peer     NodeID
		Conflict EntryID
		Next     Index
	}
	// Replicated: a leader learned that a follower durably holds its log up to Match.
	Replicated struct {
		To    NodeID
		Match Index
	}
	// CommitAdvanced: everything up to Entry is committed, as far as this server knows.
	CommitAdvanced struct{ Entry EntryID }
	// CommitHeld: a quorum holds Entry, and still it is not committed.
	CommitHeld struct {
		Entry EntryID
		Why   Reason
	}
	// PersistedTo: the disk has every write up to Write, and the log up to Durable.
	PersistedTo struct {
		Write   Write
		Durable Index
	}

	// ReadQueued: a linearizable read waits for a round.
	ReadQueued struct{ Ticket Ticket }
	// ReadsConfirmed: a quorum answered the round, which serves Count reads.
	ReadsConfirmed struct {
		Round Round
		Count int
	}

	// SnapshotTaken: a snapshot of the own machine is durable, and replaces the log up to Last.
	SnapshotTaken struct {
		Last EntryID
		Size uint64
	}
	// SnapshotSending: a leader sends a snapshot to a follower that lacks what the log no longer holds.
	SnapshotSending struct {
		To     NodeID
		Last   EntryID
		Offset uint64
	}
	// SnapshotInstalled: a received snapshot is in force. Kept says that the log held Last, and so keeps what
	// follows it; otherwise all of the log was dropped.
	SnapshotInstalled struct {
		Last EntryID
		Kept bool
	}
	// Compacted: the log in memory now begins behind Through.
	Compacted struct{ Through Index }

	// ProposalRefused: a command was not appended. Leader is who might take it.
	ProposalRefused struct {
		Why    Refusal
		Leader NodeID
	}
	// MessageIgnored: a message came too late to matter.
	MessageIgnored struct {
		From    NodeID
		Message Message
		Why     Reason
	}
	// MessageRefused: a message that no correct server would send here. It was counted.
	MessageRefused struct {
		From    NodeID
		Message Message
		Why     Reason
	}
)

func (e BecameFollower) String() string {
	if e.Leader == None {
		return fmt.Sprintf("became follower of term %d: %v", e.Term, e.Why)
	}
	return fmt.Sprintf("became follower of %v in term %d: %v", e.Leader, e.Term, e.Why)
}

func (e BecamePreCandidate) String() string {
	return fmt.Sprintf("became pre-candidate in term %d", e.Term)
}
func (e BecameCandidate) String() string { return fmt.Sprintf("became candidate of term %d", e.Term) }
func (e BecameLeader) String() string    { return fmt.Sprintf("became leader of term %d", e.Term) }

func (e PreVoteGranted) String() string {
	return fmt.Sprintf("would vote for %v in term %d", e.To, e.Term)
}

func (e PreVoteDenied) String() string {
	return fmt.Sprintf("would not vote for %v in term %d: %v (mine %v, theirs %v)", e.To, e.Term, e.Why,
		e.Mine, e.Theirs)
}

func (e VoteGranted) String() string { return fmt.Sprintf("votes for %v in term %d", e.To, e.Term) }

func (e VoteDenied) String() string {
	return fmt.Sprintf("does not vote for %v in term %d: %v (mine %v, theirs %v)", e.To, e.Term, e.Why,
		e.Mine, e.Theirs)
}

func (e VoteReceived) String() string {
	return fmt.Sprintf("as %v counts %v: %v", e.Role, e.From,
		map[bool]string{true: "yes", false: "no"}[e.Granted])
}

func (e Appended) String() string { return fmt.Sprintf("appended %v (%v)", e.Entry, e.Kind) }

func (e AppendAccepted) String() string {
	s := fmt.Sprintf("accepted %d entries after %v from %v, %d of them new", e.Entries, e.Prev, e.From, e.New)
	if e.Truncated > 0 {
		s += fmt.Sprintf(", replacing its log from %d on", e.Truncated)
	}
	return s
}

func (e AppendRejected) String() string {
	return fmt.Sprintf("rejected entries after %v from %v: %v (conflict hint %v)", e.Prev, e.From, e.Why,
		e.Conflict)
}

func (e SteppedBack) String() string {
	return fmt.Sprintf("steps back for %v to next %d (conflict hint %v)", e.Peer, e.Next, e.Conflict)
}

func (e Replicated) String() string     { return fmt.Sprintf("replicated up to %d on %v", e.Match, e.To) }
func (e CommitAdvanced) String() string { return fmt.Sprintf("committed up to %v", e.Entry) }

func (e CommitHeld) String() string {
	return fmt.Sprintf("does not commit %v although a quorum holds it: it is %v", e.Entry, e.Why)
}

func (e PersistedTo) String() string {
	return fmt.Sprintf("write %d is durable, the log up to %d", e.Write, e.Durable)
}

func (e ReadQueued) String() string { return fmt.Sprintf("read %d waits for a round", e.Ticket) }

func (e ReadsConfirmed) String() string {
	return fmt.Sprintf("round %d confirms %d reads", e.Round, e.Count)
}

func (e SnapshotTaken) String() string {
	return fmt.Sprintf("has a snapshot up to %v of %d bytes", e.Last, e.Size)
}

func (e SnapshotSending) String() string {
	return fmt.Sprintf("sends %v the snapshot up to %v from byte %d on", e.To, e.Last, e.Offset)
}

func (e SnapshotInstalled) String() string {
	if e.Kept {
		return fmt.Sprintf("installed the snapshot up to %v, and keeps the log behind it", e.Last)
	}
	return fmt.Sprintf("installed the snapshot up to %v in place of its log", e.Last)
}

func (e Compacted) String() string { return fmt.Sprintf("keeps the log behind %d", e.Through) }

func (e ProposalRefused) String() string {
	if e.Leader == None {
		return fmt.Sprintf("refused a proposal: %v (no leader known)", e.Why)
	}
	return fmt.Sprintf("refused a proposal: %v (leader %v)", e.Why, e.Leader)
}

func (e MessageIgnored) String() string {
	return fmt.Sprintf("ignored %T from %v: %v", e.Message, e.From, e.Why)
}

func (e MessageRefused) String() string {
	return fmt.Sprintf("refused %T from %v: %v", e.Message, e.From, e.Why)
}

// String names the refusal.
func (r Refusal) String() string { return [...]string{"accepted", "not the leader", "overloaded"}[r] }
