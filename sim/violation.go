package sim

import (
	"fmt"
	"strings"

	"balsa/raft"
)

// Moment is a place in a run: which event, and when.
type Moment struct {
	Position uint64 `json:"p"` // of the event, counted from 1
	Time     Time   `json:"t"`
}

func (m Moment) String() string { return fmt.Sprintf("e%d (%v)", m.Position, m.Time) }

// Witness is one fact about one server.
type Witness struct {
	Moment
	Node raft.NodeID `json:"node,omitempty"` // raft.None: a client, or the cluster as a whole
	Fact string      `json:"fact"`
}

func (w Witness) String() string {
	if w.Node == raft.None {
		return fmt.Sprintf("%v: %s", w.Moment, w.Fact)
	}
	return fmt.Sprintf("%v: n%v %s", w.Moment, w.Node, w.Fact)
}

// Violation says which property does not hold, and the two facts that cannot both be.
type Violation struct {
	Moment
	Property  Property  `json:"property"`
	Sentence  string    `json:"sentence"`
	Witnesses []Witness `json:"witnesses,omitempty"` // two, in the order in which they happened
}

// Error is the sentence for a person, with the witnesses.
func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", v.Property, v.Sentence)
	for _, w := range v.Witnesses {
		fmt.Fprintf(&b, "\n    %v", w)
	}
	return b.String()
}

// Property is one of the promises that are checked. The names are part of the format of a failure file.
type Property string

// The properties of Figure 3 of the paper and those beside them; Lively ones are checked in the healed tail.
const (
	ElectionSafety     Property = "ElectionSafety"     // at most one leader in a term (§5.2)
	QuorumOverlap      Property = "QuorumOverlap"      // any two decisions share a server (§6)
	LogMatching        Property = "LogMatching"        // one entry, one history before it (§5.3)
	LeaderAppendOnly   Property = "LeaderAppendOnly"   // a leader never changes its own log (§5.3)
	LeaderCompleteness Property = "LeaderCompleteness" // the committed is in every later leader (§5.4)
	StateMachineSafety Property = "StateMachineSafety" // one entry for an index, in order (§5.4.3)
	Monotonicity       Property = "Monotonicity"       // terms, commit and applied never go back
	OneVote            Property = "OneVote"            // per server and term, across crashes (§5.2)
	PromiseDurable     Property = "PromiseDurable"     // what promises leaves when that is durable
	ProgressTruth      Property = "ProgressTruth"      // match is held durably; next is above it (§5.3)
	Durability         Property = "Durability"         // what was acknowledged is there
	Linearizability    Property = "Linearizability"    // effect between call and answer (§8)
	ExactlyOnce        Property = "ExactlyOnce"        // a command is applied once
	ReplicaEquality    Property = "ReplicaEquality"    // the same entries give the same state
	Bounds             Property = "Bounds"             // what is under way stays within its caps
	Recovery           Property = "Recovery"           // a start finds what was there, twice the same
	HaltNeverLie       Property = "HaltNeverLie"       // a damaged disk is refused, never served from
	Assertion          Property = "Assertion"          // a server's own invariants (raft.Violation)
	Answered           Property = "Answered"           // every request ends: ok, no, or unknown
	LeaderElected      Property = "LeaderElected"      // L1: a connected majority has a leader in time
	Converged          Property = "Converged"          // L2: all live servers come to one log and state
	LeaderStable       Property = "LeaderStable"       // L3: leaders do not change without a cause
	Recovered          Property = "Recovered"          // L5: after overload, latency is back in time
)

// FaultModel is no property of servers: it says that a profile whose faults can all be survived has led to
// the loss of so many disks that they cannot. Either the swarm damaged too many, or servers refuse what is
// sound.
const FaultModel Property = "FaultModel"

// Unfinished is no property: it says that whoever ran the world has had enough (Parts.Enough), and that
// nothing was violated until then.
const Unfinished Property = "Unfinished"
