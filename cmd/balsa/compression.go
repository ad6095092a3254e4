package main

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

// compression is the codec that snapshots are written with: zstd, at the level that costs the least. Both
// ways it works in the goroutine of its caller, and its memory is bounded, whatever the bytes claim.
type compression struct{}

// Name is part of every snapshot.
func (compression) Name() string { return "zstd" }

// windowBytes is how far back what is compressed may refer. Whoever expands it needs as much memory, and
// refuses what asks for more: it may have come from another node.
const windowBytes = 1 << 20

// Compress returns a writer that compresses into w.
func (compression) Compress(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(windowBytes), zstd.WithLowerEncoderMem(true))
}

// Expand returns a reader of what Compress was given.
func (compression) Expand(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(windowBytes))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}
