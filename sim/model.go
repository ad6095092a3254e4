package sim

import (
	"math"
	"slices"
	"strconv"

	"balsa/raft"
)

// model is the map as the checks of the history imagine it: small, written without a look at kv, and with all
// its past, for a server that lags may answer from any revision. It keeps a hash of each value, not the
// value: a run may write gigabytes.
type model struct {
	next raft.Time             // none of dues is due before
	dues []lastingKey          // in no order
	keys map[string]*[]version // looked up, never walked: its order is nobody's business
}

// version is what a key holds from an entry on, until its next version.
type version struct {
	from    raft.Index
	present bool
	value   uint64    // its hash
	number  int64     // of a counter
	expires raft.Time // 0: never
}

// effect is what a write does to the map, and so what its client must be told.
type effect struct {
	created, deleted bool
	changed          bool
	number           int64 // of a counter, now
}

func newModel() model { return model{keys: map[string]*[]version{}} }

// write performs the write that is committed at an index above all before it, at a log time. value is the
// hash of what is put.
func (m *model) write(index raft.Index, now raft.Time, op *Operation, value uint64) effect {
	if op.Kind == Opening || op.Kind == Closing {
		return effect{}
	}
	past := m.keys[op.Key]
	if past == nil {
		past = new([]version)
		m.keys[op.Key] = past
	}
	var was version
	if len(*past) > 0 {
		was = (*past)[len(*past)-1]
	}
	next := version{from: index, present: op.Kind != Delete}
	switch {
	case op.Kind == Put:
		next.value = value
		if op.TTL > 0 {
			next.expires = max(now+op.TTL, 1)
			if len(m.dues) == 0 || next.expires < m.next {
				m.next = next.expires
			}
			m.dues = append(m.dues, lastingKey{op.Key, next.expires})
		}
	case op.Kind == Increment:
		next.number, next.expires = was.number+1, was.expires
		next.value = hashBytes(strconv.AppendInt(nil, next.number, 10))
	case !was.present:
		return effect{}
	}
	*past = append(*past, next)
	return effect{created: next.present && !was.present, deleted: !next.present, changed: true,
		number: next.number}
}

// lastingKey is a key that was put for a time.
type lastingKey struct {
	key string
	at  raft.Time
}

// expire lets the keys go that are due at the time of an entry, before the entry itself does anything, and
// reports whether there was one.
func (m *model) expire(index raft.Index, now raft.Time) (any bool) {
	if len(m.dues) == 0 || now < m.next {
		return false
	}
	m.next = math.MaxInt64
	m.dues = slices.DeleteFunc(m.dues, func(d lastingKey) bool {
		if d.at > now {
			m.next = min(m.next, d.at)
			return false
		}
		past := m.keys[d.key]
		if last := (*past)[len(*past)-1]; last.present && last.expires == d.at {
			*past, any = append(*past, version{from: index}), true
		}
		return true
	})
	return any
}

// read returns what a key holds after the entry at an index; the zero version if nothing ever was there.
func (m *model) read(key string, at raft.Index) version {
	past := m.keys[key]
	if past == nil {
		return version{}
	}
	after, _ := slices.BinarySearchFunc(*past, at, func(v version, at raft.Index) int {
		if v.from <= at {
			return -1
		}
		return 1
	})
	if after == 0 {
		return version{}
	}
	return (*past)[after-1]
}
