package httpapi

import (
	"context"
	"sync"

	"balsa"
)

// probe asks the node for its status without ever hanging on it: a node whose loop is stuck answers nobody,
// and then one goroutine waits for it and not one for each request. Requests that come while a question is
// open share its answer.
type probe struct {
	node Node

	mu   sync.Mutex
	open *question
	last balsa.Status // the latest answer
}

type question struct {
	answered chan struct{}
	status   balsa.Status // set before answered is closed
}

// ask returns the node's status, or the latest known one and false when ctx ends first.
func (p *probe) ask(ctx context.Context) (balsa.Status, bool) {
	q := p.join()
	select {
	case <-q.answered:
		return q.status, true
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.last, false
	}
}

func (p *probe) join() *question {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = &question{answered: make(chan struct{})}
		go p.put(p.open)
	}
	return p.open
}

func (p *probe) put(q *question) {
	q.status = p.node.Status()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.open = q.status, nil
	close(q.answered)
}
