package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"balsa/disk"
	"balsa/wal"
)

// The commands that look at the files of a node without one: verify, log dump, snapshot inspect. They write
// nothing, lock nothing, and work beside a node that runs.

// watched is a directory that is read, and tells how far its files have been. It is fed by one goroutine.
type watched struct {
	disk.Dir
	ctx  context.Context
	path string

	c     *console
	verb  string
	left  map[string]int64 // bytes of each file that will yet be read; what is read in excess does not count
	total int64            // bytes that will be read of all
	done  int64
	began time.Time
	bar   *progress // nil: not for so long yet
	quiet bool      // nothing is told any more
}

// expect says how many bytes of a file will be read.
func (w *watched) expect(name string, bytes int64) {
	w.left[name] += bytes
	w.total += bytes
}

// look opens a data directory to be read.
func (c *console) look(ctx context.Context, verb, path string) (*watched, error) {
	dir, err := disk.Look(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(exitUsage, "there is no directory %s: name the data directory of a node", path)
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fail(exitUsage, "%s is a file: name the data directory of a node", path)
	case err != nil:
		return nil, fail(exitError, "%w", err)
	}
	return &watched{Dir: dir, ctx: ctx, path: path, c: c, verb: verb, began: time.Now(),
		left: map[string]int64{}}, nil
}

// mebibyte is the unit in which progress is told.
const mebibyte = 1 << 20

// add counts bytes that were read. Who is done in a second is not told how far it was.
func (w *watched) add(n int64, name string) {
	n = min(n, w.left[name])
	w.left[name] -= n
	w.done += n
	if w.quiet {
		return
	}
	if w.bar == nil && time.Since(w.began) > time.Second {
		w.bar = w.c.progress(w.verb, "MiB", uint64(max(w.total/mebibyte, 1)))
		w.bar.began = w.began
	}
	if w.bar != nil {
		w.bar.at(uint64(w.done/mebibyte), name)
	}
}

// end leaves the line as it is, and tells nothing any more.
func (w *watched) end() {
	if w.bar != nil {
		w.bar.end()
	}
	w.bar, w.quiet = nil, true
}

// Open opens a file whose reading is counted.
func (w *watched) Open(name string) (disk.File, error) {
	f, err := w.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	return &watchedFile{File: f, dir: w, name: name}, nil
}

type watchedFile struct {
	disk.File
	dir  *watched
	name string
}

// ReadAt reads in pieces, so that a large one neither hides how far it is nor delays a Ctrl-C.
func (f *watchedFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		if f.dir.ctx.Err() != nil {
			return n, context.Canceled
		}
		var more int
		more, err = f.File.ReadAt(p[n:min(len(p), n+mebibyte)], off+int64(n))
		n += more
		f.dir.add(int64(more), f.name)
	}
	return n, err
}

// sizes returns how large each file is. One that goes meanwhile has no size.
func (w *watched) sizes(names []string) (all map[string]int64) {
	all = map[string]int64{}
	for _, name := range names {
		f, err := w.Dir.Open(name)
		if err != nil {
			continue
		}
		all[name], _ = f.Size()
		_ = f.Close()
	}
	return all
}

// notData refuses a directory in which there is nothing of a node. It helps whoever has named the one above.
func notData(path string, names []string) error {
	inside, _ := filepath.Glob(filepath.Join(path, "*", "identity.1"))
	for i := range inside {
		inside[i] = filepath.Dir(inside[i])
	}
	switch {
	case len(inside) > 0:
		return fail(exitUsage, "%s is no data directory of a node, but there are some in it: name one of %s",
			path, strings.Join(inside, ", "))
	case len(names) == 0:
		return fail(exitUsage, "%s holds no node: name the data directory of one that was started", path)
	}
	return fail(exitUsage, "%s is no data directory of a node: nothing in it is balsa's", path)
}

// ours reports whether a file is one that only a node makes.
func ours(name string) bool {
	return strings.HasPrefix(name, "identity.") || isSegment(name) || strings.HasSuffix(name, ".snapshot") ||
		strings.HasSuffix(name, ".snapshot.part") || name == "create.snapshot.tmp"
}

// ofNode reports whether the directory is the data directory of a node.
func (w *watched) ofNode() bool {
	names, err := w.List()
	return err == nil && slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(copies(), name)
	})
}

// isSegment reports whether a file is a segment of a log, by its name.
func isSegment(name string) bool {
	return len(name) == len("0000000001.wal") && filepath.Ext(name) == ".wal"
}

// unreadable says of an error what no look at the files can change; nil if it says something of the files.
func unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(failure)):
		return err
	case errors.Is(err, context.Canceled):
		return fail(exitError, "interrupted")
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "%w: give this user the right to read it", err)
	case errors.Is(err, wal.ErrNotInitialized):
		return fail(exitUsage, "the first start there was cut short: no node has written anything yet")
	}
	return nil
}

// empty reports whether nothing in a directory is of a node.
func empty(names []string) bool { return !slices.ContainsFunc(names, ours) }

// bytesOf writes a number of bytes as people say it.
func bytesOf(n int64) string {
	switch {
	case n < 1<<10:
		return count(int(n), "byte")
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
