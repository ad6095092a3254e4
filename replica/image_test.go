package replica

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
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
	const want = "01" + "b800000000000000" + "03000000" +
		"0200000000000000" + "0200000000000000" + "4d00000000000000" + "0000008000000000" + "00" +
		"0000000000000000" + "0000" +
		"0100000000000000" + "0400000000000000" + "4d00000000000000" + "0000004000000000" + "00" +
		"0000000000000000" + "0200" +
		"0200000000000000" + "04000000" + "313a2063" + "0900000000000000" + "04000000" + "323a2063" +
		"0500000000000000" + "0500000000000000" + "4d00000000000000" + "0500000000000000" + "03" + "6b6579" +
		"0000000000000000" + "0100" + "0100000000000000" + "04000000" + "333a2063" + "33"
	if got := hex.EncodeToString(image); got != want {
		t.Errorf("the image is\n%s, want\n%s", got, want)
	}
}

// C12, C9: what is no image is refused, whatever of it is cut off, and the machine stays as it was.
func TestABadImageChangesNothing(t *testing.T) {
	_, image := lived(t)
	machine, before := lived(t)
	flip := func(at int, to byte) []byte { b := bytes.Clone(image); b[at] = to; return b }
	bad := map[string][]byte{
		"a later version":              flip(0, 2),
		"sessions of any length":       flip(8, 0xff),
		"fewer bytes than announced":   flip(1, 0xb9),
		"more bytes than announced":    flip(1, 0xb7),
		"too many sessions":            flip(11, 0xff),
		"fewer sessions":               flip(9, 2),
		"a session of a later entry":   flip(9+4+8, 99),
		"one that was used before":     flip(9+4+43+8, 1),
		"a session twice":              flip(9+4+43, 2),
		"a ttl of 0":                   flip(9+4+43+27, 0),
		"one with too many results":    flip(9+4+43+42, 0xff),
		"results out of order":         flip(9+4+43+43, 9),
		"one below the floor":          flip(9+4+43+33, 3),
		"a result of any length":       flip(9+4+43+43+8+2, 0xff),
		"a key with the floor of many": flip(9+4+43+43+32+36, 9),
	}
	for cut := range len(image) - 1 {
		if cut < 9+0xb8 {
			bad["cut off"+string(rune(cut))] = image[:cut]
		}
	}
	for name, b := range bad {
		err := machine.restore(at(5, 3), bytes.NewReader(b))
		if !errors.Is(err, ErrBadImage) {
			t.Errorf("%q: %v", name, err)
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
