package sim

import (
	"fmt"
	"slices"
	"strconv"
)

// counter is what is known of a key that is incremented only. Nothing else tells as plainly whether each
// command took effect once: the number at the end is how many did.
type counter struct {
	key     string
	done    int // that somebody was told
	unknown int // that may have been done or not
	again   int // that were done once more, as their key had been forgotten
}

func (h *history) counter(key string) *counter {
	at := slices.IndexFunc(h.counters, func(c *counter) bool { return c.key == key })
	if at < 0 {
		h.counters = append(h.counters, &counter{key: key})
		at = len(h.counters) - 1
	}
	return h.counters[at]
}

// counts holds the number that a counter has in the end against what clients were told.
func (h *history) counts(m Moment, c *counter, number int) {
	most := c.done + c.unknown + c.again
	for _, p := range h.open {
		if p.Kind == Increment && p.Key == c.key {
			most++
		}
	}
	if number < c.done || number > most {
		h.report(ExactlyOnce, fmt.Sprintf("counter %s is %d; %d increments were acknowledged, of %d nobody "+
			"knows, and %d were done again as their key had been forgotten", c.key, number, c.done,
			most-c.done-c.again, c.again),
			Witness{Moment: m, Fact: fmt.Sprintf("it must lie from %d to %d", c.done, most)})
	}
}

// counted demands that every counter is what its increments come to.
func (w *World) counted() {
	for _, c := range w.history.counters {
		for _, s := range w.live() {
			store, is := s.machine.(readableMachine)
			if !is {
				return
			}
			item, _, found := store.Read(c.key)
			number, err := strconv.Atoi(string(item.Value))
			if found && err != nil {
				w.fail(ExactlyOnce, "n%v holds %q in the counter %s", s.id, shown(item.Value), c.key)
				return
			}
			w.history.counts(w.moment(), c, number)
		}
	}
	if w.violation == nil {
		w.violation = w.history.violation()
	}
}
