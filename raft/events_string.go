package raft

import "fmt"

// What events say to people.

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

func (e Appended) String() string {
	if e.New > 1 {
		return fmt.Sprintf("appended %d entries up to %v (%v)", e.New, e.Entry, e.Kind)
	}
	return fmt.Sprintf("appended %v (%v)", e.Entry, e.Kind)
}

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

func (e ReadByLease) String() string {
	return fmt.Sprintf("serves a read by its lease, up to %d", e.Index)
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

func (e MembersChanged) String() string {
	m, verb := e.Members, "enters"
	if e.Reverted {
		verb = "goes back to"
	}
	s := fmt.Sprintf("%s the configuration of entry %d: voters %v", verb, e.Index, m.Voters)
	if m.Joint() {
		s += fmt.Sprintf(" and %v", m.Outgoing)
	}
	if len(m.Learners) > 0 {
		s += fmt.Sprintf(", learners %v", m.Learners)
	}
	return s
}

func (e ChangeRefused) String() string {
	return fmt.Sprintf("refused a change of membership: %v", e.Why)
}

func (e LearnersPromoted) String() string {
	return fmt.Sprintf("promotes %v, which have caught up, with entry %v", e.IDs, e.Entry)
}

func (e PeerLeft) String() string {
	if e.Told {
		return fmt.Sprintf("parts from %v, which knows that it was removed", e.ID)
	}
	return fmt.Sprintf("parts from %v, which was removed and does not answer", e.ID)
}

func (e TransferBegun) String() string { return fmt.Sprintf("hands over to %v: %v", e.To, e.Why) }

func (e TransferEnded) String() string {
	if e.Why == Accepted {
		return fmt.Sprintf("has handed over (to %v, it wanted)", e.To)
	}
	return fmt.Sprintf("does not hand over to %v: %v", e.To, e.Why)
}

func (e ToldToCampaign) String() string { return fmt.Sprintf("is told by %v to campaign", e.From) }

func (e PeerRepairs) String() string {
	return fmt.Sprintf("%v repairs itself: what it answers does not count", e.ID)
}

func (e FloorGiven) String() string {
	return fmt.Sprintf("tells %v, which repairs itself, to return above term %d", e.To, e.Floor)
}

func (e FloorLearned) String() string {
	return fmt.Sprintf("may return under a leader of a term above %d", e.Floor)
}

func (e RepairComplete) String() string {
	return fmt.Sprintf("holds everything up to %d, and is to count again in term %d", e.Through, e.Term)
}

func (e Returned) String() string {
	return fmt.Sprintf("is repaired and counts again in term %d", e.Term)
}

func (e RepairHalts) String() string {
	if e.Over {
		return "a quorum of the voters does not repair itself any more"
	}
	return fmt.Sprintf("no quorum is left: %v repair themselves; nothing is guessed: restore what they have "+
		"lost, or recover the cluster from what is left", e.Servers)
}
