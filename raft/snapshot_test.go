package raft

import (
	"strings"
	"testing"
)

// leaderBehind makes server 1 the leader of term 3, with a snapshot up to 5/t2 and nothing before it in its
// log; its no-op is 6/t3. Followers have been sent their first probe.
func leaderBehind(t *testing.T) *Core {
	t.Helper()
	c := behindSnapshot(t)
	leadNow(t, c)
	settle(c)
	return c
}

// sentTo collects what the server sends to one other, without making anything durable.
func sentTo(c *Core, to NodeID) (letters []Letter) {
	for _, l := range c.Output().Messages {
		if l.To == to {
			letters = append(letters, l)
		}
	}
	return letters
}

// installOf picks the only InstallSnapshot of what was sent, or fails.
func installOf(t *testing.T, letters []Letter) (Letter, InstallSnapshot) {
	t.Helper()
	var found []Letter
	for _, l := range letters {
		if _, is := l.Message.(InstallSnapshot); is {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		t.Fatalf("one InstallSnapshot expected among %+v", letters)
	}
	return found[0], found[0].Message.(InstallSnapshot)
}

// none fails when there is an InstallSnapshot.
func none(t *testing.T, letters []Letter) {
	t.Helper()
	for _, l := range letters {
		if _, is := l.Message.(InstallSnapshot); is {
			t.Fatalf("sends %+v", l)
		}
	}
}

// lacks lets a follower reject the probe that is on its way to it: its log ends at an index.
func lacks(c *Core, from NodeID, index Index) {
	probe := c.peer(from).onTheWay[0]
	c.Step(0, Receive{From: from, Sequence: probe.sequence, Message: AppendEntriesResponse{Term: 3, Round: 1,
		Rejected: true, Conflict: EntryID{Term: min(1, Term(index)), Index: index}}})
}

// completes lets a follower say that a snapshot is in force.
func completes(c *Core, from NodeID, last EntryID) {
	c.Step(0, Receive{From: from, Message: InstallSnapshotResponse{Term: 3, Last: last, Complete: true}})
	c.Audit()
}

// holds lets a follower say that it durably holds our log up to an index.
func holds(c *Core, from NodeID, index Index) {
	c.Step(0, Receive{From: from,
		Message: AppendEntriesResponse{Term: 3, Round: 1, Match: index, Holds: index}})
}

// says lets a follower answer about a snapshot.
func says(c *Core, from NodeID, sequence Sequence, last EntryID, next uint64) {
	c.Step(0, Receive{From: from, Sequence: sequence,
		Message: InstallSnapshotResponse{Term: 3, Last: last, Next: next}})
	c.Audit()
}

// TestAFollowerBehindTheLogIsSentTheSnapshot from the question to what follows the last byte.
func TestAFollowerBehindTheLogIsSentTheSnapshot(t *testing.T) {
	c := leaderBehind(t)
	last := EntryID{2, 5}
	lacks(c, 2, 3)
	l, m := installOf(t, sentTo(c, 2))
	if !l.Ask || m.Last != last || m.Offset != 0 || m.Size != 100 || m.Term != 3 {
		t.Fatalf("it begins with %+v", l)
	}
	says(c, 2, l.Sequence, last, 40) // 40 bytes came from an earlier leader
	l, m = installOf(t, sentTo(c, 2))
	if l.Ask || m.Offset != 40 {
		t.Fatalf("it goes on with %+v", l)
	}
	if p := c.Status().Progress[0]; !p.Installing || p.Offset != 40 || p.Size != 100 {
		t.Errorf("its status is %+v", p)
	}
	says(c, 2, l.Sequence, last, 100)
	none(t, sentTo(c, 2)) // the follower restores its machine
	completes(c, 2, last)
	p := c.Status().Progress[0]
	if p.Installing || p.Match != 5 || p.Next != 6 {
		t.Errorf("at the end its status is %+v", p)
	}
	sent := sentTo(c, 2)
	if len(sent) != 1 || sent[0].Message.(AppendEntries).Prev != last {
		t.Errorf("then %+v", sent)
	}
	rejected := AppendEntriesResponse{Term: 3, Round: 1, Rejected: true, Conflict: EntryID{1, 3}}
	c.Step(0, Receive{From: 2, Sequence: sent[0].Sequence, Message: rejected})
	if c.refused != 1 || c.Status().Progress[0].Installing {
		t.Error("a follower that lost its snapshot is sent it once more")
	}
}

// TestAFollowerFarBehindIsNotProbed: what it lacks is not in our log, wherever that could be joined.
func TestAFollowerFarBehindIsNotProbed(t *testing.T) {
	c := behindSnapshot(t, 2, 2, 2)
	leadNow(t, c)
	settle(c)
	lacks(c, 2, 3)
	if l, _ := installOf(t, sentTo(c, 2)); !l.Ask {
		t.Errorf("it is sent %+v", l)
	}
}

// TestALostChunkIsAskedFor after a patience that grows and is bounded.
func TestALostChunkIsAskedFor(t *testing.T) {
	c := leaderBehind(t)
	c.config.NoCheckQuorum = true
	lacks(c, 2, 0)
	l, _ := installOf(t, sentTo(c, 2))
	says(c, 2, l.Sequence, EntryID{2, 5}, 0)
	installOf(t, sentTo(c, 2)) // and is lost
	waited, gaps := 0, []int{}
	for ; len(gaps) < 9 && waited < 10_000; waited++ {
		c.Step(0, Tick{})
		for _, l := range sentTo(c, 2) {
			if _, is := l.Message.(InstallSnapshot); !is {
				continue
			}
			if !l.Ask {
				t.Fatal("the chunk is sent again unasked")
			}
			gaps = append(gaps, waited)
			waited = 0
		}
	}
	beat := c.config.Heartbeat
	if len(gaps) < 9 || gaps[0] > beat || gaps[1] < 2*gaps[0]-2 ||
		gaps[8] > maxPatience*beat || gaps[8] < maxPatience*beat/2 {
		t.Errorf("it asks after %v ticks", gaps)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 3, Round: 1, Rejected: true}})
	for range beat {
		c.Step(0, Tick{})
	}
	installOf(t, sentTo(c, 2)) // one that is heard again is asked soon
}

