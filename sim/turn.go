package sim

import "balsa/replica"

// turn is what a server has taken without beginning the work that follows, as the loop of a node does with
// all that waits for it. It ends with the moment in which it began, or, where Options.Turn is not 0, perhaps
// later: then other servers, messages and the server's own ticks come between two events of one turn. What
// an event only notes down for the work behind it must survive that.
type turn struct {
	steps   int    // since its work was begun for the last time
	pending uint64 // the latest event whose work has not begun; 0 when there is none
	longer  bool   // the turn ends by an appointment, not with the moment
	turns   uint64 // so many were begun in this life
}

// longestTurn bounds what is drawn, and what is left when all has healed: much less than an election timeout.
const longestTurn = 5 * Millisecond

// step feeds an event to the server. The work that follows from it begins when the turn ends: at once, or
// when the server has taken all that has come in the same moment, after a stall much, or some time later.
func (s *server) step(cause uint64, e replica.Event) {
	w := s.world
	s.engine.Step(s.clock.read(w.now), e)
	s.steps++
	begins := s.pending == 0
	if _, ticks := e.(replica.Awake); ticks && s.longer {
		w.saw(sawTickWithin)
	}
	s.pending = max(cause, 1)
	if begins {
		s.turns++
		if long := s.turnLength(); long > 0 {
			s.longer = true
			w.push(due{at: w.now + long, task: turnEnds, node: s.id, life: s.life, cause: cause})
		}
	}
	switch {
	case s.longer:
	case w.momentEnds():
		s.work(cause)
	case begins:
		w.pending = append(w.pending, s)
	}
}

// turnLength draws how long the turn takes that begins: one in four is longer than its moment.
func (s *server) turnLength() Time {
	longest := s.world.options.Turn
	if longest == 0 {
		return 0
	}
	r := s.world.chance.draw(forTurn, uint64(s.id), uint64(s.life), s.turns)
	if r.below(4) > 0 {
		return 0
	}
	return r.again().between(1, longest)
}

// work ends the turn, and begins what the server wants done.
func (s *server) work(cause uint64) {
	s.pending, s.longer = 0, false
	work := s.engine.Work()
	s.world.look(s)
	s.world.leave(s, work)
	for _, w := range work {
		if s.up() {
			s.take(cause, w)
		}
	}
}

// momentEnds reports whether nothing more is due at this very time.
func (w *World) momentEnds() bool { return w.queue.empty() || w.queue.next() > w.now }

// endTurns has every server whose turn ends with this moment begin its work.
func (w *World) endTurns() {
	waited := len(w.pending)
	for _, s := range w.pending[:waited] {
		if s.up() && s.pending > 0 && !s.longer {
			w.trying(s, func() { s.work(s.pending) })
		}
	}
	w.pending = append(w.pending[:0], w.pending[waited:]...) // its memory serves again
}
