package main

import (
	"encoding/binary"
	"sync/atomic"
)

// etcdReads are the reads that wait in the loop of an etcdNode. Those that came together share one question.
type etcdReads struct {
	joining []chan error
	asked   []etcdQuestion // in order
}

type etcdQuestion struct {
	number  uint64
	waiting []chan error
	known   bool   // it was answered:
	index   uint64 // what must be applied
}

func (r *etcdReads) join(done chan error) { r.joining = append(r.joining, done) }

// next makes one question of those that joined, as the core wants it, unless one is open; nil is none. As in
// etcd, one is open at a time, so that those who come meanwhile are many.
func (r *etcdReads) next(numbers *atomic.Uint64) []byte {
	open := len(r.asked) > 0 && !r.asked[len(r.asked)-1].known
	if open || len(r.joining) == 0 {
		return nil
	}
	number := numbers.Add(1)
	r.asked = append(r.asked, etcdQuestion{number: number, waiting: r.joining})
	r.joining = nil
	return binary.BigEndian.AppendUint64(nil, number)
}

// confirmed notes an answer of the core.
func (r *etcdReads) confirmed(number, index uint64) {
	for i := range r.asked {
		if r.asked[i].number == number {
			r.asked[i].known, r.asked[i].index = true, index
		}
	}
}

// wake lets those go whose answer is applied. Answers come in order.
func (r *etcdReads) wake(applied uint64) {
	for len(r.asked) > 0 && r.asked[0].known && r.asked[0].index <= applied {
		for _, done := range r.asked[0].waiting {
			done <- nil
		}
		r.asked = r.asked[1:]
	}
}

// fail ends all.
func (r *etcdReads) fail(err error) {
	for _, q := range r.asked {
		for _, done := range q.waiting {
			done <- err
		}
	}
	r.asked = nil
}
