package raft

import (
	"strings"
	"testing"
)

// entriesOf makes the entries from an index on, one for each term. Log time is ten times the index.
func entriesOf(first Index, terms ...Term) (entries []Entry) {
	for i, term := range terms {
		index := first + Index(i)
		entries = append(entries, Entry{Term: term, Index: index, Time: Time(10 * index), Kind: Normal})
	}
	return entries
}

// snapshotAt makes a snapshot up to an entry of entriesOf.
func snapshotAt(index Index, term Term) Snapshot {
	last := EntryID{Term: term, Index: index}
	return Snapshot{Last: last, Time: Time(10 * index), Members: three(), Size: 100}
}

// behindSnapshot starts a server with a snapshot up to 5/t2 and the entries behind it.
func behindSnapshot(t *testing.T, terms ...Term) *Core {
	t.Helper()
	s := snapshotAt(5, 2)
	entries := entriesOf(6, terms...)
	term := Term(2)
	if len(terms) > 0 {
		term = terms[len(terms)-1]
	}
	hard := HardState{Term: term}
	return newCore(t, Restored{HardState: hard, Snapshot: s, Before: s.Last, Entries: entries})
}

// hear lets the leader, server 2, say something, makes durable what comes of it, and returns all answers.
func hear(c *Core, m Message) (answers []Message) {
	c.Step(0, Receive{From: 2, Sequence: 7, Message: m})
	return settle(c)
}

// settle makes everything durable and returns what was sent.
func settle(c *Core) (sent []Message) {
	for range 5 {
		out := c.Output()
		for _, l := range out.Messages {
			sent = append(sent, l.Message)
		}
		if out.Write > 0 {
			c.Step(0, Persisted{Write: out.Write})
		}
	}
	c.Audit()
	return sent
}

// TestStartingBehindASnapshot: a log that holds the snapshot's last entry stays whole; any other goes, and
// the disk is told.
func TestStartingBehindASnapshot(t *testing.T) {
	before, last := EntryID{Term: 1, Index: 2}, EntryID{Term: 2, Index: 5}
	for _, test := range []struct {
		claim   string
		before  EntryID
		entries []Entry
		last    EntryID
		dropped bool
	}{
		{"a log that holds it", before, entriesOf(3, 1, 2, 2, 2, 3), EntryID{Term: 3, Index: 7}, false},
		{"a log that ends with it", before, entriesOf(3, 1, 2, 2), last, false},
		{"a log that begins behind it", last, entriesOf(6, 2, 3), EntryID{Term: 3, Index: 7}, false},
		{"nothing behind it", last, nil, last, false},
		{"a log that is too short", before, entriesOf(3, 1, 2), last, true},
		{"no log", EntryID{}, nil, last, true},
		{"another entry in its place", before, entriesOf(3, 1, 1, 1, 1, 3), last, true},
		{"another entry in its place, of a later term", before, entriesOf(3, 1, 1, 3, 3), last, true},
		{"a log that begins behind another entry in its place", EntryID{Term: 1, Index: 5},
			entriesOf(6, 3), last, true},
	} {
		t.Run(test.claim, func(t *testing.T) {
			c := newCore(t, Restored{HardState: HardState{Term: 4}, Snapshot: snapshotAt(5, 2),
				Before: test.before, Entries: test.entries})
			c.Audit()
			s := c.Status()
			if s.Last != test.last || s.Durable != test.last.Index || s.Commit != 5 || s.Applied != 5 ||
				s.Snapshot != last || s.Term != 4 {
				t.Errorf("it begins as %+v", s)
			}
			out := c.Output()
			if dropped := out.Restart == last; dropped != test.dropped || len(out.Entries) > 0 ||
				(out.Write > 0) != dropped || !dropped && out.Restart != (EntryID{}) {
				t.Errorf("it writes %+v", out)
			}
			if out := c.Output(); out.Write != 0 {
				t.Errorf("and then %+v", out)
			}
		})
	}
}

