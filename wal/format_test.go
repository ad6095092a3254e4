package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

// A batch verifies where it was written and nowhere else: not in another segment, at another offset, in
// another life.
func TestABatchVerifiesOnlyInItsPlace(t *testing.T) {
	home := place{7, 3, 4096}
	raw := batch{number: 9, entries: []raft.Entry{entry(1, 1, 100)}}.append(nil, home)
	if h, good := readHeader(raw, home); !good || h != (header{9, int64(len(raw))}) || !verifies(raw, home) {
		t.Fatalf("header %+v, %v", h, good)
	}
	for _, elsewhere := range []place{{8, 3, 4096}, {7, 4, 4096}, {7, 3, 4112}, {7, 4096, 3}, {0, 0, 0}} {
		if _, good := readHeader(raw, elsewhere); good {
			t.Errorf("its header verifies at %+v", elsewhere)
		}
		if verifies(raw, elsewhere) {
			t.Errorf("it verifies at %+v", elsewhere)
		}
	}
}

// The two seeds are of one 64-bit value that two offsets of a segment never share.
func TestSeedsDiffer(t *testing.T) {
	seen := map[[2]uint32]place{}
	for segment := uint64(1); segment < 20; segment++ {
		for offset := int64(0); offset < 10_000; offset += alignment {
			p := place{7, segment, offset}
			h, w := p.seeds()
			if twin, known := seen[[2]uint32{h, w}]; known {
				t.Fatalf("%+v and %+v have the same seeds", p, twin)
			}
			seen[[2]uint32{h, w}] = p
		}
	}
}

func TestSizesAreWhatIsWritten(t *testing.T) {
	state := &raft.HardState{Term: 1, Vote: 2}
	entries := []raft.Entry{entry(1, 1, 13), entry(1, 2, 0), entry(1, 3, 1)}
	entries[2].Kind = raft.Session
	for _, b := range []batch{
		{state: state}, {start: 1}, {entries: entries}, {end: true}, {seal: true},
		{peers: []raft.Acquaintance{{Node: 1, Incarnation: 2, Start: 3}, {Node: 2, Incarnation: 1 << 63}}},
		{base: &base{1, 2, raft.EntryID{Term: 3, Index: 4}, raft.EntryID{Term: 5, Index: 1 << 60}}},
		{base: &base{segment: 1, number: 2, before: raft.EntryID{Term: 5, Index: 6}}, restart: true},
		{state: state, start: 9, entries: entries, base: &base{segment: 7}},
		{state: state, start: 9, peers: []raft.Acquaintance{{Node: 7, Start: 1 << 40}}},
		{state: state, start: 9, entries: entries[:1]}, {state: state, entries: entries},
	} {
		b.number = 5
		raw := b.append([]byte("before"), place{})[6:]
		if int64(len(raw)) != b.size() || len(raw)%alignment != 0 {
			t.Errorf("%+v takes %d bytes, said to be %d", b, len(raw), b.size())
		}
		got, err := decode(raw, nil)
		ok(t, err)
		if again := got.append(nil, place{}); !bytes.Equal(again, raw) {
			t.Errorf("%+v came back as %+v", b, got)
		}
	}
	if n := (batch{end: true}).size(); n != endMark {
		t.Errorf("an end mark takes %d bytes", n)
	}
}

// What this package knows of wire's form of an entry.
func TestTheFormOfEntries(t *testing.T) {
	raw := wire.AppendEntry(nil, raft.Entry{Term: 1, Index: 2, Kind: raft.Session, Command: []byte("abc")})
	if len(raw) != entryHeader+3 || raw[entryKindAt] != byte(raft.Session) {
		t.Fatalf("an entry is % x", raw)
	}
}

// plant makes a log of four batches: two starts, something appended, and, as number 4, any records with
// good checksums.
func plant(t testing.TB, number uint64, flags uint32, records []byte) *disk.Memory {
	m := disk.NewMemory()
	o := Options{Identity: identity(), SegmentBytes: 8192}
	mustBoot(t, m, o)
	l, _ := mustBoot(t, m, o)
	ok(t, l.Append(&raft.HardState{Term: 3}, []raft.Entry{entry(1, 1, 1), entry(2, 2, 1)},
		raft.Acquaintance{Node: 9, Start: 7}))
	raw := binary.LittleEndian.AppendUint64(nil, number)
	raw = binary.LittleEndian.AppendUint32(raw, uint32(align(int64(batchHeader+len(records)), alignment)))
	raw = binary.LittleEndian.AppendUint32(raw, flags)
	raw = append(append(raw, make([]byte, 8)...), records...)
	raw = append(raw, make([]byte, align(int64(len(raw)), alignment)-int64(len(raw)))...)
	sign(raw, place{l.incarnation, l.segment, l.offset})
	image := m.Read(segmentName(1))
	copy(image[l.offset:], raw)
	m.Plant(segmentName(1), image)
	return m
}

