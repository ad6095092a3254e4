package sim

import (
	"fmt"
	"strings"

	"balsa/raft"
)

// OpKind names an operation of a script. The names are part of the format.
type OpKind string

// The operations. Each says which fields of an Op it reads.
const (
	// Kill ends a process with everything it had in memory. Mode "power" cuts the power of the machine, so
	// that what was not synced is kept, torn or gone by the seed; else the operating system lives on. Nth, if
	// not 0, is how many calls of the disk later it happens, in the middle of that one. Mode "send": it is
	// when Nth more messages have been sent, however many were to leave at that moment.
	Kill OpKind = "kill"
	// Restart starts a process that is down. Nth, if not 0: the power goes again in that call of the disk,
	// while it recovers.
	Restart OpKind = "restart"
	// Stall stops a process, as SIGSTOP does; Resume lets it go on, and all that has come meanwhile comes at
	// once.
	Stall  OpKind = "stall"
	Resume OpKind = "resume"
	// Slow makes a server's disk, state machine and hearing so many times slower; Value 1 ends it.
	Slow OpKind = "slow"
	// DiskStall lets no work of the disk end for a time (For).
	DiskStall OpKind = "disk-stall"
	// DiskFail makes a call of the disk fail, the Nth of its kind from now on. Mode is the kind: write, sync,
	// read, open, list, create, rename, remove, sync-directory.
	DiskFail OpKind = "disk-fail"
	// DiskFull leaves so many bytes (Value) free; DiskOK undoes stall, failure and fullness.
	DiskFull OpKind = "disk-full"
	DiskOK   OpKind = "disk-ok"
	// Rot changes a server's disk at rest, while it is down: Mode flip, zero, truncate, lose (a file),
	// misdirect (a sector that belongs elsewhere), stale (a sector as it was), by the roll Nth. It reaches
	// what lies under a seal, and never the last batch, which is outside of the fault model.
	Rot OpKind = "rot"
	// Wipe empties a server's disk while it is down. Image keeps a copy of it, and Rollback puts that back.
	Wipe     OpKind = "wipe"
	Image    OpKind = "image"
	Rollback OpKind = "rollback"
	// Clock sets a server's clock: Value is its rate in millionths, For how far it jumps ahead; Mode "wall":
	// For is how much the wall clock is off at its next start.
	Clock OpKind = "clock"
	// Cut cuts the links (directed); Heal mends them, all if none are named.
	Cut  OpKind = "cut"
	Heal OpKind = "heal"
	// Clog holds back what is on the links until For has passed.
	Clog OpKind = "clog"
	// Lag lets each message on the links take so much longer (For), until a Lag of 0.
	Lag OpKind = "lag"
	// Hold keeps messages on the links (Mode: a type of message, or all), those on their way too, until
	// Release delivers or Discard drops them.
	Hold    OpKind = "hold"
	Release OpKind = "release"
	Discard OpKind = "discard"
	// Drop, Duplicate, Delay and Corrupt meet one message: the Nth from Node to Peer. For is the delay, of
	// the second copy too. Mode "cut" of Corrupt: the message ends in its middle, as when a connection
	// breaks. They have no time: they happen when that message is sent.
	Drop      OpKind = "drop"
	Duplicate OpKind = "dup"
	Delay     OpKind = "delay"
	Corrupt   OpKind = "corrupt"
	// LoseReply loses the answer to the Nth request of client Node.
	LoseReply OpKind = "lose-reply"
	// ApplySlow makes the state machine so many times slower (Value). ApplyPanic makes the next apply panic.
	ApplySlow  OpKind = "apply-slow"
	ApplyPanic OpKind = "apply-panic"
	// SnapshotSlow makes all that is done with snapshots so many times slower (Value). TakeSnapshot has one
	// taken now, whatever the budget.
	SnapshotSlow OpKind = "snapshot-slow"
	TakeSnapshot OpKind = "snapshot"
	// Load has clients ask so many times more often (Value); Value 1 ends it.
	Load OpKind = "load"
	// Flags sets what a server is started with next: Mode lists what of it is not as in the others, prevote
	// and checkquorum; an empty one ends it.
	Flags OpKind = "flags"
	// Timeout ends a server's election timeout now.
	Timeout OpKind = "timeout"
	// Propose has client Peer put (Mode "put"), delete (Mode "delete") or increment (Mode "increment") a Key
	// at Node: as number Nth of its session if that is not 0, or under the key Under, remembered for the time
	// For. Mode open has it open a session that lasts For, and close end it. Read has it read, in Mode
	// linearizable (which is what none says), lease, leader, stale or at-least.
	Propose OpKind = "propose"
	Read    OpKind = "read"
	// Change has an administrator ask Node, or whoever leads, to change the membership as Text says, and
	// Transfer to hand over to Peer, or to the best. Mode "careful": not when what is damaged would leave no
	// quorum.
	Change   OpKind = "change"
	Transfer OpKind = "transfer"
	// Join gives a server that is down an empty disk and starts it to join the cluster. Move gives it
	// another address (Text), in exchange if another one that is down has it; Mode "told": and all are told,
	// by hand, where everybody is.
	Join OpKind = "join"
	Move OpKind = "move"
	// Clone runs the copy of Node's disk (Image) as Peer, a spare, beside it. Stray has Peer, a spare, run a
	// node of another cluster at the address of Node, which is down, and gets another one.
	Clone OpKind = "clone"
	Stray OpKind = "stray"
)

// Link is one direction between two servers.
type Link struct {
	From raft.NodeID `json:"from"`
	To   raft.NodeID `json:"to"`
}

func (l Link) String() string { return fmt.Sprintf("%v→%v", l.From, l.To) }

// Op is one operation of a script: what is done, to whom, and when.
type Op struct {
	At    Time        `json:"at"`
	Kind  OpKind      `json:"op"`
	Node  raft.NodeID `json:"n,omitempty"`
	Peer  raft.NodeID `json:"to,omitempty"`
	Nth   uint64      `json:"nth,omitempty"`
	For   Time        `json:"for,omitzero"`
	Value int64       `json:"value,omitempty"`
	Mode  string      `json:"mode,omitempty"`
	Key   string      `json:"key,omitempty"`
	Text  string      `json:"text,omitempty"` // a value to put
	Under string      `json:"under,omitempty"`
	Links []Link      `json:"links,omitempty"`
}

// String is the operation in words.
func (o Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", o.Kind)
	if o.Peer != raft.None {
		fmt.Fprintf(&b, " n%v→n%v", o.Node, o.Peer)
	} else if o.Node != raft.None {
		fmt.Fprintf(&b, " n%v", o.Node)
	}
	if o.Nth != 0 {
		fmt.Fprintf(&b, " #%d", o.Nth)
	}
	for _, l := range o.Links {
		fmt.Fprintf(&b, " %v", l)
	}
	for _, word := range []string{o.Mode, o.Under, o.Key, o.Text} {
		if word != "" {
			fmt.Fprintf(&b, " %s", word)
		}
	}
	if o.Value != 0 {
		fmt.Fprintf(&b, " %d", o.Value)
	}
	if o.For != 0 {
		fmt.Fprintf(&b, " for %v", o.For)
	}
	return b.String()
}

// ofMessage reports whether the operation meets one message instead of happening at a time.
func (o Op) ofMessage() bool {
	switch o.Kind {
	case Drop, Duplicate, Delay, Corrupt, LoseReply:
		return true
	}
	return false
}
