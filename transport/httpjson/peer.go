package httpjson

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// What one peer can occupy. Urgent messages have workers of their own: a heartbeat that waited behind
// entries, whose answers wait for the peer's disk, would let a slow disk depose a leader.
const (
	queueLength     = 64 // of each of the two queues
	bulkWorkers     = 5  // take whatever comes
	reservedWorkers = 3  // take urgent messages only
)

// peer is another node: where it is, and what waits to be sent there. One that moves is another peer.
type peer struct {
	id      raft.NodeID
	address string
	urgent  chan parcel // votes, heartbeats, read rounds: small, and stale soon
	bulk    chan parcel // what has data in it

	client  *http.Client    // has its own connections, which close with it
	routed  context.Context // ends when the node is no longer reached there, and with Close
	dismiss context.CancelFunc
}

// parcel is a message and the time after which nobody wants it any more.
type parcel struct {
	envelope raft.Envelope
	deadline time.Time
}

func (t *Transport) newPeer(id raft.NodeID, address string) *peer {
	p := &peer{
		id: id, address: address,
		urgent: make(chan parcel, queueLength), bulk: make(chan parcel, queueLength),
		client: newClient(t.config.Timeout),
	}
	p.routed, p.dismiss = context.WithCancel(t.running)
	return p
}

// enqueue takes a message, or drops it when too many wait.
func (p *peer) enqueue(e raft.Envelope, deadline time.Time) error {
	queue := p.urgent
	if hasData(e.Message) {
		queue = p.bulk
	}
	select {
	case queue <- parcel{e, deadline}:
		return nil
	default:
		return fmt.Errorf("node %v at %s: %w", p.id, p.address, transport.ErrFull)
	}
}

func hasData(m raft.Message) bool {
	switch m := m.(type) {
	case raft.AppendEntries:
		return len(m.Entries) > 0
	case raft.InstallSnapshot, raft.ForwardProposal:
		return true
	}
	return false
}

func (t *Transport) startWorkers(p *peer) {
	for range bulkWorkers {
		t.goroutines.Go(func() { t.work(p, p.bulk) })
	}
	for range reservedWorkers {
		t.goroutines.Go(func() { t.work(p, nil) }) // nothing ever comes from nil
	}
}

// work carries one message after the other to a peer, until the peer is dismissed.
func (t *Transport) work(p *peer, bulk chan parcel) {
	defer p.client.CloseIdleConnections() // whoever is the last leaves none
	for {
		select {
		case <-p.routed.Done():
			return
		case m := <-p.urgent:
			t.carry(p, m)
		case m := <-bulk:
			t.carry(p, m)
		}
	}
}

// carry carries a message and gives the handler the response, or the failure.
func (t *Transport) carry(p *peer, m parcel) {
	response, err := t.post(p, m)
	switch {
	case p.routed.Err() != nil:
		return // dismissed: neither is wanted any more
	case err != nil:
		t.handler.Failed(p.id, fmt.Errorf("node %v at %s: %w", p.id, p.address, err))
	case response.Message != nil:
		t.handler.Receive(response)
	}
}
