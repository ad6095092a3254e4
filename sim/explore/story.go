package explore

import (
	"fmt"
	"slices"
	"strings"
)

// Violation is a property that does not hold, with the shortest way to the world in which it does not.
type Violation struct {
	Property string
	Sentence string
	Depth    int
	Story    string // one action a line, each with what the server decided
}

// Error is the sentence and the story.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s does not hold after %d actions: %s\n%s", v.Property, v.Depth, v.Sentence, v.Story)
}

// story retells how a world was reached, and the last action that broke a property.
func (e *explorer) story(number uint32, last action, v *violation) error {
	actions := []action{last}
	for number != 0 {
		actions = append(actions, e.parents[number].action)
		number = e.parents[number].world
	}
	slices.Reverse(actions)
	var b strings.Builder
	w := e.first
	w.mail = slices.Clone(w.mail)
	fmt.Fprintf(&b, "Three servers, %v.\n", e.start)
	for i, a := range actions {
		e.retell(&b, &w, a, i+1)
	}
	return &Violation{Property: v.Property, Sentence: v.Sentence, Depth: len(actions), Story: b.String()}
}

// retell writes one action, and takes it.
func (e *explorer) retell(b *strings.Builder, w *world, a action, n int) {
	place := a.place()
	if a.kind() <= late || a.kind() == duplicate || a.kind() == lose {
		place = int(e.post.letters[a.letter()].To) - 1
	}
	s := e.servers[w.servers[place]]
	fmt.Fprintf(b, "%3d. %s.\n", n, e.tell(a, s))
	if a.kind() == lose {
		w.take(a.letter())
		return
	}
	st, wrong := e.step(s, a)
	for _, event := range st.events {
		fmt.Fprintf(b, "       %v: %v\n", s.id, event)
	}
	if wrong != nil {
		return
	}
	from := *w
	from.mail = slices.Clone(w.mail)
	w.become(&from, a, place, e.outcome(w.servers[place], a))
}