func record(kind recordKind, payload ...byte) []byte {
	return append(appendRecord(nil, kind, int64(len(payload))), payload...)
}

func records(r ...[]byte) []byte { return bytes.Join(r, nil) }

// Good checksums do not make sense of nonsense, and what a later version means is never skipped.
func TestBatchesThatMakeNoSense(t *testing.T) {
	state := func(term byte) []byte {
		return record(stateRecord, append([]byte{term}, make([]byte, stateLength-1)...)...)
	}
	start := func(n byte) []byte { return record(startRecord, n, 0, 0, 0, 0, 0, 0, 0) }
	entries := func(e ...raft.Entry) []byte {
		var payload []byte
		for _, e := range e {
			payload = wire.AppendEntry(payload, e)
		}
		return record(entryRecord, payload...)
	}
	later := entries(entry(2, 3, 4))
	later[recordHeader+entryKindAt] = 77
	spaced := state(4)
	spaced[2] = 1
	for what, c := range map[string]struct {
		records []byte
		want    error
	}{
		"a good one":               {records(state(4), start(2), entries(entry(2, 3, 8))), nil},
		"a record of kind 200":     {record(200, 1, 2, 3), ErrVersion},
		"a record with flags":      {spaced, ErrVersion},
		"an entry of a later kind": {later, ErrVersion},
		"a short hard state":       {record(stateRecord, make([]byte, 15)...), ErrCorrupt},
		"a long start":             {record(startRecord, make([]byte, 9)...), ErrCorrupt},
		"no entries":               {record(entryRecord), ErrCorrupt},
		"half an entry":            {record(entryRecord, make([]byte, 31)...), ErrCorrupt},
		"an end mark with more":    {record(endRecord, 1), ErrCorrupt},
		"an end mark with state":   {records(state(4), record(endRecord)), ErrCorrupt},
		"an end mark with start":   {records(start(1), record(endRecord)), ErrCorrupt},
		"an end mark and entries":  {records(entries(entry(2, 3, 0)), record(endRecord)), ErrCorrupt},
		"a record twice":           {records(state(4), state(4)), ErrCorrupt},
		"records out of order":     {records(start(1), state(4)), ErrCorrupt},
		"a record behind its end":  {appendRecord(nil, entryRecord, 1<<31), ErrCorrupt},
		"something in the padding": {append(records(start(2)), 0, 0, 0, 0, 0, 1), ErrCorrupt},
		"a row of zeros":           {append(records(state(4)), make([]byte, 40)...), ErrCorrupt},
		"a term going back":        {state(2), ErrCorrupt},
		"a start going back":       {start(1), ErrCorrupt},
		"a start without a number": {start(0), ErrCorrupt},
		"a gap":                    {entries(entry(2, 4, 1)), ErrCorrupt},
		"an older term":            {entries(entry(1, 3, 1)), ErrCorrupt},
	} {
		checkRecords(t, what, c.records, c.want)
	}
	if _, err := inspect(plant(t, 4, 1, state(4))); !errors.Is(err, ErrVersion) {
		t.Errorf("a batch with flags: %v", err)
	}
	for _, number := range []uint64{0, 3, 5, 1 << 63} {
		if _, err := inspect(plant(t, number, 0, state(4))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("batch %d in place of batch 4: %v", number, err)
		}
	}
}

// checkRecords plants records and demands a verdict; damage must be found in what they say.
func checkRecords(t *testing.T, what string, records []byte, want error) {
	t.Helper()
	_, err := inspect(plant(t, 4, 0, records))
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if want == ErrCorrupt && err != nil && !strings.Contains(err.Error(), "makes no sense") {
		t.Errorf("%s: refused for another reason: %v", what, err)
	}
}

func TestSealsAndPeersThatMakeNoSense(t *testing.T) {
	state := record(stateRecord, append([]byte{4}, make([]byte, 15)...)...)
	peer := func(id, start byte) []byte {
		return slices.Concat([]byte{id}, make([]byte, 15), []byte{start}, make([]byte, 7))
	}
	peersOf := func(payload []byte) []byte { return record(peersRecord, payload...) }
	for what, c := range map[string]struct {
		records []byte
		want    error
	}{
		"a seal":                    {record(sealRecord), nil},
		"peers":                     {record(peersRecord, append(peer(2, 5), peer(3, 1)...)...), nil},
		"a seal with more":          {record(sealRecord, 1), ErrCorrupt},
		"a seal with state":         {records(state, record(sealRecord)), ErrCorrupt},
		"a seal and an end mark":    {records(record(endRecord), record(sealRecord)), ErrCorrupt},
		"a seal with peers":         {records(record(sealRecord), peersOf(peer(2, 5))), ErrCorrupt},
		"no peers":                  {record(peersRecord), ErrCorrupt},
		"half a peer":               {record(peersRecord, peer(2, 5)[:23]...), ErrCorrupt},
		"a peer twice":              {record(peersRecord, append(peer(2, 5), peer(2, 5)...)...), ErrCorrupt},
		"peers out of order":        {record(peersRecord, append(peer(3, 5), peer(2, 5)...)...), ErrCorrupt},
		"a peer without an id":      {record(peersRecord, peer(0, 5)...), ErrCorrupt},
		"a peer's start going back": {record(peersRecord, peer(9, 6)...), ErrCorrupt},
	} {
		checkRecords(t, what, c.records, c.want)
	}
}

