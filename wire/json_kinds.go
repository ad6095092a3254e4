package wire

import (
	"fmt"

	"balsa/raft"
)

// Name returns what a message is called in paths and wherever else its JSON form travels: "request_vote",
// "request_vote_response", and so on; the response to a request is called like it with "_response" behind. It
// is empty for nil.
func Name(m raft.Message) string { return kindOf(m).name() }

// name is empty for a number that is no kind.
func (k kind) name() string {
	names := [...]string{
		preVote: "pre_vote", preVoteResponse: "pre_vote_response",
		requestVote: "request_vote", requestVoteResponse: "request_vote_response",
		appendEntries: "append_entries", appendEntriesResponse: "append_entries_response",
		installSnapshot: "install_snapshot", installSnapshotResponse: "install_snapshot_response",
		timeoutNow:      "timeout_now",
		forwardProposal: "forward_proposal", forwardProposalResponse: "forward_proposal_response",
		forwardRead: "forward_read", forwardReadResponse: "forward_read_response",
		identityRefused: "identity_refused", forwardProposalOfKind: "forward_proposal",
		repairFloor: "repair_floor", repairFloorResponse: "repair_floor_response",
		appendEntriesRepairing: "append_entries_response",
		timeoutNowForStart:     "timeout_now", forwardReadByLease: "forward_read",
	}
	if int(k) >= len(names) {
		return ""
	}
	return names[k]
}

// kindNamed returns the kind with that name, or 0.
func kindNamed(name string) kind {
	for k := kind(1); k <= lastKind; k++ {
		if k.name() == name {
			return k
		}
	}
	return 0
}

// newForm returns the empty form of a kind.
func newForm(k kind) form {
	switch k {
	case preVote:
		return &preVoteForm{}
	case preVoteResponse:
		return &preVoteResponseForm{}
	case requestVote:
		return &requestVoteForm{}
	case requestVoteResponse:
		return &requestVoteResponseForm{}
	case appendEntries:
		return &appendEntriesForm{}
	case appendEntriesResponse, appendEntriesRepairing:
		return &appendEntriesResponseForm{}
	case installSnapshot:
		return &installSnapshotForm{}
	case installSnapshotResponse:
		return &installSnapshotResponseForm{}
	case timeoutNow, timeoutNowForStart:
		return &timeoutNowForm{}
	case repairFloor:
		return &repairFloorForm{}
	case repairFloorResponse:
		return &repairFloorResponseForm{}
	case forwardProposal, forwardProposalOfKind:
		return &forwardProposalForm{}
	case forwardProposalResponse:
		return &forwardProposalResponseForm{}
	case forwardRead, forwardReadByLease:
		return &forwardReadForm{}
	case forwardReadResponse:
		return &forwardReadResponseForm{}
	case identityRefused:
		return &identityRefusedForm{}
	}
	panic(fmt.Sprintf("wire: no form for kind %d", k))
}

// formOf returns the form of a message, filled but for its sender and surroundings.
func formOf(m raft.Message) form {
	switch m := m.(type) {
	case raft.PreVote:
		return &preVoteForm{Term: m.Term, lastLog: lastLogOf(m.Last)}
	case raft.PreVoteResponse:
		return &preVoteResponseForm{vote{Term: m.Term, VoteGranted: m.Granted}}
	case raft.RequestVote:
		return &requestVoteForm{Term: m.Term, lastLog: lastLogOf(m.Last), Forced: m.Forced}
	case raft.RequestVoteResponse:
		return &requestVoteResponseForm{vote{Term: m.Term, VoteGranted: m.Granted}}
	case raft.AppendEntries:
		return &appendEntriesForm{
			Term: m.Term, PrevLogIndex: m.Prev.Index, PrevLogTerm: m.Prev.Term,
			Entries: entriesJSON(m.Prev.Index, m.Entries), LeaderCommit: m.Commit, Round: m.Round,
		}
	case raft.AppendEntriesResponse:
		return &appendEntriesResponseForm{
			Term: m.Term, Success: !m.Rejected, MatchIndex: m.Match,
			ConflictIndex: m.Conflict.Index, ConflictTerm: m.Conflict.Term, HoldsIndex: m.Holds,
			Busy: m.Busy, Round: m.Round, Repairing: m.Repairing, Floor: m.Floor,
		}
	case raft.InstallSnapshot:
		return &installSnapshotForm{
			Term: m.Term, LastIncludedIndex: m.Last.Index, LastIncludedTerm: m.Last.Term,
			Offset: m.Offset, Data: m.Data, Size: m.Size, Checksum: m.Checksum,
		}
	case raft.InstallSnapshotResponse:
		return &installSnapshotResponseForm{
			Term: m.Term, LastIncludedIndex: m.Last.Index, LastIncludedTerm: m.Last.Term,
			NextOffset: m.Next, Complete: m.Complete, Repairing: m.Repairing,
		}
	case raft.TimeoutNow:
		return &timeoutNowForm{Term: m.Term, Round: m.Round, Start: m.Start}
	case raft.RepairFloor:
		return &repairFloorForm{Number: m.Number}
	case raft.RepairFloorResponse:
		return &repairFloorResponseForm{Number: m.Number, Floor: m.Floor}
	case raft.IdentityRefused:
		return &identityRefusedForm{Error: "refused: " + m.Why.String(), Reason: m.Why}
	}
	return formOfForward(m)
}

func formOfForward(m raft.Message) form {
	switch m := m.(type) {
	case raft.ForwardProposal:
		f := &forwardProposalForm{
			forward: forward{m.Leader, m.Start, m.Number}, payload: payloadOf(m.Command),
		}
		if !normal(m.Kind) {
			f.Kind = m.Kind.String()
		}
		return f
	case raft.ForwardProposalResponse:
		return &forwardProposalResponseForm{
			forward: forward{m.Leader, m.Start, m.Number}, Refused: m.Refused, NotAccepted: m.NotAccepted,
			EntryIndex: m.Entry.Index, EntryTerm: m.Entry.Term, Overloaded: m.Overloaded,
			HandingOver: m.HandingOver,
		}
	case raft.ForwardRead:
		return &forwardReadForm{forward: forward{m.Leader, m.Start, m.Number}, Lease: m.Lease}
	case raft.ForwardReadResponse:
		return &forwardReadResponseForm{
			forward: forward{m.Leader, m.Start, m.Number}, Index: m.Index, Refused: m.Refused,
			Overloaded: m.Overloaded,
		}
	}
	panic(fmt.Sprintf("wire: no form for %T", m))
}
