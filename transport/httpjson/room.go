package httpjson

import "sync/atomic"

// maxBodies is how many bodies of the largest size may be in memory at once. Requests are counted too, but
// by their number alone 256 large ones from anybody would fill the memory of a machine before one of them
// is looked at.
const maxBodies = 4

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
