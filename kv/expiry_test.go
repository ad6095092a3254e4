package kv

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"balsa/raft"
)

var _ interface { // what a replica asks of a state machine in which things end by themselves
	NextExpiry() (raft.Time, bool)
	Expire(raft.Entry)
} = (*Store)(nil)

func applyAt(t *testing.T, s *Store, index int, now raft.Time, command []byte) Result {
	t.Helper()
	e := entry(index, command)
	e.Time = now
	result, err := DecodeResult(s.Apply(e))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func next(s *Store) raft.Time {
	at, any := s.NextExpiry()
	if !any {
		return 0
	}
	return at
}

// TestExpiry: a key goes with the first entry whose time has come to its own, be that entry for the map or
// not, and not before.
func TestExpiry(t *testing.T) {
	s := New()
	applyAt(t, s, 1, 100, PutTTL("a", []byte("1"), 50))
	applyAt(t, s, 2, 100, PutTTL("b", []byte("2"), 60))
	applyAt(t, s, 3, 100, Put("stays", nil))
	s.Expire(raft.Entry{Index: 4, Time: 149})
	if s.Len() != 3 || s.Revision() != 3 || next(s) != 150 {
		t.Fatalf("at 149: %d keys at revision %d, the next goes at %d", s.Len(), s.Revision(), next(s))
	}
	s.Expire(raft.Entry{Index: 5, Time: 150, Kind: raft.Session})
	if _, found := s.Get("a"); found || s.Len() != 2 || s.Revision() != 5 || next(s) != 160 {
		t.Fatalf("at 150: %d keys at revision %d, the next goes at %d", s.Len(), s.Revision(), next(s))
	}
	if got := applyAt(t, s, 6, 160, Delete("b")); got != (Result{OpDelete, false, 0, 0, 6, 0}) {
		t.Errorf("deleting what has just gone: %+v", got)
	}
	if s.Len() != 1 || next(s) != 0 {
		t.Errorf("%d keys, the next goes at %d", s.Len(), next(s))
	}
}

func TestWhatChangesAnExpiry(t *testing.T) {
	for name, step := range map[string]struct {
		command []byte
		expires raft.Time // of "k", which had 50 from 100 on
	}{
		"put":           {Put("k", []byte("2")), 0},
		"put again":     {PutTTL("k", nil, 5), 125},
		"increment":     {Increment("k", 1), 150},
		"another key":   {PutTTL("l", nil, 90), 150},
		"delete":        {Delete("k"), 0},
		"a refusal":     {PutTTL("k", nil, -1), 150},
		"text":          {[]byte("SET k v"), 0},
		"the last time": {PutTTL("k", nil, math.MaxInt64), math.MaxInt64},
	} {
		s := New()
		applyAt(t, s, 1, 100, PutTTL("k", []byte("1"), 50))
		applyAt(t, s, 2, 120, step.command)
		if item, _ := s.Get("k"); item.Expires != step.expires {
			t.Errorf("%s: expires at %d, want %d", name, item.Expires, step.expires)
		}
		if at, any := s.NextExpiry(); any != (step.expires != 0) || any && at != step.expires {
			t.Errorf("%s: the next goes at %d (%v), want %d", name, at, any, step.expires)
		}
	}
}

// TestWrittenAnewAtItsEnd: a key that is due counts as absent for the entry that finds it so.
func TestWrittenAnewAtItsEnd(t *testing.T) {
	for name, command := range map[string][]byte{
		"put": Put("k", []byte("1")), "increment": Increment("k", 1),
	} {
		s := New()
		applyAt(t, s, 1, 100, PutTTL("k", []byte("5"), 50))
		got := applyAt(t, s, 2, 150, command)
		item, _ := s.Get("k")
		if !got.Created || string(item.Value) != "1" || item.Version != 1 || item.Expires != 0 {
			t.Errorf("%s: %+v made %+v", name, got, item)
		}
	}
}

// TestExpiryOfOddTimes: an entry may bear any time, and none may turn its end into "never" or "long ago".
func TestExpiryOfOddTimes(t *testing.T) {
	for _, test := range []struct{ now, ttl, want int64 }{
		{0, 1, 1}, {-5, 5, 1}, {-50, 5, 1}, {math.MinInt64, math.MaxInt64, 1},
		{math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64},
		{1, math.MaxInt64, math.MaxInt64},
	} {
		if got := expiry(raft.Time(test.now), test.ttl); int64(got) != test.want {
			t.Errorf("%d for %d: %d, want %d", test.now, test.ttl, got, test.want)
		}
	}
}

// TestExpiryIsPartOfSnapshots: what is restored goes at the same entry as what was captured.
func TestExpiryIsPartOfSnapshots(t *testing.T) {
	s := New()
	for i := range 100 {
		applyAt(t, s, i+1, 1000, PutTTL(fmt.Sprintf("%02d", i%90), nil, int64(1+i*7%40)))
	}
	restored := New()
	applyAt(t, restored, 1, 1, PutTTL("nothing of this is left", nil, 1))
	if err := restored.Restore(bytes.NewReader(snapshot(t, s))); err != nil {
		t.Fatal(err)
	}
	for now := raft.Time(1000); s.Len() > 0; now++ {
		if next(s) != next(restored) {
			t.Fatalf("at %d the next goes at %d, or at %d", now, next(s), next(restored))
		}
		e := raft.Entry{Index: raft.Index(now), Time: now, Kind: raft.NoOp}
		s.Expire(e)
		restored.Expire(e)
		if !bytes.Equal(snapshot(t, s), snapshot(t, restored)) {
			t.Fatalf("at %d the restored map is another", now)
		}
	}
	if _, any := restored.NextExpiry(); any {
		t.Error("something is still due in an empty map")
	}
}

// TestViewsKeepWhatExpires: nothing expires in a view.
func TestViewsKeepWhatExpires(t *testing.T) {
	s := New()
	applyAt(t, s, 1, 100, PutTTL("k", []byte("v"), 1))
	view := s.View()
	s.Expire(raft.Entry{Index: 2, Time: 200})
	if item, found := view.Get("k"); !found || item.Expires != 101 || s.Len() != 0 {
		t.Errorf("the view has %+v (%v), the map %d keys", item, found, s.Len())
	}
}

// TestManyExpireAtOnce: all that is due at one entry goes with it, however much that is.
func TestManyExpireAtOnce(t *testing.T) {
	s := New()
	for i := range 10_000 {
		key := strings.Repeat("k", i%7+1) + fmt.Sprint(i)
		applyAt(t, s, i+1, raft.Time(i), PutTTL(key, nil, int64(20_000-i)))
	}
	result := applyAt(t, s, 10_001, 20_000, []byte("nonsense"))
	if result.Revision != 10_001 || s.Len() != 0 {
		t.Errorf("%d keys are left, at revision %d", s.Len(), result.Revision)
	}
}
