package sim

import (
	"fmt"
	"strings"

	"balsa/raft"
	"balsa/replica"
)

// Decisions by name: what a server decided is an event of raft or replica, and a script names it by its Go
// type, and by its reason's Go name where it has one: `CommitHeld.OldTerm`, `PeerRefused.OtherIncarnation`.

// eventNames are the decisions that a script can ask for.
func eventNames() []string {
	return strings.Fields(`BecameFollower BecamePreCandidate BecameCandidate BecameLeader PreVoteGranted
		PreVoteDenied VoteGranted VoteDenied VoteReceived Appended AppendAccepted AppendRejected SteppedBack
		Replicated CommitAdvanced CommitHeld PersistedTo ReadQueued ReadsConfirmed ReadByLease SnapshotTaken
		SnapshotSending SnapshotInstalled Compacted MembersChanged ChangeRefused LearnersPromoted PeerLeft
		TransferBegun TransferEnded ToldToCampaign PeerRepairs FloorGiven FloorLearned RepairComplete
		Returned RepairHalts ProposalRefused MessageIgnored MessageRefused PeerRefused`)
}

// raftReasons are the names of raft.Reason, in the order of their numbers from 1 on.
func raftReasons() []string {
	return strings.Fields(`HigherTerm HeardLeader StaleTerm AlreadyVoted LogNotUpToDate LeaderHeard Gap
		Conflict OldTerm StaleResponse UnknownSender SecondLeader Malformed CommittedConflict BeyondLog
		LostEntries QuorumLost DiskStalled Silence Unsupported NotAsked NotDurable LogReplaced
		MachineNotReady NoVote AskedTo NotHeard NewerRound OtherDirectory
		Repairs ForRepair LeasePromised OtherRun`)
}

// identityReasons are the names of raft.IdentityReason, refusals those of raft.Refusal.
func identityReasons() []string {
	return strings.Fields(`OtherCluster OtherReceiver SameID OtherIncarnation OlderStart NoIdentity NotAMember
		Nonsense`)
}

func refusals() []string {
	return strings.Fields(`NotLeader Overloaded Transferring ChangeOpen NotCommittedInTerm VotersSilent
		NoVoterLeft NothingChanged NamedTwice UnknownMember AlreadyMember NoSuchVoter NoSuchLearner
		WouldBePromoted IncarnationOfVoter BadMember VersionLowered
		VersionUnsupported LearnerBehind NoTarget TransferExpired VersionTooLow
		DriftTooLarge`)
}

func reasonNames() []string {
	return append(append(raftReasons(), identityReasons()...), refusals()...)
}

// decision returns the names of an event and of its reason, which is empty when it has none.
func decision(e raft.Event) (event, reason string) {
	event = fmt.Sprintf("%T", e)
	event = event[strings.LastIndexByte(event, '.')+1:]
	why := raft.Reason(0)
	switch e := e.(type) {
	case raft.BecameFollower:
		why = e.Why
	case raft.PreVoteDenied:
		why = e.Why
	case raft.VoteDenied:
		why = e.Why
	case raft.AppendRejected:
		why = e.Why
	case raft.CommitHeld:
		why = e.Why
	case raft.MessageIgnored:
		why = e.Why
	case raft.MessageRefused:
		why = e.Why
	case raft.TransferBegun:
		why = e.Why
	case raft.ProposalRefused:
		return event, nth(refusals(), int(e.Why))
	case raft.ChangeRefused:
		return event, nth(refusals(), int(e.Why))
	case raft.TransferEnded:
		return event, nth(refusals(), int(e.Why))
	case replica.PeerRefused:
		return event, nth(identityReasons(), int(e.Why))
	}
	return event, nth(raftReasons(), int(why))
}

// nth names a number that counts from 1.
func nth(names []string, n int) string {
	if n < 1 || n > len(names) {
		return ""
	}
	return names[n-1]
}
