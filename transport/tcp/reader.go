package tcp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"balsa/wire"
)

const (
	// roomy is the size of the buffer that a connection is read into. A frame that does not fit gets memory
	// of its own, as it comes.
	roomy = 64 << 10
	// frameTimeout is how long a frame may take from its first byte to its last; a long one may take
	// timePerByte more for each.
	frameTimeout = 10 * time.Second
	// maxCrowd bounds the bytes of all long frames that are being received at a time: the length that
	// somebody announces costs nothing, and what comes of it is counted.
	maxCrowd = 4 * wire.MaxFrame
	// atOnce is up to which length memory is taken for a frame at once; no other step is longer.
	atOnce = 2 << 20
)

var errCrowded = errors.New("too much is being received")

// reader reads frames from one connection.
type reader struct {
	conn       net.Conn
	crowd      *atomic.Int64
	buffer     []byte
	begin, end int  // of what has been read and not been taken
	hurried    bool // the frame that has begun has a deadline
	greeted    bool // until then there is one deadline for all, and nothing but introductions
}

func newReader(conn net.Conn, crowd *atomic.Int64) *reader {
	return &reader{conn: conn, crowd: crowd, buffer: make([]byte, roomy)}
}

// greet says that the other end has introduced itself: from now on each frame has a deadline of its own.
func (r *reader) greet() {
	r.greeted = true
	r.conn.SetReadDeadline(time.Time{})
}

// next returns the next frame, decoded. What it holds is the caller's. An error says that nothing more can be
// read: it wraps wire.ErrMalformed, or is one of the connection's.
func (r *reader) next() (wire.Streamed, error) {
	if err := r.fill(wire.StreamPrefix); err != nil {
		return wire.Streamed{}, err
	}
	length, data, err := wire.StreamLength(r.buffer[r.begin:r.end])
	switch {
	case err != nil:
		return wire.Streamed{}, err
	case !r.greeted && length > wire.MaxIntroduction:
		return wire.Streamed{}, fmt.Errorf("%w: it does not begin with an introduction", wire.ErrMalformed)
	case length > len(r.buffer):
		return r.long(length)
	}
	if err := r.fill(length); err != nil {
		return wire.Streamed{}, err
	}
	if r.hurried {
		r.hurried = false
		r.conn.SetReadDeadline(time.Time{})
	}
	frame := r.buffer[r.begin : r.begin+length]
	r.begin += length
	if data {
		frame = bytes.Clone(frame)
	}
	return wire.DecodeStreamed(frame)
}

// fill has at least n bytes be there.
func (r *reader) fill(n int) error {
	if r.begin == r.end || r.begin+n > len(r.buffer) {
		r.end = copy(r.buffer, r.buffer[r.begin:r.end])
		r.begin = 0
	}
	for r.end-r.begin < n {
		if r.end > r.begin && r.greeted && !r.hurried { // who sends a byte at a time gains nothing by it
			r.hurried = true
			r.conn.SetReadDeadline(time.Now().Add(frameTimeout))
		}
		got, err := r.conn.Read(r.buffer[r.end:])
		r.end += got
		if err != nil && r.end-r.begin < n {
			return err
		}
	}
	return nil
}

// long reads a frame that has no room in the buffer. Memory grows with what has come, not with what was
// announced.
func (r *reader) long(length int) (wire.Streamed, error) {
	taken := int64(0)
	defer func() { r.crowd.Add(-taken) }()
	r.conn.SetReadDeadline(time.Now().Add(frameTimeout + time.Duration(length)*timePerByte))
	frame := append(make([]byte, 0, min(length, atOnce)), r.buffer[r.begin:r.end]...)
	r.begin, r.end = 0, 0
	for got, err := len(frame), error(nil); ; {
		taken += int64(got)
		switch {
		case r.crowd.Add(int64(got)) > maxCrowd:
			return wire.Streamed{}, errCrowded
		case len(frame) == length:
			r.hurried = false
			r.conn.SetReadDeadline(time.Time{})
			return wire.DecodeStreamed(frame)
		case err != nil:
			return wire.Streamed{}, fmt.Errorf("in the midst of a frame: %w", err)
		case len(frame) == cap(frame):
			frame = slices.Grow(frame, min(length-len(frame), atOnce))
		}
		got, err = r.conn.Read(frame[len(frame):min(length, cap(frame))])
		frame = frame[:len(frame)+got]
	}
}
