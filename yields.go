package balsa

import (
	"runtime"
	"time"

	"balsa/raft"
)

// yields are how a goroutine lets others run before it goes on. Nobody is waited for who cannot run.
type yields struct {
	again raft.Time // not before; 0: at once
}

func (y *yields) yield(clock epoch) {
	now := clock.now()
	if now < y.again {
		return
	}
	runtime.Gosched()
	y.took(now, clock.now())
}

// longYield is longer than it takes all callers that may ask anew to do so, and shorter than what a goroutine
// that never waits keeps a processor for, which is 10 ms.
const longYield = raft.Time(5 * time.Millisecond)

// took notes how long others ran. In a program that keeps its processors busy with something else, it
// loses at most one part in a hundred of its time by it.
func (y *yields) took(from, to raft.Time) {
	if long := to - from; long > longYield {
		y.again = to + 100*long
	}
}
