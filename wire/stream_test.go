package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"balsa/raft"
)

func TestWhatIsStreamedSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEnvelope(t)
		for _, want := range []Streamed{
			{Sequence: e.Sequence, Message: e.Message},
			{Introduction: Introduction{From: e.From, To: e.To, Lane: rapid.Uint8().Draw(t, "lane")}},
		} {
			frame := streamed([]byte("before"), want)[len("before"):]
			length, data, err := StreamLength(frame[:StreamPrefix])
			if err != nil || length != len(frame) {
				t.Fatalf("StreamLength = %d, %v for a frame of %d bytes", length, err, len(frame))
			}
			if size := EnvelopeSize(e); length > size {
				t.Fatalf("a frame of %d bytes was estimated at %d", length, size)
			}
			got, err := DecodeStreamed(frame)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			if clear(frame); !data && cmp.Diff(want, got) != "" {
				t.Fatalf("%T shares the memory of its frame", got.Message)
			}
		}
	})
}

// streamed encodes what was decoded.
func streamed(dst []byte, s Streamed) []byte {
	if s.Message == nil {
		return AppendIntroduction(dst, s.Introduction)
	}
	return AppendStreamed(dst, s.Sequence, s.Message)
}

func TestADamagedStreamIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawEnvelope(t)
		frame := AppendStreamed(nil, e.Sequence, e.Message)
		at := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
		bit := rapid.IntRange(0, 7).Draw(t, "bit")
		damaged := bytes.Clone(frame)
		damaged[at] ^= 1 << bit
		if _, err := DecodeStreamed(damaged); !errors.Is(err, ErrMalformed) {
			t.Fatalf("bit %d of byte %d was turned over: %v", bit, at, err)
		}
		if _, err := DecodeStreamed(frame[:at]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("only %d of %d bytes: %v", at, len(frame), err)
		}
		if _, err := DecodeStreamed(append(frame, 0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a byte too many: %v", err)
		}
	})
}

// A length is refused before anybody waits for what it announces, or allocates it.
func TestALengthOfAStreamIsRefused(t *testing.T) {
	whole := AppendStreamed(nil, 1, raft.TimeoutNow{Term: 1})
	who := AppendIntroduction(nil, Introduction{From: raft.Identity{Node: 1}, To: 2})
	for _, c := range []struct {
		what   string
		frame  []byte
		length uint32
	}{
		{"a message longer than any", whole, MaxFrame + 1},
		{"a message shorter than its header", whole, streamHeader - 1},
		{"an introduction longer than any", who, MaxIntroduction + 1},
		{"a request of HTTP", []byte("POST /raft/pre_vote"), binary.LittleEndian.Uint32([]byte("POST"))},
	} {
		prefix := bytes.Clone(c.frame[:StreamPrefix])
		binary.LittleEndian.PutUint32(prefix, c.length)
		if n, _, err := StreamLength(prefix); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %d, %v", c.what, n, err)
		}
	}
	if _, _, err := StreamLength(whole[:StreamPrefix-1]); !errors.Is(err, ErrMalformed) {
		t.Errorf("a prefix that is cut off: %v", err)
	}
}

// FuzzStreamed repairs length and checksum, behind which the fuzzer would otherwise never get.
func FuzzStreamed(f *testing.F) {
	for _, e := range samples() {
		f.Add(AppendStreamed(nil, e.Sequence, e.Message))
		f.Add(AppendIntroduction(nil, Introduction{From: e.From, To: e.To, Lane: 1}))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, err := DecodeStreamed(src)
		mustBeMalformed(t, err)
		if len(src) < streamHeader {
			return
		}
		src = bytes.Clone(src)
		binary.LittleEndian.PutUint32(src, uint32(len(src)))
		binary.LittleEndian.PutUint32(src[4:], streamChecksum(src))
		s, err := DecodeStreamed(src)
		if err == nil {
			sameBytes(t, src, streamed(nil, s))
		}
		mustBeMalformed(t, err)
	})
}
