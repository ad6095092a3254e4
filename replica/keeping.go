package replica

import (
	"errors"
	"math"
	"slices"

	"balsa/raft"
)

// Snapshots of the own machine, and what they let go of the log (§7).
//
//	applied enough ──▶ Capture ──▶ Save ──▶ raft.Snapshotted ──▶ the core shortens the log in memory
//	                                  └───▶ Write.Release     ──▶ the log on disk, up to the older of two
//
// The effects come in this order and no other; a crash may come between any two of them:
//
//   - after Capture, or in the middle of Save: the snapshots and the log are as before;
//   - after Save, before Release: the log holds more than is needed, and a start takes from it what follows
//     the new snapshot. Were the log shortened first, a crash between the two would leave a gap that nothing
//     fills;
//   - in the middle of Release, or after it: the log reaches back to the older of the two snapshots. That one
//     serves when the newer is found damaged.
//
// The bootstrap configuration counts as the snapshot at index 0: after the first snapshot the older of the
// two is that one, and the log stays whole.
//
// A received snapshot may become durable while an own one is saved. The own one is then older than what is
// kept: whatever came of it, it changes nothing, and what it would have released goes with the next.

// keeping is what a server knows of its snapshots.
type keeping struct {
	kept     [2]raft.Snapshot // durable, the newest first; zero: none
	reaches  raft.Index       // the log on disk begins behind it, or will with the writes handed out
	saving   bool             // a Save is in flight, or the Capture before it
	behind   int              // bytes of entries applied since that capture
	byHand   []requested
	again    raft.Time // until then none is taken after one has failed, but by hand
	failures int       // since one was saved
	failed   error     // the latest of them
}

// requested is a snapshot that somebody asked for.
type requested struct {
	ticket raft.Ticket
	least  raft.Index // what had been applied then: it must include that
}

// Newest returns the newest durable snapshot, the zero Snapshot if there is none.
func (r *Replica) Newest() raft.Snapshot { return r.kept[0] }

// SnapshotFailure returns why the latest attempt to take a snapshot failed, nil when it did not or a newer
// one was received since, and how long it is until the next. While snapshots fail the log grows, until a
// leader takes no more proposals.
func (r *Replica) SnapshotFailure() (wait raft.Time, err error) {
	if r.failed == nil {
		return 0, nil
	}
	return max(r.again-r.hours.now, 0), r.failed
}

// Outgrown reports whether this server leads with a log so long that it refuses proposals, or will soon,
// until a snapshot shortens it.
func (r *Replica) Outgrown() bool { return r.core.Outgrown() }

// snapshotByHand takes note of somebody who wants a snapshot.
func (r *Replica) snapshotByHand(s TakeSnapshot) {
	if !r.config.Snapshots || r.applied <= r.kept[0].Last.Index {
		r.answer(Answer{Ticket: s.Ticket, Fate: NothingNew})
		return
	}
	r.byHand = append(r.byHand, requested{ticket: s.Ticket, least: r.applied})
}

// captureDue reports whether the next work on the machine is to capture it. One snapshot at a time is taken.
func (r *Replica) captureDue() bool {
	if !r.config.Snapshots || r.saving || r.applied <= r.kept[0].Last.Index {
		return false
	}
	if len(r.byHand) == 0 && (r.hours.now < r.again || !r.core.SnapshotDue()) {
		return false
	}
	members, _ := r.core.MembersAt(r.last.Index)
	return len(members.Voters) > 0 // else it joins, and does not know yet what the snapshot must bear
}

// untilCapture returns how many bytes of entries may be applied before the machine is captured. While one
// snapshot is being saved no more is applied than makes the next one due, as long as nobody waits for it: a
// server that is slow to save would otherwise take that one later than the others. How large the one that is
// being saved will be is not known, so the one before counts.
func (r *Replica) untilCapture() int {
	limit := r.core.Limits().SnapshotBytes
	if limit < 0 {
		return math.MaxInt
	}
	due := r.core.UntilSnapshot()
	if r.saving {
		due = max(limit, int(r.kept[0].Size)) - r.behind
	}
	if due > 0 || r.saving && !r.needed() {
		return due
	}
	return math.MaxInt // one has failed, and it is not tried again yet, or whoever waits cannot wait for it
}