func TestWhatCannotHaveBeenRestoredWithASnapshot(t *testing.T) {
	s, later := snapshotAt(5, 2), HardState{Term: 9}
	nobody := s
	nobody.Members = Configuration{}
	fromLater := s
	fromLater.MembersIndex = 6
	gap, falls, five, six := EntryID{2, 6}, EntryID{2, 3}, entriesOf(5, 2), entriesOf(6, 1)
	for want, r := range map[string]Restored{
		"what lies between them is missing": {HardState: later, Snapshot: s, Before: gap},
		"begins behind 1/t1":                {HardState: later, Before: EntryID{1, 1}},
		"begins behind 0/t1":                {HardState: later, Snapshot: s, Before: EntryID{1, 0}},
		"cannot follow 3/t2":                {HardState: later, Snapshot: s, Before: falls, Entries: five},
		"beyond the restored term 1":        {HardState: HardState{Term: 1}, Snapshot: s, Before: s.Last},
		"snapshot ends in 5/t2, beyond":     {HardState: HardState{Term: 1}, Snapshot: s},
		"names no voter":                    {HardState: later, Snapshot: nobody},
		"has a configuration from index 6":  {HardState: later, Snapshot: fromLater},
		"up to 0/t2, where no entry can be": {HardState: later, Snapshot: Snapshot{Last: EntryID{2, 0}}},
		"entry 6/t1 of kind normal":         {HardState: later, Snapshot: s, Before: s.Last, Entries: six},
	} {
		r.Members = three()
		if _, err := New(Config{ID: 1}, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q expected, but: %v", want, err)
		}
	}
}

// TestTheEntryRightAfterTheSnapshot: the term of what precedes it is known from the snapshot alone.
func TestTheEntryRightAfterTheSnapshot(t *testing.T) {
	c := behindSnapshot(t)
	answers := hear(c, AppendEntries{Term: 3, Prev: EntryID{3, 5}, Entries: entriesOf(6, 3), Round: 1})
	if a := answers[0].(AppendEntriesResponse); !a.Rejected || a.Conflict != (EntryID{2, 5}) {
		t.Errorf("behind another entry than the snapshot's: %+v", a)
	}
	answers = hear(c, AppendEntries{Term: 3, Prev: EntryID{2, 5}, Entries: entriesOf(6, 3), Round: 1})
	if a := answers[0].(AppendEntriesResponse); a.Rejected || a.Match != 6 {
		t.Errorf("behind the snapshot's last entry: %+v", a)
	}

	leader := behindSnapshot(t)
	leadNow(t, leader)
	for _, l := range leader.Output().Messages {
		if m, is := l.Message.(AppendEntries); is && len(m.Entries) > 0 && m.Prev != (EntryID{2, 5}) {
			t.Errorf("the leader sends its first entry behind %v", m.Prev)
		}
	}
	if e := leader.EntriesAfter(0); len(e) != 1 || e[0].Time < 50 {
		t.Errorf("log time went back behind the snapshot: %+v", e)
	}
}

// TestPrevBelowTheBase: what was compacted was committed, and counts as held.
func TestPrevBelowTheBase(t *testing.T) {
	c := behindSnapshot(t, 2, 3)
	answers := hear(c, AppendEntries{Term: 3, Round: 1})
	if a := answers[0].(AppendEntriesResponse); a.Rejected || a.Match != 5 || a.Holds != 5 {
		t.Errorf("an empty message from the beginning is answered %+v", a)
	}
	whole := entriesOf(1, 1, 1, 2, 2, 2, 2, 3, 3)
	answers = hear(c, AppendEntries{Term: 3, Prev: EntryID{1, 1}, Entries: whole[1:], Commit: 8, Round: 1})
	if a := answers[0].(AppendEntriesResponse); a.Rejected || a.Match != 8 || c.commitIndex != 8 {
		t.Errorf("entries from below the base to beyond our log are answered %+v", a)
	}
	answers = hear(c, AppendEntries{Term: 3, Prev: EntryID{1, 1}, Entries: whole[1:3], Round: 1})
	if a := answers[0].(AppendEntriesResponse); a.Rejected || a.Holds != 8 || c.log.last().Index != 8 {
		t.Errorf("entries all below the base are answered %+v", a)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 3, Prev: EntryID{1, 4},
		Entries: entriesOf(5, 3)}})
	if c.refused != 1 || c.log.last().Index != 8 {
		t.Error("another entry in the place of the snapshot's last is taken")
	}
}

