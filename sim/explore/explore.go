package explore

import (
	"errors"
	"fmt"

	"balsa/raft"
)

// Bounds say how much may happen. What is 0 does not happen; States 0 means 40 million, which take about two
// gigabytes.
type Bounds struct {
	Timeouts     int // election timers that run out, and leaders that give up
	Crashes      int // each with its restart
	Losses       int // as an action of its own: any message may stay under way for ever
	Duplications int
	// Window is how many messages with entries, one in each, may be on their way to one follower; 0 means 1.
	Window     int
	Heartbeats int
	Proposals  int

	Depth  int // actions from the start; 0 means any number
	States int // worlds
}

const defaultStates = 40_000_000

func (b Bounds) limits() [kinds]int {
	return [kinds]int{duplicate: b.Duplications, lose: b.Losses, timeout: b.Timeouts, heartbeat: b.Heartbeats,
		propose: b.Proposals, crash: b.Crashes}
}

func (b Bounds) validate() error {
	for _, n := range b.limits() {
		if n < 0 || n > 20 {
			return fmt.Errorf("explore: a bound of %d: each is 0 to 20", n)
		}
	}
	if b.Depth < 0 || b.States < 0 {
		return errors.New("explore: Depth and States are not negative")
	}
	return nil
}

// explorer is an exploration under way.
type explorer struct {
	start   Start
	bounds  Bounds
	limits  [kinds]int
	members raft.Configuration
	habits  habits

	servers  []*server
	numbers  map[uint64]uint32 // of servers, by digest; only looked up
	outcomes []outcome
	known    map[uint64]uint32 // outcomes, by server and action; only looked up
	post     post
	ledger   ledger

	seen    *seen
	parents []parent // by the order in which worlds were found
	next    *belt    // worlds found and not yet expanded, one action further than those being expanded
	scratch world
	packed  []byte
	order   order
	first   world
	report  Report
}

// parent is how a world was found first.
type parent struct {
	world  uint32
	action action
}

// Run explores from a situation until nothing is left, a bound is reached, or progress returns false, which
// is asked every few thousand states and may be nil. The report tells how far it came. An error is a
// *Violation, or says why it could not be run.
func Run(start Start, bounds Bounds, progress func(Report) (goOn bool)) (Report, error) {
	return run(start, bounds, habits{}, progress)
}

func run(start Start, bounds Bounds, habits habits, progress func(Report) bool) (Report, error) {
	if err := bounds.validate(); err != nil {
		return Report{}, err
	}
	e := &explorer{
		start:   start,
		bounds:  bounds,
		limits:  bounds.limits(),
		habits:  habits,
		numbers: map[uint64]uint32{},
		known:   map[uint64]uint32{},
		post:    post{numbers: map[string]uint32{}},
		ledger:  ledger{numbers: map[string]uint32{}},
		seen:    newSeen(),
		next:    &belt{},
	}
	if bounds.States == 0 {
		e.bounds.States = defaultStates
	}
	if progress == nil {
		progress = func(Report) bool { return true }
	}
	e.report.Start, e.report.Bounds = start, bounds
	first, err := e.begin()
	if err != nil {
		return e.report, err
	}
	if err = e.walk(first, progress); err == nil {
		err = e.checkStale()
	}
	e.sum()
	return e.report, err
}

// walk goes through all worlds in the order of their distance from the first.
func (e *explorer) walk(first world, progress func(Report) bool) error {
	e.first = first
	if v := e.visit(&first, parent{}); v != nil {
		return &Violation{Property: v.Property, Sentence: v.Sentence, Story: "it does not hold at the start"}
	}
	w := world{size: first.size}
	expanded := uint32(0)
	for e.next.count > 0 {
		if e.bounds.Depth > 0 && e.report.Depth == e.bounds.Depth {
			e.report.Left = e.next.count
			return nil
		}
		now := e.next
		e.next = &belt{}
		for i, piece := range now.pieces {
			for len(piece) > 0 {
				if e.seen.count >= e.bounds.States || expanded%(1<<14) == 0 && !e.goesOn(progress, expanded) {
					e.report.Left = e.seen.count - int(expanded)
					return nil
				}
				piece = w.unpack(piece)
				if v := e.expand(&w, expanded); v != nil {
					return v
				}
				expanded++
			}
			now.pieces[i] = nil
		}
		if e.next.count > 0 {
			e.report.Depth++
		}
	}
	e.report.Exhausted, e.report.Left = true, 0
	return nil
}

func (e *explorer) goesOn(progress func(Report) bool, expanded uint32) bool {
	e.sum()
	e.report.Left = e.seen.count - int(expanded)
	return progress(e.report)
}

// visit notes a world, and returns what does not hold in it if it is new.
func (e *explorer) visit(w *world, from parent) *violation {
	if !e.seen.add(e.hash(w)) {
		return nil
	}
	if e.habits.note != nil {
		e.habits.note(e, w)
	}
	e.packed = w.pack(e.packed[:0])
	e.parents = append(e.parents, from)
	e.next.add(e.packed)
	return e.checkTogether(w)
}