// TestWhatIsNeverStoredIsSentEverMoreRarely though each question is answered at once. When something is
// stored, it goes on as fast as before.
func TestWhatIsNeverStoredIsSentEverMoreRarely(t *testing.T) {
	c := leaderBehind(t)
	last, beat := EntryID{2, 5}, c.config.Heartbeat
	lacks(c, 2, 0)
	var sent []int // at which ticks
	for now := 0; now < 400*beat && len(sent) < 9; now++ {
		for _, l := range sentTo(c, 2) {
			switch m := l.Message.(type) {
			case InstallSnapshot:
				if !l.Ask {
					sent = append(sent, now)
				}
				says(c, 2, l.Sequence, last, uint64(len(sent)/9)) // the ninth is stored
			case AppendEntries:
				c.Step(0, Receive{From: 2, Sequence: l.Sequence, Message: AppendEntriesResponse{
					Term: 3, Round: m.Round, Rejected: true, Conflict: EntryID{1, 3}}})
			}
		}
		c.Step(0, Tick{})
	}
	if len(sent) < 9 || sent[1] > 2*beat || sent[8]-sent[7] < maxPatience*beat {
		t.Errorf("with a heartbeat every %d ticks it is sent at %v", beat, sent)
	}
	if got := c.peer(2).transfer.patience; got != beat {
		t.Errorf("after something was stored the patience is %d", got)
	}
}

// TestOneChunkAtATime whatever is repeated or late.
func TestOneChunkAtATime(t *testing.T) {
	c := leaderBehind(t)
	last := EntryID{2, 5}
	lacks(c, 2, 0)
	ask, _ := installOf(t, sentTo(c, 2))
	says(c, 2, ask.Sequence, last, 0)
	first, _ := installOf(t, sentTo(c, 2))
	says(c, 2, ask.Sequence, last, 0)
	none(t, sentTo(c, 2)) // the answer to the question, repeated
	says(c, 2, first.Sequence, EntryID{2, 4}, 30)
	none(t, sentTo(c, 2)) // the answer about another snapshot
	says(c, 2, first.Sequence, last, 0)
	none(t, sentTo(c, 2)) // it could not be stored: not again at once
	tickTimes(c, c.config.Heartbeat)
	again, _ := installOf(t, sentTo(c, 2))
	says(c, 2, first.Sequence, last, 30) // late, and still progress
	second, m := installOf(t, sentTo(c, 2))
	if m.Offset != 30 || second.Ask {
		t.Errorf("after the late answer it sends %+v", second)
	}
	says(c, 2, again.Sequence, last, 30)
	says(c, 2, ask.Sequence, last, 0)
	if none(t, sentTo(c, 2)); c.peer(2).transfer.offset != 30 {
		t.Error("an old answer turns it back")
	}
	before := c.refused
	says(c, 2, second.Sequence, last, 101)
	if none(t, sentTo(c, 2)); c.refused != before+1 {
		t.Error("more than there is was believed")
	}
}