// TestAConflictBeyondTheSnapshot truncates down to the snapshot and no further.
func TestAConflictBeyondTheSnapshot(t *testing.T) {
	c := behindSnapshot(t, 2, 2, 2)
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 3, Prev: EntryID{2, 5},
		Entries: entriesOf(6, 3)}})
	out := c.Output()
	if len(out.Entries) != 1 || out.Entries[0].ID() != (EntryID{3, 6}) || out.Restart != (EntryID{}) {
		t.Errorf("it writes %+v", out)
	}
	c.Audit()
	if s := c.Status(); s.Last != (EntryID{3, 6}) || s.Durable != 5 || s.LogBytes != 32 {
		t.Errorf("then %+v", s)
	}
}

// TestVotesFromAnEmptyLogBehindASnapshot: the snapshot's last entry is the end of the log.
func TestVotesFromAnEmptyLogBehindASnapshot(t *testing.T) {
	for last, want := range map[EntryID]bool{
		{1, 9}: false, {2, 4}: false, {2, 5}: true, {3, 1}: true, {}: false,
	} {
		c := behindSnapshot(t)
		answers := hear(c, RequestVote{Term: 3, Last: last})
		if got := answers[0].(RequestVoteResponse).Granted; got != want {
			t.Errorf("to a candidate whose log ends in %v: %v", last, got)
		}
	}
	c := behindSnapshot(t)
	campaignNow(t, c)
	if m := settle(c)[0].(RequestVote); m.Last != (EntryID{2, 5}) {
		t.Errorf("it campaigns with a log that ends in %v", m.Last)
	}
}

// follower is a follower of server 2 in term 4 with entries of some terms on its disk.
func follower(t *testing.T, terms ...Term) *Core {
	t.Helper()
	c := newCore(t, Restored{HardState: HardState{Term: 4}, Entries: entriesOf(1, terms...)})
	hear(c, AppendEntries{Term: 4, Prev: EntryID{Term: 4, Index: 99}, Round: 1})
	if c.leader != 2 {
		t.Fatal("no leader")
	}
	return c
}

// TestInstalling is the paper's rule (§7): a log that holds the last entry of the snapshot keeps what follows
// it, any other is dropped.
func TestInstalling(t *testing.T) {
	for _, test := range []struct {
		claim string
		terms []Term
		last  EntryID // of the log, afterwards
		kept  bool
	}{
		{"an empty log", nil, EntryID{2, 5}, false},
		{"a shorter log", []Term{1, 1, 2}, EntryID{2, 5}, false},
		{"a log that conflicts", []Term{1, 1, 1, 1, 1, 1, 1}, EntryID{2, 5}, false},
		{"a log that conflicts beyond", []Term{1, 1, 1, 1, 3, 3, 3}, EntryID{2, 5}, false},
		{"a log that ends there", []Term{1, 1, 2, 2, 2}, EntryID{2, 5}, true},
		{"a longer log", []Term{1, 1, 2, 2, 2, 2, 3}, EntryID{3, 7}, true},
	} {
		t.Run(test.claim, func(t *testing.T) {
			c := follower(t, test.terms...)
			c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
			out := c.Output()
			if dropped := out.Restart == (EntryID{2, 5}); dropped == test.kept || len(out.Entries) > 0 {
				t.Errorf("it writes %+v", out)
			}
			complete := InstallSnapshotResponse{Term: 4, Last: EntryID{2, 5}, Complete: true}
			if len(out.Messages) != 1 || out.Messages[0].Message != complete || out.Messages[0].To != 2 {
				t.Errorf("it says %+v", out.Messages)
			}
			s := c.Status()
			if s.Last != test.last || s.Commit != 5 || s.Applied != 5 || s.Term != 4 || s.Durable < 5 {
				t.Errorf("it is %+v", s)
			}
			c.Audit()
			before := c.Digest()
			c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
			c.Step(0, Installed{Snapshot: snapshotAt(3, 2)})
			c.Step(0, Snapshotted{Snapshot: snapshotAt(3, 2)})
			c.outbox.ready = nil
			if c.Digest() != before {
				t.Error("a stale snapshot changes something")
			}
		})
	}
}

