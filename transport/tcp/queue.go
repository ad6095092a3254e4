package tcp

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// What may wait to be written to one connection. A message longer than maxBytes waits alone.
const (
	maxWaiting = 4096
	maxBytes   = 16 << 20
)

// queue is what waits to be written, by whoever takes all of it at once.
type queue struct {
	ready chan struct{} // has one element when something may wait

	mutex   sync.Mutex
	waiting []raft.Envelope
	bytes   int // of what waits
	taken   int // bytes of what is being written
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put adds a message of at most size bytes, or drops it when too much waits.
func (q *queue) put(e raft.Envelope, size int) error {
	q.mutex.Lock()
	full := len(q.waiting) >= maxWaiting || q.bytes+q.taken > 0 && q.bytes+q.taken+size > maxBytes
	first := len(q.waiting) == 0
	if !full {
		q.waiting = append(q.waiting, e)
		q.bytes += size
	}
	q.mutex.Unlock()
	if full {
		return fmt.Errorf("node %v: %w", e.To, transport.ErrFull)
	}
	if first {
		select {
		case q.ready <- struct{}{}:
		default:
		}
	}
	return nil
}

// take returns all that waits, and has what comes from now on wait in the memory of spare. What was taken
// before has been written, or never will be.
func (q *queue) take(spare []raft.Envelope) []raft.Envelope {
	clear(spare) // what has been sent may be let go of
	q.mutex.Lock()
	defer q.mutex.Unlock()
	taken := q.waiting
	q.waiting, q.bytes, q.taken = spare[:0], 0, q.bytes
	return taken
}

// written says that nothing of what was taken is in memory any more.
func (q *queue) written() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.taken = 0
}

const (
	// chunk is how many bytes are gathered for one write at most, but for a single longer message.
	chunk = 256 << 10
	// kept bounds the memory that a connection keeps between two writes.
	kept = 2 << 20
	// timePerByte is what a write may take longer for each byte: a second for a MiB.
	timePerByte = time.Microsecond
)

// pen writes messages to one connection, and says who their sender is when that has changed.
type pen struct {
	conn    net.Conn
	timeout time.Duration
	said    wire.Introduction
	buffer  []byte
}

// introduce writes who the sender is.
func (p *pen) introduce(i wire.Introduction) error {
	p.said = i
	p.buffer = wire.AppendIntroduction(p.buffer[:0], i)
	return p.flush()
}

// write writes messages, in as few pieces as chunk allows. When it fails, it returns how many of them were
// not begun: of those before nobody knows.
func (p *pen) write(batch []raft.Envelope) (left int, err error) {
	p.buffer = slices.Grow(p.buffer[:0], min(chunk, 64*len(batch)))
	for i, e := range batch {
		if e.From != p.said.From {
			p.said.From = e.From
			p.buffer = wire.AppendIntroduction(p.buffer, p.said)
		}
		p.buffer = wire.AppendStreamed(p.buffer, e.Sequence, e.Message)
		if len(p.buffer) >= chunk || i == len(batch)-1 {
			if err := p.flush(); err != nil {
				return len(batch) - 1 - i, err
			}
		}
	}
	return 0, nil
}

func (p *pen) flush() error {
	patience := p.timeout + time.Duration(len(p.buffer))*timePerByte
	p.conn.SetWriteDeadline(time.Now().Add(patience)) // where that fails, Write does
	_, err := p.conn.Write(p.buffer)
	if p.buffer = p.buffer[:0]; cap(p.buffer) > kept {
		p.buffer = nil
	}
	return err
}
