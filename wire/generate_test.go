package wire

import (
	"math"

	"pgregory.net/rapid"

	"balsa/raft"
)

// This file draws what the tests encode: any message that Go can hold and the formats promise to carry.

func drawNumber[T ~uint64](t *rapid.T, label string) T {
	small := rapid.Uint64Range(0, 1000)
	return T(rapid.OneOf(small, rapid.Uint64Range(0, math.MaxInt64), rapid.Uint64()).Draw(t, label))
}

func drawID(t *rapid.T, label string) raft.EntryID {
	return raft.EntryID{
		Term: drawNumber[raft.Term](t, label+" term"), Index: drawNumber[raft.Index](t, label+" index"),
	}
}

func drawBool(t *rapid.T, label string) bool { return rapid.Bool().Draw(t, label) }

// drawBytes draws nil, text, or bytes that are no text.
func drawBytes(t *rapid.T, label string) []byte {
	text := rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })
	b := rapid.OneOf(rapid.Just[[]byte](nil), text, rapid.SliceOf(rapid.Byte())).Draw(t, label)
	if len(b) == 0 {
		return nil // the formats do not tell no bytes from empty ones
	}
	return b
}

func drawEntry(t *rapid.T) raft.Entry {
	return raft.Entry{
		Term:    max(1, drawNumber[raft.Term](t, "term")),
		Index:   drawNumber[raft.Index](t, "index"),
		Time:    raft.Time(rapid.Int64().Draw(t, "time")),
		Kind:    raft.Kind(rapid.Uint8Range(uint8(raft.Normal), uint8(raft.Session)).Draw(t, "kind")),
		Command: drawBytes(t, "command"),
	}
}

// drawEntries draws entries in a row, as leaders send them, or with any indexes.
func drawEntries(t *rapid.T, after raft.Index) (entries []raft.Entry) {
	inRow := drawBool(t, "in a row")
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		e := drawEntry(t)
		if inRow {
			e.Index = after + 1 + raft.Index(i)
		}
		entries = append(entries, e)
	}
	return entries
}

func drawIdentity(t *rapid.T) (who raft.Identity) {
	copy(who.Cluster[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "cluster"))
	who.Cluster[0] |= 1 // the zero id is no cluster
	who.Node = max(1, drawNumber[raft.NodeID](t, "node"))
	who.Incarnation = drawNumber[raft.Incarnation](t, "incarnation")
	who.Start = drawNumber[uint64](t, "start")
	who.Configuration = drawNumber[raft.Index](t, "configuration")
	who.API = rapid.StringMatching(`[!-~]{0,255}`).Draw(t, "api")
	if drawBool(t, "says") {
		who.Address = rapid.StringMatching(`[!-~]{0,255}`).Draw(t, "address")
		who.Version = rapid.Uint32().Draw(t, "version")
	}
	return who
}

func drawEnvelope(t *rapid.T) raft.Envelope {
	k := kind(rapid.Uint8Range(1, uint8(lastKind)).Draw(t, "kind"))
	return raft.Envelope{
		From: drawIdentity(t), To: drawNumber[raft.NodeID](t, "to"),
		Sequence: drawNumber[raft.Sequence](t, "sequence"), Message: drawMessage(t, k),
	}
}

func drawMessage(t *rapid.T, k kind) raft.Message {
	term := drawNumber[raft.Term](t, "term")
	switch k {
	case preVote:
		return raft.PreVote{Term: term, Last: drawID(t, "last")}
	case preVoteResponse:
		return raft.PreVoteResponse{Term: term, Granted: drawBool(t, "granted")}
	case requestVote:
		return raft.RequestVote{Term: term, Last: drawID(t, "last"), Forced: drawBool(t, "forced")}
	case requestVoteResponse:
		return raft.RequestVoteResponse{Term: term, Granted: drawBool(t, "granted")}
	case appendEntries:
		m := raft.AppendEntries{Term: term, Prev: drawID(t, "prev")}
		m.Commit, m.Round = drawNumber[raft.Index](t, "commit"), drawNumber[raft.Round](t, "round")
		m.Entries = drawEntries(t, m.Prev.Index)
		return m
	case appendEntriesResponse, appendEntriesRepairing:
		m := raft.AppendEntriesResponse{
			Term: term, Round: drawNumber[raft.Round](t, "round"), Match: drawNumber[raft.Index](t, "match"),
			Holds: drawNumber[raft.Index](t, "holds"), Conflict: drawID(t, "conflict"),
			Rejected: drawBool(t, "rejected"), Busy: drawBool(t, "busy"),
		}
		if k == appendEntriesRepairing {
			m.Repairing, m.Floor = true, drawNumber[raft.Term](t, "floor")
		}
		return m
	case installSnapshot:
		return raft.InstallSnapshot{
			Term: term, Last: drawID(t, "last"), Size: drawNumber[uint64](t, "size"),
			Offset: drawNumber[uint64](t, "offset"), Checksum: rapid.Uint32().Draw(t, "checksum"),
			Data: drawBytes(t, "data"),
		}
	case installSnapshotResponse:
		return raft.InstallSnapshotResponse{
			Term: term, Last: drawID(t, "last"),
			Next: drawNumber[uint64](t, "next"), Complete: drawBool(t, "complete"),
			Repairing: drawBool(t, "repairing"),
		}
	case timeoutNow:
		return raft.TimeoutNow{Term: term, Round: drawNumber[raft.Round](t, "round")}
	case repairFloor:
		return raft.RepairFloor{Number: drawNumber[uint64](t, "number")}
	case repairFloorResponse:
		return raft.RepairFloorResponse{Number: drawNumber[uint64](t, "number"), Floor: term}
	case timeoutNowForStart:
		return raft.TimeoutNow{Term: term, Round: drawNumber[raft.Round](t, "round"),
			Start: max(1, drawNumber[uint64](t, "start"))}
	}
	return drawForward(t, k, term)
}

func drawForward(t *rapid.T, k kind, term raft.Term) raft.Message {
	start, number := drawNumber[uint64](t, "start"), drawNumber[uint64](t, "number")
	switch k {
	case forwardProposal:
		return raft.ForwardProposal{
			Leader: term, Start: start, Number: number, Command: drawBytes(t, "command"),
		}
	case forwardProposalOfKind:
		return raft.ForwardProposal{
			Leader: term, Start: start, Number: number, Kind: raft.Session, Command: drawBytes(t, "command"),
		}
	case forwardProposalResponse:
		return raft.ForwardProposalResponse{
			Leader: term, Start: start, Number: number, Entry: drawID(t, "entry"),
			Refused: drawBool(t, "refused"), NotAccepted: drawBool(t, "not accepted"),
			Overloaded: drawBool(t, "overloaded"), HandingOver: drawBool(t, "handing over"),
		}
	case forwardRead:
		return raft.ForwardRead{Leader: term, Start: start, Number: number}
	case forwardReadByLease:
		return raft.ForwardRead{Leader: term, Start: start, Number: number, Lease: true}
	case forwardReadResponse:
		return raft.ForwardReadResponse{
			Leader: term, Start: start, Number: number,
			Index: drawNumber[raft.Index](t, "index"), Refused: drawBool(t, "refused"),
			Overloaded: drawBool(t, "overloaded"),
		}
	}
	return raft.IdentityRefused{Why: raft.IdentityReason(rapid.Uint8Range(1, 255).Draw(t, "why"))}
}
