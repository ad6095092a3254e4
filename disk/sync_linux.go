package disk

import (
	"errors"
	"os"
	"syscall"
)

// syncData makes a file's bytes and length durable, and leaves out its times: one write to the journal less
// than fsync. With a beside it leaves that to the kernel, if it can.
func syncData(f *os.File, b *beside) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		done := false
		if b != nil {
			done, failed = b.sync(fd)
		}
		if !done {
			failed = os.NewSyscallError("fdatasync", fdatasync(int(fd)))
		}
	})
	if err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: os.ErrClosed}
	}
	return failed
}

func fdatasync(fd int) error {
	for {
		if err := syscall.Fdatasync(fd); !errors.Is(err, syscall.EINTR) {
			return err
		} // else a signal came before anything was tried: that is not a failed sync
	}
}
