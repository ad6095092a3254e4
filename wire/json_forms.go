package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"balsa/raft"
)

// The fields of each message. Those in brackets are left out at zero; any field may be left out by hand, and
// is zero then. The words are those of the paper's Figures 2 and 13 wherever these have one.
//
//	pre_vote                   term candidate_id last_log_index last_log_term
//	request_vote               term candidate_id last_log_index last_log_term [forced]
//	  …_response of both       term vote_granted
//	append_entries             term leader_id prev_log_index prev_log_term entries leader_commit [round]
//	  entries, an array of     term command, or command_base64 if it is no text; [index kind time]
//	  …_response               term success [match_index conflict_index conflict_term busy round
//	                           repairing floor]
//	install_snapshot           term leader_id last_included_index last_included_term offset data
//	                           size checksum
//	  …_response               term [last_included_index last_included_term] next_offset complete
//	                           [repairing]
//	timeout_now                term leader_id [round]
//	repair_floor               number
//	  …_response               number [floor]
//	forward_proposal           leader_term origin_start number command, or command_base64
//	  …_response               leader_term origin_start number [entry_index entry_term refused
//	                          not_accepted overloaded handing_over]
//	forward_read               leader_term origin_start number
//	  …_response               leader_term origin_start number [index refused]
//	identity_refused           error reason
//	all of them                [cluster node incarnation start configuration api address version to
//	                           sequence]

// form is the JSON form of one message: its fields in the order in which they are written, then its
// surroundings.
type form interface {
	around() *surroundings
	// message returns what the form says. A strict form has nothing in it that is not known.
	message(strict bool) (raft.Message, error)
}

// claimant is a form with a field of its own for the sender's id; claim returns that field and its name.
type claimant interface {
	claim() (*raft.NodeID, string)
}

// response is a form whose sender need not be named: it is clear who was asked.
type response interface{ isResponse() }

type candidate struct {
	CandidateID raft.NodeID `json:"candidate_id"`
}

func (c *candidate) claim() (*raft.NodeID, string) { return &c.CandidateID, "candidate_id" }

type leader struct {
	LeaderID raft.NodeID `json:"leader_id"`
}

func (l *leader) claim() (*raft.NodeID, string) { return &l.LeaderID, "leader_id" }

type answer struct{}

func (answer) isResponse() {}

// lastLog is the end of a candidate's log.
type lastLog struct {
	LastLogIndex raft.Index `json:"last_log_index"`
	LastLogTerm  raft.Term  `json:"last_log_term"`
}

func lastLogOf(id raft.EntryID) lastLog { return lastLog{LastLogIndex: id.Index, LastLogTerm: id.Term} }

func (l lastLog) id() raft.EntryID { return raft.EntryID{Term: l.LastLogTerm, Index: l.LastLogIndex} }

type preVoteForm struct {
	Term raft.Term `json:"term"`
	candidate
	lastLog
	surroundings
}

func (f *preVoteForm) message(bool) (raft.Message, error) {
	return raft.PreVote{Term: f.Term, Last: f.id()}, nil
}

type requestVoteForm struct {
	Term raft.Term `json:"term"`
	candidate
	lastLog
	Forced bool `json:"forced,omitempty"`
	surroundings
}

func (f *requestVoteForm) message(bool) (raft.Message, error) {
	return raft.RequestVote{Term: f.Term, Last: f.id(), Forced: f.Forced}, nil
}

// vote is the answer to both requests for a vote.
type vote struct {
	answer
	Term        raft.Term `json:"term"`
	VoteGranted bool      `json:"vote_granted"`
	surroundings
}

type preVoteResponseForm struct{ vote }

func (f *preVoteResponseForm) message(bool) (raft.Message, error) {
	return raft.PreVoteResponse{Term: f.Term, Granted: f.VoteGranted}, nil
}

type requestVoteResponseForm struct{ vote }

func (f *requestVoteResponseForm) message(bool) (raft.Message, error) {
	return raft.RequestVoteResponse{Term: f.Term, Granted: f.VoteGranted}, nil
}

