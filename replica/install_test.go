package replica

import (
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"balsa/raft"
)

// sender is a leader's snapshot up to an entry, as it is sent.
type sender struct {
	file    modelFile
	machine *recorder
	term    raft.Term
}

// sends makes a snapshot of as many entries as there are terms.
func sends(t *testing.T, terms ...raft.Term) sender {
	t.Helper()
	machine, disk := &recorder{}, &modelSnapshots{}
	front := NewMachine(machine)
	entries := entriesOf(1, terms...)
	applyAll(t, front, entries)
	last := entries[len(entries)-1]
	captured := Capture{raft.Snapshot{Last: last.ID(), Members: voters(3)}}.Perform(front)
	saved := Save{captured.Snapshot, captured.Image}.Perform(disk)
	if captured.Err != nil || saved.Err != nil {
		t.Fatal(captured.Err, saved.Err)
	}
	return sender{file: disk.kept[0], machine: machine, term: last.Term}
}

func (s sender) last() raft.EntryID { return s.file.Last }

// chunk is what the leader sends from an offset on.
func (s sender) chunk(offset, length int) raft.InstallSnapshot {
	data := s.file.bytes[offset:min(offset+length, len(s.file.bytes))]
	return raft.InstallSnapshot{Term: s.term, Last: s.last(), Size: uint64(len(s.file.bytes)),
		Offset: uint64(offset), Data: data,
		Checksum: crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))}
}

// arrive has all of the snapshot stored, so that what follows from it is the next work.
func (b *bench) arrive(s sender) {
	b.t.Helper()
	b.do(b.from(2, s.chunk(0, len(s.file.bytes))))
	if len(b.stores) == 0 && len(b.writes) > 0 { // first its term
		b.write()
	}
	b.storeChunk()
}

// told returns what the leader was told last of the snapshot.
func (b *bench) told() raft.InstallSnapshotResponse {
	b.t.Helper()
	for _, e := range slices.Backward(b.sent) {
		if m, is := e.Message.(raft.InstallSnapshotResponse); is {
			return m
		}
	}
	b.t.Fatal("the leader was told nothing")
	return raft.InstallSnapshotResponse{}
}

// A snapshot comes in pieces, and the transfer goes on where it stopped, whatever happened in between.
func TestASnapshotArrivesInPieces(t *testing.T) {
	s := sends(t, 1, 1, 2, 3, 3)
	log, disk := &modelLog{}, &modelSnapshots{}
	b := holdKept(t, 3, log, disk)
	ask := s.chunk(0, 0)
	b.do(b.from(2, ask))
	if len(b.stores) > 0 {
		t.Fatal("a chunk is stored before its term is durable")
	}
	b.settle()
	if got := b.told(); got.Next != 0 || got.Complete {
		t.Errorf("asked for it, %+v", got)
	}
	length := len(s.file.bytes)/3 + 1
	b.do(b.from(2, s.chunk(0, length)))
	b.settle()
	b.do(b.from(2, s.chunk(0, length)), b.from(2, s.chunk(length, length))) // a repeated one changes nothing
	b.settle()

	b = holdKept(t, 3, log, disk)
	b.do(b.from(2, ask))
	b.settle()
	if got := b.told(); got.Next != uint64(2*length) {
		t.Errorf("after a start the next byte is %d, want %d", got.Next, 2*length)
	}
	b.do(b.from(2, s.chunk(2*length, length)))
	b.storeChunk()
	if b.told().Complete || b.Applied() != 0 {
		t.Error("it is in force before the machine is restored")
	}
	b.restore()
	if got := b.told(); !got.Complete || got.Last != s.last() || b.Applied() != 5 {
		t.Errorf("restored up to %d, and told %+v", b.Applied(), got)
	}
	b.settle()
	if !slices.Equal(b.machine.commands(), s.machine.commands()) || log.base != s.last() {
		t.Errorf("applied %q, the log begins behind %v", b.machine.commands(), log.base)
	}
	b.do(b.from(2, appends(3, 7, s.last(), 3, 3)))
	b.settle()
	if got := idsOf(b.machine.applied); !slices.Equal(got[5:], []string{"6/t3", "7/t3"}) {
		t.Errorf("applied %v", got)
	}
}

