package wal

import (
	"encoding/binary"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

// Beside a configuration stands a record of a kind that no program from before cluster version 1 reads past;
// beside other entries it does not, so that such a program takes its directory back.
func TestAConfigurationIsGated(t *testing.T) {
	configuration := raft.Entry{Term: 3, Index: 3, Kind: raft.ConfigurationChange,
		Command: raft.NewConfiguration(map[raft.NodeID]string{1: "a"}).AppendTo(nil)}
	for what, c := range map[string]struct {
		entries []raft.Entry
		kind    recordKind // of the last record
	}{
		"a command":                {[]raft.Entry{entry(2, 3, 1)}, entryRecord},
		"a configuration":          {[]raft.Entry{configuration}, gateRecord},
		"one behind other entries": {[]raft.Entry{entry(2, 3, 1), {Term: 3, Index: 4, Kind: 3}}, gateRecord},
	} {
		l, _ := mustBoot(t, disk.NewMemory(), Options{Identity: identity(), SegmentBytes: 8192})
		ok(t, l.Append(&raft.HardState{Term: 3}, []raft.Entry{entry(1, 1, 1), entry(2, 2, 1)}))
		ok(t, l.Append(nil, c.entries))
		if got := lastRecord(l.buffer); got != c.kind {
			t.Errorf("%s: the last record is of kind %d, want %d", what, got, c.kind)
		}
	}
	held := record(entryRecord, wire.AppendEntry(nil, configuration)...)
	checkRecords(t, "a configuration", records(held, record(gateRecord)), nil)
	checkRecords(t, "one of a program that wrote no gate", held, nil)
	checkRecords(t, "a gate with more", records(held, record(gateRecord, 1)), ErrCorrupt)
	checkRecords(t, "a gate beside a command", records(record(entryRecord,
		wire.AppendEntry(nil, entry(3, 3, 1))...), record(gateRecord)), ErrCorrupt)
}

// TestTheGateLasts: through starts, segments, releases and a repair, as the snapshot that takes the place of
// the configuration alone would be taken for a damaged one.
func TestTheGateLasts(t *testing.T) {
	memory := disk.NewMemory()
	begins := func(segment uint64) recordKind {
		return lastRecord(memory.Read(segmentName(segment))[segmentHeader:])
	}
	l, _ := mustBoot(t, memory, small())
	first := raft.Entry{Term: 1, Index: 1, Kind: raft.ConfigurationChange}
	ok(t, l.Append(&raft.HardState{Term: 1}, []raft.Entry{first}))
	ok(t, l.Close())
	for i := raft.Index(2); i <= 40; i++ {
		l, _ = mustBoot(t, memory, small())
		ok(t, l.Append(nil, []raft.Entry{entry(1, i, 100)}))
		if i > 5 {
			ok(t, l.Release(i-5))
		}
		ok(t, l.Close())
		if got := begins(l.segment); l.segment > 1 && got != gateRecord {
			t.Fatalf("segment %d begins with a batch whose last record is of kind %d", l.segment, got)
		}
	}
	if l.chain.base.segment < 2 {
		t.Fatal("no segment was released")
	}
	memory.Flip(segmentName(l.segment), 8*(l.size-1))
	_, err := repairOn(memory, raft.EntryID{Term: 1, Index: 35})
	ok(t, err)
	if got := begins(1); got != gateRecord {
		t.Errorf("after a repair the last record is of kind %d", got)
	}
}

// lastRecord is the kind of the last record of the batch that stands in front.
func lastRecord(b []byte) (last recordKind) {
	b = b[batchHeader:binary.LittleEndian.Uint32(b[8:])]
	for len(b) >= recordHeader && b[0] != 0 {
		last = recordKind(b[0])
		b = b[recordHeader+binary.LittleEndian.Uint32(b[4:]):]
	}
	return last
}
