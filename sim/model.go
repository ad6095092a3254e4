package sim

import (
	"slices"

	"balsa/raft"
)

// model is the map as the checks of the history imagine it: small, written without a look at kv, and with all
// its past, for a server that lags may answer from any revision. It keeps a hash of each value, not the
// value: a run may write gigabytes.
type model struct {
	keys map[string]*[]version // looked up, never walked: its order is nobody's business
}

// version is what a key holds from an entry on, until its next version.
type version struct {
	from    raft.Index
	present bool
	value   uint64 // its hash
}

// effect is what a write does to the map, and so what its client must be told.
type effect struct {
	created, deleted bool
	changed          bool
}

func newModel() model { return model{keys: map[string]*[]version{}} }

// write performs the write that is committed at an index above all before it.
func (m *model) write(index raft.Index, kind OperationKind, key string, value uint64) effect {
	past := m.keys[key]
	if past == nil {
		past = new([]version)
		m.keys[key] = past
	}
	was := len(*past) > 0 && (*past)[len(*past)-1].present
	switch {
	case kind == Put:
		*past = append(*past, version{from: index, present: true, value: value})
		return effect{created: !was, changed: true}
	case was:
		*past = append(*past, version{from: index})
		return effect{deleted: true, changed: true}
	}
	return effect{}
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
