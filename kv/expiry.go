package kv

import (
	"cmp"
	"math"

	"github.com/tidwall/btree"

	"balsa/raft"
)

// Keys with a time to live. They go by log time, which is part of the log: a store that looked at a clock
// would drop a key that another still has, and the two would answer the same increment differently. So a key
// goes when an entry whose time has come to its expiry is applied, and not before; when no entry comes, it is
// the leader's business to append one (NextExpiry says when).

// NextExpiry returns the log time at which the next key is due, if any key has a time to live.
func (s *Store) NextExpiry() (at raft.Time, any bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	first, any := s.dues.tree.Min()
	return first.at, any
}

// Expire removes every key that is due at the entry's time. It is called with each entry before the entry
// is applied, whatever its kind; entries that are not for the map make keys go too. If it removes any key,
// the revision is the entry's index. It belongs to the calls that one caller makes at a time.
func (s *Store) Expire(e raft.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(e)
}

func (s *Store) expire(e raft.Entry) {
	for {
		first, any := s.dues.tree.Min()
		if !any || first.at > e.Time {
			return
		}
		s.dues.tree.PopMin()
		s.remove(first.key, Revision(e.Index))
	}
}

// expiry is when a key goes that is written at a time and is to live for so long. It is above zero, which
// would mean never, and stops at the last time there is instead of wrapping around to the past.
func expiry(now raft.Time, ttl int64) raft.Time {
	if now > math.MaxInt64-raft.Time(ttl) {
		return math.MaxInt64
	}
	return max(now+raft.Time(ttl), 1)
}

// dues are the keys that have a time to live, the next one to go first. They follow from the items, so
// snapshots do not hold them.
type dues struct{ tree *btree.BTreeG[due] }

type due struct {
	at  raft.Time
	key string
}

func duesOf(v View) dues {
	before := func(a, b due) bool {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) < 0
	}
	d := dues{btree.NewBTreeGOptions(before, btree.Options{NoLocks: true})}
	for key, item := range v.From("") {
		d.move(key, 0, item.Expires)
	}
	return d
}

// move notes that a key now goes at another time; 0 is never.
func (d dues) move(key string, from, to raft.Time) {
	if from == to {
		return
	}
	if from != 0 {
		d.tree.Delete(due{from, key})
	}
	if to != 0 {
		d.tree.Set(due{to, key})
	}
}
