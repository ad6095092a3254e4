package replica

import (
	"io"
	"math"
	"slices"

	"balsa/raft"
)

// Images that somebody asks for: to stream a backup, or to compare the states of all servers at one index,
// where they must be equal byte for byte (ReplicaEquality). The state is captured as for a snapshot, between
// two batches, and whoever asked reads it beside later applies. Neither the log nor the snapshots that are
// kept change by it, and a batch that is cut short for its sake changes no result.
//
//	ImageAsked ──▶ applied exactly so far? ──▶ Capture ──▶ Answer with the Image
//	                         └─ gone past it ──────────▶ Answer: Passed

// ImageAsked asks for the state of this server's machine right after an entry, to be told under the ticket:
// Done with an Image; Passed when the machine has more than that entry already, or jumps over it; NothingNew
// when nothing was ever applied; Overloaded when too many wait. It may wait for an index that never comes,
// until GaveUp says that nobody waits any more.
type ImageAsked struct {
	Ticket raft.Ticket
	Index  raft.Index // 0: as the machine is now
}

// TimePassed asks for an entry that brings nothing but its log time, at whatever server leads: whoever waits
// for an index has the log come to it. The answer is that to a Proposed command.
type TimePassed struct{ Ticket raft.Ticket }

func (ImageAsked) isEvent() {}
func (TimePassed) isEvent() {}

// Image is the state of a machine.
type Image struct {
	// Of says after which entry it is, with that entry's time and the configuration in force there. It has no
	// Size.
	Of raft.Snapshot
	// State writes the image, the same bytes on every server. It may be written while the machine goes on,
	// and keeps what it holds in memory as long as it is referred to.
	State io.WriterTo
}

// maxImages bounds those that wait for an image: each one that is read keeps alive what the machine has
// replaced since.
const maxImages = 8

// posing is what a server knows of those who wait for an image.
type posing struct {
	asked   []ImageAsked
	capture bool // the Capture in flight is for them
}

// askImage takes note of somebody who wants an image.
func (r *Replica) askImage(a ImageAsked) {
	switch {
	case a.Index > 0 && a.Index < r.applied:
		r.answer(Answer{Ticket: a.Ticket, Fate: Passed})
	case a.Index == 0 && r.applied == 0 && !r.starting:
		r.answer(Answer{Ticket: a.Ticket, Fate: NothingNew})
	case len(r.posing.asked) >= maxImages:
		r.answer(Answer{Ticket: a.Ticket, Fate: Overloaded})
	default:
		r.posing.asked = append(r.posing.asked, a)
	}
}

// passTime puts an entry that only carries its time to the leader.
func (r *Replica) passTime(now raft.Time, t TimePassed) {
	r.put(now, Proposed{Ticket: t.Ticket, Once: Once{What: passTime}})
}

// imageDue reports whether somebody wants the state that the machine is in.
func (r *Replica) imageDue() bool {
	return r.applied > 0 && !r.starting &&
		slices.ContainsFunc(r.posing.asked, func(a ImageAsked) bool { return a.wants(r.applied) })
}

func (a ImageAsked) wants(index raft.Index) bool { return a.Index == 0 || a.Index == index }

// nextImage is the index behind which nothing is to be applied before an image was captured.
func (r *Replica) nextImage() raft.Index {
	next := raft.Index(math.MaxUint64)
	for _, a := range r.posing.asked {
		if a.Index > r.applied {
			next = min(next, a.Index)
		}
	}
	return next
}

// startImage captures the state that the machine is in for those who want it.
func (r *Replica) startImage() {
	r.posing.capture = true
	r.occupy(Capture{Snapshot: r.present()})
}

// imageCaptured gives the image to everybody who wants one of this state.
func (r *Replica) imageCaptured(c Captured) {
	r.posing.capture = false
	if c.Err != nil {
		r.stop(c.Err)
		return
	}
	r.settleImages(func(a ImageAsked) (Answer, bool) {
		return Answer{Entry: c.Snapshot.Last, Image: &Image{Of: c.Snapshot, State: c.Image}},
			a.wants(c.Snapshot.Last.Index)
	})
}

// passImages answers those for whose image the machine has gone too far.
func (r *Replica) passImages() {
	r.settleImages(func(a ImageAsked) (Answer, bool) {
		return Answer{Fate: Passed}, a.Index > 0 && a.Index < r.applied
	})
}

// forgetImage drops a question whose caller waits no longer.
func (r *Replica) forgetImage(ticket raft.Ticket) {
	r.posing.asked = slices.DeleteFunc(r.posing.asked, func(a ImageAsked) bool { return a.Ticket == ticket })
}

// settleImages answers those of whom verdict says so.
func (r *Replica) settleImages(verdict func(ImageAsked) (Answer, bool)) {
	r.posing.asked = slices.DeleteFunc(r.posing.asked, func(a ImageAsked) bool {
		answer, settled := verdict(a)
		if settled {
			answer.Ticket = a.Ticket
			r.answer(answer)
		}
		return settled
	})
}
