package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"balsa/raft"
)

func TestEveryEnvelopeSurvivesTheBinaryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEnvelope(t)
		frame := AppendEnvelope([]byte("before"), want)[len("before"):]
		if bound := EnvelopeSize(want); len(frame) > bound || bound >= len(frame)+frameMost {
			t.Fatalf("a frame of %d bytes was estimated at %d", len(frame), bound)
		}
		if length, err := FrameLength(frame[:FramePrefix]); err != nil || length != len(frame) {
			t.Fatalf("FrameLength = %d, %v for a frame of %d bytes", length, err, len(frame))
		}
		got, err := DecodeEnvelope(frame)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestADamagedFrameIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := AppendEnvelope(nil, drawEnvelope(t))
		at := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
		bit := rapid.IntRange(0, 7).Draw(t, "bit")
		damaged := bytes.Clone(frame)
		damaged[at] ^= 1 << bit
		if _, err := DecodeEnvelope(damaged); !errors.Is(err, ErrMalformed) {
			t.Fatalf("bit %d of byte %d was turned over: %v", bit, at, err)
		}
		if _, err := DecodeEnvelope(frame[:at]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("only %d of %d bytes: %v", at, len(frame), err)
		}
		if _, err := DecodeEnvelope(append(frame, 0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a byte too many: %v", err)
		}
	})
}

// reseal gives a tampered frame the length and checksum that its sender would have given it.
func reseal(frame []byte) []byte {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)))
	binary.LittleEndian.PutUint32(frame[8:], frameChecksum(frame))
	return frame
}

func TestALiarWithAValidChecksumIsRefused(t *testing.T) {
	encode := func(m raft.Message) []byte { return AppendEnvelope(nil, raft.Envelope{Message: m}) }
	set := func(m raft.Message, at int, b byte) []byte {
		frame := encode(m)
		frame[(at+len(frame))%len(frame)] = b
		return frame
	}
	lies := map[string][]byte{
		"kind 0":                           set(raft.TimeoutNow{}, 5, 0),
		"kind 21":                          set(raft.TimeoutNow{}, 5, 21),
		"an order to campaign for start 0": set(raft.TimeoutNow{Start: 1}, -8, 0),
		"a forwarded no-op":                encode(raft.ForwardProposal{Kind: raft.NoOp}),
		"a forwarded normal proposal in the layout of others": set(
			raft.ForwardProposal{Kind: raft.Session}, -5, byte(raft.Normal)),
		"version 2":          set(raft.TimeoutNow{}, 4, 2),
		"padding":            set(raft.TimeoutNow{}, 7, 1),
		"unknown frame flag": set(raft.TimeoutNow{}, 6, 2),
		"flagged, and says nothing": func() []byte {
			f := set(raft.TimeoutNow{}, 6, frameSays)
			return slices.Insert(f, frameFixed, 0, 0, 0, 0, 0)
		}(),
		"an address with a line feed": func() []byte {
			f := AppendEnvelope(nil,
				raft.Envelope{From: raft.Identity{Address: "a_b"}, Message: raft.TimeoutNow{}})
			f[frameFixed+6] = '\n'
			return f
		}(),
		"unknown flag":      set(raft.PreVoteResponse{}, -1, 2),
		"message too long":  append(encode(raft.TimeoutNow{}), 0),
		"message too short": encode(raft.TimeoutNow{})[:frameFixed+15],
		"no message":        encode(raft.TimeoutNow{})[:frameFixed],
		"header cut":        encode(raft.TimeoutNow{})[:frameFixed-1],
		"an API address with a line feed": func() []byte {
			f := AppendEnvelope(nil,
				raft.Envelope{From: raft.Identity{API: "a_b"}, Message: raft.TimeoutNow{}})
			f[frameFixed+1] = '\n'
			return f
		}(),
		"an API address longer than the frame": set(raft.TimeoutNow{}, frameFixed-1, 255),
		"four billion entries": func() []byte {
			f := encode(raft.AppendEntries{})
			binary.LittleEndian.PutUint32(f[len(f)-4:], 1<<32-1)
			return f
		}(),
		"four gigabytes": func() []byte {
			f := encode(raft.ForwardProposal{})
			binary.LittleEndian.PutUint32(f[len(f)-4:], 1<<32-1)
			return f
		}(),
		"entry of unknown kind": func() []byte {
			return encode(raft.AppendEntries{Entries: []raft.Entry{{Term: 1, Index: 1, Kind: 9}}})
		}(),
	}
	for name, frame := range lies {
		if e, err := DecodeEnvelope(reseal(frame)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: decoded to %+v, %v", name, e, err)
		}
	}
}

