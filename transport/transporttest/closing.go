package transporttest

import (
	"sync"
	"time"

	"balsa/raft"
)

// quietAfterClose closes a server that is being sent to without pause, and then listens.
func quietAfterClose(c *cluster) {
	one, two := c.start(1), c.start(2)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for s := raft.Sequence(0); ; s++ {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				one.Send(envelope(one, 2, s, raft.TimeoutNow{})) // may be refused: the queue is full
			}
		}
	})
	c.next(two)
	c.close(two)
	before := len(two.received) + len(two.failures)
	c.never("node 2 is called after its Close", func() bool {
		return len(two.received)+len(two.failures) != before
	})
	close(stop)
	group.Wait()
}

// closeWithRequestsPending closes both ends of requests that nobody answers.
func closeWithRequestsPending(c *cluster) {
	one, two := c.start(1), c.start(2)
	c.send(one, 2, 1, raft.RequestVote{Term: 1})
	c.send(two, 1, 1, raft.RequestVote{Term: 1})
	c.next(one)
	c.next(two)
	begin := time.Now()
	c.soon("Close with requests pending", func() {
		c.close(two)
		c.close(one)
	})
	if took := time.Since(begin); took > patience/5 {
		c.Errorf("Close took %v with requests pending", took)
	}
}

// closeWaitsForTheHandler closes a server whose handler is at work: what the handler uses may be released
// only when it is done.
func closeWaitsForTheHandler(c *cluster) {
	one, two := c.start(1), c.start(2)
	two.block()
	c.send(one, 2, 1, raft.TimeoutNow{})
	Eventually(c, "the handler is at work", func() bool { return len(two.entered) > 0 })
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.close(two)
	}()
	c.never("Close returns while the handler is at work", func() bool {
		select {
		case <-closed:
			return true
		default:
			return false
		}
	})
	two.release()
	<-closed
}
