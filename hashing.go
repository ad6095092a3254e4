package balsa

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"balsa/raft"
	"balsa/replica"
)

// StateHash is the hash of a node's state right after one entry. It is the same on every node of the cluster
// that has applied that entry: sessions and keys of proposals are in it, and nothing of the node itself. A
// state machine that writes equal states differently has other hashes, and so does one that is not
// deterministic.
type StateHash struct {
	Last  raft.EntryID
	Sum   [sha256.Size]byte
	Bytes int64 // of the state, as they were hashed
}

// Hashing is a hash that was asked for.
type Hashing struct {
	node    *Node
	request *request
}

// HashAt asks this node for the hash of its state right after an entry that it has not applied yet. When it
// returns, the node knows; Wait, which is to be called once, returns the hash. So whoever compares nodes asks
// all of them first and has the log come to the index then (AdvanceTo). The error is an *Error: ErrTimeout,
// ErrClosed, ErrStopped.
func (n *Node) HashAt(ctx context.Context, index raft.Index) (*Hashing, error) {
	r, err := n.enter(ctx, question{event: func(t raft.Ticket) replica.Event {
		return replica.ImageAsked{Ticket: t, Index: index}
	}})
	if err == nil && !n.loop.glance(func() {}) { // which takes what was asked before
		err = n.loop.endError(NotApplied)
	}
	if err != nil {
		return nil, nothingApplied(err)
	}
	return &Hashing{node: n, request: r}, nil
}

// Wait returns the hash once the node has applied the entry and its state was read: some time after it, for
// the state is captured there and hashed beside later entries, at an easy pace. Every error is an *Error:
// ErrPassed when the node had applied more than the entry already, or has jumped over it with a snapshot;
// ErrOverloaded, ErrTimeout, ErrClosed, ErrStopped.
func (h *Hashing) Wait(ctx context.Context) (StateHash, error) {
	o, late := h.node.outcome(ctx, h.request) // which nobody else is given: Wait may be called again
	if late != nil {
		return StateHash{}, nothingApplied(late)
	}
	if o.err != nil {
		return StateHash{}, nothingApplied(o.err)
	}
	sum := sha256.New()
	n, err := h.node.loop.workers.easily(o.image.State).WriteTo(impatient{ctx, sum})
	switch {
	case errors.Is(err, errDismissed):
		<-h.node.loop.ended
		return StateHash{}, h.node.loop.endError(NotApplied)
	case ctx.Err() != nil:
		return StateHash{}, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: h.node.config.ID,
			Cause: ctx.Err()}
	case err != nil:
		return StateHash{}, &Error{Kind: ErrApply, Outcome: NotApplied, Node: h.node.config.ID, Cause: err}
	}
	hash := StateHash{Last: o.image.Of.Last, Bytes: n}
	sum.Sum(hash.Sum[:0])
	return hash, nil
}

// impatient is a writer that fails when a context ends.
type impatient struct {
	ctx context.Context
	to  io.Writer
}

func (i impatient) Write(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.to.Write(b)
}

// steps is how many entries AdvanceTo proposes at once, at most.
const steps = 16

// AdvanceTo has the log come to an index: it proposes entries that bring nothing but their time, until this
// node has applied so far, and none if it already has. Where others write too, theirs count as well. The
// context bounds the waiting; while there is no leader it is tried again. The error is an *Error, of the last
// attempt.
func (n *Node) AdvanceTo(ctx context.Context, index raft.Index) error {
	for {
		var applied raft.Index
		if !n.loop.glance(func() { applied = n.loop.replica.Applied() }) {
			return n.loop.endError(NotApplied)
		}
		if applied >= index {
			return nil
		}
		err := n.letTimePass(ctx, int(min(index-applied, steps)))
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			_ = pause(n.loop.ended, minRetry) // a node that has ended says so in the next round
		}
	}
}

// letTimePass proposes entries that bring nothing but their time, and waits until all of them are applied, or
// have failed.
func (n *Node) letTimePass(ctx context.Context, entries int) error {
	errs := make([]error, entries)
	var proposed sync.WaitGroup
	for i := range entries {
		proposed.Go(func() {
			_, errs[i] = n.ask(ctx, func(t raft.Ticket) replica.Event {
				return replica.TimePassed{Ticket: t}
			})
		})
	}
	proposed.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
