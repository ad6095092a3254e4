package sim

import (
	"slices"

	"balsa/raft"
)

// swarm has the ideas: what fails, when, to whom. It looks at the world, for the worst moments are those in
// which something is under way, and what it does is recorded as operations of the script. None of its own
// appointments is an event, so that the recorded script gives the same run without it.
type swarm struct {
	world   *World
	profile profile
	active  []activity
	rates   rates
	traps   []trap
	plans   []Op   // what follows from earlier ideas, such as the restart after a kill
	drawn   uint64 // rolls so far
}

// activity is a fault that this seed has drawn, with the mean time from one to the next.
type activity struct {
	fault fault
	mean  Time
}

// rates are in a million messages.
type rates struct{ drop, repeat, delay, replay, corrupt, loseReply int }

// fault has one idea.
type fault func(*swarm)

// swarming marks the appointments of the swarm among what is due.
const swarming raft.NodeID = 1 << 32

func newSwarm(w *World) *swarm {
	p, err := profileNamed(w.spec.Profile)
	if err != nil { // the spec was checked
		panic(err)
	}
	s := &swarm{world: w, profile: p}
	// Some seeds have many faults and some have few: where everything fails all the time nothing is done that
	// could be lost.
	eighths := [...]uint64{1, 2, 3, 5}[s.roll().below(4)]
	ideas := p.faults
	if w.options.Spares > 0 {
		ideas = slices.Concat(p.admins, p.faults)
	}
	for _, f := range ideas {
		if s.roll().below(8) >= eighths {
			continue
		}
		a := activity{fault: f, mean: s.roll().between(2*Second, w.options.Faulty/2+2*Second)}
		s.active = append(s.active, a)
		s.next(len(s.active) - 1)
	}
	if w.options.ByLease > 0 {
		s.active = append(s.active, activity{switchLeases, Second}, activity{clockRate, 10 * Second})
		s.next(len(s.active) - 2)
		s.next(len(s.active) - 1)
	}
	some := func(most int) int {
		if s.roll().below(2) == 0 {
			return 0
		}
		return int(s.roll().below(uint64(most) + 1))
	}
	s.rates = rates{drop: some(p.drop), repeat: some(p.repeat), delay: some(p.delay), replay: some(p.replay),
		corrupt: some(p.corrupt), loseReply: some(p.loseReply)}
	return s
}

func (s *swarm) roll() roll {
	s.drawn++
	return s.world.chance.draw(forSwarm, 0, 0, s.drawn)
}

// next makes the appointment for the next idea of an activity.
func (s *swarm) next(i int) {
	in := s.roll().exponential(s.active[i].mean) + 1
	s.world.push(due{at: s.world.now + in, task: intervene, peer: swarming, n: uint64(i)})
}

// planned marks what follows from an earlier idea.
const planned = 1 << 32

// plan has an operation happen later, at a time that nothing else of this moment can share.
func (s *swarm) plan(in Time, op Op) {
	s.plans = append(s.plans, op)
	s.world.push(due{at: s.world.now + max(in, 1), task: intervene, peer: swarming,
		n: planned | uint64(len(s.plans)-1)})
}

// act has the idea that is due.
func (s *swarm) act(d due) {
	if s == nil {
		return // all has healed
	}
	if d.n&planned != 0 {
		if op := s.plans[d.n&^planned]; op.Kind != Clone || s.mayClone(s.world.servers[op.Node-1]) {
			s.do(op)
		}
		return
	}
	s.active[d.n].fault(s)
	s.next(int(d.n))
}

// do carries an operation out, and records it.
func (s *swarm) do(op Op) {
	op.At = s.world.now
	s.world.script.recorded = append(s.world.script.recorded, op)
	s.world.Do(op)
}

// message says what meets a message.
func (s *swarm) message(from, to raft.NodeID, n uint64) (ops []Op) {
	c := s.world.chance
	hit := func(p purpose, perMillion int) (roll, bool) {
		if perMillion == 0 {
			return 0, false
		}
		r := c.draw(p, uint64(from), uint64(to), n)
		return r.again(), r.perMillion(perMillion)
	}
	op := Op{At: s.world.now, Node: from, Peer: to, Nth: n}
	if to == raft.None {
		if _, is := hit(forReply, s.rates.loseReply); is {
			op.Kind = LoseReply
			return []Op{op}
		}
		return nil
	}
	if _, is := hit(forLoss, s.rates.drop); is {
		op.Kind = Drop
		return []Op{op}
	}
	if r, is := hit(forDelay, s.rates.delay); is {
		op.Kind, op.For = Delay, r.exponential(100*Millisecond)
		ops = append(ops, op)
	}
	if r, is := hit(forRepetition, s.rates.repeat); is {
		op.Kind, op.For = Duplicate, r.exponential(20*Millisecond)
		ops = append(ops, op)
	}
	if r, is := hit(forReplay, s.rates.replay); is {
		op.Kind, op.For = Duplicate, r.between(Second, 3*Minute)>>r.again().below(3)
		op.Mode = "late"
		ops = append(ops, op)
		op.Mode = ""
	}
	if r, is := hit(forCorruption, s.rates.corrupt); is {
		op.Kind, op.For = Corrupt, 0
		if r.below(4) == 0 {
			op.Mode = "cut"
		}
		ops = append(ops, op)
	}
	return ops
}
