package balsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"balsa/raft"
	"balsa/replica"
	"balsa/transport"
	"balsa/wal"
)

// StateMachine is what a node replicates; see replica.StateMachine for what each method must keep.
type StateMachine = replica.StateMachine

// Entry is what a state machine applies.
type Entry = raft.Entry

// NodeID names a node.
type NodeID = raft.NodeID

// Node is one running member of a cluster. Its methods may be called concurrently.
type Node struct {
	config    Config
	identity  raft.Identity
	log       *wal.Log
	transport transport.Transport
	loop      *loop
	unlock    func() error // gives the data directory back

	closing sync.Once
	failed  error // of closing
}

// Propose replicates a command and returns what this node's state machine made of it, once a majority holds
// it durably and it is applied here. The command is copied.
//
// The context bounds the waiting only: a command that stands in the log is not taken back when it ends.
// Every error is an *Error; its Outcome says whether the command may still be applied:
//
//   - NotApplied: ErrNotLeader, ErrNoLeader, ErrOverloaded, ErrTooLarge, and ErrClosed, ErrStopped or
//     ErrTimeout if the command was not taken before;
//   - Unknown: ErrLeadershipLost, ErrTimeout, ErrClosed, ErrStopped otherwise.
func (n *Node) Propose(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) > n.config.MaxCommand {
		return nil, &Error{Kind: ErrTooLarge, Outcome: NotApplied, Node: n.config.ID,
			Cause: fmt.Errorf("%d bytes, at most %d", len(command), n.config.MaxCommand)}
	}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID, Cause: err}
	}
	p := proposal{command: bytes.Clone(command), answer: make(chan outcome, 1)}
	select {
	case n.loop.proposals <- p:
	case <-n.loop.ended:
		return nil, n.loop.endError(NotApplied)
	case <-ctx.Done():
		return nil, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID, Cause: ctx.Err()}
	}
	select {
	case o := <-p.answer: // the loop answers whatever it has taken, even when it ends
		return o.result, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-p.answer: // it came just in time: to call it unknown would be wrong
		return o.result, o.err
	default:
		return nil, &Error{Kind: ErrTimeout, Outcome: Unknown, Node: n.config.ID, Cause: ctx.Err()}
	}
}

// Status returns what the node knows of itself and of its cluster at the moment. After the node has ended
// it returns what was known last.
func (n *Node) Status() Status {
	request := make(chan Status, 1)
	select {
	case n.loop.statuses <- request:
		return <-request
	case <-n.loop.ended:
		return n.loop.last
	}
}

// AwaitLeader waits until this node knows who leads, and returns the leader's id. The error is an *Error:
// ErrTimeout when the context ended first, ErrClosed or ErrStopped when the node did.
func (n *Node) AwaitLeader(ctx context.Context) (NodeID, error) {
	again := time.NewTicker(tick)
	defer again.Stop()
	for {
		if s := n.Status(); s.Leader != raft.None {
			return s.Leader, nil
		}
		select {
		case <-again.C:
		case <-n.loop.ended:
			return raft.None, n.loop.endError(NotApplied)
		case <-ctx.Done():
			return raft.None, &Error{
				Kind:    ErrTimeout,
				Outcome: NotApplied,
				Node:    n.config.ID,
				Cause:   ctx.Err(),
			}
		}
	}
}

// Done is closed when the node has ended: by Close, or by itself because it must not go on. Err then says
// why.
func (n *Node) Done() <-chan struct{} { return n.loop.ended }

// Err returns nil while the node runs and after Close, and otherwise the *Error that made it stop. The
// process should then exit with a non-zero status: another start finds on the disk everything that was
// acknowledged.
func (n *Node) Err() error {
	select {
	case <-n.loop.ended:
		if n.loop.failure != nil {
			return n.loop.endError(Unknown)
		}
	default:
	}
	return nil
}

// Close stops the node: callers that wait are answered ErrClosed, the log is closed, the data directory
// unlocked. It waits for the write and the apply that are under way, so it takes as long as they do. A
// second call returns what the first did.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.loop.end(nil)
		<-n.loop.ended
		n.failed = n.transport.Close()
		n.loop.workers.Wait()
		n.failed = errors.Join(n.failed, n.log.Close(), n.unlock())
	})
	return n.failed
}

// epoch turns the monotonic clock into the time that the core counts in: wall time when the node was
// opened, plus what has passed since. A wall clock that is set later changes nothing.
type epoch struct{ began time.Time }

func (e epoch) now() raft.Time {
	return raft.Time(e.began.UnixNano() + int64(time.Since(e.began)))
}
