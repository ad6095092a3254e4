package replica

import (
	"bytes"

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

func (k *keyed) name() string        { return k.key }
func (k *keyed) ends() raft.Time     { return endOf(k.usedAt, k.ttl) }
func (k *keyed) lastUse() raft.Index { return k.used }

// keys is all of them.
type keys struct {
	*slots[string, *keyed]
	limits keyLimits
	bytes  int
}

func newKeysWithin(limits keyLimits) *keys {
	return &keys{slots: newSlots[string, *keyed](), limits: limits}
}

// expire forgets the keys that were not used for their time by now, the time of an entry.
func (t *keys) expire(now raft.Time) {
	for slot, any := t.over(now); any; slot, any = t.over(now) {
		t.bytes -= t.clear(slot).size()
	}
}

// once applies a command under a key, unless one was applied under it already, or there is no room to
// remember that this one was. Another command than the key's is no use of it, and does not prolong its life.
func (t *keys) once(e raft.Entry, o Once, sum checksum, apply func() []byte) Result {
	if slot, known := t.byName[o.Key]; known {
		first := t.held[slot]
		if first.sum != sum {
			return Result{Fate: KeyReused}
		}
		t.use(slot, e)
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
	t.take(k)
	t.bytes += k.size()
}

// use notes that an entry has used a key, which begins its time anew.
func (t *keys) use(slot int, e raft.Entry) {
	k := *t.held[slot]
	k.used, k.usedAt = e.Index, max(k.usedAt, e.Time)
	t.held[slot] = &k
	t.ending.moved(slot)
}

// capture returns the keys as they are now, with nil for free slots. It takes a copy of at most maxKeys
// addresses, a mebibyte, whatever they hold.
func (t *keys) capture() []*keyed { return t.now() }
