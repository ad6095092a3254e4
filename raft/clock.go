package raft

import "math"

// clock turns the driver's time into log time (Entry.Time), which is the same on every server because it is
// part of the log. It never goes back: a new leader whose clock lies behind the last entry's time adds the
// difference to every later reading, so that it neither goes back nor stands still until the clock has
// caught up.
type clock struct {
	now    Time
	behind Time
}

// catchUp is called when this server becomes leader of a log whose last entry is of that time.
func (k *clock) catchUp(last Time) {
	k.behind = 0
	if last > k.now {
		k.behind = last - k.now
	}
}

// logTime stops at the highest time there is: an entry may bear any time, and the sum must not turn negative.
func (k *clock) logTime() Time {
	if k.now > math.MaxInt64-k.behind {
		return math.MaxInt64
	}
	return k.now + k.behind
}
