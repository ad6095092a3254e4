package main

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"balsa/snapshot"
)

func squeeze(t *testing.T, content io.Reader, options ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	if options == nil {
		w, err = snapshot.Codec(compression{}).Compress(&out)
	} else {
		w, err = zstd.NewWriter(&out, options...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatWasCompressedComesBack(t *testing.T) {
	for _, content := range []string{"", "x", strings.Repeat("a value of some length, ", 100_000)} {
		packed := squeeze(t, strings.NewReader(content))
		if len(content) > 1000 && len(packed) > len(content)/20 {
			t.Errorf("%d bytes became %d", len(content), len(packed))
		}
		r, err := compression{}.Expand(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != content {
			t.Errorf("%d bytes came back as %d, %v", len(content), len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A snapshot comes from another node, and its sums may be right though nobody meant well: what is cut off or
// changed is an error, and what claims to need a large memory is refused before it gets it.
func TestWhatIsExpandedTakesNoMoreMemoryThanItMay(t *testing.T) {
	packed := squeeze(t, strings.NewReader(strings.Repeat("0123456789abcdef", 10_000)))
	for _, bad := range [][]byte{packed[:len(packed)-1], append(bytes.Clone(packed[:len(packed)-2]), 1, 2),
		[]byte("this is no zstd")} {
		r, err := compression{}.Expand(bytes.NewReader(bad))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			_ = r.Close()
		}
		if err == nil {
			t.Error("what was damaged has been taken")
		}
	}
	wide := squeeze(t, io.LimitReader(zeros{}, 80<<20), zstd.WithWindowSize(64<<20),
		zstd.WithEncoderConcurrency(1))
	if most := growth(func() {
		r, err := compression{}.Expand(bytes.NewReader(wide))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			_ = r.Close()
		}
		if !errors.Is(err, zstd.ErrWindowSizeExceeded) {
			t.Errorf("a window of 64 MiB: %v", err)
		}
	}); most > 16<<20 {
		t.Errorf("refusing a window of 64 MiB took %d MiB", most>>20)
	}
	bomb := squeeze(t, io.LimitReader(zeros{}, 200<<20))
	if most := growth(func() {
		r, err := compression{}.Expand(bytes.NewReader(bomb))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if n, err := io.Copy(io.Discard, r); n != 200<<20 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}); most > 32<<20 {
		t.Errorf("expanding %d bytes to 200 MiB allocated %d MiB", len(bomb), most>>20)
	}
}

// growth returns how many bytes were allocated, in all.
func growth(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestSizesAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "4096": 4096, "512KiB": 512 << 10, "64MiB": 64 << 20,
		"1GiB": 1 << 30, "8589934591GiB": 8589934591 << 30} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1 MiB", "1.5GiB", "64M", "8589934592GiB",
		"1KiBMiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
