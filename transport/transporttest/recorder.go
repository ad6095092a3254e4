package transporttest

import (
	"sync"

	"balsa/raft"
)

// failure is a loss that a handler was told of.
type failure struct {
	to  raft.NodeID
	err error
}

// recorder is a handler that keeps what it is given. After block its Receive waits until release.
type recorder struct {
	received chan raft.Envelope
	failures chan failure
	entered  chan struct{} // one for each call of Receive that begins to wait

	mutex sync.Mutex
	gate  chan struct{}
}

func newRecorder() *recorder {
	return &recorder{
		received: make(chan raft.Envelope, 10_000), failures: make(chan failure, 10_000),
		entered: make(chan struct{}, 10_000),
	}
}

// Receive implements transport.Handler.
func (r *recorder) Receive(e raft.Envelope) {
	r.mutex.Lock()
	gate := r.gate
	r.mutex.Unlock()
	if gate != nil {
		r.entered <- struct{}{}
		<-gate
	}
	r.received <- e
}

// Failed implements transport.Handler.
func (r *recorder) Failed(to raft.NodeID, err error) { r.failures <- failure{to, err} }

// block makes every call of Receive from now on wait.
func (r *recorder) block() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.gate = make(chan struct{})
}

// release lets all calls of Receive go on.
func (r *recorder) release() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.gate != nil {
		close(r.gate)
		r.gate = nil
	}
}
