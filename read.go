package balsa

import (
	"context"
	"fmt"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// Consistency says what a read must see.
type Consistency uint8

const (
	// Linearizable: everything that was acknowledged to anybody before the read began. It costs one round
	// of messages between the leader and a majority, shared by all reads that wait, and no disk.
	Linearizable Consistency = iota
	// FromLeader: what the leader has applied, without asking whether it still leads. It may be old by as
	// much as a deposed leader needs to notice, about an election timeout. At a node that does not lead it
	// is Linearizable.
	FromLeader
	// Stale: what this node has applied, however old, within ReadMode.MaxStale.
	Stale
)

// String is the name that the HTTP API uses.
func (c Consistency) String() string {
	return [...]string{"linearizable", "leader", "stale"}[c]
}

// ReadMode says which state a read may be served from.
type ReadMode struct {
	Consistency Consistency
	// MaxStale bounds, for Stale, the time since this node last heard from a leader, or as leader from a
	// majority. 0 is no bound.
	MaxStale time.Duration
	// MinIndex is an index that must have been applied: with what a write returned, a caller reads its own
	// writes.
	MinIndex raft.Index
	// Local refuses with ErrNotLeader what would need another node to lead the read.
	Local bool
}

// ReadState says what a read may be served from, once Read has returned it: this node's state machine, as
// it is now.
type ReadState struct {
	Applied     raft.Index  // at least this much has been applied
	Consistency Consistency // what it fulfils; never weaker than what was asked for
	Leader      raft.NodeID // raft.None when unknown
	Term        raft.Term
	// Contact is the time since this node last heard from its leader, or as leader from a majority;
	// negative when it knows of no leader.
	Contact time.Duration
}

// Read waits until this node's state machine is as new as the mode demands; the caller then reads it by its
// own means. The context bounds the waiting.
//
// Every error is an *Error whose outcome is NotApplied, for nothing was read: ErrNotLeader and ErrNoLeader
// if nobody could confirm the read, ErrStale, ErrOverloaded, ErrTimeout, ErrClosed, ErrStopped.
func (n *Node) Read(ctx context.Context, mode ReadMode) (ReadState, error) {
	state, err := n.readState()
	if err != nil {
		return ReadState{}, err
	}
	state.Consistency = mode.Consistency
	switch {
	case mode.Consistency == Stale:
		if mode.MaxStale > 0 && (state.Contact < 0 || state.Contact > mode.MaxStale) {
			return ReadState{}, n.staleError(state, mode.MaxStale)
		}
	case mode.Consistency == FromLeader && state.Leader == n.config.ID:
	default:
		state.Consistency = Linearizable
		o, err := n.ask(ctx, func(t raft.Ticket) replica.Event { return replica.Asked{Ticket: t, Local: mode.Local} })
		if err != nil {
			return ReadState{}, nothingApplied(err)
		}
		state.Applied = max(state.Applied, o.index)
	}
	if mode.MinIndex > state.Applied {
		_, err := n.ask(ctx, func(t raft.Ticket) replica.Event {
			return replica.Awaited{Ticket: t, Index: mode.MinIndex}
		})
		if err != nil {
			return ReadState{}, nothingApplied(err)
		}
		state.Applied = mode.MinIndex
	}
	return state, nil
}

// readState looks at what this node knows now.
func (n *Node) readState() (state ReadState, err error) {
	running := n.loop.glance(func() {
		r := n.loop.replica
		state.Leader, state.Term = r.Leader()
		state.Applied = r.Applied()
		state.Contact = -1
		if ticks, known := r.Contact(); known {
			state.Contact = time.Duration(ticks) * tick
		}
	})
	if !running {
		return state, n.loop.endError(NotApplied)
	}
	return state, nil
}

func (n *Node) staleError(state ReadState, bound time.Duration) *Error {
	cause := fmt.Errorf("no leader is known, and at most %v is allowed", bound)
	if state.Contact >= 0 {
		cause = fmt.Errorf("the last contact is %v ago, at most %v is allowed", state.Contact, bound)
	}
	return &Error{Kind: ErrStale, Outcome: NotApplied, Node: n.config.ID, Leader: state.Leader, Term: state.Term,
		Cause: cause, Retry: n.config.Heartbeat}
}

// nothingApplied notes that a read, however it fails, has changed nothing.
func nothingApplied(err error) error {
	if e, ok := err.(*Error); ok {
		e.Outcome = NotApplied
	}
	return err
}