// HeldUp reports whether committed entries wait here for a snapshot to be saved, and for nothing else.
func (r *Replica) HeldUp() bool {
	return r.saving && !r.busy && len(r.toApply) > 0 && r.untilCapture() <= 0
}

// needed reports whether somebody waits for what is applied here. A disk may take minutes to save a snapshot,
// or hang: a leader that applied nothing meanwhile would go on sending heartbeats and serve nobody. To apply
// costs only that this server's snapshots lie elsewhere from then on.
func (r *Replica) needed() bool {
	return r.core.Role() == raft.Leader || r.install != nil || len(r.waiting) > 0 || len(r.origin.open) > 0 ||
		len(r.reads.own)+len(r.reads.waiting)+len(r.reads.sent)+len(r.posing.asked) > 0
}

// startCapture has the present state captured, to be saved.
func (r *Replica) startCapture() {
	r.saving, r.behind = true, 0
	r.occupy(Capture{Snapshot: r.present()})
}

// present names the state that the machine is in.
func (r *Replica) present() raft.Snapshot {
	members, index := r.core.MembersAt(r.last.Index)
	return raft.Snapshot{Last: r.last, Time: r.lastTime, Members: members.Clone(), MembersIndex: index}
}

func (r *Replica) captured(c Captured) {
	r.busy = false
	switch {
	case r.posing.capture:
		r.imageCaptured(c)
	case c.Err != nil:
		r.stop(c.Err)
	case c.Snapshot.Last.Index <= r.kept[0].Last.Index: // a newer one has arrived meanwhile
		r.saving = false
	default:
		r.ready = append(r.ready, Save{Snapshot: c.Snapshot, Image: c.Image})
	}
}

// saved takes the end of a Save. A disk that failed has failed, even if nobody needs that snapshot any more:
// what else it lost cannot be known.
func (r *Replica) saved(s Saved) {
	r.saving = false
	passing := s.Err != nil && r.config.Passing != nil && r.config.Passing(s.Err)
	switch last := s.Snapshot.Last.Index; {
	case s.Err != nil && !passing:
		r.stop(errors.Join(errors.New("a snapshot could not be written"), s.Err))
	case last <= r.kept[0].Last.Index: // a newer one has arrived meanwhile
	case passing:
		r.notSaved(s)
	default:
		r.keep(s.Snapshot)
		r.core.Step(r.hours.now, raft.Snapshotted{Snapshot: s.Snapshot})
	}
}

// notSaved has it tried again later, and later still if it goes on: the disk is full, and the attempts fill
// it.
func (r *Replica) notSaved(s Saved) {
	r.again = r.hours.now + r.config.Tick*firstPause<<min(r.failures, longestPause)
	r.failures, r.failed = r.failures+1, s.Err
	r.ready = append(r.ready, Report{Events: []raft.Event{SnapshotFailed{Err: s.Err}}})
	r.settleByHand(s.Snapshot.Last.Index, Answer{Fate: NotSaved})
}

// firstPause is how many ticks lie between a snapshot that failed and the next attempt; each further one
// doubles it, longestPause times at most.
const (
	firstPause   = 100
	longestPause = 3 // in a leader, commands may be refused for as long, since the log is too long
)

// keep takes note of a snapshot that is durable now and newer than those kept. What the log holds up to the
// older of the two is released, together with whatever is written next: that write takes one more sync. In a
// write of its own it would hold up the one behind it for as long; and it comes once for each snapshot.
func (r *Replica) keep(s raft.Snapshot) {
	r.kept[1], r.kept[0] = r.kept[0], s
	r.failures, r.failed, r.again = 0, nil, 0 // whatever failed before is needless now
	if older := r.kept[1].Last.Index; older > r.reaches {
		r.reaches, r.gather.Release = older, older
	}
	r.settleByHand(s.Last.Index, Answer{Fate: Done, Entry: s.Last})
}

// settleByHand answers those who asked for no more than a snapshot includes.
func (r *Replica) settleByHand(last raft.Index, a Answer) {
	r.byHand = slices.DeleteFunc(r.byHand, func(q requested) bool {
		if q.least > last {
			return false
		}
		a.Ticket = q.ticket
		r.answer(a)
		return true
	})
}

func (r *Replica) forgetByHand(ticket raft.Ticket) {
	r.byHand = slices.DeleteFunc(r.byHand, func(q requested) bool { return q.ticket == ticket })
}
