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
	// much as a deposed leader needs to notice, about an election timeout. At a node that does not lead, and
	// at a leader that has not applied an entry of its own term yet, it is Linearizable: the state machine
	// of a new leader lacks what it found in its log, all of it when every node has just been restarted.
	FromLeader
	// Stale: what this node has applied, however old, within ReadMode.MaxStale. Right after a start it waits
	// until the snapshot is restored.
	Stale
	// Leased: as Linearizable, if every node's clock runs true within the bound that the configuration states
	// (raft.Configuration.LeaseDrift). A clock that stands still, as that of a suspended machine may, does
	// not. It costs no messages at a leader that a majority answers, and one question to it elsewhere. Where
	// the configuration states no bound, and where the leader has no lease at the moment, it is Linearizable.
	Leased
)

// String is the name that the HTTP API uses.
func (c Consistency) String() string {
	return [...]string{"linearizable", "leader", "stale", "lease"}[c]
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
	state, err := n.confirm(ctx, mode)
	if err != nil {
		return ReadState{}, err
	}
	mode.MinIndex = max(mode.MinIndex, n.loop.begins) // an empty state machine is no state of this node
	if mode.MinIndex > state.Applied {
		index, err := n.await(ctx, func(t raft.Ticket) replica.Event {
			return replica.Awaited{Ticket: t, Index: mode.MinIndex}
		})
		if err != nil {
			return ReadState{}, err
		}
		state.Applied = index
		if mode.Consistency == Stale { // what was fresh enough before the wait may not be after it
			return n.glimpse(mode)
		}
	}
	return state, nil
}

// confirm has the leader confirm what the mode demands it for, and looks at what this node knows where it
// demands no more.
func (n *Node) confirm(ctx context.Context, mode ReadMode) (ReadState, error) {
	if mode.Consistency == Stale || mode.Consistency == FromLeader {
		if state, err := n.glimpse(mode); err != nil || state.Consistency == mode.Consistency {
			return state, err
		}
	}
	o, err := n.share(ctx, readingOf(mode))
	if err != nil {
		return ReadState{}, nothingApplied(err)
	}
	state := ReadState{Applied: o.index, Leader: o.leader, Term: o.term, Contact: o.contact}
	if o.leased {
		state.Consistency = Leased
	}
	return state, nil
}

// glimpse looks at what this node knows now, and settles what the read is going to fulfil. It refuses what is
// older than the mode allows.
func (n *Node) glimpse(mode ReadMode) (ReadState, error) {
	var state ReadState
	var refusal *Error
	running := n.loop.glance(func() { state, refusal = n.loop.judge(mode) })
	switch {
	case !running:
		return ReadState{}, n.loop.endError(NotApplied)
	case refusal != nil:
		return ReadState{}, refusal
	}
	return state, nil
}

// judge is the loop's part of glimpse.
func (l *loop) judge(mode ReadMode) (ReadState, *Error) {
	state := ReadState{Applied: l.replica.Applied(), Contact: l.contact(), Consistency: mode.Consistency}
	state.Leader, state.Term = l.replica.Leader()
	tooOld := mode.MaxStale > 0 && (state.Contact < 0 || state.Contact > mode.MaxStale)
	switch {
	case mode.Consistency == Stale && tooOld:
		e := l.situation()
		e.Kind, e.Outcome, e.Retry = ErrStale, NotApplied, staleRetry
		e.Cause = fmt.Errorf("no leader is known, and at most %v is allowed", mode.MaxStale)
		if state.Contact >= 0 {
			e.Cause = fmt.Errorf("the last contact is %v ago, at most %v is allowed", state.Contact,
				mode.MaxStale)
		}
		return ReadState{}, e
	case mode.Consistency == FromLeader && !(state.Leader == l.identity.Node && l.appliedTerm == state.Term):
		state.Consistency = Linearizable
	}
	return state, nil
}

// staleRetry is when a node that has lost contact may have found it again: about a heartbeat.
const staleRetry = 150 * time.Millisecond

// await puts a question about indexes to the loop, and returns the one that has been applied. Whatever goes
// wrong, nothing has been changed by asking.
func (n *Node) await(ctx context.Context, event func(raft.Ticket) replica.Event) (raft.Index, error) {
	o, err := n.ask(ctx, event)
	return o.index, nothingApplied(err)
}

// nothingApplied says of a read, however it failed, that it has changed nothing. It says so in a copy: an
// error that tells why the node has ended may be shared with a write, whose outcome is another.
func nothingApplied(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	own := *e
	own.Outcome = NotApplied
	return &own
}
