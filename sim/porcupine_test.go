package sim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
)

// alone tells steps to porcupine alone: whatever revisions are named, the main check is not asked.
func alone(steps ...step) *Violation {
	b := &book{h: newHistory()}
	for _, s := range steps {
		b.now.Position++
		s(b)
		if b.h.found != nil {
			panic(fmt.Sprintf("the main check was asked: %v", b.h.found))
		}
	}
	for _, k := range b.h.second.rest() {
		b.h.judge(b.now, k)
	}
	return b.h.violation()
}

// done ends an operation for porcupine, and nobody else.
func done(id uint64, found bool, value string) step {
	return func(b *book) {
		p := b.h.take(id)
		p.Returned, p.Reply = b.now, Reply{Outcome: OK, Found: found, Read: []byte(value)}
		b.h.second.finish(p.searched, p.Reply)
	}
}

func saw(id uint64, value string) step { return done(id, true, value) }
func none(id uint64) step              { return done(id, false, "") }
func wrote(id uint64) step             { return done(id, false, "") }

// reask asks for a deletion under a number of a session: for the same one, each time.
func reask(id uint64) step {
	return called(Operation{ID: id, Kind: Delete, Key: "a", Once: inSession(7, 1)})
}

func TestSearch(t *testing.T) {
	read := func(id uint64) step { return get(id, "a", Linearizable) }
	for name, c := range map[string]struct {
		steps    []step
		culprit  string // empty: there is an order
		answered [2]uint64
	}{
		"one after the other": {[]step{put(1, "a", "1"), wrote(1), read(2), saw(2, "1"), del(3, "a"),
			wrote(3), read(4),
			none(4)}, "", [2]uint64{}},
		"beside each other": {[]step{put(1, "a", "1"), put(2, "a", "2"), read(3), saw(3, "2"), read(4), saw(4,
			"1"),
			wrote(1), wrote(2)}, "", [2]uint64{}},
		"two keys": {[]step{put(1, "a", "1"), wrote(1), get(2, "b", Linearizable), none(2)}, "", [2]uint64{}},
		"back in time": {[]step{put(1, "a", "1"), put(2, "a", "2"), wrote(1), wrote(2), read(3), saw(3, "2"),
			read(4),
			saw(4, "1"), read(5), saw(5, "1")}, "get a (linearizable) was told: revision 0, \"1\"",
			[2]uint64{6, 8}},
		"back behind another's read": {[]step{put(1, "a", "1"), wrote(1), put(2, "a", "2"), read(3), read(4),
			saw(4, "2"), saw(3, "1"), read(5), saw(5, "1")}, "get a (linearizable)", [2]uint64{6, 9}},
		"another delete is committed": {[]step{put(1, "a", "1"), wrote(1), del(2, "a"), entry(1, "del", "a"),
			wrote(2),
			put(3, "a", "3"), wrote(3), del(4, "a"), unknown(4), read(5), none(5)}, "get a (linearizable)",
			[2]uint64{7, 11}},
		"asked again under its number": {[]step{reask(1), wrote(1), put(2, "a", "2"), wrote(2), reask(3),
			wrote(3), read(4), saw(4, "2")}, "", [2]uint64{}},
		"a lost write": {[]step{put(1, "a", "1"), wrote(1), put(2, "a", "2"), wrote(2), read(3), saw(3, "1")},
			"get a (linearizable)", [2]uint64{4, 6}},
		"what was denied is seen": {[]step{put(1, "a", "1"), no(1), read(2), saw(2, "1")},
			"get a (linearizable)", [2]uint64{3, 4}},
		"unknown and seen": {[]step{put(1, "a", "1"), unknown(1), read(2), none(2), read(3), saw(3, "1"),
			read(4),
			saw(4, "1")}, "", [2]uint64{}},
		"unknown, seen and gone": {[]step{put(1, "a", "1"), unknown(1), read(2), saw(2, "1"), read(3),
			none(3)},
			"get a (linearizable)", [2]uint64{4, 6}},
		"unknown and not seen": {[]step{put(1, "a", "1"), unknown(1), read(2), none(2)}, "", [2]uint64{}},
		"open and seen":        {[]step{put(1, "a", "1"), read(2), saw(2, "1"), read(3)}, "", [2]uint64{}},
		"an unknown delete that is committed": {[]step{put(1, "a", "1"), wrote(1), del(2, "a"), unknown(2),
			entry(1, "del", "a"), read(3), none(3)}, "", [2]uint64{}},
		"an unknown delete that is not": {[]step{put(1, "a", "1"), wrote(1), del(2, "a"), unknown(2), read(3),
			none(3)}, "get a (linearizable)", [2]uint64{2, 6}},
		"read before it was put": {[]step{read(1), saw(1, "1"), put(2, "a", "1"), wrote(2)}, "get a",
			[2]uint64{1, 2}},
		"one value put twice": {[]step{put(1, "a", "1"), wrote(1), read(2), saw(2, "1"), del(3, "a"),
			wrote(3),
			put(4, "a", "1"), unknown(4), read(5), saw(5, "1")}, "", [2]uint64{}},
	} {
		v := alone(c.steps...)
		if c.culprit == "" {
			if v != nil {
				t.Errorf("%s: %v", name, v)
			}
			continue
		}
		if v == nil || !strings.Contains(v.Sentence, "on a explains what "+c.culprit) ||
			len(v.Witnesses) != 2 ||
			c.answered != [2]uint64{v.Witnesses[0].Position, v.Witnesses[1].Position} {
			t.Errorf("%s: %v", name, v)
		}
	}
}

