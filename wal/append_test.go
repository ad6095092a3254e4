package wal

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

func TestWhatWasAppendedIsRecovered(t *testing.T) {
	m := disk.NewMemory()
	l, r := mustBoot(t, m, small())
	if !r.First || r.Start != 1 || r.Torn != 0 || !(contents{}).equal(r) {
		t.Fatalf("a first start recovered %+v", r)
	}
	var want contents
	for _, s := range []step{
		{state: &raft.HardState{Term: 1, Vote: 3}},
		{entries: []raft.Entry{entry(1, 1, 10), entry(1, 2, 0), entry(1, 3, 2000)}},
		{state: &raft.HardState{Term: 4}, entries: []raft.Entry{entry(3, 3, 5), entry(4, 4, 6)}},
		{},
		{entries: []raft.Entry{{Term: 4, Index: 5, Time: -1, Kind: raft.NoOp}}},
		{entries: []raft.Entry{entry(5, 1, 10)}}, // replaces everything
		{entries: []raft.Entry{entry(5, 2, 10)}},
		{peers: []raft.Acquaintance{{Node: 2, Incarnation: 7, Start: 1}, {Node: 9, Incarnation: 8}}},
		{peers: []raft.Acquaintance{{Node: 2, Incarnation: 7, Start: 2}, {Node: 3, Incarnation: 9}}},
		{peers: []raft.Acquaintance{{Node: 9, Incarnation: 6, Start: 1}}}, // another data directory
		{entries: []raft.Entry{entry(5, 2, 900)}},                         // in a new segment
	} {
		ok(t, s.append(l))
		want = want.after(s)
	}
	ok(t, l.Close())
	m.Crash(disk.KeepNone)
	l, r = mustBoot(t, m, small())
	if r.First || r.Start != 2 || r.Torn != 0 || !want.equal(r) {
		t.Fatalf("recovered %+v\nwant %v", r, want)
	}
	if !reflect.DeepEqual(r.Identity, identity()) {
		t.Fatalf("the identity is %+v", r.Identity)
	}
	ok(t, l.Append(nil, []raft.Entry{entry(5, 3, 10)}))
	ok(t, l.Close())
}

// recover(recover(disk)) = recover(disk), but for the number of the start.
func TestRecoveryChangesNothing(t *testing.T) {
	r, _ := newRotten(t)
	r.disk.Flip(segmentName(r.last), 8*r.end-1) // torn
	before, err := inspect(r.disk)
	ok(t, err)
	for i := range uint64(30) {
		_, got := mustBoot(t, r.disk, small())
		if got.Start != before.Start+i+1 || (got.Torn > 0) != (i == 0) {
			t.Fatalf("recovery %d: start %d after %d, torn %d", i, got.Start, before.Start, got.Torn)
		}
		if !held(before).equal(got) {
			t.Fatalf("recovery %d: %v\nwant %v", i, held(got), held(before))
		}
		r.disk.Crash(disk.KeepNone)
	}
}

// What could not be read again is refused before anything of it is written, and ends the log.
func TestInvalidAppends(t *testing.T) {
	long := raft.Entry{Term: 2, Index: 3, Kind: raft.Normal, Command: make([]byte, wire.MaxCommand+1)}
	for what, s := range map[string]step{
		"a gap":                 {entries: []raft.Entry{entry(2, 4, 1)}},
		"index 0":               {entries: []raft.Entry{entry(2, 0, 1)}},
		"a gap inside":          {entries: []raft.Entry{entry(2, 3, 1), entry(2, 5, 1)}},
		"an index twice":        {entries: []raft.Entry{entry(2, 3, 1), entry(2, 3, 1)}},
		"a term going back":     {entries: []raft.Entry{entry(1, 3, 1)}},
		"a term back inside":    {entries: []raft.Entry{entry(3, 3, 1), entry(2, 4, 1)}},
		"back before the cut":   {entries: []raft.Entry{entry(1, 3, 1)}},
		"term 0":                {entries: []raft.Entry{entry(0, 1, 1)}},
		"no kind":               {entries: []raft.Entry{{Term: 2, Index: 3}}},
		"an unknown kind":       {entries: []raft.Entry{{Term: 2, Index: 3, Kind: 99}}},
		"a command too long":    {entries: []raft.Entry{long}},
		"a hard state of past":  {state: &raft.HardState{Term: 1}},
		"a peer twice":          {peers: []raft.Acquaintance{{Node: 3, Start: 1}, {Node: 3, Start: 2}}},
		"peers out of order":    {peers: []raft.Acquaintance{{Node: 3, Start: 1}, {Node: 2, Start: 1}}},
		"peer 0":                {peers: []raft.Acquaintance{{Start: 1}}},
		"a peer's earlier life": {peers: []raft.Acquaintance{{Node: 9, Incarnation: 5, Start: 6}}},
	} {
		m := disk.NewMemory()
		l, _ := mustBoot(t, m, small())
		ok(t, l.Append(&raft.HardState{Term: 2}, []raft.Entry{entry(1, 1, 1), entry(2, 2, 1)},
			raft.Acquaintance{Node: 9, Incarnation: 5, Start: 7}))
		calls := m.Calls()
		err := s.append(l)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
		if again := l.Append(nil, []raft.Entry{entry(2, 3, 1)}); again != err {
			t.Errorf("%s: the first error was %v, the next append says %v", what, err, again)
		}
		if m.Calls() != calls {
			t.Errorf("%s: something was written", what)
		}
		if r, err := inspect(m); err != nil || len(r.Entries) != 2 || r.State.Term != 2 {
			t.Errorf("%s: recovered %v (%v)", what, held(r), err)
		}
	}
}

