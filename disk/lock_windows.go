package disk

import (
	"errors"
	"os"
	"syscall"
)

// errorSharingViolation is what Windows says of a file that somebody else has opened for itself alone.
const errorSharingViolation = syscall.Errno(32)

// lockFile opens a file that it shares with nobody: a second opening fails until this one is closed, which
// the system does when the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errorSharingViolation) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// inUse reports whether somebody has the lock file to himself.
func inUse(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, errorSharingViolation) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}
