package sim

import (
	"fmt"

	"balsa/raft"
	"balsa/replica"
)

// Clients that ask again (thesis §6.3). Under a key, or a number of a session, a command can be asked for
// again when nobody knows what became of it: at the same server or at another one, it is done once. The
// history sees one operation, from the first call to the last answer.

// Repetition is what clients do that ask again, and what of it lasts for a time only.
type Repetition struct {
	InSessions  int  `json:"inSessions,omitempty"`  // of a hundred clients: write in sessions
	UnderKeys   int  `json:"underKeys,omitempty"`   // of a hundred clients: each write has a key of its own
	Retries     int  `json:"retries,omitempty"`     // how often those ask again at most
	SessionLife Time `json:"sessionLife,omitzero"`  // how long a session lasts unused
	KeyLife     Time `json:"keyLife,omitzero"`      // how long a key is remembered
	Increments  int  `json:"increments,omitempty"`  // of a hundred requests: are for counters
	LastingPuts int  `json:"lastingPuts,omitempty"` // of a hundred requests: are for keys that may go away
	Lasting     Time `json:"lasting,omitzero"`      // how long these last, about
	// How much servers remember; 0: what they do in a real cluster.
	MostSessions int `json:"mostSessions,omitempty"` // that are open
	MostNumbers  int `json:"mostNumbers,omitempty"`  // of a session
	MostKeys     int `json:"mostKeys,omitempty"`
}

// remembered are the bounds on what servers remember, the same ones on each.
func (o *Repetition) remembered() replica.Limits {
	return replica.Limits{Sessions: o.MostSessions, Numbers: o.MostNumbers, Keys: o.MostKeys}
}

func (o *Repetition) check(demand func(holds bool, format string, args ...any)) {
	percent := func(n int) bool { return n >= 0 && n <= 100 }
	demand(percent(o.InSessions) && percent(o.UnderKeys) && o.InSessions+o.UnderKeys <= 100 &&
		percent(o.Increments) && percent(o.LastingPuts), "inSessions %d and underKeys %d, increments %d, "+
		"lastingPuts %d: of a hundred each, the first two together", o.InSessions, o.UnderKeys, o.Increments,
		o.LastingPuts)
	demand(o.Retries >= 0 && o.Retries <= 1000, "retries is %d, it must lie from 0 to 1000", o.Retries)
	demand(min(o.MostSessions, o.MostNumbers, o.MostKeys) >= 0 && o.MostSessions <= mostSessions &&
		o.MostNumbers <= windowOfNumbers && o.MostKeys <= mostKeys,
		"mostSessions %d (0 to %d), mostNumbers %d (0 to %d), mostKeys %d (0 to %d)", o.MostSessions,
		mostSessions, o.MostNumbers, windowOfNumbers, o.MostKeys, mostKeys)
	longest, shortest := max(o.SessionLife, o.KeyLife, o.Lasting), min(o.SessionLife, o.KeyLife, o.Lasting)
	demand(longest <= 1000*Hour && shortest >= 0 &&
		(o.SessionLife > 0 || o.InSessions == 0) && (o.KeyLife > 0 || o.UnderKeys == 0) &&
		(o.Lasting > 0 || o.LastingPuts == 0),
		"sessionLife, keyLife and lasting are needed for what is used, and must not exceed 1000h")
}

// repetition is where a client stands with what it asks again.
type repetition struct {
	manner  replica.OnceKind // Plain, InSession or UnderKey
	session raft.Index       // 0: it has none
	number  uint64           // of its latest command
	key     string           // of its latest command
	tries   int              // of the operation that is open
	doubt   bool             // an earlier one of them may have been done
	owed    bool             // one of them came to no answer that a server should have given, see healing
}

// settleManner draws once and for all how a client writes.
func (c *client) settleManner() {
	o := &c.world.options
	if o.InSessions+o.UnderKeys == 0 || c.silent {
		return
	}
	switch n := int(c.world.chance.draw(forOnce, uint64(c.id), 0, 0).below(100)); {
	case n < o.InSessions:
		c.manner = replica.InSession
	case n < o.InSessions+o.UnderKeys:
		c.manner = replica.UnderKey
	}
}

