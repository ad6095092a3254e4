package replica

// queue is a heap of slots that knows where each of them stands in it, so that one can be moved or removed.
type queue struct {
	before func(a, b int) bool // a strict order: no two slots are equal in it
	heap   []int
	at     []int // by slot: its place in heap
}

func (q *queue) first() (slot int, any bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0], true
}

func (q *queue) push(slot int) {
	for len(q.at) <= slot {
		q.at = append(q.at, 0)
	}
	q.heap = append(q.heap, slot)
	q.at[slot] = len(q.heap) - 1
	q.moved(slot)
}

func (q *queue) remove(slot int) {
	hole, last := q.at[slot], len(q.heap)-1
	q.swap(hole, last)
	q.heap = q.heap[:last]
	if hole < last {
		q.moved(q.heap[hole])
	}
}

// moved puts a slot where it belongs now.
func (q *queue) moved(slot int) {
	at := q.at[slot]
	for at > 0 && q.before(q.heap[at], q.heap[(at-1)/2]) {
		q.swap(at, (at-1)/2)
		at = (at - 1) / 2
	}
	for {
		least := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(q.heap); child++ {
			if q.before(q.heap[child], q.heap[least]) {
				least = child
			}
		}
		if least == at {
			return
		}
		q.swap(at, least)
		at = least
	}
}

func (q *queue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.at[q.heap[i]], q.at[q.heap[j]] = i, j
}
