package httpjson

import (
	"fmt"
	"sync"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// exchange is a request that was received and waits for its response.
type exchange struct {
	from     raft.NodeID
	sequence raft.Sequence // the requester's; 0 for a request by hand, which has none
	name     string        // of the response that it waits for
	response chan raft.Envelope
}

// exchanges pairs responses with requests. Every request that is received gets a number of its own, which the
// handler sees as its sequence and echoes. With the requester's own numbers, two processes that share an id
// by mistake, or two lives of one process, could get each other's responses.
type exchanges struct {
	mutex sync.Mutex
	last  raft.Sequence
	open  map[raft.Sequence]*exchange // each removed by whoever opened it
}

// begin opens an exchange and returns its number.
func (x *exchanges) begin(e raft.Envelope) (raft.Sequence, *exchange) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if x.open == nil {
		x.open = map[raft.Sequence]*exchange{}
	}
	x.last++
	opened := &exchange{
		from: e.From.Node, sequence: e.Sequence, name: wire.Name(e.Message) + "_response",
		response: make(chan raft.Envelope, 1),
	}
	x.open[x.last] = opened
	return x.last, opened
}

func (x *exchanges) end(number raft.Sequence) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	delete(x.open, number)
}

// answer passes a response to the request that waits for it. Only the first one counts.
func (x *exchanges) answer(e raft.Envelope) error {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	waiting, found := x.open[e.Sequence]
	_, refused := e.Message.(raft.IdentityRefused)
	if !found || waiting.from != e.To || !refused && waiting.name != wire.Name(e.Message) {
		return fmt.Errorf("node %v: its request no longer waits: %w", e.To, transport.ErrTimeout)
	}
	delete(x.open, e.Sequence)
	e.Sequence = waiting.sequence
	waiting.response <- e
	return nil
}
