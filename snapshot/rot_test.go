package snapshot

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// found opens a disk and says what is good and what is broken.
func found(t *testing.T, m *disk.Memory) (good []raft.Index, broken []Broken, err error) {
	t.Helper()
	before := m.Names()
	s, f, err := boot(m, options())
	if err == nil {
		good = indexes(s)
		intact(t, s)
	}
	if after := m.Names(); !slices.Equal(before, after) {
		t.Fatalf("there were %q, and now %q", before, after)
	}
	return good, f.Broken, err
}

// falls checks that the newest snapshot is reported as broken and the older one serves, and, alone on its
// disk, that it is damage.
func falls(t *testing.T, change func(b []byte) []byte) {
	t.Helper()
	name := fileName(id(20))
	m := written(t, 10, 20)
	bad := change(m.Read(name))
	m.Plant(name, bad)
	good, broken, err := found(t, m)
	ok(t, err)
	if !slices.Equal(good, []raft.Index{10}) || len(broken) != 1 || broken[0].Name != name ||
		broken[0].Last != id(20) {
		t.Fatalf("good %v, broken %v", good, broken)
	}
	fails(t, broken[0].Err, ErrCorrupt)
	if text := broken[0].Err.Error(); !strings.Contains(text, name+" at byte ") {
		t.Fatalf("it says neither file nor offset: %s", text)
	}
	if !bytes.Equal(m.Read(name), bad) {
		t.Fatal("the evidence was changed")
	}
	m.Delete(fileName(id(10)))
	_, _, err = found(t, m)
	fails(t, err, ErrCorrupt)
	whole := options()
	whole.LogWhole = true
	_, f, err := boot(m, whole)
	ok(t, err)
	if len(f.Broken) != 1 || !bytes.Equal(m.Read(name), bad) {
		t.Fatalf("with a whole log: broken %v", f.Broken)
	}
}

