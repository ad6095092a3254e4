//go:build linux && (amd64 || arm64)

package disk

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// What is large is synced beside the process, by several files at once, and what is small is not.
func TestLargeSyncsGoBesideTheProcess(t *testing.T) {
	d := must(OS(filepath.Join(t.TempDir(), "d")))(t).(*osDir)
	small := must(d.Create("small", 0))(t)
	must(small.WriteAt(make([]byte, large-1), 0))(t)
	ok(t, small.Sync())
	if n := len(d.beside.idle); n > 0 || d.beside.none {
		t.Fatalf("a small sync went beside the process: %d", n)
	}
	var group sync.WaitGroup
	for i := range 8 {
		f := must(d.Create(fmt.Sprint(i), 0))(t)
		group.Go(func() {
			for n := range 20 {
				if _, err := f.WriteAt(bytes.Repeat([]byte{byte(n)}, large), int64(n)*large); err != nil {
					t.Error(err)
				}
				if err := f.Sync(); err != nil {
					t.Error(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(d.beside.idle); (n == 0 || n > 8) && !d.beside.none {
		t.Errorf("%d of eight files were synced beside the process", n)
	}
	ok(t, d.Close())
	if len(d.beside.idle) > 0 {
		t.Error("something of the kernel is kept")
	}
}

// Where the kernel declines, a large sync is waited for; what it answers, is the answer.
func TestASyncThatTheKernelDeclines(t *testing.T) {
	d := must(OS(filepath.Join(t.TempDir(), "d")))(t).(*osDir)
	d.beside.none = true
	f := must(d.Create("file", 0))(t)
	must(f.WriteAt(make([]byte, large), 0))(t)
	ok(t, f.Sync())
	ok(t, f.Close())
	fails(t, f.Sync(), fs.ErrClosed)

	d.beside.none = false
	reader, writer, err := os.Pipe() // the kernel declines, and fdatasync says why
	ok(t, err)
	defer reader.Close()
	defer writer.Close()
	fails(t, syncData(writer, &d.beside), syscall.EINVAL)

	other := must(d.Create("other", 0))(t).(*osFile)
	if s := d.beside.take(); s != nil {
		woken := s.done
		s.done = nil // nobody wakes it: it waits for the answer itself
		must(other.WriteAt(make([]byte, large), 0))(t)
		if done, sure, err := s.sync(other.f.Fd()); !done || sure || err != nil { // the notice is open
			t.Errorf("done %v, sure %v, %v", done, sure, err)
		}
		s.done = woken
		s.close()
	}
	d.beside.close()
	if done, err := d.beside.sync(other.f.Fd()); done || err != nil {
		t.Errorf("done %v, %v after the end", done, err)
	}
}
