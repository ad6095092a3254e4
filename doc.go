// Package balsa replicates a state machine of yours on several nodes by the Raft algorithm, so that it
// survives the loss of any minority of them.
//
// An embedding program opens one Node per process with a StateMachine, proposes commands at the leader, and
// gets back what the state machine returned for them:
//
//	node, err := balsa.Open(balsa.Config{ID: 1, Dir: "data", Peers: peers, StateMachine: machine})
//	result, err := node.Propose(ctx, command)
//
// A nil error means that a majority of the nodes hold the command on their disks and that it has been
// applied here. Every error says whether the command may have been applied (Error.Outcome).
//
// The log does not grow for ever: when enough of it lies behind the last snapshot of the state machine, the
// node takes another and drops what that includes. A start restores the newest snapshot, and applies again
// only what the log holds behind it; a node that was away for too long is sent one.
//
// A command whose outcome is unknown may be proposed again only if to apply it twice does no harm, or in a
// Session, or under a key (ProposeOnce): then it is applied once.
//
// This package schedules: goroutines, the clock, contexts and waiting callers around one replica. The order
// of effects is package replica's, the rules of Raft are package raft's.
package balsa
