package sim

import (
	"cmp"
	"container/heap"
	"container/list"
	"fmt"
	"math"
	"slices"

	"balsa/raft"
	"balsa/replica"
)

// table is what the checks know of sessions and keys (thesis §6.3): which entry carries a command out, and
// which one only repeats it. It is fed with the committed entries alone, so it is what every server must come
// to, whatever it has been through. It is written without a look at how servers do it. The bounds on bytes
// are left out: no run comes near those.
type table struct {
	bounds   replica.Limits
	sessions map[raft.Index]*lasting // these two are looked up, never walked
	keys     map[string]*lasting
	unused   *list.List // of sessions: the one that was not used for the longest time is the first
	ends     deadlines
}

// lasting is a session, or a key, which is a session with one command.
type lasting struct {
	session raft.Index
	key     string
	ttl     raft.Time
	used    raft.Time
	floor   uint64 // numbers up to it are forgotten
	carried []carried
	over    bool
	place   *list.Element // of a session, in table.unused
}

// carried is a command that was carried out, by number.
type carried struct {
	number  uint64
	at      raft.Index
	command uint64 // its hash
}

// The bounds where a run sets no others: how many sessions there are, how many commands of one are
// remembered, and how many keys.
const (
	mostSessions    = 1 << 14
	windowOfNumbers = 256
	mostKeys        = 1 << 17
)

// verdict is what an entry must come to on every server.
type verdict struct {
	fate    entryFate
	first   raft.Index // of repeats: the entry that the command was carried out in
	expired int        // how many sessions and keys end at this entry, by its time
	pushed  bool       // it opens a session, and another one ends to make room
}

// entryFate is what becomes of a command.
type entryFate uint8

const (
	byItself    entryFate = iota // whatever its kind does by itself
	carriesOut                   // of a session or key, for the first time
	repeats                      // it was carried out before
	isGone                       // whether it was nobody knows any more
	isReused                     // its number, or key, stands for another command
	isForgotten                  // its number lies below those that its session remembers
	isTooMany                    // its key is new, and there is no room for another
	arranges                     // opens or closes a session
	passesTime                   // brings nothing but its time
)

func newTable(l replica.Limits) table {
	bounds := replica.Limits{Sessions: cmp.Or(l.Sessions, mostSessions),
		Numbers: cmp.Or(l.Numbers, windowOfNumbers), Keys: cmp.Or(l.Keys, mostKeys)}
	return table{bounds: bounds, sessions: map[raft.Index]*lasting{}, keys: map[string]*lasting{},
		unused: list.New()}
}

// enter takes the next committed entry. asked is what identifies the request for it (askedFor); 0 if no
// client's. A command that cannot be read is nobody's.
func (t *table) enter(e *raft.Entry) (v verdict, asked uint64) {
	v.expired = t.expire(e.Time)
	switch e.Kind {
	case raft.Normal:
		return v, askedFor(replica.Once{}, e.Command)
	case raft.Session:
	default:
		return v, 0
	}
	o, command, err := replica.DecodeOnce(e.Command)
	switch {
	case err != nil:
		return v, 0
	case o.What > replica.UnderKey:
		v.fate = passesTime
		return v, 0
	}
	before := len(t.sessions)
	v.fate, v.first = t.judge(e, o, hashBytes(command))
	v.pushed = o.What == replica.OpenSession && len(t.sessions) == before
	return v, askedFor(o, command)
}

// askedFor stands for a request, by which an entry is known to be its own: equal commands are told apart by
// the number or key that they come under, and by nothing else. It is 0 for no command at all.
func askedFor(o replica.Once, command []byte) uint64 {
	if o.What == replica.Plain && len(command) == 0 {
		return 0
	}
	h := hashBytes(command)
	if o.What == replica.Plain {
		return h
	}
	h = mix(mix(h, uint64(o.What)), uint64(o.Session))
	return mix(mix(h, o.Number), hashBytes([]byte(o.Key)))
}

