package sim

import "balsa/raft"

// task is what kind of thing is due.
type task uint8

const (
	intervene  task = iota // an operation of the script, or the swarm's next idea
	awake                  // a server's tick
	deliver                // a message at its receiver
	returned               // a message back at its sender, refused by a machine that is down
	write                  // the end of a write
	apply                  // the end of work on the state machine
	save                   // the end of saving a snapshot
	readChunk              // a piece of one was read
	storeChunk             // a piece of one was stored
	seal                   // the log may have been idle for long enough
	prepare                // the next step of preparing a segment
	request                // a client's next request
	take                   // a request at a server
	reply                  // an answer at a client
	deadline               // a client waits no longer
	turnEnds               // a server begins the work that follows from what it has taken
)

// due is one thing that will happen.
type due struct {
	at    Time
	task  task
	node  raft.NodeID // whom it concerns, or the client
	life  int         // of that server: what was due in an earlier one never happens
	cause uint64      // the event that led to it
	peer  raft.NodeID
	n     uint64 // which message, operation of the script, request

	frame    []byte
	stale    Time // from when on a late copy of it is older than any election; 0: it is none
	damaged  bool // the frame, on its way
	copied   bool // there is another copy of it: nobody can say that it did not arrive
	response *response
}

// ofDisk reports whether it is work of a disk.
func (d *due) ofDisk() bool {
	switch d.task {
	case write, seal, prepare, save, readChunk, storeChunk:
		return true
	}
	return false
}

// appointment is a place in the queue: small and without pointers, for it is moved about much.
type appointment struct {
	at    Time
	order uint64 // among those at the same time
	slot  int
}

// behind is added to the order of everything but interventions, which come first among equals: whether they
// come from a script that was there from the beginning or from a swarm that has just had the idea must make
// no difference.
const behind = 1 << 62

func (a appointment) before(b appointment) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}

// queue is a binary heap of what is due, the earliest on top.
type queue struct {
	heap  []appointment
	slots []due
	free  []int
	count uint64 // of all that were ever put in
}

func (q *queue) push(d due) {
	q.count++
	a := appointment{at: d.at, order: q.count, slot: len(q.slots)}
	if d.task != intervene {
		a.order |= behind
	}
	if last := len(q.free) - 1; last >= 0 {
		a.slot = q.free[last]
		q.free = q.free[:last]
		q.slots[a.slot] = d
	} else {
		q.slots = append(q.slots, d)
	}
	q.heap = append(q.heap, a)
	at := len(q.heap) - 1
	for at > 0 {
		above := (at - 1) / 2
		if !a.before(q.heap[above]) {
			break
		}
		q.heap[at] = q.heap[above]
		at = above
	}
	q.heap[at] = a
}

// pop takes the earliest out; there must be one.
func (q *queue) pop() due {
	top := q.heap[0].slot
	d := q.slots[top]
	q.slots[top] = due{} // lets go of its frame
	q.free = append(q.free, top)
	last := len(q.heap) - 1
	a := q.heap[last]
	q.heap = q.heap[:last]
	if last > 0 {
		q.sink(a)
	}
	return d
}

// sink puts an appointment in from the top.
func (q *queue) sink(a appointment) {
	at, last := 0, len(q.heap)
	for {
		below := 2*at + 1
		if below >= last {
			break
		}
		if below+1 < last && q.heap[below+1].before(q.heap[below]) {
			below++
		}
		if !q.heap[below].before(a) {
			break
		}
		q.heap[at] = q.heap[below]
		at = below
	}
	q.heap[at] = a
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

// next is when the earliest is due; there must be one.
func (q *queue) next() Time { return q.heap[0].at }

// take takes out all that match, in the order in which they were to happen.
func (q *queue) take(match func(*due) bool) (taken []due) {
	left := make([]appointment, 0, len(q.heap))
	for !q.empty() {
		a := q.heap[0]
		d := q.pop()
		if match(&d) {
			taken = append(taken, d)
			continue
		}
		q.free = q.free[:len(q.free)-1] // it stays where it was
		q.slots[a.slot] = d
		left = append(left, a)
	}
	q.heap = left // sorted, and so a heap
	return taken
}

// hasten lets what matches happen by a time, in the order in which it was to happen.
func (q *queue) hasten(by Time, match func(*due) bool) {
	late := q.take(func(d *due) bool { return d.at > by && match(d) })
	for _, d := range late {
		d.at = by
		q.push(d)
	}
}
