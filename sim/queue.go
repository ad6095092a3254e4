package sim

import "balsa/raft"

// task is what kind of thing is due.
type task uint8

const (
	intervene task = iota // an operation of the script, or the swarm's next idea
	awake                 // a server's tick
	deliver               // a message at its receiver
	returned              // a message back at its sender, refused by a machine that is down
	write                 // the end of a write
	apply                 // the end of an apply
	seal                  // the log may have been idle for long enough
	prepare               // the next step of preparing a segment
	request               // a client's next request
	take                  // a request at a server
	reply                 // an answer at a client
	deadline              // a client waits no longer
)

// due is one thing that will happen.
type due struct {
	at    Time
	order uint64 // among those at the same time
	task  task
	node  raft.NodeID // whom it concerns, or the client
	life  int         // of that server: what was due in an earlier one never happens
	cause uint64      // the event that led to it
	peer  raft.NodeID
	n     uint64 // which message, operation of the script, request

	frame    []byte
	damaged  bool // the frame, on its way
	copied   bool // there is another copy of it: nobody can say that it did not arrive
	response *response
}

// before orders what is due. Interventions come first among equals: whether they come from a script that
// was there from the beginning or from a swarm that has just had the idea must make no difference.
func (d *due) before(o *due) bool {
	if d.at != o.at {
		return d.at < o.at
	}
	if first := d.task == intervene; first != (o.task == intervene) {
		return first
	}
	return d.order < o.order
}

// queue is a binary heap of what is due, the earliest on top.
type queue struct {
	heap  []due
	count uint64 // of all that were ever put in
}

func (q *queue) push(d due) {
	q.count++
	d.order = q.count
	q.heap = append(q.heap, d)
	at := len(q.heap) - 1
	for at > 0 {
		above := (at - 1) / 2
		if !q.heap[at].before(&q.heap[above]) {
			return
		}
		q.heap[at], q.heap[above] = q.heap[above], q.heap[at]
		at = above
	}
}

// pop takes the earliest out; there must be one.
func (q *queue) pop() due {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap[last] = due{} // lets go of its frame
	q.heap = q.heap[:last]
	at := 0
	for {
		below := 2*at + 1
		if below >= last {
			return top
		}
		if below+1 < last && q.heap[below+1].before(&q.heap[below]) {
			below++
		}
		if !q.heap[below].before(&q.heap[at]) {
			return top
		}
		q.heap[at], q.heap[below] = q.heap[below], q.heap[at]
		at = below
	}
}

func (q *queue) empty() bool { return len(q.heap) == 0 }

// hasten lets work of a disk that was put off happen by a time, in the order in which it was to happen: the
// disk of one server, or all of them.
func (q *queue) hasten(node raft.NodeID, by Time) {
	var late []due
	rest := queue{count: q.count}
	for !q.empty() {
		d := q.pop()
		disks := d.task == write || d.task == seal || d.task == prepare
		if disks && d.at > by && (node == raft.None || node == d.node) {
			late = append(late, d)
			continue
		}
		rest.heap = append(rest.heap, d) // sorted, and so a heap
	}
	*q = rest
	for _, d := range late {
		d.at = by
		q.push(d)
	}
}