// TestInstallingWhileWritesAreInFlight: the acknowledgement of what was dropped says nothing of what stands
// in its place.
func TestInstallingWhileWritesAreInFlight(t *testing.T) {
	c := follower(t)
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 4, Entries: entriesOf(1, 1, 1, 1, 1, 1, 1)}})
	old := c.Output().Write
	c.Step(0, Receive{From: 3, Message: InstallSnapshot{Term: 5, Last: EntryID{2, 5}, Size: 100}})
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	c.Step(0, Receive{From: 3, Sequence: 8, Message: AppendEntries{Term: 5, Prev: EntryID{2, 5},
		Entries: entriesOf(6, 5, 5), Round: 1}})
	out := c.Output()
	if out.Restart != (EntryID{2, 5}) || len(out.Entries) != 2 {
		t.Fatalf("it writes %+v", out)
	}
	c.Step(0, Persisted{Write: old})
	if s := c.Status(); s.Durable != 5 {
		t.Errorf("the old write makes %d entries durable", s.Durable)
	}
	if m := c.Output().Messages; len(m) != 0 {
		t.Errorf("and lets %+v go", m)
	}
	c.Step(0, Persisted{Write: out.Write})
	if s := c.Status(); s.Durable != 7 {
		t.Errorf("the new write makes %d entries durable", s.Durable)
	}
	c.Audit()
}

// TestInstallingWhatIsNotHandedOut: the log is kept, and what of it the snapshot includes is not written.
func TestInstallingWhatIsNotHandedOut(t *testing.T) {
	c := follower(t)
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 4, Entries: entriesOf(1, 1, 1, 2, 2, 2, 2, 3)}})
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	out := c.Output()
	if out.Restart != (EntryID{2, 5}) || len(out.Entries) != 2 || out.Entries[0].Index != 6 {
		t.Errorf("it writes %+v", out)
	}
	c.Audit()
}

// TestInstallingWhatIsBeingWritten: the log is kept, and what of it the snapshot includes is durable at once.
func TestInstallingWhatIsBeingWritten(t *testing.T) {
	c := follower(t)
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 4, Entries: entriesOf(1, 1, 1, 2, 2, 2, 2, 3)}})
	write := c.Output().Write
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	if out := c.Output(); out.Write > 0 || c.log.durable != 5 {
		t.Errorf("it writes %+v, durable is %d", out, c.log.durable)
	}
	c.Step(0, Persisted{Write: write})
	if c.log.durable != 7 {
		t.Errorf("then %d is durable", c.log.durable)
	}
	c.Audit()
}

// TestASnapshotThatTheLogOvertook: entries may come to be committed and handed out while the machine is being
// restored from a snapshot that includes them.
func TestASnapshotThatTheLogOvertook(t *testing.T) {
	c := follower(t, 1, 1, 2, 2, 2, 2, 3)
	hear(c, AppendEntries{Term: 4, Prev: EntryID{3, 7}, Commit: 6, Round: 1})
	c.Step(0, Applied{Index: 2})
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	c.Audit()
	if s := c.Status(); s.Commit != 6 || s.Applied != 5 || c.load.unapplied != 32 || s.LogBytes != 64 {
		t.Errorf("it is %+v, with %d bytes not applied", s, c.load.unapplied)
	}
	c.Step(0, Applied{Index: 6})
	c.Step(0, Applied{Index: 4})
	c.Audit()
	if c.appliedIndex != 6 || c.load.applied != 32 {
		t.Errorf("then applied %d", c.appliedIndex)
	}
}

