package snapshot

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

func anything(Info) error { return nil }

// What the two ends of a file say is what the whole says, whatever is between them.
func TestTheEndsSayWhatTheWholeSays(t *testing.T) {
	for size := range 700 {
		m := disk.NewMemory()
		s := mustBoot(t, m)
		w, err := s.Create(meta(10))
		ok(t, err)
		for _, name := range []string{"a", "none", "b"}[:size%4] {
			ok(t, w.Section(name))
			if name != "none" {
				_, err := w.Write(bytes.Repeat([]byte{byte(size)}, size))
				ok(t, err)
			}
		}
		_, err = w.Commit()
		ok(t, err)
		whole, err := verifyFile(s.dir, fileName(id(10)), id(10), anything)
		ok(t, err)
		ends, err := readEnds(s.dir, fileName(id(10)), id(10), anything)
		ok(t, err)
		if !reflect.DeepEqual(ends, whole) {
			t.Fatalf("%+v\nas a whole %+v", ends, whole)
		}
	}
}

// Every bit that flips in the header or in the trailer is noticed, and so is a file that is cut off or goes
// on.
func TestDamageAtTheEndsIsNoticed(t *testing.T) {
	good := image(t, 10)
	header, trailer := headerOf(good), len(good)-frame-tableFixed-3*17-len("sessions"+"empty"+"machine")
	try := func(what string, at int, b []byte) {
		m := disk.NewMemory()
		m.Plant(fileName(id(10)), b)
		dir, err := m.Open()
		ok(t, err)
		if _, err = readEnds(dir, fileName(id(10)), id(10), anything); err == nil {
			t.Fatalf("%s at byte %d: nobody has noticed", what, at)
		}
	}
	for at := range good {
		if at >= header && at < trailer {
			continue
		}
		for bit := range 8 {
			b := bytes.Clone(good)
			b[at] ^= 1 << bit
			try("a flipped bit", at, b)
		}
	}
	for at := range len(good) {
		try("cut off", at, good[:at])
		if at < header || at > trailer {
			try("one byte more", at, slices.Insert(bytes.Clone(good), at, 0))
		}
	}
}

// opened opens a disk and says what counts and what is broken.
func opened(t *testing.T, m *disk.Memory) (good []raft.Index, broken []Broken, err error) {
	t.Helper()
	s, f, err := boot(m, options())
	if err == nil {
		good = indexes(s)
	}
	return good, f.Broken, err
}

// A start reads the newest snapshot from end to end, and of the older one only the ends. That one is read
// when it is needed, and by Inspect.
func TestAStartReadsTheNewest(t *testing.T) {
	older, newer := fileName(id(10)), fileName(id(20))
	reads := func(m *disk.Memory) map[string]int {
		n := map[string]int{}
		m.Intercept(func(c disk.Call) error {
			if c.Operation == disk.OpRead {
				n[c.Name]++
			}
			return nil
		})
		return n
	}
	m := disk.NewMemory()
	k := keep(t, m)
	for _, index := range []raft.Index{10, 20} {
		_, err := k.Save(named(index), state(bytes.Repeat([]byte("abcdefg"), 100_000)))
		ok(t, err)
	}
	m.Flip(older, 8*300_000)
	n := reads(m)
	good, broken, err := opened(t, m)
	if !slices.Equal(good, []raft.Index{20, 10}) || len(broken) > 0 || err != nil {
		t.Fatalf("good %v, broken %v, %v", good, broken, err)
	}
	if n[older] > 3 || n[newer] < 10 {
		t.Errorf("the older was read %d times, the newer %d times", n[older], n[newer])
	}
	m.Intercept(nil)
	m.Kill()
	dir, err := m.Open()
	ok(t, err)
	if all, err := Inspect(dir); len(all.Broken) != 1 || all.Broken[0].Name != older || err != nil {
		t.Errorf("found %+v, %v", all, err)
	}
	m.Kill()
	m.Flip(newer, 8*300_000)
	if _, broken, err = opened(t, m); len(broken) != 2 {
		t.Errorf("both are damaged: %v, %v", broken, err)
	}
	fails(t, err, ErrCorrupt)
	m.Flip(older, 8*300_000)
	good, broken, err = opened(t, m)
	if !slices.Equal(good, []raft.Index{10}) || len(broken) != 1 || broken[0].Name != newer || err != nil {
		t.Fatalf("good %v, broken %v, %v", good, broken, err)
	}
}

// When a third is there, which a crash has kept from being pruned, it goes only after two others were found
// good from end to end.
func TestTheOldestGoesWhenTwoOthersAreGood(t *testing.T) {
	m := written(t, 10, 20, 30)
	m.Flip(fileName(id(20)), 8*400)
	good, broken, err := found(t, m)
	if !slices.Equal(good, []raft.Index{30, 10}) || len(broken) != 1 || err != nil {
		t.Fatalf("good %v, broken %v, %v", good, broken, err)
	}
}
