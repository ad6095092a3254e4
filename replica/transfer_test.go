package replica

import (
	"hash/crc32"
	"slices"
	"testing"

	"balsa/raft"
)

// leadsWithSnapshot is a leader of three that has compacted its log, and whose follower 3 lacks what is gone.
func leadsWithSnapshot(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	s := sends(t, 1, 1, 1, 1, 1)
	log := &modelLog{state: raft.HardState{Term: 1}, base: s.last()}
	b := holdKept(t, 3, log, &modelSnapshots{kept: []modelFile{s.file}}, change...)
	b.do(Awake{})
	b.lead()
	b.acknowledge(2)
	return b
}

// rejects lets follower 3 say that it has nothing.
func (b *bench) rejects() {
	b.t.Helper()
	e := b.lastAppendTo(3)
	answer := b.from(3, raft.AppendEntriesResponse{Term: b.Status().Term, Rejected: true,
		Round: e.Message.(raft.AppendEntries).Round})
	answer.Envelope.Sequence = e.Sequence
	b.do(answer)
}

func (b *bench) lastAppendTo(id raft.NodeID) (last raft.Envelope) {
	b.t.Helper()
	for _, e := range b.sent {
		if _, is := e.Message.(raft.AppendEntries); is && e.To == id {
			last = e
		}
	}
	return last
}

// chunksTo returns what was sent of snapshots to a server.
func (b *bench) chunksTo(id raft.NodeID) (all []raft.Envelope) {
	for _, e := range b.sent {
		if _, is := e.Message.(raft.InstallSnapshot); is && e.To == id {
			all = append(all, e)
		}
	}
	return all
}

// wants answers the last chunk: the follower wants what follows from an offset on.
func (b *bench) wants(next uint64) {
	b.t.Helper()
	all := b.chunksTo(3)
	last := all[len(all)-1]
	m := last.Message.(raft.InstallSnapshot)
	answer := b.from(3, raft.InstallSnapshotResponse{Term: m.Term, Last: m.Last, Next: next})
	answer.Envelope.Sequence = last.Sequence
	b.do(answer)
}

// A leader asks first, and then sends what the follower lacks, piece by piece and with its checksum.
func TestALeaderSendsItsSnapshot(t *testing.T) {
	b := leadsWithSnapshot(t)
	b.rejects()
	b.settle()
	all := b.chunksTo(3)
	if len(all) != 1 || len(all[0].Message.(raft.InstallSnapshot).Data) != 0 || len(b.chunkReads) != 0 {
		t.Fatalf("first it asks, and sent %+v", all)
	}
	file := b.disk.kept[0].bytes
	for next := 25; next < len(file); {
		b.wants(uint64(next))
		b.readChunk()
		all = b.chunksTo(3)
		m := all[len(all)-1].Message.(raft.InstallSnapshot)
		want := file[next:min(next+40, len(file))]
		sum := crc32.Checksum(want, crc32.MakeTable(crc32.Castagnoli))
		if string(m.Data) != string(want) || m.Checksum != sum || m.Offset != uint64(next) {
			t.Fatalf("from %d on it sends %+v", next, m)
		}
		next += len(m.Data)
	}
	term, last := b.Status().Term, b.Newest().Last
	complete := b.from(3, raft.InstallSnapshotResponse{Term: term, Last: last, Complete: true})
	complete.Envelope.Sequence = 0 // it answers nothing: the restore has taken long
	b.do(complete)
	if b.matchOf(3) != 5 {
		t.Errorf("the follower has it, and its match is %d", b.matchOf(3))
	}
}