// TestAChunkWaitsForTheTerm: a snapshot on the disk must not be of a later term than the hard state there.
func TestAChunkWaitsForTheTerm(t *testing.T) {
	c := follower(t)
	chunk := InstallSnapshot{Term: 5, Last: EntryID{2, 5}, Size: 100, Data: []byte("x")}
	c.Step(0, Receive{From: 3, Sequence: 8, Message: chunk})
	out := c.Output()
	if len(out.Chunks) > 0 || out.HardState == nil {
		t.Fatalf("with the term not durable: %+v", out)
	}
	c.Step(0, Receive{From: 3, Sequence: 9, Message: chunk})
	c.Step(0, Persisted{Write: out.Write})
	if got := c.Output().Chunks; len(got) != 1 || got[0].From != 3 || got[0].Sequence != 9 {
		t.Errorf("the last of two is not handed out, but %+v", got)
	}
	if got := c.Output().Chunks; len(got) != 0 {
		t.Errorf("%+v is handed out again", got)
	}
	c.Step(0, Receive{From: 3, Sequence: 10, Message: chunk})
	c.Step(0, Receive{From: 2, Message: RequestVoteResponse{Term: 6}})
	for range 2 {
		out := c.Output()
		if len(out.Chunks) > 0 {
			t.Errorf("%+v is handed out in a later term", out.Chunks)
		}
		c.Step(0, Persisted{Write: c.outbox.written})
	}
}

// TestAnswersToChunks: each says what is true when it leaves, in the term in which it was asked.
func TestAnswersToChunks(t *testing.T) {
	c := follower(t, 1, 1, 2)
	last := EntryID{2, 5}
	stored := ChunkStored{From: 2, Sequence: 7, Term: 4, Last: last, Next: 30}
	c.Step(0, stored)
	if m := settle(c); len(m) != 1 || m[0] != (InstallSnapshotResponse{Term: 4, Last: last, Next: 30}) {
		t.Errorf("a stored chunk is answered %+v", m)
	}
	m := hear(c, InstallSnapshot{Term: 3, Last: last, Size: 100})
	if len(m) != 1 || m[0] != (InstallSnapshotResponse{Term: 4}) {
		t.Errorf("a leader of an older term is answered %+v", m)
	}
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	settle(c)
	complete := InstallSnapshotResponse{Term: 4, Last: last, Complete: true}
	if m := hear(c, InstallSnapshot{Term: 4, Last: last, Size: 100}); len(m) != 1 || m[0] != complete {
		t.Errorf("when it is in force: %+v", m)
	}
	if m := hear(c, InstallSnapshot{Term: 4, Last: EntryID{3, 5}, Size: 100}); len(m) > 0 || c.refused != 1 {
		t.Errorf("a snapshot that contradicts what is committed is answered %+v", m)
	}
	c.Step(0, stored)
	if m := settle(c); len(m) != 1 || m[0] != complete {
		t.Errorf("a chunk stored late is answered %+v", m)
	}
	hear(c, AppendEntries{Term: 5, Prev: last, Round: 1})
	c.Step(0, stored)
	if m := settle(c); len(m) != 0 {
		t.Errorf("a chunk of an earlier term is answered %+v", m)
	}
}

// TestACommittedSnapshotThatIsNotDurable promises nothing yet.
func TestACommittedSnapshotThatIsNotDurable(t *testing.T) {
	c := follower(t)
	c.Step(0, Receive{From: 2, Message: AppendEntries{Term: 4, Entries: entriesOf(1, 1, 1, 2, 2, 2),
		Commit: 5}})
	c.Step(0, Receive{From: 2, Message: InstallSnapshot{Term: 4, Last: EntryID{2, 5}, Size: 100}})
	c.Step(0, ChunkStored{From: 2, Term: 4, Last: EntryID{2, 5}, Next: 30})
	out := c.Output()
	stored := InstallSnapshotResponse{Term: 4, Last: EntryID{2, 5}, Next: 30}
	if len(out.Messages) != 1 || out.Messages[0].Message != stored || len(out.Chunks) > 0 {
		t.Errorf("%+v", out)
	}
	c.Step(0, Persisted{Write: out.Write})
	c.Step(0, Receive{From: 2, Message: InstallSnapshot{Term: 4, Last: EntryID{2, 5}, Size: 100}})
	sent := c.Output().Messages
	if n := len(sent); n == 0 || !sent[n-1].Message.(InstallSnapshotResponse).Complete {
		t.Errorf("when it is durable: %+v", sent)
	}
}

