package sim

import "balsa/replica"

// flights is what was begun and has not ended: at most one work of each kind.
type flights struct {
	write     *replica.Write
	onMachine replica.Work // Apply, Capture or Restore
	save      *replica.Save
	reading   *replica.ReadChunk
	storing   *replica.StoreChunk
}

// longestApply bounds how long an apply takes, however slow the machine: what is under way when all has
// healed must end before liveness is demanded.
const longestApply = 20 * Second

// take begins a piece of work.
func (s *server) take(cause uint64, w replica.Work) {
	switch w := w.(type) {
	case replica.Write:
		if s.write != nil {
			s.world.fail(Assertion, "n%v asks for a write while another one is under way", s.id)
		}
		s.write, s.store.sealed = &w, false
		s.world.swarm.noticeMoment(s, writes)
		if w.Release != 0 || w.Restart.Index != 0 {
			s.world.swarm.noticeMoment(s, releases)
		}
		s.store.writes++
		s.world.push(due{at: s.world.now + s.diskTime(s.store.writes), task: write, node: s.id, life: s.life,
			cause: cause, n: uint64(w.Number)})
	case replica.Apply, replica.Capture, replica.Restore:
		s.takeOnMachine(cause, w)
	case replica.Save, replica.ReadChunk, replica.StoreChunk:
		s.takeOnSnapshots(cause, w)
	case replica.Send:
		s.world.send(s, cause, w.Envelope)
		if s.trouble.lastSends > 0 {
			if s.trouble.lastSends--; s.trouble.lastSends == 0 {
				s.world.saw(sawBrokenSend)
				s.die(cause, false, "it ends between two messages")
			}
		}
	case *replica.Answer:
		s.answer(cause, *w)
	case replica.Route:
		s.routes = w.Members
	case replica.Report:
		for _, e := range w.Events {
			s.world.note(Record{Kind: Decided, Cause: cause, Node: s.id, Event: e})
		}
	case replica.Stop:
		if !s.mayStop(w.Err) {
			s.world.fail(Assertion, "n%v stops by itself, for a reason that it was not given: %v", s.id,
				w.Err)
		}
		s.world.sawStop(w.Err)
		s.die(cause, false, "it stops: "+w.Err.Error())
	}
}

// takeOnMachine begins work on the state machine. To capture it takes no time to speak of.
func (s *server) takeOnMachine(cause uint64, w replica.Work) {
	if s.onMachine != nil {
		s.world.fail(Assertion, "n%v asks for %T on its machine while %T is under way", s.id, w, s.onMachine)
	}
	s.onMachine = w
	o, n := &s.world.options, uint64(0)
	took := o.Apply
	switch w := w.(type) {
	case replica.Apply:
		n = uint64(len(w.Entries))
		took = o.Apply.times(int64(n)).times(max(s.trouble.applySlow, 1))
	case replica.Capture:
		s.world.swarm.noticeMoment(s, captures)
	case replica.Restore:
		s.world.swarm.noticeMoment(s, restores)
		took = s.keepTime(uint64(w.Snapshot.Last.Index)<<3 | 1)
	}
	took = min(s.slowed(took), longestApply)
	s.world.push(due{at: s.world.now + took, task: apply, node: s.id, life: s.life, cause: cause, n: n})
}

// takeOnSnapshots begins work on the snapshots.
func (s *server) takeOnSnapshots(cause uint64, w replica.Work) {
	d := due{node: s.id, life: s.life, cause: cause}
	busy, nth := false, uint64(0)
	switch w := w.(type) {
	case replica.Save:
		s.world.swarm.noticeMoment(s, saves)
		busy, d.task, nth = s.save != nil, save, uint64(w.Snapshot.Last.Index)<<3|2
		s.save = &w
	case replica.ReadChunk:
		busy, d.task, nth = s.reading != nil, readChunk, uint64(w.Letter.Sequence)<<3|3
		s.reading = &w
	case replica.StoreChunk:
		s.world.swarm.noticeMoment(s, chunks)
		busy, d.task, nth = s.storing != nil, storeChunk, uint64(w.Chunk.Sequence)<<3|4
		s.storing = &w
	}
	if busy {
		s.world.fail(Assertion, "n%v asks for %T while another one is under way", s.id, w)
	}
	d.at = s.world.now + min(s.slowed(s.keepTime(nth)), longestApply)
	s.world.push(d)
}

// keepTime is how long a work on snapshots takes.
func (s *server) keepTime(n uint64) Time {
	r := s.world.chance.draw(forSnapshot, uint64(s.id), uint64(s.life), n)
	return r.exponential(s.world.options.Keeping).times(max(s.trouble.keepSlow, 1))
}
