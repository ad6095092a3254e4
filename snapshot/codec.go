package snapshot

import (
	"errors"
	"fmt"
	"io"
)

// Codec compresses sections. Its name is written into the snapshot, so that a program without it refuses
// the file by name. Its output need not be the same on every server; what it expands to must be.
type Codec interface {
	// Name is 1 to MaxName bytes, for ever the same; "none" is taken.
	Name() string
	// Compress returns a writer whose output goes to w; closing it ends the section and leaves w open.
	Compress(w io.Writer) (io.WriteCloser, error)
	// Expand returns a reader of what Compress was given. It must bound its memory by itself.
	Expand(r io.Reader) (io.ReadCloser, error)
}

// identity is the codec that does nothing.
type identity struct{}

func (identity) Name() string                                 { return "none" }
func (identity) Compress(w io.Writer) (io.WriteCloser, error) { return open{w}, nil }
func (identity) Expand(r io.Reader) (io.ReadCloser, error)    { return io.NopCloser(r), nil }

// open is a writer that has no end of its own.
type open struct{ io.Writer }

func (open) Close() error { return nil }

// exact reads a section out of what its codec expands, and takes neither less nor more than was written.
type exact struct {
	expanded io.ReadCloser
	section  Section
	file     string
	left     int64
}

func (e *exact) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.left == 0 {
		return 0, e.end()
	}
	n, err := e.expanded.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if e.left > 0 {
			err = fmt.Errorf("%s: section %q ends %d bytes early: %w",
				e.file, e.section.Name, e.left, ErrCorrupt)
		}
	}
	return n, err
}

// end asks for one more byte: that also has the codec check what it appended by itself.
func (e *exact) end() error {
	var more [1]byte
	for range 100 { // a reader may return nothing a few times
		n, err := e.expanded.Read(more[:])
		if n > 0 {
			return fmt.Errorf("%s: section %q has more than its %d bytes: %w",
				e.file, e.section.Name, e.section.Size, ErrCorrupt)
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (e *exact) Close() error { return e.expanded.Close() }