// The first batch of a segment tells everything that was told before, and the last one leaves room for the
// end mark.
func TestFirstAndLastBatches(t *testing.T) {
	state := &raft.HardState{Term: 1}
	fits := 512 - endMark - segmentHeader
	filling := batch{state: state, start: 1, entries: []raft.Entry{entry(1, 1, 0)}}
	room := fits - int(filling.size())
	filling.entries[0] = entry(1, 1, room)
	overfull := filling
	overfull.entries = []raft.Entry{entry(1, 1, room+16)}
	for what, c := range map[string]struct {
		first batch
		want  string
	}{
		"everything":  {batch{state: state, start: 1}, ""},
		"no state":    {batch{start: 1}, "does not repeat"},
		"no start":    {batch{state: state}, "does not repeat"},
		"an end mark": {batch{end: true}, "does not repeat"},
		"room left":   {filling, ""},
		"no room":     {overfull, "no room"},
	} {
		m := disk.NewMemory()
		id := identity()
		m.Plant(firstCopy, id.encode())
		c.first.number = 1
		image := emptySegment(id.Incarnation, 1)
		copy(image[segmentHeader:], c.first.append(nil, place{id.Incarnation, 1, segmentHeader}))
		m.Plant(segmentName(1), image)
		switch _, err := inspect(m); {
		case c.want == "":
			ok(t, err)
		case !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// A header with a good checksum and a length that cannot be is no torn write.
func TestAbsurdLengths(t *testing.T) {
	for _, length := range []uint32{0, 16, 24, 33, 40, 8192, 1 << 30, 1<<32 - 16, 1<<32 - 1} {
		m := plant(t, 4, 0, record(startRecord, 2, 0, 0, 0, 0, 0, 0, 0))
		image := m.Read(segmentName(1))
		at := place{identity().Incarnation, 1, int64(extent(image)) - 33}
		at.offset &^= alignment - 1
		raw := image[at.offset:]
		if _, good := readHeader(raw, at); !good {
			t.Fatalf("no batch at %d", at.offset)
		}
		binary.LittleEndian.PutUint32(raw[8:], length)
		header, _ := at.seeds()
		binary.LittleEndian.PutUint32(raw[16:], crc32.Update(header, castagnoli, raw[:16]))
		m.Plant(segmentName(1), image)
		if _, err := inspect(m); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a batch of %d bytes: %v", length, err)
		}
	}
}

// resign makes the checksum of an identity or of a segment's header good again.
func resign(b []byte, at int) []byte {
	binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b[:at], castagnoli))
	return b
}

func TestALaterVersion(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		want error
	}{
		{segmentName(1), 8, ErrVersion}, {segmentName(1), 11, ErrVersion}, {segmentName(1), 45, ErrVersion},
		{segmentName(1), 0, ErrCorrupt}, {segmentName(1), 16, ErrCorrupt}, {segmentName(1), 24, ErrCorrupt},
		{segmentName(1), 32, ErrCorrupt},
		{firstCopy, 8, ErrVersion}, {secondCopy, 10, ErrVersion},
		{firstCopy, 28, ErrCorrupt}, {secondCopy, 12, ErrCorrupt}, // the copies differ
		{firstCopy, 44, nil}, {secondCopy, 48, nil}, // one copy is bad
	} {
		m := disk.NewMemory()
		mustBoot(t, m, small())
		b := m.Read(c.name)
		b[c.at] ^= 0x40
		if sum := 60; c.name == segmentName(1) {
			m.Plant(c.name, resign(b, sum))
		} else {
			m.Plant(c.name, resign(b, len(b)-4))
		}
		if _, err := inspect(m); !errors.Is(err, c.want) {
			t.Errorf("%s with another byte %d: %v, want %v", c.name, c.at, err, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]uint64{
		"0000000001.wal": 1, "9999999999.wal": 9999999999, segmentName(42): 42,
		"1.wal": 0, "0000000001": 0, "00000000001.wal": 0, "-000000001.wal": 0, "+000000001.wal": 0,
		"0000000001.wal.tmp": 0,
	} {
		if n, ok := parseSegmentName(name); ok != (want != 0) || ok && n != want {
			t.Errorf("%s is segment %d, %v", name, n, ok)
		}
	}
}
