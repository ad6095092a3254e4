package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// etcdTransport is the lean transport that etcd-io/raft gets here: one connection for each direction, frames
// of a length and a message in protobuf, and one write for all that waits. A message that cannot be sent is
// dropped, which the core expects.
type etcdTransport struct {
	node     *etcdNode
	listener net.Listener
	out      map[uint64]*queue[*raftpb.Message] // by the peer's id
	place    place
	running  sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

const largestFrame = 256 << 20

func listenEtcd(n *etcdNode, p place) (*etcdTransport, error) {
	listener, err := net.Listen("tcp", p.address())
	if err != nil {
		return nil, err
	}
	t := &etcdTransport{node: n, listener: listener, place: p, open: map[net.Conn]struct{}{},
		out: map[uint64]*queue[*raftpb.Message]{}}
	for i := range p.Addresses {
		if i+1 != p.ID {
			t.out[uint64(i+1)] = newQueue[*raftpb.Message]()
		}
	}
	return t, nil
}

func (t *etcdTransport) start() {
	t.running.Go(t.accept)
	for id, q := range t.out {
		t.running.Go(func() { t.write(t.place.Addresses[id-1], q) })
	}
}

// send queues messages for their receivers.
func (t *etcdTransport) send(messages []*raftpb.Message) {
	for _, m := range messages {
		if q := t.out[m.GetTo()]; q != nil {
			q.add(m)
		}
	}
}

// track notes a connection, or closes it if the transport is closed already.
func (t *etcdTransport) track(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = c.Close()
		return false
	}
	t.open[c] = struct{}{}
	return true
}

func (t *etcdTransport) forget(c net.Conn) {
	t.mu.Lock()
	delete(t.open, c)
	t.mu.Unlock()
	_ = c.Close()
}

func (t *etcdTransport) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		if t.track(c) {
			t.running.Go(func() { t.read(c) })
		}
	}
}

func (t *etcdTransport) read(c net.Conn) {
	defer t.forget(c)
	from := bufio.NewReaderSize(c, 256<<10)
	var header [4]byte
	var body []byte
	for {
		if _, err := io.ReadFull(from, header[:]); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(header[:])
		if size > largestFrame {
			return
		}
		if int(size) > cap(body) {
			body = make([]byte, size)
		}
		if _, err := io.ReadFull(from, body[:size]); err != nil {
			return
		}
		m := &raftpb.Message{} // what it holds is copied from the body
		if proto.Unmarshal(body[:size], m) != nil {
			return
		}
		t.node.inbox.add(etcdEvent{message: m})
	}
}

// write sends what waits for one peer. It dials again when the connection breaks.
func (t *etcdTransport) write(address string, q *queue[*raftpb.Message]) {
	var c net.Conn
	defer func() {
		if c != nil {
			t.forget(c)
		}
	}()
	var frames []byte
	for {
		waiting, ok := q.take()
		if !ok {
			return
		}
		if c == nil {
			dialed, err := net.DialTimeout("tcp", address, time.Second)
			if err != nil || !t.track(dialed) {
				time.Sleep(tick)
				continue
			}
			c = dialed
		}
		frames = frames[:0]
		for _, m := range waiting {
			frames = appendFrame(frames, m)
		}
		if _, err := c.Write(frames); err != nil {
			t.forget(c)
			c = nil
		}
		if cap(frames) > 16<<20 {
			frames = nil
		}
	}
}

func appendFrame(frames []byte, m *raftpb.Message) []byte {
	at := len(frames)
	frames = append(frames, 0, 0, 0, 0)
	frames, err := proto.MarshalOptions{}.MarshalAppend(frames, m)
	if err != nil {
		return frames[:at]
	}
	binary.BigEndian.PutUint32(frames[at:], uint32(len(frames)-at-4))
	return frames
}

func (t *etcdTransport) close() error {
	err := t.listener.Close()
	for _, q := range t.out {
		q.close()
	}
	t.mu.Lock()
	t.closed = true
	for c := range t.open {
		err = errors.Join(err, c.Close())
	}
	t.mu.Unlock()
	t.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
