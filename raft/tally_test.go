package raft_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

// tally counts what happened in random schedules. A run in which the interesting did not happen proves
// nothing.
type tally map[string]int

// interesting is what must have happened in some schedule.
func interesting() []string {
	return []string{
		"election", "candidacy", "pre-vote denied", "vote denied for the log", "vote denied as spent",
		"vote denied under a leader", "vote ignored under a leader", "step-down for want of a quorum",
		"step-down for a stalled disk", "truncation", "gap", "conflict", "step back", "stale response",
		"promise dropped", "commit held for an old term", "commit of an old term",
		"commit before the own disk", "busy answer", "report that entries are taken again",
		"answer before the disk's", "full window", "overload", "crash", "write kept in a crash",
		"write lost in a crash", "replay", "clone that stayed", "read confirmed",
		"read confirmed with others", "read that waited for the no-op", "snapshot taken", "compaction",
		"transfer", "transfer resumed", "install that dropped the log", "read that saw later commits",
		"read refused", "read abandoned", "joint configuration entered", "joint configuration left",
		"configuration reverted", "election of a server without a vote",
		"commit by a leader without a vote", "leader without a vote hands over",
		"learner promoted by itself", "removed server told", "removed server silent",
		"change refused while one is open", "change refused before the no-op",
		"change refused for silent voters", "transfer done", "transfer given up", "disk wiped",
		"told to campaign", "read by lease", "read by lease in a joint configuration",
		"vote withheld for a lease", "damage", "damage of a leader",
		"damage while it repairs", "floor given",
		"election held for repair", "return", "halt for want of a sound quorum",
	}
}

// rare is what need not have happened in fewer than thousands of schedules.
func rare() []string {
	return []string{
		"leader without a vote steps down", "stale snapshot", "snapshot overtaken by the log",
		"install that kept the log", "order to an earlier run",
	}
}

func (c tally) note(what string) { c[what]++ }

func (c tally) add(other tally) {
	for what, n := range other {
		c[what] += n
	}
}

func (c tally) String() string {
	var b strings.Builder
	for _, what := range append(interesting(), rare()...) {
		fmt.Fprintf(&b, "%s %d; ", what, c[what])
	}
	return b.String()
}

// demandAll fails for everything that never happened in all the seeds, and for what nobody is interested in.
func (c tally) demandAll(t *testing.T) {
	demanded := interesting()
	if *allSeeds >= 20_000 {
		demanded = append(demanded, rare()...)
	}
	for _, what := range demanded {
		if c[what] == 0 {
			t.Errorf("in no schedule was there any %s", what)
		}
	}
	for what := range c {
		if !slices.Contains(append(interesting(), rare()...), what) {
			t.Errorf("%q is counted and not on the list", what)
		}
	}
}

func (w *world) count(n *node, e raft.Event) {
	w.countSnapshots(e)
	w.countMembers(n, e)
	w.countRepair(e)
	w.countLease(n, e)
	switch e := e.(type) {
	case raft.BecameLeader:
		w.tally.note("election")
	case raft.BecameCandidate:
		w.tally.note("candidacy")
	case raft.BecameFollower:
		w.countStepDown(e)
	case raft.PreVoteDenied:
		w.tally.note("pre-vote denied")
	case raft.VoteGranted:
		n.owes = e.Term
	case raft.VoteDenied:
		w.countDenial(e.Why)
	case raft.AppendRejected:
		w.countRejection(e.Why)
	case raft.SteppedBack:
		w.tally.note("step back")
	case raft.MessageIgnored:
		if e.Why == raft.LeaderHeard {
			w.tally.note("vote ignored under a leader")
		} else {
			w.tally.note("stale response")
		}
	case raft.CommitHeld:
		w.tally.note("commit held for an old term")
	case raft.ProposalRefused:
		if e.Why == raft.Overloaded {
			w.tally.note("overload")
		}
	case raft.ReadQueued:
		w.readQueued(e.Ticket)
	case raft.ReadsConfirmed:
		if e.Count > 1 {
			w.tally.note("read confirmed with others")
		}
	}
}

func (w *world) countStepDown(e raft.BecameFollower) {
	switch {
	case e.Was != raft.Leader:
	case e.Why == raft.QuorumLost:
		w.tally.note("step-down for want of a quorum")
	case e.Why == raft.DiskStalled:
		w.tally.note("step-down for a stalled disk")
	}
}

func (w *world) countRejection(why raft.Reason) {
	switch why {
	case raft.Gap:
		w.tally.note("gap")
	case raft.Conflict:
		w.tally.note("conflict")
	}
}

func (w *world) countDenial(why raft.Reason) {
	switch why {
	case raft.LogNotUpToDate:
		w.tally.note("vote denied for the log")
	case raft.AlreadyVoted:
		w.tally.note("vote denied as spent")
	case raft.LeaderHeard:
		w.tally.note("vote denied under a leader")
	}
}
