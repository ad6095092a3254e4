package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockName is the file that carries the lock. It is never removed: a process that locks a removed file and
// one that locks its successor would both believe to be alone.
const lockName = "lock"

// OS opens a directory of the operating system and locks it. A missing one is made, with its parents, for
// its owner alone (0700), and made durable in its parent. Errors: ErrLocked, ErrNoSpace, or what the system
// said; none of them leaves anything behind but an empty directory.
func OS(path string) (Dir, error) {
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("data directory: %w", typed(err))
	}
	lock, err := lockFile(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", path, typed(err))
	}
	return &osDir{path: path, lock: lock}, nil
}

// makeDir makes a directory and syncs its parent. It does the second even when the directory exists: an
// earlier process may have been killed between the two, and a data directory whose own name a power cut can
// take is worth nothing.
func makeDir(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	parent := filepath.Dir(path)
	err = os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) && parent != path {
		if err = makeDir(parent); err == nil {
			err = os.Mkdir(path, 0o700)
		}
	}
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	err = syncDir(parent)
	if errors.Is(err, fs.ErrPermission) && !made {
		return nil // somebody else made it, in a parent that is none of our business
	}
	return err
}

// osDir is a Dir of the operating system.
type osDir struct {
	path   string
	lock   *os.File
	beside beside
}

func (d *osDir) Create(name string, size int64) (File, error) {
	f, err := os.OpenFile(d.file(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, typed(err)
	}
	if err := f.Truncate(size); err != nil {
		return nil, typed(errors.Join(err, f.Close(), os.Remove(d.file(name))))
	}
	return &osFile{f: f, beside: &d.beside}, nil
}

func (d *osDir) Open(name string) (File, error) {
	f, err := os.OpenFile(d.file(name), os.O_RDWR, 0)
	if err != nil {
		return nil, typed(err)
	}
	return &osFile{f: f, beside: &d.beside}, nil
}

func (d *osDir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries { // sorted by name
		if !e.IsDir() && e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d *osDir) Rename(from, to string) error { return typed(os.Rename(d.file(from), d.file(to))) }
func (d *osDir) Remove(name string) error     { return typed(os.Remove(d.file(name))) }
func (d *osDir) Sync() error                  { return typed(syncDir(d.path)) }

func (d *osDir) Close() error {
	d.beside.close()
	return d.lock.Close()
}

func (d *osDir) file(name string) string { return filepath.Join(d.path, name) }

// osFile is a File of the operating system.
type osFile struct {
	f        *os.File
	beside   *beside // nil: every sync is waited for in the call
	unsynced int64   // bytes written since the last sync
}

// large is from how many bytes on a sync is worth a way through the kernel's own workers, which costs a
// little: small ones, for which somebody waits who writes alone, are over sooner without.
const large = 16 << 10

func (o *osFile) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, off) }
func (o *osFile) Close() error                            { return o.f.Close() }

func (o *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, off)
	o.unsynced += int64(n)
	return n, typed(err)
}

func (o *osFile) Sync() error {
	b := o.beside
	if o.unsynced < large {
		b = nil
	}
	o.unsynced = 0
	return typed(syncData(o.f, b))
}

func (o *osFile) Size() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// typed marks the system's words for a full disk with ErrNoSpace.
func typed(err error) error {
	if err != nil && full(err) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
