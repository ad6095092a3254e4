package snapshot

import (
	"bytes"
	"fmt"
	"io"

	"balsa/raft"
	"balsa/wire"
)

// encoder makes the bytes of a snapshot one after the other, and never goes back: what is known only at the
// end stands in the trailer. So the same bytes can go into a file, or to somebody far away.
type encoder struct {
	info    Info
	codec   Codec
	section io.WriteCloser // what compresses the section that is being written; nil before the first
	chunk   []byte         // with room for its frame in front
	at      int64          // bytes given to put so far
	err     error
	put     func([]byte) error // takes the next bytes, which stand at offset at
	flushed func() error       // called behind each chunk
}

func newEncoder(o Options, m Meta, put func([]byte) error, flushed func() error) encoder {
	e := encoder{codec: identity{}, put: put, flushed: flushed}
	if len(o.Codecs) > 0 {
		e.codec = o.Codecs[0]
	}
	m.Configuration = bytes.Clone(m.Configuration)
	e.info = Info{Meta: m, Cluster: o.Cluster, Codec: e.codec.Name()}
	e.info.ChunkBytes = o.ChunkBytes
	e.chunk = make([]byte, frame, frame+e.info.ChunkBytes)
	return e
}

// Stream writes a snapshot to where nothing can be written twice: a connection, a pipe. The bytes are those
// of a file that Store would keep, so whoever has stored them can View them, and they arrive as the image is
// written: no more than a chunk is held. Of the options Cluster, Codecs and ChunkBytes count. ErrInvalid if
// there can be no such snapshot, and then nothing was written; otherwise the error of image or of to.
func Stream(to io.Writer, o Options, s raft.Snapshot, image io.WriterTo) (Info, error) {
	if o.ChunkBytes == 0 {
		o.ChunkBytes = DefaultChunkBytes
	}
	m, err := metaOf(s)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return Info{}, fmt.Errorf("snapshot: %w", err)
	}
	e := newEncoder(o, m, func(b []byte) error { _, err := to.Write(b); return err },
		func() error { return nil })
	if err := e.header(); err != nil {
		return Info{}, err
	}
	if err := e.Section(sectionName); err != nil {
		return Info{}, err
	}
	if _, err := image.WriteTo(&e); err != nil {
		_ = e.fail(err)
		_ = e.section.Close() // what it would still write goes nowhere
		return Info{}, fmt.Errorf("snapshot: write %v: %w", s.Last, err)
	}
	if err := e.finish(); err != nil {
		return Info{}, err
	}
	return e.info, nil
}

// metaOf is what the header says of a snapshot, or ErrInvalid.
func metaOf(s raft.Snapshot) (Meta, error) {
	if err := wire.CheckConfiguration(s.Members); err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m := Meta{Last: s.Last, Time: s.Time, ConfigurationIndex: s.MembersIndex,
		Configuration: wire.AppendConfiguration(nil, s.Members)}
	if err := m.check(); err != nil {
		return Meta{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return m, nil
}

func (e *encoder) fail(err error) error {
	if e.err == nil {
		e.err = err
	}
	return e.err
}

// write hands on the next bytes.
func (e *encoder) write(b []byte) error {
	if err := e.put(b); err != nil {
		return e.fail(err)
	}
	e.at += int64(len(b))
	return nil
}

// header writes the first bytes.
func (e *encoder) header() error {
	if err := e.count(e.info.encodeHeader()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Section ends the section before and begins one of that name: 1 to MaxName bytes, no name twice, at most
// MaxSections.
func (e *encoder) Section(name string) error {
	if err := e.endSection(); err != nil {
		return err
	}
	if err := e.info.checkName(name); err != nil {
		return fmt.Errorf("snapshot: %w: %w", ErrInvalid, err)
	}
	e.info.Sections = append(e.info.Sections, Section{Name: name})
	section, err := e.codec.Compress(stream{e})
	if err != nil {
		return e.fail(fmt.Errorf("snapshot: section %q: %w", name, err))
	}
	e.section = section
	return nil
}

func (e *encoder) endSection() error {
	if e.err != nil || e.section == nil {
		return e.err
	}
	err := e.section.Close()
	e.section = nil
	if err != nil {
		return e.fail(fmt.Errorf("snapshot: %w", err))
	}
	return e.err
}

// Write appends to the section. Before the first Section it is ErrInvalid.
func (e *encoder) Write(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.section == nil {
		return 0, fmt.Errorf("snapshot: %w: content before the first section", ErrInvalid)
	}
	n, err := e.section.Write(p)
	e.info.Sections[len(e.info.Sections)-1].Size += int64(n)
	if err != nil {
		err = e.fail(fmt.Errorf("snapshot: %w", err))
	}
	return n, err
}

// stream takes what comes out of the codec.
type stream struct{ e *encoder }

func (s stream) Write(p []byte) (n int, err error) {
	e := s.e
	for len(p) > 0 && e.err == nil {
		part := p[:min(len(p), cap(e.chunk)-len(e.chunk))]
		e.chunk, p = append(e.chunk, part...), p[len(part):]
		n += len(part)
		e.info.Sections[len(e.info.Sections)-1].stored += int64(len(part))
		if len(e.chunk) == cap(e.chunk) {
			if err := e.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, e.err
}

// flush writes the chunk, full or the last.
func (e *encoder) flush() error {
	e.info.seal(e.chunk, e.at, uint32(len(e.chunk)-frame))
	if err := e.count(e.chunk); err != nil {
		return err
	}
	e.info.stream += int64(len(e.chunk) - frame)
	e.chunk = e.chunk[:frame]
	return e.flushed()
}

// count writes what the sum of the whole covers: all but the trailer.
func (e *encoder) count(b []byte) error {
	e.info.Checksum = whole(e.info.Checksum, b)
	return e.write(b)
}

// finish writes what has not been written yet, and the trailer.
func (e *encoder) finish() error {
	if err := e.endSection(); err != nil {
		return err
	}
	if len(e.chunk) > frame {
		if err := e.flush(); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	if err := e.write(e.info.encodeTrailer(e.at)); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}