// TestALateWordOfASnapshotCounts if there can be such a snapshot.
func TestALateWordOfASnapshotCounts(t *testing.T) {
	for last, want := range map[EntryID]Index{
		{2, 5}: 5, {1, 4}: 4, // below our log, whatever its term
		{3, 6}: 0, {2, 7}: 0, {1, 5}: 0, // not committed, beyond the log, another entry
	} {
		c := leaderBehind(t)
		completes(c, 2, last)
		c.Audit()
		if p := c.peer(2); p.match != want || (c.refused > 0) != (want == 0) {
			t.Errorf("of %v: match %d, refused %d", last, p.match, c.refused)
		}
	}
	c := leaderBehind(t)
	old := InstallSnapshotResponse{Term: 2, Last: EntryID{2, 5}, Complete: true}
	c.Step(0, Receive{From: 2, Message: old})
	if c.peer(2).match != 0 {
		t.Error("in an answer of an earlier term")
	}
}

// TestHeartbeatsGoOnBesideASnapshot and a rejection of one is contact, confirms a round, and disturbs
// nothing.
func TestHeartbeatsGoOnBesideASnapshot(t *testing.T) {
	c := leaderBehind(t)
	lacks(c, 2, 0)
	installOf(t, sentTo(c, 2))
	tickTimes(c, c.config.Heartbeat)
	beats := 0
	for _, l := range sentTo(c, 2) {
		m, is := l.Message.(AppendEntries)
		if !is {
			continue
		}
		if beats++; m.Prev != (EntryID{2, 5}) || len(m.Entries) > 0 {
			t.Errorf("a heartbeat is %+v", m)
		}
		c.Step(0, Receive{From: 2, Sequence: l.Sequence, Message: AppendEntriesResponse{
			Term: 3, Round: m.Round, Rejected: true, Conflict: EntryID{1, 3}}})
	}
	p := c.peer(2)
	if beats == 0 || p.silent != 0 || p.round != c.leading.round || c.refused > 0 || !p.transfer.on() {
		t.Errorf("after %d heartbeats: %+v, refused %d", beats, p, c.refused)
	}
	// It turns out to hold our log after all: its disk was slow, or another leader sent the snapshot.
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 3, Round: 2, Match: 5, Holds: 5}})
	if sent := sentTo(c, 2); len(sent) != 1 || len(sent[0].Message.(AppendEntries).Entries) != 1 {
		t.Errorf("then it is sent %+v", sent)
	}
	if c.Status().Progress[0].Installing {
		t.Error("it is still installing")
	}
}

// snapshots has entries up to an index proposed, committed with the help of server 3, applied, and taken a
// snapshot of.
func snapshots(c *Core, index Index, size uint64) {
	for c.log.last().Index < index {
		c.Step(0, Propose{})
	}
	settle(c)
	holds(c, 3, index)
	c.Output()
	c.Step(0, Applied{Index: index})
	c.Step(0, Snapshotted{Snapshot: Snapshot{Last: EntryID{3, index}, Size: size, Members: three(),
		Time: c.log.at(index).Time}})
	c.Audit()
}

