package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A directory that is looked at is read as it is, beside the process that uses it, and nothing in it changes.
func TestLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	_, err := Look(path)
	fails(t, err, fs.ErrNotExist)
	if held, err := InUse(path); held || err != nil {
		t.Errorf("a missing directory is in use: %v, %v", held, err)
	}
	owner := must(OS(path))(t)
	f := must(owner.Create("file", 0))(t)
	must(f.WriteAt([]byte("abc"), 0))(t)
	ok(t, f.Close())

	d := must(Look(path))(t)
	if names := must(d.List())(t); !slices.Equal(names, []string{"file"}) {
		t.Errorf("it holds %v", names)
	}
	f = must(d.Open("file"))(t)
	got := make([]byte, 3)
	must(f.ReadAt(got, 0))(t)
	if size := must(f.Size())(t); size != 3 || string(got) != "abc" {
		t.Errorf("%d bytes, %q", size, got)
	}
	_, created := d.Create("other", 0)
	_, written := f.WriteAt([]byte("x"), 0)
	for _, err := range []error{created, written, f.Sync(), d.Sync(), d.Remove("file"),
		d.Rename("file", "b")} {
		fails(t, err, ErrReadOnly)
	}
	ok(t, errors.Join(f.Close(), d.Close()))
	if _, err := d.Open("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	ok(t, os.Mkdir(filepath.Join(path, "directory"), 0o700))
	if _, err := d.Open("directory"); err == nil {
		t.Error("a directory was opened as a file")
	}

	for _, want := range []bool{true, false} {
		if held := must(InUse(path))(t); held != want {
			t.Errorf("in use: %v, want %v", held, want)
		}
		_ = owner.Close()
	}
	ok(t, must(OS(path))(t).Close()) // who asks leaves no lock behind
	_, err = Look(filepath.Join(path, "file"))
	if err == nil {
		t.Error("a file was looked at as a directory")
	}
}
