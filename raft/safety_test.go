package raft_test

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"balsa/raft"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "run TestRandomSchedules with this seed alone, and print every step")
	allSeeds = flag.Uint64("seeds", 1200, "how many seeds TestRandomSchedules runs")
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
	total := tally{}
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
	t.Log(total)
	if !t.Failed() {
		total.demandAll(t)
	}
}

// runSeed runs one schedule: faults first, then peace.
func runSeed(seed uint64, trace func(string, ...any)) (c tally, err error) {
	w := newWorld(seed, trace)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			c, err = w.tally, fmt.Errorf("seed %d: %s", seed, r.sentence)
		case raft.Violation:
			c, err = w.tally, fmt.Errorf("seed %d: %w", seed, r)
		default:
			panic(r)
		}
	}()
	for range 500 + w.dice.IntN(2500) {
		w.move()
	}
	w.heal()
	return w.tally, nil
}

// heal ends all faults. Within ten election timeouts there is a leader that everybody follows, all logs are
// equal and committed, and what is proposed then is applied everywhere; and nobody disturbs that leader any
// more.
func (w *world) heal() {
	w.trace("peace")
	w.calm = true
	clear(w.cut)
	for _, n := range w.nodes {
		n.stalled, n.slow = false, false
		if n.core == nil {
			w.start(n)
		}
	}
	never := func() bool { return false }
	w.pass(w.timing.max, never) // timers that ran while the leader could not be heard
	agreed := func() bool { return w.agreedLeader() != nil && w.allRepaired(w.agreedLeader()) }
	w.pass(10*w.timing.max, agreed)
	leader := w.agreedLeader()
	if !agreed() && !w.soundQuorum(raft.None) {
		w.tally.note("halt for want of a sound quorum")
		return
	}
	if !agreed() {
		failf("no agreement %d ticks after the faults ended", 10*w.timing.max)
	}
	term := leader.before.Term
	w.pass(w.timing.heartbeat,
		func() bool { return false }) // what was applied last is reported: nobody is overloaded
	w.propose(leader)
	for _, n := range w.nodes {
		w.read(n)
	}
	w.pass(5*w.timing.max, never)
	if len(w.reads)+len(w.asked) > 0 {
		failf("in peace, %d reads and %d changes are not answered", len(w.reads), len(w.asked))
	}
	last := leader.before.Last.Index
	for _, n := range w.membersOf(leader) {
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
		w.now += w.span()
		for _, n := range w.nodes {
			w.step(n, raft.Tick{})
		}
	}
	w.settle()
}
