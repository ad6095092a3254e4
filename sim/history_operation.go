package sim

import (
	"fmt"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
)

// OperationKind says what a client asks for.
type OperationKind uint8

// The kinds of operations.
const (
	Put OperationKind = iota + 1
	Delete
	Get
	Increment // of the number under the key, by one
	Opening   // of a session
	Closing
)

func (k OperationKind) String() string {
	return [...]string{"nothing", "put", "delete", "get", "increment", "open", "close"}[min(k, Closing)]
}

// ReadMode says what a get must see.
type ReadMode uint8

// The modes. Whatever the mode, the value must be the one of the revision that the answer names.
const (
	Linearizable ReadMode = iota // all that anybody had been answered before it was called
	FromLeader                   // what a server that takes itself for the leader has applied
	Stale                        // what any server has applied
	AtLeast                      // the index that it names: a client reads its own writes
	Leased                       // as Linearizable, and a lease of the leader's may stand for the round
)

func (m ReadMode) String() string {
	return [...]string{"linearizable", "leader", "stale", "at-least", "lease"}[m%5]
}

// linearizable reports whether a get must see all that anybody had been answered before it was called.
func (m ReadMode) linearizable() bool { return m == Linearizable || m == Leased }

// Outcome says how an operation ended.
type Outcome uint8

// The outcomes.
const (
	Open    Outcome = iota // it has not ended
	OK                     // it was done, and this is the answer
	No                     // it was not done, and never will be
	Unknown                // nobody can say: a write may have been done, or may be done yet
)

func (o Outcome) String() string {
	return [...]string{"open", "ok", "no", "unknown"}[o%4]
}

// Operation is one request of a client, from the first call to the last answer: a client that asks again in a
// session, or under the same key, still makes the same one. One that asks again without makes another.
type Operation struct {
	ID     uint64        `json:"id"`
	Client int           `json:"client"`
	Node   raft.NodeID   `json:"n"` // that was asked
	Kind   OperationKind `json:"kind"`
	Mode   ReadMode      `json:"mode,omitempty"`
	Index  raft.Index    `json:"index,omitempty"` // for AtLeast: what the client has seen
	Key    string        `json:"key"`
	Value  []byte        `json:"value,omitempty"` // of a put: unlike that of every other put
	// Once says how it is kept from being done twice.
	Once replica.Once `json:"once,omitzero"`
	TTL  raft.Time    `json:"ttl,omitempty"` // of a put: how long the key lasts; 0: for good
	// Opaque is the command of a put to a state machine that is not kv. Nothing is known of what it does: its
	// place in the order of all commands is checked, and the rest of the reply is not.
	Opaque   []byte `json:"opaque,omitempty"`
	Deadline Time   `json:"deadline"` // by then it has ended, with whatever outcome
	Called   Moment `json:"called"`
	Returned Moment `json:"returned"`
	Reply
}

// Reply is what a client is told.
type Reply struct {
	Outcome Outcome `json:"outcome"`
	// Revision is where the answer stands in the order of all that is committed: for a write the index of its
	// entry, for a get that of the last entry (no-ops too) that the state machine had applied.
	Revision raft.Index `json:"revision,omitempty"`
	// Latest is the revision of the map, as the map itself names it: the last entry that changed anything.
	Latest raft.Index `json:"latest,omitempty"`

	Created bool   `json:"created,omitempty"` // of a put: the key had not been there
	Deleted bool   `json:"deleted,omitempty"` // of a delete: the key had been there
	Number  int64  `json:"number,omitempty"`  // of an increment: what it came to
	Found   bool   `json:"found,omitempty"`   // of a get: the key was there, with this value
	Read    []byte `json:"read,omitempty"`

	Replayed bool `json:"replayed,omitempty"` // it had been done before, by an earlier attempt
	Gone     bool `json:"gone,omitempty"`     // its session is: the outcome is unknown
	Reused   bool `json:"reused,omitempty"`   // its number or key stands for another command
	TooMany  bool `json:"tooMany,omitempty"`  // its key is new, and there is no room for it
}

// Command is what is proposed for a write; nil for a get.
func (o *Operation) Command() []byte {
	switch {
	case o.Opaque != nil:
		return o.Opaque
	case o.Kind == Put && o.TTL > 0:
		return kv.PutTTL(o.Key, o.Value, int64(o.TTL))
	case o.Kind == Put:
		return kv.Put(o.Key, o.Value)
	case o.Kind == Increment:
		return kv.Increment(o.Key, 1)
	case o.Kind == Delete:
		return kv.Delete(o.Key)
	}
	return nil
}

// repeatable reports whether to ask for it again is to ask for the same thing.
func (o *Operation) repeatable() bool {
	return o.Once.What == replica.InSession || o.Once.What == replica.UnderKey
}

const (
	counterPrefix = "n/" // of keys that are incremented only
	lastingPrefix = "t/" // of keys that may go away by themselves
)

// String is what was asked for.
func (o *Operation) String() string {
	switch o.Once.What {
	case replica.InSession:
		return fmt.Sprintf("%s (session %v, number %d)", o.what(), o.Once.Session, o.Once.Number)
	case replica.UnderKey:
		return fmt.Sprintf("%s (key %s)", o.what(), o.Once.Key)
	case replica.CloseSession:
		return fmt.Sprintf("close session %v", o.Once.Session)
	}
	return o.what()
}

func (o *Operation) what() string {
	switch {
	case o.Kind == Opening:
		return fmt.Sprintf("open a session for %v", Time(o.Once.TTL))
	case o.Opaque != nil:
		return "command " + shown(o.Opaque)
	case o.Kind == Put && o.TTL > 0:
		return fmt.Sprintf("put %s=%s for %v", o.Key, shown(o.Value), Time(o.TTL))
	case o.Kind == Put:
		return fmt.Sprintf("put %s=%s", o.Key, shown(o.Value))
	case o.Kind == Get && o.Mode == AtLeast:
		return fmt.Sprintf("get %s (at least %v)", o.Key, o.Index)
	case o.Kind == Get:
		return fmt.Sprintf("get %s (%v)", o.Key, o.Mode)
	}
	return fmt.Sprintf("%v %s", o.Kind, o.Key)
}

// told is what the client was told, for the sentence of a violation.
func (o *Operation) told() string {
	switch {
	case o.Gone:
		return "unknown, its session is gone"
	case o.Outcome != OK:
		return o.Outcome.String()
	case o.Kind == Increment:
		return fmt.Sprintf("revision %v, number %d", o.Revision, o.Number)
	case o.Opaque != nil, o.Kind == Opening, o.Kind == Closing:
		return fmt.Sprintf("revision %v", o.Revision)
	case o.Kind == Put && o.Created:
		return fmt.Sprintf("revision %v, created", o.Revision)
	case o.Kind == Put:
		return fmt.Sprintf("revision %v, replaced", o.Revision)
	case o.Kind == Delete && o.Deleted:
		return fmt.Sprintf("revision %v, deleted", o.Revision)
	case o.Kind == Delete || !o.Found:
		return fmt.Sprintf("revision %v, not found", o.Revision)
	}
	return fmt.Sprintf("revision %v, %s", o.Revision, shown(o.Read))
}

// shownBytes is how much of a value is shown.
const shownBytes = 24

// shown is a value short enough for a sentence.
func shown(value []byte) string {
	if len(value) > shownBytes {
		return fmt.Sprintf("%q…", value[:shownBytes])
	}
	return fmt.Sprintf("%q", value)
}