// What cannot be read is told, and asked for again; what is read for a term that is over is not sent.
func TestAChunkThatIsNotSent(t *testing.T) {
	b := leadsWithSnapshot(t)
	b.rejects()
	b.wants(0)
	events := len(b.events)
	read := take(t, &b.chunkReads)
	b.do(read.Perform(&modelSnapshots{}))
	if _, is := b.events[events].(SnapshotFailed); !is || b.Failure() != nil || len(b.chunksTo(3)) != 1 {
		t.Fatalf("reported %v, failure %v", b.events[events:], b.Failure())
	}
	for len(b.chunksTo(3)) == 1 {
		b.pass(1)
		b.do(b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term, Match: 6, Round: 1}))
	}
	b.wants(0)
	read = take(t, &b.chunkReads)
	b.do(b.from(2, raft.AppendEntries{Term: b.Status().Term + 1, Prev: at(5, 1)}))
	sent := len(b.chunksTo(3))
	b.do(read.Perform(b.disk))
	if len(b.chunksTo(3)) != sent {
		t.Error("a chunk left in the name of a term that is over")
	}
}

// The rate bounds what is sent over time: all of it takes about as long as the rate says.
func TestTheRateOfASnapshot(t *testing.T) {
	const rate = 500 // bytes in a second
	b := leadsWithSnapshot(t, func(c *Config) { c.SnapshotRate = rate })
	b.rejects()
	b.wants(0)
	began, size, sent := b.now, len(b.disk.kept[0].bytes), 0
	for ticks := 0; sent < size; ticks++ {
		if ticks > 1000 {
			t.Fatalf("%d bytes of %d were sent in 10 s", sent, size)
		}
		if len(b.chunkReads) > 0 {
			b.readChunk()
			sent = min(sent+40, size)
			b.wants(uint64(sent))
		}
		b.pass(1)
		b.do(b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term, Match: 6, Round: 1}))
	}
	took, should := b.now-began, raft.Time(size)*1_000_000_000/rate
	if took > should+should/10 || took < should-should/2 { // the first tenth of a second is free
		t.Errorf("%d bytes took %d ns, want about %d", size, took, should)
	}
}

// A chunk that waits is replaced by a later one to the same follower.
func TestOneChunkForEachFollowerWaits(t *testing.T) {
	b := leadsWithSnapshot(t)
	letter := func(to raft.NodeID, offset uint64) raft.Letter {
		return raft.Letter{To: to, Message: raft.InstallSnapshot{Term: b.Status().Term, Offset: offset}}
	}
	for offset := range uint64(5) {
		b.sendSnapshot(letter(2, offset))
		b.sendSnapshot(letter(3, offset))
	}
	if len(b.chunks.asked) != 2 || b.chunks.asked[1].Message.(raft.InstallSnapshot).Offset != 4 {
		t.Errorf("waiting: %+v", b.chunks.asked)
	}
}

// Two followers are sent their snapshots one after the other, as long as the first has something to be sent.
func TestOneFollowerAfterTheOtherIsSentASnapshot(t *testing.T) {
	b := leadsWithSnapshot(t, func(c *Config) { c.SnapshotRate = 100 })
	last := b.Newest().Last
	asks := func(to raft.NodeID) { // what the core has said when a follower wants more
		b.sendSnapshot(raft.Letter{To: to, Message: raft.InstallSnapshot{Term: b.Status().Term, Last: last}})
	}
	var order []raft.NodeID
	next := func() {
		for range 100 {
			if len(b.chunkReads) > 0 {
				order = append(order, b.chunkReads[0].Letter.To)
				b.readChunk()
				return
			}
			b.pass(1)
			b.do(b.from(2, raft.AppendEntriesResponse{Term: b.Status().Term, Match: 6, Round: 1}))
		}
		t.Fatalf("nothing is sent any more, after %v", order)
	}
	asks(2)
	asks(3)
	for range 3 {
		next()
		asks(2) // behind the other one
	}
	next()
	next()
	asks(3)
	next()
	if want := []raft.NodeID{2, 2, 2, 2, 3, 3}; !slices.Equal(order, want) {
		t.Errorf("chunks went to %v, want %v", order, want)
	}
}