// vary makes another request of one that was drawn, for what lasts or counts.
func (c *client) vary(op *Operation, r roll) {
	o := &c.world.options
	if !c.world.readable() || o.Increments+o.LastingPuts == 0 {
		return
	}
	slot := mix(uint64(r), 8) % uint64(o.Keys)
	switch n := int(mix(uint64(r), 9) % 100); {
	case n < o.Increments:
		op.Key = fmt.Sprintf("%s%d", counterPrefix, slot)
		if op.Kind != Get {
			op.Kind, op.Value = Increment, nil
		}
	case n < o.Increments+o.LastingPuts:
		op.Key = fmt.Sprintf("%s%d", lastingPrefix, slot)
		if op.Kind == Put && mix(uint64(r), 10)%4 > 0 {
			op.TTL = raft.Time(roll(mix(uint64(r), 11)).between(o.Lasting/2, 2*o.Lasting))
		}
	}
}

// inItsManner has a write go in the client's session, or under a key. A client without a session opens one
// first; one in 32 writes is given up to close it, or the session is just never used again. And one in 32 is
// a mistake: it comes under the number, or key, of the command before it, or under a number of long ago.
func (c *client) inItsManner(op *Operation, r roll) {
	o, reuses := &c.world.options, mix(uint64(r), 14)%32 == 0
	switch {
	case op.Kind == Get || c.manner == replica.Plain:
	case c.manner == replica.UnderKey:
		if c.key == "" || !reuses {
			c.key = fmt.Sprintf("c%d-%d", c.id, c.n)
		}
		op.Once = replica.Once{What: replica.UnderKey, Key: c.key, TTL: raft.Time(o.KeyLife)}
	case c.session == 0:
		*op = Operation{Kind: Opening, Node: op.Node,
			Once: replica.Once{What: replica.OpenSession, TTL: raft.Time(o.SessionLife)}}
	case mix(uint64(r), 12)%64 == 0:
		*op = Operation{Kind: Closing, Node: op.Node,
			Once: replica.Once{What: replica.CloseSession, Session: c.session}}
		c.session = 0
	default:
		if c.number == 0 || !reuses {
			c.number++
		}
		op.Once = replica.Once{What: replica.InSession, Session: c.session, Number: c.number}
		if window := uint64(o.MostNumbers); reuses && window > 0 && c.number > window {
			op.Once.Number -= window // which is just forgotten, if every number was carried out
		}
		if mix(uint64(r), 13)%64 == 0 { // the last one: the session is abandoned
			c.session = 0
		}
	}
}

// share is how long a client waits for the answer to one attempt.
func (c *client) share() Time {
	w := c.world
	if c.open.repeatable() {
		return w.options.Patience / Time(w.options.Retries+1)
	}
	return w.options.Patience
}

// askAgain asks for the same thing once more if an attempt has not led to its end, and reports whether it
// does. Half of the time it goes to whoever it takes for the leader.
func (c *client) askAgain(cause uint64, r *Reply) bool {
	w := c.world
	if r.Outcome == Unknown {
		s := w.servers[c.open.Node-1]
		c.doubt, c.owed = true, c.owed || w.takesPart(s) && !s.excused(c.open)
	}
	if r.Outcome == No && c.doubt {
		r.Outcome = Unknown // of this attempt alone it is known that it was not done
	}
	ended := r.Outcome == OK || r.Gone || r.Reused
	if ended || c.manner == replica.Plain || !c.open.repeatable() || c.tries >= w.options.Retries {
		return false
	}
	c.tries++
	c.n++
	was := c.open.Node
	c.open.Node = c.leader
	if roll := w.chance.draw(forOnce, uint64(c.id), 0, c.n); roll.below(2) == 0 {
		c.open.Node = raft.NodeID(roll.again().below(uint64(len(w.servers))) + 1)
	}
	if c.open.Node != was {
		w.saw(sawElsewhere)
	}
	c.send(cause, w.chance.draw(forThinking, uint64(c.id), 1, c.n).between(0, c.share()/2))
	return true
}

// remember keeps what an answer says about the client's session.
func (c *client) remember(op *Operation) {
	switch {
	case op.Gone:
		c.session = 0
	case op.Kind == Closing && op.Outcome == OK && op.Once.Session == c.session:
		c.session = 0
	case op.Kind == Opening && op.Outcome == OK:
		c.session, c.number = op.Revision, 0
	}
}