// C3, C4, C6: a server that ends at any moment of an install comes back with the one state or the other, and
// goes on from there.
func TestAServerComesBackFromAnyMomentOfAnInstall(t *testing.T) {
	for _, before := range [][]raft.Term{nil, {1, 1}, {1, 1, 1, 1}, {1, 1, 2, 3, 3, 3}} {
		for moment := range 12 {
			s := sends(t, 1, 1, 2, 3, 3)
			log := &modelLog{state: raft.HardState{Term: 3}, entries: entriesOf(1, before...)}
			disk := &modelSnapshots{}
			b := holdKept(t, 3, log, disk)
			b.do(b.from(2, s.chunk(0, 1000)))
			for range moment {
				switch {
				case len(b.writes) > 0 && moment%2 == 0:
					b.write()
				case b.count() > 0:
					b.settleOthers()
				case len(b.writes) > 0:
					b.write()
				}
			}
			arrived := len(disk.kept) > 0
			b = holdKept(t, 3, log, disk)
			b.do(Awake{})
			b.settle()
			if arrived != (b.Applied() == 5) {
				t.Errorf("%v, moment %d: applied %d after a start, arrived: %v", before, moment,
					b.Applied(), arrived)
			}
			b.do(b.from(2, s.chunk(0, 1000)))
			b.settle()
			b.do(b.from(2, appends(3, 6, s.last(), 3)))
			b.settle()
			if got := b.machine.commands(); len(got) != 6 || got[5] != "6/t3" {
				t.Errorf("%v, moment %d: applied %q", before, moment, got)
			}
			if last := b.Status().Last; last != at(6, 3) {
				t.Errorf("%v, moment %d: the log ends in %v", before, moment, last)
			}
		}
	}
}

// C6: the machine is not replaced while it applies, and applies nothing while it is replaced; what the
// snapshot includes is not applied after it.
func TestAnInstallExcludesApplies(t *testing.T) {
	s := sends(t, 1, 1, 1, 1, 1)
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.MaxApplyBytes = 1 })
	b.do(b.from(2, appends(1, 3, at(0, 0), 1, 1, 1)))
	b.write() // term and entries; 1 is being applied, 2 and 3 wait
	b.arrive(s)
	if len(b.applies) != 1 || len(b.restores) != 0 {
		t.Fatalf("in flight: %d applies, %d restores", len(b.applies), len(b.restores))
	}
	b.do(b.from(2, sends(t, 1, 1, 1, 1, 1, 1).chunk(0, 9)))
	if len(b.stores) > 0 {
		t.Fatal("the next snapshot is stored: it could push out the one that is to be restored")
	}
	b.apply()
	if len(b.applies) != 0 || len(b.restores) != 1 {
		t.Fatalf("then: %d applies, %d restores", len(b.applies), len(b.restores))
	}
	b.do(b.from(2, appends(1, 6, at(3, 1), 1, 1, 1))) // the log catches up while the machine is replaced
	b.write()
	if len(b.applies) != 0 {
		t.Fatal("an apply beside the restore")
	}
	b.restore()
	b.settle()
	if got := idsOf(b.machine.applied); !slices.Equal(got, idsOf(entriesOf(1, 1, 1, 1, 1, 1, 1))) {
		t.Errorf("applied %v", got)
	}
	if a := b.Status(); a.Applied != 6 || !b.told().Complete || a.Snapshot != s.last() {
		t.Errorf("%+v, told %+v", a, b.told())
	}
}

// A log that has caught up needs no restore; the leader is told that the snapshot is in force once all of it
// is applied.
func TestALogThatCatchesUpFirst(t *testing.T) {
	s := sends(t, 1, 1, 1)
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.MaxApplyBytes = 1 })
	b.do(b.from(2, s.chunk(0, 1000)))
	b.write()
	b.do(b.from(2, appends(1, 4, at(0, 0), 1, 1, 1, 1)))
	b.write() // all is committed, and the first of it is being applied
	b.storeChunk()
	if len(b.restores) > 0 || len(b.applies) != 1 {
		t.Fatalf("in flight: %d applies, %d restores", len(b.applies), len(b.restores))
	}
	b.apply()
	b.apply()
	if b.Status().Snapshot.Index != 0 || len(b.restores) > 0 {
		t.Fatalf("in force before it is applied, or restored: %+v", b.restores)
	}
	b.settle()
	if got := b.told(); !got.Complete || b.Status().Snapshot != s.last() || len(b.machine.applied) != 4 {
		t.Errorf("told %+v, %+v, applied %v", got, b.Status(), idsOf(b.machine.applied))
	}
}