func (t *table) judge(e *raft.Entry, o replica.Once, command uint64) (entryFate, raft.Index) {
	switch o.What {
	case replica.OpenSession:
		if len(t.sessions) >= t.bounds.Sessions {
			t.remove(t.unused.Front().Value.(*lasting))
		}
		s := &lasting{session: e.Index, ttl: o.TTL, used: e.Time}
		s.place = t.unused.PushBack(s)
		t.sessions[e.Index] = s
		heap.Push(&t.ends, lastMoment{s.ends(), s})
		return arranges, 0
	case replica.CloseSession:
		s := t.sessions[o.Session]
		if s == nil {
			return isGone, 0
		}
		t.remove(s)
		return arranges, 0
	case replica.UnderKey:
		return t.underKey(e, o, command)
	}
	s := t.sessions[o.Session]
	if s == nil {
		return isGone, 0
	}
	fate, first := s.carry(e, o.Number, command, t.bounds.Numbers)
	if fate != isReused {
		t.unused.MoveToBack(s.place)
	}
	return fate, first
}

func (t *table) underKey(e *raft.Entry, o replica.Once, command uint64) (entryFate, raft.Index) {
	s := t.keys[o.Key]
	if s == nil && len(t.keys) >= t.bounds.Keys {
		return isTooMany, 0
	}
	if s == nil {
		s = &lasting{key: o.Key, ttl: o.TTL, used: e.Time}
		t.keys[o.Key] = s
		heap.Push(&t.ends, lastMoment{s.ends(), s})
	}
	return s.carry(e, 1, command, 1)
}

// carry says what becomes of a numbered command, where so many are remembered. One that comes under another's
// number is no use.
func (s *lasting) carry(e *raft.Entry, number, command uint64, window int) (entryFate, raft.Index) {
	i, known := slices.BinarySearchFunc(s.carried, number, func(c carried, number uint64) int {
		if c.number < number {
			return -1
		}
		return int(min(c.number-number, 1))
	})
	if known && s.carried[i].command != command {
		return isReused, 0
	}
	s.used = max(s.used, e.Time)
	switch {
	case known:
		return repeats, s.carried[i].at
	case number <= s.floor:
		return isForgotten, 0
	}
	s.carried = slices.Insert(s.carried, i, carried{number, e.Index, command})
	if len(s.carried) > window {
		s.floor = s.carried[0].number
		s.carried = slices.Delete(s.carried, 0, 1)
	}
	return carriesOut, 0
}

// ends is the log time from which on it is not there any more, if it is not used again.
func (s *lasting) ends() raft.Time {
	if s.used > math.MaxInt64-s.ttl {
		return math.MaxInt64
	}
	return s.used + s.ttl
}

// expire ends what was not used for its time, and returns how many that were.
func (t *table) expire(now raft.Time) (n int) {
	for len(t.ends) > 0 && t.ends[0].at <= now {
		e := heap.Pop(&t.ends).(lastMoment)
		switch at := e.of.ends(); {
		case e.of.over:
		case at > now: // it was used since
			heap.Push(&t.ends, lastMoment{at, e.of})
		default:
			t.remove(e.of)
			n++
		}
	}
	return n
}

func (t *table) remove(s *lasting) {
	s.over = true
	if s.key != "" {
		delete(t.keys, s.key)
		return
	}
	delete(t.sessions, s.session)
	t.unused.Remove(s.place)
}

// lastMoment is when something ends at the earliest.
type lastMoment struct {
	at raft.Time
	of *lasting
}

// deadlines are a heap, the earliest on top.
type deadlines []lastMoment

// Len, Less, Swap, Push and Pop are those of a heap.Interface.
func (e deadlines) Len() int           { return len(e) }
func (e deadlines) Less(i, j int) bool { return e[i].at < e[j].at }
func (e deadlines) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push appends one.
func (e *deadlines) Push(x any) { *e = append(*e, x.(lastMoment)) }

// Pop takes the last.
func (e *deadlines) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// String is what becomes of the entry, for a sentence that begins with it.
func (v verdict) String() string {
	switch v.fate {
	case carriesOut:
		return "is the first with its number or key"
	case repeats:
		return fmt.Sprintf("repeats entry %d", v.first)
	case isGone:
		return "is of a session that is gone"
	case isReused:
		return "comes under a number or key of another command"
	case isForgotten:
		return "comes under a number that its session has forgotten"
	case isTooMany:
		return "comes under a new key where there is no room for one"
	case arranges:
		return "opens or closes a session"
	case passesTime:
		return "brings nothing but its time"
	}
	return "is an ordinary one"
}
