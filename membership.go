package balsa

import (
	"context"
	"errors"
	"slices"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// ChangeMembership changes who the members are, as raft.Change says, through a joint configuration if voters
// change (§6), and returns the index of the entry with the configuration that it has led to, once that is
// committed. Only the leader does so; nothing is forwarded. The leader makes changes of its own: it promotes
// learners that have caught up, and notes where members are. So ErrConfigChangeInProgress passes by itself,
// and by the time that this returns the next one may have begun.
//
// The context bounds the waiting only: a change that has begun is not taken back when it ends. Every error is
// an *Error; its Outcome says whether the change may still come about:
//
//   - NotApplied, nothing has changed: ErrNotLeader, ErrNoLeader, ErrHandingOver, ErrConfigChangeInProgress
//     and ErrChangeRefused always; ErrLeadershipLost when another entry was committed in its place;
//     ErrClosed, ErrStopped and ErrTimeout if the change was not begun before;
//   - Unknown: ErrLeadershipLost, ErrTimeout, ErrClosed, ErrStopped otherwise. Members tells it later.
func (n *Node) ChangeMembership(ctx context.Context, change raft.Change) (raft.Index, error) {
	change = cloneChange(change)
	o, err := n.ask(ctx, func(t raft.Ticket) replica.Event {
		return replica.ChangeAsked{Ticket: t, Change: change}
	})
	return o.index, concerning(aChange, err)
}

// TransferLeadership has this node, if it leads, hand over to another voter (thesis §3.10), or with raft.None
// to the one that holds most of its log, and returns who leads then. Commands are refused with ErrHandingOver
// meanwhile, for at most Config.ElectionMin. The context bounds the waiting only.
//
// To hand over to itself is no work for a leader: it returns its id. Every error is an *Error: ErrNotLeader,
// ErrNoLeader, ErrHandingOver when it hands over already, ErrNoTarget and ErrTransferTimeout, after which
// this node leads on; ErrTimeout, ErrClosed, ErrStopped.
func (n *Node) TransferLeadership(ctx context.Context, to NodeID) (leader NodeID, err error) {
	o, err := n.ask(ctx, func(t raft.Ticket) replica.Event {
		return replica.TransferAsked{Ticket: t, To: to}
	})
	if to == n.config.ID && errors.Is(err, ErrNoTarget) {
		return to, nil
	}
	return o.leader, concerning(aTransfer, err)
}

// Members returns the configuration in force on this node, committed or not, and the index of the entry that
// brought it: 0 is the bootstrap configuration, or none as long as a node that joins was not added. After the
// node has ended it returns what was in force last.
func (n *Node) Members() (raft.Configuration, raft.Index) {
	var members raft.Configuration
	var index raft.Index
	if !n.loop.glance(func() { members, index = n.loop.members() }) {
		members, index = n.loop.lastMembers, n.loop.last.Configuration
	}
	return members.Clone(), index
}

func (l *loop) members() (raft.Configuration, raft.Index) {
	return l.replica.Members(), l.replica.Status().Configuration
}

// concerning notes what an error is about.
func concerning(s subject, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		e.about = s
	}
	return err
}

// cloneChange returns a copy that shares nothing that its caller may write to.
func cloneChange(c raft.Change) raft.Change {
	c.Add, c.Update, c.Met = slices.Clone(c.Add), slices.Clone(c.Update), slices.Clone(c.Met)
	c.Promote, c.Demote, c.Remove = slices.Clone(c.Promote), slices.Clone(c.Demote), slices.Clone(c.Remove)
	if c.AutoPromote != nil {
		promote := *c.AutoPromote
		c.AutoPromote = &promote
	}
	if c.Version != nil {
		version := *c.Version
		c.Version = &version
	}
	if c.LeaseDrift != nil {
		drift := *c.LeaseDrift
		c.LeaseDrift = &drift
	}
	return c
}

// reject says why a change or a transfer is refused, and when another try is worth it.
func (e *Error) reject(why raft.Refusal) {
	e.Refusal = why
	switch why {
	case raft.ChangeOpen:
		e.Kind, e.Retry = ErrConfigChangeInProgress, 100*time.Millisecond
		return
	case raft.NoTarget:
		e.Kind, e.Retry = ErrNoTarget, 250*time.Millisecond
		return
	case raft.TransferExpired:
		e.Kind = ErrTransferTimeout
		return
	case raft.NotCommittedInTerm:
		e.Retry = 100 * time.Millisecond
	case raft.VotersSilent, raft.LearnerBehind, raft.VersionTooLow:
		e.Retry = time.Second
	}
	e.Kind, e.Cause = ErrChangeRefused, errors.New(refusalAdvice(why))
}

// refusalAdvice is a clause about a refused change that a person can act on.
func refusalAdvice(why raft.Refusal) string {
	switch why {
	case raft.NotCommittedInTerm:
		return "the leader has just been elected: try again in a moment"
	case raft.VotersSilent:
		return "no majority of the voters, as they are or as they would be, answers: start those that are " +
			"down first, or change in smaller steps"
	case raft.NoVoterLeft:
		return "nobody would have a vote"
	case raft.NothingChanged:
		return "the members are already as the change wants them"
	case raft.NamedTwice:
		return "it names a node for more than one thing: make one change after the other"
	case raft.UnknownMember:
		return "it names a node that is no member"
	case raft.AlreadyMember:
		return "who is to be added has the id of a member: give it another id, or remove that one first"
	case raft.NoSuchVoter:
		return "who is to be demoted has no vote"
	case raft.NoSuchLearner:
		return "who is to be promoted is no learner"
	case raft.WouldBePromoted:
		return "who is demoted would be promoted again at once: switch off the promotion of learners first"
	case raft.IncarnationOfVoter:
		return "a node that votes would become another data directory under its id: remove it, then add it"
	case raft.BadMember:
		return "who is added needs its id, the incarnation of its data directory and its address"
	case raft.VersionLowered, raft.VersionUnsupported:
		return why.String() + ": run a program that does on every node"
	case raft.VersionTooLow:
		return "a member runs a program from before changes of the membership, or has not been heard yet: " +
			"start every node once, each with a program that knows them, or remove who cannot be started"
	case raft.LearnerBehind:
		return "a learner lacks too much of the log, or does not answer: try again when it has caught up"
	}
	return why.String()
}
