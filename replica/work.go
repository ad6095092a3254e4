package replica

import (
	"fmt"
	"runtime/debug"

	"balsa/raft"
)

// Log is what a replica needs of its write-ahead log.
type Log interface {
	// Append makes a hard state (nil: unchanged), entries and what is new of peers durable, in one piece:
	// when it returns nil they survive a power cut. Entries replace everything from the first of them on;
	// peers are sorted by node, and replace what was said of the same nodes. After an error nothing more
	// may be appended.
	Append(state *raft.HardState, entries []raft.Entry, peers ...raft.Acquaintance) error
	// Restart makes durable that the log begins anew behind an entry: everything that it held is dropped. The
	// hard state and the peers stay.
	Restart(last raft.EntryID) error
	// Repaired makes durable that the mark of a repair (raft.Restored.Repairing) is gone, behind everything
	// that was appended before.
	Repaired() error
	// Release says that the entries up to an index are needed no more. The log must reach back to it.
	Release(through raft.Index) error
}

// Work is one thing to be done. The set is closed. The slices in it must not be written to; an Answer may be,
// by whom it was handed out to.
type Work interface{ isWork() }

// Write is to be performed on the log; its outcome is fed back. There is at most one in flight.
type Write struct {
	Number  raft.Write // 0 when nothing in it is the core's
	State   *raft.HardState
	Restart raft.EntryID // zero, or the log begins anew behind it, before Entries are written
	Entries []raft.Entry
	Peers   []raft.Acquaintance // met anew, by node
	// Repaired: once all of the above is written, the mark of a repair is gone.
	Repaired bool
	Release  raft.Index // 0, or once Entries are written the log needs nothing up to it any more
}

