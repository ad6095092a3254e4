package disk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// opener opens the same directory again and again.
type opener func() (Dir, error)

// conform checks what every disk promises. Each check gets a directory of its own.
func conform(t *testing.T, fresh func(t *testing.T) opener) {
	for name, check := range map[string]func(*testing.T, opener){
		"create":            checkCreate,
		"read and write":    checkReadWrite,
		"a gap reads zeros": checkGap,
		"names":             checkNames,
		"rename replaces":   checkRename,
		"lock":              checkLock,
		"closed":            checkClosed,
		"content stays":     checkContentStays,
	} {
		t.Run(name, func(t *testing.T) { check(t, fresh(t)) })
	}
}

func TestOSConforms(t *testing.T) {
	conform(t, func(t *testing.T) opener {
		path := filepath.Join(t.TempDir(), "a", "b")
		return func() (Dir, error) { return OS(path) }
	})
}

func TestMemoryConforms(t *testing.T) {
	conform(t, func(*testing.T) opener { return NewMemory().Open })
}

// must returns what a call returned, or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func content(t *testing.T, f File) []byte {
	t.Helper()
	b := bytes.Repeat([]byte("?"), int(must(f.Size())(t))) // what is read must overwrite it, zeros too
	if n, err := f.ReadAt(b, 0); n != len(b) || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("read %d of %d bytes: %v", n, len(b), err)
	}
	return b
}

func checkCreate(t *testing.T, open opener) {
	d := must(open())(t)
	f := must(d.Create("a", 1000))(t)
	if got := content(t, f); !bytes.Equal(got, make([]byte, 1000)) {
		t.Fatalf("a new file holds %d bytes, or others than zeros", len(got))
	}
	_, err := d.Create("a", 1)
	fails(t, err, fs.ErrExist)
	_, err = d.Open("b")
	fails(t, err, fs.ErrNotExist)
}

func checkReadWrite(t *testing.T, open opener) {
	d := must(open())(t)
	f := must(d.Create("a", 0))(t)
	must(f.WriteAt([]byte("hello world"), 0))(t)
	must(f.WriteAt([]byte("W"), 6))(t)
	ok(t, f.Sync())
	g := must(d.Open("a"))(t)
	if got := content(t, g); string(got) != "hello World" {
		t.Fatalf("read %q", got)
	}
	b := make([]byte, 8)
	n, err := g.ReadAt(b, 6)
	fails(t, err, io.EOF)
	if string(b[:n]) != "World" {
		t.Fatalf("read %q at the end", b[:n])
	}
	n, err = g.ReadAt(b, 100)
	fails(t, err, io.EOF)
	if n != 0 {
		t.Fatalf("read %d bytes behind the end", n)
	}
}

func checkGap(t *testing.T, open opener) {
	d := must(open())(t)
	f := must(d.Create("a", 10))(t)
	must(f.WriteAt([]byte("x"), 20_000))(t)
	want := append(make([]byte, 20_000), 'x')
	if got := content(t, f); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, or others than zeros and x", len(got))
	}
}

func checkNames(t *testing.T, open opener) {
	d := must(open())(t)
	for _, name := range []string{"c", "a", "b"} {
		ok(t, must(d.Create(name, 1))(t).Close())
	}
	ok(t, d.Remove("b"))
	ok(t, d.Rename("a", "z"))
	ok(t, d.Sync())
	if got := must(d.List())(t); !slices.Equal(got, []string{"c", "z"}) {
		t.Fatalf("names %q", got)
	}
	fails(t, d.Remove("b"), fs.ErrNotExist)
	fails(t, d.Rename("b", "x"), fs.ErrNotExist)
}

func checkRename(t *testing.T, open opener) {
	d := must(open())(t)
	for _, name := range []string{"old", "new"} {
		f := must(d.Create(name, 0))(t)
		must(f.WriteAt([]byte(name), 0))(t)
		ok(t, f.Close())
	}
	ok(t, d.Rename("new", "old"))
	if got := content(t, must(d.Open("old"))(t)); string(got) != "new" {
		t.Fatalf("the name holds %q", got)
	}
	_, err := d.Open("new")
	fails(t, err, fs.ErrNotExist)
}

func checkLock(t *testing.T, open opener) {
	d := must(open())(t)
	_, err := open()
	fails(t, err, ErrLocked)
	ok(t, d.Close())
	d = must(open())(t)
	if got := must(d.List())(t); len(got) > 0 {
		t.Fatalf("the lock shows: %q", got)
	}
	ok(t, d.Close())
}

func checkClosed(t *testing.T, open opener) {
	d := must(open())(t)
	f := must(d.Create("a", 1))(t)
	ok(t, f.Close())
	_, err := f.WriteAt([]byte("x"), 0)
	fails(t, err, fs.ErrClosed)
	_, err = f.ReadAt([]byte("x"), 0)
	fails(t, err, fs.ErrClosed)
	_, err = f.Size()
	fails(t, err, fs.ErrClosed)
	fails(t, f.Sync(), fs.ErrClosed)
	fails(t, f.Close(), fs.ErrClosed)
}

func checkContentStays(t *testing.T, open opener) {
	d := must(open())(t)
	f := must(d.Create("a", 0))(t)
	must(f.WriteAt([]byte("kept"), 5000))(t)
	ok(t, f.Sync())
	ok(t, f.Close())
	ok(t, d.Sync())
	ok(t, d.Close())
	d = must(open())(t)
	if got := content(t, must(d.Open("a"))(t)); string(got[5000:]) != "kept" {
		t.Fatalf("the next one reads %q", got[5000:])
	}
}
