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
	NoVote                          // the server has no vote in the configuration in force (§6)
	AskedTo                         // somebody asked for it
	NotHeard                        // the sender was not heard as leader of this term in this run
	NewerRound                      // the leader has been heard with a newer round since
	OtherDirectory                  // the configuration means another data directory by that id (§6)
	Repairs                         // the voter has lost what it promised, and repairs itself
	ForRepair                       // a server that repairs itself needs a leader of a later term
	LeasePromised                   // a lease may rest on its voting for nobody (thesis §6.4.1)
	OtherRun                        // the order was given to an earlier run of this server
)

// String names the reason.
func (r Reason) String() string {
	return [...]string{"granted", "a higher term", "heard the leader", "stale term", "already voted",
		"log not up-to-date", "hears a leader", "gap", "conflict", "of an old term", "stale response",
		"unknown sender", "second leader", "malformed", "conflict with what is committed or verified",
		"beyond the log", "lost what it acknowledged", "no quorum answered", "the disk is stalled",
		"the leader is silent", "unsupported", "never asked", "not durable yet",
		"the log gave way to a snapshot", "the state machine is being restored", "it has no vote",
		"asked to", "the sender was not heard as leader of this term", "a newer round was heard since",
		"the id means another data directory", "it repairs itself",
		"a server that repairs itself needs a later term", "a lease may rest on its silence",
		"it was told to an earlier run"}[r]
}

// Refusal says why something that was asked for was not begun, or, of a transfer, did not come about. Nothing
// of a refused proposal or change is kept.
type Refusal uint8

// The refusals.
const (
	Accepted Refusal = iota
	// NotLeader: this server does not lead; Status.Leader may know who does.
	NotLeader
	// Overloaded: too much waits here, be it reads or bytes of entries that are not committed, written or
	// applied, or that the next snapshot is to include (Limits). All of it drains; try again later.
	Overloaded
	// Transferring: this leader is handing over; try again soon, with whoever leads then.
	Transferring

	// ChangeOpen: the change of membership before is not complete (§6); try again later.
	ChangeOpen
	// NotCommittedInTerm: this leader has not committed anything of its term yet; try again soon.
	NotCommittedInTerm
	// VotersSilent: no majority of the voters, as they are or as they would be, answers now. Change.Force
	// skips this question, but not whether a majority of those to be has ever answered this leader.
	VotersSilent
	// NoVoterLeft: nobody would have a vote.
	NoVoterLeft
	// NothingChanged: the configuration is as the change wants it already.
	NothingChanged
	// NamedTwice: the change names a server for more than one thing.
	NamedTwice
	// UnknownMember: who is to be removed or updated is no member.
	UnknownMember
	// AlreadyMember: who is to be added is a member.
	AlreadyMember
	// NoSuchVoter: who is to be demoted has no vote.
	NoSuchVoter
	// NoSuchLearner: who is to be promoted is no learner.
	NoSuchLearner
	// WouldBePromoted: who is to be demoted would be promoted again at once, as learners promote themselves.
	WouldBePromoted
	// IncarnationOfVoter: a voter, or the leader, would become another server under its id; remove it, and
	// then add it.
	IncarnationOfVoter
	// BadMember: who is to be added lacks its id, incarnation or address; or an address is too long, or there
	// are too many members.
	BadMember
	// VersionLowered: the cluster version would go back.
	VersionLowered
	// VersionUnsupported: this server does not support that cluster version; run a later program everywhere.
	VersionUnsupported
	// LearnerBehind: who is to be promoted does not answer, or lacks too much of the log; try again when it
	// has caught up. Change.Force skips this question.
	LearnerBehind

	// NoTarget: nobody answers who could take over, or not the one that is named.
	NoTarget
	// TransferExpired: nobody else has come to lead in time. This server may lead on, or may hear of another
	// leader later.
	TransferExpired

	// VersionTooLow: the cluster version does not allow for changes yet: some member runs a program from
	// before them, or the leader has not heard all of them; try again when every node is up.
	VersionTooLow
	// DriftTooLarge: with clocks that err so much there are no leases.
	DriftTooLarge
)

// String names the refusal.
func (r Refusal) String() string {
	return [...]string{"accepted", "not the leader", "overloaded", "leadership is being handed over",
		"a change of membership is not complete", "nothing of this term is committed yet",
		"no majority of the voters answers", "no voter would be left", "nothing would change",
		"a server is named twice", "no such member", "a member already", "no such voter", "no such learner",
		"it would be promoted again", "a voter keeps its incarnation", "no member can be like that",
		"the cluster version would go back", "this program does not support that cluster version",
		"a learner has not caught up", "nobody can take over", "nobody took over in time",
		"a member runs an older program, or was not heard yet",
		"the bound on the drift of clocks is too large"}[r]
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

	// Appended: a leader appended New entries of its own, all of one kind. Entry is the last of them.
	Appended struct {
		Entry EntryID
		Kind  Kind
		New   int
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
	// ReadByLease: a read is served up to Index without asking anybody.
	ReadByLease struct {
		Ticket Ticket
		Index  Index
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

	// MembersChanged: another configuration is in force, that of the entry at Index, or of the bootstrap or a
	// snapshot at 0 (§6). Reverted: the one that was in force has been truncated.
	MembersChanged struct {
		Index    Index
		Members  Configuration
		Reverted bool
	}
	// ChangeRefused: a change of membership was not begun. Leader is who might do it.
	ChangeRefused struct {
		Why    Refusal
		Leader NodeID
	}
	// LearnersPromoted: a leader began to make voters of learners that have caught up (thesis §4.2.1).
	LearnersPromoted struct {
		IDs   []NodeID
		Entry EntryID
	}
	// PeerLeft: a leader goes on without a server that is no member any more. Told: it knows.
	PeerLeft struct {
		ID   NodeID
		Told bool
	}
	// TransferBegun: a leader hands over (thesis §3.10).
	TransferBegun struct {
		To  NodeID
		Why Reason
	}
	// TransferEnded: somebody else leads (Accepted), or why not.
	TransferEnded struct {
		To  NodeID
		Why Refusal
	}
	// ToldToCampaign: the leader wants this server to lead.
	ToldToCampaign struct{ From NodeID }

	// PeerRepairs: another server has lost what it promised, and counts for nothing until it has it back.
	PeerRepairs struct{ ID NodeID }
	// FloorGiven: a leader told a server that repairs itself below which terms it may not return.
	FloorGiven struct {
		To    NodeID
		Floor Term
	}
	// FloorLearned: this server repairs itself, and may return under a leader of a term above Floor.
	FloorLearned struct{ Floor Term }
	// RepairComplete: this server holds what it must, and counts again when that is durable.
	RepairComplete struct {
		Term    Term
		Through Index
	}
	// Returned: this server counts again.
	Returned struct{ Term Term }
	// RepairHalts: so many voters repair themselves that no quorum is left, or again not so many.
	RepairHalts struct {
		Servers []NodeID
		Over    bool
	}

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