// TestInstallSnapshotIsContact: of the leader of our term, and of nobody else.
func TestInstallSnapshotIsContact(t *testing.T) {
	last := EntryID{2, 5}
	for name, m := range map[string]InstallSnapshot{
		"no entry":        {Term: 4, Size: 9},
		"no term":         {Term: 4, Last: EntryID{0, 5}, Size: 9},
		"a later term":    {Term: 4, Last: EntryID{5, 5}, Size: 9},
		"beyond the size": {Term: 4, Last: last, Size: 9, Offset: 10},
		"more data":       {Term: 4, Last: last, Size: 9, Offset: 8, Data: []byte("xx")},
		"an overflow":     {Term: 4, Last: last, Size: 9, Offset: 1<<64 - 1, Data: []byte("xx")},
	} {
		c := follower(t)
		tickTimes(c, 3)
		answers := hear(c, m)
		if len(answers) > 0 || c.refused != 1 || c.timer.elapsed != 3 || len(c.outbox.chunks) > 0 {
			t.Errorf("%s: refused %d, answers %v", name, c.refused, answers)
		}
	}
	c := follower(t)
	tickTimes(c, 3)
	c.Step(0, Receive{From: 3, Message: InstallSnapshot{Term: 4, Last: last, Size: 9}})
	if c.refused != 1 || c.leader != 2 || c.timer.elapsed != 3 {
		t.Error("a second leader is heard")
	}
	c.Step(0, Receive{From: 2, Message: InstallSnapshot{Term: 4, Last: last, Size: 9}})
	if c.timer.elapsed != 0 {
		t.Error("the leader is not heard")
	}
	c.Step(0, Receive{From: 3, Message: InstallSnapshot{Term: 5, Last: last, Size: 9}})
	if c.leader != 3 || c.hard.Term != 5 {
		t.Error("a newer leader is not followed")
	}
}

// TestACandidateWhoseLogIsDropped: it asked for votes with a log that it no longer has.
func TestACandidateWhoseLogIsDropped(t *testing.T) {
	c := follower(t, 1, 1, 3)
	campaignNow(t, c)
	settle(c)
	c.Step(0, Installed{Snapshot: snapshotAt(5, 2)})
	c.Step(0, Receive{From: 2, Message: RequestVoteResponse{Term: 5, Granted: true}})
	if c.role != Follower || c.hard != (HardState{Term: 5, Vote: 1}) {
		t.Errorf("it is %v with %+v", c.role, c.hard)
	}
	settle(c)
}

// TestWhatASnapshotBringsBeside its entry: the configuration, the one before it, and how much may trail.
func TestWhatASnapshotBringsBeside(t *testing.T) {
	s := snapshotAt(5, 2)
	s.Members.Members[0].Incarnation = 77
	found := Restored{HardState: HardState{Term: 4}, Snapshot: s, Entries: entriesOf(1, 1, 1, 2, 2, 2, 3)}
	c := newCore(t, found)
	if m, _ := c.Members().Member(1); m.Incarnation != 77 {
		t.Errorf("started with member %+v", m)
	}
	c.config.Limits.TrailingBytes = 64
	hear(c, AppendEntries{Term: 4, Prev: EntryID{4, 99}, Round: 1})
	next := snapshotAt(9, 4)
	next.Members.Members[0].Incarnation = 78
	c.Step(0, Installed{Snapshot: next})
	if m, _ := c.Members().Member(1); m.Incarnation != 78 || c.previous != s.Last {
		t.Errorf("installed with member %+v, the snapshot before it ends in %v", m, c.previous)
	}
	found.Members = three()
	c, err := New(Config{ID: 1, Limits: Limits{TrailingBytes: 64}}, found)
	if err != nil || c.Status().First != 4 {
		t.Errorf("started with %d as the first entry in memory, %v", c.Status().First, err)
	}
}
