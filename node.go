package balsa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
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
	files     files
	transport transport.Transport
	loop      *loop
	dir       disk.Dir
	unlock    func() error // gives the data directory back

	closing sync.Once
	failed  error // of closing
}

// Identity returns who this node is, as it says with every message since it was opened.
func (n *Node) Identity() raft.Identity { return n.identity }

// files are what a node keeps on its disk.
type files struct {
	log       *wal.Log
	snapshots *snapshot.Keeper
}

// Propose replicates a command and returns what this node's state machine made of it, once a majority holds
// it durably and it is applied here. The command is copied. A node that does not lead forwards it to the
// leader, once; the result is still that of this node's own state machine.
//
// The context bounds the waiting only: a command that stands in the log is not taken back when it ends.
// Every error is an *Error; its Outcome says whether the command may still be applied:
//
//   - NotApplied: ErrNotLeader, ErrNoLeader, ErrHandingOver, ErrOverloaded and ErrTooLarge always;
//     ErrLeadershipLost when another entry was committed in the command's place; ErrClosed, ErrStopped and
//     ErrTimeout if the command was not taken before;
//   - Unknown: ErrNoAnswer, and ErrLeadershipLost, ErrTimeout, ErrClosed, ErrStopped otherwise.
func (n *Node) Propose(ctx context.Context, command []byte) ([]byte, error) {
	a, err := n.propose(ctx, command, replica.Once{}, false)
	return a.Result, err
}

// ProposeLocal is Propose without forwarding: a node that does not lead refuses with ErrNotLeader, or with
// ErrNoLeader.
func (n *Node) ProposeLocal(ctx context.Context, command []byte) ([]byte, error) {
	a, err := n.propose(ctx, command, replica.Once{}, true)
	return a.Result, err
}

func (n *Node) propose(ctx context.Context, command []byte, once replica.Once, local bool) (Applied, error) {
	if len(command) > n.config.MaxCommand {
		return Applied{}, &Error{Kind: ErrTooLarge, Outcome: NotApplied, Node: n.config.ID,
			Cause: fmt.Errorf("%d bytes, at most %d", len(command), n.config.MaxCommand)}
	}
	if err := ctx.Err(); err != nil {
		return Applied{}, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID, Cause: err}
	}
	if len(command) > shortCommand {
		command = bytes.Clone(command) // the short ones are copied where they wait
	}
	r, err := n.enter(ctx, question{proposed: replica.Proposed{Command: command, Once: once, Local: local}})
	if err != nil {
		return Applied{}, err
	}
	o, err := n.answer(ctx, r)
	return Applied{Result: o.result, Index: o.index, Replayed: o.replayed}, err
}

// Snapshot takes a snapshot of this node's state machine, whatever Config.SnapshotBytes says, and returns the
// index of the last entry that it includes: at least all that was applied here when it was called. When the
// error is nil the snapshot is durable. The context bounds the waiting only.
//
// Every error is an *Error: ErrNothingNew when nothing was applied since the newest snapshot, ErrNotSaved,
// ErrTimeout, ErrClosed, ErrStopped.
func (n *Node) Snapshot(ctx context.Context) (raft.Index, error) {
	return n.await(ctx, func(t raft.Ticket) replica.Event { return replica.TakeSnapshot{Ticket: t} })
}

// ask puts a question to the loop and waits for its answer, as long as the context allows.
func (n *Node) ask(ctx context.Context, event func(raft.Ticket) replica.Event) (outcome, error) {
	r, err := n.enter(ctx, question{event: event})
	if err != nil {
		return outcome{}, err
	}
	return n.answer(ctx, r)
}

// answer is outcome for a question that only the caller knows, and that serves again afterwards.
func (n *Node) answer(ctx context.Context, r *request) (outcome, error) {
	o, late := n.outcome(ctx, r)
	if late != nil {
		return outcome{}, late
	}
	n.loop.askers.answered(r)
	return o, o.err
}

// enter has a question wait for the loop. Without an error the loop takes it, unless the caller takes it back
// before (outcome).
func (n *Node) enter(ctx context.Context, q question) (*request, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID, Cause: err}
	}
	r, open := n.loop.askers.put(q)
	if !open {
		<-n.loop.ended
		return nil, n.loop.endError(NotApplied)
	}
	return r, nil
}

// outcome waits for the answer to a question. What the loop has not taken when the context ends is not taken
// any more. With a non-nil error the answer was not waited for.
func (n *Node) outcome(ctx context.Context, r *request) (outcome, *Error) {
	select {
	case <-r.answer: // the loop answers whatever it has taken, even when it ends
		return r.outcome, nil
	case <-ctx.Done():
	}
	late := &Error{Kind: ErrTimeout, Outcome: Unknown, Node: n.config.ID, Cause: ctx.Err()}
	if r.fate.CompareAndSwap(asking, takenBack) {
		late.Outcome = NotApplied
		return outcome{}, late
	}
	select {
	case <-r.answer: // it came just in time: to call it unknown would be wrong
		return r.outcome, nil
	default:
		n.loop.giveUp(r.ticket)
		return outcome{}, late
	}
}

// Status returns what the node knows of itself and of its cluster at the moment. After the node has ended
// it returns what was known last.
func (n *Node) Status() Status {
	var s Status
	if !n.loop.glance(func() { s = n.loop.status() }) {
		return n.loop.last
	}
	return s
}

// Stats returns what the node has done so far; Status has the same beside what it knows.
func (n *Node) Stats() Stats { return n.Status().Stats }

// AwaitLeader waits until this node knows who leads, and returns the leader's id. The error is an *Error:
// ErrTimeout when the context ended first, ErrClosed or ErrStopped when the node did.
func (n *Node) AwaitLeader(ctx context.Context) (NodeID, error) {
	for {
		now, changed := n.LeadershipChanged()
		if now.Leader != raft.None {
			return now.Leader, nil
		}
		select {
		case <-changed:
		case <-n.loop.ended:
			return raft.None, n.loop.endError(NotApplied)
		case <-ctx.Done():
			return raft.None, &Error{Kind: ErrTimeout, Outcome: NotApplied, Node: n.config.ID,
				Cause: ctx.Err()}
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
			e := n.loop.endError(Unknown)
			e.about = theNode
			return e
		}
	default:
	}
	return nil
}

// Close stops the node: callers that wait are answered ErrClosed, the log is sealed and closed, the data
// directory unlocked. It waits for the write and the apply that are under way, so it takes as long as they
// do; a snapshot that is being written or restored is given up on the way. A second call returns what the
// first did.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.loop.end(nil)
		<-n.loop.ended
		n.failed = n.transport.Close()
		n.loop.workers.group.Wait()
		if n.loop.failure == nil { // a node that failed writes nothing more
			n.failed = errors.Join(n.failed, n.files.log.Seal())
		}
		n.failed = errors.Join(n.failed, n.files.snapshots.Close(), n.files.log.Close(), n.unlock())
	})
	return n.failed
}

// epoch turns the monotonic clock into the time that the core counts in: wall time when the node was
// opened, plus what has passed since. A wall clock that is set later changes nothing.
type epoch struct{ began time.Time }

func (e epoch) now() raft.Time {
	return raft.Time(e.began.UnixNano() + int64(time.Since(e.began)))
}
