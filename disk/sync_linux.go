package disk

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's bytes and length durable, and leaves out its times: one write to the journal less
// than fsync.
func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = fdatasync(int(fd)) }); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: os.ErrClosed}
	}
	return os.NewSyscallError("fdatasync", failed)
}

func fdatasync(fd int) error {
	for {
		if err := syscall.Fdatasync(fd); !errors.Is(err, syscall.EINTR) {
			return err
		} // else a signal came before anything was tried: that is not a failed sync
	}
}
