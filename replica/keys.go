package replica

import (
	"bytes"
	"slices"

	"balsa/raft"
)

// Keys make single commands safe to retry: one under a key that is remembered is not applied again, and
// answered with the first result. They stand in a table of their own beside the sessions (sessions.go), and
// like those they are part of every snapshot and the same on every server.
//
//	first used ──▶ used, used, … ──▶ not used for ttl, by the time of the entries
//
// There is no other end. If keys were pushed out when there are too many, as sessions are, nobody could tell
// one that was pushed out from a new one: a busy hour of others would have a retry applied again, in silence.
// So when the table is full it is the new key that goes without: its command is refused before the state
// machine sees it, which is certain, the same on every server, and no harm to try again later.

const (
	// maxKeys bounds the keys that are remembered.
	maxKeys = 1 << 17
	// maxKeyBytes is how many bytes of keys and results, each pair counted with keyOverhead, there must be
	// before no new key is taken. The result of the last one taken may go beyond it.
	maxKeyBytes = 64 << 20
	keyOverhead = 32
	// MaxKey bounds a key, in bytes.
	MaxKey = 128
)

// keyLimits are those bounds, so that a test can reach them.
type keyLimits struct{ keys, bytes int }

// keyed is what is remembered of a key. It is never written to, since a capture may be reading it: who uses
// the key puts another one in its place.
type keyed struct {
	key    string
	ttl    raft.Time  // how long it lasts without being used, as its first command said
	used   raft.Index // the entry that used it last
	usedAt raft.Time  // the time of that entry
	sum    checksum   // of the command that was applied under it
	result []byte     // of that command: its own bytes, as in remembered
}

func (k *keyed) size() int { return keyOverhead + len(k.key) + len(k.result) }

func (k *keyed) ends() raft.Time { return endOf(k.usedAt, k.ttl) }

// keys is all of them. A key lies in a slot for as long as it lives; which one is no matter of the state, and
// no output rests on it.
type keys struct {
	limits keyLimits
	slots  []*keyed // nil: free
	free   []int
	byKey  map[string]int
	ending queue // the one that ends first is the first
	bytes  int
}

func newKeysWithin(limits keyLimits) *keys {
	t := &keys{limits: limits, byKey: map[string]int{}}
	t.ending.before = func(a, b int) bool {
		if x, y := t.slots[a].ends(), t.slots[b].ends(); x != y {
			return x < y
		}
		return t.slots[a].used < t.slots[b].used
	}
	return t
}

func (t *keys) count() int { return len(t.byKey) }

// nextExpiry returns the log time at which the next key is forgotten, and whether there is one.
func (t *keys) nextExpiry() (at raft.Time, any bool) {
	if slot, any := t.ending.first(); any {
		return t.slots[slot].ends(), true
	}
	return 0, false
}

// expire forgets the keys that were not used for their time by now, the time of an entry.
func (t *keys) expire(now raft.Time) {
	for at, any := t.nextExpiry(); any && at <= now; at, any = t.nextExpiry() {
		slot, _ := t.ending.first()
		t.remove(slot)
	}
}

// once applies a command under a key, unless one was applied under it already, or there is no room to
// remember that this one was.
func (t *keys) once(e raft.Entry, o Once, sum checksum, apply func() []byte) Result {
	if slot, known := t.byKey[o.Key]; known {
		first := t.use(slot, e)
		if first.sum != sum {
			return Result{Fate: KeyReused}
		}
		return Result{Bytes: bytes.Clone(first.result), Replayed: true}
	}
	if t.full() {
		return Result{Fate: TooManyKeys}
	}
	result := apply()
	t.insert(&keyed{key: o.Key, ttl: o.TTL, used: e.Index, usedAt: e.Time, sum: sum,
		result: bytes.Clone(result)})
	return Result{Bytes: result}
}

func (t *keys) full() bool { return t.count() >= t.limits.keys || t.bytes >= t.limits.bytes }

func (t *keys) insert(k *keyed) {
	slot := len(t.slots)
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
		t.slots[slot] = k
	} else {
		t.slots = append(t.slots, k)
	}
	t.byKey[k.key] = slot
	t.bytes += k.size()
	t.ending.push(slot)
}

func (t *keys) remove(slot int) {
	t.ending.remove(slot)
	k := t.slots[slot]
	t.bytes -= k.size()
	delete(t.byKey, k.key)
	t.slots[slot], t.free = nil, append(t.free, slot)
}

// use notes that an entry has used a key, which begins its time anew.
func (t *keys) use(slot int, e raft.Entry) *keyed {
	k := *t.slots[slot]
	k.used, k.usedAt = e.Index, max(k.usedAt, e.Time)
	t.slots[slot] = &k
	t.ending.moved(slot)
	return &k
}

// capture returns the keys as they are now, with nil for free slots. It takes a copy of at most maxKeys
// addresses, a mebibyte, whatever they hold.
func (t *keys) capture() []*keyed { return slices.Clone(t.slots) }