func TestEveryBitThatFlipsIsNoticed(t *testing.T) {
	m := written(t, 10, 20)
	name := fileName(id(20))
	for bit := range int64(len(m.Read(name)) * 8) {
		m.Flip(name, bit)
		_, f, err := boot(m, options())
		if err != nil || len(f.Broken) != 1 || len(f.Snapshots) != 1 {
			t.Fatalf("bit %d: %v, %v", bit, f.Broken, err)
		}
		fails(t, f.Broken[0].Err, ErrCorrupt)
		m.Flip(name, bit)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	const whole = frame + 200 // a chunk
	size := len(image(t, 20))
	for length := range size {
		if length%37 < 2 || length > size-3 {
			falls(t, func(b []byte) []byte { return b[:length] })
		}
	}
	for at := 0; at < size; at += 100 {
		falls(t, func(b []byte) []byte { clear(b[at:min(at+100, size)]); return b })
	}
	for _, extra := range [][]byte{{0}, {1}, make([]byte, 1000), image(t, 20)} {
		falls(t, func(b []byte) []byte { return append(b, extra...) })
	}
	falls(t, func(b []byte) []byte { // swapped
		first := b[headerOf(b):]
		one := bytes.Clone(first[:whole])
		copy(first, first[whole:2*whole])
		copy(first[whole:], one)
		return b
	})
	falls(t, func(b []byte) []byte { // doubled
		first := b[headerOf(b):]
		copy(first[whole:2*whole], first[:whole])
		return b
	})
	falls(t, func(b []byte) []byte { // the same place of another snapshot
		other := image(t, 30)
		at := headerOf(b) + whole
		copy(b[at:at+whole], other[at:])
		return b
	})
	falls(t, func(b []byte) []byte { return mixture(t, 20) })
	falls(t, func(b []byte) []byte { return image(t, 30) }) // misdirected
	falls(t, func(b []byte) []byte { return nil })
}

func TestADiskThatDoesNotAnswerIsNoDamage(t *testing.T) {
	for _, op := range []disk.Operation{disk.OpOpen, disk.OpRead} {
		m := written(t, 10, 20)
		m.Intercept(func(c disk.Call) error {
			if c.Operation == op && c.Name == fileName(id(20)) {
				return errBroken
			}
			return nil
		})
		good, broken, err := found(t, m)
		ok(t, err)
		if !slices.Equal(good, []raft.Index{10}) || len(broken) != 1 || errors.Is(broken[0].Err, ErrCorrupt) {
			t.Fatalf("good %v, broken %v", good, broken)
		}
		m.Delete(fileName(id(10)))
		_, _, err = found(t, m)
		fails(t, err, errBroken)
		if errors.Is(err, ErrCorrupt) {
			t.Fatalf("taken for damage: %v", err)
		}
		m.Plant(fileName(id(30)), []byte("rubbish")) // the one that may yet be good decides what is said
		_, _, err = found(t, m)
		fails(t, err, errBroken)
	}
}

// The sum of the whole would notice these too; a reader of one chunk has only that chunk's.
func TestAChunkIsGoodInItsPlaceAlone(t *testing.T) {
	b := image(t, 20)
	at := headerOf(b)
	info, err := decodeHeader(b[:at])
	ok(t, err)
	chunk := b[at : at+frame+200]
	if !info.sealed(chunk, int64(at)) {
		t.Fatal("a good chunk is refused")
	}
	other := info
	other.sum++
	if info.sealed(chunk, int64(at)+1) || other.sealed(chunk, int64(at)) {
		t.Fatal("a chunk is good in another place, or in another snapshot")
	}
}

// What has good sums and no sense comes from a bug or from somebody who means harm.
func TestGoodSumsAroundNonsense(t *testing.T) {
	info := Info{Meta: meta(20), Cluster: options().Cluster, Codec: "none", ChunkBytes: 200}
	file := info.encodeHeader()
	for range 2 { // neither is full
		at := len(file)
		file = append(file, make([]byte, frame+100)...)
		info.seal(file[at:], int64(at), 100)
	}
	info.Sections = []Section{{Name: "a", Size: 200, stored: 200}}
	info.Checksum = whole(0, file)
	falls(t, func([]byte) []byte { return append(file, info.encodeTrailer(int64(len(file)))...) })

	long := binary.LittleEndian.AppendUint32(file[:info.header:info.header], trailerMark|maxTable+1)
	v := verifier{name: "x", size: 1 << 40, want: func(Info) error { return nil }}
	fails(t, v.feed(append(long, 0, 0, 0, 0)), ErrCorrupt)
}

func TestSnapshotsThatContradictEachOther(t *testing.T) {
	m := written(t, 10)
	late := raft.EntryID{Term: 9, Index: 5}
	other := disk.NewMemory()
	w, err := mustBoot(t, other).Create(Meta{Last: late})
	ok(t, err)
	_, err = w.Commit()
	ok(t, err)
	m.Plant(fileName(late), other.Read(fileName(late)))
	_, _, err = found(t, m)
	fails(t, err, ErrCorrupt)
}

func TestABrokenSnapshotIsReplacedByAGoodOne(t *testing.T) {
	m := written(t, 10, 20)
	m.Flip(fileName(id(20)), 4000)
	s := mustBoot(t, m)
	ok(t, write(s, 20))
	good, broken, err := found(t, m)
	ok(t, err)
	if !slices.Equal(good, []raft.Index{20, 10}) || len(broken) > 0 {
		t.Fatalf("good %v, broken %v", good, broken)
	}
}

func TestRotWhileASnapshotIsRead(t *testing.T) {
	m := written(t, 10)
	name, size := fileName(id(10)), int64(len(m.Read(fileName(id(10)))))
	for at := int64(0); at < size; at += 50 {
		s := mustBoot(t, m)
		info, _ := s.Latest()
		m.Flip(name, at*8)
		fails(t, read(s, info), ErrCorrupt)
		r, err := s.Read(id(10))
		if err == nil {
			_, err = r.ReadAt(make([]byte, size), 0)
			ok(t, r.Close())
		}
		fails(t, err, ErrCorrupt)
		m.Flip(name, at*8)
	}
}

func TestALaterVersionIsRefused(t *testing.T) {
	m := written(t, 10, 20)
	b := m.Read(fileName(id(20)))
	head := b[:headerOf(b)]
	head[8]++
	m.Plant(fileName(id(20)), resum(b, len(head)))
	_, _, err := found(t, m)
	fails(t, err, ErrVersion)
	if errors.Is(err, ErrCorrupt) {
		t.Fatal("a later version was taken for damage")
	}
}

// resum makes the sum of a header right.
func resum(b []byte, n int) []byte {
	i, _ := decodeHeader(b[:n])
	binary.LittleEndian.PutUint32(b[n-4:], i.sum)
	return b
}

// deflate is a codec of the standard library; broken ones lose or add bytes.
type deflate struct{ name, fault string }

func (d deflate) Name() string { return d.name }
func (d deflate) Compress(w io.Writer) (io.WriteCloser, error) {
	return flate.NewWriter(w, flate.BestCompression)
}

func (d deflate) Expand(r io.Reader) (io.ReadCloser, error) {
	in := flate.NewReader(r)
	switch d.fault {
	case "short":
		return io.NopCloser(io.LimitReader(in, 50)), nil
	case "long":
		return io.NopCloser(io.MultiReader(in, strings.NewReader("more"))), nil
	}
	return in, nil
}

func TestACodec(t *testing.T) {
	m := written(t, 10)
	o := options()
	o.Codecs = []Codec{deflate{name: "deflate"}}
	s, _, err := boot(m, o)
	ok(t, err)
	ok(t, write(s, 20))
	plain, packed := s.List()[1], s.List()[0]
	if packed.Codec != "deflate" || plain.Codec != "none" || packed.Size >= plain.Size {
		t.Fatalf("%d bytes packed, %d plain", packed.Size, plain.Size)
	}
	intact(t, s)
	_, _, err = boot(m, options())
	fails(t, err, ErrCodec)
	for _, fault := range []string{"short", "long"} {
		o.Codecs[0] = deflate{"deflate", fault}
		s, _, err = boot(m, o)
		ok(t, err)
		fails(t, read(s, packed), ErrCorrupt)
	}
	o.Codecs[0] = deflate{name: "none"}
	_, _, err = boot(m, o)
	fails(t, err, ErrInvalid)
}

var update = flag.Bool("update", false, "write the golden file anew")

// TestTheFormatStays reads a file that the first version has written, and writes the same bytes.
func TestTheFormatStays(t *testing.T) {
	const name = "testdata/version1.snapshot"
	now := image(t, 30)
	if *update {
		ok(t, os.WriteFile(name, now, 0o600))
	}
	golden, err := os.ReadFile(name)
	ok(t, err)
	if !bytes.Equal(golden, now) {
		t.Fatal("the bytes of a snapshot have changed: count up the version")
	}
	m := disk.NewMemory()
	m.Plant(fileName(id(30)), golden)
	s := mustBoot(t, m)
	if !slices.Equal(indexes(s), []raft.Index{30}) {
		t.Fatal("the file is not read")
	}
	intact(t, s)
}
