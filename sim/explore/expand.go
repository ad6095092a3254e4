package explore

import "balsa/raft"

// expand takes every action that is possible in a world.
func (e *explorer) expand(w *world, number uint32) error {
	for i := range w.mail {
		if i > 0 && w.mail[i] == w.mail[i-1] {
			continue
		}
		if err := e.expandLetter(w, number, w.mail[i]); err != nil {
			return err
		}
	}
	for place := range w.size {
		if number == 0 && place > 0 && e.start.Name == Fresh {
			break // all alike
		}
		if err := e.expandServer(w, number, place); err != nil {
			return err
		}
	}
	return nil
}

func (e *explorer) expandLetter(w *world, number, n uint32) error {
	l := e.post.letters[n]
	place := int(l.To) - 1
	actions := [4]action{onLetter(deliver, n)}
	count := 1
	if s := e.servers[w.servers[place]]; l.asksForVote() && s.hears() {
		actions[count] = onLetter(late, n)
		count++
	}
	for _, k := range [...]kind{duplicate, lose} {
		if int(w.used[k]) < e.limits[k] {
			actions[count] = onLetter(k, n)
			count++
		}
	}
	for _, a := range actions[:count] {
		if err := e.take(w, number, a, place); err != nil {
			return err
		}
	}
	return nil
}

// hears reports whether a follower would refuse its vote because it hears a leader.
func (s *server) hears() bool {
	ticks, hears := s.core.Contact()
	return s.role == raft.Follower && hears && ticks < electionMin
}

func (e *explorer) expandServer(w *world, number uint32, place int) error {
	s := e.servers[w.servers[place]]
	try := func(k kind, detail int, possible bool) error {
		if !possible || k >= duplicate && int(w.used[k]) >= e.limits[k] {
			return nil
		}
		return e.take(w, number, onServer(k, place, detail), place)
	}
	leads := s.role == raft.Leader
	if err := try(persist, 0, len(s.writes) > 0); err != nil {
		return err
	}
	// A candidate whose own vote is not durable only waits on.
	if err := try(timeout, 0, s.role != raft.Candidate || s.hard.Term == s.term); err != nil {
		return err
	}
	if err := try(heartbeat, 0, leads); err != nil {
		return err
	}
	if err := try(propose, int(w.used[propose]), leads); err != nil {
		return err
	}
	for kept := range len(s.writes) + 1 {
		if err := try(crash, kept, true); err != nil {
			return err
		}
	}
	return nil
}

// take takes one action, and visits where it leads.
func (e *explorer) take(w *world, number uint32, a action, place int) error {
	to := &e.scratch
	if a.kind() == lose {
		to.become(w, a, place, &outcome{next: w.servers[place]})
		to.take(a.letter())
	} else {
		o := e.outcome(w.servers[place], a)
		if o.wrong != nil {
			return e.story(number, a, o.wrong)
		}
		if e.idle(w.servers[place], a, o) {
			e.report.Idle++
			return nil // it might as well stay under way: nothing can happen without it that cannot with it
		}
		to.become(w, a, place, o)
		to.history = e.ledger.after(w.history, e.servers[o.next])
		e.forget(to, place, o.sent)
	}
	e.report.Transitions++
	e.report.Actions[a.kind()]++
	if v := e.visit(to, parent{number, a}); v != nil {
		return e.story(number, a, v)
	}
	return nil
}

// idle reports whether an action is an arrival that changes nothing.
func (e *explorer) idle(before uint32, a action, o *outcome) bool {
	arrival := a.kind() == deliver || a.kind() == late || a.kind() == duplicate
	return arrival && o.next == before && len(o.sent) == 0 && !e.habits.plain
}

// outcome returns what an action does to a server, computed once.
func (e *explorer) outcome(number uint32, a action) *outcome {
	if a.kind() == duplicate { // to the receiver it is an arrival
		a = onLetter(deliver, a.letter())
	}
	key := uint64(number)<<32 | uint64(a)
	if n, known := e.known[key]; known {
		return &e.outcomes[n]
	}
	e.known[key] = uint32(len(e.outcomes))
	e.outcomes = append(e.outcomes, e.compute(e.servers[number], a))
	return &e.outcomes[len(e.outcomes)-1]
}

func (e *explorer) compute(s *server, a action) outcome {
	st, wrong := e.step(s, a)
	if wrong != nil {
		return outcome{wrong: wrong}
	}
	o := outcome{next: e.number(st.server)}
	for _, l := range st.sent {
		n, err := e.post.number(s.id, l)
		if err != nil {
			return outcome{wrong: broken("Messages can be read", "%v", err)}
		}
		o.sent = append(o.sent, n)
	}
	return o
}

// number returns the number of a server's state.
func (e *explorer) number(s *server) uint32 {
	digest := s.digest()
	if e.habits.plain {
		digest = mix(digest, s.core.Digest())
	}
	n, known := e.numbers[digest]
	if !known {
		n = uint32(len(e.servers))
		e.numbers[digest] = n
		e.servers = append(e.servers, s)
	}
	return n
}