// TestAFollowerNeedNotChaseSnapshots: what follows the one that is sent to it is kept until it has caught up,
// unless that is too much or it has fallen silent.
func TestAFollowerNeedNotChaseSnapshots(t *testing.T) {
	joining := func() *Core {
		c := leaderBehind(t)
		c.config.Limits.TrailingBytes, c.config.Limits.SnapshotBytes = -1, 100
		lacks(c, 2, 0)
		installOf(t, sentTo(c, 2))
		return c
	}
	begins := func(c *Core, want Index, when string) {
		t.Helper()
		if got := c.Status().First; got != want {
			t.Errorf("%s the log begins at %d, want %d", when, got, want)
		}
	}
	c := joining()
	snapshots(c, 8, 1) // three entries of 32 bytes
	begins(c, 6, "while its snapshot is sent")
	if c.overloaded(150) {
		t.Error("a proposal is refused for what is kept")
	}
	completes(c, 2, EntryID{2, 5})
	sent := sentTo(c, 2)
	if none(t, sent); len(sent) != 1 || len(sent[0].Message.(AppendEntries).Entries) != 3 {
		t.Errorf("then it is sent %+v", sent)
	}
	holds(c, 2, 7)
	snapshots(c, 10, 1)
	begins(c, 8, "while it catches up")
	c.Step(0, Propose{})
	settle(c)
	holds(c, 2, 11)
	snapshots(c, 11, 1)
	begins(c, 12, "when it has caught up")
	snapshots(c, 12, 1)
	begins(c, 13, "when it is behind later on")

	c = joining()
	snapshots(c, 9, 1)
	begins(c, 10, "when there is too much")
	c = joining()
	c.peer(2).silent = c.config.ElectionMin
	snapshots(c, 8, 1)
	begins(c, 9, "when it is silent")
}

// TestANewerSnapshot: a transfer that runs goes on with its own, as long as that is one of the two that are
// kept.
func TestANewerSnapshot(t *testing.T) {
	c := leaderBehind(t)
	c.config.Limits.TrailingBytes, c.config.Limits.SnapshotBytes = -1, -1
	lacks(c, 2, 0)
	l, _ := installOf(t, sentTo(c, 2))
	commit := func(index Index) { snapshots(c, index, 200) }
	commit(6)
	says(c, 2, l.Sequence, EntryID{2, 5}, 10)
	l, m := installOf(t, sentTo(c, 2))
	if m.Last != (EntryID{2, 5}) || m.Offset != 10 {
		t.Fatalf("with one newer snapshot: %+v", m)
	}
	commit(7)
	l, m = installOf(t, sentTo(c, 2))
	if m.Last != (EntryID{3, 7}) || !l.Ask || m.Size != 200 || m.Offset != 0 {
		t.Fatalf("with two newer snapshots: %+v", m)
	}
	// The old one completes all the same. Our log begins behind 7, so the newest is still needed.
	completes(c, 2, EntryID{2, 5})
	if p := c.peer(2); p.match != 5 || p.transfer.last != (EntryID{3, 7}) {
		t.Errorf("then %+v", p)
	}
	commit(8)
	completes(c, 2, EntryID{3, 7})
	if _, m := installOf(t, sentTo(c, 2)); m.Last != (EntryID{3, 8}) {
		t.Errorf("when the log begins behind the installed one: %+v", m)
	}
}

// TestALossBelowTheBase: what was sent from below the base and lost is noticed by the heartbeat that is
// refused, though nothing else is sent.
func TestALossBelowTheBase(t *testing.T) {
	c := newCore(t, Restored{HardState: HardState{Term: 2}, Entries: entriesOf(1, 1, 1, 2, 2, 2)})
	leadNow(t, c)
	c.config.Limits.TrailingBytes = -1
	settle(c)
	holds(c, 3, 6)
	lacks(c, 2, 2)
	c.Output()
	holds(c, 2, 2)
	c.Output() // entries 3 to 6 are sent to it, and are lost
	if p := c.peer(2); p.next != 7 || len(p.onTheWay) == 0 {
		t.Fatalf("before the loss: %+v", p)
	}
	c.Step(0, Applied{Index: 6})
	c.Step(0, Snapshotted{Snapshot: Snapshot{Last: EntryID{3, 6}, Members: three(), Time: c.log.lastTime()}})
	for range 4 {
		tickTimes(c, c.config.Heartbeat)
		for _, l := range sentTo(c, 2) {
			if m, is := l.Message.(AppendEntries); is {
				c.Step(0, Receive{From: 2, Sequence: l.Sequence, Message: AppendEntriesResponse{
					Term: 3, Round: m.Round, Rejected: true, Conflict: EntryID{1, 2}}})
			}
		}
	}
	if !c.Status().Progress[0].Installing {
		t.Errorf("the follower waits for ever: %+v", c.Status().Progress[0])
	}
	c.Audit()
}

