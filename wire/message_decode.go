package wire

import "balsa/raft"

// decodeMessage reads the layout drawn at the kind. What is wrong with it, the cursor remembers.
func decodeMessage(k kind, c *cursor) raft.Message {
	switch k {
	case preVote:
		return raft.PreVote{Term: number[raft.Term](c), Last: decodeID(c)}
	case preVoteResponse:
		return raft.PreVoteResponse{Term: number[raft.Term](c), Granted: c.flags(1) == 1}
	case requestVote:
		return raft.RequestVote{Term: number[raft.Term](c), Last: decodeID(c), Forced: c.flags(1) == 1}
	case requestVoteResponse:
		return raft.RequestVoteResponse{Term: number[raft.Term](c), Granted: c.flags(1) == 1}
	case appendEntries:
		return decodeAppendEntries(c)
	case appendEntriesResponse:
		return decodeAppendEntriesResponse(c)
	case appendEntriesRepairing:
		floor := number[raft.Term](c)
		m := decodeAppendEntriesResponse(c)
		m.Repairing, m.Floor = true, floor
		return m
	case installSnapshot:
		return decodeInstallSnapshot(c)
	case installSnapshotResponse:
		m := raft.InstallSnapshotResponse{
			Term: number[raft.Term](c), Last: decodeID(c), Next: number[uint64](c),
		}
		flags := c.flags(1 | 2)
		m.Complete, m.Repairing = flags&1 != 0, flags&2 != 0
		return m
	case timeoutNow:
		return raft.TimeoutNow{Term: number[raft.Term](c), Round: number[raft.Round](c)}
	case repairFloor:
		return raft.RepairFloor{Number: number[uint64](c)}
	case repairFloorResponse:
		return raft.RepairFloorResponse{Number: number[uint64](c), Floor: number[raft.Term](c)}
	case timeoutNowForStart:
		m := raft.TimeoutNow{Term: number[raft.Term](c), Round: number[raft.Round](c)}
		if m.Start = number[uint64](c); m.Start == 0 { // that has a layout of its own
			c.fail("an order to campaign for start 0")
		}
		return m
	}
	return decodeForward(k, c)
}

// decodeForward reads the messages beside the protocol: forwarding and the refusal of an identity.
func decodeForward(k kind, c *cursor) raft.Message {
	if k == identityRefused {
		return raft.IdentityRefused{Why: raft.IdentityReason(c.u8())}
	}
	leader, start, count := number[raft.Term](c), number[uint64](c), number[uint64](c)
	switch k {
	case forwardProposal:
		return raft.ForwardProposal{Leader: leader, Start: start, Number: count, Command: c.bytes()}
	case forwardProposalOfKind:
		m := raft.ForwardProposal{Leader: leader, Start: start, Number: count, Kind: raft.Kind(c.u8())}
		if m.Kind != raft.Session { // no other is proposed, and a normal one has a layout of its own
			c.fail("a forwarded proposal of kind %v", m.Kind)
		}
		m.Command = c.bytes()
		return m
	case forwardProposalResponse:
		m := raft.ForwardProposalResponse{Leader: leader, Start: start, Number: count, Entry: decodeID(c)}
		flags := c.flags(1 | 2 | 4 | 8)
		m.Refused, m.NotAccepted = flags&1 != 0, flags&2 != 0
		m.Overloaded, m.HandingOver = flags&4 != 0, flags&8 != 0
		return m
	case forwardRead, forwardReadByLease:
		return raft.ForwardRead{Leader: leader, Start: start, Number: count, Lease: k == forwardReadByLease}
	case forwardReadResponse:
		m := raft.ForwardReadResponse{Leader: leader, Start: start, Number: count}
		m.Index = number[raft.Index](c)
		flags := c.flags(1 | 2)
		m.Refused, m.Overloaded = flags&1 != 0, flags&2 != 0
		return m
	}
	c.fail("not a kind that this program knows")
	return nil
}

func decodeAppendEntries(c *cursor) raft.AppendEntries {
	m := raft.AppendEntries{
		Term: number[raft.Term](c), Prev: decodeID(c),
		Commit: number[raft.Index](c), Round: number[raft.Round](c),
	}
	count := c.u32()
	if uint64(count)*entryHeader > uint64(len(c.src)) {
		c.fail("%d entries in %d bytes", count, len(c.src))
	}
	if c.err != nil || count == 0 {
		return m
	}
	m.Entries = make([]raft.Entry, count)
	for i := range m.Entries {
		if m.Entries[i], c.src, c.err = DecodeEntry(c.src); c.err != nil {
			return raft.AppendEntries{}
		}
	}
	return m
}

func decodeAppendEntriesResponse(c *cursor) raft.AppendEntriesResponse {
	m := raft.AppendEntriesResponse{
		Term: number[raft.Term](c), Round: number[raft.Round](c),
		Match: number[raft.Index](c), Conflict: decodeID(c), Holds: number[raft.Index](c),
	}
	flags := c.flags(1 | 2)
	m.Rejected, m.Busy = flags&1 != 0, flags&2 != 0
	return m
}

func decodeInstallSnapshot(c *cursor) raft.InstallSnapshot {
	return raft.InstallSnapshot{
		Term: number[raft.Term](c), Last: decodeID(c), Size: number[uint64](c), Offset: number[uint64](c),
		Checksum: c.u32(), Data: c.bytes(),
	}
}

func decodeID(c *cursor) raft.EntryID {
	return raft.EntryID{Term: number[raft.Term](c), Index: number[raft.Index](c)}
}
