package wire

import (
	"encoding/binary"
	"fmt"

	"balsa/raft"
)

// kind numbers the messages in the binary form. A number is never given to another message; a layout that
// must change gets a number of its own.
type kind uint8

// Everything is u64 except where noted, in the order of the columns. An id of an entry is its term, then its
// index.
//
//	kind                             message
const (
	preVote                 kind = 1  // term, last
	preVoteResponse         kind = 2  // term, flags u8: 1 granted
	requestVote             kind = 3  // term, last, flags u8: 1 forced
	requestVoteResponse     kind = 4  // term, flags u8: 1 granted
	appendEntries           kind = 5  // term, prev, commit, round, count u32, count × entry (see AppendEntry)
	appendEntriesResponse   kind = 6  // term, round, match, conflict, holds, flags u8: 1 rejected, 2 busy
	installSnapshot         kind = 7  // term, last, size, offset, checksum u32, length u32, data
	installSnapshotResponse kind = 8  // term, last, next, flags u8: 1 complete, 2 repairing
	timeoutNow              kind = 9  // term, round
	forwardProposal         kind = 10 // leader, start, number, length u32, command
	forwardProposalResponse kind = 11 // …, entry, flags u8: 1 refused, 2 not accepted, 4 overloaded,
	//                                   8 handing over
	forwardRead            kind = 12 // leader, start, number
	forwardReadResponse    kind = 13 // leader, start, number, index, flags u8: 1 refused, 2 overloaded
	identityRefused        kind = 14 // reason u8
	forwardProposalOfKind  kind = 15 // leader, start, number, kind u8: 4 session; length u32, command
	repairFloor            kind = 16 // number
	repairFloorResponse    kind = 17 // number, floor
	appendEntriesRepairing kind = 18 // the response, repairing: floor, then as appendEntriesResponse
	timeoutNowForStart     kind = 19 // term, round, start: not 0
	forwardReadByLease     kind = 20 // leader, start, number

	lastKind = forwardReadByLease
)

// kindOf returns the number of a message, or 0 for none.
func kindOf(m raft.Message) kind {
	switch m := m.(type) {
	case raft.PreVote:
		return preVote
	case raft.PreVoteResponse:
		return preVoteResponse
	case raft.RequestVote:
		return requestVote
	case raft.RequestVoteResponse:
		return requestVoteResponse
	case raft.AppendEntries:
		return appendEntries
	case raft.AppendEntriesResponse:
		if m.Repairing {
			return appendEntriesRepairing
		}
		return appendEntriesResponse
	case raft.InstallSnapshot:
		return installSnapshot
	case raft.InstallSnapshotResponse:
		return installSnapshotResponse
	case raft.TimeoutNow:
		if m.Start != 0 {
			return timeoutNowForStart
		}
		return timeoutNow
	case raft.RepairFloor:
		return repairFloor
	case raft.RepairFloorResponse:
		return repairFloorResponse
	case raft.ForwardProposal:
		if normal(m.Kind) {
			return forwardProposal
		}
		return forwardProposalOfKind
	case raft.ForwardProposalResponse:
		return forwardProposalResponse
	case raft.ForwardRead:
		if m.Lease {
			return forwardReadByLease
		}
		return forwardRead
	case raft.ForwardReadResponse:
		return forwardReadResponse
	case raft.IdentityRefused:
		return identityRefused
	}
	return 0
}

// normal reports whether a forwarded proposal is of the kind that goes without saying.
func normal(k raft.Kind) bool { return k == 0 || k == raft.Normal }

// appendMessage appends the layout drawn at the message's kind.
func appendMessage(dst []byte, m raft.Message) []byte {
	switch m := m.(type) {
	case raft.PreVote:
		return appendID(appendNumbers(dst, uint64(m.Term)), m.Last)
	case raft.PreVoteResponse:
		return appendFlags(appendNumbers(dst, uint64(m.Term)), m.Granted)
	case raft.RequestVote:
		return appendFlags(appendID(appendNumbers(dst, uint64(m.Term)), m.Last), m.Forced)
	case raft.RequestVoteResponse:
		return appendFlags(appendNumbers(dst, uint64(m.Term)), m.Granted)
	case raft.AppendEntries:
		return appendAppendEntries(dst, m)
	case raft.AppendEntriesResponse:
		if m.Repairing {
			dst = appendNumbers(dst, uint64(m.Floor))
		}
		dst = appendNumbers(dst, uint64(m.Term), uint64(m.Round), uint64(m.Match))
		dst = appendNumbers(appendID(dst, m.Conflict), uint64(m.Holds))
		return appendFlags(dst, m.Rejected, m.Busy)
	case raft.InstallSnapshot:
		dst = appendNumbers(appendID(appendNumbers(dst, uint64(m.Term)), m.Last), m.Size, m.Offset)
		return appendBytes(binary.LittleEndian.AppendUint32(dst, m.Checksum), m.Data)
	case raft.InstallSnapshotResponse:
		dst = appendNumbers(appendID(appendNumbers(dst, uint64(m.Term)), m.Last), m.Next)
		return appendFlags(dst, m.Complete, m.Repairing)
	case raft.TimeoutNow:
		dst = appendNumbers(dst, uint64(m.Term), uint64(m.Round))
		if m.Start != 0 {
			dst = appendNumbers(dst, m.Start)
		}
		return dst
	case raft.RepairFloor:
		return appendNumbers(dst, m.Number)
	case raft.RepairFloorResponse:
		return appendNumbers(dst, m.Number, uint64(m.Floor))
	case raft.ForwardProposal:
		dst = appendNumbers(dst, uint64(m.Leader), m.Start, m.Number)
		if !normal(m.Kind) {
			dst = append(dst, byte(m.Kind))
		}
		return appendBytes(dst, m.Command)
	case raft.ForwardProposalResponse:
		dst = appendID(appendNumbers(dst, uint64(m.Leader), m.Start, m.Number), m.Entry)
		return appendFlags(dst, m.Refused, m.NotAccepted, m.Overloaded, m.HandingOver)
	case raft.ForwardRead:
		return appendNumbers(dst, uint64(m.Leader), m.Start, m.Number)
	case raft.ForwardReadResponse:
		dst = appendNumbers(dst, uint64(m.Leader), m.Start, m.Number, uint64(m.Index))
		return appendFlags(dst, m.Refused, m.Overloaded)
	case raft.IdentityRefused:
		return append(dst, byte(m.Why))
	}
	panic(fmt.Sprintf("wire: no layout for %T", m))
}

func appendAppendEntries(dst []byte, m raft.AppendEntries) []byte {
	dst = appendID(appendNumbers(dst, uint64(m.Term)), m.Prev)
	dst = appendNumbers(dst, uint64(m.Commit), uint64(m.Round))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(m.Entries)))
	for _, e := range m.Entries {
		dst = AppendEntry(dst, e)
	}
	return dst
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	return dst
}

func appendID(dst []byte, id raft.EntryID) []byte {
	return appendNumbers(dst, uint64(id.Term), uint64(id.Index))
}

func appendBytes(dst, data []byte) []byte {
	if len(data) > MaxCommand {
		panic(fmt.Sprintf("wire: %d bytes of data, at most %d", len(data), MaxCommand))
	}
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(data))), data...)
}

// appendFlags appends one byte in which the n-th flag is bit n.
func appendFlags(dst []byte, flags ...bool) []byte {
	var b byte
	for bit, set := range flags {
		if set {
			b |= 1 << bit
		}
	}
	return append(dst, b)
}
