package replica

import (
	"bytes"
	"hash/crc32"
	"math"
	"slices"
	"sort"

	"balsa/raft"
)

// Sessions make a retry safe (thesis §6.3): a command that comes twice, because its first answer was lost, is
// applied once and answered twice with the same result. Without them a client that has heard nothing must
// choose between a command that may be lost and one that may be applied twice.
//
// They are a state machine in front of the other one: equal entries give equal sessions on every server, and
// they are part of every snapshot. So nothing here looks at a clock, and what bounds the memory bounds it
// everywhere alike: the bounds are constants of the format, like the layout.
//
//	opened ──▶ used, used, … ──▶ closed by its client
//	                        ├──▶ not used for ttl, by the time of the entries
//	                        └──▶ pushed out: too many, and this one was not used for the longest time
//
// A session that has ended is told to whoever names it: nobody knows any more what became of an earlier
// attempt. So it may be pushed out. A key could not tell (keys.go).

const (
	// maxSessions bounds the sessions that are open.
	maxSessions = 1 << 14
	// maxRemembered bounds the results kept for one session: those of its highest numbers.
	maxRemembered = 256
	// maxRememberedBytes bounds the results of all sessions, each counted with rememberedOverhead.
	maxRememberedBytes = 64 << 20
	rememberedOverhead = 32
)

// sessionLimits are those bounds, so that a test can reach them.
type sessionLimits struct{ sessions, numbers, bytes int }

// session is what is remembered of one client's session. A captured one is never written to again: see
// sessions.own.
type session struct {
	id      raft.Index // of the entry that opened it
	ttl     raft.Time  // how long it lasts without being used
	used    raft.Index // the entry that used it last
	usedAt  raft.Time  // the time of that entry
	floor   uint64     // numbers up to it are forgotten
	results []remembered
	era     uint64 // of the table when this record was made
}

// remembered is the first result of a numbered command. A session holds them by number. The bytes are its
// own: those of the state machine go to whoever proposed, who may write to them, and may be a small part of a
// large buffer, which no bound would count.
type remembered struct {
	number uint64
	sum    checksum // of the command
	result []byte
}

func (r remembered) size() int { return rememberedOverhead + len(r.result) }

// checksum tells whether a command that comes again under its number or key is the same one: the first
// answer would tell the caller of another that it was carried out. Of 4 billion others one passes for it.
type checksum uint32

func checksumOf(command []byte) checksum {
	return checksum(crc32.Checksum(command, crc32.MakeTable(crc32.Castagnoli)))
}

func (s *session) name() raft.Index    { return s.id }
func (s *session) ends() raft.Time     { return endOf(s.usedAt, s.ttl) }
func (s *session) lastUse() raft.Index { return s.used }

// endOf is the log time at which ends what was not used since. A sum beyond the highest time there is would
// turn negative, and end at once what was to last for ever.
func endOf(usedAt, ttl raft.Time) raft.Time {
	if usedAt > math.MaxInt64-ttl {
		return math.MaxInt64
	}
	return usedAt + ttl
}

func (s *session) find(number uint64) (at int, known bool) {
	at = sort.Search(len(s.results), func(i int) bool { return s.results[i].number >= number })
	return at, at < len(s.results) && s.results[at].number == number
}

// sessions is all of them.
type sessions struct {
	*slots[raft.Index, *session]
	limits  sessionLimits
	unused  queue // the one that was not used for the longest time is the first
	results int   // bytes
	era     uint64
}

func newSessionsWithin(limits sessionLimits) *sessions {
	t := &sessions{slots: newSlots[raft.Index, *session](), limits: limits}
	t.unused.before = func(a, b int) bool { return t.held[a].used < t.held[b].used }
	return t
}

// expire ends the sessions that were not used for their time by now, the time of an entry.
func (t *sessions) expire(now raft.Time) {
	for slot, any := t.over(now); any; slot, any = t.over(now) {
		t.remove(slot)
	}
}

// open begins a client's session, under the index of the entry.
func (t *sessions) open(e raft.Entry, ttl raft.Time) {
	t.insert(&session{id: e.Index, ttl: ttl, used: e.Index, usedAt: e.Time})
}

// close ends a client's session, and reports whether there was one.
func (t *sessions) close(id raft.Index) bool {
	slot, known := t.byName[id]
	if known {
		t.remove(slot)
	}
	return known
}

// once applies a command of a client's session. SessionGone: the session has ended, or has forgotten the
// number; whether an earlier attempt was applied is not known any more, so this one must not be. Another
// command than the number's is no use of the session, and does not prolong its life.
func (t *sessions) once(e raft.Entry, o Once, sum checksum, apply func() []byte) Result {
	slot, known := t.byName[o.Session]
	if !known {
		return Result{Fate: SessionGone}
	}
	at, known := t.held[slot].find(o.Number)
	if known && t.held[slot].results[at].sum != sum {
		return Result{Fate: KeyReused}
	}
	s := t.use(slot, e)
	switch {
	case known:
		return Result{Bytes: bytes.Clone(s.results[at].result), Replayed: true}
	case o.Number <= s.floor:
		return Result{Fate: SessionGone}
	}
	result := apply()
	s.results = slices.Insert(s.results, at, remembered{o.Number, sum, bytes.Clone(result)})
	t.results += s.results[at].size()
	if len(s.results) > t.limits.numbers {
		t.forgetFirst(s)
	}
	t.boundBytes(slot)
	return Result{Bytes: result}
}

// insert gives a new session a slot. One too many pushes out the one that was not used for the longest time,
// which is never the new one.
func (t *sessions) insert(s *session) {
	if t.count() >= t.limits.sessions {
		oldest, _ := t.unused.first()
		t.remove(oldest)
	}
	s.era = t.era
	for _, r := range s.results {
		t.results += r.size()
	}
	t.unused.push(t.take(s))
}

func (t *sessions) remove(slot int) {
	t.unused.remove(slot)
	for _, r := range t.clear(slot).results {
		t.results -= r.size()
	}
}

// use notes that an entry has used a session.
func (t *sessions) use(slot int, e raft.Entry) *session {
	s := t.own(slot)
	s.used, s.usedAt = e.Index, max(s.usedAt, e.Time)
	t.ending.moved(slot)
	t.unused.moved(slot)
	return s
}

// own returns a session that may be written to: a copy, if a capture may still be reading the present one.
func (t *sessions) own(slot int) *session {
	s := t.held[slot]
	if s.era != t.era {
		mine := *s
		mine.results, mine.era = slices.Clone(s.results), t.era
		s = &mine
		t.held[slot] = s
	}
	return s
}

// forgetFirst drops the result of a session's lowest number. From then on that number and all below it are
// gone: of one that was never seen nobody can tell any more that it was not.
func (t *sessions) forgetFirst(s *session) {
	t.results -= s.results[0].size()
	s.floor = s.results[0].number
	s.results = slices.Delete(s.results, 0, 1)
}

// boundBytes makes room for the result that was kept last: first at the cost of the sessions that were not
// used for the longest time, and of its own earlier results when it is the only one.
func (t *sessions) boundBytes(slot int) {
	for t.results > t.limits.bytes {
		if oldest, _ := t.unused.first(); oldest != slot {
			t.remove(oldest)
			continue
		}
		t.forgetFirst(t.own(slot))
	}
}

// capture returns the sessions as they are now, with nil for free slots. It takes a copy of at most
// maxSessions addresses, whatever they hold: who writes to a session afterwards takes a copy of it first.
func (t *sessions) capture() []*session {
	t.era++
	return t.now()
}
