package sim

import (
	"errors"
	"slices"
)

// Shrinking is delta debugging (Zeller and Hildebrandt, 2002): take away what the violation does not need, as
// long as the same property is violated. Chance is keyed, so taking one operation away changes what follows
// from it and nothing else; that is why parts of a script can be tried one by one at all.

// Shrinking is how far a shrinking has come.
type Shrinking struct {
	Runs int // so far
	From int // operations of the script at the beginning
	Now  int
}

var errNothing = errors.New("the run violates nothing, so there is nothing to keep while it shrinks")

// shrinker holds the smallest run so far.
type shrinker struct {
	perform  func(Spec) (Result, error)
	stopped  func() bool
	progress func(Shrinking)
	property Property
	best     Result
	state    Shrinking
}

// Shrink returns a smaller run that violates the same property, and how far that went: fewer operations, a
// shorter time, fewer clients and servers, shorter waits. It stops early when parts.Enough says so. The error
// says that the run cannot be made, or violates nothing.
func Shrink(spec Spec, parts Parts, progress func(Shrinking)) (Spec, Shrinking, error) {
	s := &shrinker{perform: func(s Spec) (Result, error) { return Perform(s, parts) }, stopped: parts.Enough,
		progress: progress}
	return s.shrink(spec)
}

func (s *shrinker) shrink(spec Spec) (Spec, Shrinking, error) {
	first, err := s.perform(spec)
	switch {
	case err != nil:
		return Spec{}, Shrinking{}, err
	case first.Violation == nil:
		return Spec{}, Shrinking{}, errNothing
	case first.Violation.Property == Unfinished:
		return Spec{}, Shrinking{}, errors.New(first.Violation.Sentence)
	}
	s.property, s.best = first.Violation.Property, first
	s.state = Shrinking{Runs: 1, From: len(first.Spec.Script)}
	s.shorten()
	s.kinds()
	for before := -1; before != s.size() && !s.enough(); {
		before = s.size()
		s.remove()
		s.fewerServers()
		s.fewerClients()
		s.hasten()
		s.shorten()
	}
	s.state.Now = len(s.best.Spec.Script)
	return s.best.Spec, s.state, nil
}

// size falls with every step that gets somewhere.
func (s *shrinker) size() int {
	o := s.best.Spec.Options
	return len(s.best.Spec.Script) + 1000*(o.Nodes+o.Clients) + int(s.best.Violation.Time/Second)
}

func (s *shrinker) enough() bool { return s.stopped != nil && s.stopped() }

// try runs a candidate, and keeps it when it violates the same property.
func (s *shrinker) try(change func(*Spec)) bool {
	if s.enough() {
		return false
	}
	candidate := s.best.Spec
	candidate.Script = slices.Clone(candidate.Script)
	change(&candidate)
	r, err := s.perform(candidate)
	s.state.Runs++
	kept := err == nil && r.Violation != nil && r.Violation.Property == s.property
	if kept {
		s.best = r
	}
	s.state.Now = len(s.best.Spec.Script)
	if s.progress != nil {
		s.progress(s.state)
	}
	return kept
}

// shorten ends the faults at the violation, with what was due after it, and leaves out the healing when the
// violation does not need it.
func (s *shrinker) shorten() {
	v := s.best.Violation
	o := s.best.Spec.Options
	if v.Time < o.Faulty {
		s.try(func(c *Spec) {
			c.Options.Faulty, c.Options.Healed = v.Time, 0
			c.Script = slices.DeleteFunc(c.Script, func(op Op) bool { return op.At > v.Time })
		})
		return
	}
	for o = s.best.Spec.Options; o.Faulty > Second; o = s.best.Spec.Options {
		if !s.try(func(c *Spec) {
			c.Options.Faulty = o.Faulty / 2
			c.Script = slices.DeleteFunc(c.Script, func(op Op) bool { return op.At > o.Faulty/2 })
		}) {
			return
		}
	}
}

// hasten takes half of each long wait away, again and again: a story is read sooner when little lies between
// its turns.
func (s *shrinker) hasten() {
	for i := range s.best.Spec.Script {
		for {
			before, op := Time(0), s.best.Spec.Script[i]
			if i > 0 {
				before = s.best.Spec.Script[i-1].At
			}
			half := (op.At - before) / 2
			if half < Second/4 || !s.try(func(c *Spec) { c.hasten(i, half) }) {
				break
			}
		}
	}
}

// hasten lets everything from an operation on happen sooner.
func (s *Spec) hasten(from int, by Time) {
	for i := range s.Script[from:] {
		s.Script[from+i].At = max(s.Script[from+i].At-by, 0)
	}
}

// kinds takes all operations of one kind away at a time: most kinds have nothing to do with a violation.
func (s *shrinker) kinds() {
	var kinds []OpKind
	for _, op := range s.best.Spec.Script {
		if !slices.Contains(kinds, op.Kind) {
			kinds = append(kinds, op.Kind)
		}
	}
	for _, kind := range kinds {
		s.try(func(c *Spec) {
			c.Script = slices.DeleteFunc(c.Script, func(op Op) bool { return op.Kind == kind })
		})
	}
}

// remove takes operations away, in pieces that become smaller, until no single one can go.
func (s *shrinker) remove() {
	for size := (len(s.best.Spec.Script) + 1) / 2; size > 0; size /= 2 {
		for changed := true; changed && !s.enough(); {
			changed = false
			// from the end: what comes last has the fewest consequences
			for to := len(s.best.Spec.Script); to > 0; to -= size {
				from := max(to-size, 0)
				gone := s.try(func(c *Spec) { c.Script = slices.Delete(c.Script, from, to) })
				changed = changed || gone && size == 1
			}
		}
	}
}

// fewerServers takes the last server away, with all that was done to it.
func (s *shrinker) fewerServers() {
	for nodes := s.best.Spec.Options.Nodes + s.best.Spec.Options.Spares; nodes > 1; nodes-- {
		if !s.try(func(c *Spec) { c.keepServers(nodes - 1) }) {
			return
		}
	}
}

// keepServers takes all servers away but the first ones.
func (s *Spec) keepServers(nodes int) {
	s.Options.Nodes = min(s.Options.Nodes, nodes)
	s.Options.Spares = nodes - s.Options.Nodes
	var kept []Op
	for _, op := range s.Script {
		links := len(op.Links)
		op.Links = slices.DeleteFunc(slices.Clone(op.Links), func(l Link) bool {
			return int(l.From) > nodes || int(l.To) > nodes
		})
		ofClient := op.Kind == LoseReply              // its node is a client
		asks := op.Kind == Propose || op.Kind == Read // and its peer is one
		there := ofClient || int(op.Node) <= nodes && (asks || int(op.Peer) <= nodes)
		if there && (links == 0 || len(op.Links) > 0) {
			kept = append(kept, op)
		}
	}
	s.Script = kept
}

// fewerClients tries none, half of them, and one less.
func (s *shrinker) fewerClients() {
	for n := s.best.Spec.Options.Clients; n > 0; n = s.best.Spec.Options.Clients {
		fewer := []int{0, n / 2, n - 1}
		at := slices.IndexFunc(fewer, func(clients int) bool {
			return clients < n && s.try(func(c *Spec) { c.Options.Clients = clients })
		})
		if at < 0 {
			return
		}
	}
}
