package kv

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func filled(t testing.TB, keys int) *Store {
	s := New()
	for i := range keys {
		apply(t, s, 2*i+1, Put(fmt.Sprintf("key %04d", i), bytes.Repeat([]byte{byte(i)}, i%50)))
	}
	return s
}

// TestSnapshotBytes holds the format: these bytes lie on disks.
func TestSnapshotBytes(t *testing.T) {
	s := New()
	apply(t, s, 5, Put("b", []byte("x")))
	apply(t, s, 6, Put("a", nil))
	apply(t, s, 7, PutTTL("b", []byte("yz"), 258))
	want := "62616c7361206b76" + "02000000" + "00000000" + "0700000000000000" + "0200000000000000" +
		"01000000" + "00000000" + "0600000000000000" + "0600000000000000" + "0100000000000000" +
		"0000000000000000" + "61" +
		"01000000" + "02000000" + "0500000000000000" + "0700000000000000" + "0200000000000000" +
		"0201000000000000" + "62797a"
	if got := hex.EncodeToString(snapshot(t, s)); got != summed(want) {
		t.Errorf("snapshot\n%s, want\n%s", got, summed(want))
	}
}

// summed appends the checksum, both in hexadecimal.
func summed(image string) string {
	raw, _ := hex.DecodeString(image)
	return image + hex.EncodeToString(le32(crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli))))
}

// TestSnapshotOfVersion1: bytes that an earlier program left on a disk are still the map that it had.
func TestSnapshotOfVersion1(t *testing.T) {
	old, _ := hex.DecodeString(summed("62616c7361206b76" + "01000000" + "00000000" + "0700000000000000" +
		"0200000000000000" +
		"01000000" + "00000000" + "0600000000000000" + "0600000000000000" + "0100000000000000" + "61" +
		"01000000" + "02000000" + "0500000000000000" + "0700000000000000" + "0200000000000000" + "62797a"))
	restored, s := New(), New()
	if err := restored.Restore(bytes.NewReader(old)); err != nil {
		t.Fatal(err)
	}
	apply(t, s, 5, Put("b", []byte("x")))
	apply(t, s, 6, Put("a", nil))
	apply(t, s, 7, Put("b", []byte("yz")))
	if !bytes.Equal(snapshot(t, restored), snapshot(t, s)) || !bytes.Equal(oldImage(t, s), old) {
		t.Error("the map of version 1 is another")
	}
}

// oldImage is a store's snapshot as version 1 wrote it.
func oldImage(t testing.TB, s *Store) []byte {
	t.Helper()
	image := snapshot(t, s)
	old := append(bytes.Clone(image[:8]), 1, 0, 0, 0)
	old = append(old, image[12:snapshotHeader]...)
	rest := image[snapshotHeader : len(image)-4]
	for len(rest) > 0 {
		length := binary.LittleEndian.Uint32(rest) + binary.LittleEndian.Uint32(rest[4:])
		old = append(old, rest[:itemHeader1]...)
		old = append(old, rest[itemHeader:itemHeader+length]...)
		rest = rest[itemHeader+length:]
	}
	return resum(append(old, 0, 0, 0, 0))
}

func le32(n uint32) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)} }

func TestRestore(t *testing.T) {
	for _, keys := range []int{0, 1, 63, 64, 5000} {
		s := filled(t, keys)
		image := snapshot(t, s)
		other := filled(t, 10)
		if err := other.Restore(iotest.OneByteReader(bytes.NewReader(image))); err != nil {
			t.Fatalf("%d keys: %v", keys, err)
		}
		same := other.Revision() == s.Revision() && other.Len() == keys
		if !bytes.Equal(snapshot(t, other), image) || !same {
			t.Errorf("%d keys: the restored map is another", keys)
		}
	}
}

