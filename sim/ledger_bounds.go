package sim

import "balsa/raft"

// Bounds (I14): what is under way in one server has a cap, however slow its disk, its state machine and the
// others are. Each cap is one of raft.Limits, and lets one entry through, however large, when nothing else is
// under way.
//
//	entries of one message                    AppendBytes
//	messages with entries to one follower     Window
//	their entries                             InFlightBytes, and one message
//	entries of a leader, not committed        UncommittedBytes
//	entries handed out and not durable        BacklogBytes: beyond it none are taken
//	entries committed and not applied         BacklogBytes: beyond it none are taken
//	messages that leave in one moment         leavingAtMost
//	messages over a whole run                 talkative

// bytesOf is how many bytes the entries of a log have, up to an index.
func bytesOf(log []logged, through raft.Index) int {
	if through == 0 {
		return 0
	}
	return log[through-1].bytes
}

// bytesBetween is how many bytes the entries behind one index have, up to another.
func bytesBetween(log []logged, after, through raft.Index) int {
	if after >= through {
		return 0
	}
	return bytesOf(log, through) - bytesOf(log, after)
}

// checkRoom holds that nobody takes entries while its disk or its state machine is behind by more than the
// budget (raft.Limits.BacklogBytes). What was handed out before this moment and is not done after it was
// waiting all the time. The first few entries of the log are what they were; the rest was added.
func (l *ledger) checkRoom(m Moment, o *observed, s *sight, same int, added []raft.Entry) bool {
	if len(added) == 0 || s.role == raft.Leader && !appendsAsLeader(o, s, added) {
		return true
	}
	stays := raft.Index(same)
	unsynced := bytesBetween(o.log, s.durable, min(o.last.Index, stays))
	unapplied := bytesBetween(o.log, s.applied, min(o.commit, o.durable, stays))
	if max(unsynced, unapplied) <= l.limits.BacklogBytes {
		return true
	}
	return l.accuse(Bounds, attest(o.at, o.id, "holds entries up to %d, durably up to %d, applied up to %d",
		o.last.Index, o.durable, o.applied), attest(m, o.id, "takes entry %v", added[0].ID()),
		"n%v took entries while %d bytes were not durable and %d not applied, at most %d are allowed", o.id,
		unsynced, unapplied, l.limits.BacklogBytes)
}

// appendsAsLeader reports whether a server has led all the time and appended a command. No-ops it must take.
func appendsAsLeader(o *observed, s *sight, added []raft.Entry) bool {
	if o.role != raft.Leader || o.term != s.term {
		return false
	}
	for i := range added {
		if added[i].Kind == raft.Normal || added[i].Kind == raft.Session {
			return true
		}
	}
	return false
}

// checkFlight bounds the entries on their way to one follower. What a leader sends runs ahead of what is
// acknowledged, from match to next. The message with which it reached the bound may be a large one.
func (l *ledger) checkFlight(m Moment, o *observed, p *raft.Progress) bool {
	if p.Probing || int(p.Next) > len(o.log)+1 {
		return true
	}
	bytes := bytesBetween(o.log, p.Match, p.Next-1)
	most := l.limits.InFlightBytes + max(l.limits.AppendBytes, l.largest)
	return bytes <= most || l.accuse(Bounds, attest(o.elected, o.id, "leads"),
		attest(m, o.id, "knows n%v to hold its log up to %d and is to send it entry %d next", p.ID, p.Match,
			p.Next), "n%v has %d bytes of entries on their way to n%v, at most %d are allowed", o.id, bytes,
		p.ID, most)
}

// checkAppended holds that a leader takes no command while too much is uncommitted. What it does not take
// part in is the no-op, and what it found in its log when it was elected. From the last entry back: what was
// uncommitted before an entry is what is uncommitted now without it and those after it.
func (l *ledger) checkAppended(m Moment, o *observed, s *sight, added []raft.Entry) bool {
	if o.role != raft.Leader || s.role != raft.Leader || o.term != s.term {
		return true
	}
	rest := s.uncommitted
	for i := len(added) - 1; i >= 0; i-- {
		e := &added[i]
		rest -= e.Size()
		if e.Kind == raft.Normal && rest > 0 && rest+len(e.Command) > l.limits.UncommittedBytes {
			return l.accuse(Bounds, attest(o.at, o.id, "leads with %d bytes uncommitted", o.uncommitted),
				attest(m, o.id, "takes entry %v of %d bytes", e.ID(), len(e.Command)),
				"n%v took a command of %d bytes with %d uncommitted, at most %d are allowed", o.id,
				len(e.Command), rest, l.limits.UncommittedBytes)
		}
	}
	return true
}

// checkSize bounds one message. An entry larger than the bound travels alone.
func (l *ledger) checkSize(m Moment, id, to raft.NodeID, entries []raft.Entry) bool {
	if len(entries) < 2 {
		return true
	}
	bytes := 0
	for i := range entries {
		bytes += entries[i].Size()
	}
	return bytes <= l.limits.AppendBytes || l.accuse(Bounds, attest(l.servers[id-1].elected, id, "leads"),
		attest(m, id, "sends %d entries to n%v", len(entries), to),
		"n%v sent %d bytes of entries in one message, at most %d are allowed", id, bytes,
		l.limits.AppendBytes)
}
