package replica

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"balsa/raft"
)

// lived is a machine with two sessions and a key, and its image.
func lived(t testing.TB) (*Machine, []byte) {
	m := NewMachine(&counter{})
	for i, once := range []Once{
		{What: OpenSession, TTL: 1 << 30}, {What: OpenSession, TTL: 1 << 31},
		{What: InSession, Session: 1, Number: 2}, {What: InSession, Session: 1, Number: 9},
		{What: UnderKey, Key: "key", TTL: 5},
	} {
		e := raft.Entry{Term: 3, Index: raft.Index(i + 1), Time: 77}
		e.Kind, e.Command = once.encode(nil)
		if once.Number > 0 || once.Key != "" {
			e.Kind, e.Command = once.encode([]byte("c"))
		}
		applyAll(t, m, []raft.Entry{e})
	}
	return m, imageOf(t, m)
}

// The layout is final: what is written today is read by every later version.
func TestTheImageAsItIsWritten(t *testing.T) {
	_, image := lived(t)
	const want = "02" + "b000000000000000" + "02000000" +
		"0200000000000000" + "0200000000000000" + "4d00000000000000" + "0000008000000000" +
		"0000000000000000" + "0000" +
		"0100000000000000" + "0400000000000000" + "4d00000000000000" + "0000004000000000" +
		"0000000000000000" + "0200" +
		"0200000000000000" + "c733eb20" + "04000000" + "313a2063" +
		"0900000000000000" + "c733eb20" + "04000000" + "323a2063" +
		"01000000" + "0500000000000000" + "4d00000000000000" + "0500000000000000" + "c733eb20" +
		"03" + "6b6579" + "0400000000000000" + "333a2063" + "33"
	if got := hex.EncodeToString(image); got != want {
		t.Errorf("the image is\n%s, want\n%s", got, want)
	}
}

// C12, C9: what is no image is refused, whatever of it is cut off, and the machine stays as it was.
func TestABadImageChangesNothing(t *testing.T) {
	_, image := lived(t)
	machine, before := lived(t)
	flip := func(at int, to byte) []byte { b := bytes.Clone(image); b[at] = to; return b }
	const one, two, keys, key = 9 + 4, 9 + 4 + 42, 9 + 4 + 2*42 + 2*20, 9 + 4 + 2*42 + 2*20 + 4
	bad := map[string][]byte{
		"a later version":            flip(0, 3),
		"an earlier version":         flip(0, 1),
		"sessions of any length":     flip(8, 0xff),
		"and of many bytes":          flip(8, 0x7f),
		"fewer bytes than announced": flip(1, 0xb1),
		"more bytes than announced":  flip(1, 0xaf),
		"too many sessions":          flip(11, 0xff),
		"fewer sessions":             flip(9, 1),
		"a session of a later entry": flip(one+8, 99),
		"one that was used before":   flip(two+8, 1),
		"a session twice":            flip(two, 2),
		"a ttl of 0":                 flip(two+27, 0),
		"one with too many results":  flip(two+41, 0xff),
		"results out of order":       flip(two+42, 9),
		"one below the floor":        flip(two+32, 3),
		"a result of any length":     flip(two+42+12+2, 0xff),
		"too many keys":              flip(keys+2, 0xff),
		"fewer keys":                 flip(keys, 0),
		"a key of a later entry":     flip(key, 6),
		"one that was never used":    flip(key, 0),
		"one that lasts no time":     flip(key+16, 0),
		"one without a name":         flip(key+28, 0),
		"one of any name":            flip(key+28, 0xff),
		"its result of any length":   flip(key+39, 0xff),
		"and of many bytes there":    flip(key+37, 0x01),
	}
	for cut := range len(image) - 1 {
		if cut < 9+0xb0 {
			bad[fmt.Sprint("cut off at ", cut)] = image[:cut]
		}
	}
	for name, b := range bad {
		err := machine.restore(at(5, 3), bytes.NewReader(b))
		if !errors.Is(err, ErrBadImage) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for version, want := range map[byte]string{1: "version 1, of a build before the first release",
		3: "version 3: run a later version"} {
		err := machine.restore(at(5, 3), bytes.NewReader(flip(0, version)))
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	machine.inner = refusing{machine.inner}
	if err := machine.restore(at(5, 3), bytes.NewReader(image)); !errors.Is(err, errDisk) {
		t.Errorf("a state machine that refuses: %v", err)
	}
	if !bytes.Equal(imageOf(t, machine), before) {
		t.Error("the machine has changed")
	}
}

// refusing is a state machine that cannot be restored.
type refusing struct{ StateMachine }

func (refusing) Restore(io.Reader) error { return errDisk }

// What no server remembers is refused: a key twice or one that is too long, more keys than there may be, and
// keys of which the last one taken was one too many.
func TestKeysThatNoServerRemembers(t *testing.T) {
	imageOfKeys := func(keys ...keyed) []byte {
		i := image{inner: blob("5")}
		for n := range keys {
			keys[n].used, keys[n].ttl = raft.Index(n+1), 1
			i.keys = append(i.keys, &keys[n])
		}
		return bytesOf(t, i)
	}
	large := make([]byte, maxKeyBytes-keyOverhead-1)
	a, b, small := keyed{key: "a", result: large}, keyed{key: "b", result: large}, keyed{key: "c"}
	larger := keyed{key: "d", result: make([]byte, maxKeyBytes+1)}
	many := make([]keyed, maxKeys+1)
	for i := range many {
		many[i].key = fmt.Sprint(i)
	}
	for name, test := range map[string]struct {
		image []byte
		good  bool
	}{
		"none":                 {imageOfKeys(), true},
		"as many as may be":    {imageOfKeys(many[:maxKeys]...), true},
		"one more":             {imageOfKeys(many...), false},
		"twice the same":       {imageOfKeys(keyed{key: "k"}, keyed{key: "k"}), false},
		"of the longest name":  {imageOfKeys(keyed{key: strings.Repeat("k", MaxKey)}), true},
		"of a longer one":      {imageOfKeys(keyed{key: strings.Repeat("k", MaxKey+1)}), false},
		"a large and a small":  {imageOfKeys(a, small), true}, // either may have been the last
		"a larger and a small": {imageOfKeys(larger, small), true},
		"two large ones":       {imageOfKeys(a, b), false},
	} {
		err := NewMachine(&counter{}).restore(at(1<<40, 9), bytes.NewReader(test.image))
		if test.good != (err == nil) || err != nil && !errors.Is(err, ErrBadImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzImage: whatever the bytes are, they are refused, or they are what the machine writes then.
func FuzzImage(f *testing.F) {
	_, image := lived(f)
	f.Add(image)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := NewMachine(&ledger{})
		if m.restore(at(1<<40, 9), bytes.NewReader(b)) != nil {
			return
		}
		again := NewMachine(&ledger{})
		written := imageOf(t, m)
		if err := again.restore(at(1<<40, 9), bytes.NewReader(written)); err != nil {
			t.Fatalf("%x was taken, and what is written of it is not: %v", b, err)
		}
		if !bytes.Equal(imageOf(t, again), written) {
			t.Fatalf("%x comes back as something else", b)
		}
	})
}