// TestABusyFollowerThatBeginsAnew: one that took no entries, ended, and lacks the leader's base can only
// reject heartbeats. That tells that it takes entries, or it would be sent neither those nor a snapshot.
func TestABusyFollowerThatBeginsAnew(t *testing.T) {
	for _, stillBusy := range []bool{false, true} {
		c := newCore(t, Restored{HardState: HardState{Term: 2}, Entries: entriesOf(1, 1, 1, 2, 2, 2)})
		leadNow(t, c)
		c.config.Limits.TrailingBytes = -1
		settle(c)
		holds(c, 3, 6)
		c.Step(0, Receive{From: 2, Sequence: c.peer(2).onTheWay[0].sequence,
			Message: AppendEntriesResponse{Term: 3, Round: 1, Busy: true}})
		settle(c)
		c.Step(0, Applied{Index: 5})
		c.Step(0, Snapshotted{Snapshot: snapshotAt(5, 2)})
		for range 4 {
			tickTimes(c, c.config.Heartbeat)
			for _, l := range sentTo(c, 2) {
				if m, is := l.Message.(AppendEntries); is {
					c.Step(0, Receive{From: 2, Sequence: l.Sequence, Message: AppendEntriesResponse{
						Term: 3, Round: m.Round, Rejected: true, Busy: stillBusy, Conflict: EntryID{1, 2}}})
				}
			}
		}
		if p := c.Status().Progress[0]; p.Installing == stillBusy || p.Busy != stillBusy {
			t.Errorf("it is busy: %v, and the leader knows %+v", stillBusy, p)
		}
	}
}

// TestCompaction: how much trails behind a snapshot, and what may not be compacted.
func TestCompaction(t *testing.T) {
	for trailing, first := range map[int]Index{-1: 6, 31: 6, 32: 5, 95: 4, 96: 3, 1000: 1} {
		c := follower(t, 1, 1, 2, 2, 2, 2, 3)
		c.config.Limits.TrailingBytes = trailing
		hear(c, AppendEntries{Term: 4, Prev: EntryID{3, 7}, Commit: 6, Round: 1})
		c.Step(0, Applied{Index: 6})
		kept := c.EntriesAfter(0)
		c.Step(0, Snapshotted{Snapshot: snapshotAt(5, 2)})
		c.Audit()
		s := c.Status()
		if s.First != first || s.LogBytes != 64 || s.Snapshot != (EntryID{2, 5}) || s.Commit != 6 {
			t.Errorf("with %d bytes trailing: %+v", trailing, s)
		}
		if got := c.EntriesAfter(0); len(got) != int(8-first) || got[0].Index != first {
			t.Errorf("the entries in memory are %+v", got)
		}
		if len(kept) != 7 || kept[0].Index != 1 {
			t.Error("entries that were handed out changed")
		}
		before := c.Digest()
		c.Step(0, Snapshotted{})
		if c.Digest() != before {
			t.Error("a snapshot up to index 0 changes something")
		}
	}
	for sentence, s := range map[string]Snapshot{
		"more than was applied": snapshotAt(6, 2),
		"not in the log":        snapshotAt(5, 1),
		"another log time":      {Last: EntryID{2, 5}, Members: three()},
		"a configuration":       {Last: EntryID{2, 5}, Time: 50},
	} {
		c := follower(t, 1, 1, 2, 2, 2, 2, 3)
		hear(c, AppendEntries{Term: 4, Prev: EntryID{3, 7}, Commit: 6, Round: 1})
		c.Step(0, Applied{Index: 5})
		expectViolation(t, sentence, func() { c.Step(0, Snapshotted{Snapshot: s}) })
	}
}

