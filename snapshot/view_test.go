package snapshot

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"balsa/disk"
)

// A snapshot can be looked at under any name, and nothing is written meanwhile.
func TestView(t *testing.T) {
	image := image(t, 30)
	m := disk.NewMemory()
	m.Plant("brought here", image)
	m.Plant(writingName, []byte("left by a crash"))
	m.Intercept(func(c disk.Call) error {
		if !slices.Contains([]disk.Operation{disk.OpOpen, disk.OpRead}, c.Operation) {
			t.Errorf("%+v", c)
		}
		return nil
	})
	dir, err := m.Open()
	ok(t, err)
	r, err := View(dir, "brought here")
	ok(t, err)
	if r.Info().Last != id(30) || r.Info().Cluster != options().Cluster {
		t.Errorf("%+v", r.Info())
	}
	for i, s := range r.Info().Sections {
		in, err := r.Section(i)
		ok(t, err)
		got, err := io.ReadAll(in)
		ok(t, errors.Join(err, in.Close()))
		if !bytes.Equal(got, content(30)[s.Name]) {
			t.Errorf("section %q has other bytes", s.Name)
		}
	}
	ok(t, r.Close())
}

// What is no snapshot, or a damaged one, is refused with its place; nothing panics, however short it is.
func TestViewOfOtherFiles(t *testing.T) {
	good := image(t, 30)
	for length := range len(good) {
		m := disk.NewMemory()
		m.Plant("a", good[:length])
		dir, err := m.Open()
		ok(t, err)
		_, err = View(dir, "a")
		fails(t, err, ErrCorrupt)
		m.Kill()
		m.Plant("a", good)
		m.Flip("a", 8*int64(length)+3)
		dir, err = m.Open()
		ok(t, err)
		if _, err = View(dir, "a"); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatalf("bit 3 of byte %d: %v", length, err)
		}
	}
}

// Of a snapshot whose codec is not there, all but the content can be said.
func TestViewWithoutTheCodec(t *testing.T) {
	o := options()
	o.Codecs = []Codec{deflate{name: "deflate"}}
	m := disk.NewMemory()
	s, _, err := boot(m, o)
	ok(t, err)
	ok(t, write(s, 7))
	m.Kill()
	dir, err := m.Open()
	ok(t, err)
	r, err := View(dir, fileName(id(7)))
	fails(t, err, ErrCodec)
	if r.Info().Last.Index != 7 || len(r.Info().Sections) != 3 {
		t.Errorf("%+v", r.Info())
	}
	ok(t, r.Close())
	r, err = View(dir, fileName(id(7)), deflate{name: "deflate"})
	ok(t, err)
	in, err := r.Section(2)
	ok(t, err)
	got, err := io.ReadAll(in)
	ok(t, err)
	if !bytes.Equal(got, content(7)["machine"]) {
		t.Error("the section has other bytes")
	}
	if last, isName := ParseName(fileName(id(7))); last != id(7) || !isName {
		t.Errorf("the name is of %v", last)
	}
	if _, isName := ParseName("7.snapshot"); isName {
		t.Error("7.snapshot is no name of a snapshot")
	}
}
