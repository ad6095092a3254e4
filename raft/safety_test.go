package raft_test

import (
	"flag"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"balsa/raft"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "run TestRandomSchedules with this seed alone, and print every step")
	allSeeds = flag.Uint64("seeds", 2000, "how many seeds TestRandomSchedules runs")
)

// TestRandomSchedules runs clusters of three and five servers under thousands of random schedules. After
// every step the properties of Figure 3 must hold; after the faults have ended, everybody must agree within
// a bound.
//
//	go test ./raft -run RandomSchedules -seed 17      one seed, every step printed
//	go test ./raft -run RandomSchedules -seeds 100000
func TestRandomSchedules(t *testing.T) {
	if *oneSeed != 0 {
		if _, err := runSeed(*oneSeed, t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	var total counts
	var mutex sync.Mutex
	t.Run("seeds", func(t *testing.T) {
		workers := uint64(runtime.GOMAXPROCS(0))
		for worker := range workers {
			t.Run(fmt.Sprint("from ", worker+1), func(t *testing.T) {
				t.Parallel()
				for seed := worker + 1; seed <= *allSeeds; seed += workers {
					got, err := runSeed(seed, func(string, ...any) {})
					if err != nil {
						t.Fatalf("%v\nagain: go test ./raft -run RandomSchedules -seed %d", err, seed)
					}
					mutex.Lock()
					total.add(got)
					mutex.Unlock()
				}
			})
		}
	})
	t.Logf("%+v", total)
	if !t.Failed() {
		total.demandAll(t)
	}
}

// runSeed runs one schedule: faults first, then peace.
func runSeed(seed uint64, trace func(string, ...any)) (c counts, err error) {
	w := newWorld(seed, trace)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			c, err = w.counts, fmt.Errorf("seed %d: %s", seed, r.sentence)
		case raft.Violation:
			c, err = w.counts, fmt.Errorf("seed %d: %w", seed, r)
		default:
			panic(r)
		}
	}()
	for range 500 + w.dice.IntN(2500) {
		w.move()
	}
	w.heal()
	return w.counts, nil
}

// heal ends all faults. Within ten election timeouts there is a leader that everybody follows, all logs are
// equal and committed, and what is proposed then is applied everywhere; and nobody disturbs that leader any
// more.
func (w *world) heal() {
	w.trace("peace")
	clear(w.cut)
	for _, n := range w.nodes {
		if n.core == nil {
			w.start(n)
		}
	}
	never := func() bool { return false }
	w.pass(testElectionMax, never) // timers that ran while the leader could not be heard
	w.pass(10*testElectionMax, w.agreed)
	if !w.agreed() {
		failf("no agreement %d ticks after the faults ended", 10*testElectionMax)
	}
	leader := w.nodes[w.nodes[0].before.Leader-1]
	term := leader.before.Term
	w.pass(testHeartbeat, func() bool { return false }) // what was applied last is reported: nobody is overloaded
	w.propose(leader)
	w.pass(5*testElectionMax, never)
	last := leader.before.Last.Index
	for _, n := range w.nodes {
		if n.before.Term != term || n.applied != last || n.log[last-1].entry.Term != term {
			failf("in peace, server %v of term %d applied %d; the leader of term %d has %d entries",
				n.id, n.before.Term, n.applied, term, last)
		}
	}
}

// pass lets time pass evenly, without any fault, for a number of ticks or until something is reached.
func (w *world) pass(ticks int, until func() bool) {
	for range ticks {
		w.settle()
		if until() {
			return
		}
		w.now++
		for _, n := range w.nodes {
			w.step(n, raft.Tick{})
		}
	}
	w.settle()
}

// agreed reports whether all servers follow one leader and hold and know as committed the same log.
func (w *world) agreed() bool {
	first := w.nodes[0].before
	for _, n := range w.nodes {
		s := n.before
		follows := s.Leader != raft.None && s.Leader == first.Leader && s.Term == first.Term
		if !follows || s.Last != first.Last || s.Commit != first.Last.Index {
			return false
		}
	}
	return true
}

// counts is what happened. A run in which the interesting did not happen proves nothing.
type counts struct {
	Elections, PreVotesDenied                                         int
	VotesDeniedForTheLog, VotesDeniedAsSpent, VotesDeniedUnderALeader int
	Truncations, Gaps, Conflicts, StepsBack, StaleResponses           int
	PromisesDropped, HeldForOldTerm, OldTermCommits                   int
	CommitsBeforeOwnDisk, Overloads                                   int
	Crashes, WritesKept, WritesLost, Replayed, Clones                 int
}

func (w *world) count(n *node, e raft.Event) {
	c := &w.counts
	switch e := e.(type) {
	case raft.BecameLeader:
		c.Elections++
	case raft.PreVoteDenied:
		c.PreVotesDenied++
	case raft.VoteGranted:
		n.owes = e.Term
	case raft.VoteDenied:
		w.countDenial(e.Why)
	case raft.AppendRejected:
		if e.Why == raft.Gap {
			c.Gaps++
		} else if e.Why == raft.Conflict {
			c.Conflicts++
		}
	case raft.SteppedBack:
		c.StepsBack++
	case raft.MessageIgnored:
		c.StaleResponses++
	case raft.CommitHeld:
		c.HeldForOldTerm++
	case raft.ProposalRefused:
		if e.Why == raft.Overloaded {
			c.Overloads++
		}
	}
}

func (w *world) countDenial(why raft.Reason) {
	switch why {
	case raft.LogNotUpToDate:
		w.counts.VotesDeniedForTheLog++
	case raft.AlreadyVoted:
		w.counts.VotesDeniedAsSpent++
	case raft.LeaderHeard:
		w.counts.VotesDeniedUnderALeader++
	}
}

func (c *counts) add(other counts) {
	sum, more := reflect.ValueOf(c).Elem(), reflect.ValueOf(other)
	for i := range sum.NumField() {
		sum.Field(i).SetInt(sum.Field(i).Int() + more.Field(i).Int())
	}
}

// demandAll fails for everything that never happened in all the seeds.
func (c *counts) demandAll(t *testing.T) {
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if v.Field(i).Int() == 0 {
			t.Errorf("in no schedule were there any %s", v.Type().Field(i).Name)
		}
	}
}
