package kv

import (
	"bytes"
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"balsa/raft"
)

func randomEntries(t *rapid.T) []raft.Entry {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d e", "\x00", "\xff\xfe", "ü", "a/b", "aa", "ab"})
	few := rapid.SampledFrom([]string{"a", "b", "c"}) // so that counters meet counters
	value := rapid.SliceOfN(rapid.Byte(), 0, 8)
	var entries []raft.Entry
	index, now := 0, raft.Time(1000)
	for range rapid.IntRange(0, 200).Draw(t, "entries") {
		index += rapid.IntRange(1, 3).Draw(t, "step") // indexes of no-ops never reach a state machine
		now += raft.Time(rapid.IntRange(0, 5).Draw(t, "time"))
		var command []byte
		switch rapid.IntRange(0, 13).Draw(t, "command") {
		case 0, 1, 2, 3:
			command = Put(key.Draw(t, "key"), value.Draw(t, "value"))
		case 4, 5:
			command = Delete(key.Draw(t, "key"))
		case 6:
			command = []byte("SET " + rapid.StringMatching(`[a-c]`).Draw(t, "key") + " some text")
		case 7:
			command = []byte("DELETE " + rapid.StringMatching(`[a-c]`).Draw(t, "key"))
		case 8:
			command = value.Draw(t, "garbage")
		case 9:
			command = Put(rapid.StringN(1, 3, 12).Draw(t, "key"), nil)
		case 10:
			ttl := rapid.Int64Range(-1, 20).Draw(t, "ttl")
			number := rapid.StringMatching(`-?[0-9]{0,2}`).Draw(t, "number")
			command = PutTTL(few.Draw(t, "key"), []byte(number), ttl)
		case 11, 12:
			command = Increment(few.Draw(t, "key"), rapid.Int64().Draw(t, "by"))
		case 13:
			command = []byte("INCR " + rapid.StringMatching(`[a-c]( -?[0-9]{1,3})?`).Draw(t, "key and by"))
		}
		e := entry(index, command)
		e.Time = now
		if rapid.IntRange(0, 7).Draw(t, "clock") == 0 { // it never reaches Apply
			e.Kind, e.Command = raft.Session, nil
		}
		entries = append(entries, e)
	}
	return entries
}

// model is the map as one would write it without thinking of copies, revisions' ranges or bytes.
type model map[string]Item

func (m model) apply(e raft.Entry) {
	maps.DeleteFunc(m, func(_ string, item Item) bool { return item.Expires != 0 && item.Expires <= e.Time })
	if e.Kind != raft.Normal {
		return
	}
	c, refusal := decode(e.Command)
	if refusal != 0 {
		return
	}
	old, found := m[string(c.key)]
	now := Item{c.value, Revision(e.Index), Revision(e.Index), 1, 0}
	if found {
		now.Created, now.Version = old.Created, old.Version+1
	}
	switch c.operation {
	case OpDelete:
		delete(m, string(c.key))
		return
	case OpPutTTL:
		now.Expires = e.Time + raft.Time(c.amount)
	case OpIncrement:
		if old.Value == nil {
			old.Value = []byte("0")
		}
		sum, isNumber := new(big.Int).SetString(string(old.Value), 10)
		if !isNumber || sum.String() != string(old.Value) || !sum.IsInt64() {
			return
		}
		if sum.Add(sum, big.NewInt(c.amount)); !sum.IsInt64() {
			return
		}
		now.Value, now.Expires = []byte(sum.String()), old.Expires
	}
	m[string(c.key)] = now
}

func (m model) check(t *rapid.T, v View) {
	var keys []string
	for key, item := range v.From("") {
		want, found := m[key]
		if !found || !bytes.Equal(item.Value, want.Value) || item.Created != want.Created ||
			item.Modified != want.Modified || item.Version != want.Version || item.Expires != want.Expires {
			t.Fatalf("%q is %v, the model has %v (%v)", key, item, want, found)
		}
		keys = append(keys, key)
	}
	if want := slices.Sorted(maps.Keys(m)); !slices.Equal(keys, want) || v.Len() != len(m) {
		t.Fatalf("keys %q, the model has %q; Len %d", keys, want, v.Len())
	}
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(), model{}
		views, models := []View{}, []model{}
		for i, e := range randomEntries(t) {
			applyAll(s, []raft.Entry{e})
			m.apply(e)
			if i%17 == 0 { // views taken on the way must still be right at the end
				views, models = append(views, s.View()), append(models, maps.Clone(m))
			}
		}
		m.check(t, s.View())
		for i, view := range views {
			models[i].check(t, view)
		}
	})
}

// applyAll does what a replica does with committed entries.
func applyAll(s *Store, entries []raft.Entry) (results [][]byte) {
	for _, e := range entries {
		s.Expire(e)
		if e.Kind == raft.Normal {
			results = append(results, s.Apply(e))
		}
	}
	return results
}

func image(t *rapid.T, s *Store) []byte {
	var b bytes.Buffer
	if _, err := s.View().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSameEntriesSameBytes: results and snapshots are functions of the entries, and a snapshot with the
// entries behind it is the state that all entries make.
func TestSameEntriesSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := randomEntries(t)
		cut := rapid.IntRange(0, len(entries)).Draw(t, "cut")

		one, other := New(), New()
		results := applyAll(one, entries)
		head := applyAll(other, entries[:cut])
		restored := New()
		if err := restored.Restore(bytes.NewReader(image(t, other))); err != nil {
			t.Fatal(err)
		}
		tail := applyAll(restored, entries[cut:])

		if !slices.EqualFunc(results, append(head, tail...), bytes.Equal) {
			t.Fatal("the same entries gave other results")
		}
		if !bytes.Equal(image(t, one), image(t, restored)) {
			t.Fatal("a snapshot and its tail are not the whole")
		}
	})
}
