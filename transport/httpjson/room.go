package httpjson

import (
	"errors"
	"io"
	"sync/atomic"
)

const (
	// maxBodies is how many bodies of the largest size may be in memory at once. Requests are counted too,
	// but by their number alone 256 large ones from anybody would fill the memory of a machine before one
	// of them is looked at.
	maxBodies = 4
	// freeBytes of each body need no room: heartbeats and votes get through whatever else is being received.
	freeBytes = 64 << 10
)

var errNoRoom = errors.New("no room")

// room is a number of bytes that may be taken and given back, concurrently.
type room struct{ left atomic.Int64 }

// take reports whether there was room, and takes it.
func (r *room) take(n int64) bool {
	if r.left.Add(-n) >= 0 {
		return true
	}
	r.left.Add(n)
	return false
}

func (r *room) give(n int64) { r.left.Add(n) }

// guest reads a body and takes room for what has come of it. What was only announced takes none: a few that
// announce much and send nothing would otherwise keep everybody else out.
type guest struct {
	body  io.Reader
	room  *room
	read  int64
	taken int64
}

// Read implements io.Reader. It fails with errNoRoom.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.body.Read(p)
	g.read += int64(n)
	if more := g.read - freeBytes - g.taken; more > 0 {
		if !g.room.take(more) {
			return n, errNoRoom
		}
		g.taken += more
	}
	return n, err
}

// leave gives back what was taken, once the body is not needed any more.
func (g *guest) leave() { g.room.give(g.taken) }