type appendEntriesForm struct {
	Term raft.Term `json:"term"`
	leader
	PrevLogIndex raft.Index      `json:"prev_log_index"`
	PrevLogTerm  raft.Term       `json:"prev_log_term"`
	Entries      json.RawMessage `json:"entries"` // see entryForm
	LeaderCommit raft.Index      `json:"leader_commit"`
	Round        raft.Round      `json:"round,omitempty"`
	surroundings
}

func (f *appendEntriesForm) message(strict bool) (raft.Message, error) {
	entries, err := decodeEntries(f.PrevLogIndex, f.Entries, strict)
	return raft.AppendEntries{
		Term: f.Term, Prev: raft.EntryID{Term: f.PrevLogTerm, Index: f.PrevLogIndex},
		Entries: entries, Commit: f.LeaderCommit, Round: f.Round,
	}, err
}

type appendEntriesResponseForm struct {
	answer
	Term          raft.Term  `json:"term"`
	Success       bool       `json:"success"`
	MatchIndex    raft.Index `json:"match_index,omitempty"`
	ConflictIndex raft.Index `json:"conflict_index,omitempty"`
	ConflictTerm  raft.Term  `json:"conflict_term,omitempty"`
	HoldsIndex    raft.Index `json:"holds_index,omitempty"`
	Busy          bool       `json:"busy,omitempty"`
	Round         raft.Round `json:"round,omitempty"`
	Repairing     bool       `json:"repairing,omitempty"`
	Floor         raft.Term  `json:"floor,omitempty"`
	surroundings
}

func (f *appendEntriesResponseForm) message(bool) (raft.Message, error) {
	if f.Floor > 0 && !f.Repairing {
		return nil, errors.New(`"floor" is of a node that is "repairing" alone`)
	}
	return raft.AppendEntriesResponse{
		Term: f.Term, Round: f.Round, Match: f.MatchIndex, Rejected: !f.Success,
		Conflict: raft.EntryID{Term: f.ConflictTerm, Index: f.ConflictIndex},
		Holds:    f.HoldsIndex, Busy: f.Busy, Repairing: f.Repairing, Floor: f.Floor,
	}, nil
}

type installSnapshotForm struct {
	Term raft.Term `json:"term"`
	leader
	LastIncludedIndex raft.Index `json:"last_included_index"`
	LastIncludedTerm  raft.Term  `json:"last_included_term"`
	Offset            uint64     `json:"offset"`
	Data              []byte     `json:"data"` // base64
	Size              uint64     `json:"size"`
	Checksum          uint32     `json:"checksum"`
	surroundings
}

func (f *installSnapshotForm) message(bool) (raft.Message, error) {
	m := raft.InstallSnapshot{
		Term: f.Term, Last: raft.EntryID{Term: f.LastIncludedTerm, Index: f.LastIncludedIndex},
		Size: f.Size, Offset: f.Offset, Checksum: f.Checksum,
	}
	if len(f.Data) > 0 {
		m.Data = f.Data
	}
	return m, nil
}

type installSnapshotResponseForm struct {
	answer
	Term              raft.Term  `json:"term"`
	LastIncludedIndex raft.Index `json:"last_included_index,omitempty"`
	LastIncludedTerm  raft.Term  `json:"last_included_term,omitempty"`
	NextOffset        uint64     `json:"next_offset"`
	Complete          bool       `json:"complete"`
	Repairing         bool       `json:"repairing,omitempty"`
	surroundings
}

func (f *installSnapshotResponseForm) message(bool) (raft.Message, error) {
	return raft.InstallSnapshotResponse{
		Term: f.Term, Last: raft.EntryID{Term: f.LastIncludedTerm, Index: f.LastIncludedIndex},
		Next: f.NextOffset, Complete: f.Complete, Repairing: f.Repairing,
	}, nil
}

type timeoutNowForm struct {
	Term raft.Term `json:"term"`
	leader
	Round raft.Round `json:"round,omitempty"`
	Start uint64     `json:"receiver_start,omitempty"`
	surroundings
}

