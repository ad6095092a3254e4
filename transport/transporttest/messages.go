package transporttest

import "balsa/raft"

// exchange is a request and one of the responses to it; no response where the protocol has none.
type exchange struct{ request, response raft.Message }

// exchanges hold every message of the protocol at least once, with no field left at zero.
func exchanges() []exchange {
	last := raft.EntryID{Term: 8, Index: 1 << 40}
	entries := []raft.Entry{
		{Term: 8, Index: last.Index + 1, Time: 1_700_000_000_123_456_789, Kind: raft.NoOp},
		{Term: 9, Index: last.Index + 2, Time: 1_700_000_000_123_456_790, Kind: raft.Normal,
			Command: []byte("SET greeting héllo \x00 wörld <&>")},
		{Term: 9, Index: last.Index + 3, Time: -1, Kind: raft.Session, Command: []byte{0xff, 0, 0x80}},
	}
	return []exchange{
		{raft.PreVote{Term: 9, Last: last}, raft.PreVoteResponse{Term: 9, Granted: true}},
		{
			raft.RequestVote{Term: 9, Last: last, Forced: true},
			raft.RequestVoteResponse{Term: 9, Granted: true},
		},
		{raft.RequestVote{Term: 9, Last: last}, raft.IdentityRefused{Why: raft.OtherIncarnation}},
		{
			raft.AppendEntries{Term: 9, Prev: last, Entries: entries, Commit: 77, Round: 12},
			raft.AppendEntriesResponse{Term: 9, Round: 12, Match: last.Index + 2, Holds: last.Index + 3,
				Busy: true},
		},
		{
			raft.AppendEntries{Term: 9, Prev: last, Commit: 77, Round: 13},
			raft.AppendEntriesResponse{Term: 9, Round: 13, Rejected: true, Conflict: last},
		},
		{
			raft.InstallSnapshot{
				Term: 9, Last: last, Size: 9, Offset: 5, Data: []byte{1, 2, 0xff}, Checksum: 1 << 31,
			},
			raft.InstallSnapshotResponse{Term: 9, Last: last, Next: 8, Complete: true},
		},
		{
			raft.ForwardProposal{Leader: 9, Start: 7, Number: 3, Command: []byte("x")},
			raft.ForwardProposalResponse{
				Leader: 9, Start: 7, Number: 3, Entry: last, Refused: true, NotAccepted: true,
			},
		},
		{
			raft.ForwardRead{Leader: 9, Start: 7, Number: 4},
			raft.ForwardReadResponse{Leader: 9, Start: 7, Number: 4, Index: 5, Refused: true},
		},
		{raft.RepairFloor{Number: 7}, raft.RepairFloorResponse{Number: 7, Floor: 9}},
		{
			raft.AppendEntries{Term: 9, Prev: last, Commit: 77, Round: 13},
			raft.AppendEntriesResponse{Term: 9, Round: 13, Match: 5, Holds: 6, Repairing: true, Floor: 8},
		},
		{request: raft.TimeoutNow{Term: 9, Round: 14}},
		{request: raft.TimeoutNow{Term: 9, Round: 14, Start: 3}},
	}
}