// C2, C6: two snapshots close together. An own one that is older than a received one changes nothing, however
// its writing ends, unless the disk has failed.
func TestAnOwnSnapshotThatIsOvertaken(t *testing.T) {
	for name, end := range map[string]error{
		"done": nil, "stale": errStale, "full": errFull, "failed": errDisk,
	} {
		t.Run(name, func(t *testing.T) {
			s := sends(t, 1, 1, 1, 1, 1)
			b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, eager)
			b.do(b.from(2, appends(1, 2, at(0, 0), 1, 1)))
			b.write()
			b.apply()
			b.capture()
			own := b.saves[0].Snapshot
			b.saves = nil
			b.arrive(s)
			b.do(Saved{Snapshot: own, Err: end})
			if end == errDisk {
				if !errors.Is(b.Failure(), errDisk) {
					t.Errorf("after a failing disk: %v", b.Failure())
				}
				return
			}
			b.settle()
			if b.Failure() != nil || b.Newest().Last != s.last() || b.Status().Snapshot != s.last() {
				t.Errorf("failure %v, newest %v, %+v", b.Failure(), b.Newest().Last, b.Status())
			}
			if b.log.base != s.last() || len(b.machine.applied) != 5 {
				t.Errorf("the log begins behind %v, applied %v", b.log.base, idsOf(b.machine.applied))
			}
		})
	}
}

// While the machine waits to be replaced it is not captured, and what was captured before is not written.
func TestACaptureAndAnInstall(t *testing.T) {
	s := sends(t, 1, 1, 1, 1, 1)
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, eager)
	b.do(b.from(2, appends(1, 2, at(0, 0), 1, 1)))
	b.write()
	b.apply()
	capture := take(t, &b.captures)
	b.arrive(s)
	b.do(TakeSnapshot{Ticket: 600})
	if len(b.restores) > 0 {
		t.Fatal("a restore beside the capture")
	}
	b.do(capture.Perform(b.front))
	if len(b.saves) > 0 || len(b.captures) > 0 || len(b.restores) != 1 {
		t.Fatalf("in flight: %+v", b.others)
	}
	b.settle()
	if a := b.answer(600); a.Fate != NothingNew { // the one that has just arrived includes it
		t.Errorf("by hand: %+v", a)
	}
	if b.Applied() != 5 || b.saving {
		t.Errorf("applied %d, saving %v", b.Applied(), b.saving)
	}
}

// The results of entries within a snapshot are not known here, so their callers are told that nothing is.
func TestWhoWaitsForWhatASnapshotIncludes(t *testing.T) {
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{})
	b.lead()
	b.acknowledge(3)
	b.settle()
	own := b.propose("own")
	b.settle()
	b.acknowledge(3) // committed; its apply does not end
	b.applies = nil
	term := b.Status().Term + 1
	b.do(b.from(2, raft.AppendEntries{Term: term, Prev: at(2, term-1), Commit: 2}))
	b.write()
	b.waits(own)
	b.do(Proposed{Ticket: 500, Command: []byte("forwarded")}, Proposed{Ticket: 501, Command: []byte("open")},
		Awaited{Ticket: 502, Index: 4}, Awaited{Ticket: 503, Index: 9})
	b.do(b.from(2, raft.ForwardProposalResponse{Leader: term, Start: 1, Number: 1, Entry: at(4, term)}))
	s := sends(t, 1, 1, term, term, term)
	b.arrive(s)
	b.busy = false // as if the apply had ended, whose results nobody has
	b.do(Awake{})
	b.restore()
	for ticket, want := range map[raft.Ticket]Fate{own: LeadershipLost, 500: Unanswered, 502: Done} {
		if a := b.answer(ticket); a.Fate != want {
			t.Errorf("ticket %d: %+v, want fate %d", ticket, a, want)
		}
	}
	b.waits(501)
	b.waits(503)
	b.do(b.from(2, raft.ForwardProposalResponse{Leader: term, Start: 1, Number: 2, Entry: at(5, term)}))
	if a := b.answer(501); a.Fate != Unanswered {
		t.Errorf("placed within the snapshot, late: %+v", a)
	}
}

// eager has a snapshot due after two entries.
func eager(c *Config) { c.Core.Limits.SnapshotBytes = 60 }