func (f *timeoutNowForm) message(bool) (raft.Message, error) {
	return raft.TimeoutNow{Term: f.Term, Round: f.Round, Start: f.Start}, nil
}

type repairFloorForm struct {
	Number uint64 `json:"number"`
	surroundings
}

func (f *repairFloorForm) message(bool) (raft.Message, error) {
	return raft.RepairFloor{Number: f.Number}, nil
}

type repairFloorResponseForm struct {
	answer
	Number uint64    `json:"number"`
	Floor  raft.Term `json:"floor,omitempty"`
	surroundings
}

func (f *repairFloorResponseForm) message(bool) (raft.Message, error) {
	return raft.RepairFloorResponse{Number: f.Number, Floor: f.Floor}, nil
}

// forward is what all forwarded messages begin with: which leader is addressed, and the origin's name for
// what it forwards.
type forward struct {
	LeaderTerm  raft.Term `json:"leader_term"`
	OriginStart uint64    `json:"origin_start"`
	Number      uint64    `json:"number"`
}

type forwardProposalForm struct {
	forward
	Kind string `json:"kind,omitempty"` // absent: normal
	payload
	surroundings
}

func (f *forwardProposalForm) message(bool) (raft.Message, error) {
	m := raft.ForwardProposal{Leader: f.LeaderTerm, Start: f.OriginStart, Number: f.Number}
	switch f.Kind {
	case "", raft.Normal.String():
	case raft.Session.String():
		m.Kind = raft.Session
	default:
		return nil, fmt.Errorf(`"kind" is %q, must be "normal" or "session"`, f.Kind)
	}
	var err error
	m.Command, err = f.bytes()
	return m, err
}

type forwardProposalResponseForm struct {
	answer
	forward
	EntryIndex  raft.Index `json:"entry_index,omitempty"`
	EntryTerm   raft.Term  `json:"entry_term,omitempty"`
	Refused     bool       `json:"refused,omitempty"`
	NotAccepted bool       `json:"not_accepted,omitempty"`
	Overloaded  bool       `json:"overloaded,omitempty"`
	HandingOver bool       `json:"handing_over,omitempty"`
	surroundings
}

func (f *forwardProposalResponseForm) message(bool) (raft.Message, error) {
	return raft.ForwardProposalResponse{
		Leader: f.LeaderTerm, Start: f.OriginStart, Number: f.Number,
		Entry:   raft.EntryID{Term: f.EntryTerm, Index: f.EntryIndex},
		Refused: f.Refused, NotAccepted: f.NotAccepted, Overloaded: f.Overloaded,
		HandingOver: f.HandingOver,
	}, nil
}

type forwardReadForm struct {
	forward
	Lease bool `json:"lease,omitempty"`
	surroundings
}

func (f *forwardReadForm) message(bool) (raft.Message, error) {
	return raft.ForwardRead{
		Leader: f.LeaderTerm, Start: f.OriginStart, Number: f.Number, Lease: f.Lease,
	}, nil
}

type forwardReadResponseForm struct {
	answer
	forward
	Index      raft.Index `json:"index,omitempty"`
	Refused    bool       `json:"refused,omitempty"`
	Overloaded bool       `json:"overloaded,omitempty"`
	surroundings
}

func (f *forwardReadResponseForm) message(bool) (raft.Message, error) {
	return raft.ForwardReadResponse{
		Leader: f.LeaderTerm, Start: f.OriginStart, Number: f.Number, Index: f.Index, Refused: f.Refused,
		Overloaded: f.Overloaded,
	}, nil
}

// identityRefusedForm looks like every other error of the HTTP surface: a sentence, and a reason for
// programs.
type identityRefusedForm struct {
	answer
	Error  string              `json:"error"`
	Reason raft.IdentityReason `json:"reason"`
	surroundings
}

func (f *identityRefusedForm) message(bool) (raft.Message, error) {
	if f.Reason == 0 {
		return nil, errors.New(`"reason" is missing`)
	}
	return raft.IdentityRefused{Why: f.Reason}, nil
}
