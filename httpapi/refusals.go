package httpapi

import (
	"net/http"

	"balsa/client"
	"balsa/raft"
)

// refusalRow is one row of the table that maps why a change of the membership is refused to HTTP.
type refusalRow struct {
	why    raft.Refusal
	status int
	code   client.Code
}

// refusals is that table. 409: the cluster stands against it, and may not at another time. 422: it will never
// do. Those of a leader that cannot do anything at the moment have kinds of their own, see causes.
func refusals() []refusalRow {
	return []refusalRow{
		{raft.NotCommittedInTerm, http.StatusConflict, client.CodeLeaderNotSettled},
		{raft.VotersSilent, http.StatusConflict, client.CodeWouldLoseQuorum},
		{raft.NoVoterLeft, http.StatusUnprocessableEntity, client.CodeNoVoterLeft},
		{raft.NamedTwice, http.StatusUnprocessableEntity, client.CodeNamedTwice},
		{raft.UnknownMember, http.StatusNotFound, client.CodeMemberNotFound},
		{raft.AlreadyMember, http.StatusConflict, client.CodeMemberExists},
		{raft.NoSuchVoter, http.StatusConflict, client.CodeNotAVoter},
		{raft.NoSuchLearner, http.StatusConflict, client.CodeNotALearner},
		{raft.WouldBePromoted, http.StatusConflict, client.CodeWouldBePromoted},
		{raft.IncarnationOfVoter, http.StatusConflict, client.CodeIncarnationChanged},
		{raft.BadMember, http.StatusUnprocessableEntity, client.CodeBadMember},
		{raft.VersionLowered, http.StatusUnprocessableEntity, client.CodeVersionLowered},
		{raft.VersionUnsupported, http.StatusConflict, client.CodeVersionUnsupported},
		{raft.VersionTooLow, http.StatusConflict, client.CodeVersionTooLow},
		{raft.DriftTooLarge, http.StatusUnprocessableEntity, client.CodeDriftTooLarge},
		{raft.LearnerBehind, http.StatusConflict, client.CodeLearnerBehind},
	}
}
