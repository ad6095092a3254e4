package transporttest

import (
	"sync"
	"time"

	"balsa/raft"
	"balsa/transport"
)

// colleague is a handler that answers every request at once and passes every response to whoever asked.
type colleague struct {
	transport.Transport
	id      raft.NodeID
	waiting sync.Map // the sequence of a request → chan raft.Message
}

// Receive implements transport.Handler.
func (w *colleague) Receive(e raft.Envelope) {
	if raft.IsResponse(e.Message) {
		if asker, waits := w.waiting.LoadAndDelete(e.Sequence); waits {
			asker.(chan raft.Message) <- e.Message
		}
		return
	}
	if m, asked := e.Message.(raft.RequestVote); asked {
		w.Send(raft.Envelope{
			From: Identity(w.id), To: e.From.Node, Sequence: e.Sequence,
			Message: raft.RequestVoteResponse{Term: m.Term},
		})
	}
}

// Failed implements transport.Handler. Whoever lost an answer notices it by waiting.
func (w *colleague) Failed(raft.NodeID, error) {}

// concurrentSenders has every server ask every other from several goroutines.
func concurrentSenders(c *cluster) {
	const askers, questions = 4, 10
	var group sync.WaitGroup
	var all []*colleague
	for id := raft.NodeID(1); id <= 3; id++ {
		w := &colleague{Transport: c.open(id), id: id}
		c.startWith(w.Transport, w)
		all = append(all, w)
	}
	for _, from := range all {
		for _, to := range all {
			for asker := range askers {
				if from != to {
					first := raft.Sequence(from.id)<<32 | raft.Sequence(to.id)<<16 | raft.Sequence(asker)<<8
					group.Go(func() { from.ask(c, to.id, first, questions) })
				}
			}
		}
	}
	group.Wait()
}

// ask asks questions, each after the answer to the one before. What is asked is the sequence, to which the
// answer repeats it as a term: an answer that went to the wrong question would show.
func (w *colleague) ask(c *cluster, to raft.NodeID, first raft.Sequence, questions int) {
	for s := first; s < first+raft.Sequence(questions); s++ {
		answer := make(chan raft.Message, 1)
		w.waiting.Store(s, answer)
		e := raft.Envelope{From: Identity(w.id), To: to, Sequence: s}
		e.Message = raft.RequestVote{Term: raft.Term(s)}
		if err := w.Send(e); err != nil {
			c.Errorf("Send: %v", err)
			return
		}
		select {
		case m := <-answer:
			if m != raft.Message(raft.RequestVoteResponse{Term: raft.Term(s)}) {
				c.Errorf("request %d was answered with %+v", s, m)
			}
		case <-time.After(patience):
			c.Errorf("request %d was not answered", s)
			return
		}
	}
}
