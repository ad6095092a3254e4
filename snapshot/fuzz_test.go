package snapshot

import (
	"errors"
	"io"
	"runtime/metrics"
	"testing"

	"balsa/disk"
)

// allocated returns how many bytes this process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// bounded reads a file as that of a snapshot, and sends it, and fails if that takes more memory than its
// bytes can explain or comes to no verdict.
func bounded(t *testing.T, file []byte) {
	m := disk.NewMemory()
	m.Plant(fileName(id(30)), file)
	before := allocated()
	s, f, err := boot(m, options())
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) &&
		!errors.Is(err, ErrForeign) && !errors.Is(err, ErrCodec) {
		t.Fatalf("no verdict: %v", err)
	}
	if err == nil {
		info := f.Snapshots[0]
		r, err := s.Read(info.Last)
		ok(t, err)
		for i, section := range info.Sections {
			in, err := r.Section(i)
			ok(t, err)
			if n, err := io.Copy(io.Discard, in); err == nil && n != section.Size {
				t.Fatalf("section %q has %d bytes of %d", section.Name, n, section.Size)
			}
		}
		got := make([]byte, info.Size)
		_, err = r.ReadAt(got, 0)
		ok(t, err)
		if string(got) != string(file) {
			t.Fatal("other bytes are sent than stand in the file")
		}
	}
	arrives(t, file, err == nil)
	if took := allocated() - before; took > 1<<20+64*uint64(len(file)) {
		t.Fatalf("%d bytes took %d bytes of memory", len(file), took)
	}
}

// arrives receives a file: what is good on the disk is good on the wire, and nothing else.
func arrives(t *testing.T, file []byte, good bool) {
	if len(file) < minFile {
		return
	}
	s := mustBoot(t, disk.NewMemory())
	r, err := s.Receive(id(30), int64(len(file)))
	ok(t, err)
	_, err = r.Add(0, file)
	if err == nil {
		_, err = r.Commit()
	}
	if (err == nil) != good {
		t.Fatalf("good on the disk: %v; received: %v", good, err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(image(f, 30))
	f.Add(image(f, 30)[:300])
	f.Add(make([]byte, 500))
	f.Fuzz(bounded)
}

// FuzzTable puts good checksums around any content and any table, so that what decodes tables is reached.
func FuzzTable(f *testing.F) {
	good := image(f, 30)
	f.Add([]byte("abc"), good[len(good)-tableFixed-3*17-len("sessionsemptymachine")+16:])
	f.Add([]byte{}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, content, table []byte) {
		info := Info{Meta: meta(30), Cluster: options().Cluster, Codec: "none", ChunkBytes: MaxChunkBytes}
		file := info.encodeHeader()
		if content = content[:min(len(content), MaxChunkBytes)]; len(content) > 0 {
			at := len(file)
			file = append(append(file, make([]byte, frame)...), content...)
			info.seal(file[at:], int64(at), uint32(len(content)))
		}
		info.Checksum = whole(0, file)
		at := int64(len(file))
		trailer := info.encodeTrailer(at)[:frame+16]
		trailer = append(trailer, table...)
		size := at + int64(len(trailer))
		for i := range 8 {
			trailer[frame+i] = byte(size >> (8 * i))
		}
		info.seal(trailer, at, trailerMark|uint32(len(trailer)-frame))
		bounded(t, append(file, trailer...))
	})
}