func TestALengthIsRefusedBeforeItIsWaitedFor(t *testing.T) {
	prefix := []byte{0, 0, 0, 0, frameVersion, byte(timeoutNow), 0, 0}
	for length, ok := range map[uint32]bool{
		0: false, frameFixed - 1: false, frameFixed: true,
		MaxFrame: true, MaxFrame + 1: false, 1<<32 - 1: false,
	} {
		binary.LittleEndian.PutUint32(prefix, length)
		if _, err := FrameLength(prefix); (err == nil) != ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("FrameLength of %d bytes: %v", length, err)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func TestWhatNoDecoderWouldTakeIsNotEncoded(t *testing.T) {
	command := make([]byte, MaxCommand+1)
	most := raft.Entry{Term: 1, Index: 1, Kind: raft.Normal, Command: command[:MaxCommand]}
	for name, f := range map[string]func(){
		"no message": func() { AppendEnvelope(nil, raft.Envelope{}) },
		"an API address that is too long": func() {
			who := raft.Identity{API: strings.Repeat("x", MaxAPI+1)}
			AppendEnvelope(nil, raft.Envelope{From: who, Message: raft.TimeoutNow{}})
		},
		"an API address that is no text": func() {
			AppendEnvelope(nil, raft.Envelope{From: raft.Identity{API: "a b"}, Message: raft.TimeoutNow{}})
		},
		"a large entry": func() { AppendEntry(nil, raft.Entry{Command: command}) },
		"a large command": func() {
			AppendEnvelope(nil, raft.Envelope{Message: raft.ForwardProposal{Command: command}})
		},
		"a large frame": func() {
			two := raft.AppendEntries{Entries: []raft.Entry{most, most}}
			AppendEnvelope(nil, raft.Envelope{Message: two})
		},
	} {
		if !panics(f) {
			t.Errorf("%s was encoded", name)
		}
	}
	if _, err := DecodeEnvelope(AppendEnvelope(nil, raft.Envelope{
		Message: raft.AppendEntries{Entries: []raft.Entry{most}},
	})); err != nil {
		t.Errorf("a command of MaxCommand: %v", err)
	}
}

func TestACommandBeyondTheLimitIsNotDecoded(t *testing.T) {
	m := raft.ForwardProposal{Command: make([]byte, MaxCommand)}
	frame := append(AppendEnvelope(nil, raft.Envelope{Message: m}), 0)
	at := frameFixed + 3*8 // its length
	binary.LittleEndian.PutUint32(frame[at:], MaxCommand+1)
	if _, err := DecodeEnvelope(reseal(frame)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a command of MaxCommand and a byte was decoded: %v", err)
	}
}

// A leader encodes for every follower, many times a second: into a buffer that is large enough, at no cost.
func TestEncodingAllocatesNothing(t *testing.T) {
	for _, e := range samples() {
		buffer := make([]byte, 0, EnvelopeSize(e))
		if n := testing.AllocsPerRun(10, func() { AppendEnvelope(buffer, e) }); n > 0 {
			t.Errorf("%s: %v allocations", Name(e.Message), n)
		}
	}
}