// After entries were replaced, what comes next is compared with what stands there now.
func TestTermsAfterAReplacement(t *testing.T) {
	l, _ := mustBoot(t, disk.NewMemory(), small())
	ok(t, l.Append(nil, []raft.Entry{entry(1, 1, 1), entry(5, 2, 1), entry(6, 3, 1)}))
	ok(t, l.Append(nil, []raft.Entry{entry(3, 2, 1)}))
	ok(t, l.Append(nil, []raft.Entry{entry(3, 3, 1), entry(4, 4, 1)}))
	fails(t, l.Append(nil, []raft.Entry{entry(3, 5, 1)}), ErrInvalid)
}

func TestABatchTooLarge(t *testing.T) {
	m := disk.NewMemory()
	l, _ := mustBoot(t, m, small())
	big := make([]byte, wire.MaxCommand) // shared by all: they are never written
	var entries []raft.Entry
	for i := range MaxBatch/wire.MaxCommand + 1 {
		e := raft.Entry{Term: 1, Index: raft.Index(i + 1), Kind: raft.Normal, Command: big}
		entries = append(entries, e)
	}
	fails(t, l.Append(nil, entries), ErrTooLarge)
	if r, err := inspect(m); err != nil || len(r.Entries) > 0 {
		t.Fatalf("recovered %v (%v)", held(r), err)
	}
}

func TestClose(t *testing.T) {
	l, _ := mustBoot(t, disk.NewMemory(), small())
	ok(t, l.Close())
	ok(t, l.Close())
	fails(t, l.Append(&raft.HardState{Term: 1}, nil), ErrClosed)
}

func TestWhoseDirectory(t *testing.T) {
	m := disk.NewMemory()
	mustBoot(t, m, small())
	both, join := []string{"010203", "ee0203"}, []string{"without the cluster to join"}
	for what, c := range map[string]struct {
		change func(*Identity)
		want   error
		words  []string
	}{
		"the same":           {func(*Identity) {}, nil, nil},
		"no cluster named":   {func(id *Identity) { id.Cluster = raft.ClusterID{} }, nil, nil},
		"another life":       {func(id *Identity) { id.Incarnation = 1 }, nil, nil},
		"only the node":      {func(id *Identity) { *id = Identity{Node: id.Node} }, nil, nil},
		"another node":       {func(id *Identity) { id.Node = 7 }, ErrForeign, []string{"node 2", "node 7"}},
		"no node":            {func(id *Identity) { id.Node = 0 }, ErrForeign, nil},
		"another cluster":    {func(id *Identity) { id.Cluster[0] = 0xee }, ErrForeign, both},
		"another one's both": {func(id *Identity) { id.Cluster[0], id.Node = 0xee, 7 }, ErrForeign, nil},
		"a cluster to join":  {func(id *Identity) { *id = Identity{Node: 2, Joins: true} }, ErrForeign, join},
	} {
		m.Kill()
		o := small()
		c.change(&o.Identity)
		_, r, err := boot(m, o)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", what, err, c.want)
		}
		if err == nil && r.Identity.Incarnation != identity().Incarnation {
			t.Errorf("%s: incarnation %x", what, r.Identity.Incarnation)
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", what, err, word)
			}
		}
	}
}

