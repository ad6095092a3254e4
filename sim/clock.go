package sim

import "balsa/raft"

// clock is a server's own view of time, for one life. It never goes back, as a monotonic clock does not, but
// may run fast or slow.
type clock struct {
	since Time      // the moment to which reading belongs
	shows raft.Time // what it showed then
	rate  int64     // how many millionths of a second it counts in a second
}

// exact is the rate of a clock that runs with the world.
const exact = 1_000_000

// read returns what the clock shows at a moment not before the last one.
func (c *clock) read(now Time) raft.Time {
	passed := now - c.since
	whole, rest := int64(passed/Second), int64(passed%Second)
	return c.shows + raft.Time(whole*c.rate*1000+rest*c.rate/exact)
}

// set makes it run at another rate from now on, and jump ahead.
func (c *clock) set(now Time, rate int64, ahead Time) {
	c.shows = c.read(now) + raft.Time(ahead)
	c.since, c.rate = now, rate
}

// until returns how long the world waits until the clock has counted so much.
func (c *clock) until(t raft.Time) Time {
	return Time(int64(t)/c.rate*exact) + Time(int64(t)%c.rate*exact/c.rate)
}

// frozen is the rate of a clock that stands still, nearly.
const frozen = 1000

// setClock sets a server's clock, and has its next tick come when the clock now says so.
func (w *World) setClock(s *server, rate int64, ahead Time) {
	s.clock.set(w.now, rate, ahead)
	due := w.queue.take(func(d *due) bool { return d.task == awake && d.node == s.id && d.life == s.life })
	for _, d := range due {
		d.at = min(d.at, w.now+s.clock.until(raft.Time(w.options.Tick)))
		w.push(d)
	}
}

// clockName tells the operations on clocks apart.
func (o Op) clockName() string {
	switch {
	case o.Mode == "wall":
		return "clock-wall"
	case o.For > 0:
		return "clock-jump"
	case o.Value <= frozen:
		return "clock-frozen"
	}
	return "clock-rate"
}
