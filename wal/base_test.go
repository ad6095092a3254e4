package wal

import (
	"testing"

	"balsa/disk"
	"balsa/raft"
)

func baseOf(segment, number uint64, join, before raft.EntryID) []byte {
	return record(baseRecord, base{segment, number, join, before}.append(nil)...)
}

// What verifies and says nonsense of where the log begins is damage. The planted log is one segment with the
// entries 1/t1 and 2/t2.
func TestBasesThatMakeNoSense(t *testing.T) {
	at := func(term raft.Term, index raft.Index) raft.EntryID {
		return raft.EntryID{Term: term, Index: index}
	}
	none := raft.EntryID{}
	restart := record(restartRecord)
	for what, c := range map[string]struct {
		records []byte
		want    error
	}{
		"a release":                    {baseOf(1, 1, none, at(1, 1)), nil},
		"a release of everything":      {baseOf(1, 1, none, at(2, 2)), nil},
		"a restart":                    {records(baseOf(1, 1, none, at(7, 9)), restart), nil},
		"a restart behind what exists": {records(baseOf(1, 1, none, at(2, 1)), restart), nil},
		"a release of what is not":     {baseOf(1, 1, none, at(2, 3)), ErrCorrupt},
		"a release of another term":    {baseOf(1, 1, none, at(2, 1)), ErrCorrupt},
		"a base at index 0":            {baseOf(1, 1, none, at(2, 0)), ErrCorrupt},
		"a base in term 0":             {baseOf(1, 1, none, at(0, 2)), ErrCorrupt},
		"a restart at index 0":         {records(baseOf(1, 1, none, at(1, 0)), restart), ErrCorrupt},
		"a restart without a base":     {restart, ErrCorrupt},
		"a restart with more": {records(baseOf(1, 1, none, at(2, 2)), record(restartRecord, 1)),
			ErrCorrupt},
		"half a base": {baseOf(1, 1, none, at(1, 1))[:recordHeader+40], ErrCorrupt},
	} {
		checkRecords(t, what, c.records, c.want)
	}
	for what, raw := range map[string][]byte{
		"no segment":      baseOf(0, 1, none, at(1, 1)),
		"no batch":        baseOf(1, 0, none, at(1, 1)),
		"a later segment": baseOf(2, 9, none, at(1, 1)),
		"another join":    baseOf(1, 1, at(1, 1), at(1, 1)),
		"another number":  baseOf(1, 2, none, at(1, 1)),
	} {
		_, err := inspect(plant(t, 4, 0, raw))
		if refusal(err) != damaged {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The first batch of a segment must repeat where the log begins, and no base may go back.
func TestBasesFollowEachOther(t *testing.T) {
	id := identity()
	state := &raft.HardState{Term: 3}
	at := func(index raft.Index) *base {
		return &base{segment: 1, number: 1, before: raft.EntryID{Term: 1, Index: index}}
	}
	for what, c := range map[string]struct {
		first batch // of the second segment
		more  []batch
		want  verdict
	}{
		"repeated":           {batch{base: at(3)}, nil, intact},
		"not repeated":       {batch{}, nil, damaged},
		"not repeated later": {batch{}, []batch{{base: at(3)}}, damaged},
		"going on":           {batch{base: at(3)}, []batch{{base: at(4)}}, intact},
		"going back":         {batch{base: at(2)}, nil, damaged},
		"going back later":   {batch{base: at(3)}, []batch{{base: at(2)}}, damaged},
		"with entries behind": {batch{base: at(4), entries: []raft.Entry{entry(1, 5, 1)}},
			[]batch{{base: at(5)}}, intact},
		"with entries inside": {batch{base: at(3), entries: []raft.Entry{entry(1, 3, 1)}}, nil, damaged},
		"none lacking": {batch{base: &base{2, 4, raft.EntryID{Term: 1, Index: 4},
			raft.EntryID{Term: 1, Index: 4}}}, nil, intact},
		"one lacking": {batch{base: &base{2, 4, raft.EntryID{Term: 1, Index: 4},
			raft.EntryID{Term: 1, Index: 3}}}, nil, damaged},
		"a restart with some": {batch{base: at(3), restart: true,
			entries: []raft.Entry{entry(1, 4, 1)}}, nil, damaged},
	} {
		m := disk.NewMemory()
		m.Plant(firstCopy, id.encode())
		m.Plant(secondCopy, id.encode())
		c.first.state, c.first.start = state, 1
		entries := []raft.Entry{entry(1, 1, 1), entry(1, 2, 1), entry(1, 3, 1), entry(1, 4, 1)}
		number := uint64(1)
		for i, batches := range [][]batch{
			{{state: state, start: 1, entries: entries}, {base: at(3)}, {end: true}},
			append([]batch{c.first}, c.more...),
		} {
			image := emptySegment(id.Incarnation, uint64(i+1))
			offset := int64(segmentHeader)
			for _, b := range batches {
				b.number = number
				raw := b.append(nil, place{id.Incarnation, uint64(i + 1), offset})
				copy(image[offset:], raw)
				offset, number = offset+int64(len(raw)), number+1
			}
			m.Plant(segmentName(uint64(i+1)), image)
		}
		got := intact
		if _, err := inspect(m); err != nil {
			got = refusal(err)
		}
		if got != c.want {
			_, err := inspect(m)
			t.Errorf("%s: %s, want %s (%v)", what, got, c.want, err)
		}
	}
}
