package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balsa/raft"
)

// What a decoder takes must be what an encoder makes of it again, byte for byte: so that nothing has two
// forms and no part of what was received is ignored.

func FuzzEntry(f *testing.F) {
	for _, e := range samples() {
		if m, ok := e.Message.(raft.AppendEntries); ok {
			for _, entry := range m.Entries {
				f.Add(AppendEntry(nil, entry))
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		e, rest, err := DecodeEntry(src)
		if err == nil {
			sameBytes(t, src, append(AppendEntry(nil, e), rest...))
		}
		mustBeMalformed(t, err)
	})
}

func FuzzConfiguration(f *testing.F) {
	bootstrap := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2", 3: "c:3"})
	f.Add(AppendConfiguration(nil, bootstrap))
	bootstrap.Outgoing, bootstrap.Version = []raft.NodeID{1, 3}, 9
	f.Add(AppendConfiguration(nil, bootstrap))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, rest, err := DecodeConfiguration(src)
		if err == nil {
			sameBytes(t, src, append(AppendConfiguration(nil, c), rest...))
		}
		mustBeMalformed(t, err)
	})
}

// FuzzEnvelope repairs length and checksum, behind which the fuzzer would otherwise never get.
func FuzzEnvelope(f *testing.F) {
	for _, e := range samples() {
		f.Add(AppendEnvelope(nil, e))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, err := DecodeEnvelope(src)
		mustBeMalformed(t, err)
		if len(src) < frameFixed {
			return
		}
		e, err := DecodeEnvelope(reseal(bytes.Clone(src)))
		if err == nil {
			sameBytes(t, reseal(src), AppendEnvelope(nil, e))
		}
		mustBeMalformed(t, err)
	})
}

// FuzzJSON decodes twice: JSON has many forms of one message, and only the one that we write is stable.
func FuzzJSON(f *testing.F) {
	for _, e := range samples() {
		f.Add(byte(kindOf(e.Message))-1, AppendJSON(nil, e))
	}
	for _, byHand := range jsonByHand() {
		f.Add(byte(kindNamed(byHand.name))-1, []byte(byHand.src))
	}
	f.Fuzz(func(t *testing.T, number byte, src []byte) {
		name := kind(number%byte(lastKind) + 1).name()
		first, err := DecodeJSON(name, src)
		if mustBeMalformed(t, err); err != nil {
			return
		}
		second, err := DecodeJSON(name, AppendJSON(nil, first))
		if diff := cmp.Diff(first, second); err != nil || diff != "" {
			t.Fatalf("%s %s: %v %s", name, src, err, diff)
		}
	})
}

func sameBytes(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Fatalf("decoded and encoded again\n%x\nbecame\n%x", want, got)
	}
}

func mustBeMalformed(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrMalformed) {
		t.Fatalf("an error that does not wrap ErrMalformed: %v", err)
	}
}