// Perform makes the write durable, in the order Restart, Append, Repaired, Release. It may take as long as
// the disk does. A panic of the log counts as its failure.
func (w Write) Perform(log Log) (wrote Wrote) {
	wrote.Number, wrote.Peers = w.Number, w.Peers
	defer func() {
		if p := recover(); p != nil { // the embedding program lives; what the disk has is not known any more
			wrote.Err = fmt.Errorf("writing the log panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if w.Restart != (raft.EntryID{}) {
		wrote.Err = log.Restart(w.Restart)
	}
	if wrote.Err == nil && (w.State != nil || len(w.Entries) > 0 || len(w.Peers) > 0) {
		wrote.Err = log.Append(w.State, w.Entries, w.Peers...)
	}
	if wrote.Err == nil && w.Repaired {
		wrote.Err = log.Repaired()
	}
	if wrote.Err == nil && w.Release != 0 {
		wrote.Err = log.Release(w.Release)
	}
	return wrote
}

// Apply is to be performed on the machine; its outcome is fed back. There is at most one of Apply, Capture
// and Restore in flight.
type Apply struct{ Entries []raft.Entry }

// Perform applies the entries in their order. It may take as long as the state machine does, and stops at
// the first failure. The memory of the results serves the next Apply: see Ran.
func (a Apply) Perform(machine *Machine) (ran Ran) {
	ran = Ran{Entries: a.Entries, Results: machine.results(len(a.Entries))}
	at := 0
	defer func() {
		if p := recover(); p != nil {
			ran.Err = fmt.Errorf("%w: applying entry %v panicked: %v\n%s", ErrStateMachine,
				a.Entries[at].ID(), p, debug.Stack())
		}
	}()
	for i, e := range a.Entries {
		at = i
		if ran.Results[i], ran.Err = machine.apply(e); ran.Err != nil {
			return ran
		}
	}
	ran.Due = machine.due()
	return ran
}

// Send is a message to be handed to the transport. Nothing waits for it, and its failure needs no report.
type Send struct{ Envelope raft.Envelope }

// Route says whom this server may have to speak to from now on, and where: the members but itself, by id;
// those that leave, until they have been told; and a leader that it follows and does not know yet. The
// address is what the server says of itself, when it was heard in this run, and otherwise the
// configuration's. It is handed out before anything is sent, and again with each change.
type Route struct{ Members []raft.Member }

// Answer ends a proposal, a read, a change, a transfer, a snapshot by hand, or the wish for an image. It is
// handed out by its address, so that many share one piece of memory. Each Proposed, TimePassed, Asked,
// Awaited, ChangeAsked, TransferAsked, TakeSnapshot and ImageAsked gets exactly one. A read's fate is Done
// when the state machine is new enough, and otherwise says why it will not be told so; its outcome is of no
// matter. That of a snapshot is Done with Entry, the last that it includes, or says why there is none. That
// of a change is Done with Entry, which has the configuration that it has led to; that of a transfer is Done
// when a leader of a later term is heard.
type Answer struct {
	Ticket raft.Ticket
	Fate   Fate
	Result []byte       // of the state machine, when the fate is Done
	Entry  raft.EntryID // where the command stands in the log; zero when it was refused
	// Replayed, when the fate is Done, says that the command had been applied before, by an earlier attempt:
	// Result is the one that it had then.
	Replayed bool
	Image    *Image // to an ImageAsked, when the fate is Done; Entry is then the last that it includes
	// Refusal says why, when the fate is Rejected or HandingOver.
	Refusal raft.Refusal
}

// Report tells what was decided, for logs, metrics and pages. No behaviour rests on it.
type Report struct{ Events []raft.Event }

// Stop says that this replica has ended and why. Everybody who waited has been answered; all the work that
// may follow is to refuse proposals that come too late.
type Stop struct{ Err error }

func (Write) isWork()      {}
func (Apply) isWork()      {}
func (Capture) isWork()    {}
func (Restore) isWork()    {}
func (Save) isWork()       {}
func (ReadChunk) isWork()  {}
func (StoreChunk) isWork() {}

func (Send) isWork()    {}
func (Route) isWork()   {}
func (*Answer) isWork() {}
func (Report) isWork()  {}
func (Stop) isWork()    {}

// Fate says what became of a proposal.
type Fate uint8

const (
	// Done: the command was committed and applied here; Result is what the state machine returned for this
	// very entry.
	Done Fate = iota
	// NotLeader: it was not appended, because this server does not lead.
	NotLeader
	// Overloaded: it was not appended, because too much is waiting.
	Overloaded
	// LeadershipLost: it was appended, and then this server ceased to lead. It may still be committed by
	// the next leader.
	LeadershipLost
	// Replaced: another entry was committed in its place. It was not applied and never will be.
	Replaced
	// Stopped: it was appended, and then this server stopped. It may be committed by the others.
	Stopped
	// Refused: it came after this server had stopped.
	Refused
	// Unanswered: it was forwarded to the leader, whose answer did not come, or too late to be of use.
	Unanswered
	// SessionGone: it was appended and not applied, because its session has ended or has forgotten its
	// number. Whether an earlier attempt of it was applied nobody knows any more.
	SessionGone
	// KeyReused: it was appended and not applied, because its number or its key stands for another command,
	// which was applied before.
	KeyReused
	// TooManyKeys: it was appended and not applied, because its key is new and there is no room to remember
	// it. Keys end by log time, so a later attempt under the same key may succeed.
	TooManyKeys
	// NothingNew: nothing was applied since the newest snapshot.
	NothingNew
	// NotSaved: the snapshot could not be written; a Report says why. It will be tried again.
	NotSaved
	// Passed: the machine has applied more than the entry whose image was asked for.
	Passed
	// Rejected: the change was not begun, or the transfer did not come about; Answer.Refusal says why.
	// Nothing has changed.
	Rejected
	// HandingOver: it was not appended, because this leader is handing over; try again soon.
	HandingOver
)

// Applied reports whether the command was applied, and whether that is known.
func (f Fate) Applied() (applied, known bool) {
	return f == Done, f != LeadershipLost && f != Stopped && f != Unanswered && f != SessionGone
}