// A disk that fails while a snapshot arrives ends the server; a snapshot that cannot be restored does too.
func TestAnInstallThatFails(t *testing.T) {
	s := sends(t, 1, 1, 1)
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{})
	b.do(b.from(2, s.chunk(0, 9)))
	b.write()
	b.disk.fail = errDisk
	b.storeChunk()
	if !errors.Is(b.Failure(), errDisk) || len(b.stops) != 1 {
		t.Errorf("failure %v", b.Failure())
	}
	b = holdKept(t, 3, &modelLog{}, &modelSnapshots{})
	b.arrive(s)
	b.disk.fail = errDisk
	b.restore()
	if !errors.Is(b.Failure(), errDisk) || len(b.sent) > 0 {
		t.Errorf("failure %v, sent %+v", b.Failure(), b.sent)
	}
}

// A server whose machine is being restored does not lead: nobody would get an answer for as long as that
// takes. It votes all the same.
func TestWhoRestoresDoesNotCampaign(t *testing.T) {
	s := sends(t, 1, 1, 1)
	log, disk := &modelLog{}, &modelSnapshots{}
	b := holdKept(t, 3, log, disk)
	b.arrive(s)
	silent := func(b *bench, when string) {
		t.Helper()
		b.pass(100)
		if role := b.Status().Role; role != raft.Follower || len(b.restores) != 1 {
			t.Fatalf("%s: %v, %d restores in flight", when, role, len(b.restores))
		}
	}
	silent(b, "a received snapshot is installed")
	term := b.Status().Term + 1
	b.do(b.from(3, raft.RequestVote{Term: term, Last: at(9, term-1)}))
	b.write()
	if last := b.sent[len(b.sent)-1].Message; last != (raft.RequestVoteResponse{Term: term, Granted: true}) {
		t.Errorf("asked for its vote, it says %+v", last)
	}
	b.do(b.from(3, appends(term, 4, at(0, 0), 1, 1, 1, term)))
	b.write()
	if b.Status().Commit != 4 {
		t.Fatalf("%+v", b.Status())
	}
	silent(b, "and the log has caught up meanwhile")
	b.restore()
	b.settle()
	b.lead()

	b = holdKept(t, 3, log, disk)
	b.do(Awake{})
	silent(b, "the machine is empty at a start")
	b.do(ElectionTimeout{})
	silent(b, "and is told to campaign")
	b.restore()
	b.pass(1)
	if role := b.Status().Role; role != raft.PreCandidate {
		t.Errorf("right after it was restored it is a %v", role)
	}
}

// A candidate to whom a snapshot was sent in the term before gives up for it; one that leads by then applies
// its log instead, which holds all that is committed.
func TestASnapshotThatIsWholeWhenItsReceiverCampaigns(t *testing.T) {
	for _, leads := range []bool{false, true} {
		s := sends(t, 1, 1, 1)
		b := holdKept(t, 3, &modelLog{}, &modelSnapshots{})
		b.do(b.from(2, appends(1, 0, at(0, 0), 1, 1, 1)))
		b.write()
		b.do(b.from(2, s.chunk(0, 1000)))
		store := take(t, &b.stores)
		b.pass(1)
		for b.Status().Role != raft.Candidate {
			b.pass(1)
			if b.Status().Role == raft.PreCandidate {
				b.do(b.from(2, raft.PreVoteResponse{Term: 2, Granted: true}))
			}
		}
		b.write()
		if leads {
			b.do(b.from(2, raft.RequestVoteResponse{Term: 2, Granted: true}))
		}
		b.do(store.Perform(b.disk))
		if role := b.Status().Role; leads != (role == raft.Leader) || leads == (len(b.restores) == 1) {
			t.Fatalf("elected before: %v, and then it is a %v with %d restores", leads, role, len(b.restores))
		}
		if !leads {
			b.settle()
			if b.Applied() != 3 || b.Status().Snapshot != s.last() {
				t.Errorf("applied %d, snapshot %v", b.Applied(), b.Status().Snapshot)
			}
			continue
		}
		b.settle()
		b.acknowledge(3)
		b.settle()
		if b.Applied() != 4 || b.Status().Snapshot != s.last() || b.Status().Role != raft.Leader {
			t.Errorf("applied %d, %+v", b.Applied(), b.Status())
		}
	}
}
