//go:build linux && (amd64 || arm64)

package disk

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// beside has the kernel sync files while no thread of this process waits for it (io_submit, with an eventfd
// that the runtime's poller waits for). A thread that waits in fdatasync keeps the processor that the Go
// runtime has given it (one of GOMAXPROCS) until the runtime takes it away, which it notices a good part of
// a sync later; on a machine with few processors, whoever could run meanwhile waits for no reason. What the
// kernel does is the same: it answers when the data are durable, with the error of fdatasync.
type beside struct {
	mutex  sync.Mutex
	idle   []*syncer
	none   bool // the kernel has no such thing for us
	closed bool
}

// syncer waits for one sync at a time.
type syncer struct {
	context uintptr  // the kernel's name for a queue of requests
	done    *os.File // an eventfd: can be read when the request has been answered
	request ioRequest
	counter [8]byte
}

// ioRequest is struct iocb of linux/aio_abi.h on a little-endian machine.
type ioRequest struct {
	_         uint64 // data: comes back with the answer
	_, _      uint32 // key, flags of reads and writes
	operation uint16
	_         int16 // priority
	file      uint32
	_         [4]uint64 // buffer, bytes, offset, reserved
	how       uint32    // it is notified
	notified  uint32    // an eventfd
}

// ioEvent is struct io_event.
type ioEvent struct {
	_      [2]uint64 // data, request
	result int64
	_      int64
}

const (
	ioDataSync   = 3 // IOCB_CMD_FDSYNC
	ioNotifyFile = 1 // IOCB_FLAG_RESFD
)

// sync is fdatasync, unless the kernel declines: then nothing was done.
func (b *beside) sync(fd uintptr) (done bool, err error) {
	s := b.take()
	if s == nil {
		return false, nil
	}
	done, sure, err := s.sync(fd)
	if !sure { // whoever got it next could take this answer, or its notice, for its own
		s.close()
		return done, err
	}
	b.put(s)
	return done, err
}

func (b *beside) take() *syncer {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.none || b.closed {
		return nil
	}
	if n := len(b.idle); n > 0 {
		s := b.idle[n-1]
		b.idle = b.idle[:n-1]
		return s
	}
	s, err := newSyncer()
	b.none = err != nil
	return s
}

func (b *beside) put(s *syncer) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.closed {
		s.close()
		return
	}
	b.idle = append(b.idle, s)
}

// close gives back what the kernel holds for us.
func (b *beside) close() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.closed = true
	for _, s := range b.idle {
		s.close()
	}
	b.idle = nil
}

func newSyncer() (*syncer, error) {
	s := &syncer{}
	if _, _, e := syscall.Syscall(syscall.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&s.context)), 0); e != 0 {
		return nil, e
	}
	fd, _, e := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if e != 0 {
		syscall.Syscall(syscall.SYS_IO_DESTROY, s.context, 0, 0)
		return nil, e
	}
	s.request = ioRequest{operation: ioDataSync, how: ioNotifyFile, notified: uint32(fd)}
	s.done = os.NewFile(fd, "eventfd")
	return s, nil
}

func (s *syncer) close() {
	syscall.Syscall(syscall.SYS_IO_DESTROY, s.context, 0, 0)
	s.done.Close()
}

// sync asks for one sync and waits for its answer. Sure says that nothing of it is open any more, neither its
// answer nor the notice of that.
func (s *syncer) sync(fd uintptr) (done, sure bool, err error) {
	s.request.file = uint32(fd)
	requests := &s.request
	n, _, e := syscall.Syscall(syscall.SYS_IO_SUBMIT, s.context, 1, uintptr(unsafe.Pointer(&requests)))
	if e != 0 || n != 1 {
		return false, true, nil
	}
	_, heard := s.done.Read(s.counter[:]) // if that fails, the thread waits below
	for {
		var event ioEvent
		n, _, e := syscall.Syscall6(syscall.SYS_IO_GETEVENTS, s.context, 1, 1,
			uintptr(unsafe.Pointer(&event)), 0, 0)
		switch {
		case errors.Is(e, syscall.EINTR):
		case e != 0:
			return true, false, os.NewSyscallError("io_getevents", e)
		case n == 1 && event.result < 0:
			return true, heard == nil, os.NewSyscallError("fdatasync", syscall.Errno(-event.result))
		case n == 1:
			return true, heard == nil, nil
		}
	}
}