func TestAFirstStartTakesEverything(t *testing.T) {
	for what, change := range map[string]func(*Identity){
		"node":        func(id *Identity) { id.Node = 0 },
		"cluster":     func(id *Identity) { id.Cluster = raft.ClusterID{} },
		"incarnation": func(id *Identity) { id.Incarnation = 0 },
		"voters":      func(id *Identity) { id.Bootstrap = raft.Configuration{} },
		"written":     func(id *Identity) { id.Bootstrap.Members[0].Address = strings.Repeat("x", 5000) },
		"or joins":    func(id *Identity) { id.Joins = true },
	} {
		m := disk.NewMemory()
		o := small()
		change(&o.Identity)
		_, _, err := boot(m, o)
		if !errors.Is(err, ErrNotInitialized) || !strings.Contains(err.Error(), what) {
			t.Errorf("without %s: %v", what, err)
		}
		if len(m.Names()) > 0 {
			t.Errorf("without %s: %v was written", what, m.Names())
		}
	}
}

func TestSegmentSizes(t *testing.T) {
	for size, good := range map[int64]bool{
		-1: false, 1: false, MinSegmentBytes - 1: false, MinSegmentBytes: true, 1000: true, 0: true,
		MaxSegmentBytes: true, MaxSegmentBytes + 1: false,
	} {
		dir, err := disk.NewMemory().Open()
		ok(t, err)
		o := small()
		o.SegmentBytes = size
		l, err := (*Log)(nil), error(nil)
		if size == MaxSegmentBytes { // reading it back takes that much memory
			_, err = o.segmentBytes()
		} else {
			l, _, err = Open(dir, o)
		}
		if (err == nil) != good {
			t.Errorf("segments of %d bytes: %v", size, err)
		}
		if size == 0 {
			size = DefaultSegmentBytes
		}
		if l != nil &&
			(l.size != align(min(size, FirstSegmentBytes), disk.Sector) || l.size > l.segmentBytes) {
			t.Errorf("segments of %d bytes have %d", size, l.size)
		}
	}
}

// A segment's size may change from start to start, and a batch larger than a segment has one to itself.
func TestSegmentsOfAllSizes(t *testing.T) {
	m := disk.NewMemory()
	var want contents
	for i, size := range []int64{512, 4096, 1024, 512, 1 << 20} {
		o := small()
		o.SegmentBytes = size
		l, r := mustBoot(t, m, o)
		if !want.equal(r) {
			t.Fatalf("recovered %v, want %v", held(r), want)
		}
		for _, length := range []int{100, 5000, 3, 300, 300, 300} {
			s := step{entries: []raft.Entry{entry(raft.Term(i+1), raft.Index(len(want.entries)+1), length)}}
			ok(t, l.Append(nil, s.entries))
			want = want.after(s)
		}
	}
	l, r := mustBoot(t, m, small())
	if !want.equal(r) {
		t.Fatalf("recovered %v, want %v", held(r), want)
	}
	ok(t, l.Append(nil, []raft.Entry{entry(9, 1, 2*keptBuffer)}))
	if l.buffer != nil {
		t.Errorf("the log keeps a buffer of %d bytes", cap(l.buffer))
	}
	ok(t, l.Append(nil, []raft.Entry{entry(9, 2, 2*idleBuffer)}))
	if l.buffer == nil {
		t.Error("a busy log keeps no buffer")
	}
	ok(t, l.Seal())
	if l.buffer != nil {
		t.Errorf("an idle log keeps a buffer of %d bytes", cap(l.buffer))
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	path := t.TempDir()
	dir, err := disk.OS(path)
	ok(t, err)
	l, _, err := Open(dir, Options{Identity: identity()})
	ok(t, err)
	entries := []raft.Entry{entry(1, 1, 100)}
	state := &raft.HardState{Term: 1}
	n := testing.AllocsPerRun(20, func() {
		ok(t, l.Append(state, entries))
		entries[0].Index++
	})
	if n >= 1 {
		t.Errorf("an append allocates %v times", n)
	}
	ok(t, l.Close())
}
