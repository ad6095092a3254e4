package disk

import (
	"errors"
	"syscall"
)

// What Windows says when a disk is full.
const (
	errorHandleDiskFull = syscall.Errno(39)
	errorDiskFull       = syscall.Errno(112)
)

// syncDir does nothing: Windows has no call for it, and NTFS journals names in order.
func syncDir(string) error { return nil }

// full reports whether an error says that the disk has no room.
func full(err error) bool {
	return errors.Is(err, errorDiskFull) || errors.Is(err, errorHandleDiskFull)
}