// TestSearchGivesUp: a search that does not end is a failure.
func TestSearchGivesUp(t *testing.T) {
	h := newHistory()
	h.rule(Moment{Position: 7}, &keyHistory{name: "a"}, nil, porcupine.Unknown)
	if v := h.violation(); v == nil || v.Property != Linearizability || v.Position != 7 {
		t.Error(v)
	}
}

// TestManyUnknownWrites: a long outage leaves many puts whose fate nobody knows. If porcupine had to try each
// of them everywhere, it would not end: 2^40 sets.
func TestManyUnknownWrites(t *testing.T) {
	var steps []step
	id := uint64(0)
	ask := func(op step, answer func(uint64) step) {
		steps = append(steps, op, answer(id))
	}
	for range 5 {
		var seen string
		for n := range 40 {
			id++
			ask(put(id, "a", fmt.Sprint(id)), unknown)
			if n == 3 {
				seen = fmt.Sprint(id)
			}
			id++
			ask(del(id, "b"), unknown) // none of them is committed
		}
		for range 3 {
			id++
			ask(get(id, "a", Linearizable), func(id uint64) step { return saw(id, seen) })
			id++
			ask(get(id, "b", Linearizable), none)
		}
	}
	if v := alone(steps...); v != nil {
		t.Error(v)
	}
}

// TestKeysAreGivenUp: a slot changes its key after keyLife operations, and the key is judged as soon as all
// that was asked about it has ended.
func TestKeysAreGivenUp(t *testing.T) {
	b := &book{h: newHistory()}
	id := uint64(0)
	ask := func(slot int) (name string) {
		id++
		name = b.h.key(slot)
		get(id, name, Linearizable)(b)
		return name
	}
	expect := func(keys, waiting int) {
		t.Helper()
		if got := b.h.tally; got.Keys != uint64(keys) || got.Searched != got.Keys*keyLife-got.No ||
			len(b.h.second.order) != waiting {
			t.Errorf("after operation %d: %+v, and %d keys wait", id, got, len(b.h.second.order))
		}
	}
	for n := range keyLife { // all are answered in time
		if name := ask(1); name != "k1" {
			t.Errorf("operation %d is on %s", n, name)
		}
		absent(id, 0, 0)(b)
	}
	expect(0, 2)
	if name := ask(1); name != "k1.1" {
		t.Errorf("then comes %s", name)
	}
	expect(1, 2)
	for range keyLife { // the first answer comes last
		ask(0)
		if id > keyLife+2 {
			absent(id, 0, 0)(b)
		}
	}
	if name := ask(0); name != "k0.1" {
		t.Errorf("then comes %s", name)
	}
	expect(1, 3)
	no(keyLife + 2)(b)
	expect(2, 2)
	get(id+1, "k1", Linearizable)(b) // too late for it
	absent(id+1, 0, 0)(b)
	if b.h.tally.Left != 1 {
		t.Errorf("%+v", b.h.tally)
	}
}

// TestKeysThatAreNotGivenUp are searched up to their limit, and it is said how much was left out.
func TestKeysThatAreNotGivenUp(t *testing.T) {
	b := &book{h: newHistory()}
	for n := range keyLimit + 7 {
		get(uint64(n), "script", Linearizable)(b)
		absent(uint64(n), 0, 0)(b)
	}
	over()(b)
	if got := b.h.tally; got.Left != 7 || got.Searched != keyLimit || got.Keys != 1 || got.OK != keyLimit+7 {
		t.Errorf("%+v", got)
	}
}

// TestEndJudgesWhatIsLeft: the second opinion is given on keys in use too. Here the main check believes a
// revision that the state machine made up together with its value.
func TestEndJudgesWhatIsLeft(t *testing.T) {
	b := &book{h: newHistory()}
	for _, s := range []step{put(1, "a", "1"), entry(1, "put", "a", "1"), created(1, 1), put(2, "a", "2"),
		entry(2, "put", "a", "2")} {
		s(b)
	}
	b.h.floor = &Operation{} // as if the main check had forgotten what was answered
	for _, s := range []step{replaced(2, 2), get(3, "a", Linearizable)} {
		s(b)
	}
	b.h.open[0].floor = &Operation{}
	read(3, 1, 1, "1")(b)
	if v := b.h.violation(); v != nil {
		t.Fatal(v)
	}
	over()(b)
	if v := b.h.violation(); v == nil || !strings.Contains(v.Sentence, "no order of the 3 operations on a") {
		t.Error(v)
	}
}
