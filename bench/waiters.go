package main

import (
	"encoding/binary"
	"errors"
	"sync"
)

var errStopped = errors.New("the node has stopped")

// waiters finds by its number who waits for a proposal. The zero value is ready.
type waiters struct {
	shards [64]struct {
		sync.Mutex
		by map[uint64]chan error
	}
	pool sync.Pool // of channels that nobody waits at
}

func (w *waiters) add(number uint64) chan error {
	done, ok := w.pool.Get().(chan error)
	if !ok {
		done = make(chan error, 1)
	}
	shard := &w.shards[number%uint64(len(w.shards))]
	shard.Lock()
	if shard.by == nil {
		shard.by = map[uint64]chan error{}
	}
	shard.by[number] = done
	shard.Unlock()
	return done
}

// remove forgets a number. Its channel is not used again: somebody may be about to write to it.
func (w *waiters) remove(number uint64) chan error {
	shard := &w.shards[number%uint64(len(w.shards))]
	shard.Lock()
	done := shard.by[number]
	delete(shard.by, number)
	shard.Unlock()
	return done
}

// wake tells who waits, if anybody does, how it went.
func (w *waiters) wake(number uint64, err error) {
	if done := w.remove(number); done != nil {
		done <- err
	}
}

// recycle takes back a channel from which the waking was received.
func (w *waiters) recycle(done chan error) { w.pool.Put(done) }

// numbered returns a copy of a command with a number in its first eight bytes.
func numbered(command []byte, number uint64) []byte {
	data := make([]byte, max(len(command), 8))
	copy(data, command)
	binary.BigEndian.PutUint64(data, number)
	return data
}

func numberOf(data []byte) uint64 {
	if len(data) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(data)
}
