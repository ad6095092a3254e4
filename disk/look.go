package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrReadOnly is what every change fails with in a directory that was opened only to be looked at.
var ErrReadOnly = errors.New("the directory was opened only to be looked at")

// Look opens a directory of the operating system only to be looked at. It takes no lock and makes nothing:
// what it reads may change meanwhile, see InUse. Everything that would change something fails with
// ErrReadOnly. A missing directory is fs.ErrNotExist, a file syscall.ENOTDIR. What is no regular file cannot
// be opened: reading a pipe or a device may never end.
func Look(path string) (Dir, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
	}
	return &looking{osDir{path: path}}, nil
}

// InUse reports whether another process has a directory open now, or this one has, with OS. A process that
// tries to open it at the very instant of the question may be refused with ErrLocked.
func InUse(path string) (bool, error) {
	held, err := inUse(filepath.Join(path, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return held, err
}

// looking is a Dir that is only read.
type looking struct{ osDir }

func (d *looking) Create(string, int64) (File, error) { return nil, ErrReadOnly }
func (d *looking) Rename(string, string) error        { return ErrReadOnly }
func (d *looking) Remove(string) error                { return ErrReadOnly }
func (d *looking) Sync() error                        { return ErrReadOnly }
func (d *looking) Close() error                       { return nil }

func (d *looking) Open(name string) (File, error) {
	info, err := os.Stat(d.file(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: d.file(name), Err: errors.New("it is no regular file")}
	}
	f, err := os.Open(d.file(name))
	if err != nil {
		return nil, err
	}
	return lookedAt{&osFile{f: f}}, nil
}

// lookedAt is a File that is only read.
type lookedAt struct{ *osFile }

func (lookedAt) WriteAt([]byte, int64) (int, error) { return 0, ErrReadOnly }
func (lookedAt) Sync() error                        { return ErrReadOnly }
