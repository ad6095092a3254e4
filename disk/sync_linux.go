package disk

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's bytes and length durable, and leaves out its times: one write to the journal less than fsync.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if errors.Is(err, syscall.EINTR) {
			continue // a signal came before anything was tried: not a failed sync
		}
		return os.NewSyscallError("fdatasync", err)
	}
}