// TestSnapshotBudget: when the next snapshot is due, and when a leader waits for it.
func TestSnapshotBudget(t *testing.T) {
	c := leaderBehind(t)
	c.config.Limits.SnapshotBytes = 100 // as large as the snapshot is
	take := func() Refusal {
		c.Step(0, Propose{Command: make([]byte, 8)})
		out := c.Output()
		if out.Write > 0 {
			c.Step(0, Persisted{Write: out.Write})
		}
		index := c.log.last().Index
		holds(c, 2, index)
		c.Output()
		return out.Answers[0].Refusal
	}
	accepted := 0
	for take() == Accepted {
		accepted++
	}
	if accepted != 5 || c.log.bytes != 32+5*40 {
		t.Errorf("%d proposals were accepted", accepted)
	}
	if c.SnapshotDue() {
		t.Error("due before anything was applied")
	}
	c.Step(0, Applied{Index: 7})
	if c.SnapshotDue() {
		t.Error("due after 72 bytes")
	}
	c.Step(0, Applied{Index: 8})
	if !c.SnapshotDue() {
		t.Error("not due after 112 bytes")
	}
	c.Step(0, Snapshotted{Snapshot: Snapshot{Last: EntryID{3, 8}, Time: 50, Members: three(), Size: 1000}})
	if c.SnapshotDue() || take() != Accepted {
		t.Error("the budget does not grow with the snapshot")
	}
	c.config.Limits.SnapshotBytes = -1
	c.snapshot.Size = 0
	if take() != Accepted || c.SnapshotDue() {
		t.Error("there is a budget although it was switched off")
	}
	if l := newCore(t, Restored{}).Limits(); l.SnapshotBytes != 64<<20 || l.TrailingBytes != 16<<20 ||
		l.ChunkBytes != 256<<10 {
		t.Errorf("the defaults are %+v", l)
	}
}

// TestAFollowerWaitsForItsSnapshot when its log is three times as long as makes one due, and says so when it
// is there.
func TestAFollowerWaitsForItsSnapshot(t *testing.T) {
	c := follower(t, 1, 1, 2, 2, 2, 2, 2, 3)
	c.config.Limits.SnapshotBytes = 80 // of 32 bytes each
	last := EntryID{3, 8}
	more := AppendEntries{Term: 4, Prev: last, Commit: 8, Round: 1,
		Entries: []Entry{{Term: 4, Index: 9, Kind: Normal}}}
	hear(c, AppendEntries{Term: 4, Prev: last, Commit: 8, Round: 1})
	c.Step(0, Applied{Index: 2})
	if busy := hear(c, more)[0].(AppendEntriesResponse).Busy; busy || c.log.last().Index != 9 {
		t.Fatal("it waits for a snapshot that is not due")
	}
	c.Step(0, Applied{Index: 3})
	more.Prev, more.Entries[0] = EntryID{4, 9}, Entry{Term: 4, Index: 10, Kind: Normal}
	if answer := hear(c, more)[0].(AppendEntriesResponse); !answer.Busy || c.log.last().Index != 9 {
		t.Fatalf("with %d bytes behind its snapshot: %+v", c.log.bytes, answer)
	}
	c.Step(0, Snapshotted{Snapshot: Snapshot{Last: EntryID{2, 3}, Time: c.log.at(3).Time,
		Members: three(), Size: 1}})
	if told := settle(c); len(told) != 1 || told[0].(AppendEntriesResponse).Busy {
		t.Errorf("after the snapshot it says %+v", told)
	}
	if hear(c, more); c.log.last().Index != 10 {
		t.Error("it takes no entries after the snapshot")
	}
}

// TestLogTime is what an entry appended now would bear, also when nothing of the log is left.
func TestLogTime(t *testing.T) {
	c := leaderBehind(t)
	c.Step(20, Propose{})
	e := c.EntriesAfter(6)
	if c.LogTime() != 70 || len(e) != 1 || e[0].Time != 70 {
		t.Errorf("log time is %d, the entry bears %d", c.LogTime(), e[0].Time)
	}
	c = follower(t, 1, 1)
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	settle(c)
	leadNow(t, c)
	if e := c.EntriesAfter(5); e[0].Time < 50 {
		t.Errorf("after an installed snapshot of log time 50 it appends %+v", e)
	}
}

// TestOnlyCommandsAreProposed: a driver that let a peer append a no-op could commit what an earlier term
// left.
func TestOnlyCommandsAreProposed(t *testing.T) {
	c := leaderBehind(t)
	c.Step(0, Propose{Kind: Session})
	c.Step(0, Propose{})
	if e := c.EntriesAfter(6); e[0].Kind != Session || e[1].Kind != Normal {
		t.Errorf("appended %+v", e)
	}
	expectViolation(t, "can be proposed", func() { c.Step(0, Propose{Kind: NoOp}) })
}

// expectViolation demands that a step stops the server with a sentence.
func expectViolation(t *testing.T, sentence string, step func()) {
	t.Helper()
	defer func() {
		if v, _ := recover().(Violation); !strings.Contains(v.Sentence, sentence) {
			t.Errorf("%q expected, but: %q", sentence, v.Sentence)
		}
	}()
	step()
}