// TestRestoreIsAllOrNothing flips every bit, cuts at every byte and adds one; nothing may be taken from any
// of it.
func TestRestoreIsAllOrNothing(t *testing.T) {
	image := snapshot(t, filled(t, 12))
	s := filled(t, 3)
	before := snapshot(t, s)
	refused := func(what string, bad []byte) {
		t.Helper()
		if err := s.Restore(bytes.NewReader(bad)); !errors.Is(err, ErrBadSnapshot) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for bit := range 8 * len(image) {
		bad := bytes.Clone(image)
		bad[bit/8] ^= 1 << (bit % 8)
		refused(fmt.Sprintf("bit %d flipped", bit), bad)
	}
	for cut := range image {
		refused(fmt.Sprintf("cut at %d", cut), image[:cut])
	}
	refused("one more byte", append(bytes.Clone(image), 0))
	if !bytes.Equal(snapshot(t, s), before) {
		t.Error("a refused snapshot changed the map")
	}
}

// resum gives an altered snapshot a right checksum, so that only the checks behind it are left.
func resum(image []byte) []byte {
	body := image[:len(image)-4]
	return append(bytes.Clone(body), le32(crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))...)
}

func TestRestoreChecksWhatItReads(t *testing.T) {
	s := New()
	apply(t, s, 1, Put("a", []byte("1")))
	apply(t, s, 2, Put("b", []byte("2")))
	image := snapshot(t, s)
	second := snapshotHeader + itemHeader + 2
	for name, alter := range map[string]struct {
		at    int
		value byte
	}{
		"another file":              {0, 'B'},
		"another version":           {8, 3},
		"version 0 of all":          {8, 0},
		"a negative expiry":         {snapshotHeader + 39, 0x80},
		"padding":                   {12, 1},
		"a revision below its item": {16, 1},
		"one item fewer":            {24, 1},
		"one item more":             {24, 3},
		"an empty key":              {snapshotHeader, 0},
		"a key of 16 MiB":           {snapshotHeader + 3, 1},
		"a value of 16 MiB":         {snapshotHeader + 7, 1},
		"created after modified":    {snapshotHeader + 8, 9},
		"version 0":                 {snapshotHeader + 24, 0},
		"the same key twice":        {second + itemHeader, 'a'},
	} {
		bad := bytes.Clone(image)
		bad[alter.at] = alter.value
		if err := New().Restore(bytes.NewReader(resum(bad))); !errors.Is(err, ErrBadSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := New().Restore(bytes.NewReader(resum(image))); err != nil {
		t.Errorf("the unaltered one: %v", err)
	}
}

func TestRestorePassesTheReadersErrorOn(t *testing.T) {
	image := snapshot(t, filled(t, 12))
	broken := errors.New("broken")
	for _, at := range []int{0, 10, 100, len(image)} {
		r := io.MultiReader(bytes.NewReader(image[:at]), iotest.ErrReader(broken))
		if err := New().Restore(r); !errors.Is(err, broken) || errors.Is(err, ErrBadSnapshot) {
			t.Errorf("a reader that breaks at %d: %v", at, err)
		}
	}
}

// TestRestoreAllocatesLittleForBigClaims gives a header that promises 2⁶⁴ items and one item that promises
// 4 GiB.
func TestRestoreAllocatesLittleForBigClaims(t *testing.T) {
	head := append([]byte(snapshotMagic), 2, 0, 0, 0, 0, 0, 0, 0)
	head = append(head, bytes.Repeat([]byte{0xff}, 16)...)
	claims := append(head, bytes.Repeat([]byte{0xff}, itemHeader)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := New().Restore(bytes.NewReader(claims)); !errors.Is(err, ErrBadSnapshot) {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated", used)
	}
}

// fullWriter takes some bytes and then nothing more.
type fullWriter struct{ room int }

var errFull = errors.New("full")

func (w *fullWriter) Write(b []byte) (int, error) {
	n := min(w.room, len(b))
	w.room -= n
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestWriteToReportsWhatArrived(t *testing.T) {
	s := New()
	for i := range 200 {
		apply(t, s, i+1, Put(fmt.Sprint(i), []byte(strings.Repeat("v", 1000))))
	}
	for _, room := range []int{0, 100, 100_000} {
		if n, err := s.View().WriteTo(&fullWriter{room}); n != int64(room) || !errors.Is(err, errFull) {
			t.Errorf("room for %d: %d, %v", room, n, err)
		}
	}
}
