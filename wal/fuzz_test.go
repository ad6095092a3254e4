package wal

import (
	"bytes"
	"errors"
	"runtime/metrics"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// allocated returns how many bytes this process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// readBounded inspects a disk and fails if that takes more memory than the disk's content can explain.
func readBounded(t *testing.T, m *disk.Memory) (Recovered, error) {
	t.Helper()
	bytes := uint64(0)
	for _, name := range m.Names() {
		bytes += uint64(len(m.Read(name)))
	}
	before := allocated()
	r, err := inspect(m)
	if took := allocated() - before; took > 4<<20+64*bytes {
		t.Fatalf("%d bytes on the disk took %d bytes of memory", bytes, took)
	}
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
		t.Fatalf("no verdict: %v", err)
	}
	return r, err
}

// settled checks that a log which can be read can be opened too, and then reads the same.
func settled(t *testing.T, m *disk.Memory, read Recovered) {
	t.Helper()
	l, opened := mustBoot(t, m, Options{Identity: identity(), SegmentBytes: MinSegmentBytes})
	ok(t, l.Close())
	again, err := inspect(m)
	ok(t, err)
	if !held(read).equal(opened) || !held(read).equal(again) || again.Torn != 0 {
		t.Fatalf("read %v\nopened %v\nread again %v", held(read), held(opened), held(again))
	}
}

// withSegment makes a disk with one segment of any content behind a good header.
func withSegment(body []byte) *disk.Memory {
	m := disk.NewMemory()
	id := identity()
	body = append(body, make([]byte, align(int64(len(body))+endMark, disk.Sector)-int64(len(body)))...)
	m.Plant(firstCopy, id.encode())
	header := encodeSegmentHeader(id.Incarnation, 1, int64(segmentHeader+len(body)))
	m.Plant(segmentName(1), append(header, body...))
	return m
}

func FuzzSegment(f *testing.F) {
	r, _ := newRotten(f)
	for segment := uint64(1); segment <= r.last; segment++ {
		image := r.disk.Read(segmentName(segment))
		f.Add(bytes.TrimRight(image[segmentHeader:], "\x00"))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := withSegment(body)
		if r, err := readBounded(t, m); err == nil {
			settled(t, m, r)
		}
	})
}

// FuzzRecords puts good checksums around any records, so that what decodes them is reached.
func FuzzRecords(f *testing.F) {
	id := identity()
	for _, b := range []batch{
		{state: &raft.HardState{Term: 2, Vote: 1}}, {start: 2}, {end: true}, {seal: true},
		{peers: []raft.Acquaintance{{Node: 1, Incarnation: 5, Start: 9}, {Node: 3, Incarnation: 6}}},
		{base: &base{1, 1, raft.EntryID{}, raft.EntryID{Term: 1, Index: 1}}},
		{base: &base{1, 1, raft.EntryID{}, raft.EntryID{Term: 1, Index: 9}}, restart: true},
		{state: &raft.HardState{Term: 2}, start: 3, entries: []raft.Entry{entry(1, 1, 3), entry(2, 2, 0)}},
	} {
		f.Add(b.append(nil, place{})[batchHeader:])
	}
	f.Fuzz(func(t *testing.T, records []byte) {
		at := place{id.Incarnation, 1, segmentHeader}
		body := batch{number: 1, state: &raft.HardState{Term: 1}, start: 1}.append(nil, at)
		at.offset += int64(len(body))
		raw := batch{number: 2}.append(nil, at)[:batchHeader]
		raw = append(raw, records...)
		raw = append(raw, make([]byte, align(int64(len(raw)), alignment)-int64(len(raw)))...)
		copy(raw[8:], []byte{byte(len(raw)), byte(len(raw) >> 8), byte(len(raw) >> 16), byte(len(raw) >> 24)})
		sign(raw, at)
		m := withSegment(append(body, raw...))
		if r, err := readBounded(t, m); err == nil && r.Torn == 0 {
			settled(t, m, r)
		}
	})
}

func FuzzIdentity(f *testing.F) {
	id := identity()
	f.Add(id.encode(), false)
	f.Add(id.encode(), true)
	f.Add([]byte(identityMagic), true)
	f.Add(joining().encode(), true)
	f.Fuzz(func(t *testing.T, content []byte, signed bool) {
		if signed && len(content) >= 4 {
			content = resign(bytes.Clone(content), len(content)-4)
		}
		before := allocated()
		id, err := decodeIdentity(content)
		if took := allocated() - before; took > 4<<20+64*uint64(len(content)) {
			t.Fatalf("%d bytes took %d bytes of memory", len(content), took)
		}
		if err == nil && !bytes.Equal(id.encode(), content) {
			t.Fatalf("%+v has another form than the one it was read from", id)
		}
	})
}
